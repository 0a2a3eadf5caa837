"""What to do when a batch doesn't fit into memory: halve it and go on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from phenviz.errors import MemoryLimitError

T = TypeVar("T")

# PyTorch has an exception of its own for CUDA's allocator only; those of the CPU and MPS, and CUDA's
# libraries when they allocate by themselves, raise a RuntimeError
_MEMORY_WORDS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "alloc_cpu",
    "std::bad_alloc",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that memory ran out, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY_WORDS)


def halving(batch_size: int, run: Callable[[int], T], minimum: int = 1) -> tuple[T, int]:
    """Run with a batch size, and with half of it as long as memory runs out.

    Parameters
    ----------
    batch_size
        First size to try.
    run
        Does the work for a given batch size; must be repeatable.
    minimum
        Smallest size to try.

    Returns
    -------
    tuple
        What ``run`` returned, and the batch size that fitted (use it for what comes next).

    Raises
    ------
    MemoryLimitError
        If memory runs out with the smallest batch, too.
    """
    size = max(batch_size, minimum)
    while True:
        try:
            return run(size), size
        except Exception as error:
            if not out_of_memory(error):
                raise
            reason = _first_line(error)
        # outside of the except block: there the traceback would still hold the failed batch's tensors
        if size <= minimum:
            raise MemoryLimitError(
                f"memory ran out even with a batch of {size} ({reason}): close other programs, choose "
                "a shorter locus or fewer contexts, or run on another device, such as the CPU"
            )
        free_memory()
        size = max(size // 2, minimum)


def in_batches(total: int, batch_size: int, run: Callable[[int, int], T]) -> Iterator[T]:
    """Do ``total`` units in batches; what doesn't fit is tried again in halves, nothing twice.

    Parameters
    ----------
    total
        Units of work (positions, steps, tiles).
    batch_size
        First size to try; once halved it stays so, as what didn't fit once won't fit later.
    run
        Called as ``run(start, end)`` for units start to end (half-open); must be repeatable.

    Yields
    ------
    T
        What ``run`` returned for each batch, in order.

    Raises
    ------
    MemoryLimitError
        If memory runs out with the smallest batch, too.
    """
    done, size = 0, max(batch_size, 1)
    while done < total:

        def batch(tried: int, start: int = done) -> tuple[T, int]:
            end = min(start + tried, total)
            return run(start, end), end

        (result, done), size = halving(size, batch)
        yield result


def free_memory() -> None:
    """Give back what failed batches left behind, on every device that is in use."""
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
