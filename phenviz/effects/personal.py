"""Activity along the two haplotypes of a person, and of many persons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.genome import Context, Locus, ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.edited_sequence import EditedSequence
from phenviz.inference.haplotype_engine import activity_engine
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.expression import window_around
from phenviz.models.predict import bin_range, central_bins, predict
from phenviz.models.windows import select_contexts, units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import bin_coord, context_coords, result_attrs

if TYPE_CHECKING:
    from phenviz.variation import Haplotype, Individual, Individuals, Unphased

REFERENCE = "reference"
DEFINITION = (
    "predicted activity of each bin of the reference along each haplotype: between two insertions or "
    "deletions bases are read on the reference's own grid of bins, deleted bases count 0, the base before an "
    "insertion counts the maximum over itself and the inserted bases; insertions and deletions lie as far "
    "left as they go without meeting the variant before them, and variants that meet are one"
)
# what the two haplotypes of a person are made of, in the attributes of a result
FACTS = ("phasing", "variants", "variants_skipped", "records_left_out", "not_covered", "covered")


def predict_haplotypes(
    individual: Individual,
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    unphased: Unphased = "refuse",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Predict activity along both haplotypes of an individual, beside the reference.

    Parameters
    ----------
    individual
        Whose haplotypes; variants beyond the locus that its bins see count, too, wherever they begin.
    locus
        Where, 0-based half-open.
    reference, backbone
        As for `phenviz.models.predict.predict`. A global backbone predicts a window for each interval between
        insertions and deletions, in each haplotype.
    contexts
        Contexts (or names, labels, CURIEs) to keep; None for all.
    unphased, seed
        What to do about unphased heterozygotes; see `phenviz.variation.Individual.haplotype`.
    progress
        Updated after each tile of 4 kb.

    Returns
    -------
    xr.Dataset
        ``activity`` (haplotype, context, bin), float32, with coordinates ``haplotype`` (``"reference"``,
        ``"1"``, ``"2"``) and ``bin_start`` (0-based, of the reference): all three line up, and where no
        variant is seen they are equal. Attribute ``sample``, and of what the bins see (`seen_haplotypes`)
        ``phasing`` (what the file left open, and what was done), ``variants`` (applied, of each haplotype;
        those that touch count as one, however the file writes them),
        ``variants_skipped`` (carried, but overlapping another one), ``records_left_out`` (what of the file
        can't be put into a sequence, in words) and ``not_covered`` (of which bases of the locus the file's
        genotypes say nothing, in words; both haplotypes are the reference's there; "" where of none), and
        ``covered`` (the others: ``start-end`` of each interval, 0-based half-open, separated by blanks).

    Raises
    ------
    LocusError
        If the locus leaves the contig or holds no base but N.
    DataError
        If heterozygotes that the bins see are unphased and that is refused, or the file can't be read.
    """
    locus = reference.check(locus)
    both = seen_haplotypes(individual, locus, reference, backbone, unphased=unphased, seed=seed)
    edits = [haplotype.edits for haplotype in both]
    numbers = _Numbers(locus, reference, backbone, contexts, progress)
    activity = np.concatenate([numbers.plain[None], numbers.activity(edits)])
    return numbers.as_dataset(
        ("haplotype", "context", "bin"),
        activity,
        {"haplotype": [REFERENCE, "1", "2"]},
        sample=individual.sample,
        **facts_of(both, locus),
    )


