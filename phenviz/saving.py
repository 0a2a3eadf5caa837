"""Save any result as any file that it can be: ``phenviz.save(effects, "effects.svg")``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phenviz.formats import FIGURE, FORMATS, suffix_of, writer_of

if TYPE_CHECKING:
    import xarray as xr


def save(dataset: xr.Dataset, path: str | os.PathLike[str], **how: Any) -> tuple[Path, ...]:
    """Write a result; the suffix says what: data, an interval file, a table or a figure.

    Parameters
    ----------
    dataset
        A result of any kind.
    path
        Where to; `phenviz.formats.FORMATS` says which suffixes fit which kind. An older file is
        replaced only once the new one is complete.
    **how
        Of figures: ``annotation`` (`phenviz.World.annotation`) draws genes and elements beside a locus,
        ``figure`` (``heatmap``, ``bars``, ``forest``, ``slide``) chooses one of hypotheses. Of data:
        ``progress``.

    Returns
    -------
    tuple[Path, ...]
        Files written: one, or one bigWig for each context.

    Raises
    ------
    ResultError
        If the suffix doesn't fit the kind, the folder is missing, or the disk refuses.

    Examples
    --------
    >>> effects = service.mutagenesis("chr20:1,600,901-1,600,950")  # doctest: +SKIP
    >>> phenviz.save(effects, "effects.parquet")  # doctest: +SKIP
    """
    from phenviz.results import check_suffix

    kind, path = format_kind(dataset), Path(path)
    check_suffix(path, FORMATS[kind])
    suffix = suffix_of(path, tuple(FORMATS[kind]))
    assert suffix is not None
    # those who can write it register so when they are imported
    if suffix in FIGURE:
        import phenviz.figures
    elif kind == "hypotheses":
        import phenviz.disease  # noqa: F401 - registers
    if (writer := writer_of(kind, suffix)) is not None:
        return tuple(writer(dataset, path, **how))
    from phenviz.results import save as save_data

    return save_data(dataset, path, **how)


def format_kind(dataset: xr.Dataset) -> str:
    """Return which row of `FORMATS` a result belongs to."""
    from phenviz.results import kind_of

    if {"p_value", "z"} <= set(dataset.data_vars) and {"trait", "context", "method"} <= set(dataset.dims):
        return "hypotheses"
    kind = kind_of(dataset) or ""
    if kind == "prediction" and "haplotype" in dataset.dims:
        return "haplotypes"
    return kind if kind in FORMATS else ""
