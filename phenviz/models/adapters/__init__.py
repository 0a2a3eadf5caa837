"""Published sequence models behind PhenViz' own protocol: Enformer and Borzoi.

Their code is an optional extra (``pip install "phenviz[enformer]"`` or ``"phenviz[borzoi]"``), and their
weights are a file of the user's: see ``docs/phenformer.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phenviz.errors import ModelError
from phenviz.models.adapters.trunk import TrunkBackbone

ADAPTERS = ("enformer", "borzoi")


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
    if kind == "enformer":
        from phenviz.models.adapters.enformer import load_enformer

        return load_enformer(weights, tracks)
    if kind == "borzoi":
        from phenviz.models.adapters.borzoi import load_borzoi

        return load_borzoi(weights, tracks)
    raise ModelError(f"there is no adapter for {kind!r}: use one of {', '.join(ADAPTERS)}")
