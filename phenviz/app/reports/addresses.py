"""Addresses that lead from a report to the page with the same state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from phenviz.app.shell.links import query_text
from phenviz.errors import DataError
from phenviz.figures.report import Link, Links, Section, Words

if TYPE_CHECKING:
    from phenviz.world import World

# where `phenviz serve` is, unless it is told otherwise
DEFAULT_APP = "http://localhost:5006/"


def check_app(text: str) -> str:
    """Return the address of a dashboard with its last slash.

    Raises
    ------
    DataError
        If it is no address of a web page.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise DataError(
            f"{text!r} is no address of a dashboard: give it as in the browser, without the page, such as "
            f"{DEFAULT_APP}"
        )
    return text.strip().rstrip("/") + "/"


def app_of(address: str) -> str:
    """Return the address of the dashboard that a page belongs to, given the page's own."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return DEFAULT_APP
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/"


def page_link(app: str, page: str, query: Mapping[str, str], words: str) -> Link:
    """Return the link to a page (a key of `phenviz.app.pages.PAGES`) with what its address is to hold."""
    return Link(f"{app}{page}{query_text(query)}", words)


def links_section(world: World, *links: Link, note: str = "") -> Section:
    """Lay out links to the dashboard, and say what has to run for them."""
    path = world.project.path
    command = f"phenviz serve --world {path.name}" if path is not None else "phenviz serve"
    told = f"These open the dashboard where it runs (started by `{command}`), in the same state."
    return Section("Open in PhenViz", [Words([told, *([note] if note else [])]), Links(links)])
