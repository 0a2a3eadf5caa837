"""The dashboard: state, components that draw it, and pages that lay them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phenviz.app.serve import serve

__all__ = ["serve"]


def __getattr__(name: str) -> object:
    # Panel takes a second to import; the command line asks for `serve` only when it serves
    if name == "serve":
        from phenviz.app.serve import serve

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
