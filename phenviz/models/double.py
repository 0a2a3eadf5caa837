"""Double precision wherever a model runs: on MPS, which has none, by computing on the CPU."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch

M = TypeVar("M", bound=torch.nn.Module)


def double_device(device: torch.device) -> torch.device:
    """Return where to compute in double precision with what lies on a device: there, if it can."""
    return torch.device("cpu") if device.type == "mps" else device


def doubled(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in double precision, on the device that has it (`double_device`)."""
    # moved first: MPS refuses the conversion
    return tensor.to(double_device(tensor.device)).double()


def double_copy(module: M) -> M:
    """Return a copy of a module in double precision, on the device that has it (`double_device`)."""
    twin = copy.deepcopy(module)
    for parameter in module.parameters():
        return twin.to(double_device(parameter.device)).double()
    return twin.double()
