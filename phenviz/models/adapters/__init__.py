"""Published sequence models behind PhenViz' own protocol: Enformer, Borzoi, Flashzoi and AlphaGenome.

Their code is an optional extra (``pip install "phenviz[enformer]"``, ``"phenviz[borzoi]"`` ...), and their
weights are a file of the user's: see ``docs/published_models.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import nn

from phenviz.data.project_backbone import Averaging, NamedBackbone
from phenviz.errors import ModelError
from phenviz.models.adapters import alphagenome, borzoi, enformer
from phenviz.models.adapters.tracks import model_tracks, select_tracks, with_partners
from phenviz.models.adapters.trunk import TrunkBackbone, fill
from phenviz.models.averaged import AveragedBackbone
from phenviz.models.recompute import recompute_blocks


@dataclass(frozen=True, slots=True)
class Adapter:
    """How a published model becomes a backbone.

    Parameters
    ----------
    package, name
        Where its class is.
    read_shape
        Reads its shape, from beside its weights.
    make
        Makes a module of the class and a shape, with random weights.
    wrap
        Makes a backbone of the module and the tracks that were chosen.
    """

    package: str
    name: str
    read_shape: Callable[[str | Path], dict[str, Any]]
    make: Callable[[Any, Mapping[str, Any]], nn.Module]
    wrap: Callable[..., TrunkBackbone]


ADAPTERS: dict[str, Adapter] = {
    "enformer": Adapter(
        "enformer_pytorch", "Enformer",
        enformer.read_enformer_config, enformer.make_enformer, enformer.wrap_enformer,
    ),
    "borzoi": Adapter(
        "borzoi_pytorch", "Borzoi", borzoi.read_borzoi_config, borzoi.make_borzoi, borzoi.wrap_borzoi
    ),
    "flashzoi": Adapter(
        "borzoi_pytorch", "Borzoi",
        partial(borzoi.read_borzoi_config, flashed=True), borzoi.make_borzoi,
        partial(borzoi.wrap_borzoi, name="flashzoi"),
    ),
    "alphagenome": Adapter(
        "alphagenome_pytorch", "AlphaGenome",
        alphagenome.read_alphagenome_config, alphagenome.make_alphagenome, alphagenome.wrap_alphagenome,
    ),
}  # fmt: skip


def load_adapter(
    kind: str,
    weights: str | Path,
    tracks: Sequence[str] | None = None,
    *,
    average: Averaging | None = None,
    checkpointing: bool | None = None,
) -> TrunkBackbone | AveragedBackbone:
    """Load a published model.

    Parameters
    ----------
    kind
        ``"enformer"``, ``"borzoi"``, ``"flashzoi"`` or ``"alphagenome"``.
    weights
        State dict as ``.safetensors``; with a ``config.json`` beside it where it isn't the published shape.
    tracks
        Which of the model's tracks become contexts: assays (``DNASE``), identifiers (``ENCFF833POA``),
        ontology terms where the model's table has them, or words of the description (``liver CAGE``); None
        for DNASE and ATAC.
    average
        Strands and shifts that predictions are the mean of; None for the sequence as it is, alone. Strands
        are swapped in tracks that have one, by the model's table.
    checkpointing
        Whether gradients compute the activations of blocks anew instead of keeping them
        (`phenviz.models.recompute`); None for yes.

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
    adapter = ADAPTERS[kind]
    package, name = adapter.package, adapter.name
    try:
        code = getattr(import_module(package), name)
    except ImportError as error:
        newer = alphagenome.NEEDS_PYTHON if kind == "alphagenome" else ""
        raise ModelError(
            f"{name} needs the package {package.replace('_', '-')} ({error}): pip install "
            f"'phenviz[{kind}]'{newer}"
        ) from error
    config = adapter.read_shape(weights)
    model = adapter.make(code, config)
    digest = fill(model, weights)
    how: dict[str, Any] = {"weights_hash": digest, "made_of": {**config, "package": _version(package)}}
    if "num_downsamples" in config:
        how["bin_size"] = 2 ** config["num_downsamples"]
    if "window" in config:
        how["window"] = config["window"]
    if checkpointing is not False:
        recompute_blocks(model)
    every = model_tracks(kind)
    chosen = select_tracks(every, tracks)
    if average is None or not average.strands:
        backbone = adapter.wrap(model, chosen, **how)
        return backbone if average is None else AveragedBackbone(backbone, average)
    both = with_partners(every, chosen)
    place = {track.identifier: number for number, track in enumerate(both)}
    return AveragedBackbone(
        adapter.wrap(model, both, **how),
        average,
        channels=[place[track.identifier] for track in chosen],
        partners=[place[track.partner or track.identifier] for track in chosen],
    )


def load_published(named: NamedBackbone) -> TrunkBackbone | AveragedBackbone:
    """Load the published model that a project names; see `load_adapter`."""
    assert named.weights is not None
    said = {"average": named.average, "checkpointing": named.checkpointing}
    how: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    return load_adapter(named.kind, named.weights, named.tracks, **how)


def _version(package: str) -> str:
    try:
        return version(package)
    # one that was put on the path, not installed
    except PackageNotFoundError:
        return "unknown"
