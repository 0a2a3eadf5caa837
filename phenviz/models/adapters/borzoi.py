"""Borzoi (Linder et al. 2025) and Flashzoi (Hingerl et al. 2024), through the package ``borzoi-pytorch``.

524,288 bp in, 16,384 bins of 32 bp out; global models. RNA tracks are on the scale that both were trained on
(squashed coverage).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from phenviz.errors import ModelError
from phenviz.models.adapters.rotary_attention import RotaryAttention
from phenviz.models.adapters.tracks import ModelTrack
from phenviz.models.adapters.trunk import TrunkBackbone, read_config, rows_of

WINDOW, BIN_SIZE = 524_288, 32
# of what attention tells apart, and how many places it was trained on, as the package has them
_PLACE_BASES, _PLACES = 128, 4_096
# the published shape
CONFIG: dict[str, Any] = {
    "dim": 1536,
    "depth": 8,
    "heads": 8,
    "attn_dim_key": 64,
    "attn_dim_value": 192,
    "enable_human_head": True,
    "enable_mouse_head": False,
    # whether its attention is Flashzoi's
    "flashed": False,
}


def read_borzoi_config(weights: str | Path, *, flashed: bool = False) -> dict[str, Any]:
    """Return the shape of the network; ``flashed`` tells whether that of Flashzoi is meant.

    Raises
    ------
    ModelError
        If the ``config.json`` beside the weights is that of the other of the two, or of a model of mice.
    """
    found = read_config(weights, {**CONFIG, "flashed": flashed})
    path = Path(weights).with_name("config.json")
    if bool(found["flashed"]) != flashed:
        named, other = ("flashzoi", "borzoi") if flashed else ("borzoi", "flashzoi")
        raise ModelError(
            f"{path} has 'flashed: {json.dumps(found['flashed'])}', so that the weights are those of "
            f"{other}, not {named}: write 'kind: {other}'"
        )
    if not found["enable_human_head"]:
        raise ModelError(f"{path} says that the model has no human tracks: give weights of one that has")
    return found


def make_borzoi(code: Any, config: Mapping[str, Any]) -> nn.Module:
    """Make a Borzoi module of the package's class, or a Flashzoi.

    The package's own attention of Flashzoi needs flash-attn, which neither runs on a CPU nor in float32; so
    that it runs everywhere, the module gets the same attention in plain PyTorch.
    """
    model: nn.Module = code.from_hparams(**{**config, "flashed": False})
    if config["flashed"]:
        for block in cast(Any, model).transformer:
            # each block begins with a residual of norm, attention and dropout
            block[0].fn[1] = RotaryAttention(config["dim"], config["heads"])
    return model


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
    _keep_positions(model, window)
    chosen = rows_of(cast(Any, model).human_head, [track.index for track in tracks])
    contexts = [track.as_context() for track in tracks]
    backbone = TrunkBackbone(
        _BorzoiTrunk(model), chosen, contexts,
        name=name, window=window, bin_size=bin_size, weights_hash=weights_hash, made_of=made_of,
    )  # fmt: skip
    return backbone.eval()


def _keep_positions(model: nn.Module, window: int) -> None:
    """Make Borzoi's positions buffers of its attention.

    The package makes them in the first call and keeps them as they are then: without gradients after a
    prediction, on one device, in float32, and for the length of that call.
    """
    for attention in list(model.modules()):
        if hasattr(attention, "num_rel_pos_features") and hasattr(attention, "positions"):
            made = vars(sys.modules[type(attention).__module__])["get_positional_embed"](
                window // _PLACE_BASES, _PLACES, attention.num_rel_pos_features, torch.device("cpu")
            )
            del attention.positions
            attention.register_buffer("positions", made, persistent=False)


class _BorzoiTrunk(nn.Module):
    """Calls Borzoi up to what its heads get."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        model = cast(Any, self.model)
        embedding: torch.Tensor = model.final_joined_convs(model.get_embs_after_crop(one_hot))
        return embedding
