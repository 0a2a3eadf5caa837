"""Fine-mapped variants of traits: the one table that every method takes, and what was kept of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pandas as pd

from phenviz.disease.formats import Format
from phenviz.disease.loci import (
    LOCUS_REACH,
    MOST_OF_A_SIGNAL,
    assign_loci,
    joined_regions,
    posterior_of_variants,
)
from phenviz.errors import DataError
from phenviz.genome.variant import Variant

TRAIT_COLUMNS = [
    "trait", "locus", "contig", "position", "ref", "alt", "id", "posterior", "beta", "se", "z",
    "allele_frequency",
]  # fmt: skip
STATISTIC_COLUMNS = ["trait", "contig", "position", "ref", "alt", "id", "z"]
__all__ = [
    "LOCUS_REACH", "STATISTIC_COLUMNS", "TRAIT_COLUMNS", "UNKNOWN_ALTERNATE", "TraitReport", "TraitVariants",
    "assign_loci", "make_trait_variants",
]  # fmt: skip
UNKNOWN_ALTERNATE = "N"
FIRST_ROWS = "first rows as understood (beta and z are of the alternate allele)"
_EXAMPLES = 3
_PLACE = ["contig", "position", "ref", "alt"]
_VARIANT = ["trait", *_PLACE]
_SHOWN = ("posterior", "beta", "se", "z", "p_value", "neg_log_10_p_value")


@dataclass
class TraitReport:
    """What became of the rows of a file: a count and a few examples a reason.

    Parameters
    ----------
    source
        File or pack.
    read, kept
        Rows read, and rows of the table.
    changed
        Reason -> rows that were mended (``swapped_alleles``, ``strand_flipped``...).
    skipped
        Reason -> rows that were left out.
    examples
        Reason -> up to three rows, as text.
    posterior
        Trait -> posterior of all rows read, whatever the contig.
    absent
        Traits that were read, but of which no row was kept.
    notes
        Sentences for the reader.
    format
        What the file was recognised as, and which of its columns is what.
    first_rows
        The first rows here, as they were understood.
    """

    source: str
    read: int = 0
    kept: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    posterior: dict[str, float] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    format: Format | None = None
    first_rows: list[str] = field(default_factory=list)

    def count(self, kind: str, reason: str, rows: Sequence[str], *, total: int | None = None) -> None:
        """Count rows under a reason; ``kind`` is ``changed`` or ``skipped``, ``rows`` the first few."""
        total = len(rows) if total is None else total
        if total:
            counts: dict[str, int] = getattr(self, kind)
            counts[reason] = counts.get(reason, 0) + total
            kept = self.examples.setdefault(reason, [])
            new = (row for row in dict.fromkeys(rows) if row and row not in kept)
            kept.extend(islice(new, _EXAMPLES - len(kept)))

    def show_first(self, table: pd.DataFrame) -> None:
        """Keep the first rows in words; the table's index is the line, betas are of ``alt``."""
        first = table.sort_index(kind="stable").head(_EXAMPLES)
        for line, row in zip(first.index, first.to_dict("records"), strict=True):
            facts = [
                f"{name.replace('_', ' ')} {row[name]:.4g}" for name in _SHOWN if pd.notna(row.get(name))
            ]
            facts += ["sign unknown"] * (
                not row["signed"] and any(pd.notna(row.get(n)) for n in ("beta", "z"))
            )
            place = f"line {line}: {row['contig']}:{row['position']} {row['ref']}>{row['alt']}"
            self.first_rows.append(", ".join([place, *facts]))

    def describe(self) -> str:
        """Say it in a few lines."""
        lines = [f"{self.source}: {self.kept:,} of {self.read:,} rows kept"]
        for kind, counts in (("mended", self.changed), ("left out", self.skipped)):
            for reason, count in counts.items():
                shown = ", ".join(self.examples.get(reason, []))
                lines.append(
                    f"  {kind}: {count:,} {reason.replace('_', ' ')}" + (f" ({shown})" * bool(shown))
                )
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def describe_reading(self) -> str:
        """Say how the file and its columns were read, and its first rows."""
        lines = [self.format.describe(self.source)] if self.format else []
        if self.first_rows:
            lines += [f"{FIRST_ROWS}:"]
            lines += [f"  {row}" for row in self.first_rows]
        return "\n".join(lines)


