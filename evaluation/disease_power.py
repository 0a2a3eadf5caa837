"""Measure how often a planted context is found, by number of loci and share of true ones.

Loci have the posterior structure of real traits. In a true locus the causal variant, drawn by its posterior,
lies near a summit of the planted context's peaks (``peaks``), or inside the best match of a motif of its
lineage within such a peak, changed at the motif's most informative base (``motifs``). The other loci are
moved near genes. Sets of one setting (context, number of loci, share of true ones) have no locus in common,
so that intervals by bootstrap of sets hold; sets of different settings are made of the same loci, which are
scored and replaced once.

    python -m evaluation.disease_power            # scores about 35,000 variants the first time
    python -m evaluation.disease_power --quick    # half of the loci, no second backbone; nothing is written
    python -m evaluation.disease_power --without-model

What was scored is kept, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from evaluation import disease_sets as sets
from evaluation.disease_calibration import MODEL_METHODS, PAGE, RANDOM_WEIGHTS
from evaluation.report import TABLES, markdown_table, number, with_interval, write_section
from phenviz.data.embedded import MOTIFS
from phenviz.data.motifs import find_motif, read_motifs
from phenviz.disease import hypotheses
from phenviz.disease.calibration import MEASURED_POWER
from phenviz.progress import Progress
from phenviz.world import World, open_world

# a motif of each lineage: the same factors that the model card counts
PLANTED = {
    "Ery": "GATA1", "Mega": "NFE2", "Mono": "SPI1", "mDC": "SPI1", "B": "EBF1", "CD4": "RUNX3", "NK": "RUNX3",
    "GMP-C": "CEBPA",
}  # fmt: skip
LOCI = (5, 10, 20, 40)
SHARES = (0.25, 0.5, 1.0)
# loci of each context: 16 sets of 5, or 2 of 40
PLACES = 80
PERMUTATIONS = 1_000
_FLANK = 100
# contexts of their own, among which the planted one isn't, and nothing is planted in expression
_LEFT_OUT = ("overlap-remo", "gene-expression")
_BOOTSTRAPS = 500
_AREAS = 100
# numbers of loci and shares of true ones that a report shows, and what of them
REPORTED = ((10, 0.5), (20, 0.5), (20, 1.0), (40, 1.0))
_TOLD = [f"{name}{end}" for name in ("top_1", "called") for end in ("", "_low", "_high")]


def planted_loci(
    world: World, context: str, where: str, count: int, generator: np.random.Generator
) -> list[pd.DataFrame]:
    """Return loci whose causal variant lies in a peak, or a motif, of a context."""
    patterns = [pattern for own in sets.real_patterns(world).values() for pattern in own]
    chosen = [patterns[i] for i in generator.integers(0, len(patterns), count)]
    peaks = world.peaks
    summits = peaks.loc[peaks["context"] == context, "summit"].to_numpy(np.int64)
    contig = next(iter(world.reference.contigs))
    if where == "motifs":
        sites = motif_sites(world, PLANTED[context], contig, generator.permutation(summits)[: 8 * count])
        return _in_motifs(chosen, sites, world, generator)

    def near_summit(random: np.random.Generator) -> tuple[str, int]:
        return contig, int(random.choice(summits)) + 1 + int(random.integers(-_FLANK, _FLANK + 1))

    return sets.parts_of(sets.place(chosen, world, near_summit, generator, anchor_is_causal=True))


def motif_sites(world: World, name: str, contig: str, summits: np.ndarray) -> pd.DataFrame:
    """Find the best match of a motif within 100 bp of each summit: its key base, and what harms it most.

    Returns
    -------
    pd.DataFrame
        ``position`` (1-based), ``ref``, ``alt``, ``score`` (log2 odds); only matches that score above 0.6 of
        the motif's maximum.
    """
    motif = find_motif(read_motifs(MOTIFS), name)
    assert motif is not None, name
    probabilities = motif.frequencies + 1e-3
    weights = np.log2(probabilities / probabilities.sum(0) / 0.25)
    both = (weights, weights[::-1, ::-1])
    width, rows = weights.shape[1], []
    for summit in summits:
        codes = world.reference.fetch_codes(contig, summit - _FLANK, summit + _FLANK)
        best = (-np.inf, 0, 0)
        for strand, matrix in enumerate(both):
            windows = np.lib.stride_tricks.sliding_window_view(np.minimum(codes, 3), width)
            scores = matrix[windows, np.arange(width)].sum(1)
            at = int(scores.argmax())
            best = max(best, (float(scores[at]), strand, at))
        value, strand, at = best
        if value < 0.6 * weights.max(0).sum() or (codes[at : at + width] > 3).any():
            continue
        matrix = both[strand]
        base = codes[at : at + width]
        loss = matrix[base, np.arange(width)] - matrix.min(0)
        column = int(loss.argmax())
        alternate = int(matrix[:, column].argmin())
        rows.append((summit - _FLANK + at + column + 1, "ACGT"[base[column]], "ACGT"[alternate], value))
    return pd.DataFrame(rows, columns=["position", "ref", "alt", "score"])


def _in_motifs(
    patterns: list[sets.Pattern], sites: pd.DataFrame, world: World, generator: np.random.Generator
) -> list[pd.DataFrame]:
    contig, loci = next(iter(world.reference.contigs)), []
    if sites.empty:
        raise SystemExit("no motif of the planted lineage was found in the peaks")
    for pattern in patterns:
        placed = pd.DataFrame()
        while placed.empty:  # a site beside a gap of the assembly has no room for some patterns
            site = sites.iloc[int(generator.integers(len(sites)))]
            anchor = (contig, int(site["position"]))
            placed = sets.place([pattern], world, _fixed(anchor), generator, anchor_is_causal=True)
        placed.loc[placed["causal"], ["ref", "alt"]] = [site["ref"], site["alt"]]
        loci.append(placed.drop(columns="number"))
    return loci


def _fixed(anchor: tuple[str, int]) -> Callable[[np.random.Generator], tuple[str, int]]:
    return lambda generator: anchor


def planted_sets(
    world: World, where: str, places: int, seed: int = 0
) -> tuple[dict[str, list[pd.DataFrame]], pd.DataFrame]:
    """Make sets of true and other loci for every setting.

    Returns
    -------
    tuple
        Name of a set -> its loci; and a table of ``truth``, ``loci`` and ``share`` with those names as index.
    """
    generator = np.random.default_rng([seed, {"peaks": 11, "motifs": 12}[where]])
    true = {context: planted_loci(world, context, where, places, generator) for context in PLANTED}
    # the same for both ways of planting, so that they are scored once
    generator = np.random.default_rng([seed, 13])
    patterns = [pattern for own in sets.real_patterns(world).values() for pattern in own]
    needed = places - round(min(SHARES) * places)
    moved = [patterns[i] for i in generator.integers(0, len(patterns), needed * len(PLANTED))]
    other = sets.parts_of(sets.place(moved, world, sets.near_genes(world), generator))
    blocks = {context: other[n :: len(PLANTED)] for n, context in enumerate(PLANTED)}
    members, facts = {}, {}
    for context in PLANTED:
        for count in LOCI:
            for share in SHARES:
                right = round(share * count)
                for repeat in range(places // count):
                    name = f"{context}-{count}-{share}-{repeat}"
                    loci = true[context][repeat * right : (repeat + 1) * right]
                    loci += blocks[context][repeat * (count - right) : (repeat + 1) * (count - right)]
                    members[name] = [locus.assign(sign=1.0) for locus in loci]
                    facts[name] = (context, count, share)
    return members, pd.DataFrame.from_dict(facts, orient="index", columns=["truth", "loci", "share"])


def run(
    world: World,
    names: Sequence[str],
    where: str,
    places: int,
    seed: int = 0,
    *,
    settings: Sequence[tuple[int, float]] = (),
) -> pd.DataFrame:
    """Test planted sets.

    Parameters
    ----------
    settings
        Only these numbers of loci and shares of true ones; all by default.

    Returns
    -------
    pd.DataFrame
        ``set``, ``truth``, ``loci``, ``share``, ``method``, ``context``, ``z``, ``p_value``.
    """
    members, facts = planted_sets(world, where, places, seed)
    if settings:
        facts = facts[[pair in settings for pair in zip(facts["loci"], facts["share"], strict=True)]]
        members = {name: members[name] for name in facts.index}
    result = hypotheses(
        sets.as_traits(members),
        world,
        method=list(names),
        permutations=PERMUTATIONS,
        progress=Progress(_tell),
    )
    frame = result[["z", "p_value"]].to_dataframe().reset_index().dropna(subset=["p_value"])
    frame = frame[["trait", "method", "context", "z", "p_value"]].rename(columns={"trait": "set"})
    return frame.join(facts, on="set")


def power(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Average over sets, with 95 % intervals by bootstrap of sets.

    Returns
    -------
    pd.DataFrame
        ``method``, ``loci``, ``share``, ``sets``, and ``rank``, ``top_1``, ``top_3``, ``called`` (p < 0.05
        of the truth), ``auprc`` (of telling the truth from the other contexts over all sets), each with
        ``_low`` and ``_high``.
    """
    generator, rows = np.random.default_rng(seed), []
    for (method, loci, share), own in frame.groupby(["method", "loci", "share"], sort=False):
        z = own.pivot(index="set", columns="context", values="z")
        p = own.pivot(index="set", columns="context", values="p_value")
        truth = own.drop_duplicates("set").set_index("set")["truth"].loc[z.index]
        right = z.columns.to_numpy()[None, :] == truth.to_numpy()[:, None]
        values = np.nan_to_num(z.to_numpy(), nan=-1e3)
        held = values[right][:, None]
        rank = 1 + (values > held).sum(1) + 0.5 * ((values == held).sum(1) - 1)
        single = {
            "rank": rank,
            "top_1": (rank <= 1).astype(float),
            "top_3": (rank <= 3).astype(float),
            "called": (p.to_numpy()[right] <= 0.05).astype(float),
        }
        row: dict[str, object] = {"method": method, "loci": loci, "share": share, "sets": len(z)}
        drawn = generator.integers(0, len(z), (_BOOTSTRAPS, len(z)))
        for name, numbers in single.items():
            low, high = np.quantile(numbers[drawn].mean(1), [0.025, 0.975])
            row |= {name: numbers.mean(), f"{name}_low": low, f"{name}_high": high}
        areas = [average_precision_score(right[d].ravel(), values[d].ravel()) for d in drawn[:_AREAS]]
        low, high = np.quantile(areas, [0.025, 0.975])
        area = average_precision_score(right.ravel(), values.ravel())
        rows.append(row | {"auprc": area, "auprc_low": low, "auprc_high": high})
    return pd.DataFrame(rows)


