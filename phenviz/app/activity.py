"""Predicted activity of whole contigs, computed where somebody looks and shared by all sessions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

from phenviz.errors import Cancelled
from phenviz.genome.codes import N_CODE
from phenviz.genome.locus import Locus
from phenviz.tracks import Pyramid

if TYPE_CHECKING:
    from phenviz.service import ModelService
    from phenviz.world import World

LOG = logging.getLogger("phenviz.app")
# A tile takes well under a second, so that a run a user starts never waits long behind the view's own
# prediction; on a fixed grid, so that the result store knows it again in every session.
_TILE_BASES = 2**18


class ActivityMap:
    """Pyramids of predicted activity, one a contig, filled tile by tile.

    Parameters
    ----------
    world
        Gives contigs and contexts.
    service_ready
        Resolves to the model service once the model is loaded.
    """

    def __init__(
        self, world: World, service_ready: Future[ModelService], tile_bases: int = _TILE_BASES
    ) -> None:
        self._world = world
        self._service_ready = service_ready
        self._tile_bases = tile_bases
        self._pyramids: dict[str, Pyramid] = {}
        self._wishes: dict[object, Locus] = {}
        self._wake = threading.Condition(threading.RLock())
        self._stopped = False
        self.version = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to answer wishes."""
        threading.Thread(target=self._work, name="phenviz-activity", daemon=True).start()

    def stop(self) -> None:
        """Stop after the present tile."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()

    def pyramid(self, contig: str) -> Pyramid | None:
        """Return the pyramid of a contig, empty at first; None while the model is loading."""
        bin_size = self._bin_size()
        if bin_size is None:
            return None
        with self._wake:
            if contig not in self._pyramids:
                self._pyramids[contig] = Pyramid(self._n_bins(contig), len(self._world.contexts), bin_size)
            return self._pyramids[contig]

    def want(self, who: object, locus: Locus) -> None:
        """Ask for the activity of what a session looks at now; replaces what it asked for before."""
        with self._wake:
            self._wishes.pop(who, None)
            self._wishes[who] = locus  # the latest wish is answered first
            self.error = None
            self._wake.notify_all()

    def forget(self, who: object) -> None:
        """Drop a session's wish."""
        with self._wake:
            self._wishes.pop(who, None)

    def covered(self, who: object) -> float:
        """Share (0 to 1) of what a session asked for that is there."""
        locus = self._wishes.get(who)
        if locus is None or self._bin_size() is None:
            return 0.0
        first, last = self._bins(locus)
        return 1.0 - sum(b - a for a, b in self._missing(locus)) / (last - first)

    def _bin_size(self) -> int | None:
        ready = self._service_ready
        return int(self._world.backbone.bin_size) if ready.done() and ready.exception() is None else None

    def _n_bins(self, contig: str) -> int:
        return -(-self._world.reference.contigs[contig] // self._world.backbone.bin_size)

    def _bins(self, locus: Locus) -> tuple[int, int]:
        bin_size = self._world.backbone.bin_size
        return locus.start // bin_size, -(-locus.end // bin_size)

    def _missing(self, locus: Locus) -> list[tuple[int, int]]:
        pyramid = self.pyramid(locus.contig)
        assert pyramid is not None
        return [(int(first), int(last)) for first, last in pyramid.missing(*self._bins(locus))]

    def _work(self) -> None:
        try:
            service = self._service_ready.result()
        except Exception as error:
            self.error = error
            return
        for contig, first, last in self._tiles():
            try:
                self._predict(service, contig, first, last)
            except Cancelled:
                continue
            except Exception as error:
                LOG.exception("predicting bins %d-%d of %s failed", first, last, contig)
                with self._wake:
                    # said once on screen; tried again at the next move instead of for ever
                    self.error = error
                    self._wishes.clear()

    def _tiles(self) -> Iterator[tuple[str, int, int]]:
        while True:
            with self._wake:
                tile = self._next_tile()
                while tile is None and not self._stopped:
                    self._wake.wait()
                    tile = self._next_tile()
                if self._stopped:
                    return
            assert tile is not None
            yield tile

    def _next_tile(self) -> tuple[str, int, int] | None:
        for who, locus in reversed(list(self._wishes.items())):
            try:
                tile = self._tile_of(locus)
            except Exception:
                # one session's impossible wish must not stop the thread that all sessions share
                LOG.exception("%s can't be predicted: the wish for it is dropped", locus)
                self._wishes.pop(who)
                continue
            if tile is not None:
                return tile
        return None

    def _tile_of(self, locus: Locus) -> tuple[str, int, int] | None:
        step = max(self._tile_bases // self._world.backbone.bin_size, 1)
        missing = self._missing(locus)
        if not missing:
            return None
        middle = sum(self._bins(locus)) // 2
        nearest = [min(max(middle, first), last - 1) for first, last in missing]
        # what is nearest to the middle of the view comes first
        first = min(nearest, key=lambda at: abs(at - middle)) // step * step
        return locus.contig, first, min(first + step, self._n_bins(locus.contig))

    def _predict(self, service: ModelService, contig: str, first: int, last: int) -> None:
        bin_size = self._world.backbone.bin_size
        length = self._world.reference.contigs[contig]
        locus = Locus(contig, first * bin_size, min(last * bin_size, length))
        if (self._world.reference.fetch_codes(contig, locus.start, locus.end) == N_CODE).all():
            # a gap of the assembly: the model is never asked, and there is nothing to come back to
            activity = np.zeros((len(self._world.contexts), last - first), dtype=np.float32)
        else:
            activity = service.submit("predict", locus=locus).result()["activity"].to_numpy()
        with self._wake:
            self._pyramids[contig].write(first, activity)
            self.version += 1