def predict_cohort(
    individuals: Individuals,
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    samples: Iterable[str] | None = None,
    contexts: Sequence[Context | str] | None = None,
    unphased: Unphased = "refuse",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Predict activity along both haplotypes of many individuals; equal intervals are predicted once.

    Parameters
    ----------
    individuals
        Whose haplotypes.
    locus, reference, backbone, contexts, unphased, seed, progress
        As for `predict_haplotypes`.
    samples
        Names of the individuals; None for all.

    Returns
    -------
    xr.Dataset
        ``activity`` (individual, haplotype, context, bin), float32, haplotypes ``"1"`` and ``"2"``.
        Attributes ``tiles`` (of 4 kb, of all haplotypes), ``tiles_changed`` (those that a variant
        reaches), ``tiles_computed`` (different ones, which the backbone had to see), ``saving`` (share
        that it had not), ``not_covered`` (as in `predict_haplotypes`) and ``unique_haplotypes`` (in what the
        bins of the locus see).

    Raises
    ------
    LocusError, DataError
        As `predict_haplotypes`.
    """
    from phenviz.variation import unique_haplotypes

    locus = reference.check(locus)
    names = list(samples) if samples is not None else individuals.samples["sample"].tolist()
    around, view = seen_from(locus, reference, backbone)
    unique = unique_haplotypes(individuals, around, names, view=view, unphased=unphased, seed=seed)
    numbers = _Numbers(locus, reference, backbone, contexts, progress)
    edits = [haplotype.edits for haplotype in unique.haplotypes]
    activity = numbers.activity(edits, copies=np.bincount(unique.index.ravel(), minlength=len(edits)))
    return numbers.as_dataset(
        ("individual", "haplotype", "context", "bin"),
        activity[unique.index],
        {"individual": names, "haplotype": ["1", "2"]},
        phasing="; ".join(sorted({phasing.describe() for phasing in unique.phasing})),
        not_covered=individuals.uncovered(locus, names),
        unique_haplotypes=len(unique.haplotypes),
        **numbers.engine.saving.attrs(),
    )


class _Numbers:
    """The reference's activity over a locus, and what computes that of haplotypes."""

    def __init__(
        self,
        locus: Locus,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        contexts: Sequence[Context | str] | None,
        progress: Progress,
    ) -> None:
        self._locus, self._reference, self._backbone, self._progress = locus, reference, backbone, progress
        self._contexts, channels = select_contexts(backbone, contexts)
        self.plain = predict(locus, reference, backbone, contexts=contexts, progress=progress)[
            "activity"
        ].values
        self._first, _ = bin_range(locus, backbone.bin_size)
        self.engine = activity_engine(reference, locus.contig, backbone, channels)

    def activity(
        self, edits: Sequence[Sequence[Edit]], copies: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Predict haplotypes, of which each occurs so many times: (haplotypes, contexts, bins)."""
        tiles = self.engine.tiles(self._first, self._first + self.plain.shape[1])
        self._progress.stage("predicting haplotypes", len(tiles))
        return self.engine.along(edits, self._first, self.plain, self._progress.advance, copies)

    def as_dataset(
        self,
        dims: tuple[str, ...],
        activity: NDArray[np.float32],
        coords: dict[str, list[str]],
        **attrs: Any,
    ) -> xr.Dataset:
        """Make the result."""
        size = self._backbone.bin_size
        starts = (self._first + np.arange(self.plain.shape[1], dtype=np.int64)) * size
        return xr.Dataset(
            {"activity": (dims, activity)},
            coords={**coords, "bin_start": bin_coord(starts), **context_coords(self._contexts)},
            attrs=result_attrs(
                self._locus,
                self._backbone,
                self._reference,
                definition=DEFINITION,
                units=units_in(self._backbone, self._contexts),
                **attrs,
            ),
        )


def seen_haplotypes(
    individual: Individual,
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    unphased: Unphased = "refuse",
    seed: int = 0,
) -> tuple[Haplotype, Haplotype]:
    """Return both haplotypes of an individual over what the bins of a locus see of them.

    This is what `predict_haplotypes` predicts from, and so what is to be told beside its result.

    Parameters
    ----------
    individual, locus, reference, backbone, unphased, seed
        As for `predict_haplotypes`.

    Returns
    -------
    tuple
        Each over its own part of the reference: where bases are deleted, bins see further.

    Raises
    ------
    DataError
        As `predict_haplotypes`.
    """
    around, view = seen_from(locus, reference, backbone)
    return individual.haplotypes(around, view=view, unphased=unphased, seed=seed)


def facts_of(both: tuple[Haplotype, Haplotype], locus: Locus) -> dict[str, Any]:
    """Say what two haplotypes are made of in a locus: `FACTS` of `predict_haplotypes`."""
    values = (
        both[0].phasing.describe(),
        [len(haplotype.edits) for haplotype in both],
        sum(len(haplotype.reasons) for haplotype in both),
        "; ".join(both[0].report.left_out()),
        both[0].uncovered(locus),
        _covered(both[0], locus),
    )
    return dict(zip(FACTS, values, strict=True))


def _covered(haplotype: Haplotype, locus: Locus) -> str:
    if haplotype.coverage is None:
        return f"{locus.start}-{locus.end}"
    inside = (one for one in haplotype.coverage.loci if one.start < locus.end and one.end > locus.start)
    return " ".join(f"{max(one.start, locus.start)}-{min(one.end, locus.end)}" for one in inside)


def seen_from(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    held: tuple[int, int] | None = None,
) -> tuple[Locus, Callable[[Haplotype], Locus]]:
    """Return what the bins of a locus see of the reference, and what tells how far they see a haplotype.

    Of a global backbone this is what they see wherever its windows begin within the locus; or of the one
    window that has the bins ``held`` (half-open) in its middle.
    """
    size, length = backbone.bin_size, reference.contigs[locus.contig]
    first, last = bin_range(locus, size)

    def reach(one: int, two: int) -> tuple[int, int]:
        if backbone.receptive_field is not None:
            return one * size - halo(backbone), two * size + halo(backbone)
        if held is not None:
            left, _ = window_around(*held, backbone)
            return left, left + backbone.window
        kept = central_bins(backbone, 0)[1]
        earliest = max(one - (kept.stop - kept.start) + 1, first)
        start, _ = central_bins(backbone, max(min(two, last) - 1, earliest))
        return central_bins(backbone, earliest)[0], start + backbone.window

    def seen(edits: Sequence[Edit]) -> Locus:
        edited = EditedSequence(reference, locus.contig, edits)
        start, end = edited.seen(first, last, size, reach)
        return Locus(locus.contig, max(start, 0), min(end, length))

    return seen(()), lambda haplotype: seen(haplotype.edits)
