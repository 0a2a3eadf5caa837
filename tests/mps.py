"""MPS played on the CPU: tensors that say that they lie there, and refuse what it refuses.

Refused are float64, NumPy without a way over the CPU, and tensors of two devices in one operation; the
numbers are the CPU's. What runs in C++ or in the backward pass sees tensors of the CPU, and so isn't checked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

MPS = torch.device("mps")
_TO_NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)


class MpsTensor(torch.Tensor):
    """A tensor of the CPU that says that it is on MPS."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return _call(func, args, kwargs or {})


class _Mps(TorchFunctionMode):
    """Plays MPS for calls without a tensor that is there: those that make one or move one there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return _call(func, args, kwargs or {})


@contextlib.contextmanager
def played_mps() -> Iterator[torch.device]:
    """Make the device ``mps`` usable."""
    with _Mps():
        yield MPS


def _call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = any(isinstance(tensor, MpsTensor) for tensor in tensors)
    if there and func == torch.Tensor.device.__get__:
        return MPS
    if there and func in _TO_NUMPY:
        raise TypeError("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() first")
    if there and func is torch.Tensor.__deepcopy__:
        return _copied(*args)
    if there and func is torch._has_compatible_shallow_copy_type:
        # what moves gets new parameters
        return all(isinstance(tensor, MpsTensor) for tensor in tensors)
    if func in (torch.Tensor.cpu, torch.Tensor.to):
        return _moved(args[0], *_asked(func, args[1:], kwargs))
    if "device" in kwargs:
        there = kwargs["device"] is not None and torch.device(kwargs["device"]).type == "mps"
        kwargs = {**kwargs, "device": None if there else kwargs["device"]}
    elif there:
        _check_one_device(func, args, tensors)
    with torch._C.DisableTorchFunctionSubclass():
        found = func(*args, **kwargs)
    return tree_map(_placed, found) if there else found


def _asked(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[torch.device | None, Any]:
    if func is torch.Tensor.cpu:
        return torch.device("cpu"), None
    if args and isinstance(args[0], torch.Tensor):
        return args[0].device, args[0].dtype
    return torch._C._nn._parse_to(*args, **kwargs)[:2]


def _moved(tensor: torch.Tensor, device: torch.device | None, dtype: torch.dtype | None) -> torch.Tensor:
    there = isinstance(tensor, MpsTensor) if device is None else device.type == "mps"
    if isinstance(tensor, MpsTensor) and dtype == torch.float64:
        _placed(torch.zeros(0, dtype=dtype))
    with torch._C.DisableTorchFunctionSubclass():
        moved = tensor if dtype is None else tensor.to(dtype)
        if isinstance(moved, MpsTensor) != there:
            moved = moved.as_subclass(MpsTensor if there else torch.Tensor)
    return _placed(moved) if there else moved


def _placed(found: Any) -> Any:
    if not isinstance(found, torch.Tensor):
        return found
    with torch._C.DisableTorchFunctionSubclass():
        if found.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype: it doesn't support float64")
        return found if isinstance(found, MpsTensor) else found.as_subclass(MpsTensor)


def _copied(tensor: torch.Tensor, memo: dict[int, Any]) -> torch.Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        twin = tensor.detach().clone().as_subclass(MpsTensor)
    if isinstance(tensor, torch.nn.Parameter):
        twin = torch.nn.Parameter(twin, tensor.requires_grad)
    memo[id(tensor)] = twin
    return twin


def _check_one_device(func: Any, args: tuple[Any, ...], tensors: list[torch.Tensor]) -> None:
    if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[0], MpsTensor):
        # indices may lie on the CPU
        tensors = [tensor for tensor in (args[0], *args[2:]) if isinstance(tensor, torch.Tensor)]
    with torch._C.DisableTorchFunctionSubclass():
        strangers = [tensor for tensor in tensors if not isinstance(tensor, MpsTensor) and tensor.dim()]
    if strangers:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, but found mps:0 and cpu")
