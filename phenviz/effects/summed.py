"""A person's activity as if each variant acted by itself: the sum of what each changes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from phenviz.effects.personal import REFERENCE, seen_haplotypes
from phenviz.genome import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.haplotype_engine import activity_engine
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.windows import select_contexts
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import bin_size_of, locus_of

if TYPE_CHECKING:
    from phenviz.variation import Haplotype, Individual, Unphased

DEFINITION = (
    "activity of the reference, plus for each variant of the haplotype what it changes when it is the only "
    "one (not below 0)"
)
# their bins are held for each of them
_AT_ONCE = 32
_FAR = 2**60


def sum_of_variants(
    exact: xr.Dataset,
    individual: Individual,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    unphased: Unphased = "refuse",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Add up what each variant of a person changes by itself, to be compared with the exact haplotypes.

    Parameters
    ----------
    exact
        What `phenviz.effects.personal.predict_haplotypes` returned for the individual, with the same
        ``unphased`` and ``seed``.
    individual, reference, backbone, unphased, seed
        As there.
    progress
        Updated after each few variants.

    Returns
    -------
    xr.Dataset
        As ``exact``: ``activity`` (haplotype, context, bin); haplotypes without two variants near each other
        are the same in both.
    """
    names = [str(name) for name in exact["context"].to_numpy()]
    _, channels = select_contexts(backbone, names)
    locus, size = locus_of(exact), bin_size_of(exact)
    # whatever lies in a global model's window changes all of it
    flank = halo(backbone) if backbone.receptive_field is not None else _FAR
    first = int(exact["bin_start"].to_numpy()[0]) // size
    activity = exact["activity"].transpose("haplotype", "context", "bin")
    plain = activity.sel(haplotype=REFERENCE).to_numpy()
    moved = np.zeros((2, *plain.shape), dtype=np.float64)
    both = seen_haplotypes(individual, locus, reference, backbone, unphased=unphased, seed=seed)
    carriers = _carriers(both)
    engine = activity_engine(reference, locus.contig, backbone, channels)
    edits = sorted(carriers)
    progress.stage("adding up variants", len(edits))
    for start in range(0, len(edits), _AT_ONCE):
        some = edits[start : start + _AT_ONCE]
        low = max((some[0][0] - flank) // size - first - 1, 0)
        high = min((max(at + len(ref) for at, ref, _ in some) + flank) // size - first + 2, plain.shape[1])
        if low < high:
            here = plain[:, low:high]
            alone = engine.along([[edit] for edit in some], first + low, here)
            for edit, values in zip(some, alone, strict=True):
                for copy in carriers[edit]:
                    moved[copy, :, low:high] += values - here
        progress.advance(len(some))
    summed = np.maximum(plain + moved, 0).astype(np.float32)
    values = np.concatenate([plain[None], summed])
    return (
        exact.assign(activity=(("haplotype", "context", "bin"), values))
        .sel(haplotype=[REFERENCE, "1", "2"])
        .assign_attrs(definition=DEFINITION)
    )


def _carriers(both: tuple[Haplotype, Haplotype]) -> dict[Edit, list[int]]:
    """Return which of the two haplotypes (0, 1) have each variant."""
    carriers: dict[Edit, list[int]] = {}
    for copy, haplotype in enumerate(both):
        for edit in haplotype.edits:
            carriers.setdefault(edit, []).append(copy)
    return carriers
