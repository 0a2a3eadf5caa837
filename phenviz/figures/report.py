"""Reports: one HTML file with figures, numbers and words in it, which opens and prints anywhere."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import ClassVar

import pandas as pd
from jinja2 import Environment, StrictUndefined

from phenviz.figures.paper import Paper
from phenviz.genome.true_minus import true_minus
from phenviz.results import phenviz_version

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
# a figure with more bytes than this is a picture of points instead of one of lines
_LARGEST_DRAWING = 3_000_000
_POINTS_AN_INCH = 220
# numbers of a table stand in the file as they are, or packed where they are many
_PACKED_FROM = 500_000
_NOTHING = "\N{EN DASH}"
# what an SVG file says before its first element, and about itself
_PROLOGUE = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", re.DOTALL)
_ID = re.compile(r"""(\bid="|url\(#|href="#)""")


@dataclass(frozen=True)
class Notice:
    """What a reader has to know first: a word or two, then the sentence."""

    head: str
    text: str


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Parameters
    ----------
    svg
        The drawing, as matplotlib writes it.
    caption, alt
        What stands below it, and what is read out instead of it.
    narrow
        Whether it would be too large on the whole width.
    """

    svg: str
    caption: str
    alt: str
    narrow: bool = False

    @classmethod
    def of(cls, paper: Paper, caption: str, alt: str, *, narrow: bool = False) -> Drawing:
        """Draw a figure; one of very many lines becomes a picture."""
        drawn = paper.render("svg").decode()
        if len(drawn) > _LARGEST_DRAWING:
            drawn = _picture(paper)
        return cls(drawn, caption, alt, narrow)

    def inline(self, key: str) -> str:
        """Return the drawing as part of a page, where its ids and styles are its own."""
        drawn = _PROLOGUE.sub("", self.svg).strip()
        drawn = _ID.sub(lambda found: f"{found[1]}{key}-", drawn)
        drawn = drawn.replace("*{", f"#{key}-drawing *{{", 1)
        named = f'<svg id="{key}-drawing" role="img" aria-label="{escape(self.alt)}" '
        # what the rest of it holds, such as names of contexts, matplotlib has escaped
        return drawn.replace("<svg ", named, 1)


def _picture(paper: Paper) -> str:
    content = base64.b64encode(paper.render("png", dpi=_POINTS_AN_INCH)).decode()
    width, height = paper.figure.get_size_inches() * 72
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.2f} {height:.2f}">'
        f'<image width="{width:.2f}" height="{height:.2f}" href="data:image/png;base64,{content}"/></svg>'
    )


@dataclass(frozen=True)
class Attachment:
    """A file inside the report, for the reader to save."""

    name: str
    content: bytes

    @classmethod
    def of(cls, name: str, table: pd.DataFrame, comments: Sequence[str]) -> Attachment:
        """Write a table as TSV, after lines that begin with ``#``; a long one is packed."""
        head = "".join(f"# {line}\n" for line in comments)
        body = table.to_csv(sep="\t", index=False, float_format="%.7g", lineterminator="\n")
        content = f"{head}{body}".encode()
        if len(content) < _PACKED_FROM:
            return cls(name, content)
        return cls(f"{name}.gz", gzip.compress(content, mtime=0))

    @property
    def address(self) -> str:
        """Where the browser finds it: in the page itself."""
        mime = "application/gzip" if self.name.endswith(".gz") else "text/tab-separated-values;charset=utf-8"
        return f"data:{mime};base64,{base64.b64encode(self.content).decode()}"

    @property
    def words(self) -> str:
        """What stands on the link."""
        size = len(self.content)
        shown = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size // 1000, 1)} kB"
        return f"All numbers: {self.name} ({shown})"


@dataclass(frozen=True)
class Words:
    """A paragraph (one line) or a list (several), below a heading of its own where there is one."""

    shape: ClassVar[str] = "words"
    lines: Sequence[str]
    head: str = ""


@dataclass(frozen=True)
class Figures:
    """A figure on the whole width, or several side by side."""

    shape: ClassVar[str] = "figures"
    drawn: Sequence[Drawing]


@dataclass(frozen=True)
class Table:
    """A table to read; its file has all of the numbers.

    Parameters
    ----------
    columns
        Headings; all empty for none.
    rows
        Text of the cells.
    numbers
        Which columns stand at the right.
    caption, note
        Above and below.
    file
        With all rows and columns.
    """

    shape: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    caption: str = ""
    note: str = ""
    file: Attachment | None = None

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        columns: Mapping[str, tuple[str, str]],
        *,
        caption: str = "",
        note: str = "",
        most: int = 40,
        file: Attachment | None = None,
    ) -> Table:
        """Lay out some columns of a table.

        Parameters
        ----------
        columns
            Of each its heading and, of numbers, the format: ``{"effect": ("Effect", "{:+.3f}")}``.
        most
            Rows to show; the note says of how many.
        """
        kept = {name: how for name, how in columns.items() if name in table}
        shown = table.head(most)
        rows = [
            [_cell(value, form) for value, (_, form) in zip(row, kept.values(), strict=True)]
            for row in shown[list(kept)].itertuples(index=False, name=None)
        ]
        if len(table) > most:
            note = f"The first {most:,} of {len(table):,}. {note}".strip()
        numbers = frozenset(place for place, (_, form) in enumerate(kept.values()) if form)
        return cls([heading for heading, _ in kept.values()], rows, numbers, caption, note, file)

    @classmethod
    def of_facts(cls, facts: Mapping[str, str], caption: str = "") -> Table:
        """Lay out names and values."""
        return cls(["", ""], [[name, value] for name, value in facts.items()], caption=caption)


def _cell(value: object, form: str) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return _NOTHING
    return true_minus(form.format(value)) if form else str(value)


@dataclass(frozen=True)
class Link:
    """An address, and what it leads to."""

    address: str
    words: str


@dataclass(frozen=True)
class Links:
    """Addresses that the reader may follow."""

    shape: ClassVar[str] = "links"
    links: Sequence[Link]


Block = Words | Figures | Table | Links


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; ``small`` for what few readers need."""

    title: str
    blocks: Sequence[Block]
    small: bool = False


@dataclass(frozen=True)
class Report:
    """What a report holds.

    Parameters
    ----------
    kind, title, subtitle, asked
        What it is about, and the question.
    warnings
        What has to be known first: that something is simulated, or private.
    short
        What was found, a sentence each.
    sections
        All the rest, in the order in which it is read.
    footer
        The last line.
    private
        Whether it is about a person, so that only its owner may read the file.
    """

    kind: str
    title: str
    subtitle: str = ""
    warnings: Sequence[Notice] = ()
    short: Sequence[str] = ()
    sections: Sequence[Section] = ()
    footer: str = ""
    private: bool = False
    asked: str = ""


def render_report(report: Report) -> str:
    """Write a report as HTML that needs no other file: nothing is fetched, and nothing runs."""
    return _template()(report=report, version=phenviz_version())


@cache
def _template() -> Callable[..., str]:
    # names of samples, traits and files are anybody's: all that isn't marked is escaped
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render
