"""The files of a model: weights as safetensors, and beside them a card in JSON that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from phenviz.data.cache import write_whole
from phenviz.errors import ModelError

Model = TypeVar("Model")


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write tensors, whole or not at all, and return the SHA-256 of the file."""
    raw = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, raw)
    return hashlib.sha256(raw).hexdigest()


def write_card(path: str | Path, card: Mapping[str, Any]) -> None:
    """Write the card of a weights file, whole or not at all."""
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    write_whole(Path(path).with_suffix(".json"), text.encode("utf-8"))


def read_card(
    path: str | Path, *, entries: Sequence[str], of: str, layout: str | None = None
) -> dict[str, Any]:
    """Read the card of a weights file (either path will do) and check that it is one.

    Parameters
    ----------
    path
        Of the card or the weights.
    entries
        What a card must hold.
    of
        The kind of model, for messages.
    layout
        What the entry ``format`` must be; None where cards have none.

    Raises
    ------
    ModelError
        If the card is missing, no JSON, incomplete or of another format.
    """
    path = Path(path).with_suffix(".json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path} is missing or can't be read ({error.strerror}); the card belongs beside the weights"
        ) from error
    except ValueError as error:
        raise ModelError(f"{path} is no JSON ({error}); fetch the card again") from error
    missing = [entry for entry in entries if not isinstance(card, dict) or entry not in card]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}: it is no card of a {of}")
    if layout is not None and card["format"] != layout:
        raise ModelError(
            f"{path} has format {card['format']!r}, this version reads {layout!r}; update PhenViz"
        )
    return card


def read_weights(path: Path, sha256: str | None) -> dict[str, torch.Tensor]:
    """Read the tensors of a weights file.

    Parameters
    ----------
    path
        The file.
    sha256
        What its card says of it.

    Raises
    ------
    ModelError
        If the file is missing, isn't the one that the card was written for, or is no safetensors file.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} is missing or can't be read ({error.strerror}); put the weights beside their card"
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path} has the hash {found[:12]} (SHA-256), its card {path.with_suffix('.json').name} "
            f"was written for {str(sha256)[:12]}: the file is damaged or another version; "
            "fetch both files again"
        )
    try:
        return load(raw)
    except SafetensorError as error:
        raise ModelError(f"{path} is no safetensors file ({error}); fetch it again") from error


def hash_of_weights(module: torch.nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers of a module, with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def from_card(path: Path, entry: str, make: Callable[[Any], Model], card: Mapping[str, Any]) -> Model:
    """Make a model without weights from the entry of its card that describes it.

    Raises
    ------
    ModelError
        If the entry can't be understood.
    """
    try:
        return make(card[entry])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path.with_suffix('.json')}: the entry {entry!r} can't be read ({error!r}); "
            "fetch the card again"
        ) from error


def load_weights(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], path: Path, entry: str) -> None:
    """Put tensors into a model.

    Raises
    ------
    ModelError
        If they don't fit what the entry of its card describes.
    """
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        why = " ".join(str(error).split())[:300]
        raise ModelError(
            f"the weights in {path} don't fit the {entry} in its card ({why}): fetch both again"
        ) from error
