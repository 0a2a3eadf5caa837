"""What a result is, in lines at the top of its text files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from phenviz.errors import ResultError
from phenviz.results.schema import kind_of, locus_of

_TOLD_FIRST = ("assembly", "model", "phenviz_version", "definition", "units")


def comments(dataset: xr.Dataset) -> Iterator[str]:
    """Yield what a file of numbers would lose: what they are, how they were made, and all attributes.

    Yields
    ------
    str
        A line without its ``#`` and line break.
    """
    attrs = dataset.attrs
    yield f"{kind_of(dataset) or 'result'}{_place(dataset)} ({attrs.get('assembly', 'unknown')})"
    yield f"model: {attrs.get('model', 'none')}; PhenViz {attrs.get('phenviz_version', 'unknown')}"
    yield f"definition: {_line(attrs.get('definition', ''))}; units: {attrs.get('units', '')}"
    yield from (f"{name}: {_line(value)}" for name, value in attrs.items() if name not in _TOLD_FIRST)
    if (warning := not_converged(attrs)) is not None:
        yield f"warning: {warning}"


def not_converged(attrs: Mapping[Any, Any]) -> str | None:
    """Say that an integral wasn't solved well enough, and what to do; None where it was, or there is none."""
    if int(attrs.get("converged", 1)):
        return None
    steps = int(np.max(attrs["n_steps"]))
    counted = f"{steps} step{'s' if steps > 1 else ''}"
    delta = max(np.atleast_1d(attrs["convergence_delta"]).tolist(), key=abs)
    return (
        f"not converged in {counted} (converged = 0): the attributions' sum misses the change of the target "
        f"by {delta:.3g} (convergence_delta); take more steps, such as {4 * steps}"
    )


def _place(dataset: xr.Dataset) -> str:
    try:
        return f" of {locus_of(dataset)}"
    except ResultError:
        return ""


def _line(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_line, value))
    return " ".join(str(value).split())
