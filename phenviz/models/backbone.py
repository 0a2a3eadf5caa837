"""What a sequence model has to offer to be used everywhere in PhenViz."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch

from phenviz.genome.contexts import Context


@runtime_checkable
class SequenceBackbone(Protocol):
    """One-hot window in, bins x contexts out.

    Attributes
    ----------
    name, weights_hash
        Which model this is: a name to read, and the hash of its weights.
    window
        Bases that the model was trained on; the only length a model without a finite receptive field takes.
    bin_size
        Bases in one output bin.
    receptive_field
        Bases that one bin sees, centred on it; None when the model is global.
    contexts
        What the channels of `activity` stand for.
    """

    name: str
    weights_hash: str
    window: int
    bin_size: int
    receptive_field: int | None
    contexts: tuple[Context, ...]

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Turn one-hot (B, 4, L) into an embedding (B, D, L / bin_size)."""

    def activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Turn an embedding (B, D, bins) into activity (B, C, bins), not negative, on a linear scale."""

    def __call__(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Return ``activity(encode(one_hot))``, shape (B, C, L / bin_size)."""


def halo(backbone: SequenceBackbone) -> int:
    """Bases needed on each side of a tile so that its bins see all they would see in a longer one.

    Returns
    -------
    int
        A multiple of ``bin_size``.

    Raises
    ------
    ValueError
        If the backbone is global: no tile of it equals a longer one.
    """
    if backbone.receptive_field is None:
        raise ValueError(f"{backbone.name} has no finite receptive field, so it can't be tiled exactly")
    reach = max(backbone.receptive_field - backbone.bin_size, 0) / 2
    bins = -(-reach // backbone.bin_size)
    return int(bins) * backbone.bin_size
