"""Count the known motifs under the bases that matter in each context's strongest peaks, against a control.

For each blood population the peaks are taken whose observed and predicted context-specific signal is largest.
Every base of the 256 bp around their summits is mutated, seqlets are called on the contribution, those that
support accessibility are named after the JASPAR motif most like their bases, and the same is done with
stretches of the same lengths at random places of the same peaks. Beside it stands whether the observed peaks
themselves hold the motif more often, without any model: a model can't learn what its data doesn't show.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from memelite import fimo
from scipy.stats import false_discovery_control, fisher_exact

from evaluation.report import TABLES, markdown_table, write_section
from phenviz.attribution import count_motifs, find_motifs, mutagenesis
from phenviz.attribution.motifs import control_motifs
from phenviz.data.blood16 import BLOOD16
from phenviz.data.embedded import CONTIG, MOTIFS
from phenviz.data.motifs import read_motifs
from phenviz.data.packs import require_pack
from phenviz.data.peaks import pack_peak_files
from phenviz.genome import Locus, one_hot
from phenviz.models.evaluation import predict_centres
from phenviz.models.peaks import cluster_summits, read_narrow_peaks
from phenviz.world import World, open_world

PACK = "blood16-atac"
TEST = (36_000_000, 48_000_000)
WIDTH = 256
PEAKS_PER_CONTEXT = 30
P_VALUE = 1e-3
# of a motif's hit in an observed peak, whose own peaks are open in at most so many contexts
HIT_P_VALUE = 2e-5
FEW = 3
# families that are known to shape these lineages' accessibility, by the names of their JASPAR motifs
FAMILIES = {
    "GATA": r"GATA\d|TRPS1",
    "NFE2/AP-1": r"NFE2|BACH|MAF|FOS|JUN|BATF|^ATF[37]",
    "SPI": r"SPI[1BC]",
    "CEBP": r"CEBP|^DBP$|HLF|TEF$|NFIL3",
    "RUNX": r"RUNX|CBFB",
    "ETS": r"ETS\d|ELF\d|ELK\d|ERG|ERF|FLI1|ETV\d|EHF|GABPA|FEV|SPDEF",
    "EBF": r"EBF\d",
    "PAX5": r"PAX[1259]$",
    "TCF7/LEF1": r"TCF7|LEF1",
    "T-box": r"TBX|TBR|EOMES|TBXT|MGA",
    "IRF": r"IRF\d|STAT1::STAT2|PRDM1",
    "POU2F": r"POU2F|POU\df",
    "E-box": r"TCF3|TCF4|TCF12|TAL1|ASCL|MYOD|ID4|LYL1|ZEB|SNAI",
    "KLF/SP": r"KLF|^SP\d",
    "CTCF": r"CTCF",
}
EXPECTED = {
    "Ery": ("GATA",),
    "Mega": ("NFE2/AP-1", "GATA"),
    "Mono": ("SPI", "CEBP"),
    "mDC": ("SPI",),
    "B": ("EBF", "PAX5"),
    "CD4": ("RUNX", "ETS", "TCF7/LEF1"),
    "CD8": ("RUNX", "ETS", "TCF7/LEF1"),
    "NK": ("RUNX", "T-box"),
    "GMP-C": ("CEBP",),
}


@dataclass(frozen=True)
class Counts:
    """What was counted.

    Parameters
    ----------
    families
        One row per context and family: hits, seqlets, control_hits, control_seqlets, fold, p_value, q_value.
    motifs
        As `count_motifs`.
    peaks
        Peaks looked at in each context.
    """

    families: pd.DataFrame
    motifs: pd.DataFrame
    peaks: dict[str, int]


def strongest_peaks(world: World, region: tuple[int, int], count: int) -> dict[str, np.ndarray]:
    """Return summits (positions) for each context with the largest context-specific signal.

    A summit's rank is the sum of two standard scores: observed and predicted log1p fold enrichment in the
    context less the mean over contexts.
    """
    contexts = [context.name for context in BLOOD16]
    summits = cluster_summits(_observed(contexts), contexts).within(*region)
    codes = world.reference.codes(CONTIG)
    of_blood = [world.contexts.index(context) for context in BLOOD16]
    predicted = predict_centres(world.backbone, codes, summits.position)[:, of_blood]
    observed = np.log1p(summits.enrichment)
    chosen = {}
    for index, name in enumerate(contexts):
        inside = np.flatnonzero(summits.enrichment[:, index] > 0)
        scores = sum(_standard(_specific(table)[inside, index]) for table in (observed, np.log1p(predicted)))
        chosen[name] = np.sort(summits.position[inside[np.argsort(-scores)[:count]]])
    return chosen


def _observed(contexts: list[str]) -> pd.DataFrame:
    # peaks of the other contexts have no signal to rank them by
    files = pack_peak_files([PACK])
    return read_narrow_peaks({name: files[name] for name in contexts}, contig=CONTIG)


def count(world: World, region: tuple[int, int], peaks_per_context: int, seed: int = 1) -> Counts:
    """Count motifs and families in each context's strongest peaks of a region."""
    peaks = strongest_peaks(world, region, peaks_per_context)
    effects: dict[int, xr.Dataset] = {}
    found = [
        name_motifs(world, name, summits, effects, np.random.default_rng([seed, number]))
        for number, (name, summits) in enumerate(peaks.items())
    ]
    return tally([hits for hits, _ in found], [control for _, control in found], peaks)


