"""Predicted activity of whole contigs, computed where somebody looks and shared by all sessions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from phenviz.data.cache import MEMORY, RecentlyUsed
from phenviz.genome.codes import N_CODE
from phenviz.genome.locus import Locus
from phenviz.results.overview import OVERVIEW_BINS
from phenviz.tracks import Pyramid
from phenviz.tracks.pyramid import OVERVIEW_FROM

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.service import Job, ModelService
    from phenviz.world import World

# which of the model's contexts a pyramid holds, in their order; and of which contig
Rows: TypeAlias = tuple[int, ...]
_Key: TypeAlias = tuple[str, Rows]
LOG = logging.getLogger("phenviz.app")
# The service's own cells, on a fixed grid: who moves a little finds there what lies beside the view.
_TILE_BASES = 2**18
# A pyramid holds all contexts of a model that has at most so many; of others, those that are drawn.
_MOST_ROWS = 256
# Overviews of contigs that are made without being asked for; longer ones are begun where somebody looks.
_SET_UP_SECONDS = 1_800


class ActivityMap:
    """Pyramids of predicted activity, one per contig, filled by jobs for what sessions look at.

    Of a model with thousands of contexts, there is a pyramid of each choice of contexts that is drawn.

    Long views take an overview of their contig (`phenviz.service.ModelService.overview`) instead of single
    bins. It is made once, in the background, when a dashboard starts with a model, and kept in the store.

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
        # what a tab draws stays as long as it does; the others as long as there is room
        self._pyramids: WeakValueDictionary[_Key, Pyramid] = WeakValueDictionary()
        self._kept = RecentlyUsed[_Key, Pyramid](MEMORY.limit, lambda pyramid: pyramid.nbytes, MEMORY)
        self._wishes: dict[object, tuple[Locus, Rows]] = {}
        self._jobs: dict[object, list[Job]] = {}
        self._overviews: dict[str, Job] = {}
        self._shares: dict[object, tuple[int, tuple[Locus, Rows] | None, float]] = {}
        self._lock = threading.RLock()
        self.version = 0
        self.error: str | None = None

    def start(self) -> None:
        """Ask for what is wished for as soon as the model is loaded."""
        self._service_ready.add_done_callback(lambda _ready: self._begin())

    def stop(self) -> None:
        """Drop all wishes."""
        for who in list(self._wishes):
            self.forget(who)
        for job in self._overviews.values():
            job.cancel()

    def rows(self, contexts: Sequence[str]) -> Rows:
        """Return which of the model's contexts a pyramid holds from which some can be drawn."""
        every = range(len(self._world.contexts))
        if len(every) <= _MOST_ROWS:
            return tuple(every)
        drawn = set(contexts)
        return tuple(row for row in every if self._world.contexts[row].name in drawn) or (0,)

    def pyramid(self, contig: str, rows: Rows | None = None) -> Pyramid | None:
        """Return the pyramid of a contig, empty at first; None while the model is loading.

        Parameters
        ----------
        rows
            As `rows` returns them; by default all contexts.
        """
        if self._service is None:
            return None
        key = (contig, tuple(range(len(self._world.contexts))) if rows is None else rows)
        with self._lock:
            pyramid = self._pyramids.get(key)
            if pyramid is None:
                bin_size, count = self._world.backbone.bin_size, self._n_bins(contig)
                pyramid = self._pyramids[key] = Pyramid(count, len(key[1]), bin_size)
                self.version += 1
                if contig in self._overviews:
                    self._take_overview(contig, self._overviews[contig])
            if self._kept.get(key) is None:
                self._kept.put(key, pyramid)
            return pyramid

    def want(self, who: object, locus: Locus, rows: Rows | None = None) -> None:
        """Ask for the activity of what a session looks at now; what it asked for before is cancelled."""
        wish = locus, self.rows([]) if rows is None else rows
        with self._lock:
            self._wishes[who] = wish
            self.error = None
            before = self._jobs.pop(who, [])
        try:
            # first what is new: work that both share goes on
            jobs = self._ask(*wish) if self._service is not None else []
        except Exception as error:
            LOG.exception("%s can't be predicted: the wish for it is dropped", locus)
            self._fail(who, str(error))
            jobs = []
        with self._lock:
            self._jobs[who] = jobs
        for job in jobs:
            job.subscribe(partial(self._take, who, locus.contig))
        for job in before:
            job.cancel()

    def forget(self, who: object) -> None:
        """Drop a session's wish."""
        with self._lock:
            self._wishes.pop(who, None)
            self._shares.pop(who, None)
            jobs = self._jobs.pop(who, [])
        for job in jobs:
            job.cancel()

    def covered(self, who: object) -> float:
        """Share (0 to 1) of what a session asked for that is there."""
        wish = self._wishes.get(who)
        if wish is None or (pyramid := self.pyramid(wish[0].contig, wish[1])) is None:
            return 0.0
        # asked for several times a second, for up to millions of bins
        version, known, share = self._shares.get(who, (-1, None, 0.0))
        if (version, known) != (self.version, wish):
            version, share = self.version, pyramid.covered(*self._bins(wish[0]))
            self._shares[who] = (version, wish, share)
        return share

    @property
    def _service(self) -> ModelService | None:
        ready = self._service_ready
        return ready.result() if ready.done() and ready.exception() is None else None

    def _begin(self) -> None:
        if (failure := self._service_ready.exception()) is not None:
            self.error = str(failure)
            return
        for who, (locus, rows) in list(self._wishes.items()):
            self.want(who, locus, rows)
        try:
            self._begin_overviews()
        except Exception:
            LOG.exception("no overview of whole contigs can be made now: it is where somebody looks at one")

    def _begin_overviews(self) -> None:
        service, left = self._service, float(_SET_UP_SECONDS)
        assert service is not None
        for contig, length in self._world.reference.contigs.items():
            if self._n_bins(contig) < OVERVIEW_FROM:
                continue
            whole = Locus(contig, 0, length)
            left -= service.estimate("overview", locus=whole).seconds
            if left < 0:
                return
            job = service.submit("overview", locus=whole, patient=True)
            with self._lock:
                self._overviews[contig] = job
            job.subscribe(partial(self._take_overview, contig))

    def _n_bins(self, contig: str) -> int:
        return -(-self._world.reference.contigs[contig] // self._world.backbone.bin_size)

    def _bins(self, locus: Locus) -> tuple[int, int]:
        bin_size = self._world.backbone.bin_size
        return locus.start // bin_size, -(-locus.end // bin_size)

    def _ask(self, locus: Locus, rows: Rows) -> list[Job]:
        """Ask for the tiles of a locus that are missing, the middle one by itself, which so comes first."""
        service, pyramid = self._service, self.pyramid(locus.contig, rows)
        assert service is not None and pyramid is not None
        step = max(self._tile_bases // self._world.backbone.bin_size, 1)
        first, last = self._bins(locus)
        if last - first >= OVERVIEW_FROM:
            return self._ask_overview(locus) if pyramid.lacks_overview(first, last) else []
        tiles = [
            tile
            for tile in range(first // step, -(-last // step))
            if pyramid.missing(max(tile * step, first), min((tile + 1) * step, last))
        ]
        wanted = [tile for tile in tiles if not self._is_gap(locus.contig, tile, step)]
        if not wanted:
            return []
        known = set(wanted)
        middle = min(wanted, key=lambda tile: abs((2 * tile + 1) * step - first - last))
        begins = [tile for tile in wanted if tile - 1 not in known or tile in (middle, middle + 1)]
        runs = [
            [tile for tile in wanted if begin <= tile < end]
            for begin, end in pairwise([*begins, wanted[-1] + 1])
        ]
        return [
            service.submit("predict", locus=self._part(locus.contig, run[0] * step, (run[-1] + 1) * step))
            for run in runs
        ]

    def _ask_overview(self, locus: Locus) -> list[Job]:
        """Ask for an overview of a long locus: first the half of it in the middle, then the rest."""
        service = self._service
        assert service is not None
        first, last = (border // OVERVIEW_BINS for border in self._bins(locus))
        quarter = (last - first) // 4
        borders = [first, first + quarter, last - quarter, last + 1]
        parts = [
            self._part(locus.contig, begin * OVERVIEW_BINS, end * OVERVIEW_BINS)
            for begin, end in pairwise(borders)
        ]
        return [service.submit("overview", locus=part) for part in (parts[1], parts[0], parts[2])]

    def _part(self, contig: str, first: int, last: int) -> Locus:
        """Return the bases of bins, as far as the contig goes."""
        bin_size = self._world.backbone.bin_size
        return Locus(contig, first * bin_size, min(last * bin_size, self._world.reference.contigs[contig]))

    def _is_gap(self, contig: str, tile: int, step: int) -> bool:
        """Tell whether a tile holds nothing but N; the model is never asked, and nothing is to come."""
        part = self._part(contig, tile * step, (tile + 1) * step)
        if not (self._world.reference.fetch_codes(contig, part.start, part.end) == N_CODE).all():
            return False
        first, last = self._bins(part)
        for rows, _ in self._of(contig):
            self._write(contig, rows, first, np.zeros((len(rows), last - first), dtype=np.float32))
        return True

    def _take(self, who: object, contig: str, job: Job) -> None:
        """Take over what a job has finished; called in the service's thread."""
        if job.kind == "overview":
            self._take_overview(contig, job)
        else:
            for tile in job.partials:
                self._write_missing(contig, tile)
        if job.state == "failed":
            LOG.error("predicting %s failed: %s", job.params["locus"], job.error)
            # said once on screen; tried again at the next move instead of for ever
            self._fail(who, job.error or "")

    def _take_overview(self, contig: str, job: Job) -> None:
        """Take over what a job has summarised, if somebody has looked at its contig."""
        bin_size = self._world.backbone.bin_size
        names = ("minimum", "activity", "maximum")
        with self._lock:
            for rows, pyramid in self._of(contig):
                for tile in job.partials:
                    first = int(tile["bin_start"].values[0]) // bin_size
                    if pyramid.lacks_overview(first, first + OVERVIEW_BINS * tile.sizes["bin"]):
                        pyramid.write_overview(first, *(tile[name].to_numpy()[list(rows)] for name in names))
                        self.version += 1
                # it has grown
                self._kept.put((contig, rows), pyramid)

    def _of(self, contig: str) -> list[tuple[Rows, Pyramid]]:
        """Return the pyramids of a contig that somebody draws, and which contexts each one holds."""
        return [(rows, pyramid) for (of, rows), pyramid in list(self._pyramids.items()) if of == contig]

    def _write_missing(self, contig: str, tile: xr.Dataset) -> None:
        first = int(tile["bin_start"].values[0]) // self._world.backbone.bin_size
        for rows, pyramid in self._of(contig):
            missing = pyramid.missing(first, first + tile.sizes["bin"])
            values = tile["activity"].to_numpy()[list(rows)] if missing else np.empty((0, 0))
            for start, end in missing:
                self._write(contig, rows, start, values[:, start - first : end - first])

    def _write(self, contig: str, rows: Rows, first: int, values: np.ndarray) -> None:
        with self._lock:
            pyramid = self.pyramid(contig, rows)
            assert pyramid is not None
            pyramid.write(first, values)
            # it has grown
            self._kept.put((contig, rows), pyramid)
            self.version += 1

    def _fail(self, who: object, error: str) -> None:
        with self._lock:
            self.error = error
            self._wishes.pop(who, None)
