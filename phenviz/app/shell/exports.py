"""Files made of what is on screen: figures and data."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import xarray as xr

from phenviz.app.shell.limits import KEEPER, current_user
from phenviz.app.shell.uploads import private_directory
from phenviz.errors import ResultError
from phenviz.formats import FIGURE, menu_of
from phenviz.genome.locus import Locus, file_stem
from phenviz.results import kind_of, locus_of
from phenviz.results.display import Display
from phenviz.saving import save

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime
    from phenviz.data.own_tracks import OwnTrack
    from phenviz.figures import LocusFigure

FIGURE_FORMATS = {words: suffix for suffix, words in FIGURE.items()}
REPORT_FORMAT = {"Report (.html)": ".html"}
DATA_FORMATS = {words: suffix for words, suffix in menu_of("mutagenesis").items() if suffix not in FIGURE}
_MIME = {".svg": "image/svg+xml", ".pdf": "application/pdf", ".png": "image/png", ".zip": "application/zip"}
# what a browser is handed through its open connection; larger results are written by the command line
_LARGEST = 256 * 2**20


class File(NamedTuple):
    """A file for the browser to save."""

    name: str
    content: bytes
    mime: str


def saved_file(dataset: xr.Dataset, name: str, suffix: str) -> File:
    """Write a result as `phenviz.save` does; several files (one bigWig per context) become one ZIP.

    Raises
    ------
    ResultError
        If the kind of result doesn't fit the format, or the file would be too large for a browser.
    """
    if dataset.nbytes > _LARGEST:
        raise ResultError(
            f"this result holds {dataset.nbytes / 1e9:.1f} GB, too much to hand to a browser: zoom in, or "
            "tick fewer contexts"
        )
    with private_directory() as folder:
        return packed(save(dataset, folder / f"{name}{suffix}"), f"{name}{suffix}")


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
    runtime: Runtime,
    display: Display,
    dataset: xr.Dataset | None,
    suffix: str,
    own: Sequence[OwnTrack] = (),
) -> Callable[[], File]:
    """Return what makes a file of a view of the Explore page; arguments as of `explore_drawing`.

    Parameters
    ----------
    suffix
        One of `FIGURE_FORMATS`.
    """
    draw, locus = explore_drawing(runtime, display, dataset, own), display.locus
    name = f"phenviz_{file_stem(locus)}"
    return lambda: figure_file(draw(), name, suffix)


def explore_drawing(
    runtime: Runtime, display: Display, dataset: xr.Dataset | None, own: Sequence[OwnTrack] = ()
) -> Callable[[], LocusFigure]:
    """Return what draws a view of the Explore page as a publication figure.

    Parameters
    ----------
    runtime
        World and model service: the figure's activity is predicted, or found in the store.
    display
        What is on screen, and with which scales.
    dataset
        The result on screen.
    own
        Tracks of the user's own.
    """
    service = runtime.service
    if service is None:
        raise ResultError("the model is still being loaded: export again in a few seconds")
    kind = kind_of(dataset) if dataset is not None else None
    contexts = list(display.contexts)
    prediction = None
    if contexts and "activity" in display.tracks:
        wide = _whole_points(runtime, display)
        prediction = KEEPER.submit(current_user(), service, "predict", locus=wide, contexts=contexts)

    def draw() -> LocusFigure:
        from phenviz.figures import screen_figure

        return screen_figure(
            display,
            runtime.world.annotation,
            prediction=prediction.result() if prediction is not None else None,
            observed=runtime.peaks(),
            attribution=dataset if kind == "attribution" else None,
            mutagenesis=dataset if kind == "mutagenesis" else None,
            finemapped=runtime.finemapped() if "finemapped" in display.tracks else None,
            own=own,
            transcripts=runtime.world.transcripts if display.transcripts else None,
        )

    return draw


def _whole_points(runtime: Runtime, display: Display) -> Locus:
    """Widen a view so that the points at its ends hold all that they hold on screen."""
    locus = display.locus
    step = max(display.activity.bases if display.activity is not None else 0, 1)
    end = min(-(-locus.end // step) * step, runtime.world.reference.length(locus.contig))
    return Locus(locus.contig, locus.start // step * step, end)


def stem(dataset: xr.Dataset) -> str:
    """Return a file name that says what is in it, without its suffix."""
    locus = locus_of(dataset)
    what = next((name for name in ("effect", "attribution", "activity") if name in dataset), "result")
    what = {"effect": "mutagenesis"}.get(what, what)
    return f"phenviz_{what}_{file_stem(locus)}"
