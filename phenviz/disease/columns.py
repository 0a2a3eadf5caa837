"""Tables as people have them: finding columns by their many names, and numbers with their line when wrong."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.errors import DataError

# our name -> names in use, lower case; the first that a file has is taken
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "trait": ("trait", "phenotype", "disease", "molecular_trait_id", "study", "study_id"),
    "region": ("locus", "region", "locus_id", "cs_id", "cs", "credible_set", "indexsnp", "index_snp"),
    "contig": ("contig", "chromosome", "chr", "chrom", "#chrom", "#chr", "seqnames", "chrom_id"),
    "position": ("position", "pos", "base_pair_location", "bp", "bp_hg19", "position_grch37", "snp_pos"),
    # of BED files: 0-based start, end
    "start": ("start", "chromstart", "chrom_start"),
    "end": ("end", "chromend", "chrom_end"),
    "ref": ("ref", "reference", "ref_allele", "reference_allele", "other_allele", "a2", "nea", "allele2",
            "non_effect_allele", "allele0"),
    "alt": ("alt", "alternate", "alternative", "alt_allele", "effect_allele", "a1", "ea", "allele1"),
    # beside ref and alt (PLINK 2): the one that beta is of
    "effect_allele": ("effect_allele", "a1", "ea"),
    "id": ("id", "rsid", "rs_id", "snp", "variant_id", "snpid", "markername"),
    "variant": ("variant", "variant_name", "variable", "snp_id", "name"),
    "posterior": ("posterior", "pip", "pp", "prob", "posterior_probability", "pics_probability",
                  "posterior_prob", "causal_post._prob.", "variable_prob", "prob_causal",
                  "finemap_pip", "susie_pip"),
    "beta": ("beta", "effect", "effect_size", "b", "beta_marginal", "log_odds"),
    "odds_ratio": ("odds_ratio", "or"),
    "se": ("se", "standard_error", "stderr", "sebeta", "se_marginal"),
    "z": ("z", "zscore", "z_score", "zscore_marginal"),
    "p_value": ("p_value", "p", "pval", "pvalue", "p-value"),
    "neg_log_10_p_value": ("neg_log_10_p_value", "mlog10p", "neglog10p", "log10p", "nlog10p"),
    "allele_frequency": ("effect_allele_frequency", "eaf", "allele_frequency", "alt_frequency", "af",
                         "af_allele2", "maf"),
}  # fmt: skip
_NUMERIC = (
    "position", "start", "end", "posterior", "beta", "odds_ratio", "se", "z", "p_value", "neg_log_10_p_value",
    "allele_frequency",
)  # fmt: skip
_MISSING = ["", "NA", "na", "N/A", "NaN", "nan", ".", "-", "#NA", "none", "None", "null"]
_VARIANT = re.compile(
    r"^(?:chr)?(?P<contig>[0-9]{1,2}|[XYM]|MT)[:_-](?P<position>[0-9]+)"
    r"[:_-](?P<ref>[ACGTacgt]+)[:_/>-](?P<alt>[ACGTacgt]+)"
)
_EXCEL = (".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")


def read_columns(path: Path, *, chunk: int = 500_000) -> Iterator[tuple[pd.DataFrame, int]]:
    """Read a table of any of our formats, with our column names.

    Parameters
    ----------
    path
        ``.tsv``, ``.txt``, ``.bed``, ``.csv``, space-separated (each also ``.gz``), ``.parquet``, or Excel.
    chunk
        Rows of a text file read at once.

    Yields
    ------
    tuple
        Table with the columns of `SYNONYMS` that the file has (others dropped) and its own row numbers as
        index, and the line of its first row.

    Raises
    ------
    DataError
        If the file is missing, empty or no table.
    """
    if not path.is_file():
        raise DataError(f"{path} doesn't exist: check the path")
    try:
        for table, line in _chunks(path, chunk):
            yield _named(table, path), line
    except (ValueError, OSError, EOFError, ImportError, KeyError, pd.errors.ParserError) as error:
        raise DataError(
            f"{path} can't be read as a table ({_short(error)}): give TSV, CSV, Parquet or Excel"
        ) from error


def _chunks(path: Path, chunk: int) -> Iterator[tuple[pd.DataFrame, int]]:
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield pd.read_parquet(path), 1
        return
    if name.endswith(_EXCEL):
        yield pd.read_excel(path, engine="calamine", dtype=object), 2
        return
    skipped, separator = _header(path)
    reader = pd.read_csv(
        path, sep=separator, skiprows=skipped, dtype=str, keep_default_na=False, chunksize=chunk,
        na_values=_MISSING, skip_blank_lines=False, engine="c",
    )  # fmt: skip
    with reader:
        for table in reader:
            blank = table.isna().all(axis=1)
            yield table[~blank], skipped + 2


def _header(path: Path) -> tuple[int, str]:
    """Return the number of lines before the header, and what parts its columns."""
    import gzip

    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rt") if zipped else path.open(encoding="utf-8-sig", errors="replace") as lines:
        for skipped, line in enumerate(lines):
            text = line.strip("\n\r")
            # FINEMAP and VCF-like files begin with comments; a header may itself begin with one '#'
            if not text.strip() or text.startswith("##") or re.match(r"^#\s", text):
                continue
            separator = "\t" if "\t" in text else "," if "," in text else r"\s+"
            return skipped, separator
    raise DataError(f"{path} is empty: give a table with a header line")


def _named(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    own = {str(column).strip().lower(): column for column in table.columns}
    if {"allele1", "allele2", "af_allele2"} <= set(own):
        # SAIGE, whose effects are of the second allele
        own |= {"ref": own["allele1"], "alt": own["allele2"]}
    found: dict[str, object] = {}
    for ours, names in SYNONYMS.items():
        column = next((own[name] for name in names if name in own), None)
        if column is not None and column not in found.values():
            found[ours] = column
    if not found:
        raise DataError(
            f"{path}: no column of its header is known ({', '.join(map(str, list(table.columns)[:8]))}): "
            "name them trait, contig, position, ref, alt, posterior"
        )
    return table[list(found.values())].set_axis(list(found), axis=1)


def numbers(table: pd.DataFrame, path: str | os.PathLike[str], line: int) -> pd.DataFrame:
    """Turn the numeric columns into numbers; the error names line and column."""
    table = table.copy()
    for column in _NUMERIC:
        if column not in table:
            continue
        values = pd.to_numeric(table[column], errors="coerce").astype(float)
        wrong = values.isna() & table[column].notna() & ~table[column].astype(str).str.strip().isin(_MISSING)
        if wrong.any():
            row = table.index[wrong][0]
            raise DataError(
                f"{path}, line {line_of(row, line)}, column {column!r}: {table.loc[row, column]!r} is "
                f"no number"
            )
        table[column] = values
    return table


def line_of(row: int, line: int) -> int:
    """Line of the file that a row of its table stands in."""
    return int(row) + line


def parse_variants(names: pd.Series) -> pd.DataFrame:
    """Read ``20:1600925_G_A``, ``chr20_1600925_G_A``, ``20:1600925:G:A``; rows that aren't such are missing.

    Returns
    -------
    pd.DataFrame
        ``contig``, ``position``, ``ref``, ``alt`` with the index of ``names``.
    """
    parts = names.astype("str").str.extract(_VARIANT)
    parts["position"] = pd.to_numeric(parts["position"], errors="coerce")
    return parts


def from_text(text: str) -> pd.DataFrame:
    """Read a whitespace table that a string holds."""
    return pd.read_csv(io.StringIO(text), sep=r"\s+", dtype=str)


def require(table: pd.DataFrame, columns: tuple[str, ...], path: str | os.PathLike[str]) -> None:
    """Raise where a file lacks a column, with the names under which it may stand."""
    missing = [column for column in columns if column not in table]
    if missing:
        names = "; ".join(f"{column} (or {', '.join(SYNONYMS[column][1:5])})" for column in missing)
        raise DataError(f"{path} has no column {names}: it has {', '.join(map(str, table.columns))}")


def check_posterior(table: pd.DataFrame, path: str | os.PathLike[str], line: int) -> None:
    """Raise where a posterior is missing or no probability."""
    values = table["posterior"].to_numpy(float)
    wrong = ~((values >= 0) & (values <= 1 + 1e-6))
    if wrong.any():
        row = table.index[int(np.argmax(wrong))]
        found = table.loc[row, "posterior"]
        word = "is missing" if found != found else f"is {found:g}, no probability from 0 to 1"
        raise DataError(f"{path}, line {line_of(row, line)}, column 'posterior': it {word}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
