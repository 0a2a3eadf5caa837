"""A table of any length: filtered, sorted and cut into pages on the server, one page at a time sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import param
from panel.custom import JSComponent

from phenviz.app.widgets.parts import script
from phenviz.genome.true_minus import true_minus

_PAGE = 100
_SIGNS = {">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less}
_COMPARED = re.compile(r"\s*([<>]=?)\s*")


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One column.

    Parameters
    ----------
    name
        In the table.
    title
        On screen.
    written
        How a value is formatted; what isn't known (NaN) is left blank.
    kind
        ``text``, ``allele`` (cut short), ``number``, or ``effect``: signed, coloured.
    searched
        Whether the filter looks at it.
    optional
        Whether it is left out where the table hasn't got it.
    """

    name: str
    title: str
    written: str = "{}"
    kind: str = "text"
    searched: bool = False
    optional: bool = False


class GridView(JSComponent):
    """The page that is on screen; tells what was pressed."""

    columns = param.List(default=[], doc="Key, title and kind of each.")
    rows = param.List(default=[], doc="Texts of the rows on this page.")
    keys = param.List(default=[], doc="Key of each row.")
    status = param.Dict(default={}, doc="total, matching, first, sort, descending, filter, chosen, words.")
    testid = param.String(default="grid")
    hint = param.String(default="gene, rsID, |effect|>0.1", constant=True, doc="What can be filtered for.")

    _esm = script("widgets/rows.js", "widgets/data_grid.js")

    def __init__(self, on_message: Callable[[dict[str, Any]], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_message = on_message

    def _handle_msg(self, message: dict) -> None:
        self._on_message(message)


class DataGrid:
    """A table with a filter, sorting and pages.

    Parameters
    ----------
    columns
        What is shown.
    on_row
        Called with the key of a row that was clicked.
    on_change
        Called when filter or sorting changed what matches.
    testid
        For the tests.
    """

    def __init__(
        self,
        columns: Sequence[GridColumn],
        *,
        on_row: Callable[[str], None],
        on_change: Callable[[], None] = lambda: None,
        testid: str = "grid",
        **layout: Any,
    ) -> None:
        self._columns = tuple(columns)
        self._on_row, self._on_change = on_row, on_change
        self._table = pd.DataFrame({"key": []})
        self._matching = np.empty(0, dtype=np.int64)
        self._filter, self._sort, self._descending = "", "", False
        self._first, self._chosen, self._words = 0, "", ""
        self.view = GridView(
            self._heard,
            testid=testid,
            **layout,
        )
        self._draw()

    @property
    def matching(self) -> pd.DataFrame:
        """The rows that the filter leaves, in their present order."""
        return self._table.iloc[self._matching]

    @property
    def filter(self) -> str:
        """What is searched for."""
        return self._filter

    @property
    def sort(self) -> str:
        """Name of the column that is sorted by, with a minus in front if descending; "" for none."""
        return f"{'-' if self._descending else ''}{self._sort}" if self._sort else ""

    def show(self, table: pd.DataFrame, words: str = "") -> None:
        """Show another table (it needs the column ``key``), or words where it has no rows."""
        self._table, self._words = table, words
        self._arrange()
        self._first = min(self._first, max(len(self._matching) - 1, 0) // _PAGE * _PAGE)
        self._draw()

    def choose(self, key: str) -> None:
        """Mark a row, and turn to its page."""
        self._chosen = key
        if key and len(self._table):
            found = np.flatnonzero((self.matching["key"] == key).to_numpy())
            if len(found):
                self._first = int(found[0]) // _PAGE * _PAGE
        self._draw()

    def search(self, text: str) -> None:
        """Show rows in which every word stands in one of the searched columns.

        A word may also compare a number: ``effect>0.2``, ``frequency<=0.01``, ``|effect|>0.1``; columns are
        called as on screen.
        """
        # numbers may be copied from the table
        self._filter, self._first = text.strip().replace("\N{MINUS SIGN}", "-")[:200], 0
        self._arrange()
        self._draw()
        self._on_change()

    def sort_by(self, name: str, descending: bool) -> None:
        """Sort by a column; "" for the table's own order."""
        if name and name not in {column.name for column in self._columns}:
            return
        self._sort, self._descending, self._first = name, descending, 0
        self._arrange()
        self._draw()
        self._on_change()

    def _heard(self, message: dict[str, Any]) -> None:
        if "filter" in message:
            self.search(str(message["filter"]))
        elif "sort" in message:
            name = str(message["sort"])
            # a column goes through descending, ascending, and the table's own order
            if name != self._sort:
                self.sort_by(name, True)
            elif self._descending:
                self.sort_by(name, False)
            else:
                self.sort_by("", False)
        elif "page" in message:
            last = max(len(self._matching) - 1, 0) // _PAGE * _PAGE
            self._first = min(max(self._first + int(message["page"]) * _PAGE, 0), last)
            self._draw()
        elif "row" in message:
            key = str(message["row"])
            if key in self.view.keys:
                self._chosen = key
                self._draw()
                self._on_row(key)

    def _arrange(self) -> None:
        table = self._table
        keep = np.ones(len(table), dtype=bool)
        searched = [column.name for column in self._columns if column.searched]
        named = {column.title.lower().replace(" ", ""): column.name for column in self._columns}
        for word in _COMPARED.sub(r"\1", self._filter).split():
            keep &= _fits(table, word, searched, named)
        rows = np.flatnonzero(keep)
        if self._sort and self._sort in table.columns:
            values = table[self._sort].iloc[rows].reset_index(drop=True)
            signed = next(c for c in self._columns if c.name == self._sort).kind == "effect"
            values = values.abs() if signed else values
            order = values.sort_values(
                ascending=not self._descending, kind="stable", na_position="last"
            ).index
            rows = rows[order.to_numpy()]
        self._matching = rows

    def _draw(self) -> None:
        page = self.matching.iloc[self._first : self._first + _PAGE]
        columns = [c for c in self._columns if c.name in self._table or not c.optional]
        parts = [
            [_written(column, value) for value in page[column.name]]
            if column.name in page
            else [""] * len(page)
            for column in columns
        ]
        nothing = "Nothing fits this filter." if len(self._table) else self._words
        self.view.param.update(
            columns=[[column.name, column.title, column.kind] for column in columns],
            rows=[list(row) for row in zip(*parts, strict=True)],
            keys=[str(key) for key in page["key"]],
            status={
                "total": len(self._table), "matching": len(self._matching), "first": self._first,
                "page": _PAGE, "sort": self._sort, "descending": self._descending, "filter": self._filter,
                "chosen": self._chosen, "words": "" if len(self._matching) else nothing,
            },
        )  # fmt: skip


def _written(column: GridColumn, value: object) -> str:
    if value is None or value != value:
        return ""
    text = column.written.format(value)
    return true_minus(text) if column.kind in ("number", "effect") else text


def _fits(table: pd.DataFrame, word: str, searched: Sequence[str], named: Mapping[str, str]) -> np.ndarray:
    for sign, compare in _SIGNS.items():
        name, found, number = word.partition(sign)
        absolute = name.startswith("|") and name.endswith("|")
        column = name.strip("|").lower()
        column = named.get(column, column)
        if found and column in table.columns and _is_number(number):
            values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
            with np.errstate(invalid="ignore"):
                return compare(np.abs(values) if absolute else values, float(number))
    keep = np.zeros(len(table), dtype=bool)
    for column in searched:
        if column in table.columns:
            texts = table[column].astype(str).str.lower()
            keep |= texts.str.contains(word.lower(), regex=False).to_numpy(dtype=bool)
    return keep


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
