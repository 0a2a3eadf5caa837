"""Read fine-mapped variants: tables, fine-mapping outputs, summary statistics and data packs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.disease import columns as tables
from phenviz.disease import positions
from phenviz.disease.allele_columns import is_unclear, with_alleles
from phenviz.disease.alleles import check_alleles
from phenviz.disease.effect_sizes import check_effect_columns, consistent, negative_logarithm, with_effects
from phenviz.disease.finemapping import read_finemap_cred
from phenviz.disease.formats import PLAIN, Format
from phenviz.disease.loci import posterior_of_variants
from phenviz.disease.summary_statistics import NoLocus, all_statistics, approximate_posteriors
from phenviz.disease.traits import TraitReport, TraitVariants, make_trait_variants
from phenviz.errors import DataError
from phenviz.genome.locus import contig_key, shown_contig
from phenviz.genome.reference import ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress

_SUFFIXES = re.compile(r"\.(gz|bgz|tsv|txt|csv|bed|parquet|xlsx?|snp|cred\d*|post)$")

# packs that hold other files, too
_TRAIT_TABLES = {"finemap-three-biobanks": ("STable_high_pip_pairs.tsv",)}


def read_trait_variants(
    path: str | os.PathLike[str],
    reference: ReferenceGenome,
    *,
    trait: str | None = None,
    least_loci: int = 1,
    progress: Progress = NO_PROGRESS,
) -> TraitVariants:
    """Read the fine-mapped variants of one or more traits; what the file is, its header tells.

    Parameters
    ----------
    path
        A table (TSV, CSV, Parquet, Excel) with contig, position (1-based), ref, alt and posterior under any
        of the names of `phenviz.disease.formats.synonyms.SYNONYMS`, or with variants as
        ``20:1600925_G_A``, or the output of a tool that `phenviz.disease.formats` declares. Without
        posteriors but with beta and standard error: approximate Bayes factors are computed for each locus.
    reference
        Genome of the assembly that the positions are on; variants elsewhere are counted and left out.
    trait
        Name of the trait where the file has none; the file's name by default.
    least_loci
        0 also takes summary statistics without a significant locus, for methods that read all variants
        (`phenviz.disease.statistics_methods`).

    Returns
    -------
    TraitVariants
        May be empty where none lies on the reference's contigs; the report says so, and how the file was
        read.

    Raises
    ------
    DataError
        Names file, line and column, and what to do.
    """
    path = Path(path)
    report = TraitReport(path.name)
    progress.stage(f"reading {path.name}")
    own = trait or _SUFFIXES.sub("", path.name).split(".")[0]
    return _read([path], reference, own, report, least_loci=least_loci)


def read_trait_pack(
    name: str,
    reference: ReferenceGenome,
    *,
    traits: Iterable[str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> TraitVariants:
    """Read a data pack of fine-mapped variants, such as ``ukbb-blood-finemap``.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    DataError
        If it holds no such variants.
    """
    from phenviz.data.packs import find_pack, require_pack

    pack = find_pack(name)
    listed = _TRAIT_TABLES.get(name, tuple(file.name for file in pack.files))
    if name not in _TRAIT_TABLES and not all(file.endswith((".bed", ".xls")) for file in listed):
        raise DataError(f"data pack {name} holds no fine-mapped variants: give another")
    files = [require_pack(name, file) for file in listed]
    report = TraitReport(f"data pack {name}")
    progress.stage(f"reading {name}", len(files))
    found = _read(files, reference, name, report, progress)
    return found if traits is None else found.select(traits)


def recognise_table(path: str | os.PathLike[str]) -> Format:
    """Tell which tool wrote a table and what its columns are, by its first lines.

    Raises
    ------
    DataError
        If it is no table, or its columns aren't clear.
    """
    return next(_source(Path(path), chunk=1))[1]


def join_trait_variants(parts: Sequence[TraitVariants]) -> TraitVariants:
    """Put several sources into one; a trait that two of them have is an error."""
    if len(parts) == 1:
        return parts[0]
    seen: dict[str, str] = {}
    for part in parts:
        for trait in part.every_trait:
            if trait in seen:
                raise DataError(
                    f"trait {trait!r} is in {seen[trait]} and in {part.report.source}: rename one"
                )
            seen[trait] = part.report.source
    report = TraitReport(", ".join(part.report.source for part in parts))
    for part in parts:
        report.read, report.kept = report.read + part.report.read, report.kept + part.report.kept
        for kind in ("changed", "skipped"):
            for reason, count in getattr(part.report, kind).items():
                getattr(report, kind)[reason] = getattr(report, kind).get(reason, 0) + count
        report.examples |= part.report.examples
        report.posterior |= part.report.posterior
        report.absent += part.report.absent
        report.notes += part.report.notes
    statistics = [part.statistics for part in parts if part.statistics is not None]
    return TraitVariants(
        pd.concat([part.table for part in parts], ignore_index=True),
        report,
        pd.concat(statistics, ignore_index=True) if statistics else None,
    )


def _read(
    paths: Sequence[Path],
    reference: ReferenceGenome,
    trait: str,
    report: TraitReport,
    progress: Progress = NO_PROGRESS,
    least_loci: int = 1,
) -> TraitVariants:
    """Read files of one kind; whatever is judged by the whole is judged before anything is filtered."""
    parts = []
    for path in paths:
        for part, form in _source(path):
            report.read += len(part)
            parts.append(_understood(part, form, path, reference, trait, report))
        positions.refuse_lost_digits(path, report, form)
        positions.refuse_unplaced(path, report, form)
        progress.advance()
    path, report.format = paths[0], form
    if not report.read:
        raise DataError(f"{path} holds no row: give a table with a header line and at least one variant")
    table = pd.concat(parts)
    _refuse_other_tests_only(path, form, report)
    if "position" not in table:
        table = positions.from_intervals(table, path, report)
    table = table.assign(position=table["position"].astype("int64"))
    if "neg_log_10_p_value" in table:
        table = negative_logarithm(table, path, form, report)
    table = table.assign(row=np.arange(len(table)))
    every, table = table, check_alleles(table, reference, report, unclear=is_unclear(form))
    if "posterior" in table:
        report.posterior = _totals(every, table)
    table = consistent(table, report)
    report.show_first(table)
    statistics = None
    if "posterior" not in table:
        statistics = all_statistics(table)
        table = _fine_mapped(table, path, report, least_loci)
        report.posterior = {str(t): float(rows.sum()) for t, rows in table.groupby("trait")["posterior"]}
    for column in ("beta", "z"):
        if column in table:
            table[column] = table[column].where(table["signed"])
    found = replace(make_trait_variants(table, report), statistics=statistics)
    report.absent = [name for name in report.posterior if name not in found.traits]
    return found


def _fine_mapped(table: pd.DataFrame, path: Path, report: TraitReport, least_loci: int) -> pd.DataFrame:
    try:
        return approximate_posteriors(table, path, report)
    except NoLocus:
        if least_loci:
            raise
        report.notes.append("no locus is significant: methods that go by loci have nothing to test")
        return table.assign(posterior=0.0, region="").iloc[:0]


def _totals(every: pd.DataFrame, kept: pd.DataFrame) -> dict[str, float]:
    """Add up the posteriors of each trait; a variant that several windows hold, or two forms, counts once."""
    rest = every[~every["row"].isin(kept["row"])]
    largest = [
        posterior_of_variants(table, ["trait", "contig", "position", *alleles])
        for table, alleles in ((kept, ["ref", "alt"]), (rest, ["effect", "other"]))
    ]
    totals = pd.concat([one.groupby("trait").sum() for one in largest]).groupby("trait").sum()
    return {str(trait): float(totals[trait]) for trait in every["trait"].unique()}


def _source(path: Path, chunk: int = 500_000) -> Iterator[tuple[pd.DataFrame, Format]]:
    if re.search(r"\.cred\d*$", path.name):
        yield read_finemap_cred(path)
    else:
        yield from tables.read_columns(path, chunk=chunk)


def _understood(
    part: pd.DataFrame, form: Format, path: Path, reference: ReferenceGenome, trait: str, report: TraitReport
) -> pd.DataFrame:
    """Bring a part of a file into our columns: contig, position, effect, other, claimed_ref, beta..."""
    check_effect_columns(part, path, form)
    if form.pattern:
        part = _unpacked(part, form, path)
    part = positions.without_lost_digits(_that_count(part, form, report), report)
    part = tables.numbers(part, path, form.columns)
    part = positions.placed(part, path, form, report)
    for column in ("posterior", "p_value"):
        tables.check_probability(part, column, path, form.columns)
    if "posterior" not in part:
        # genome-wide files are large: what lies elsewhere is let go at once
        part = _elsewhere_dropped(part, reference, report)
    part = with_effects(with_alleles(part, path, form, report), path, form)
    if "trait" not in part:
        part = part.assign(trait=trait)
    return part.assign(trait=part["trait"].fillna(trait).astype(str))


def _that_count(part: pd.DataFrame, form: Format, report: TraitReport) -> pd.DataFrame:
    """Leave out rows of other tests (PLINK 2 and REGENIE write one line per test and variant)."""
    for column, values in form.rows.items():
        own = part[f"only {column}"].fillna("").astype(str)
        if form.name == PLAIN and own.nunique() == 1:
            # some other column of this name
            continue
        counts = own.str.lower().isin([value.lower() for value in values])
        reason = f"with_{column}_other_than_{values[0]}"
        report.count("skipped", reason, own[~counts].tolist())
        if reason in report.examples:
            report.examples[reason] = list(dict.fromkeys(own[~counts]))[:3]
        part = part[counts].drop(columns=f"only {column}")
    return part


def _refuse_other_tests_only(path: Path, form: Format, report: TraitReport) -> None:
    for column, values in form.rows.items():
        reason = f"with_{column}_other_than_{values[0]}"
        if report.skipped.get(reason, 0) == report.read:
            others = ", ".join(report.examples[reason])
            raise DataError(
                f"{path}, column {column!r}: no row is {values[0]} (there are {others}), and only those count"
            )


def _unpacked(part: pd.DataFrame, form: Format, path: Path) -> pd.DataFrame:
    """Take trait, position, alleles and region from the names of a pack's variants."""
    found = part["variant"].astype(str).str.extract(form.pattern)
    wrong = found.isna().any(axis=1)
    if wrong.any():
        name = part["variant"][wrong]
        raise DataError(
            f"{path}, line {name.index[0]}, {form.columns['variant']}: {name.iloc[0]!r} isn't {form.shape}"
        )
    return part.drop(columns=["start", "end", "variant"]).assign(**{name: found[name] for name in found})


def _elsewhere_dropped(part: pd.DataFrame, reference: ReferenceGenome, report: TraitReport) -> pd.DataFrame:
    known = set(map(contig_key, reference.contigs))
    names = part["contig"].unique()
    here = part["contig"].isin([name for name in names if contig_key(name) in known])
    report.count("skipped", "other_contig", [shown_contig(name) for name in part.loc[~here, "contig"]])
    return part[here]
