"""Files made of what is on screen: figures and data."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import xarray as xr

from phenviz.app.state import ExploreState
from phenviz.app.uploads import private_directory
from phenviz.errors import ResultError
from phenviz.genome.locus import Locus, shown_contig
from phenviz.results import kind_of, locus_of, save

if TYPE_CHECKING:
    from phenviz.app.runtime import Runtime

DATA_FORMATS = {"Parquet": ".parquet", "NetCDF": ".nc", "BED": ".bed", "bigWig": ".bw"}
FIGURE_FORMATS = {"SVG": ".svg", "PDF": ".pdf", "PNG": ".png"}
_MIME = {".svg": "image/svg+xml", ".pdf": "application/pdf", ".png": "image/png", ".zip": "application/zip"}
# what a browser is handed through its open connection; larger results are written by the command line
_LARGEST = 256 * 2**20


class File(NamedTuple):
    """A file for the browser to save."""

    name: str
    content: bytes
    mime: str


def data_file(dataset: xr.Dataset, suffix: str) -> File:
    """Write a result in a data format; several files (one bigWig a context) become one ZIP.

    Raises
    ------
    ResultError
        If the kind of result doesn't fit the format, or the file would be too large for a browser.
    """
    if dataset.nbytes > _LARGEST:
        raise ResultError(
            f"this result holds {dataset.nbytes / 1e9:.1f} GB, too much to hand to a browser: "
            f"write it with the command line (`phenviz ... -o file{suffix}`)"
        )
    with private_directory() as folder:
        return packed(save(dataset, folder / f"{stem(dataset)}{suffix}"), f"{stem(dataset)}{suffix}")


def packed(written: Sequence[Path], name: str) -> File:
    """Return what was written as one file: several become a ZIP of this name."""
    if len(written) == 1:
        return File(written[0].name, written[0].read_bytes(), "application/octet-stream")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for path in written:
            zipped.write(path, path.name)
    return File(f"{name}.zip", archive.getvalue(), _MIME[".zip"])


def figure_file(figure: object, name: str, suffix: str) -> File:
    """Write a figure (anything with ``save(path)``) in a figure format."""
    with private_directory() as folder:
        path = folder / f"{name}{suffix}"
        figure.save(path)  # type: ignore[attr-defined]
        return File(path.name, path.read_bytes(), _MIME[suffix])


def explore_figure_file(
    runtime: Runtime, state: ExploreState, dataset: xr.Dataset | None, suffix: str
) -> Callable[[], File]:
    """Take what the tracks show now; return what draws it as a publication figure.

    Parameters
    ----------
    runtime
        World and model service: the figure's activity is predicted, or found in the store.
    state
        Locus, contexts, style, hidden tracks and highlight.
    dataset
        The result on screen.
    suffix
        One of `FIGURE_FORMATS`.
    """
    service = runtime.service
    if service is None:
        raise ResultError("the model is still being loaded: export again in a few seconds")
    locus, contexts, hidden = state.locus, list(state.contexts), frozenset(state.hidden)
    style, highlight, focus = state.activity_style, state.highlight, state.focus
    kind = kind_of(dataset) if dataset is not None else None
    drawn = _inside(dataset, locus) if kind in ("mutagenesis", "attribution") and kind not in hidden else None
    activity = contexts and "activity" not in hidden
    prediction = service.submit("predict", locus=locus, contexts=contexts) if activity else None

    def make() -> File:
        from phenviz.figures import VariantMarks, explore_figure

        one_base = highlight is not None and highlight.length == 1
        figure = explore_figure(
            locus,
            annotation=runtime.world.annotation,
            prediction=prediction.result() if prediction is not None else None,
            observed=None if "observed" in hidden else runtime.peaks(),
            attribution=drawn if kind == "attribution" else None,
            mutagenesis=of_focus(drawn, focus) if kind == "mutagenesis" else None,
            contexts=contexts or None,
            style=style,
            without=hidden,
            focus=None if one_base else highlight,
            overlays=[VariantMarks([highlight.start])] if one_base and highlight is not None else [],
        )
        name = f"phenviz_{shown_contig(locus.contig)}_{locus.start + 1}-{locus.end}"
        return figure_file(figure, name, suffix)

    return make


def of_focus(dataset: xr.Dataset | None, focus: str) -> xr.Dataset | None:
    """Return the one context of a mutagenesis that is looked at, as the tracks do."""
    if dataset is None or focus not in dataset["context"].values.astype(str):
        return dataset
    return dataset.sel(context=[focus])


def _inside(dataset: xr.Dataset | None, locus: Locus) -> xr.Dataset | None:
    """Return a result if part of it lies in the window."""
    return dataset if dataset is not None and locus_of(dataset).overlaps(locus) else None


def stem(dataset: xr.Dataset) -> str:
    """Return a file name that says what is in it, without its suffix."""
    locus = locus_of(dataset)
    what = next((name for name in ("effect", "attribution", "activity") if name in dataset), "result")
    what = {"effect": "mutagenesis"}.get(what, what)
    return f"phenviz_{what}_{shown_contig(locus.contig)}_{locus.start + 1}-{locus.end}"
