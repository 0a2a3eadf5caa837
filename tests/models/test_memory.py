"""Backing off when memory runs out."""

import pytest
import torch

from phenviz.errors import MemoryLimitError
from phenviz.models.memory import halving, in_batches, out_of_memory

CPU_MESSAGE = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: not enough memory: you tried"


def failing_above(limit, error):
    def run(size):
        if size > limit:
            raise error
        return f"ran {size}"

    return run


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(CPU_MESSAGE),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_batch_is_halved_until_it_fits(error):
    assert halving(64, failing_above(20, error)) == ("ran 16", 16)


def test_smallest_batch_that_does_not_fit_is_an_error_with_a_fix():
    with pytest.raises(MemoryLimitError, match=r"batch of 4 .*shorter locus"):
        halving(64, failing_above(3, MemoryError("no room")), minimum=4)


def test_other_errors_are_not_swallowed():
    with pytest.raises(RuntimeError, match="shape mismatch"):
        halving(64, failing_above(3, RuntimeError("shape mismatch")))
    assert not out_of_memory(ValueError("out of memory"))


def test_batches_cover_all_units_once_and_in_order_after_backing_off():
    sizes = []

    def run(start, end):
        if end - start > 10:
            raise MemoryError
        sizes.append(end - start)
        return list(range(start, end))

    done = [unit for batch in in_batches(95, 64, run) for unit in batch]
    assert done == list(range(95))
    assert sizes == [8] * 11 + [7]


def test_tensors_of_the_failed_batch_are_let_go_before_the_next_try():
    import weakref

    alive = []

    def run(size):
        assert not any(reference() is not None for reference in alive)
        tensor = torch.zeros(size)
        alive.append(weakref.ref(tensor))
        if size > 1:
            raise MemoryError
        return size

    assert halving(8, run) == (1, 1)
