"""Where shards are computed: this process, workers of this machine, a Dask scheduler, SLURM, or GPUs."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from phenviz.errors import JobError

if TYPE_CHECKING:
    from distributed import Client

_SECONDS_TO_CONNECT = 30
_LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
_KNOWN = "none, local, local:4, tcp://host:8786, slurm or cuda"
_MISSING = 'it needs `pip install "phenviz[dask]"`'
# how many worker deaths set a shard aside: on the third
_DEATHS_ALLOWED = 2
# of Dask's own status page: seen from this machine alone, at a port that no other run has
_STATUS_PAGE = "127.0.0.1:0"


def check_scheduler(text: str) -> str:
    """Check the name of a scheduler, without starting anything.

    Raises
    ------
    JobError
        If it is none.
    """
    if text in ("none", "slurm", "cuda") or _LOCAL.fullmatch(text) or text.startswith(("tcp://", "tls://")):
        return text
    raise JobError(f"scheduler {text!r}: choose {_KNOWN}")


@contextmanager
def open_client(scheduler: str, settings: Mapping[str, Any] | None = None) -> Iterator[Client | None]:
    """Connect to a cluster, or start one; it ends with the block, if it was started here.

    Parameters
    ----------
    scheduler
        ``none`` (this process), ``local`` or ``local:N`` (worker processes on this machine), ``tcp://...``
        (a scheduler that runs), ``slurm`` (dask-jobqueue) or ``cuda`` (dask-cuda, one worker per GPU).
    settings
        The section ``dask-jobqueue`` of a project.yaml: ``jobs`` (how many), and what
        ``dask_jobqueue.SLURMCluster`` takes (``queue``, ``cores``, ``memory``, ``walltime``, ...).

    Raises
    ------
    JobError
        If the name is unknown, the library isn't installed, or the scheduler doesn't answer.
    """
    check_scheduler(scheduler)
    if scheduler == "none":
        yield None
        return
    try:
        import distributed
    except ImportError as error:
        raise JobError(f"--scheduler {scheduler}: {_MISSING}") from error
    with _client_of(scheduler, settings or {}, distributed) as client:
        yield client


@contextmanager
def _client_of(scheduler: str, settings: Mapping[str, Any], distributed: Any) -> Iterator[Client]:
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS_ALLOWED}):
        if scheduler.startswith(("tcp://", "tls://")):
            try:
                client = distributed.Client(scheduler, timeout=_SECONDS_TO_CONNECT)
            except (OSError, TimeoutError, ValueError) as error:
                raise JobError(
                    f"no Dask scheduler answers at {scheduler}: start one (`dask scheduler`), or check the "
                    "address"
                ) from error
            with client:
                yield client
            return
        make = {"slurm": _slurm, "cuda": _cuda}.get(scheduler)
        cluster = make(settings) if make is not None else _local(scheduler, distributed)
        with cluster, distributed.Client(cluster) as client:
            yield client


def _local(scheduler: str, distributed: Any) -> Any:
    found = _LOCAL.fullmatch(scheduler)
    assert found is not None
    cores = os.cpu_count() or 1
    workers = int(found[1] or cores)
    # a thread computes one shard; PyTorch's own threads share the cores
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=_STATUS_PAGE,
        # what dies is told in the end; that a worker was slow to end needn't be
        silence_logs=logging.ERROR,
        env={"OMP_NUM_THREADS": str(max(cores // workers, 1))},
    )  # fmt: skip


def slurm_cluster(settings: Mapping[str, Any]) -> Any:
    """Make the SLURM cluster of a project's settings; asks for no job yet.

    Raises
    ------
    JobError
        If dask-jobqueue isn't installed, or refuses an entry.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise JobError(f"--scheduler slurm: {_MISSING}") from error
    options = {name: value for name, value in settings.items() if name != "jobs"}
    if missing := [name for name in ("cores", "memory") if name not in options]:
        raise JobError(
            f"--scheduler slurm: the section dask-jobqueue of project.yaml lacks {missing[0]!r}: it says "
            "what a job may use, as in 'dask-jobqueue: {jobs: 8, queue: long, cores: 4, memory: 16GB}'"
        )
    # one process, one model, one shard at a time: PyTorch uses the job's cores
    defaults: dict[str, Any] = {
        "processes": 1,
        "job_cpu": options["cores"],
        "scheduler_options": {"dashboard_address": _STATUS_PAGE},
    }
    # Dask would give PyTorch one core otherwise
    threads = f"export OMP_NUM_THREADS={options['cores']}"
    options["job_script_prologue"] = [*options.get("job_script_prologue", []), threads]
    options["cores"] = int(options.get("processes", 1))
    try:
        return SLURMCluster(**{**defaults, **options})
    except (TypeError, ValueError) as error:
        raise JobError(
            f"--scheduler slurm: dask-jobqueue refuses the section dask-jobqueue of project.yaml ({error})"
        ) from error


def _slurm(settings: Mapping[str, Any]) -> Any:
    cluster = slurm_cluster(settings)
    cluster.scale(jobs=int(settings.get("jobs", 1)))
    return cluster


def cuda_options() -> dict[str, Any]:
    """Return what dask-cuda's cluster is made with: one process per GPU, one shard at a time."""
    return {"threads_per_worker": 1, "protocol": "tcp", "dashboard_address": _STATUS_PAGE}


def _cuda(settings: Mapping[str, Any]) -> Any:
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise JobError(
            "--scheduler cuda: it needs a machine with NVIDIA GPUs and `pip install dask-cuda`"
        ) from error
    try:
        return LocalCUDACluster(**cuda_options())
    except Exception as error:  # each driver has errors of its own
        raise JobError(f"--scheduler cuda: no worker could be started on a GPU ({error})") from error
