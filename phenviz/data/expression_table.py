"""Read a user's own table of measured expression: people x genes in either orientation, in any unit."""

from __future__ import annotations

import csv
import difflib
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.measured_expression import AS_GIVEN, EXPRESSION, MeasuredExpression, on_a_common_scale
from phenviz.errors import DataError
from phenviz.genome import Annotation

_MISSING = ["", "NA", "NaN", "nan", "na", "N/A", ".", "None", "null"]
_POPULATION = ("population", "pop")
_ABOUT = (
    "Your own table: PhenViz doesn't know in which cells it was measured or how it was normalised; people "
    "are compared with each other within each gene."
)
# fewer people can't be cut into five parts that say something
FEWEST_PEOPLE = 20
# what parts a gene's name from what was measured of it, as in ITPA:exon_3
_PARTED = re.compile(r"[:|/;]| ")


def read_expression_table(
    path: str | os.PathLike[str],
    samples: Sequence[str],
    annotation: Annotation,
    *,
    names: Mapping[str, str] | None = None,
) -> MeasuredExpression:
    """Read a table of expression measured in people whose genotypes are known.

    Parameters
    ----------
    path
        Text parted by tabs, commas, semicolons or blanks (also gzip), or Parquet. People are its rows or its
        columns; which of them is told by the names of people with genotypes. Genes are symbols or stable
        ids, or either followed by ``:`` and what was measured. A column ``population`` is taken as such.
    samples
        Names of people whose genotypes are known.
    annotation
        Tells which names are genes.
    names
        Name in the table -> name among the samples, where they differ.

    Raises
    ------
    DataError
        If it can't be read, or too few people or no gene are recognised, or a cell is no number.
    """
    path = Path(path)
    table = _read(path)
    named = {name: name for name in samples} | dict(names or {})
    rows = _people_in_rows(table, named)
    columns = {str(column): str(column) for column in table.columns if str(column).strip() in named}
    if rows is not None and len(rows) >= len(columns):
        people, values, populations, genes = _by_person(path, table, rows, named)
    elif columns:
        people, values, genes = _by_gene(path, table, list(columns), annotation)
        populations = None
    else:
        raise DataError(_nobody(path, table, samples))
    return _measured(path, people, values, populations, genes, named, annotation)


def offer_names(path: str | os.PathLike[str], samples: Sequence[str]) -> dict[str, str]:
    """Offer for each name of a table that isn't a sample's the sample that it most likely means.

    Returns
    -------
    dict
        Name in the table -> sample; only where exactly one sample fits, and no two names the same one.
    """
    table = _read(Path(path))
    texts = [str(name) for name in table.columns]
    for column in table.columns:
        if _is_text(table[column]):
            texts += table[column].dropna().astype(str).tolist()
    known, taken = set(samples), set[str]()
    bare = {_bare(name): name for name in samples}
    offered: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        if text in known or not any(letter.isdigit() for letter in text):
            continue
        meant = bare.get(_bare(text)) or next((bare[part] for part in _parts(text) if part in bare), None)
        if meant is not None and meant not in taken:
            offered[text] = meant
            taken.add(meant)
    return {text: meant for text, meant in offered.items() if meant not in set(texts)}


def read_names(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a table of two columns: a person's name in the table of expression, and among the genotypes.

    Raises
    ------
    DataError
        If it can't be read, has other columns, or a name stands in it twice.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"table of names {path} can't be read ({error}): give a tab-separated table"
        ) from error
    names: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
        if len(cells) != 2 or not all(cells):
            raise DataError(f"table of names {path}, line {number}: give two names, separated by a tab")
        if names.setdefault(cells[0], cells[1]) != cells[1]:
            raise DataError(f"table of names {path}, line {number}: {cells[0]} stands for two people")
    return names


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _parts(name: str) -> list[str]:
    return [_bare(part) for part in re.split(r"[._\-\s:|]+", name)]


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} doesn't exist: check the path")
    try:
        if path.name.lower().endswith(".parquet"):
            table = pd.read_parquet(path)
            return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
        head = pd.read_csv(path, sep="\0", header=None, nrows=1, dtype=str, engine="python").iloc[0, 0]
        counts = {separator: str(head).count(separator) for separator in "\t,;"}
        best = max(counts, key=lambda one: counts[one])
        separator = best if counts[best] else r"\s+"
        table = pd.read_csv(
            path, sep=separator, na_values=_MISSING, keep_default_na=False, comment=None,
            engine="python" if separator == r"\s+" else "c", encoding="utf-8-sig",
        )  # fmt: skip
    except (OSError, ValueError, EOFError, IndexError, csv.Error, zlib.error) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"table {path} can't be read ({said}): give a tab-separated table") from error
    # R writes no name over the names of the rows: pandas then takes them as the index
    table = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    if table.empty or table.shape[1] < 2:
        raise DataError(
            f"table {path} has {table.shape[0]:,} rows and {table.shape[1]:,} columns: give people x genes, "
            "with a line of names"
        )
    return table


def _is_text(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column)


def _people_in_rows(table: pd.DataFrame, named: Mapping[str, str]) -> pd.Series | None:
    """Return the column that names people, as text; None where no column does."""
    found, most = None, 0
    for column in table.columns:
        texts = table[column].astype(str).str.strip()
        count = int(texts.isin(named.keys()).sum())
        if count > most:
            found, most = texts, count
    return found


