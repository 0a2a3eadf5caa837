"""Contexts of a model, as a ``project.yaml`` lists them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from phenviz.data.project_entries import WANTED, Entries
from phenviz.genome.contexts import Context
from phenviz.genome.text_lines import is_remark, text_lines

_FIELDS = ("name", "label", "curie", "group", "colour", "unit", "description")
# for contexts that come without a colour: Okabe and Ito's, without black and yellow
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


def read_contexts(entries: Entries, key: str) -> tuple[Context, ...]:
    """Read a list of contexts, or the table that is named instead."""
    value = entries.values[key]
    rows = _context_table(entries.file(key, value), entries) if isinstance(value, str) else value
    if not isinstance(rows, list) or not rows:
        raise entries.error(key, f"holds no contexts: {WANTED[key]}")
    contexts = tuple(_context(entries, row, number) for number, row in enumerate(rows))
    names = [context.name for context in contexts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise entries.error(key, f"lists {', '.join(twice)} twice: names of contexts are unique")
    return contexts


def contexts_of_names(names: Iterable[str]) -> tuple[Context, ...]:
    """Make contexts of which nothing but the names is known."""
    return tuple(
        Context(name, name, "", "contexts", _COLOURS[number % len(_COLOURS)])
        for number, name in enumerate(dict.fromkeys(names))
    )


def _context_table(path: Path, entries: Entries) -> list[dict[str, str]]:
    lines = [
        (number, [cell.strip() for cell in line.split("\t")])
        for number, line in text_lines(path)
        if not is_remark(line)
    ]
    if len(lines) < 2:
        raise entries.error(
            "contexts", f"names {path.name}, which needs a header line and one line per context"
        )
    (_, header), *rows = lines
    for number, row in rows:
        if len(row) > len(header):
            raise entries.error(
                "contexts", f"names {path.name}, whose line {number} has {len(row)} columns and its header "
                f"{len(header)}: give each column a name",
            )  # fmt: skip
    return [{column: cell for column, cell in zip(header, row, strict=False) if cell} for _, row in rows]


def _context(entries: Entries, row: Any, number: int) -> Context:
    row = {"name": row} if isinstance(row, str) else row
    if not isinstance(row, dict) or not row.get("name"):
        raise entries.error("contexts", f"has an entry {number + 1} without a name: {WANTED['contexts']}")
    unknown = sorted(set(row) - set(_FIELDS))
    if unknown:
        raise entries.error(
            "contexts", f"has an unknown field {unknown[0]!r}: known are {', '.join(_FIELDS)}"
        )
    name = str(row["name"]).strip()
    colour = entries.colour("contexts", row.get("colour", _COLOURS[number % len(_COLOURS)]), name)
    defaults = {"label": name, "curie": "", "group": "contexts", "unit": "", "description": ""}
    texts = {part: str(row.get(part, default)).strip() for part, default in defaults.items()}
    return Context(name=name, colour=colour, **texts)
