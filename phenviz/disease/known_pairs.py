"""Known pairs of traits and contexts, and hypotheses to compare with them, read from tables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.disease.hypotheses import table_of
from phenviz.disease.published_references import EXPECTED, PACKS, pack_reference, published_result
from phenviz.disease.raw_tables import read_raw
from phenviz.errors import DataError

__all__ = [
    "EXPECTED", "NEUTRAL", "REFERENCES", "Reference", "read_hypotheses", "read_reference", "reference_names",
    "scored",
]  # fmt: skip
REFERENCES = Path(__file__).with_name("references")
NEUTRAL = "neutral"
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Reference:
    """What is known of traits and contexts.

    Parameters
    ----------
    name
        Of the packaged table, or the file's.
    table
        ``trait``, ``context``, ``role`` (``expected``; ``neutral``: counts neither way; "": known by its
        score only), ``score`` (NaN where there is none), ``lineage`` ("" where there is none), ``counted``.
    about
        Source, licence and what its score means; "" where the file doesn't say.
    partial
        Whether it is another method's result: then contexts that it doesn't have count neither way, one may
        be stood for by its organ, and those that it can't tell apart count as one.
    """

    name: str
    table: pd.DataFrame
    about: str = ""
    partial: bool = False

    @property
    def has_roles(self) -> bool:
        """Whether it says which contexts are expected."""
        return bool((self.table["role"] == EXPECTED).any())

    @property
    def has_scores(self) -> bool:
        """Whether it ranks contexts."""
        return bool(self.table["score"].notna().any())


def reference_names() -> tuple[str, ...]:
    """Return the names of the packaged references."""
    return tuple(sorted(path.stem for path in REFERENCES.glob("*.tsv")))


def read_reference(source: str | os.PathLike[str]) -> Reference:
    """Read known pairs: a packaged table or a data pack by name, a published result, or a table of one's own.

    Parameters
    ----------
    source
        One of `reference_names`, one of `phenviz.disease.published_references.PACKS` (``disease-location``,
        ``coloc-tissues``), a published result that is recognised by its columns (TCSC, S-LDSC on Tabula
        Muris), or a file (TSV, CSV, Parquet, Excel) with columns ``trait`` and ``context``
        (a name, label or ontology term) and, if wanted, ``role`` (``expected`` by default, or ``neutral``),
        ``score`` (larger means more; then pairs without a role are ranked only), ``lineage`` and ``counted``
        (yes or no).

    Raises
    ------
    DataError
        If there is no such table, or a column or value is missing or unclear.
    PackMissing
        If it is in a data pack that isn't here.
    """
    path = Path(source)
    if os.fspath(source) in reference_names():
        path = REFERENCES / f"{source}.tsv"
    elif os.fspath(source) in PACKS:
        return Reference(os.fspath(source), *pack_reference(os.fspath(source)))
    elif not path.is_file():
        known = ", ".join(reference_names())
        raise DataError(
            f"no reference {os.fspath(source)!r}: give a file, or one that is packaged: {known}, or of a "
            f"data pack: {', '.join(PACKS)}"
        )
    if published := published_result(path):
        return Reference(path.name.split(".")[0], *published)
    raw = _read(path, ("trait", "context"))
    table = pd.DataFrame(
        {
            "trait": raw["trait"],
            "context": raw["context"],
            "score": _numbers(raw, "score", path),
            "lineage": raw["lineage"].astype(object).fillna("") if "lineage" in raw else "",
            "counted": _counted(raw, path),
        }
    )
    table.insert(2, "role", _roles(raw, path))
    twice = table.drop_duplicates()[["trait", "context"]].duplicated()
    if twice.any():
        line = twice.index[twice][0]
        pair = f"{table.loc[line, 'trait']} and {table.loc[line, 'context']}"
        raise DataError(f"{path}, line {line}: {pair} stand there twice, with different values: keep one")
    return Reference(path.stem, table.drop_duplicates().reset_index(drop=True))


def read_hypotheses(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read hypotheses to compare: a result of ``phenviz hypotheses``, or any table of tests.

    Parameters
    ----------
    path
        ``.nc``, ``.zarr``, or TSV, CSV, Parquet or Excel with ``trait``, ``context``, and ``z``, ``p_value``
        or ``score`` (the first that there is); ``method`` where there are several.

    Returns
    -------
    pd.DataFrame
        ``trait``, ``context``, ``context_label``, ``curie``, ``method``, ``score`` (larger means more). Rows
        without a number are left out; ``attrs["left_out"]`` counts them.

    Raises
    ------
    DataError, ResultError
        If it can't be read, or holds no tests.
    """
    path = Path(path)
    if path.suffix.lower() in (".nc", ".zarr"):
        from phenviz.results import load

        dataset = load(path)
        if "p_value" not in dataset or "method" not in dataset.dims:
            raise DataError(f"{path} holds no hypotheses: give what `phenviz hypotheses` wrote, or a table")
        return scored(table_of(dataset), path)
    return scored(_read(path, ("trait", "context")), path)


