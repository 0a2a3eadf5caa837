"""Tables in Markdown, and their place in the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
CARD = DOCS / "model_card.md"
TABLES = DOCS / "evaluation"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a table; the first column is text, the others are numbers."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "|".join([" --- ", *[" ---: "] * (len(header) - 1)]) + "|",
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def write_section(name: str, text: str, path: Path = CARD) -> None:
    """Put a section into the model card between its own marks, at the end where it has none yet."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}\n"
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    if begin in card and end in card:
        before, rest = card.split(begin, 1)
        card = before + section + rest.split(end, 1)[1].removeprefix("\n")
    else:
        card = f"{card.rstrip()}\n\n{section}" if card.strip() else section
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card, encoding="utf-8")


def number(value: float, digits: int = 2) -> str:
    """Write a number with a real minus sign; a dash where there is none."""
    return "-" if value != value else f"{value:.{digits}f}".replace("-", "−")


def with_interval(row: Mapping[str, Any], name: str) -> str:
    """Write a number of a table with its interval, ``NAME_low`` and ``NAME_high``."""
    return f"{number(row[name])} ({number(row[f'{name}_low'])} to {number(row[f'{name}_high'])})"