def name_motifs(
    world: World,
    context: str,
    summits: np.ndarray,
    effects: dict[int, xr.Dataset],
    generator: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Name the supporting seqlets around summits, and as many random stretches; ``effects`` is a cache."""
    hits, controls = [], []
    for summit in summits:
        if summit not in effects:
            locus = Locus(CONTIG, int(summit) - WIDTH // 2, int(summit) + WIDTH // 2)
            effects[summit] = mutagenesis(locus, world.reference, world.backbone)
        found = find_motifs(effects[summit], MOTIFS, contexts=[context])
        found = found[found["score"] > 0]
        hits.append(found)
        controls.append(control_motifs(found, effects[summit], MOTIFS, generator))
    print(f"{context}: {sum(map(len, hits))} seqlets", file=sys.stderr, flush=True)
    return pd.concat(hits, ignore_index=True), pd.concat(controls, ignore_index=True)


def tally(hits: list[pd.DataFrame], controls: list[pd.DataFrame], peaks: Mapping[str, np.ndarray]) -> Counts:
    """Count what was named in all contexts."""
    hit, control = pd.concat(hits, ignore_index=True), pd.concat(controls, ignore_index=True)
    motifs = count_motifs(hit, control, p_value=P_VALUE)
    return Counts(count_families(hit, control), motifs, {name: len(found) for name, found in peaks.items()})


def observed_pairs(world: World) -> pd.DataFrame:
    """Ask the observed peaks of the whole contig for each expected family, without the model.

    Returns
    -------
    pd.DataFrame
        One row per expected pair: context, family, own (summits open there and in at most two others),
        own_hits (those with a motif of the family within 128 bp), other (summits closed there), other_hits,
        and p_value (Fisher, one-sided).
    """
    contexts = [context.name for context in BLOOD16]
    summits = cluster_summits(_observed(contexts), contexts)
    codes = world.reference.codes(CONTIG)
    windows = one_hot(codes[summits.position[:, None] + np.arange(-WIDTH // 2, WIDTH // 2)])
    few = (summits.enrichment > 0).sum(1) <= FEW
    rows = []
    for family in sorted({family for families in EXPECTED.values() for family in families}):
        hit = holds_family(windows, FAMILIES[family])
        for context in (name for name, families in EXPECTED.items() if family in families):
            here = summits.enrichment[:, contexts.index(context)] > 0
            own, other = hit[here & few], hit[~here]
            grid = [[own.sum(), (~own).sum()], [other.sum(), (~other).sum()]]
            p_value = fisher_exact(grid, alternative="greater").pvalue
            rows.append((context, family, len(own), own.sum(), len(other), other.sum(), p_value))
    columns = ["context", "family", "own", "own_hits", "other", "other_hits", "p_value"]
    return pd.DataFrame(rows, columns=columns)


def holds_family(windows: np.ndarray, pattern: str) -> np.ndarray:
    """Say which windows, (n, 4, length), hold a motif of a family on either strand."""
    motifs = {
        str(number): motif.frequencies
        for number, motif in enumerate(read_motifs(MOTIFS))
        if re.search(pattern, motif.name, re.IGNORECASE)
    }
    held = np.zeros(len(windows), bool)
    for hits in fimo(motifs, windows, threshold=HIT_P_VALUE):
        held[hits["sequence_name"].to_numpy(int)] = True
    return held


def section(counts: Counts, observed: pd.DataFrame, model: str, region: tuple[int, int]) -> str:
    """Write the section of the model card."""
    contexts = list(counts.peaks)
    table = counts.families.set_index(["context", "family"])
    rows = [
        [name, *(_cell(table.loc[(name, family)], name, family) for family in FAMILIES)] for name in contexts
    ]
    seqlets = counts.families.groupby("context")["seqlets"].first()
    most = max(counts.peaks.values())
    in_peaks = [_observed_row(row) for row in observed.itertuples()]
    return f"""## Motifs

Which known motifs lie under the bases that matter ({model}): for each context the {most}
peaks of chr20:{region[0] + 1:,}-{region[1]:,} with the largest observed and predicted context-specific
signal (the model never saw this region), in-silico mutagenesis of {WIDTH} bp around each summit in that
context, seqlets called on the contribution (supporting ones only, {seqlets.min()} to {seqlets.max()} a
context) and named after the JASPAR 2026 motif most like their bases (TOMTOM p <= {P_VALUE:g}). Cells: seqlets
of a family / of as many stretches at random places of the same peaks; **bold**: enriched, Fisher's test,
q <= 0.05 over all cells (Benjamini-Hochberg); †: the family expected there.

{markdown_table(["context", *FAMILIES], rows)}

Most enriched single motifs (seqlets / control):

{markdown_table(["context", "motifs"], [[name, _best(counts.motifs, name)] for name in contexts])}

Motifs of one family resemble each other so much that the name within a family says little (GATA1 or GATA3,
ETS1 or ELF1). {_verdict(table)}
A family that is missing was not learned well enough to stand out in {most} peaks; it doesn't mean that the
factor does nothing in these cells.

What the observed peaks show without a model: share of a context's own summits on chromosome 20 (open in at
most {FEW} contexts) with a motif of the family (FIMO p <= {HIT_P_VALUE:g}) within {WIDTH // 2} bp,
against the summits that are closed in that context; Fisher's test, one-sided. A pair that isn't enriched here
can hardly be learned from these peaks.

{markdown_table(["context", "family", "own summits", "others", "p"], in_peaks)}
"""


def count_families(hits: pd.DataFrame, control: pd.DataFrame) -> pd.DataFrame:
    """Count the seqlets of each context that match a motif of each family, and compare with a control."""
    rows = []
    for context, found in hits.groupby("context", sort=False):
        other = control[control["context"] == context]
        for family, pattern in FAMILIES.items():
            here, there = (int(_matches(table, pattern).sum()) for table in (found, other))
            grid = [[here, len(found) - here], [there, len(other) - there]]
            fold = (here + 1) / (len(found) + 1) / ((there + 1) / (len(other) + 1))
            enriched = fisher_exact(grid, alternative="greater").pvalue
            rows.append((context, family, here, len(found), there, len(other), fold, enriched))
    names = ["context", "family", "hits", "seqlets", "control_hits", "control_seqlets", "fold", "p_value"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(q_value=false_discovery_control(table["p_value"]))


def _matches(table: pd.DataFrame, pattern: str) -> pd.Series:
    named = table["motif"].str.contains(re.compile(pattern, re.IGNORECASE))
    return named & (table["p_value"] <= P_VALUE)


def _cell(row: pd.Series, context: str, family: str) -> str:
    text = f"{int(row['hits'])}/{int(row['control_hits'])}"
    text = f"**{text}**" if row["q_value"] <= 0.05 else text
    return f"{text}†" if family in EXPECTED.get(context, ()) else text


def _observed_row(row: Any) -> list[str]:
    own = f"{row.own_hits / row.own:.1%} of {row.own:,}"
    return [
        row.context,
        row.family,
        own,
        f"{row.other_hits / row.other:.1%} of {row.other:,}",
        f"{row.p_value:.1e}",
    ]


def _best(motifs: pd.DataFrame, context: str, count: int = 5) -> str:
    rows = motifs[(motifs["context"] == context) & (motifs["p_value"] <= 0.05)].head(count)
    return ", ".join(f"{row.motif} {row.hits}/{row.control_hits}" for row in rows.itertuples()) or "none"


def _verdict(table: pd.DataFrame) -> str:
    """Say which expected pairs were found, corrected for these pairs alone: they were named beforehand."""
    pairs = [(name, family) for name, families in EXPECTED.items() for family in families]
    pairs = [pair for pair in pairs if pair in table.index]
    q_values = false_discovery_control([table.loc[pair, "p_value"] for pair in pairs])
    words = [f"{family} in {name}" for name, family in pairs]
    found = [word for word, q in zip(words, q_values, strict=True) if q <= 0.05]
    missed = [word for word, q in zip(words, q_values, strict=True) if q > 0.05]
    return (
        f"Of the {len(pairs)} pairs expected beforehand (corrected for these alone, q <= 0.05)\n"
        f"**{len(found)} are enriched**: {', '.join(found) or 'none'};\n"
        f"**{len(missed)} are not**: {', '.join(missed) or 'none'}."
    )


def _specific(table: np.ndarray) -> np.ndarray:
    return table - table.mean(1, keepdims=True)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-9)


def main() -> None:
    """Count, and write the tables and the model card's section."""
    require_pack(PACK, "Ery_peaks.narrowPeak.gz")
    world = open_world()
    counts = count(world, TEST, PEAKS_PER_CONTEXT)
    TABLES.mkdir(parents=True, exist_ok=True)
    counts.families.round(6).to_csv(TABLES / "motif_families.tsv", sep="\t", index=False)
    counts.motifs.round(6).to_csv(TABLES / "motifs.tsv", sep="\t", index=False)
    observed = observed_pairs(world)
    observed.to_csv(TABLES / "motifs_observed.tsv", sep="\t", index=False)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    write_section("motifs", section(counts, observed, model, TEST))


if __name__ == "__main__":
    main()