@dataclass(frozen=True)
class TraitVariants:
    """Fine-mapped variants of one or more traits.

    Parameters
    ----------
    table
        One row per trait and variant, columns `TRAIT_COLUMNS`, by trait, contig and position: ``position``
        is 1-based, ``ref`` is that of the reference, ``alt`` is ``N`` where unknown, ``posterior`` the
        probability of being causal, ``beta``, ``se`` and ``z`` are of the alternate allele (NaN where
        unknown), ``locus`` the unit of resampling (see `assign_loci`).
    report
        What was read, mended and left out.
    statistics
        Of all variants of each trait, in loci or not: `STATISTIC_COLUMNS`, ``z`` of the alternate allele.
        None where the source holds fine-mapped variants alone.
    """

    table: pd.DataFrame
    report: TraitReport
    statistics: pd.DataFrame | None = None

    @property
    def traits(self) -> list[str]:
        """Names of the traits that have loci, in the order of the file."""
        return list(dict.fromkeys(self.table["trait"]))

    @property
    def every_trait(self) -> list[str]:
        """Names of all traits, also of those with summary statistics but no locus."""
        others = [] if self.statistics is None else self.statistics["trait"].unique()
        return list(dict.fromkeys([*self.traits, *map(str, others)]))

    def select(self, traits: Iterable[str]) -> TraitVariants:
        """Keep some traits, in the order asked for.

        Raises
        ------
        DataError
            If a trait isn't there; names the nearest.
        """
        known = {name.lower(): name for name in self.every_trait}
        chosen = []
        for trait in traits:
            if trait.strip().lower() not in known:
                raise DataError(
                    f"no trait {trait!r} with variants here in {self.report.source}: it has "
                    f"{', '.join(self.every_trait) or 'none'}"
                )
            chosen.append(known[trait.strip().lower()])
        order = {name: place for place, name in enumerate(dict.fromkeys(chosen))}
        table = self.table[self.table["trait"].isin(order)]
        table = table.assign(_order=table["trait"].map(order)).sort_values("_order", kind="stable")
        statistics = self.statistics
        if statistics is not None:
            statistics = statistics[statistics["trait"].isin(order)].reset_index(drop=True)
        table = table.drop(columns="_order").reset_index(drop=True)
        return replace(self, table=table, statistics=statistics)

    def summary(self) -> pd.DataFrame:
        """Count variants, loci and posterior of each trait.

        Returns
        -------
        pd.DataFrame
            ``trait``, ``variants``, ``loci``, ``posterior`` (expected causal variants), ``share`` (of the
            file's posterior for the trait that the kept rows hold; 1 where all were kept).
        """
        rows = []
        for trait in dict.fromkeys([*self.every_trait, *self.report.posterior]):
            own = self.table[self.table["trait"] == trait]
            held, total = float(own["posterior"].sum()), self.report.posterior.get(trait, np.nan)
            share = held / total if total > 0 else np.nan
            rows.append((trait, len(own), own["locus"].nunique(), held, share))
        return pd.DataFrame(rows, columns=["trait", "variants", "loci", "posterior", "share"])

    def variants(self) -> pd.DataFrame:
        """Return each variant once, as scorers take it: contig, position, ref, alt, id."""
        columns = ["contig", "position", "ref", "alt", "id"]
        unique = self.table[columns].drop_duplicates(columns[:4])
        return unique.sort_values(columns[:4], kind="stable").reset_index(drop=True)


