"""Backbone checkpoints: weights as safetensors, and beside them a card in JSON that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from phenviz import __version__
from phenviz.errors import ModelError
from phenviz.models import weights
from phenviz.models.local import LocalBackbone
from phenviz.models.weights import write_card

FORMAT = "phenviz-backbone/1"
CARD_ENTRIES = ("format", "architecture", "weights")


def save_backbone(
    backbone: LocalBackbone,
    path: str | Path,
    *,
    card: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write a backbone's weights and card.

    Parameters
    ----------
    backbone
        What to save; its ``weights_hash`` and ``card`` become those of the written file.
    path
        Weights file, ``NAME.safetensors``; the card goes to ``NAME.json`` beside it.
    card
        What else the card should say: ``training``, ``metrics``, anything that JSON can hold.
    dtype
        Of the stored weights. Half precision halves the file; metrics are those of the stored weights.

    Returns
    -------
    Path
        The weights file.
    """
    path = Path(path).with_suffix(".safetensors")
    tensors = {name: tensor.to(dtype) for name, tensor in backbone.state_dict().items()}
    backbone.weights_hash = weights.write_weights(path, tensors)
    backbone.card = {
        "format": FORMAT,
        "name": backbone.name,
        "architecture": backbone.config(),
        "receptive_field": backbone.receptive_field,
        "bin_size": backbone.bin_size,
        "weights": {
            "file": path.name,
            "sha256": backbone.weights_hash,
            "dtype": str(dtype).removeprefix("torch."),
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
        },
        "code_version": __version__,
        **(card or {}),
    }
    write_card(path, backbone.card)
    return path


def load_backbone(path: str | Path) -> LocalBackbone:
    """Read a backbone, in single precision and evaluation mode.

    Parameters
    ----------
    path
        The weights file or its card; the other one lies beside it.

    Returns
    -------
    LocalBackbone
        With ``weights_hash`` and ``card`` of the files.

    Raises
    ------
    ModelError
        If a file is missing or damaged, if the weights are not those that the card was written for (SHA-256),
        or if their shapes are not those of the card's architecture.
    """
    path = Path(path).with_suffix(".safetensors")
    card = read_card(path)
    tensors = weights.read_weights(path, card["weights"].get("sha256"))
    backbone = weights.from_card(path, "architecture", LocalBackbone.from_config, card)
    _check_shapes(path, tensors, backbone)
    backbone.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    backbone.weights_hash, backbone.card = card["weights"]["sha256"], card
    return backbone.eval()


def read_card(path: str | Path) -> dict[str, Any]:
    """Read the card of a weights file (either path will do) and check that it is one."""
    return weights.read_card(path, entries=CARD_ENTRIES, of="PhenViz backbone", layout=FORMAT)


def _check_shapes(path: Path, tensors: Mapping[str, torch.Tensor], backbone: LocalBackbone) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ModelError(
                f"{path}: tensor {name!r} has shape {found.get(name, 'none')}, the architecture in its "
                f"card needs {wanted.get(name, 'none')}: fetch both files again"
            )
