"""What all adapters share: a trunk, a linear head of the chosen tracks, and how weights are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import nn

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.models.weights import hash_of_weights

UNITS = "predicted coverage"
_CONFIG_BESIDE = "put the config.json that belongs to them beside them"
# of a config.json: how it was written, and what matters in training only, or to cropping, which is off here
_NO_SHAPE = frozenset(
    """_name_or_path architectures attn_dropout auto_map bins_to_return dropout_rate dtype model_type
    pos_dropout return_center_bins_only target_length torch_dtype transformers_version
    use_checkpointing""".split()
)


class TrunkBackbone(nn.Module):
    """A global sequence model: a trunk that embeds a window, and ``softplus(linear)`` for each context.

    Some models multiply or bend that once more, with numbers of each context's own.

    Parameters
    ----------
    trunk
        Turns one-hot (B, 4, window) into an embedding (B, D, window / bin_size): all bins, none cropped.
        Published models crop bins near the ends, which they weren't trained on; here what uses a prediction
        leaves them out (`phenviz.models.predict` keeps the central half).
    head
        Linear layer D -> contexts.
    contexts
        What the head's outputs stand for.
    name
        Name to read.
    window
        Bases that the model takes; no other length will do.
    bin_size
        Bases per bin.
    weights_hash
        SHA-256 of the weights file; None for that of all parameters and buffers.
    made_of
        What else its numbers depend on: the configuration, the package. Part of its identity.
    scale
        What is made of the softplus (B, C, bins) in the end; None for nothing.

    Attributes
    ----------
    receptive_field
        None: every bin sees the whole window.
    units
        Of `activity`: coverage on the scale that the model was trained on.
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Linear,
        contexts: Sequence[Context],
        *,
        name: str,
        window: int,
        bin_size: int,
        weights_hash: str | None = None,
        made_of: Mapping[str, Any] | None = None,
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if head.out_features != len(contexts):
            raise ModelError(
                f"the head of {name} has {head.out_features} outputs for {len(contexts)} contexts: give one "
                "context for each"
            )
        self.trunk, self.head, self.scale = trunk, head, scale or nn.Identity()
        self.contexts = tuple(contexts)
        self.name, self.window, self.bin_size = name, window, bin_size
        self.receptive_field: int | None = None
        self.weights_hash = weights_hash or hash_of_weights(self)
        self.units = UNITS
        self._made_of = dict(made_of or {})

    def config(self) -> dict[str, Any]:
        """Return what the network was made of, for `phenviz.models.identity.model_identity`."""
        return self._made_of

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Turn one-hot (B, 4, window) into an embedding (B, D, window / bin_size).

        Raises
        ------
        ModelError
            If the shape is another one, or the trunk returns another number of bins.
        """
        if one_hot.ndim != 3 or tuple(one_hot.shape[1:]) != (4, self.window):
            raise ModelError(
                f"{self.name} got an input of shape {tuple(one_hot.shape)}; it takes (batch, 4, "
                f"{self.window:,})"
            )
        embedding: torch.Tensor = self.trunk(one_hot)
        if embedding.shape[2] != self.window // self.bin_size:
            raise ModelError(
                f"the trunk of {self.name} returns {embedding.shape[2]} bins for a window of "
                f"{self.window // self.bin_size}: it must not crop"
            )
        return embedding

    def activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Turn an embedding (B, D, bins) into activity (B, C, bins), not negative."""
        found: torch.Tensor = self.scale(F.softplus(self.head(embedding.transpose(1, 2))).transpose(1, 2))
        return found

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Return ``activity(encode(one_hot))``, shape (B, C, window / bin_size)."""
        return self.activity(self.encode(one_hot))


def rows_of(head: nn.Linear | nn.Conv1d, rows: Sequence[int]) -> nn.Linear:
    """Copy some outputs of a linear layer or of a convolution of width 1.

    Raises
    ------
    ModelError
        If the head has no such output.
    """
    weight = head.weight.detach().flatten(1)
    if max(rows) >= len(weight):
        raise ModelError(
            f"the model has {len(weight):,} tracks, its table names one with the number {max(rows):,}: give "
            "the table that belongs to the weights"
        )
    chosen = nn.Linear(weight.shape[1], len(rows), bias=head.bias is not None).to(weight)
    with torch.no_grad():
        chosen.weight.copy_(weight[list(rows)])
        if head.bias is not None:
            chosen.bias.copy_(head.bias[list(rows)])
    return chosen


def read_config(weights: str | Path, default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape of a model: the ``config.json`` beside its weights, over the published one.

    Raises
    ------
    ModelError
        If it is no JSON, or names something of the network that isn't among ``default``: the network
        without it would be another one.
    """
    path = Path(weights).with_name("config.json")
    if not path.is_file():
        return dict(default)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is no JSON ({error}): fetch it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds a {type(found).__name__}, no 'key: value' pairs: fetch it again")
    if unknown := sorted(set(found) - set(default) - _NO_SHAPE):
        raise ModelError(
            f"{path} has the unknown key {unknown[0]!r}, and without it the network may be another one: "
            f"known are {', '.join(default)}. Correct it, or take it out if it has nothing to do with the "
            "network"
        )
    return {**default, **{key: value for key, value in found.items() if key in default}}


def fill(model: nn.Module, path: str | Path, *, fix: str = _CONFIG_BESIDE) -> str:
    """Put weights into a model.

    Parameters
    ----------
    model
        May hold one tensor under several names, of which the file then has one.
    path
        State dict as ``.safetensors``. Pickled checkpoints aren't read: they can run code.
    fix
        What to do where they don't fit, for the message.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    ModelError
        If the file is missing, no safetensors, or holds weights of another shape.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        tensors = load_tensors(raw)
    except OSError as error:
        raise ModelError(
            f"weights {path} can't be read ({error.strerror}): give the path of a .safetensors file"
        ) from error
    except SafetensorError as error:
        raise ModelError(
            f"{path} is no safetensors file ({error}): convert the weights with safetensors.torch.save_model"
        ) from error
    if problem := _load(model, tensors):
        raise ModelError(f"the weights in {path} don't fit the model ({problem}): {fix}")
    return hashlib.sha256(raw).hexdigest()


def _load(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> str:
    """Load what a file holds; say what doesn't fit, nothing if all does."""
    try:
        found = model.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:
        return " ".join(str(error).split())[:300]
    state = model.state_dict()
    filled = {state[name].data_ptr() for name in tensors if name in state}
    missing = [name for name in found.missing_keys if state[name].data_ptr() not in filled]
    problems = [f"no {name}" for name in missing] + [f"unknown {name}" for name in found.unexpected_keys]
    return ", ".join(problems[:5])
