"""Compare backbones with each other and with 6-mers, on regions and sequences that none has learnt from.

``python -m evaluation.backbone --world FOLDER/project.yaml NAME.safetensors ...`` prints one table: columns
are the 6-mer baseline and the checkpoints (the embedded one where none is named). The project is that of
``scripts/build_training_project.py``. ``--eqtl TABLE`` adds the signs of lead eQTL variants.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.eqtl import local_agreement
from evaluation.kmers import KmerRidge
from evaluation.mpra import ASSAYS, FILE, PACK, compare, read_measurements
from evaluation.report import TABLES, markdown_table, number, write_section
from phenviz.data.blood16 import BLOOD16
from phenviz.data.embedded import BACKBONE, CONTIG
from phenviz.data.packs import require_pack
from phenviz.data.project import Project, read_project
from phenviz.genome import ReferenceGenome, encode
from phenviz.models.checkpoint import load_backbone
from phenviz.models.evaluation import (
    CONTEXT_METRICS,
    METRICS,
    evaluate_backbone,
    evaluate_scores,
    sample_background,
)
from phenviz.models.evaluation_sequences import correlate, evaluate_sequences
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import cluster_summits
from phenviz.models.training_data import outside
from phenviz.models.training_regions import JoinedContigs
from phenviz.models.training_targets import Sources, read_targets
from phenviz.world import World, open_world

TEST = (36_000_000, 48_000_000)
HELD_OUT = ((8_000_000, 12_000_000), TEST)
BLOOD = tuple(context.name for context in BLOOD16)
# bases that 6-mers are counted in, around a site
WIDTH = 512
REPEATS = 500
HEPG2 = "HepG2"


@dataclass(frozen=True)
class Figure:
    """One number of the table, with its 95 % interval; None where a model can't be asked."""

    measure: str
    value: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class HeldOutData:
    """What is tested on: bases of the contig, peaks and measured sequences."""

    codes: NDArray[np.uint8]
    peaks: pd.DataFrame
    sites: tuple[str, ...]
    sequences: pd.DataFrame

    @classmethod
    def of(cls, project: Project, reference: ReferenceGenome) -> HeldOutData:
        """Read the sources of a training project."""
        sources = Sources(project.peak_files(), {}, project.sequences, project.adaptors)
        joined = JoinedContigs.of(reference, [CONTIG])
        table = sources.read_peaks(project.contexts)
        targets = read_targets(sources, project.contexts, table[table["contig"] == CONTIG], joined)
        assert targets.sequences is not None
        names = tuple(context.name for context in targets.sites)
        return cls(joined.codes, targets.peaks, names, targets.sequences)

    def around(self, positions: NDArray[np.int64], width: int = WIDTH) -> NDArray[np.uint8]:
        """Cut the bases around positions, (n, width)."""
        return np.stack([self.codes[p - width // 2 : p + width // 2] for p in positions])


def of_model(backbone: LocalBackbone, data: HeldOutData, eqtl: Path | None) -> Iterator[Figure]:
    """Measure a backbone; what it has no context for is left out."""
    names = {context.name for context in backbone.contexts}

    def score(contexts: Sequence[str]) -> dict[str, Any] | None:
        if not set(contexts) <= names:
            return None
        own = data.peaks[data.peaks["context"].isin(contexts)]
        return evaluate_backbone(backbone, data.codes, own, [TEST], contexts=contexts, repeats=REPEATS)

    yield from _of_sites(score, data)
    table = data.sequences[data.sequences["split"] == "test"]
    own = table[table["context"].isin(names)]
    found = evaluate_sequences(backbone, own, repeats=REPEATS) if len(own) else {}
    for context in table["context"].unique():
        yield _figure(f"lentiMPRA, {context}", found.get(context, {}).get("pearson"))
    world = open_world()
    yield from _of_saturation(backbone, world)
    if eqtl is not None:
        world.__dict__["backbone"] = backbone
        share = local_agreement(eqtl, world)
        interval = (share["low"], share["high"])
        yield Figure(f"sign of eQTLs, share of {share['pairs']}", share["share"], interval)


def of_kmers(data: HeldOutData) -> Iterator[Figure]:
    """Measure ridge regression on 6-mers, learnt from the same places and sequences."""

    def score(contexts: Sequence[str]) -> dict[str, Any]:
        own = data.peaks[data.peaks["context"].isin(contexts)]
        clusters = cluster_summits(own, contexts)
        learnt = outside(clusters.position, HELD_OUT)
        position, enrichment = clusters.position[learnt], clusters.enrichment[learnt]
        rng = np.random.default_rng(0)
        summits = np.sort(own["summit"].to_numpy())
        starts = [0, *(end for _, end in HELD_OUT)]
        ends = [*(start for start, _ in HELD_OUT), len(data.codes)]
        background = np.concatenate(
            [
                sample_background(data.codes, summits, (first + 2_000, last - 2_000), len(position) // 2, rng)
                for first, last in zip(starts, ends, strict=True)
            ]
        )
        places = np.concatenate([position, background])
        values = np.concatenate([np.log1p(enrichment), np.zeros((len(background), len(contexts)))])
        ridge = KmerRidge().fit(data.around(places), values)

        def predict(positions: NDArray[np.int64]) -> NDArray[np.floating]:
            # scores are compared as log1p of them
            return np.expm1(ridge.predict(data.around(positions)))

        return evaluate_scores(predict, contexts, data.codes, own, [TEST], repeats=REPEATS)

    yield from _of_sites(score, data)
    for context, table in data.sequences.groupby("context", sort=False):
        table = table[table["sequence"].str.len() == table["sequence"].str.len().mode()[0]]
        learnt, tested = (
            table[table["split"].isin(splits)] for splits in (("training", "validation"), ("test",))
        )
        ridge = KmerRidge().fit(_stacked(learnt["sequence"]), learnt["value"].to_numpy())
        predicted = ridge.predict(_stacked(tested["sequence"]))
        pearson = correlate(predicted, tested["value"].to_numpy(), repeats=REPEATS)
        yield _figure(f"lentiMPRA, {context}", pearson)


def _of_sites(
    score: Callable[[Sequence[str]], Mapping[str, Any] | None], data: HeldOutData
) -> Iterator[Figure]:
    """Blood among its own sites, and every other context among the sites of all."""
    blood, every = score(BLOOD), score(data.sites)
    for name in METRICS:
        yield _figure(f"blood: {name.replace('_', ' ')}", None if blood is None else blood[name])
    for name in CONTEXT_METRICS:
        for context in data.sites:
            if context not in BLOOD:
                found = None if every is None else every["contexts"][context][name]
                yield _figure(f"{context}: {name.replace('_', ' ')}", found)


def _of_saturation(backbone: LocalBackbone, world: World) -> Iterator[Figure]:
    """Average correlations over assays: of the contexts' mean, and of liver elements by their reporter."""
    table = compare(read_measurements(require_pack(PACK, FILE)), backbone, world.reference)
    of_all = table[table["context"] == "all"].set_index("element")["pearson"]
    yield _mean_over("saturation MPRA, mean of contexts", of_all)
    liver = [name for name, assay in ASSAYS.items() if assay.cell_line.startswith(HEPG2)]
    own = table[(table["context"] == HEPG2) & table["element"].isin(liver)]["pearson"]
    yield _mean_over("saturation MPRA, HepG2 elements by HepG2", own)


def _mean_over(measure: str, values: pd.Series) -> Figure:
    if values.empty:
        return Figure(measure, None)
    rng = np.random.default_rng(1)
    drawn = rng.choice(values.to_numpy(), (2_000, len(values))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Figure(f"{measure} ({len(values)})", float(values.mean()), (float(low), float(high)))


def _figure(measure: str, entry: Mapping[str, Any] | None) -> Figure:
    if entry is None or entry["value"] is None:
        return Figure(measure, None)
    interval = entry.get("interval")
    return Figure(measure, entry["value"], None if interval is None else (interval[0], interval[1]))


def _stacked(sequences: pd.Series) -> NDArray[np.uint8]:
    return np.stack([encode(text) for text in sequences])


def as_table(columns: Mapping[str, Sequence[Figure]]) -> pd.DataFrame:
    """Lay out figures: one row for each measure and model, with ``value``, ``low`` and ``high``."""
    rows = [
        (figure.measure, model, figure.value, *(figure.interval or (None, None)))
        for model, figures in columns.items()
        for figure in figures
        if figure.value is not None
    ]
    return pd.DataFrame(rows, columns=["measure", "model", "value", "low", "high"])


def as_markdown(table: pd.DataFrame) -> str:
    """Write the table with one column for each model, in brackets the 95 % intervals."""
    models = list(dict.fromkeys(table["model"]))
    cells = {
        (row.measure, row.model): f"{number(row.value, 3)} [{number(row.low, 3)}, {number(row.high, 3)}]"
        for row in table.itertuples()
    }
    measures = dict.fromkeys(table["measure"])
    rows = [[measure, *(cells.get((measure, model), "-") for model in models)] for measure in measures]
    return markdown_table(["", *models], rows)


def main() -> None:
    """Measure, write the table and print it."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.backbone", description=__doc__)
    parser.add_argument("checkpoints", nargs="*", type=Path, help="weights; the embedded ones by default")
    parser.add_argument("--world", type=Path, required=True, help="training project (project.yaml)")
    parser.add_argument("--eqtl", type=Path, help="GTEx v8 lead variants of the chromosome, on GRCh37")
    parser.add_argument("--without-kmers", action="store_true", help="leave the 6-mer baseline out")
    parser.add_argument("-o", "--output", type=Path, default=TABLES / "backbones.tsv")
    parser.add_argument("--write", action="store_true", help="put the table into the model card")
    arguments = parser.parse_args()
    data = HeldOutData.of(read_project(arguments.world), open_world().reference)
    columns = {} if arguments.without_kmers else {"6-mer ridge": list(of_kmers(data))}
    for path in arguments.checkpoints or [BACKBONE]:
        backbone = load_backbone(path)
        model = f"{backbone.name}@{backbone.weights_hash[:8]}"
        columns[model] = list(of_model(backbone, data, arguments.eqtl))
    table = as_table(columns)
    table.round(4).to_csv(arguments.output, sep="\t", index=False)
    print(as_markdown(table))
    if arguments.write:
        write_section("backbones", as_markdown(table))


if __name__ == "__main__":
    main()