def scored(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Keep what is compared of a table of tests; arguments and result as of `read_hypotheses`."""
    for column in ("trait", "context"):
        if column not in table:
            raise DataError(f"{path} has no column {column!r}: its columns are {', '.join(map(str, table))}")
    name = next((column for column in ("z", "p_value", "score") if column in table), None)
    if name is None:
        raise DataError(f"{path} has none of the columns z, p_value, score: give one to rank contexts by")
    score = _numbers(table, name, path)
    if name == "p_value":
        if ((score < 0) | (score > 1)).any():
            raise DataError(
                f"{path}, column 'p_value': {score[(score < 0) | (score > 1)].iloc[0]} is no p-value"
            )
        score = -np.log10(score.clip(lower=1e-300))
    kept = {
        column: table[column].astype(object).fillna("").astype(str) if column in table else default
        for column, default in (
            ("trait", ""), ("context", ""), ("context_label", ""), ("curie", ""), ("method", "table"),
        )
    }  # fmt: skip
    whole = pd.DataFrame(kept, index=table.index).assign(score=score)
    result = whole.dropna(subset=["score"])
    if result.empty:
        raise DataError(f"{path} holds no test: column {name!r} is empty")
    twice = result.duplicated(["trait", "context", "method"])
    if twice.any():
        one = result[twice].iloc[0]
        raise DataError(
            f"{path}: {one['trait']} in {one['context']} was tested twice by {one['method']}: give one row "
            "per trait, context and method, and a column 'method' where there are several"
        )
    result = result.reset_index(drop=True)
    result.attrs["left_out"] = table.attrs.get("left_out", 0) + len(whole) - len(result)
    return result


def _read(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    table = pd.concat([part for part, _ in read_raw(path)])
    table = table.rename(columns={name: str(name).strip().lower() for name in table})
    for column in needed:
        if column not in table:
            raise DataError(f"{path} has no column {column!r}: its columns are {', '.join(map(str, table))}")
        empty = table[column].isna()
        if empty.any():
            raise DataError(f"{path}, line {table.index[empty][0]}: column {column!r} is empty: fill it in")
    if table.empty:
        raise DataError(f"{path} holds no rows: give at least one below the header")
    return table.assign(**{column: table[column].astype(str).str.strip() for column in needed})


def _numbers(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    if column not in table:
        return pd.Series(np.nan, index=table.index)
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = (numbers.isna() & table[column].notna()) | np.isinf(numbers)
    if wrong.any():
        line = table.index[wrong][0]
        raise DataError(f"{path}, line {line}, column {column!r}: {table.loc[line, column]!r} is no number")
    return numbers.astype(float)


def _roles(raw: pd.DataFrame, path: Path) -> pd.Series:
    given = raw["role"].astype(object) if "role" in raw else pd.Series(None, raw.index, dtype=object)
    # a score by itself ranks contexts and calls none of them expected
    default = "" if "score" in raw else EXPECTED
    roles = given.fillna(default).astype(str).str.strip().str.lower()
    wrong = ~roles.isin((EXPECTED, NEUTRAL, ""))
    if wrong.any():
        line = roles.index[wrong][0]
        raise DataError(
            f"{path}, line {line}: role {raw.loc[line, 'role']!r} is neither expected nor neutral"
        )
    return roles


def _counted(raw: pd.DataFrame, path: Path) -> pd.Series:
    if "counted" not in raw:
        return pd.Series(True, index=raw.index)
    text = raw["counted"].astype(object).fillna("yes").astype(str).str.strip().str.lower()
    wrong = ~text.isin(_YES_NO)
    if wrong.any():
        line = text.index[wrong][0]
        raise DataError(f"{path}, line {line}: counted is {raw.loc[line, 'counted']!r}: give yes or no")
    return text.map(_YES_NO).astype(bool)
