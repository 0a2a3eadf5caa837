"""Where the rows of a table lie: contig and position out of columns, names or BED intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.disease import columns as tables
from phenviz.disease.formats import Format
from phenviz.disease.traits import TraitReport
from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig

LOST_DIGITS = "position_with_lost_digits"
_SCIENTIFIC = r"^\s*\d(?:\.(?P<digits>\d*))?[eE]\+?(?P<exponent>\d+)\s*$"
_MOST_POSITION = 2**31
_MOST_UNPLACED = 0.05


def without_lost_digits(part: pd.DataFrame, report: TraitReport) -> pd.DataFrame:
    """Leave out rows whose position is written like ``1.60092e+06``, which names ten bases, not one."""
    lost = np.zeros(len(part), dtype=bool)
    for column in ("position", "start", "end"):
        if column in part and not pd.api.types.is_numeric_dtype(part[column]):
            text = part[column].astype(str)
            found = text[text.str.contains("e", case=False)].str.extract(_SCIENTIFIC)
            exponent = pd.to_numeric(found["exponent"], errors="coerce")
            shorter = exponent > found["digits"].fillna("").str.len()
            lost |= part.index.isin(found.index[shorter])
    if lost.any():
        column = "position" if "position" in part else "start"
        report.count("skipped", LOST_DIGITS, part.loc[lost, column].astype(str).tolist())
    return part[~lost]


def refuse_lost_digits(path: Path, report: TraitReport, form: Format) -> None:
    """Stop where that is how the file writes its positions.

    Raises
    ------
    DataError
        If more than half of the rows are so.
    """
    lost = report.skipped.get(LOST_DIGITS, 0)
    if 2 * lost > report.read:
        column = form.columns.get("position", form.columns.get("start", ""))
        raise DataError(
            f"{path}, column {column!r}: {lost:,} of {report.read:,} positions are written like "
            f"{report.examples[LOST_DIGITS][0]}, so their last digits are lost: write whole numbers"
        )


def refuse_unplaced(path: Path, report: TraitReport, form: Format) -> None:
    """Stop where too many variants have no position.

    Raises
    ------
    DataError
        If more than one in twenty are so, in a file whose rows all should have one.
    """
    lost = report.skipped.get("without_position", 0)
    if lost > _MOST_UNPLACED * report.read and not form.unplaced_left_out:
        column = form.columns.get("variant", form.columns.get("id", ""))
        raise DataError(
            f"{path}, column {column!r}: {lost:,} of {report.read:,} variants have names like "
            f"{report.examples['without_position'][0]}, which doesn't tell the position: add columns "
            "contig and position"
        )


def placed(part: pd.DataFrame, path: Path, form: Format, report: TraitReport) -> pd.DataFrame:
    """Take contig and position from the variants' names where the table has no such columns.

    The names must hold the position (``20:1600925_G_A``); an rsID alone isn't looked up. BED-like tables have
    ``start`` and ``end`` instead of a position: see `from_intervals`.

    Raises
    ------
    DataError
        If there are neither columns nor such names, or a row lacks its place.
    """
    if "contig" in part and ("position" in part or {"start", "end"} <= set(part)):
        place = "position" if "position" in part else "start"
        wrong = part["contig"].isna() | part[place].isna()
        if form.unplaced_left_out:
            report.count("skipped", "without_position", _names(part)[wrong].tolist())
            part, wrong = part[~wrong], wrong[~wrong]
    else:
        parsed = named_variants(part)
        wrong = parsed.isna().all(axis=1)
        if wrong.all() and len(part):
            _refuse_names(part, path, form)
        report.count("skipped", "without_position", _names(part)[wrong].tolist())
        part = part.assign(contig=parsed["contig"], position=parsed["position"])[~wrong]
        place, wrong = "position", wrong[~wrong]
    wrong |= ~((part[place] % 1 == 0) & (part[place] < _MOST_POSITION))
    if wrong.any():
        own = [
            repr(form.columns[role])
            for role in ("contig", "position", "start", "variant")
            if role in form.columns
        ]
        raise DataError(
            f"{path}, line {part.index[int(np.argmax(wrong))]}: contig or position is missing or no whole "
            f"number (column {', '.join(own)}): give both, or variants as 20:1600925_G_A"
        )
    contigs = {name: _contig(name) for name in part["contig"].unique()}
    return part.assign(contig=part["contig"].map(contigs).astype(str))


def named_variants(part: pd.DataFrame) -> pd.DataFrame:
    """Read the variants' names, from the column in which most are such."""
    parsed = [tables.parse_variants(part[name]) for name in ("variant", "id") if name in part]
    if not parsed:
        return pd.DataFrame(columns=["contig", "position", "ref", "alt"], index=part.index, dtype=object)
    return max(parsed, key=lambda found: int(found["ref"].notna().sum() + found["contig"].notna().sum()))


def from_intervals(table: pd.DataFrame, path: Path, report: TraitReport) -> pd.DataFrame:
    """Turn start and end into a 1-based position; whether start counts from 0 is decided once a file.

    From 0, an interval is as long as one of the alleles; from 1 (end included), it is one shorter.
    Single-base changes decide, where there are any.

    Raises
    ------
    DataError
        If some rows can only count from 0, others only from 1.
    """
    width = (table["end"] - table["start"]).to_numpy(float)
    lengths = [table[name].str.len().clip(lower=1).to_numpy() for name in ("other", "effect")]
    single = (lengths[0] == 1) & (lengths[1] == 1)
    from_0 = (width == lengths[0]) | (width == lengths[1])
    from_1 = (width + 1 == lengths[0]) | (width + 1 == lengths[1])
    judged = single if (single & (from_0 != from_1)).any() else np.ones(len(table), dtype=bool)
    zero, one = judged & from_0 & ~from_1, judged & from_1 & ~from_0
    if zero.any() and one.any():
        lines = [table.index[int(np.argmax(rows))] for rows in (zero, one)]
        raise DataError(
            f"{path}, lines {lines[0]} and {lines[1]}: start "
            "counts from 0 in one and from 1 in the other, by the lengths of their alleles: make it one"
        )
    base = int(one.any())
    report.notes.append(f"start counts from {base}, by the lengths of intervals and alleles")
    return table.assign(position=table["start"] + 1 - base)


def _refuse_names(part: pd.DataFrame, path: Path, form: Format) -> None:
    role = next((name for name in ("variant", "id") if name in part), None)
    if role is None:
        tables.require(part, ("contig", "position"), path, form)
    raise DataError(
        f"{path}: its variants go by name only (column {form.columns.get(str(role), role)!r}), and "
        f"{part[role].iloc[0]!r} doesn't tell the position: name them like 20:1600925_G_A, or add columns "
        "contig, position, ref and alt"
    )


def _names(part: pd.DataFrame) -> pd.Series:
    role = next((name for name in ("variant", "id") if name in part), None)
    return part[role].fillna("").astype(str) if role else pd.Series("", index=part.index)


def _contig(name: object) -> str:
    text = bare_contig(str(name))
    # Excel and pandas write a whole number with a decimal point
    text = text[:-2] if text.endswith(".0") else text
    text = text.lstrip("0") or text if text.isdigit() else text
    return {"23": "X", "24": "Y"}.get(text, text)
