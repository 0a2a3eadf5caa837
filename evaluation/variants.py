"""Do predicted effects pick out variants that act? Fine-mapped variants of blood traits against controls.

``python -m evaluation.variants`` writes a section of ``docs/variants.md`` and its table. The variants come
from the data pack ``ukbb-blood-finemap``; which cells a trait is expected to act in stands in
`evaluation.disease_expected`, written before any run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.disease_expected import EXPECTED
from evaluation.report import DOCS, TABLES, markdown_table, number, write_section
from phenviz.data.packs import require_pack
from phenviz.effects import common_variants, score_variants, with_quantiles, world_background
from phenviz.world import World, open_world

PACK, CONTIG = "ukbb-blood-finemap", "20"
# "acts": so much posterior for one trait at least. "dismissed": less than this for every trait
ACTS, DISMISSED = 0.1, 0.01
CONTROLS = 20
BLOCK = 1_000_000
DRAWS = 2_000
SEED = 20_260
SAME_STRETCH = "dismissed by fine-mapping, same stretch"
BEST_KNOWN = {
    "SIRPB1, mean platelet volume": ("MPV", 1_600_925, "G", "A"),
    "SMOX, reticulocyte count": ("RETIC_COUNT", 4_157_072, "C", "G"),
    "RBM38, red-cell traits": ("MCV", 55_990_405, "T", "C"),
    "CDC25B rs6116042, reticulocyte volume": ("MEAN_RETIC_VOL", 3_776_968, "T", "A"),
}


def read_fine_mapped() -> pd.DataFrame:
    """Read all fine-mapped variants of the contig: trait, contig, position, ref, alt, posterior."""
    parts = []
    for trait in EXPECTED:
        path = require_pack(PACK, f"{trait}_PP001_betas.bed")
        table = pd.read_csv(path, sep="\t", header=None, usecols=[0, 3, 4])
        table = table[table[0] == f"chr{CONTIG}"]
        # TRAIT-20:1600925_G_A-region; the interval beside it begins one base too late
        name = table[3].str.extract(r":(?P<position>\d+)_(?P<ref>[A-Z]+)_(?P<alt>[A-Z]+)-")
        rows = name.astype({"position": "int64"})
        parts.append(rows.assign(trait=trait, contig=CONTIG, posterior=table[4]))
    return pd.concat(parts, ignore_index=True)


def tss_distance(positions: np.ndarray, world: World) -> np.ndarray:
    """Distance from 1-based positions to the nearest transcription start, in bp."""
    genes = world.annotation.genes
    starts = np.sort(genes.loc[genes["contig"].astype(str) == CONTIG, "tss"].to_numpy())
    after = np.searchsorted(starts, positions - 1).clip(1, len(starts) - 1)
    return np.minimum(np.abs(positions - 1 - starts[after - 1]), np.abs(positions - 1 - starts[after]))


def acting(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one row per variant that acts: that of its trait with the largest posterior, if that counts."""
    counted = table[table["trait"].map(lambda trait: EXPECTED[trait].counted)]
    strong = counted[counted["posterior"] > ACTS].sort_values("posterior", ascending=False)
    return strong.drop_duplicates(["position", "ref", "alt"]).sort_values("position", ignore_index=True)


