"""Work: what is computed once, however many ask for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import xarray as xr

from phenviz.errors import PhenvizError
from phenviz.service.result_buffer import ResultBuffer, StoredBuffer
from phenviz.service.session_store import SessionStore
from phenviz.service.store import ResultStore

if TYPE_CHECKING:
    from phenviz.service.job_types import Chunk, Request
    from phenviz.service.jobs import Job

State = Literal["queued", "running", "done", "failed", "cancelled"]
Store = ResultStore | SessionStore
TERMINAL: tuple[State, ...] = ("done", "failed", "cancelled")

# the part of the work after which the observed speed alone decides about the time left
_TRUSTED_PART = 0.2


class Finished(NamedTuple):
    """How far a work was when somebody looked."""

    progress: float
    buffer: ResultBuffer
    settled: tuple[xr.Dataset, ...]
    tiles: tuple[xr.Dataset, ...]
    result: xr.Dataset | None


class Work:
    """What is computed once for all jobs that ask for it; the service moves it on, chunk by chunk.

    Parameters
    ----------
    key
        Content address of the whole result.
    request
        What is computed.
    chunks
        Chunks that are computed and stored one by one, in the order of the genome.
    seconds
        Expected time of computing.
    missing_units
        Work that the store doesn't hold yet.
    buffer
        Where finished chunks go.
    store
        What finished chunks are found in again.
    """

    def __init__(
        self,
        key: str,
        request: Request,
        chunks: Sequence[Chunk],
        seconds: float,
        missing_units: float,
        buffer: ResultBuffer,
        store: Store,
    ) -> None:
        self.key = key
        self.store = store
        self.request = request
        self.chunks = tuple(chunks)
        self.cancel_event = threading.Event()
        self.changed = threading.Condition()
        self.jobs: tuple[Job, ...] = ()
        # waits until nobody else does
        self.patient = False
        self.state: State = "queued"
        self.stage = "waiting"
        self.error: PhenvizError | None = None
        self.result: xr.Dataset | None = None
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self.buffer = buffer
        self.tiles: list[xr.Dataset] = []
        self.next_chunk = 0
        self.computed_units = 0.0
        self.busy_seconds = 0.0
        self._done_units = 0.0
        self._fraction = 0.0
        self._chunk_began: float | None = None
        self._in_progress = False
        self._total_units = sum(chunk.units for chunk in self.chunks) or 1.0
        self.missing_units = missing_units
        self._expected_seconds = seconds

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in TERMINAL

    @property
    def private(self) -> bool:
        """Whether it is about people: nobody but who asked for it may know of it."""
        return isinstance(self.store, SessionStore)

    @property
    def streamed(self) -> bool:
        """Whether the result stays in the store, and is read from there."""
        return isinstance(self.buffer, StoredBuffer)

    @property
    def held_bytes(self) -> int:
        """Memory that the result takes, or what was finished before a cancel."""
        if self.streamed:
            return 0
        return self.buffer.nbytes if self.result is None else self.result.nbytes

    @property
    def usable(self) -> bool:
        """Whether one who asks for the same can have this."""
        given_up = self.state in ("failed", "cancelled") or self.cancel_event.is_set()
        return not given_up and not self.buffer.lost

    @property
    def progress(self) -> float:
        """Fraction of the whole work that is finished, 0 to 1; it never goes back."""
        # a chunk that ends moves from the fraction to what is done: neither twice nor not at all
        with self.changed:
            if self.state == "done":
                return 1.0
            return min((self._done_units + self._fraction * self._units_now) / self._total_units, 1.0)

    @property
    def seconds_left(self) -> float:
        """Expected time of computing that is left: as estimated at first, as observed later; 0 if unknown."""
        if self.over:
            return 0.0
        busy, computed = self.busy_seconds, self.computed_units
        now = time.monotonic() - self._chunk_began if self._chunk_began is not None else 0.0
        if not self.request.even:
            # what is done of a chunk says nothing of its time: only chunks that are done do
            return max(self._expected(busy, computed) - now, 0.0)
        if now and self._fraction > 0:
            busy += now
            computed += self._fraction * self._units_now
        return self._expected(busy, computed)

    def _expected(self, busy: float, computed: float) -> float:
        """Return the seconds that what is missing takes, where so many units have taken so many seconds."""
        left = max(self.missing_units - computed, 0.0)
        expected = self._expected_seconds * left / self.missing_units if self.missing_units else 0.0
        if computed <= 0:
            return expected
        trust = min(computed / (_TRUSTED_PART * self.missing_units or 1.0), 1.0)
        return trust * left * busy / computed + (1 - trust) * expected

    @property
    def _units_now(self) -> float:
        """Size of the present chunk."""
        # read once: whoever looks from another thread may do so while a chunk ends
        chunks, number = self.chunks, self.next_chunk
        return chunks[number].units if number < len(chunks) else 0.0

    def look(self) -> Finished:
        """Return what is finished now, which doesn't change any more."""
        with self.changed:
            buffer = self.buffer
            return Finished(self.progress, buffer.copy(), tuple(buffer.tiles), tuple(self.tiles), self.result)

    def begin_chunk(self) -> bool:
        """Take the next chunk up; False if the work is over or was given up."""
        with self.changed:
            if self.over or self.cancel_event.is_set():
                return False
            self._in_progress = True
            if self.state == "queued":
                self.state, self.stage, self.started = "running", "starting", datetime.now(UTC)
            self._chunk_began, self._fraction = time.monotonic(), 0.0
        self.notify()
        return True

    def lay_down(self) -> None:
        """Note that nobody is at the work now, and settle it if it was given up meanwhile."""
        with self.changed:
            self._in_progress, self._chunk_began = False, None
            given_up = self.cancel_event.is_set()
        if given_up:
            self.end("cancelled")

    def give_up(self) -> None:
        """Stop: at once if nobody is at it, else at the next look at the cancel event."""
        with self.changed:
            self.cancel_event.set()
            in_progress = self._in_progress
        if not in_progress:
            self.end("cancelled")

    def report(self, stage: str, fraction: float) -> None:
        """Note how far the present chunk is."""
        self.stage, self._fraction = stage, max(self._fraction, fraction)
        self.notify()

    def add_tile(self, tile: xr.Dataset) -> None:
        """Note a finished part of the present chunk."""
        with self.changed:
            self.tiles.append(tile)
        self.notify()

    def end_chunk(self, part: xr.Dataset, computed: bool) -> None:
        """Note a finished chunk."""
        with self.changed:
            if self.over:
                return
            units = self._units_now
            if computed and self._chunk_began is not None:
                self.busy_seconds += time.monotonic() - self._chunk_began
                self.computed_units += units
            self._done_units += units
            self._fraction, self._chunk_began = 0.0, None
            self.next_chunk += 1
            self.tiles.clear()
            self.buffer.add(part)
        self.notify()

    def end(self, state: State, result: xr.Dataset | None = None, error: PhenvizError | None = None) -> bool:
        """Settle the work for good; tell whether it wasn't settled before."""
        with self.changed:
            if self.over:
                return False
            if result is not None:
                # the result holds all of them
                self.buffer.clear()
                self.tiles.clear()
            self._done_units += self._fraction * self._units_now
            # what they compute with may be large, and nobody asks for it again
            self.chunks = ()
            self.result, self.error = result, error
            self.state, self.stage, self.finished = state, state, datetime.now(UTC)
            self._chunk_began = None
            self.changed.notify_all()
        self.notify(at_once=True)
        return True

    def forget(self) -> None:
        """Let go of all that was found out, and of who asked."""
        with self.changed:
            self.jobs, self.result = (), None
            self.buffer.clear()
            self.tiles.clear()

    def notify(self, at_once: bool = False) -> None:
        """Tell those who watch."""
        for job in self.jobs:
            job._tell(at_once)
