"""Where a model runs: which device, in which precision, with how much memory and how many threads."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
import threading
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
import torch

from phenviz.errors import ModelError

if TYPE_CHECKING:
    from phenviz.models.backbone import SequenceBackbone
    from phenviz.models.phenformer import Phenformer
    from phenviz.models.readout import GeneReadout
    from phenviz.world import World

M = TypeVar("M")
logger = logging.getLogger(__name__)

# of each version of cgroups: folder, limit, memory in use, and what memory.stat calls the part of it that the
# kernel gives back on demand (pages of files that were read)
_CGROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
# Measured while predicting on two busy cores, delay of the event loop at the 95th percentile: 140 ms with 0,
# 80 ms with 3, 80 ms with 10; and with 10 any other program would take most of the cores away.
_WORKER_NICENESS = 3


def available_devices() -> tuple[str, ...]:
    """Names of the devices that a model can run on here, fastest first."""
    cuda = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return (*cuda, *mps, "cpu")


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Turn a device's name into a device that is really there.

    Parameters
    ----------
    name
        ``auto`` (CUDA if there is one, else MPS, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises
    ------
    ModelError
        If there is no such device here; says which there are.
    """
    available = available_devices()
    wanted = str(name).strip().lower()
    if wanted == "auto":
        return torch.device(available[0])
    if wanted == "cuda":
        wanted = "cuda:0"
    if wanted not in available:
        raise ModelError(f"device {str(name)!r} isn't available here: use auto or {', '.join(available)}")
    return torch.device(wanted)


def precision_name(device: torch.device, mixed: bool) -> str:
    """Name of the number format that results computed so have: part of their key in the store."""
    return "bfloat16" if mixed and device.type == "cuda" else "float32"


def precision(device: torch.device, mixed: bool) -> AbstractContextManager[object]:
    """Return the context in which a computation runs: bfloat16 where it is allowed and helps, else as it is.

    Only CUDA gains from it. Kinds whose result is a small difference of large sums (mutagenesis) or a sum
    of many gradients (attribution) must not ask for it: bfloat16 has 8 bits, so the difference is noise.
    """
    if precision_name(device, mixed) == "bfloat16":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def place(model: M, device: torch.device) -> M:
    """Return the model on a device, in evaluation mode: itself if it is so (or is no module), else a copy."""
    if not isinstance(model, torch.nn.Module):
        return model
    tensors = chain(model.parameters(), model.buffers())
    training = any(module.training for module in model.modules())
    if not training and all(tensor.device == device for tensor in tensors):
        return model
    # a copy, as the world's own model stays where its other users left it
    return copy.deepcopy(model).to(device).eval()


class PlacedWorld:
    """A world whose models are on a device; all else is the world's own.

    Whatever takes a world, however deep below a job, so finds the models where the job runs.
    """

    def __init__(self, world: World, device: torch.device) -> None:
        self._world, self._device = world, device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    @cached_property
    def backbone(self) -> SequenceBackbone:
        """The sequence model."""
        return place(self._world.backbone, self._device)

    @cached_property
    def readout(self) -> GeneReadout | None:
        """The gene readout, where the world has one."""
        return place(self._world.readout, self._device)

    @cached_property
    def phenformer(self) -> Phenformer | None:
        """The disease model, where the world has one."""
        return place(self._world.phenformer, self._device)


def free_bytes(device: torch.device) -> int:
    """Bytes that can be had on a device now; on the CPU, the container's limit counts."""
    if device.type == "cuda":
        # what PyTorch keeps for reuse counts as taken for the driver only
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + reusable
    free = int(psutil.virtual_memory().available)
    for folder, limit, used, reclaimable in _CGROUPS:
        with contextlib.suppress(OSError, ValueError):
            # "max" (no limit) isn't a number, so it is skipped
            left = int(Path(folder, limit).read_text()) - int(Path(folder, used).read_text())
            free = min(free, left + _statistic(Path(folder, "memory.stat"), reclaimable))
    return max(free, 0)


def _statistic(path: Path, name: str) -> int:
    """Read one number of a cgroup's statistics; 0 if it isn't there."""
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def settle_worker_thread() -> None:
    """Set up the calling thread for computing; call it there before the first use of a model.

    All physical cores that the process may use, but at a lower priority than the thread that serves the
    dashboard: threads that OpenMP starts from here inherit it.
    """
    if sys.platform == "linux":
        # Linux has a priority for each thread; elsewhere it would slow the whole process down
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _WORKER_NICENESS)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(_cores())


def _cores() -> int:
    physical = psutil.cpu_count(logical=False) or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(min(physical, usable), 1)
