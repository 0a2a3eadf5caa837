"""Addresses of pages."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from phenviz.app.shell.state import PageState
from phenviz.genome.contexts import Context


def query_text(query: Mapping[str, str]) -> str:
    """Write the values of an address, with its question mark; empty for none."""
    return "?" + urlencode(query, safe=",:~") if query else ""


def link_to(key: str, state: PageState, all_contexts: tuple[Context, ...], **more: str) -> str:
    """Return the address of a page, relative to any other page, that keeps what all pages share.

    Parameters
    ----------
    key
        Key of the page, as in `phenviz.app.pages.PAGES`.
    state
        Its locus, contexts, focus and theme are kept.
    all_contexts
        Contexts of the model.
    **more
        Values of the other page's own.
    """
    # relative, so that it also holds behind a proxy that serves the dashboard under a path
    return key + query_text(state.shared_query(all_contexts) | more)
