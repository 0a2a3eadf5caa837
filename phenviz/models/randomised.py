"""A backbone with its architecture and none of its knowledge: a negative control."""

from __future__ import annotations

import copy
import hashlib
from typing import TypeVar

import torch

_Backbone = TypeVar("_Backbone")


def randomised(backbone: _Backbone, *, seed: int = 0) -> _Backbone:
    """Return a copy of a backbone whose weights are shuffled within each tensor.

    Each layer keeps the distribution of its weights, so that activities stay in a sensible range, and loses
    every motif. Scalars and buffers stay.

    Parameters
    ----------
    backbone
        A torch module with ``name`` and ``weights_hash``; it isn't changed.
    seed
        Of the shuffle.
    """
    other = copy.deepcopy(backbone)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():  # type: ignore[attr-defined]
            flat = parameter.flatten().cpu()
            flat = flat[torch.randperm(len(flat), generator=generator)]
            parameter.copy_(flat.view(parameter.shape).to(parameter.device))
    own = str(backbone.weights_hash)  # type: ignore[attr-defined]
    other.name = f"{backbone.name}-randomised"  # type: ignore[attr-defined]
    other.weights_hash = hashlib.sha256(f"{own}|randomised|{seed}".encode()).hexdigest()  # type: ignore[attr-defined]
    return other
