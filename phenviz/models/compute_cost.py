"""How much more a network computes than PhenViz' own, before it ever ran."""

from __future__ import annotations

import copy
import logging
from typing import Any
from weakref import WeakKeyDictionary

import torch

from phenviz.models.averaged import AveragedBackbone
from phenviz.models.backbone import SequenceBackbone, halo

# of the embedded backbone, which default run times were measured with
EMBEDDED_OPERATIONS = 95_744.0
_TILE_BASES = 16_384
_KNOWN: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

logger = logging.getLogger(__name__)


def relative_cost(backbone: SequenceBackbone) -> float:
    """Return how many times the embedded backbone's operations per base this one needs; at least 1.

    It is counted on tensors without memory, so that it takes a moment for any size. 1 where it can't be
    counted, as of what is no torch module. One that averages needs its backbone's for each pass.
    """
    if isinstance(backbone, AveragedBackbone):
        return backbone.average.passes * relative_cost(backbone.backbone)
    if not isinstance(backbone, torch.nn.Module):
        return 1.0
    if backbone not in _KNOWN:
        try:
            _KNOWN[backbone] = max(_operations(backbone) / EMBEDDED_OPERATIONS, 1.0)
        # whatever somebody else's network doesn't do without memory
        except Exception as error:
            logger.info("the operations of %s can't be counted: %s", backbone.name, error)
            _KNOWN[backbone] = 1.0
    return _KNOWN[backbone]


def _operations(backbone: Any) -> float:
    """Count the operations per base of encoding a tile of a local backbone, or a window of a global one."""
    from torch.utils.flop_counter import FlopCounterMode

    memo: dict[int, Any] = {
        id(one): torch.nn.Parameter(torch.empty_like(one, device="meta"), requires_grad=False)
        for one in backbone.parameters()
    }
    memo |= {id(one): torch.empty_like(one, device="meta") for one in backbone.buffers()}
    # a copy that shares nothing and holds no numbers
    twin = copy.deepcopy(backbone, memo)
    size, bases = backbone.bin_size, backbone.window
    if backbone.receptive_field is not None:
        bases = max(_TILE_BASES // size, 1) * size + 2 * halo(backbone)
    dtype = next((one.dtype for one in twin.parameters()), torch.float32)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        twin.encode(torch.zeros(1, 4, bases, device="meta", dtype=dtype))
    return float(counter.get_total_flops()) / bases
