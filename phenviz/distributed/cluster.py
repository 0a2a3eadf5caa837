"""Shards on the workers of a Dask cluster: a queue of tasks, without graphs."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from distributed import Client, Future, WorkerPlugin, wait
from distributed.scheduler import KilledWorker

from phenviz.distributed.shard_worker import ShardWorker
from phenviz.distributed.shards import Attempt, Shard
from phenviz.errors import JobError

if TYPE_CHECKING:
    from distributed import Worker

    from phenviz.distributed.shard_folder import ShardFolder
    from phenviz.distributed.shards import Task

_SECONDS_BETWEEN_LOOKS = 0.5
# more attempts than any run makes: what kills workers isn't begun again
_ALL_ATTEMPTS = 1_000
_DIED = "every worker that computed it died: is there enough memory?"
# of this process: the task of each run that it works for
_AT_WORK: dict[str, ShardWorker] = {}


class TaskPlugin(WorkerPlugin):
    """Gives each worker, also one that joins or starts anew, the task of a run; opened once per process.

    Parameters
    ----------
    run
        Name of the run.
    task
        What is to be computed.
    folder
        Where shards are kept.
    """

    def __init__(self, run: str, task: Task, folder: ShardFolder) -> None:
        self.name = f"phenviz-{run}"
        self._run, self._task = run, task
        self._place, self._identity = folder.place, folder.identity

    def setup(self, worker: Worker) -> None:
        """Begin to work for the run; models are loaded with the first shard."""
        from phenviz.distributed.shard_folder import ShardFolder

        _AT_WORK[self._run] = ShardWorker(self._task, ShardFolder(self._place, self._identity))

    def teardown(self, worker: Worker) -> None:
        """Stop working for the run."""
        _stop(self._run)


def compute_on(
    client: Client,
    shards: Sequence[Shard],
    task: Task,
    folder: ShardFolder,
    again: Callable[[Shard, Attempt], bool],
    check: Callable[[], None],
) -> None:
    """Compute shards on a cluster, as many at a time as it has threads.

    Parameters
    ----------
    client
        Of the cluster.
    shards, task, folder
        As in `phenviz.distributed.run`.
    again
        Told of each outcome; returns whether the shard is to be begun again.
    check
        Called now and then; raises if the user asked to stop.
    """
    name = uuid.uuid4().hex[:8]
    queue = deque(shards)
    running: dict[Future, Shard] = {}
    number = 0
    _give(client, TaskPlugin(name, task, folder))
    try:
        while queue or running:
            with _scheduler_there(client):
                # no more than there are threads: a shard that waits on a worker would die with it
                room = max(sum(client.nthreads().values()), 1) - len(running)
                for _ in range(min(room, len(queue))):
                    shard, number = queue.popleft(), number + 1
                    key = f"{name}-{shard.name}-{number}"
                    running[client.submit(_compute, name, shard, key=key, pure=False)] = shard
                ended = _ended(client, running)
                outcomes = [(running.pop(future), _outcome(future)) for future in ended]
            for shard, found in outcomes:
                outcome = found(shard)
                if again(shard, outcome):
                    queue.append(shard)
            check()
    except BaseException:
        _tidy(
            client,
            lambda: client.cancel(list(running), force=True),
            lambda: client.run(_stop_aside, name, nanny=False),
        )
        raise
    finally:
        _tidy(client, lambda: client.unregister_worker_plugin(f"phenviz-{name}"))


def _give(client: Client, plugin: TaskPlugin) -> None:
    with _scheduler_there(client):
        try:
            client.register_plugin(plugin)
        except (ImportError, AttributeError) as error:
            raise JobError(
                f"a worker of {_address(client)} can't take the task ({error}): install this version of "
                "PhenViz where workers run"
            ) from error


def _compute(run: str, shard: Shard) -> Attempt:
    return _AT_WORK[run].compute(shard)


def _stop(run: str) -> None:
    if (session := _AT_WORK.pop(run, None)) is not None:
        session.stop()


def _stop_aside(run: str) -> None:
    # the worker's own loop must go on meanwhile
    threading.Thread(target=_stop, args=(run,), daemon=True).start()


def _ended(client: Client, running: dict[Future, Shard]) -> list[Future]:
    with contextlib.suppress(TimeoutError):
        wait(list(running), timeout=_SECONDS_BETWEEN_LOOKS, return_when="FIRST_COMPLETED")
    if client.status != "running" or any(future.status in ("cancelled", "lost") for future in running):
        raise OSError("lost")
    return [future for future in running if future.done()]


def _outcome(future: Future) -> Callable[[Shard], Attempt]:
    if future.status == "finished":
        outcome: Attempt = future.result()
        return lambda shard: outcome
    error: Any = future.exception()
    if isinstance(error, KilledWorker):
        # by then Dask has begun it on several workers, and all of them died
        why, worker = _DIED, str(error.last_worker.address)
        return lambda shard: Attempt(shard.name, shard.units, "failed", 0.0, worker, why, _ALL_ATTEMPTS)
    why = f"{type(error).__name__} on a worker: {' '.join(str(error).split())[:200]}"
    return lambda shard: Attempt(shard.name, shard.units, "failed", 0.0, "", why)


def _tidy(client: Client, *steps: Callable[[], object]) -> None:
    """Take steps on a cluster that may be gone, without waiting for it."""
    for step in steps:
        if client.status == "running":
            with contextlib.suppress(Exception):
                step()


@contextlib.contextmanager
def _scheduler_there(client: Client) -> Iterator[None]:
    try:
        yield
    except (OSError, CancelledError, RuntimeError, TimeoutError) as error:
        raise JobError(
            f"the Dask scheduler {_address(client)} is gone: start it anew; finished shards are kept, and "
            "the same command goes on"
        ) from error


def _address(client: Client) -> str:
    known = client.scheduler
    return str(known.addr) if known is not None else ""
