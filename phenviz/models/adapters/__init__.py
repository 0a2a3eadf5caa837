"""Published sequence models behind PhenViz' own protocol: Enformer and Borzoi.

Their code is an optional extra (``pip install "phenviz[enformer]"`` or ``"phenviz[borzoi]"``), and their
weights are a file of the user's: see ``docs/phenformer.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from phenviz.errors import ModelError
from phenviz.models.adapters import borzoi, enformer
from phenviz.models.adapters.tracks import model_tracks, select_tracks
from phenviz.models.adapters.trunk import TrunkBackbone, fill, read_config

# the package and class that has each model's code, its published shape, and what makes a backbone of it
ADAPTERS = {
    "enformer": ("enformer_pytorch", "Enformer", enformer.CONFIG, enformer.wrap_enformer),
    "borzoi": ("borzoi_pytorch", "Borzoi", borzoi.CONFIG, borzoi.wrap_borzoi),
}


def load_adapter(kind: str, weights: str | Path, tracks: Sequence[str] | None = None) -> TrunkBackbone:
    """Load a published model.

    Parameters
    ----------
    kind
        ``"enformer"`` or ``"borzoi"``.
    weights
        State dict as ``.safetensors``; with a ``config.json`` beside it where it isn't the published shape.
    tracks
        Which of the model's tracks become contexts: assays (``DNASE``), identifiers (``ENCFF833POA``) or
        words of the description; None for DNASE and ATAC.

    Raises
    ------
    ModelError
        If the kind is unknown, the extra isn't installed, or the weights are missing or don't fit.
    PackMissing
        If the model's track table isn't here.
    TargetError
        If a track isn't among the model's.
    """
    if kind not in ADAPTERS:
        raise ModelError(f"there is no adapter for {kind!r}: use one of {', '.join(ADAPTERS)}")
    package, name, published, wrap = ADAPTERS[kind]
    try:
        code = getattr(import_module(package), name)
    except ImportError as error:
        raise ModelError(
            f"{name} needs the package {package.replace('_', '-')} ({error}): pip install 'phenviz[{kind}]'"
        ) from error
    model = code.from_hparams(**read_config(weights, published))
    digest = fill(model, weights)
    backbone: TrunkBackbone = wrap(model, select_tracks(model_tracks(kind), tracks))
    backbone.weights_hash = digest
    return backbone