def _by_person(
    path: Path, table: pd.DataFrame, rows: pd.Series, named: Mapping[str, str]
) -> tuple[list[str], pd.DataFrame, list[str] | None, list[str]]:
    known = rows.isin(named.keys()).to_numpy()
    origin = next((name for name in table.columns if str(name).strip().lower() in _POPULATION), None)
    populations = None if origin is None else table.loc[known, origin].fillna("").astype(str).tolist()
    numbers = table.drop(columns=[rows.name, *([] if origin is None else [origin])])
    numbers = numbers.loc[:, [not _is_label(numbers[name]) for name in numbers.columns]]
    return rows[known].tolist(), numbers[known], populations, [str(name) for name in numbers.columns]


def _by_gene(
    path: Path, table: pd.DataFrame, columns: list[str], annotation: Annotation
) -> tuple[list[str], pd.DataFrame, list[str]]:
    others = [name for name in table.columns if str(name) not in columns]
    known = {name: sum(_gene_of(str(one), annotation) is not None for one in table[name]) for name in others}
    best = max(known, key=lambda name: known[name], default=None)
    if best is None or not known[best]:
        raise DataError(
            f"table {path}: its columns are people, but no column names genes of this world (looked at "
            f"{', '.join(map(str, others)) or 'none'}): give a column of symbols or Ensembl ids"
        )
    values = table[columns].T
    return [name.strip() for name in columns], values, table[best].astype(str).tolist()


def _is_label(column: pd.Series) -> bool:
    """Tell a column of words (a family, a sex) from one of numbers of which some are written wrongly."""
    return _is_text(column) and bool(pd.to_numeric(column, errors="coerce").notna().mean() < 0.5)


def _measured(
    path: Path,
    people: list[str],
    table: pd.DataFrame,
    populations: list[str] | None,
    names: list[str],
    named: Mapping[str, str],
    annotation: Annotation,
) -> MeasuredExpression:
    samples = [named[name] for name in people]
    if twice := sorted({name for name in samples if samples.count(name) > 1}):
        raise DataError(f"table {path} holds {', '.join(twice[:3])} more than once: keep one of each person")
    found = [_gene_of(name, annotation) for name in names]
    if not any(found):
        raise DataError(
            f"table {path}: none of its {len(names):,} names ({', '.join(names[:3])} ...) is a gene of this "
            "world: give symbols or Ensembl ids"
        )
    values = _numbers(path, table, people, names)
    scaled, library, units = on_a_common_scale(values)
    genes = [one[0] if one else name for one, name in zip(found, names, strict=True)]
    features = [one[1] if one else EXPRESSION for one in found]
    keys = list(zip(genes, features, strict=True))
    # which of two rows of a gene is meant can't be known
    once = pd.Series(keys).map(pd.Series(keys).value_counts()).eq(1).to_numpy() if keys else np.zeros(0, bool)
    unknown = sum(one is None for one in found)
    notes = [f"values are {units}" if units == AS_GIVEN else f"values are taken as {units}"]
    if unknown:
        notes.append(
            f"{unknown:,} of {len(names):,} names are no genes of this world, and serve as covariates only"
        )
    if not once.all():
        notes.append(f"{int((~once).sum()):,} rows of genes that the table lists twice were left out")
    return MeasuredExpression(
        path.name,
        _ABOUT,
        tuple(samples),
        tuple(populations) if populations is not None else ("",) * len(samples),
        tuple(gene for gene, kept in zip(genes, once, strict=True) if kept),
        ("",) * int(once.sum()),
        tuple(feature for feature, kept in zip(features, once, strict=True) if kept),
        scaled[:, once],
        library,
        units,
        notes=tuple(notes),
    )


def _numbers(path: Path, table: pd.DataFrame, people: list[str], names: list[str]) -> NDArray[np.float64]:
    try:
        values = table.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        flat = pd.to_numeric(pd.Series(table.to_numpy(dtype=object).ravel()), errors="coerce").to_numpy(float)
        empty = pd.isna(table.to_numpy(dtype=object)).ravel()
        values = flat.reshape(table.shape)
        wrong = np.argwhere((np.isnan(flat) & ~empty).reshape(table.shape))
        if len(wrong):
            row, column = wrong[0]
            raise DataError(
                f"table {path}: {table.iloc[row, column]!r} of {people[row]} in {names[column]} is no number "
                f"({len(wrong):,} such cells): give numbers, and NA where nothing was measured"
            ) from None
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise DataError(f"table {path}: {people[row]} in {names[column]} is infinite: give NA")
    return values


def _gene_of(name: str, annotation: Annotation) -> tuple[str, str] | None:
    """Return a gene's key and what was measured of it, from a name such as ``ITPA`` or ``ITPA:exon 3``."""
    for gene, *rest in ([name.strip()], _PARTED.split(name.strip(), maxsplit=1)):
        if (found := annotation.find_gene(gene)) is not None:
            return annotation.key_of(found), (rest[0].strip() if rest else EXPRESSION)
    return None


def _nobody(path: Path, table: pd.DataFrame, samples: Sequence[str]) -> str:
    texts = [str(name) for name in table.columns] + table.iloc[:, 0].astype(str).tolist()[:2000]
    near = next(
        (
            f"{text} looks like {close[0]}"
            for text in texts
            if (close := difflib.get_close_matches(text, samples, 1, 0.8))
        ),
        "",
    )
    hint = f" ({near}: give a table of names that says so)" if near else ""
    return (
        f"table {path} names nobody whose genotypes are known, neither in its columns "
        f"({', '.join(map(str, list(table.columns)[:3]))} ...) nor in its rows "
        f"({', '.join(table.iloc[:3, 0].astype(str))} ...); known are {', '.join(samples[:3])} ...{hint}"
    )
