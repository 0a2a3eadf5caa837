"""Edited sequences through any backbone: crops for a local one, whole windows for a global one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.edited_sequence import Around, EditedSequence, GridWindow
from phenviz.inference.embedded_edits import EmbeddedEdits, asked_bins, embed_windows, with_windows
from phenviz.inference.receptive_cones import Interval
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.memory import in_batches
from phenviz.models.windows import one_hot_tensor, placement

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
    """

    codes: torch.Tensor
    embedding: torch.Tensor


@dataclass(frozen=True, slots=True)
class ScannedBases:
    """Embeddings of all mutants of a batch, where they differ from the reference.

    Parameters
    ----------
    bins
        The bins that are held, counted from the bin of each mutant's base. The others don't change.
    change
        Mutant minus reference, (bins, positions, 3, D); the third axis holds the alternates in the order A,
        C, G, T without the reference allele.
    """

    bins: Interval
    change: torch.Tensor


def alternates(codes: torch.Tensor) -> torch.Tensor:
    """Return the three other bases of each base (positions,), in the order A, C, G, T: (positions, 3)."""
    return torch.tensor(_ALTERNATES, device=codes.device)[codes.long()]


class CropEngine:
    """Edits with any backbone of finite receptive field: a crop that holds all that the asked bins see.

    Parameters
    ----------
    reference, backbone, bins
        As for `engine_for`.
    """

    def __init__(self, reference: ReferenceGenome, backbone: SequenceBackbone, bins: Interval) -> None:
        self.reference, self.backbone, self.bins = reference, backbone, bins
        self.size, self.flank = backbone.bin_size, halo(backbone)
        self.device, self.dtype = placement(backbone)

    def embed(
        self, contig: str, edits: Sequence[Edit], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> EmbeddedEdits:
        """See `EditEngine.embed`."""
        left, codes = self.around(contig, first, last)
        embedding = self.backbone.encode(one_hot_tensor(codes, self.device, self.dtype)[None])[0].T
        return self.crops(contig, edits, first, last, embedding, left)

    def around(
        self, contig: str, first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[int, NDArray[np.uint8]]:
        """Return the bases that all asked bins see, and the number of the first bin of these bases."""
        left = int(first.min()) - self.flank // self.size
        right = int(last.max()) * self.size + self.flank
        return left, self.reference.fetch_codes(contig, left * self.size, right)

    def crops(
        self,
        contig: str,
        edits: Sequence[Edit],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        embedding: torch.Tensor,
        left: int,
    ) -> EmbeddedEdits:
        """Embed a crop for each edit, beside the reference's embedding (bins, D) from bin ``left`` on."""

        def around(begin: int, end: int) -> tuple[int, int]:
            return begin * self.size - self.flank, end * self.size + self.flank

        windows = [
            window
            for number, edit in enumerate(edits)
            for window in EditedSequence(self.reference, contig, [edit.trimmed()]).windows(
                number, int(first[number]), int(last[number]), self.size, around
            )
        ]
        of, bins = asked_bins(first, last, self.device)
        return with_windows(len(edits), (of, bins, embedding[bins - left]), windows, self.backbone)

    def tile(self, codes: NDArray[np.uint8]) -> ReferenceTile:
        """See `EditEngine.tile`."""
        embedding = self.backbone.encode(one_hot_tensor(codes, self.device, self.dtype)[None])
        return ReferenceTile(torch.from_numpy(np.array(codes)).to(self.device), embedding[0].T)

    def scan(self, tile: ReferenceTile, phase: int, bins: torch.Tensor) -> ScannedBases:
        """See `EditEngine.scan`: one crop for each mutant."""
        first = self.bins.first * self.size - self.flank
        length = len(self.bins) * self.size + 2 * self.flank
        offsets = torch.arange(first, first + length, device=bins.device)
        crops = tile.codes[bins[:, None] * self.size + offsets].long()
        mutants = crops[:, None].repeat(1, 3, 1)
        mutants[:, :, phase - first] = alternates(crops[:, phase - first])
        inner = slice(self.flank // self.size, self.flank // self.size + len(self.bins))

        def embed(codes: torch.Tensor) -> torch.Tensor:
            one_hot = torch.eye(5, 4, dtype=self.dtype, device=codes.device)[codes].transpose(1, 2)
            return self.backbone.encode(one_hot.contiguous())[:, :, inner]

        before = embed(crops).permute(2, 0, 1)
        after = embed(mutants.flatten(0, 1)).permute(2, 0, 1).unflatten(1, (len(bins), 3))
        return ScannedBases(self.bins, after - before[:, :, None])


class WindowEngine:
    """Edits with a global backbone: whole windows, each centred on the bin of the edit's first base.

    Scanned bases share the window that is their tile.

    Parameters
    ----------
    reference, backbone, bins
        As for `engine_for`; bins within the window.
    """

    def __init__(self, reference: ReferenceGenome, backbone: SequenceBackbone, bins: Interval) -> None:
        self.reference, self.backbone, self.bins = reference, backbone, bins
        self.device, self.dtype = placement(backbone)
        # mutants in a pass; fewer once they didn't fit
        self._at_once = 3

    def embed(
        self, contig: str, edits: Sequence[Edit], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> EmbeddedEdits:
        """See `EditEngine.embed`."""
        size, window = self.backbone.bin_size, self.backbone.window
        # edits in one bin have the same reference window
        own_bins, number_of_bin = np.unique(first - self.bins.first, return_inverse=True)
        edited: list[GridWindow] = []
        plain: list[GridWindow] = []
        for number, bin_ in enumerate(own_bins):
            around = _fixed((int(bin_) - window // size // 2) * size, window)
            here = np.flatnonzero(number_of_bin == number)
            begin, end = int(first[here[0]]), int(last[here[0]])
            plain += EditedSequence(self.reference, contig, []).windows(number, begin, end, size, around)
            for one in here.tolist():
                sequence = EditedSequence(self.reference, contig, [edits[one].trimmed()])
                edited += sequence.windows(int(one), begin, end, size, around)
        reference = torch.cat([found for _, found in embed_windows(plain, self.backbone)])
        before = reference[torch.from_numpy(number_of_bin).to(self.device)].flatten(0, 1)
        of, bins = asked_bins(first, last, self.device)
        return with_windows(len(edits), (of, bins, before), edited, self.backbone)

    def tile(self, codes: NDArray[np.uint8]) -> ReferenceTile:
        """See `EditEngine.tile`: one window."""
        embedding = self.backbone.encode(one_hot_tensor(codes, self.device, self.dtype)[None])
        return ReferenceTile(torch.from_numpy(np.array(codes)).to(self.device), embedding[0].T)

    def scan(self, tile: ReferenceTile, phase: int, bins: torch.Tensor) -> ScannedBases:
        """See `EditEngine.scan`: the whole window for each mutant."""
        places = bins * self.backbone.bin_size + phase
        rows = bins + torch.arange(self.bins.first, self.bins.last + 1, device=bins.device)[:, None]
        after = tile.embedding[rows][:, :, None].repeat(1, 1, 3, 1)
        table = torch.eye(5, 4, dtype=after.dtype, device=bins.device)
        for column, place in enumerate(places.tolist()):
            mutants = tile.codes.long()[None].repeat(3, 1)
            mutants[:, place] = alternates(tile.codes[place])
            embedding = self._encode(table[mutants].transpose(1, 2).contiguous(), rows[:, column])
            after[:, column] = embedding.permute(2, 0, 1)
        return ScannedBases(self.bins, after - tile.embedding[rows][:, :, None])

    def _encode(self, windows: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        def some(start: int, end: int) -> torch.Tensor:
            embedding = self.backbone.encode(windows[start:end])[:, :, rows]
            if start == 0:
                self._at_once = end
            return embedding

        return torch.cat(list(in_batches(len(windows), self._at_once, some)))


def _fixed(left: int, window: int) -> Around:
    return lambda first, last: (left, left + window)
