"""Is a haplotype's effect the sum of its variants' effects? Measured on the embedded individuals.

``python -m evaluation.additivity``: draws haplotypes of individuals and variants that they carry, predicts
the haplotype around each variant exactly, and compares it with the sum of what each of its variants does
alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import pearsonr

from evaluation.report import DOCS, markdown_table, number, write_section
from phenviz.genome import Locus
from phenviz.genome.variant import Edit
from phenviz.inference.haplotype_engine import activity_engine
from phenviz.models.backbone import halo
from phenviz.models.predict import predict
from phenviz.variation import Individuals, apply_variants
from phenviz.world import World, open_world

LOCUS = Locus("20", 1_000_000, 4_000_000)
DRAWS = 3_000
SEED = 20_260
# effects below this are noise to any reader
CLEAR = 0.05
_SIGHT = 4_096


@dataclass(frozen=True)
class Draw:
    """A variant that one haplotype carries, with the others in sight of its mask."""

    row: int
    edits: tuple[Edit, ...]


def draw(individuals: Individuals, world: World, rng: np.random.Generator, count: int) -> list[Draw]:
    """Draw different surroundings of carried variants."""
    found = individuals.genotypes(LOCUS)
    starts = found.variants["position"].to_numpy() - 1
    size, flank = world.backbone.bin_size, halo(world.backbone)
    draws: dict[Draw, None] = {}
    carried = np.argwhere(found.alleles == 1)
    for row, sample, copy in carried[rng.permutation(len(carried))]:
        bin_ = starts[row] // size
        left, right = (bin_ - 2) * size - flank, (bin_ + 2) * size + flank
        near = np.arange(*np.searchsorted(starts, [left - _SIGHT, right + _SIGHT]))
        own = found.variants.iloc[near[found.alleles[near, sample, copy] == 1]]
        around = Locus("20", max(left - _SIGHT, 0), right + _SIGHT)
        edits = apply_variants(world.reference, around, own).edits
        seen = tuple(edit for edit in edits if left <= edit.end and edit.start < right)
        draws.setdefault(Draw(int(row), seen))
        if len(draws) == count:
            break
    return list(draws)


def compare(draws: list[Draw], starts: np.ndarray, world: World) -> pd.DataFrame:
    """Predict each haplotype and each of its variants alone, over the centre mask of the drawn variant.

    Returns
    -------
    pd.DataFrame
        One row per draw and context: ``position``, ``variants``, ``context``, ``exact`` and ``sum`` (log2 of
        fold changes).
    """
    backbone, size = world.backbone, world.backbone.bin_size
    names = [context.name for context in backbone.contexts]
    engine = activity_engine(world.reference, "20", backbone, range(len(names)))
    parts = []
    for one in draws:
        first = int(starts[one.row]) // size - 2
        mask = Locus("20", first * size, (first + 4) * size)
        plain = predict(mask, world.reference, backbone)["activity"].values
        alone = [[edit] for edit in one.edits]
        sums = engine.along([list(one.edits), *alone], first, plain).astype(np.float64).sum(-1)
        change = np.log2(1 + sums) - np.log2(1 + plain.sum(-1, dtype=np.float64))
        parts.append(
            pd.DataFrame(
                {
                    "position": int(starts[one.row]) + 1,
                    "variants": len(one.edits),
                    "context": names,
                    "exact": change[0],
                    "sum": change[1:].sum(axis=0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def section(table: pd.DataFrame, model: str, people: int) -> str:
    """Write the section of the docs."""
    several = table[table["variants"] > 1]
    clear = several[several["exact"].abs() > CLEAR]
    groups = [("2", 2, 2), ("3-4", 3, 4), ("5-9", 5, 9), ("10 or more", 10, np.inf)]
    rows = [_row(name, several[several["variants"].between(low, high)]) for name, low, high in groups]
    rows.append(_row("2 or more, effect above 0.05", clear))
    gap = (several["exact"] - several["sum"]).abs()
    worst = several.loc[gap.groupby(several["position"]).idxmax()]
    worst = worst.loc[(worst["exact"] - worst["sum"]).abs().nlargest(5).index]
    cases = [
        [f"chr20:{row.position:,}", row.context, str(row.variants), number(row.exact), number(row.sum)]
        for row in worst.itertuples()
    ]
    lone = 1 - len(several) / len(table)
    return f"""## Is a person the sum of her variants?

Measured on {people} embedded individuals (chr20:1-4 Mb, model {model}): {
        len(table) // table["context"].nunique():,}
different surroundings of a carried variant, over the centre mask of that variant, in
{
        table["context"].nunique()
    } contexts. *Exact* predicts the haplotype with all variants in sight of the mask; *sum*
adds the log2 fold changes of each of them alone, over the same mask. In {
        lone:.0%} of the surroundings one variant
only is in sight, so that both are the same; the others:

{
        markdown_table(
            [
                "variants in sight",
                "surroundings",
                "Pearson",
                "slope",
                "median gap",
                "99th percentile of the gap",
                "same sign",
            ],
            rows,
        )
    }

Gap: size of exact minus sum, in log2 fold change. Same sign: of those with an exact effect above {CLEAR}. The
largest gaps (one context each):

{markdown_table(["around the variant at", "context", "variants", "exact", "sum"], cases)}

Made by `python -m evaluation.additivity`.
"""


def _row(name: str, part: pd.DataFrame) -> list[str]:
    if len(part) < 3:
        return [name, str(part["position"].nunique()), *["-"] * 5]
    gap = (part["exact"] - part["sum"]).abs()
    slope = (part["exact"] * part["sum"]).sum() / (part["exact"] ** 2).sum()
    clear = part[part["exact"].abs() > CLEAR]
    same = (np.sign(clear["exact"]) == np.sign(clear["sum"])).mean() if len(clear) else np.nan
    return [
        name,
        f"{len(part) // part['context'].nunique():,}",
        number(pearsonr(part["exact"], part["sum"]).statistic, 3),
        number(slope, 3),
        number(gap.median(), 4),
        number(gap.quantile(0.99), 3),
        "-" if same != same else f"{same:.1%}",
    ]


def main() -> None:
    """Measure, and write the table and the section."""
    world = open_world()
    individuals = world.individuals
    assert individuals is not None
    starts = individuals.variants(LOCUS)["position"].to_numpy() - 1
    draws = draw(individuals, world, np.random.default_rng(SEED), DRAWS)
    table = compare(draws, starts, world)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    write_section("additivity", section(table, model, len(individuals)), DOCS / "variants.md")


if __name__ == "__main__":
    main()
