"""Reads a report as a browser does: its tables, files, addresses, headings and ids."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import re
from html.parser import HTMLParser

import pandas as pd

# what a browser fetches by itself
FETCHED = {"src", "srcset", "poster", "data", "action", "background"}
_LOCAL = ("data:", "#")


class Parsed(HTMLParser):
    """A report, taken apart.

    Attributes
    ----------
    text
        All that is to be read.
    tables
        Rows of cells, by caption.
    ids, tags, headings
        In their order.
    links, downloads, fetched
        Addresses: of links, of files inside (by name), and of what is fetched.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html, self.text = html, ""
        self.tables: dict[str, list[list[str]]] = {}
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.links: list[str] = []
        self.downloads: dict[str, str] = {}
        self.fetched: list[str] = []
        self._open: list[str] = []
        self._caption, self._rows, self._cell = "", [], None
        self.drawings: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.fetched += [value for name, value in attrs if name in FETCHED]
        if tag == "a" and "download" in given:
            self.downloads[given["download"]] = given["href"]
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif any(name.endswith("href") for name in given):
            self.fetched += [value for name, value in attrs if name.endswith("href")]
        if tag == "svg" and given.get("role") == "img":
            self.drawings.append(given["aria-label"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag == "figure":
            self._caption = ""
        if tag == "table":
            self._rows = []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._cell = ""
        if tag not in ("meta", "br", "link", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag in ("td", "th"):
            self._rows[-1].append(self._cell)
            self._cell = None
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data):
        if "style" in self._open or "script" in self._open:
            return
        self.text += data
        if self._cell is not None:
            self._cell += data
        elif self._open and self._open[-1] == "figcaption":
            self._caption += data
        elif self._open and re.fullmatch("h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)

    def file(self, ending: str) -> pd.DataFrame:
        """Read the file inside whose name ends so."""
        name, address = next(pair for pair in self.downloads.items() if ending in pair[0])
        content = base64.b64decode(address.partition("base64,")[2])
        if name.endswith(".gz"):
            content = gzip.decompress(content)
        return pd.read_csv(io.BytesIO(content), sep="\t", comment="#", dtype={"contig": str})

    def table(self, caption: str) -> pd.DataFrame:
        """Read the table whose caption begins so."""
        rows = next(rows for name, rows in self.tables.items() if name.startswith(caption))
        return pd.DataFrame(rows[1:], columns=rows[0])


def check_report(html: str) -> Parsed:
    """Hold what every report has to be, and take it apart."""
    parsed = Parsed(html)
    # nothing is fetched, and nothing runs
    assert "script" not in parsed.tags and "link" not in parsed.tags and "iframe" not in parsed.tags
    assert all(address.startswith(_LOCAL) for address in parsed.fetched), parsed.fetched
    assert all(address.startswith("data:") for address in parsed.downloads.values())
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", html)
    assert not re.search(r"\son\w+\s*=", re.sub(r">[^<]*<", "><", html))
    # a screen reader finds its way: one title, no level left out, words for each drawing, each id once
    levels = [level for level, _ in parsed.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(parsed.drawings) and len(parsed.drawings) == len(re.findall(r'<svg id="', html))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert re.search(r'<html lang="en">', html) and "Not for clinical use" in parsed.text
    assert "Asked:" in parsed.text
    for title in ("Methods", "Limits", "Versions, data and citation"):
        assert (2, title) in parsed.headings
    return parsed


def number(text: str) -> float:
    """Read a number as screens show it."""
    if text == "\N{EN DASH}":
        return float("nan")
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))