def dismissed(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the variants that fine-mapping has seen and dismissed for every trait."""
    largest = table.groupby(["contig", "position", "ref", "alt"], as_index=False)["posterior"].max()
    return largest[largest["posterior"] < DISMISSED].reset_index(drop=True)


def matched(cases: pd.DataFrame, controls: pd.DataFrame, columns: Mapping[str, float]) -> list[np.ndarray]:
    """Choose the controls most like each case.

    Parameters
    ----------
    columns
        What is compared, and how far a control may be off in it.

    Returns
    -------
    list of ndarray
        Rows of at most `CONTROLS` controls for each case; empty where none is near enough.
    """
    chosen = []
    for case in cases.to_dict("records"):
        gaps = np.stack(
            [np.abs(controls[name].to_numpy() - case[name]) / width for name, width in columns.items()]
        )
        gap = np.nanmax(np.nan_to_num(gaps, nan=0.0), axis=0)
        near = np.argsort(gap, kind="stable")[:CONTROLS]
        chosen.append(near[gap[near] <= 1])
    return chosen


def auroc(case: np.ndarray, controls: list[np.ndarray], blocks: np.ndarray) -> tuple[float, float, float]:
    """Probability that a case has a larger score than one of its own controls, with its 95 % interval.

    The interval is a bootstrap over stretches of 1 Mb.
    """
    won = np.array(
        [np.nan if not len(own) else ((score > own) + 0.5 * (score == own)).mean()
         for score, own in zip(case, controls, strict=True)]
    )  # fmt: skip
    kept = np.isfinite(won)
    won, names = won[kept], np.unique(blocks[kept], return_inverse=True)[1]
    sums, counts = np.bincount(names, won), np.bincount(names)
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(sums), (DRAWS, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(won.mean()), float(low), float(high)


def fine_mapping(world: World) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Compare variants that act with two kinds of controls.

    Returns
    -------
    tuple
        AUROC of each score against each kind of control, the best-known cases, and counts.
    """
    table = read_fine_mapped()
    assert world.individuals is not None
    common = common_variants(world.individuals, world.reference)
    frequency = common.set_index(["position", "ref", "alt"])["allele_frequency"].to_dict()
    cases, others = acting(table), dismissed(table)
    free = ~common.set_index(["position", "ref", "alt"]).index.isin(
        table.set_index(["position", "ref", "alt"]).index
    )
    pools = {SAME_STRETCH: others, "common in the individuals": common[free].reset_index(drop=True)}
    for one in (cases, *pools.values()):
        one["distance"] = np.log10(1 + tss_distance(one["position"].to_numpy(), world))
        keys = zip(one["position"], one["ref"], one["alt"], strict=True)
        alternate = np.array([frequency.get(key, np.nan) for key in keys])
        one["minor"] = np.minimum(alternate, 1 - alternate)
    known = scored_rows(cases, world)
    names = [context.name for context in world.backbone.contexts]
    cells = np.array([np.isin(names, EXPECTED[trait].cells) for trait in known.table["trait"]])
    blocks = known.table["position"].to_numpy() // BLOCK
    rows, counts = [], {"cases": len(known.table)}
    for name, pool in pools.items():
        found = scored_rows(pool, world)
        counts[name] = len(found.table)
        # the same stretch of LD; the individuals cover a few Mb only, so there place can't be compared
        place = {"position": 250_000.0} if name == SAME_STRETCH else {}
        controls = matched(known.table, found.table, {"distance": 0.15, "minor": 0.1, **place})
        used = sum(len(own) > 0 for own in controls)
        for score, (case, own) in compared(known, found, controls, cells).items():
            value, low, high = auroc(case, own, blocks)
            row = {"controls": name, "score": score, "auroc": value, "low": low, "high": high}
            rows.append(row | {"cases": used})
    return pd.DataFrame(rows), best_known(world), counts


@dataclass(frozen=True)
class Scored:
    """Variants with the size of their effects and the activity around them, both (variant, context)."""

    table: pd.DataFrame
    effect: np.ndarray
    active: np.ndarray


def scored_rows(table: pd.DataFrame, world: World) -> Scored:
    """Score a table, and keep the rows that could be scored."""
    scores = score_variants(table, world.reference, world.backbone)
    kept = (scores["status"] == "scored").values
    effect, active = (scores[name].values[kept] for name in ("effect", "active"))
    return Scored(table[kept].reset_index(drop=True), np.abs(effect), active)


def compared(
    known: Scored, pool: Scored, controls: list[np.ndarray], cells: np.ndarray
) -> dict[str, tuple[np.ndarray, list[np.ndarray]]]:
    """Reduce contexts to one number per variant, in several ways: of each case, and of its controls.

    A control is looked at in the contexts that are expected of its case; ``cells`` is (case, context).
    """

    def in_cells(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        case = np.array([row[mask].mean() for row, mask in zip(ours, cells, strict=True)])
        return case, [theirs[rows][:, mask].mean(axis=1) for rows, mask in zip(controls, cells, strict=True)]

    largest = pool.effect.max(axis=1)
    return {
        "size of effect, expected cells": in_cells(known.effect, pool.effect),
        "size of effect, largest of all contexts": (
            known.effect.max(axis=1),
            [largest[rows] for rows in controls],
        ),
        "baseline: predicted activity, expected cells": in_cells(known.active, pool.active),
    }


def best_known(world: World) -> pd.DataFrame:
    """Score the best-known cases: effect and quantile in the expected cells, and the largest effect."""
    table = pd.DataFrame(
        [(CONTIG, *variant, trait, name) for name, (trait, *variant) in BEST_KNOWN.items()],
        columns=["contig", "position", "ref", "alt", "trait", "name"],
    )
    background = world_background(world)
    assert background is not None
    scores = with_quantiles(score_variants(table, world.reference, world.backbone), background)
    rows = []
    for number_, case in enumerate(table.itertuples(index=False)):
        one = scores.isel(variant=number_)
        cells = one.sel(context=list(EXPECTED[case.trait].cells))
        strongest = one.isel(context=int(np.abs(one["effect"].values).argmax()))
        rows.append(
            {
                "name": case.name,
                "variant": f"chr{CONTIG}:{case.position:,} {case.ref}>{case.alt}",
                "cells": ", ".join(EXPECTED[case.trait].cells),
                "effect": float(cells["effect"].mean()),
                "quantile": float(cells["quantile"].mean()),
                "active": float(cells["active"].mean()),
                "strongest": str(strongest["context"].values),
                "largest": float(strongest["effect"]),
                "largest_quantile": float(strongest["quantile"]),
            }
        )
    return pd.DataFrame(rows)


def section(table: pd.DataFrame, cases: pd.DataFrame, counts: Mapping[str, int], model: str) -> str:
    """Write the section of the docs."""
    rows = [
        [
            row.controls,
            row.score,
            str(row.cases),
            f"{number(row.auroc)} [{number(row.low)}, {number(row.high)}]",
        ]
        for row in table.itertuples()
    ]
    aurocs = markdown_table(["controls", "score", "cases", "AUROC"], rows)
    known = []
    for row in cases.itertuples(index=False):
        largest = f"{row.strongest} {number(row.largest, 3)} ({number(row.largest_quantile)})"
        own = [number(row.effect, 3), number(row.quantile), number(row.active)]
        known.append([row.name, row.variant, row.cells, *own, largest])
    header = ["case", "variant", "cells", "effect there", "quantile", "activity", "largest effect (quantile)"]
    pools = "; ".join(f"{name}: {count:,}" for name, count in counts.items())
    return f"""## Do effects pick out the variants behind blood traits?

Variants of chromosome 20 with a posterior above {ACTS} for one of 15 blood traits (UK Biobank, data pack
`{PACK}`) against controls matched on the distance to the nearest TSS and, where it is known, the
allele frequency ({pools}; model {model}). A
case is looked at in the cells that its trait is expected to act in (`evaluation/disease_expected.py`, written
before any run), and so are its up to {CONTROLS} controls. AUROC: how often a case has the larger score than
one of its own controls; 0.5 is chance. In brackets: 95 % intervals, bootstrap over stretches of 1 Mb.

{aurocs}

The baseline says where chromatin is open, and nothing about the alleles. "Dismissed": posterior below
{DISMISSED} for every trait, within 250 kb of the case, so mostly in LD with it.

The best-known cases; quantiles are among common variants, from -1 to 1:

{markdown_table(header, known)}

Made by `python -m evaluation.variants`.
"""


def main() -> None:
    """Measure, and write the table and the section."""
    world = open_world()
    TABLES.mkdir(parents=True, exist_ok=True)
    table, cases, counts = fine_mapping(world)
    table.round(4).to_csv(TABLES / "variants_fine_mapped.tsv", sep="\t", index=False)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    write_section("fine-mapped", section(table, cases, counts, model), DOCS / "variants.md")


if __name__ == "__main__":
    main()
