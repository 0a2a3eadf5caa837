"""The model service: one per process; it runs jobs, shares them and remembers their results."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import xarray as xr

from phenviz.errors import JobError
from phenviz.results.threads import import_for_threads
from phenviz.service.device import pick_device, settle_worker_thread
from phenviz.service.job_types import Registry, Request
from phenviz.service.jobs import Job
from phenviz.service.runner import Runner
from phenviz.service.runtime_estimates import CostBook, Estimate
from phenviz.service.session_store import SessionStore
from phenviz.service.shared_task import Store, Work
from phenviz.service.standard import KINDS
from phenviz.service.store import ResultStore
from phenviz.service.verbs import Verbs
from phenviz.service.worker import Worker

if TYPE_CHECKING:
    from phenviz.world import World

# a page waits for a few jobs at a time, and dozens of people may open one at once
DEFAULT_MAX_QUEUE = 256
# finished jobs that can be reopened by id: so many, and with so many bytes of results in memory
_REMEMBERED_JOBS = 200
_REMEMBERED_BYTES = 256 * 2**20
_CLOSE_SECONDS = 10.0


class ModelService(Verbs):
    """Runs the world's models for everybody in this process.

    Work is done by one thread per device, in chunks that go to the result store as they finish. So equal
    requests share one computation, overlapping ones share chunks, a job that was cancelled or whose process
    ended goes on where it stopped when it is asked for again, and a short job is served between the chunks of
    a long one. What the store holds in full is answered by a second thread, without waiting for the device.
    A result too long for memory stays in the store and is read from there as it is looked at.

    What is about people is private: kept in memory for who asked (the ``holder``: one browser tab; None is
    this process, as in a notebook), found by nobody else, and gone after `forget` or `close`.

    Parameters
    ----------
    world
        Reference, annotation and models; see `phenviz.open_world`.
    device
        ``auto`` (CUDA, MPS or CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    store
        Where results are kept: a `ResultStore` or its folder; None for the one in PhenViz' cache.
    max_queue
        Most jobs that may wait or run at a time.
    kinds
        What it can do; by default `phenviz.service.KINDS`.
    costs
        Where run times are kept: a `CostBook` or its file; None for the one in PhenViz' cache.

    Raises
    ------
    ModelError
        If the device isn't available.
    """

    def __init__(
        self,
        world: World,
        device: str | torch.device = "auto",
        *,
        store: ResultStore | str | Path | None = None,
        max_queue: int = DEFAULT_MAX_QUEUE,
        kinds: Registry | None = None,
        costs: CostBook | str | Path | None = None,
    ) -> None:
        import_for_threads()
        self.world = world
        self.device = pick_device(device)
        self.store = store if isinstance(store, ResultStore) else ResultStore(store)
        self.costs = costs if isinstance(costs, CostBook) else CostBook(costs)
        self.max_queue = max_queue
        self._kinds = kinds if kinds is not None else KINDS
        self._runner = Runner(world, self.device, self.costs)
        self._sessions: dict[str | None, SessionStore] = {}
        self._lock = threading.RLock()
        self._active: dict[str, Work] = {}
        self._kept: weakref.WeakValueDictionary[str, Work] = weakref.WeakValueDictionary()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._closed = False
        self._compute_worker = Worker(f"phenviz-{self.device}", self._compute_next, settle_worker_thread)
        self._store_worker = Worker("phenviz-store", self._read_next)
        _OPEN_SERVICES.add(self)

    def __enter__(self) -> ModelService:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        kind: str | Request,
        *,
        holder: str | None = None,
        private: bool = False,
        patient: bool = False,
        **params: Any,
    ) -> Job:
        """Ask for a computation and go on.

        Parameters
        ----------
        kind
            ``predict``, ``mutagenesis``, ``attribute``, ``variant_effects``, ``personal``, ``expression`` or
            another one; or a request that was made already.
        holder
            Who asks, for instance a browser session: asking twice for the same gives it its own job again,
            if that isn't private.
        private
            Whether this is about a person, so that it is kept in memory for the holder only; what is about
            people by its kind (``personal``, ``expression``, variants of a file with genotypes) is so anyway.
        patient
            Whether nobody waits for it, so that it is done while nothing else is to be done.
        **params
            As in the method of the same name.

        Returns
        -------
        Job
            It shares its work with other jobs that ask for the same; done already if the result is in memory.

        Raises
        ------
        PhenvizError
            If the request can't be fulfilled: unknown parameter, locus or context, too much memory, full
            queue.
        """
        request = self._checked(kind, params)
        private = private or request.private
        key = self._key(request, **({"private": [holder]} if private else {}))
        with self._lock:
            self._check_open()
            if (known := self._usable(key)) is not None:
                known.patient &= patient
                return self._job_on(known, holder)
        # outside of the lock: looking up thousands of chunks must not hold up the other sessions
        store = self._store(holder, private)
        work = self._runner.plan(key, request, request.chunks(self.world), store)
        with self._lock:
            self._check_open()
            if (other := self._usable(key)) is not None:
                other.patient &= patient
                return self._job_on(other, holder)
            self._check_queue()
            work.patient = patient
            job = self._job_on(work, holder)
            self._active[key] = work
            (self._compute_worker if work.missing_units else self._store_worker).add(work)
        return job

    def estimate(
        self, kind: str | Request, *, holder: str | None = None, private: bool = False, **params: Any
    ) -> Estimate:
        """Say what a job would cost, before it is asked for with `submit`; takes milliseconds."""
        request = self._checked(kind, params)
        store = self._store(holder, private or request.private)
        return self._runner.estimate(request, request.chunks(self.world), store)

    def seconds(self, kind: str, units: float, flavour: str = "") -> float:
        """Say how long so much work of a kind takes here, as far as this machine has learnt it.

        Parameters
        ----------
        kind
            Name of the kind.
        units
            In the kind's own unit.
        flavour
            As the requests' ``flavour`` names it.
        """
        return self._runner.seconds(self._kinds[kind], units, flavour)

    def is_running(self, kind: str | Request, **params: Any) -> bool:
        """Tell whether this waits or runs already, for whoever has asked: asking again joins it."""
        key = self._key(self._checked(kind, params))
        with self._lock:
            work = self._active.get(key)
        return work is not None and work.usable and not work.over

    def forget(self, holder: str | None) -> None:
        """Let go of all that is private to a holder, as when its tab is closed: results, inputs, jobs."""
        with self._lock:
            self._forget(holder)

    def job(self, id: str, holder: str | None = None) -> Job:
        """Return a job by its id; a private one to its holder only.

        Raises
        ------
        JobError
            If it isn't there (any more).
        """
        with self._lock:
            job = self._jobs.get(id)
            if job is not None and (not job.private or job.holder == holder):
                return job
        raise JobError(f"job {id!r} isn't there any more: ask again, the store knows what was finished")

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Jobs that wait, run or are remembered, the newest first; no tab's private ones."""
        with self._lock:
            known = reversed(self._jobs.values())
            return tuple(job for job in known if not job.private or job.holder is None)

    def close(self) -> None:
        """Cancel what waits and runs, and end the threads. Finished chunks stay in the store."""
        with self._lock:
            self._closed = True
            works = list(self._active.values())
            self._active.clear()
        for work in works:
            work.give_up()
        for worker in (self._compute_worker, self._store_worker):
            worker.close(_CLOSE_SECONDS)
        for work in works:
            work.end("cancelled")
        with self._lock:
            for holder in {None, *self._sessions}:
                self._forget(holder)
        _OPEN_SERVICES.discard(self)

    def _checked(self, kind: str | Request, params: Mapping[str, Any]) -> Request:
        if isinstance(kind, Request):
            return kind.read(self.world, {**kind.given(), **params})
        return self._kinds[kind].read(self.world, params)

    def _key(self, request: Request, **others: Any) -> str:
        return self._runner.key(type(request), {"whole": request, **others})

    def _wait(self, kind: str, *, private: bool = False, **params: Any) -> xr.Dataset:
        if self._compute_worker.is_current() or self._store_worker.is_current():
            raise JobError(
                f"{kind} was asked for from within a job, which would wait for ever: call its function"
            )
        return self.submit(kind, private=private, **params).result()

    def _store(self, holder: str | None, private: bool) -> Store:
        with self._lock:
            return self._sessions.setdefault(holder, SessionStore()) if private else self.store

    def _forget(self, holder: str | None) -> None:
        if (store := self._sessions.pop(holder, None)) is not None:
            store.clear()
        gone = [job for job in self._jobs.values() if job.private and job.holder == holder]
        for job in gone:
            del self._jobs[job.id]
            job.cancel()
        for work in {job._work for job in gone}:
            self._kept.pop(work.key, None)
            work.forget()

    def _usable(self, key: str) -> Work | None:
        works = (self._active.get(key), self._kept.get(key))
        return next((work for work in works if work is not None and work.usable), None)

    def _job_on(self, work: Work, holder: str | None) -> Job:
        # a page cancels what it asked for privately when it asks anew, maybe for the same: each has its own
        shared = holder is not None and not work.private
        own = [job for job in work.jobs if shared and job.holder == holder]
        # what is done can't be cancelled by one to the harm of another, so all can have the same job
        known = own or (work.jobs if work.over else ())
        job = known[0] if known else Job(work, self._release, holder)
        if not known:
            work.jobs = (*work.jobs, job)
        self._jobs[job.id] = job
        self._forget_old_jobs()
        return job

    def _forget_old_jobs(self) -> None:
        ended = {id(job._work): job._work for job in self._jobs.values() if job._work.over}
        held = sum(work.held_bytes for work in ended.values())
        for job in list(self._jobs.values()):
            if len(self._jobs) <= _REMEMBERED_JOBS and held <= _REMEMBERED_BYTES:
                return
            if job.over:
                del self._jobs[job.id]
                work = ended.pop(id(job._work), None)
                held -= work.held_bytes if work is not None else 0

    def _check_open(self) -> None:
        if self._closed:
            raise JobError("the model service is closed: make a new ModelService")

    def _check_queue(self) -> None:
        if len(self._active) >= self.max_queue:
            raise JobError(
                f"{len(self._active)} jobs are already waiting or running, which is the limit: wait "
                "until one is done, or cancel one"
            )

    def _release(self, job: Job) -> bool:
        """Take a cancelled job off its work; tell whether others go on with it."""
        work = job._work
        with self._lock:
            others = tuple(other for other in work.jobs if other is not job and not other.cancelled)
            if others:
                work.jobs = others
                return True
            # from now on, who asks for the same gets a work of his own
            if self._active.get(work.key) is work:
                del self._active[work.key]
        work.give_up()
        if work.over:
            self._compute_worker.remove(work)
            self._store_worker.remove(work)
        return False

    # --- working, in the workers' threads

    def _compute_next(self, work: Work) -> bool:
        self._runner.step(work, compute=True)
        return self._stays(work)

    def _read_next(self, work: Work) -> bool:
        if self._runner.step(work, compute=False):
            return self._stays(work)
        # an entry turned out to be damaged, or was evicted meanwhile
        self._compute_worker.add(work)
        return False

    def _stays(self, work: Work) -> bool:
        if not work.over:
            return True
        with self._lock:
            if self._active.get(work.key) is work:
                del self._active[work.key]
            if work.state == "done":
                self._kept[work.key] = work
            self._forget_old_jobs()
        return False


_OPEN_SERVICES: weakref.WeakSet[ModelService] = weakref.WeakSet()
_SHARED_SERVICES: dict[tuple[int, str], ModelService] = {}
_SHARED_LOCK = threading.Lock()


def get_service(world: World, device: str | torch.device = "auto") -> ModelService:
    """Return the process's service for a world and a device; made on the first call.

    All sessions of a dashboard use this one, so that they share the device, the queue and the jobs.

    Raises
    ------
    ModelError
        If the device isn't available.
    """
    chosen = pick_device(device)
    with _SHARED_LOCK:
        for key in [key for key, service in _SHARED_SERVICES.items() if service.closed]:
            del _SHARED_SERVICES[key]  # it holds its world, which may be large
        service = _SHARED_SERVICES.get((id(world), str(chosen)))
        # the service holds its world, so that no other world gets its id
        if service is None:
            service = _SHARED_SERVICES[id(world), str(chosen)] = ModelService(world, chosen)
        return service


@atexit.register
def _close_all() -> None:
    # a daemon thread that is inside of PyTorch while the interpreter goes away can crash the process
    for service in list(_OPEN_SERVICES):
        service.close()
