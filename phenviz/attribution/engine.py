"""What computes the embedding of every mutant, for backbones of any kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from phenviz.attribution.receptive_cones import Span
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.memory import in_batches

_ALTERNATES = ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))


@dataclass(frozen=True, slots=True)
class ReferenceTile:
    """What an engine remembers of the reference over one tile.

    Parameters
    ----------
    codes
        Bases, shape (bases,).
    embedding
        The backbone's embedding, (bins, D).
    activity
        The backbone's activity, (bins, C).
    """

    codes: torch.Tensor
    embedding: torch.Tensor
    activity: torch.Tensor


@dataclass(frozen=True, slots=True)
class Changes:
    """Embeddings of all mutants of a batch, where they differ from the reference.

    Parameters
    ----------
    bins
        The bins that are held, counted from the bin of each mutant's base. The target's others don't change.
    before
        Embedding of the reference, (bins, positions, D).
    change
        Mutant minus reference, (bins, positions, 3, D); the third axis holds the alternates in the order A,
        C, G, T without the reference allele.
    """

    bins: Span
    before: torch.Tensor
    change: torch.Tensor


class MutantEngine(Protocol):
    """Changes single bases of a tile."""

    def reference(self, codes: torch.Tensor, one_hot: torch.Tensor) -> ReferenceTile:
        """Run the reference: codes (L,) and the same bases as one-hot (1, 4, L)."""

    def changes(self, reference: ReferenceTile, phase: int, bins: torch.Tensor) -> Changes:
        """Change the base at place ``phase`` of the given bins of the tile to its three alternates."""


def alternates(codes: torch.Tensor) -> torch.Tensor:
    """Return the three other bases of each base (positions,), in the order A, C, G, T: (positions, 3)."""
    return torch.tensor(_ALTERNATES, device=codes.device)[codes.long()]


def margin(backbone: SequenceBackbone, bins: Span | None) -> int:
    """Bases that a tile needs on each side of those to be changed, a multiple of the bin size.

    One receptive field for the cells that change, one more for the reference beside them, and the bins that
    the target looks at around a base (as in the engines): the narrower bins are, the more.
    """
    reach = 2 if bins is None else max(-bins.first, bins.last, 2)
    return 2 * halo(backbone) + (reach + 2) * backbone.bin_size


class CropEngine:
    """Exact mutants of any backbone with a finite receptive field, one crop a mutant.

    Parameters
    ----------
    backbone
        Any model that keeps the protocol.
    bins
        Bins that the target looks at, counted from the changed base's bin; None for all that can change.
    """

    def __init__(self, backbone: SequenceBackbone, bins: Span | None) -> None:
        self.backbone = backbone
        flank = halo(backbone) // backbone.bin_size
        reached = Span(-flank, flank)
        self.bins = reached if bins is None else bins

    def reference(self, codes: torch.Tensor, one_hot: torch.Tensor) -> ReferenceTile:
        """Run the reference of a tile once."""
        embedding = self.backbone.encode(one_hot)
        activity = self.backbone.activity(embedding)
        return ReferenceTile(codes, embedding[0].T, activity[0].T)

    def changes(self, reference: ReferenceTile, phase: int, bins: torch.Tensor) -> Changes:
        """Encode a crop round each changed base, which holds all that the target's bins see."""
        size, flank = self.backbone.bin_size, halo(self.backbone)
        first = self.bins.first * size - flank
        length = len(self.bins) * size + 2 * flank
        offsets = torch.arange(first, first + length, device=bins.device)
        crops = reference.codes[bins[:, None] * size + offsets].long()
        mutants = crops[:, None].repeat(1, 3, 1)
        mutants[:, :, phase - first] = alternates(crops[:, phase - first])
        dtype = reference.embedding.dtype
        inner = slice(flank // size, flank // size + len(self.bins))

        def embed(codes: torch.Tensor) -> torch.Tensor:
            one_hot = torch.eye(5, 4, dtype=dtype, device=codes.device)[codes].transpose(1, 2)
            return self.backbone.encode(one_hot.contiguous())[:, :, inner]

        before = embed(crops).permute(2, 0, 1)
        after = embed(mutants.flatten(0, 1)).permute(2, 0, 1).unflatten(1, (len(bins), 3))
        return Changes(self.bins, before, after - before[:, :, None])


class WindowEngine:
    """Exact mutants of a global backbone, one whole window a mutant.

    Parameters
    ----------
    backbone
        Any model that keeps the protocol; each tile is one of its windows.
    bins
        Bins that the target looks at, counted from the changed base's bin.
    """

    def __init__(self, backbone: SequenceBackbone, bins: Span) -> None:
        self.backbone, self.bins = backbone, bins
        # windows in a pass; fewer once they didn't fit
        self._at_once = 3

    def reference(self, codes: torch.Tensor, one_hot: torch.Tensor) -> ReferenceTile:
        """Run the reference window once."""
        embedding = self.backbone.encode(one_hot)
        return ReferenceTile(codes, embedding[0].T, self.backbone.activity(embedding)[0].T)

    def changes(self, reference: ReferenceTile, phase: int, bins: torch.Tensor) -> Changes:
        """Encode the whole window once a mutant."""
        size = self.backbone.bin_size
        places = bins * size + phase
        rows = bins + torch.arange(self.bins.first, self.bins.last + 1, device=bins.device)[:, None]
        before = reference.embedding[rows]
        after = before[:, :, None].repeat(1, 1, 3, 1)
        table = torch.eye(5, 4, dtype=before.dtype, device=bins.device)
        for column, place in enumerate(places.tolist()):
            mutants = reference.codes.long()[None].repeat(3, 1)
            mutants[:, place] = alternates(reference.codes[place])
            embedding = self._encode(table[mutants].transpose(1, 2).contiguous(), rows[:, column])
            after[:, column] = embedding.permute(2, 0, 1)
        return Changes(self.bins, before, after - before[:, :, None])

    def _encode(self, windows: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        def run(start: int, end: int) -> torch.Tensor:
            embedding = self.backbone.encode(windows[start:end])[:, :, rows]
            if start == 0:
                self._at_once = end
            return embedding

        return torch.cat(list(in_batches(len(windows), self._at_once, run)))