def tell_reports(found: dict[str, pd.DataFrame], model: str) -> None:
    """Put the power of methods into the table that reports read; others there stay as they are."""
    columns = ["planted", "method", "loci", "share", "sets", *_TOLD, "model"]
    own = pd.concat([table.assign(planted=where, model=model) for where, table in found.items()])[columns]
    shown = list(zip(own["loci"], own["share"], strict=True))
    own = own[[pair in REPORTED for pair in shown]].round(4)
    known = pd.read_csv(MEASURED_POWER, sep="\t") if MEASURED_POWER.is_file() else own.iloc[:0]
    others = known[~known["method"].isin(own["method"])]
    pd.concat([others, own]).to_csv(MEASURED_POWER, sep="\t", index=False)


def section(found: dict[str, pd.DataFrame], model: str, contexts: int) -> str:
    """Write the section of the page: one setting of each in full, and the areas over all settings."""
    parts = []
    for where, table in found.items():
        for loci, share in ((10, 0.5), (20, 1.0)):
            own = table[(table["loci"] == loci) & (table["share"] == share)]
            columns = ("top_1", "top_3", "auprc", "called")
            rows = [
                [r["method"], number(r["rank"], 1), *(with_interval(r, c) for c in columns)]
                for _, r in own.iterrows()
            ]
            header = ["method", "mean rank", "top-1", "top-3", "AUPRC", "p <= 0.05"]
            parts.append(
                f"Planted in {where}, {loci} loci, {100 * share:.0f} % true "
                f"({int(own['sets'].max())} sets):\n\n{markdown_table(header, rows)}\n"
            )
        parts.append(
            f"Planted in {where}, AUPRC by number of loci and share of true ones:\n\n{_areas(table)}\n"
        )
    return f"""Simulated on real sequence. Measured with {model}.
Planted contexts: {", ".join(PLANTED)}, each among {contexts}.
In brackets 95 % intervals (bootstrap of sets); chance is {number(1 / contexts)} for top-1 and AUPRC,
{number(3 / contexts)} for top-3. Planting in observed peaks favours the methods that read these peaks.
Methods with contexts of their own (`overlap-remo`, `gene-expression`) can't find a planted one and are left
out. All numbers with intervals: `docs/evaluation/disease_power_peaks.tsv` and `disease_power_motifs.tsv`.

{chr(10).join(parts)}
"""


