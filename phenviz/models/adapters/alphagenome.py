"""AlphaGenome (Avsec et al. 2026) as a backbone, through its PyTorch port, ``alphagenome-pytorch``.

131,072 bp in (any multiple of 2,048 up to 1,048,576 by ``window`` of a ``config.json``), bins of 128 bp out;
a global model. Its tracks of accessibility, transcription, RNA and ChIP become contexts, on the scale of the
experiments; contact maps, splicing and single-base outputs are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from phenviz.errors import ModelError
from phenviz.models.adapters.tracks import ModelTrack
from phenviz.models.adapters.trunk import TrunkBackbone, read_config, rows_of

WINDOW, BIN_SIZE = 131_072, 128
# its map of pairs has one row for so many bases; it was trained on the longest window
_PAIR_BASES, _LONGEST = 2_048, 2**20
# the published one; organisms are human and mouse
CONFIG: dict[str, Any] = {"num_organisms": 2, "window": WINDOW}
NEEDS_PYTHON = " (it needs Python 3.12 or newer)"
_HUMAN = 0
# from where the published model's scale is no longer linear, and the power that its RNA tracks were taken to
_SOFT_CLIP, _SQUASHED = 10.0, 0.75


def read_alphagenome_config(weights: str | Path) -> dict[str, Any]:
    """Return organisms and window; `ModelError` if the model can't take such a window."""
    found = read_config(weights, CONFIG)
    window = found["window"]
    fits = isinstance(window, int) and _PAIR_BASES <= window <= _LONGEST and window % _PAIR_BASES == 0
    if not fits:
        raise ModelError(
            f"{Path(weights).with_name('config.json')}: 'window' is {window!r}: give a multiple of "
            f"{_PAIR_BASES:,}, at most {_LONGEST:,}"
        )
    return found


def make_alphagenome(code: Any, config: Mapping[str, Any]) -> nn.Module:
    """Make a module of the port's class; `ModelError` if the class is that of an older, other port."""
    try:
        model: nn.Module = code(num_organisms=config["num_organisms"])
    except TypeError as error:
        raise ModelError(_OTHER_PORT) from error
    if not hasattr(model, "encode"):
        raise ModelError(_OTHER_PORT)
    return model


_OTHER_PORT = (
    "this alphagenome_pytorch isn't the port that PhenViz knows; before 0.3 the package was another one: "
    f"pip install 'phenviz[alphagenome]'{NEEDS_PYTHON}"
)


def wrap_alphagenome(
    model: nn.Module,
    tracks: Sequence[ModelTrack],
    *,
    window: int = WINDOW,
    name: str = "alphagenome",
    weights_hash: str | None = None,
    made_of: Mapping[str, Any] | None = None,
) -> TrunkBackbone:
    """Make a backbone of an AlphaGenome module.

    Parameters
    ----------
    model
        With the interface of ``alphagenome_pytorch.AlphaGenome``: ``encode`` turns (B, window, 4) and
        organisms (B,) into ``embeddings_128bp``; each of ``heads`` has, for human, a linear layer
        ``convs["128"]``, ``residual_scales["128"]`` and ``track_means``.
    tracks
        Outputs that become contexts.
    window
        Bases that the model is given.
    name
        Name to read.
    weights_hash, made_of
        As for `TrunkBackbone`.
    """
    heads = cast(Any, model).heads
    cast(Any, model).dtype_policy = _AsItIs()
    # neighbours of one head together, in the order of the tracks
    groups = [(heads[head], list(own)) for head, own in groupby(tracks, key=lambda track: track.head)]
    rows = [_linear_of(head, own) for head, own in groups]
    chosen = nn.Linear(rows[0].in_features, len(tracks)).to(rows[0].weight)
    with torch.no_grad():
        chosen.weight.copy_(torch.cat([one.weight for one in rows]))
        chosen.bias.copy_(torch.cat([one.bias for one in rows]))
    backbone = TrunkBackbone(
        _AlphaGenomeTrunk(model), chosen, [track.as_context() for track in tracks],
        name=name, window=window, bin_size=BIN_SIZE, weights_hash=weights_hash, made_of=made_of,
        scale=_ExperimentScale(groups),
    )  # fmt: skip
    return backbone.eval()


def _linear_of(head: Any, tracks: Sequence[ModelTrack]) -> nn.Linear:
    whole = head.convs[str(BIN_SIZE)]
    weight, bias = whole.weight.detach()[_HUMAN], whole.bias.detach()[_HUMAN]
    layer = nn.Linear(weight.shape[1], weight.shape[0]).to(weight)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return rows_of(layer, [track.index for track in tracks])


class _AlphaGenomeTrunk(nn.Module):
    """Calls AlphaGenome for human with channels last, up to its embedding of 128 bp."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        human = torch.full((len(one_hot),), _HUMAN, dtype=torch.long, device=one_hot.device)
        found = cast(Any, self.model).encode(
            one_hot.transpose(1, 2), human, resolutions=(BIN_SIZE,), channels_last=False
        )
        embedding: torch.Tensor = found[f"embeddings_{BIN_SIZE}bp"]
        return embedding


class _AsItIs:
    """The port's rule of precisions, which would turn all to float32: the model keeps that which it has."""

    compute_dtype = None

    def cast_to_compute(self, x: torch.Tensor) -> torch.Tensor:
        return x

    cast_to_output = cast_to_compute


class _ExperimentScale(nn.Module):
    """Turns what the model was trained to give (B, C, bins) into reads, as on the experiments' scale.

    Large values, which training pressed together, are spread again, RNA is taken to the power that undoes
    its squashing, and each track is multiplied by its mean over the genome times the bases of a bin.
    """

    def __init__(self, groups: Sequence[tuple[Any, Sequence[ModelTrack]]]) -> None:
        super().__init__()
        gains, means, powers = [], [], []
        for head, tracks in groups:
            rows = [track.index for track in tracks]
            gains.append(F.softplus(head.residual_scales[str(BIN_SIZE)].detach()[_HUMAN, rows]))
            means.append(head.track_means.detach()[_HUMAN, rows] * BIN_SIZE)
            powers.append(torch.full_like(means[-1], 1 / _SQUASHED if head.apply_squashing else 1.0))
        for name, values in (("gain", gains), ("mean", means), ("power", powers)):
            self.register_buffer(name, torch.cat(values)[:, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * cast(torch.Tensor, self.gain)
        x = torch.where(x > _SOFT_CLIP, (x + _SOFT_CLIP) ** 2 / (4 * _SOFT_CLIP), x)
        return x ** cast(torch.Tensor, self.power) * cast(torch.Tensor, self.mean)
