"""Published sequence models behind PhenViz' own protocol: Enformer and Borzoi.

Their code is an optional extra (``pip install "phenviz[enformer]"`` or ``"phenviz[borzoi]"``), and their
weights are a file of the user's: see ``docs/published_models.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from phenviz.errors import ModelError
from phenviz.models.adapters import borzoi, enformer
from phenviz.models.adapters.tracks import model_tracks, select_tracks
from phenviz.models.adapters.trunk import TrunkBackbone, fill, read_config

# the package and class that has each model's code, what reads its shape, and what makes a backbone of it
ADAPTERS: dict[str, tuple[str, str, Callable[..., dict[str, Any]], Callable[..., TrunkBackbone]]] = {
    "enformer": ("enformer_pytorch", "Enformer", enformer.read_enformer_config, enformer.wrap_enformer),
    "borzoi": ("borzoi_pytorch", "Borzoi", partial(read_config, default=borzoi.CONFIG), borzoi.wrap_borzoi),
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
    package, name, read_shape, wrap = ADAPTERS[kind]
    try:
        code = getattr(import_module(package), name)
    except ImportError as error:
        raise ModelError(
            f"{name} needs the package {package.replace('_', '-')} ({error}): pip install 'phenviz[{kind}]'"
        ) from error
    config = read_shape(weights)
    model = code.from_hparams(**config)
    if "use_tf_gamma" in config and getattr(model, "use_tf_gamma", False) != config["use_tf_gamma"]:
        raise ModelError(f"this {package} doesn't know use_tf_gamma: pip install 'phenviz[{kind}]'")
    digest = fill(model, weights)
    how: dict[str, Any] = {"weights_hash": digest, "made_of": {**config, "package": _version(package)}}
    if "num_downsamples" in config:
        how["bin_size"] = 2 ** config["num_downsamples"]
    return wrap(model, select_tracks(model_tracks(kind), tracks), **how)


def _version(package: str) -> str:
    try:
        return version(package)
    # one that was put on the path, not installed
    except PackageNotFoundError:
        return "unknown"
