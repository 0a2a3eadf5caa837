"""In-silico mutagenesis around a variant, on the reference and with the variant in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.mutagenesis import mutagenesis
from phenviz.errors import DataError, LocusError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.edited_sequence import EditedSequence
from phenviz.models.backbone import SequenceBackbone
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import base_starts, contribution, reference_bases
from phenviz.variation.normalise import left_align

_ALTERNATE = "alternate_"
_SPANS = ("reference_span", "alternate_span")


class Letters(NamedTuple):
    """What each base of one allele contributes.

    Parameters
    ----------
    bases
        Of the allele's own sequence.
    values
        Contribution of each, shape (n,).
    changed
        First and last (half-open) of the bases that differ, counted from the first one.
    """

    bases: str
    values: NDArray[np.float32]
    changed: tuple[int, int]


@dataclass(frozen=True, eq=False)
class BothAlleles:
    """Mutagenesis of both alleles of a variant.

    Parameters
    ----------
    reference, alternate
        Results of `phenviz.attribution.mutagenesis`; positions of the alternate are those of its own
        sequence, which is that of the reference up to the variant.
    reference_span, alternate_span
        First and last (half-open) of the positions that differ, 0-based; an empty one stands where bases
        are inserted or deleted.
    """

    reference: xr.Dataset
    alternate: xr.Dataset
    reference_span: tuple[int, int]
    alternate_span: tuple[int, int]

    def as_dataset(self) -> xr.Dataset:
        """Put both into one Dataset: the alternate's variables and positions are called ``alternate_...``."""
        own = [*self.alternate.data_vars, "position"]
        alternate = self.alternate.rename({name: f"{_ALTERNATE}{name}" for name in own})
        spans = {name: list(getattr(self, name)) for name in _SPANS}
        both = self.reference.assign_coords(alternate.coords).assign(alternate.data_vars)
        return both.assign_attrs(spans, **{f"{_ALTERNATE}end": self.alternate.attrs["end"]})

    def letters(self, flank: int) -> tuple[int, Letters, Letters]:
        """Return what the bases around the variant contribute: 0-based position of the first, REF, ALT.

        Parameters
        ----------
        flank
            Bases on both sides of what differs; of mutagenesis in one context.
        """
        start = max(self.reference_span[0] - flank, int(base_starts(self.reference)[0]))
        found = []
        for dataset, (first, last) in (
            (self.reference, self.reference_span),
            (self.alternate, self.alternate_span),
        ):
            seen = dataset.sel(position=slice(start + 1, last + flank))
            values = np.nan_to_num(contribution(seen).to_numpy().reshape(-1)).astype(np.float32)
            found.append(Letters("".join(reference_bases(seen)), values, (first - start, last - start)))
        return start, found[0], found[1]

    @classmethod
    def of(cls, dataset: xr.Dataset) -> BothAlleles:
        """Take apart what `as_dataset` put together."""
        own = [str(name) for name in dataset.variables if str(name).startswith(_ALTERNATE)]
        alternate = dataset[own].rename({name: name.removeprefix(_ALTERNATE) for name in own})
        end = alternate.attrs[f"{_ALTERNATE}end"]
        (a, b), (c, d) = (dataset.attrs[name] for name in _SPANS)
        return cls(
            dataset.drop_vars(own), alternate.assign_attrs(end=end), (int(a), int(b)), (int(c), int(d))
        )


def mutate_both_alleles(
    contig: str,
    position: int,
    ref: str,
    alt: str,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    flank: int = 30,
    progress: Progress = NO_PROGRESS,
) -> BothAlleles:
    """Change every base around a variant to every other, with and without the variant.

    Parameters
    ----------
    contig
        As in the reference, with or without ``chr``.
    position
        First base of REF, counted from 1 as in VCF.
    ref, alt
        Alleles, of any length.
    reference, backbone, contexts, progress
        As for `phenviz.attribution.mutagenesis`.
    flank
        Bases on both sides of the variant.

    Raises
    ------
    DataError
        If REF isn't what the reference has, or an allele holds anything but A, C, G, T and N.
    LocusError
        If the variant doesn't lie on the contig.
    """
    name = reference.resolve_contig(contig)
    length = reference.contigs[name]
    if not 0 < position <= length - len(ref) + 1:
        raise LocusError(f"{name}:{position:,} {ref}>{alt} doesn't lie on {name}, which ends at {length:,}")
    found = reference.sequence(Locus(name, position - 1, position - 1 + len(ref))).upper()
    if found != ref.upper() or not set((ref + alt).upper()) <= set("ACGTN"):
        raise DataError(
            f"{name}:{position:,} {ref}>{alt}: the reference has {found} there; is the variant of another "
            "assembly?"
        )
    edit = Edit(position - 1, ref.upper(), alt.upper())
    if edit.ref != edit.alt:
        edit = left_align(reference.codes(name), *edit)
    edit = edit.trimmed()
    sequence = EditedSequence(reference, name, [edit])
    # the same in letters: as much on both sides of what differs
    first = max(edit.start - flank, 0)
    spans = (edit.start, edit.end), (edit.start, edit.start + len(edit.alt))
    results = []
    genomes = (reference, length), (cast(ReferenceGenome, _EditedReference(sequence)), sequence.length)
    for (genome, end), (_, last) in zip(genomes, spans, strict=True):
        window = Locus(name, first, min(last + flank, end))
        results.append(mutagenesis(window, genome, backbone, contexts=contexts, progress=progress))
    return BothAlleles(results[0], results[1], spans[0], spans[1])


class _EditedReference:
    """A reference of which one contig is an edited one."""

    def __init__(self, edited: EditedSequence) -> None:
        self._reference, self._edited = edited.reference, edited

    @property
    def contigs(self) -> Mapping[str, int]:
        """Length of each contig."""
        return {**self._reference.contigs, self._edited.contig: self._edited.length}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reference, name)

    def check(self, locus: Locus) -> Locus:
        """Return the locus with the FASTA's contig name."""
        return Locus(self._reference.resolve_contig(locus.contig), locus.start, locus.end)

    def fetch_codes(self, contig: str, start: int, end: int) -> NDArray[np.uint8]:
        """Return bases of the edited contig; N beyond its ends."""
        if self._reference.resolve_contig(contig) == self._edited.contig:
            return self._edited.codes(start, end)
        return self._reference.fetch_codes(contig, start, end)
