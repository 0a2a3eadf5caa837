"""Trait-like sets of loci with a known answer: none at all, or a context that was planted.

Every set has the posterior structure of a real trait: its loci are those of fine-mapped blood traits
(posteriors, distances between variants, single-base changes and indels), moved elsewhere on the chromosome.
What is moved is only where they lie; alleles are drawn anew. Each moved locus serves one set (of one
setting): sets that share loci aren't independent, and intervals that count them as such are too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from phenviz.disease import TraitVariants, read_trait_pack
from phenviz.disease.background import on_known_bases, with_alleles
from phenviz.disease.methods import methods
from phenviz.disease.traits import TRAIT_COLUMNS, TraitReport
from phenviz.world import World

PACK = "ukbb-blood-finemap"
# what is lighter holds 15 % of the posterior, and would double what has to be scored
LEAST_POSTERIOR = 0.05
LEAST_LOCUS = 0.2
NEAR_TSS_SD = 15_000


@dataclass(frozen=True)
class Pattern:
    """Posterior structure of one real locus: offsets from the lead in bases, and posteriors."""

    offset: np.ndarray
    posterior: np.ndarray


@lru_cache(maxsize=2)
def real_patterns(world: World) -> dict[str, list[Pattern]]:
    """Return the patterns of each trait's loci that hold a posterior of at least 0.2."""
    table = read_trait_pack(PACK, world.reference).table
    patterns: dict[str, list[Pattern]] = {}
    for (trait, _), locus in table.groupby(["trait", "locus"], sort=False):
        heavy = locus[locus["posterior"] >= LEAST_POSTERIOR]
        if heavy["posterior"].sum() >= LEAST_LOCUS:
            lead = int(heavy.loc[heavy["posterior"].idxmax(), "position"])
            offset = heavy["position"].to_numpy(np.int64) - lead
            patterns.setdefault(trait, []).append(Pattern(offset, heavy["posterior"].to_numpy(float)))
    return patterns


def place(
    patterns: list[Pattern],
    world: World,
    anchors: Callable[[np.random.Generator], tuple[str, int]],
    generator: np.random.Generator,
    *,
    anchor_is_causal: bool = False,
) -> pd.DataFrame:
    """Move each pattern to an anchor; draw alleles.

    Parameters
    ----------
    anchors
        Draws contig and position (1-based) for one locus.
    anchor_is_causal
        Put a variant drawn by its posterior on the anchor, instead of the lead.

    Returns
    -------
    pd.DataFrame
        ``number`` (of the pattern), contig, position, ref, alt, id, posterior, ``causal``. A place whose
        bases are unknown is drawn again.
    """
    parts = []
    for number, pattern in enumerate(patterns):
        for _ in range(100):
            contig, position = anchors(generator)
            chosen = int(np.argmax(pattern.posterior))
            if anchor_is_causal:
                chosen = int(
                    generator.choice(len(pattern.posterior), p=pattern.posterior / pattern.posterior.sum())
                )
            where = position + pattern.offset - pattern.offset[chosen]
            table = pd.DataFrame({"contig": contig, "position": where, "posterior": pattern.posterior})
            table["causal"] = np.arange(len(table)) == chosen
            if len(on_known_bases(table, world.reference)) == len(table):
                parts.append(table.assign(number=number))
                break
    if not parts:
        return pd.DataFrame(columns=["number", *TRAIT_COLUMNS, "causal"])
    placed = pd.concat(parts, ignore_index=True).drop_duplicates(["number", "position"])
    return with_alleles(placed.reset_index(drop=True), world.reference, generator)


def anywhere(world: World) -> Callable[[np.random.Generator], tuple[str, int]]:
    """Anchors drawn evenly from the world's first contig."""
    contig, length = next(iter(world.reference.contigs.items()))
    return lambda generator: (contig, int(generator.integers(1, length + 1)))


def near_genes(world: World) -> Callable[[np.random.Generator], tuple[str, int]]:
    """Anchors near transcription starts, as GWAS loci are."""
    contig = next(iter(world.reference.contigs))
    tss = world.annotation.genes["tss"].to_numpy(np.int64)

    def draw(generator: np.random.Generator) -> tuple[str, int]:
        return contig, max(int(generator.choice(tss) + generator.normal(0, NEAR_TSS_SD)), 1)

    return draw


def loci_methods() -> list[str]:
    """Return the names of the methods that go by loci: moved loci have no summary statistics."""
    return [name for name, method in methods().items() if not method.whole_study]


def as_traits(members: dict[str, list[pd.DataFrame]]) -> TraitVariants:
    """Make traits of placed loci: name -> its loci."""
    tables = []
    for name, loci in members.items():
        for number, locus in enumerate(loci):
            tables.append(locus.assign(trait=name, locus=f"locus{number}"))
    table = pd.concat(tables, ignore_index=True)
    for column in ("beta", "se", "z", "allele_frequency"):
        table[column] = np.nan
    # a signed test needs effects on the trait; under the null their signs are those of a coin
    table["beta"] = np.where(table["causal"] | (table["posterior"] > 0), table.get("sign", 1.0), np.nan)
    report = TraitReport("moved loci", read=len(table), kept=len(table))
    return TraitVariants(table[TRAIT_COLUMNS], report)


def parts_of(placed: pd.DataFrame) -> list[pd.DataFrame]:
    """Split what `place` returned into its loci, in order."""
    return [locus.drop(columns="number") for _, locus in placed.groupby("number", sort=True)]
