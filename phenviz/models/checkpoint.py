"""Backbone checkpoints: weights as safetensors, and beside them a card in JSON that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from phenviz import __version__
from phenviz.data.cache import write_whole
from phenviz.errors import ModelError
from phenviz.models.local import LocalBackbone

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
    tensors = {name: tensor.detach().to(dtype).contiguous() for name, tensor in backbone.state_dict().items()}
    raw = save_tensors(tensors)
    backbone.weights_hash = hashlib.sha256(raw).hexdigest()
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
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, raw)
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
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} can't be read ({error.strerror}); put the weights beside their card"
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != card["weights"]["sha256"]:
        raise ModelError(
            f"{path} has SHA-256 {found[:12]}..., its card {path.with_suffix('.json').name} was written for "
            f"{card['weights']['sha256'][:12]}...: the file is damaged or another version; "
            "fetch both files again, or train the model anew with `phenviz train backbone`"
        )
    try:
        tensors = load_tensors(raw)
    except SafetensorError as error:
        raise ModelError(f"{path} is no safetensors file ({error}); fetch it again") from error
    backbone = _build(path, card)
    _check_shapes(path, tensors, backbone)
    backbone.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    backbone.weights_hash, backbone.card = found, card
    return backbone.eval()


def read_card(path: str | Path) -> dict[str, Any]:
    """Read the card of a weights file (either path will do) and check that it is one."""
    path = Path(path).with_suffix(".json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path} can't be read ({error.strerror}); the card belongs beside the weights"
        ) from error
    except ValueError as error:
        raise ModelError(f"{path} is no JSON ({error}); fetch the card again") from error
    missing = [entry for entry in CARD_ENTRIES if not isinstance(card, dict) or entry not in card]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}: it is no card of a PhenViz backbone")
    if card["format"] != FORMAT:
        raise ModelError(
            f"{path} has format {card['format']!r}, this version reads {FORMAT!r}; update PhenViz"
        )
    return card


def write_card(path: str | Path, card: Mapping[str, Any]) -> None:
    """Write the card of a weights file, whole or not at all."""
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    write_whole(Path(path).with_suffix(".json"), text.encode("utf-8"))


def _build(path: Path, card: Mapping[str, Any]) -> LocalBackbone:
    try:
        return LocalBackbone.from_config(card["architecture"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path.with_suffix('.json')}: the entry 'architecture' can't be read ({error!r}); "
            "fetch the card again"
        ) from error


def _check_shapes(path: Path, tensors: Mapping[str, torch.Tensor], backbone: LocalBackbone) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ModelError(
                f"{path}: tensor {name!r} has shape {found.get(name, 'none')}, the architecture in its "
                f"card needs {wanted.get(name, 'none')}: fetch both files again"
            )
