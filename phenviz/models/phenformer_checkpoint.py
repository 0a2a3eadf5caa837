"""Phenformer checkpoints: weights as safetensors, and beside them a card in JSON that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phenviz import __version__
from phenviz.errors import ModelError
from phenviz.models import weights
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.joint_readout import JointReadout
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
    tensors = phenformer.state_dict()
    phenformer.weights_hash = weights.write_weights(path, tensors)
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
    weights.write_card(path, phenformer.card)
    return path


def read_traits(path: str | Path) -> tuple[str, ...]:
    """Read from a Phenformer's card which traits it knows, without its weights.

    Raises
    ------
    ModelError
        If there is no card, or it isn't one of a Phenformer.
    """
    path = Path(path).with_suffix(".safetensors")
    card = weights.read_card(path, entries=CARD_ENTRIES, of="Phenformer", layout=FORMAT)
    return weights.from_card(
        path, "config", lambda config: tuple(str(trait["name"]) for trait in config["traits"]), card
    )


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
    card = weights.read_card(path, entries=CARD_ENTRIES, of="Phenformer", layout=FORMAT)
    tensors = weights.read_weights(path, card["weights"].get("sha256"))
    phenformer = weights.from_card(path, "config", Phenformer.from_config, card)
    weights.load_weights(phenformer, tensors, path, "config")
    phenformer.weights_hash, phenformer.card = card["weights"]["sha256"], card
    phenformer.backbone_hash, phenformer.readout_hash = card["backbone_sha256"], card["readout_sha256"]
    if backbone is not None:
        check_models(phenformer, backbone, own_readout(phenformer, readout))
    return phenformer.eval()


def own_readout(phenformer: Phenformer, readout: GeneReadout | None) -> GeneReadout | None:
    """Return of several readouts the one that a Phenformer was trained with; what was given if none is it."""
    members = readout.members if isinstance(readout, JointReadout) else ()
    for member in members:
        names = tuple(context.name for context in member.contexts)
        if phenformer.readout_hash == member.weights_hash or (
            phenformer.readout_hash is None and names == phenformer.expression
        ):
            return member
    return readout


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
