"""A backbone whose activity is the mean over both strands, and over small shifts of the sequence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from phenviz.data.project_backbone import Averaging
from phenviz.errors import ModelError
from phenviz.genome.contexts import FOLD_ENRICHMENT
from phenviz.models.backbone import SequenceBackbone


class AveragedBackbone(nn.Module):
    """A backbone that computes several times, and returns the mean of its activities.

    The mean is that of Basenji's, Enformer's and Borzoi's scripts (``--rc --shifts``). Of the reverse
    complement, bins are read backwards and tracks of one strand take the place of those of the other. A
    shift moves the sequence to the right by some bases before the network reads it; the output stays.

    All that uses a backbone so uses the mean: predictions, the effects of changes, and gradients. The mean
    is its own embedding, as those of two strands have none in common; readouts and disease models learn
    from it.

    Parameters
    ----------
    backbone
        What is averaged.
    average
        Over what.
    channels
        Those of the backbone's contexts that are kept, by number; None for all.
    partners
        For each of these the number of the same measurement on the other strand, which is its own for one
        without a strand; None for its own in each.

    Attributes
    ----------
    receptive_field
        That of the backbone and, on both sides, the largest shift.
    weights_hash
        Of the backbone's and of what is averaged, so that neither results nor readouts of the two mix.

    Raises
    ------
    ModelError
        If a shift is a bin or more: it would average a bin with its neighbours.
    """

    def __init__(
        self,
        backbone: SequenceBackbone,
        average: Averaging,
        *,
        channels: Sequence[int] | None = None,
        partners: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        furthest = max(abs(shift) for shift in average.shifts)
        if furthest >= backbone.bin_size:
            raise ModelError(
                f"{backbone.name} has bins of {backbone.bin_size} bp, and a shift by {furthest} bp would "
                "average each with its neighbours: give 'average' shifts shorter than a bin"
            )
        kept = list(range(len(backbone.contexts)) if channels is None else channels)
        swapped = kept if partners is None else list(partners)
        self.backbone, self.average = backbone, average
        self.register_buffer("_kept", torch.tensor(kept), persistent=False)
        self.register_buffer("_swapped", torch.tensor(swapped), persistent=False)
        self.contexts = tuple(backbone.contexts[channel] for channel in kept)
        self.name = f"{backbone.name} ({average})"
        self.window, self.bin_size = backbone.window, backbone.bin_size
        field = backbone.receptive_field
        self.receptive_field = None if field is None else field + 2 * furthest
        self.units: str = getattr(backbone, "units", FOLD_ENRICHMENT)
        self._averaged = {
            "strands": average.strands,
            "shifts": list(average.shifts),
            "channels": kept,
            "partners": swapped if average.strands else kept,
        }
        said = json.dumps([backbone.weights_hash, self._averaged])
        self.weights_hash = hashlib.sha256(said.encode()).hexdigest()
        self.eval()

    def config(self) -> dict[str, Any]:
        """Return what it was made of, for `phenviz.models.identity.model_identity`."""
        own = cast(Any, self.backbone).config() if hasattr(self.backbone, "config") else None
        return {"average": self._averaged, "of": own}

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Turn one-hot (B, 4, L) into the mean activity (B, C, L / bin_size)."""
        strands = (False, True) if self.average.strands else (False,)
        total: torch.Tensor | None = None
        for reverse, shift in product(strands, self.average.shifts):
            if torch.is_grad_enabled() and not self.training:
                # a gradient would keep the activations of all passes at once
                found = checkpoint(
                    self._pass, one_hot, reverse, shift, use_reentrant=False, preserve_rng_state=False
                )
            else:
                found = self._pass(one_hot, reverse, shift)
            total = found if total is None else total + found
        return cast(torch.Tensor, total) / self.average.passes

    def _pass(self, one_hot: torch.Tensor, reverse: bool, shift: int) -> torch.Tensor:
        """Activity of the bins and contexts of a sequence, computed on one strand and with one shift."""
        # bases are ordered so that the complement is the reverse
        read = one_hot.flip(1, 2) if reverse else one_hot
        # what is moved beyond an end is lost there, and N comes in at the other one
        moved = F.pad(read, (shift, -shift)) if shift else read
        activity = self.backbone.activity(self.backbone.encode(moved))
        if not reverse:
            return activity.index_select(1, cast(torch.Tensor, self._kept))
        # bins of a window fill it, so that read backwards they are those of the given strand
        return activity.index_select(1, cast(torch.Tensor, self._swapped)).flip(2)

    def activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return the embedding (B, C, bins), which is the activity."""
        return embedding

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Return ``activity(encode(one_hot))``, shape (B, C, L / bin_size)."""
        return self.encode(one_hot)