def _areas(table: pd.DataFrame) -> str:
    wide = table.pivot(index="method", columns=["loci", "share"], values="auprc")
    wide = wide.loc[list(dict.fromkeys(table["method"]))]
    header = ["method", *(f"{loci}, {100 * share:.0f} %" for loci, share in wide.columns)]
    return markdown_table(
        header, [[name, *map(number, row)] for name, row in zip(wide.index, wide.to_numpy(), strict=True)]
    )


def _tell(stage: str, fraction: float) -> None:
    if fraction == 0.0:
        print(f"{time.strftime('%H:%M:%S')} {stage}", file=sys.stderr, flush=True)


def main() -> None:
    """Test, and write tables, figures and the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half of the loci; nothing is written")
    parser.add_argument(
        "--without-model", action="store_true", help="leave out what needs the sequence model"
    )
    options = parser.parse_args()
    world = open_world()
    names = [name for name in sets.loci_methods() if name not in _LEFT_OUT]
    if options.without_model:
        names = [name for name in names if name not in (*MODEL_METHODS, RANDOM_WEIGHTS)]
    elif options.quick:
        names.remove(RANDOM_WEIGHTS)
    places = PLACES // 2 if options.quick else PLACES
    frames = {where: run(world, names, where, places) for where in ("peaks", "motifs")}
    found = {where: power(frame) for where, frame in frames.items()}
    for where, table in found.items():
        print(
            where,
            table[["method", "loci", "share", "rank", "top_1", "top_3", "auprc"]].round(2),
            file=sys.stderr,
        )
    if options.quick or options.without_model:
        return
    from phenviz.figures.disease_qq import power_figure

    TABLES.mkdir(parents=True, exist_ok=True)
    for where, table in found.items():
        table.round(4).to_csv(TABLES / f"disease_power_{where}.tsv", sep="\t", index=False)
        power_figure(table).save(TABLES / f"disease_power_{where}.png")
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    tell_reports(found, model)
    contexts = int(frames["peaks"].groupby("method")["context"].nunique().max())
    write_section("disease power", section(found, model, contexts), PAGE)


if __name__ == "__main__":
    main()
