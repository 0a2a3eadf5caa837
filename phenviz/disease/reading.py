"""Read fine-mapped variants: tables, fine-mapping outputs, summary statistics and data packs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.disease import columns as tables
from phenviz.disease.alleles import check_alleles
from phenviz.disease.finemapping import read_finemap_cred, with_positions
from phenviz.disease.summary_statistics import approximate_posteriors
from phenviz.disease.traits import TraitReport, TraitVariants, make_trait_variants
from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig
from phenviz.genome.reference import ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress

_PACK_NAME = re.compile(r"^(.+)-(\w+):(\d+)_([ACGTN]+)_([ACGTN]+)-(region\w+)$")
_PACK_COLUMNS = ["contig", "start", "end", "name", "posterior", "beta", "se", "z"]


def read_trait_variants(
    path: str | os.PathLike[str],
    reference: ReferenceGenome,
    *,
    trait: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> TraitVariants:
    """Read the fine-mapped variants of one or more traits; what the file is, its header tells.

    Parameters
    ----------
    path
        A table (TSV, CSV, Parquet, Excel) with contig, position (1-based), ref, alt and posterior under any
        of the names of `phenviz.disease.columns.SYNONYMS`, or with variants as ``20:1600925_G_A``: SuSiE
        (``pip``, ``cs``), FINEMAP ``.snp`` and ``.cred``, CAVIAR ``_post``, PICS, the BED-like files of the
        pack ``ukbb-blood-finemap``. Without posteriors but with beta and standard error (GWAS-SSF):
        approximate Bayes factors are computed for each locus.
    reference
        Genome of the assembly that the positions are on; variants elsewhere are counted and left out.
    trait
        Name of the trait where the file has none; the file's name by default.

    Returns
    -------
    TraitVariants
        May be empty where none lies on the reference's contigs; the report says so.

    Raises
    ------
    DataError
        Names file, line and column, and what to do.
    """
    path = Path(path)
    report = TraitReport(path.name)
    progress.stage(f"reading {path.name}")
    own = (
        trait
        or re.sub(r"\.(gz|tsv|txt|csv|bed|parquet|xlsx?|snp|cred\d*|post)$", "", path.name).split(".")[0]
    )
    if _is_pack_file(path):
        table = _read_pack_file(path, report)
    elif re.search(r"\.cred\d*$", path.name):
        table = read_finemap_cred(path).assign(trait=own)
        report.read = len(table)
    else:
        table = _read_any(path, reference, own, report)
    return _finish(table, reference, report)


def read_trait_pack(
    name: str,
    reference: ReferenceGenome,
    *,
    traits: Iterable[str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> TraitVariants:
    """Read a data pack of fine-mapped variants (``ukbb-blood-finemap``, ``pics-39-traits``).

    Raises
    ------
    PackMissing
        If the pack isn't here.
    DataError
        If it holds no such variants.
    """
    from phenviz.data.packs import find_pack, require_pack

    pack = find_pack(name)
    files = [require_pack(name, file.name) for file in pack.files]
    report = TraitReport(f"data pack {name}")
    progress.stage(f"reading {name}", len(files))
    parts = []
    for path in files:
        if _is_pack_file(path):
            parts.append(_read_pack_file(path, report))
        elif path.suffix == ".xls":
            parts.append(_read_any(path, reference, path.stem, report))
        else:
            raise DataError(f"data pack {name} holds no fine-mapped variants: give another")
        progress.advance()
    found = _finish(pd.concat(parts, ignore_index=True), reference, report)
    return found if traits is None else found.select(traits)


def join_trait_variants(parts: Sequence[TraitVariants]) -> TraitVariants:
    """Put several sources into one; a trait that two of them have is an error."""
    if len(parts) == 1:
        return parts[0]
    seen: dict[str, str] = {}
    for part in parts:
        for trait in part.traits:
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
    return TraitVariants(pd.concat([part.table for part in parts], ignore_index=True), report)


def _finish(table: pd.DataFrame, reference: ReferenceGenome, report: TraitReport) -> TraitVariants:
    totals = table.groupby("trait", sort=False)["posterior"].sum()
    report.posterior = {str(trait): float(total) for trait, total in totals.items()}
    found = make_trait_variants(check_alleles(table, reference, report), report)
    report.absent = [trait for trait in report.posterior if trait not in found.traits]
    return found


def _is_pack_file(path: Path) -> bool:
    """Tell a BED-like file without a header, whose fourth column is TRAIT-variant_REF_ALT-region."""
    if path.suffix != ".bed" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        fields = lines.readline().rstrip("\n").split("\t")
    return len(fields) >= 5 and fields[0].startswith("chr") and fields[1].isdigit() and "-" in fields[3]


def _read_pack_file(path: Path, report: TraitReport) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", header=None, dtype=str, names=_PACK_COLUMNS, usecols=range(8))
    except (ValueError, OSError) as error:
        raise DataError(f"{path} can't be read ({error}): eight tab-separated columns are needed") from error
    table = tables.numbers(table, path, 1)
    tables.check_posterior(table, path, 1)
    parts = table["name"].str.extract(_PACK_NAME)
    if parts.isna().any(axis=None):
        row = int(parts.index[parts.isna().any(axis=1)][0])
        raise DataError(
            f"{path}, line {row + 1}, column 4: {table.loc[row, 'name']!r} isn't "
            f"TRAIT-contig:position_REF_ALT-region"
        )
    report.read += len(table)
    return pd.DataFrame(
        {
            "trait": parts[0],
            "region": parts[5],
            "contig": table["contig"].map(bare_contig),
            "position": parts[2].astype("int64"),
            "ref": parts[3],
            "alt": parts[4],
            **{name: table[name] for name in ("posterior", "beta", "se", "z")},
        }
    )


def _read_any(path: Path, reference: ReferenceGenome, trait: str, report: TraitReport) -> pd.DataFrame:
    parts = []
    for part, line in tables.read_columns(path):
        report.read += len(part)
        part = with_positions(tables.numbers(part, path, line), path)
        if "posterior" in part:
            tables.check_posterior(part, path, line)
        else:
            # genome-wide files are large: what lies elsewhere is let go at once
            part = _elsewhere_dropped(part, reference, report)
        parts.append(_cleaned(part, path, line, trait))
    if not sum(map(len, parts)) and not report.skipped:
        raise DataError(f"{path} holds no row: give a table with a header line and at least one variant")
    table = pd.concat(parts, ignore_index=True)
    return table if "posterior" in table else approximate_posteriors(table, path, report)


def _elsewhere_dropped(part: pd.DataFrame, reference: ReferenceGenome, report: TraitReport) -> pd.DataFrame:
    known = {bare_contig(name).upper() for name in reference.contigs}
    here = part["contig"].astype(str).map(lambda name: bare_contig(name).upper()).isin(known)
    report.count("skipped", "other_contig", part.loc[~here, "contig"].astype(str).unique().tolist())
    report.skipped["other_contig"] = (
        report.skipped.get("other_contig", 0) + int((~here).sum()) - int(part.loc[~here, "contig"].nunique())
    )
    if not report.skipped["other_contig"]:
        del report.skipped["other_contig"]
    return part[here]


def _cleaned(part: pd.DataFrame, path: Path, line: int, trait: str) -> pd.DataFrame:
    missing = part["contig"].isna() | part["position"].isna() | (part["position"] % 1 != 0)
    if missing.any():
        row = part.index[missing][0]
        raise DataError(
            f"{path}, line {tables.line_of(row, line)}: contig or position is missing or no whole number: "
            "give both, or variants as 20:1600925_G_A"
        )
    part = part.assign(position=part["position"].astype("int64"), contig=part["contig"].map(_contig))
    for column in ("ref", "alt"):
        known = part[column].fillna("").astype(str).str.strip().str.upper() if column in part else ""
        part = part.assign(**{column: known})
    if "effect_allele" in part:
        part = _as_effects_are(part)
    if "trait" not in part:
        part = part.assign(trait=trait)
    part["trait"] = part["trait"].fillna(trait).astype(str)
    if "odds_ratio" in part and "beta" not in part:
        part["beta"] = np.log(part["odds_ratio"].where(part["odds_ratio"] > 0))
    return part


def _as_effects_are(part: pd.DataFrame) -> pd.DataFrame:
    """Make ``alt`` the allele that effects are of; `check_alleles` turns these rows, with their signs."""
    of_reference = part["effect_allele"].astype(str).str.strip().str.upper() == part["ref"]
    ref, alt = part["ref"], part["alt"]
    return part.assign(ref=ref.where(~of_reference, alt), alt=alt.where(~of_reference, ref))


def _contig(name: object) -> str:
    text = str(name).strip()
    # Excel and pandas write a whole number with a decimal point
    text = text[:-2] if text.endswith(".0") else text
    return {"23": "X", "24": "Y"}.get(bare_contig(text), bare_contig(text))