def make_trait_variants(table: pd.DataFrame, report: TraitReport) -> TraitVariants:
    """Complete a table that has at least trait, contig, position, ref, alt and posterior; assign its loci.

    ``region`` and ``credible_set`` (optional columns) keep the loci of the file apart. A variant that a trait
    lists more than once, be it in several regions, is kept once, with its largest posterior. One that is in
    several credible sets of a region is kept where it is likeliest, with its posterior over all of them
    (`phenviz.disease.loci.posterior_of_variants`).
    """
    table = table.reset_index(drop=True)
    for column in ("beta", "se", "z", "allele_frequency"):
        if column not in table:
            table[column] = np.nan
        table[column] = table[column].astype(float)
    table["id"] = table["id"].fillna("").astype(str) if "id" in table else ""
    table["z"] = table["z"].where(table["z"].notna(), table["beta"] / table["se"])
    order = {trait: place for place, trait in enumerate(dict.fromkeys(table["trait"]))}
    whole = posterior_of_variants(table).reindex(pd.MultiIndex.from_frame(table[_VARIANT])).to_numpy(float)
    table = joined_regions(table).assign(whole=whole)
    # no order of rows may decide which of equals is kept
    table = table.sort_values(
        ["posterior", "region", "se", "beta", "id"], ascending=[False, True, True, True, True]
    )
    again = table.duplicated(_VARIANT)
    other_set = again & _in_other_set(table)
    report.count("skipped", "listed_twice", [_word(row) for row in table[again & ~other_set].itertuples()])
    several = table[other_set].drop_duplicates(_VARIANT)
    table = table[~again].assign(posterior=table["whole"])
    table = assign_loci(table.sort_values(_PLACE, kind="stable"))
    for reason in ("outside_credible_sets", "in_no_locus"):
        left_out = table["locus"] == reason
        report.count("skipped", reason, [_word(row) for row in table[left_out].itertuples()])
        table = table[~left_out]
    table = table.assign(_rank=table["trait"].map(order))
    table = table.sort_values(["_rank", *_PLACE], kind="stable")
    report.kept = len(table)
    report.notes += _said_of_signals(table, several)
    return TraitVariants(table[TRAIT_COLUMNS].reset_index(drop=True), report)


def _in_other_set(table: pd.DataFrame) -> pd.Series:
    """Tell which rows put a variant into another credible set of the region than its first row does."""
    first = table.groupby(_VARIANT, sort=False)["window"].transform("first")
    new = ~table.duplicated([*_VARIANT, "window", "set_name"])
    return new & (table["window"] == first) & (table["set_name"] != "")


def _said_of_signals(table: pd.DataFrame, several: pd.DataFrame) -> list[str]:
    """Say what was done with several causal signals of a region."""
    notes, own = [], table[table["set_name"] != ""]
    if len(own):
        sets = own.groupby(["trait", "window"])["set_name"].nunique()
        held = int((sets > 1).sum())
        loci = int(own.groupby("trait")["locus"].nunique().sum())
        notes.append(
            f"loci that are credible sets of the file, each tested as a signal of its own: {loci:,}"
            + (f"; regions with several of them: {held:,}" if held else "")
        )
    if len(several):
        shown = ", ".join(_word(row) for row in several.head(_EXAMPLES).itertuples())
        notes.append(
            f"variants in several credible sets of a region, each counted once, in the set where it is "
            f"likeliest, with the probability of being causal in any: {len(several):,} ({shown})"
        )
    loci = table.assign(in_set=table["set_name"] != "").groupby(["trait", "locus"])
    if merged := int(((loci["posterior"].sum() > MOST_OF_A_SIGNAL) & ~loci["in_set"].any()).sum()):
        notes.append(
            "loci with a posterior above 1, so of several causal signals that the file doesn't tell apart, "
            f"each tested as a whole: {merged:,}"
        )
    return notes


def _word(row: object) -> str:
    return Variant(row.contig, row.position, row.ref, row.alt).key  # type: ignore[attr-defined]
