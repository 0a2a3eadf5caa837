"""CUDA graphs: a model's forward pass recorded once a shape, then replayed without launching its kernels.

A tile of the local backbone is two dozen short kernels, whose launches cost a GPU's host more than they cost
the GPU. Only for predictions (no gradients), whose tiles have few shapes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from phenviz.models.backbone import SequenceBackbone

logger = logging.getLogger(__name__)

# a graph holds the memory of one forward pass; tiles have one shape, the last one of a locus another
_MOST_GRAPHS = 4
# what runs before recording chooses algorithms and allocates workspaces, which a recording must not
_WARM_UPS = 3


class GraphedBackbone:
    """A backbone whose `encode` is replayed where its shape was seen before; all else is the backbone's own.

    Parameters
    ----------
    backbone
        A model on a CUDA device. It must be called in inference mode, and always under the same autocast.
    """

    def __init__(self, backbone: SequenceBackbone) -> None:
        self._backbone = backbone
        self._replays: dict[tuple[Any, ...], Callable[[torch.Tensor], torch.Tensor]] = {}
        self._usable = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """See `SequenceBackbone.encode`."""
        if not self._usable:
            return self._backbone.encode(one_hot)
        key = (*one_hot.shape, one_hot.dtype, torch.is_autocast_enabled("cuda"))
        if key not in self._replays:
            if len(self._replays) >= _MOST_GRAPHS:
                return self._backbone.encode(one_hot)
            try:
                self._replays[key] = _recorded(self._backbone.encode, one_hot)
            except RuntimeError as error:
                # an operation that can't be recorded: each new attempt would cost more than it saves
                logger.info("%s runs without CUDA graphs: %s", self._backbone.name, error)
                self._usable = False
                return self._backbone.encode(one_hot)
        return self._replays[key](one_hot)

    def __call__(self, one_hot: torch.Tensor) -> torch.Tensor:
        """See `SequenceBackbone.__call__`."""
        return self._backbone.activity(self.encode(one_hot))


def graphed(backbone: SequenceBackbone, device: torch.device) -> SequenceBackbone:
    """Return what predicts fastest on a device: with CUDA graphs on CUDA, elsewhere the backbone itself."""
    return GraphedBackbone(backbone) if device.type == "cuda" else backbone


def _recorded(
    run: Callable[[torch.Tensor], torch.Tensor], example: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Record a function of one tensor; return what replays it for others of the same shape."""
    read = example.clone()
    enabled, dtype = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    # casts of weights that autocast remembers from outside would not be part of the recording
    with torch.autocast("cuda", dtype=dtype, enabled=enabled, cache_enabled=False):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                run(read)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            written = run(read)

    def replay(values: torch.Tensor) -> torch.Tensor:
        read.copy_(values)
        graph.replay()
        # the next replay writes to the same memory
        return written.clone()

    return replay
