"""What embeds edited sequences: one engine for each kind of backbone.

Each has two ways. `EditEngine.embed` takes edits of any kind, wherever they lie. `EditEngine.scan` changes
many bases at the same place of their bins to all three alternates, as mutagenesis does with every base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.crop_engine import CropEngine, ReferenceTile, ScannedBases, WindowEngine
from phenviz.inference.embedded_edits import EmbeddedEdits
from phenviz.inference.local_engine import LocalEngine
from phenviz.inference.receptive_cones import Interval
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.local import LocalBackbone


class EditEngine(Protocol):
    """Embeds edited sequences; call it in inference mode.

    Attributes
    ----------
    bins
        Bins that are asked for, counted from the bin of an edit's first base.
    """

    bins: Interval

    def embed(
        self, contig: str, edits: Sequence[Edit], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> EmbeddedEdits:
        """Embed some edits of one contig that lie near each other, each on its own.

        Parameters
        ----------
        contig
            Name as in the reference.
        edits
            Each is made alone; what its alleles share needn't be left out.
        first, last
            Bins on the contig that are asked for of each edit, half-open.
        """

    def tile(self, codes: NDArray[np.uint8]) -> ReferenceTile:
        """Embed the reference over a tile, (bases,), once for all that is scanned in it."""

    def scan(self, tile: ReferenceTile, phase: int, bins: torch.Tensor) -> ScannedBases:
        """Change the base at place ``phase`` of the given bins of the tile to its three alternates."""


def engine_for(
    reference: ReferenceGenome, backbone: SequenceBackbone, bins: Interval | None = None
) -> EditEngine:
    """Choose what embeds edited sequences.

    Parameters
    ----------
    reference, backbone
        Where the sequence and the numbers come from.
    bins
        Bins that are asked for, counted from the bin of an edit's first base; None for all that a change of
        one base can reach (of a global backbone, for its own bin).
    """
    if backbone.receptive_field is None:
        return WindowEngine(reference, backbone, bins or Interval(0, 0))
    flank = halo(backbone) // backbone.bin_size
    bins = Interval(-flank, flank) if bins is None else bins
    # a subclass may compute something else from the same stages
    if type(backbone) is LocalBackbone:
        return LocalEngine(reference, backbone, bins)
    return CropEngine(reference, backbone, bins)


def tile_margin(backbone: SequenceBackbone, bins: Interval | None) -> int:
    """Bases that a scanned tile needs on each side of those to be changed, a multiple of the bin size.

    One receptive field for the bins that change, one more for the reference beside them, and the bins that
    the target looks at around a base (as in `engine_for`): the narrower bins are, the more.
    """
    reach = 2 if bins is None else max(-bins.first, bins.last, 2)
    return 2 * halo(backbone) + (reach + 2) * backbone.bin_size
