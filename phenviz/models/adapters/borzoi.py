"""Borzoi (Linder et al. 2025) as a backbone, through the package ``borzoi-pytorch``.

524,288 bp in, 16,384 bins of 32 bp out; a global model. RNA tracks are on the scale that Borzoi was trained
on (squashed coverage).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn

from phenviz.models.adapters.tracks import ModelTrack
from phenviz.models.adapters.trunk import TrunkBackbone, rows_of

WINDOW, BIN_SIZE = 524_288, 32
# the published shape
CONFIG: dict[str, Any] = {
    "dim": 1536,
    "depth": 8,
    "heads": 8,
    "attn_dim_key": 64,
    "attn_dim_value": 192,
    "enable_mouse_head": False,
    "flashed": False,
}


def wrap_borzoi(
    model: nn.Module,
    tracks: Sequence[ModelTrack],
    *,
    window: int = WINDOW,
    bin_size: int = BIN_SIZE,
    name: str = "borzoi",
    weights_hash: str | None = None,
    made_of: Mapping[str, Any] | None = None,
) -> TrunkBackbone:
    """Make a backbone of a Borzoi module.

    Parameters
    ----------
    model
        With the interface of ``borzoi_pytorch.Borzoi``: ``get_embs_after_crop`` turns (B, 4, window) into
        (B, dim, bins), after the module ``crop``; ``final_joined_convs`` and the convolution ``human_head``
        follow, then softplus.
    tracks
        Outputs that become contexts.
    window, bin_size
        Of the model; other than the published ones for models of another shape.
    name
        Name to read.
    weights_hash, made_of
        As for `TrunkBackbone`.
    """
    cast(Any, model).crop = nn.Identity()
    chosen = rows_of(cast(Any, model).human_head, [track.index for track in tracks])
    contexts = [track.as_context() for track in tracks]
    backbone = TrunkBackbone(
        _BorzoiTrunk(model), chosen, contexts,
        name=name, window=window, bin_size=bin_size, weights_hash=weights_hash, made_of=made_of,
    )  # fmt: skip
    return backbone.eval()


class _BorzoiTrunk(nn.Module):
    """Calls Borzoi up to what its heads get."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        model = cast(Any, self.model)
        embedding: torch.Tensor = model.final_joined_convs(model.get_embs_after_crop(one_hot))
        return embedding
