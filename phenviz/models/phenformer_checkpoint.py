"""Phenformer checkpoints: weights as safetensors, and beside them a card in JSON that says what they are."""

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
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.checkpoint import write_card
from phenviz.models.phenformer import Phenformer
from phenviz.models.readout import GeneReadout

FORMAT = "phenviz-phenformer/1"
CARD_ENTRIES = ("format", "config", "weights", "backbone_sha256", "readout_sha256")


def save_phenformer(
    phenformer: Phenformer, path: str | Path, *, card: Mapping[str, Any] | None = None
) -> Path:
    """Write a Phenformer's weights and card.

    Parameters
    ----------
    phenformer
        What to save; its ``weights_hash`` and ``card`` become those of the written file.
    path
        Weights file, ``NAME.safetensors``; the card goes to ``NAME.json`` beside it.
    card
        What else the card should say: ``training`` (say there if it was a simulated cohort), ``metrics``.

    Returns
    -------
    Path
        The weights file.
    """
    path = Path(path).with_suffix(".safetensors")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in phenformer.state_dict().items()}
    raw = save_tensors(tensors)
    phenformer.weights_hash = hashlib.sha256(raw).hexdigest()
    phenformer.card = {
        "format": FORMAT,
        "config": phenformer.config(),
        "backbone_sha256": phenformer.backbone_hash,
        "readout_sha256": phenformer.readout_hash,
        "weights": {
            "file": path.name,
            "sha256": phenformer.weights_hash,
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
        },
        "code_version": __version__,
        **(card or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, raw)
    write_card(path, phenformer.card)
    return path


def load_phenformer(
    path: str | Path, backbone: SequenceBackbone | None = None, readout: GeneReadout | None = None
) -> Phenformer:
    """Read a Phenformer, in evaluation mode.

    Parameters
    ----------
    path
        The weights file or its card; the other one lies beside it.
    backbone, readout
        Models that its tokens will come from; None for a backbone checks nothing.

    Raises
    ------
    ModelError
        If a file is missing or damaged, the weights are not those of the card (SHA-256), their shapes are not
        those of its config, or the model was trained on tokens of another backbone or readout.
    """
    path = Path(path).with_suffix(".safetensors")
    card = _read_card(path.with_suffix(".json"))
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} can't be read ({error.strerror}); put the weights beside their card"
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != card["weights"].get("sha256"):
        raise ModelError(
            f"{path} has SHA-256 {found[:12]}..., its card was written for another file: the file is damaged "
            "or another version; fetch both files again"
        )
    phenformer = _build(path, card, raw)
    phenformer.weights_hash, phenformer.card = found, card
    phenformer.backbone_hash, phenformer.readout_hash = card["backbone_sha256"], card["readout_sha256"]
    if backbone is not None:
        check_models(phenformer, backbone, readout)
    return phenformer.eval()


def check_models(phenformer: Phenformer, backbone: SequenceBackbone, readout: GeneReadout | None) -> None:
    """Raise `ModelError` unless a Phenformer's tokens can come from this backbone and this readout."""
    _check_hash(phenformer, "backbone", backbone.name, phenformer.backbone_hash, backbone.weights_hash)
    if phenformer.window % backbone.bin_size:
        raise ModelError(
            f"the windows of {phenformer.name} have {phenformer.window:,} bp, no whole number of "
            f"{backbone.name}'s bins of {backbone.bin_size} bp"
        )
    if backbone.receptive_field is None and phenformer.window != backbone.window:
        raise ModelError(
            f"{backbone.name} takes windows of {backbone.window:,} bp only, those of {phenformer.name} have "
            f"{phenformer.window:,} bp"
        )
    if phenformer.expression_from == "activity":
        contexts = tuple(context.name for context in backbone.contexts)
        source = f"backbone {backbone.name}"
    else:
        if readout is None:
            raise ModelError(
                f"{phenformer.name} needs the gene readout that it was trained with: set 'readout' in the "
                "project.yaml"
            )
        _check_hash(phenformer, "readout", readout.name, phenformer.readout_hash, readout.weights_hash)
        contexts = tuple(context.name for context in readout.contexts)
        source = f"readout {readout.name}"
    if contexts != phenformer.expression:
        raise ModelError(
            f"{phenformer.name} was made for expression in {', '.join(phenformer.expression)}, but {source} "
            f"predicts {', '.join(contexts)}: give the models that belong together"
        )


def _check_hash(phenformer: Phenformer, what: str, name: str, wanted: str | None, found: str) -> None:
    if wanted is not None and wanted != found:
        raise ModelError(
            f"{phenformer.name} was trained on a {what} with the hash {wanted[:8]}, but {name} has "
            f"{found[:8]}: give the {what} that it belongs to"
        )


def _read_card(path: Path) -> dict[str, Any]:
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
        raise ModelError(f"{path} lacks {', '.join(missing)}: it is no card of a Phenformer")
    if card["format"] != FORMAT:
        raise ModelError(
            f"{path} has format {card['format']!r}, this version reads {FORMAT!r}; update PhenViz"
        )
    return card


def _build(path: Path, card: Mapping[str, Any], raw: bytes) -> Phenformer:
    try:
        phenformer = Phenformer.from_config(card["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path.with_suffix('.json')}: the entry 'config' can't be read ({error!r}); fetch the card again"
        ) from error
    try:
        tensors: dict[str, torch.Tensor] = load_tensors(raw)
        phenformer.load_state_dict(tensors)
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"the weights in {path} don't fit the config in its card ({' '.join(str(error).split())[:300]}): "
            "fetch both again"
        ) from error
    return phenformer
