"""Variants of one assembly, described on another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from phenviz.errors import LocusError, SequenceError
from phenviz.genome import ReferenceGenome
from phenviz.genome.chains import REASONS as CHAIN_REASONS
from phenviz.genome.chains import Chains, Lifted
from phenviz.genome.locus import shown_contig
from phenviz.variation.report import counted

REASONS = CHAIN_REASONS | {
    "swapped": "whose ALT is what the other assembly has, so that REF and ALT are swapped there: what is "
    "said of the alternate allele (genotypes, frequencies, effects) would have to be turned over with them",
    "reference_mismatch": "whose REF isn't what the other assembly has there",
    "not_in_reference": "on contigs that the FASTA of the other assembly lacks",
    "symbolic": "with alleles that aren't written as bases, such as <DEL>, or an END of their own",
    "indel_reversed": "insertions and deletions on the other strand, of which the file doesn't say which "
    "allele is the reference's",
    "no_position": "without a position",
}
_COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")
_LETTERS = frozenset("ACGTRYSWKMBDHVN")


@dataclass
class LiftReport:
    """What became of the rows of a file.

    Parameters
    ----------
    source
        The file.
    read, lifted
        Rows read, and rows that have a place on the other assembly.
    reverse
        Of the lifted ones, those on the other strand there.
    rejected
        Reason (a key of `REASONS`) -> rows left out.
    notes
        What else a user should know.
    turned
        What was done with rows on the other strand.
    """

    source: str
    read: int = 0
    lifted: int = 0
    reverse: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    turned: str = "their alleles were turned over"

    def count(self, found: Lifted | LiftedAlleles | str) -> None:
        """Count one row."""
        self.read += 1
        if isinstance(found, str):
            self.rejected[found] += 1
        else:
            self.lifted += 1
            self.reverse += found.reverse

    def describe(self) -> str:
        """Say it in a few lines."""
        lines = [f"{self.source}: {counted(self.read, 'row')} read, {self.lifted:,} lifted"]
        if self.reverse:
            lines.append(f"{self.reverse:,} lie on the other strand there: {self.turned}")
        lines += [f"{count:,} left out: {REASONS[reason]}" for reason, count in self.rejected.most_common()]
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True, slots=True)
class LiftedAlleles:
    """Alleles at a place of the other assembly: contig, 1-based position, alleles on its forward strand."""

    contig: str
    position: int
    alleles: tuple[str, ...]
    reverse: bool


def check_target(chains: Chains, reference: ReferenceGenome) -> None:
    """Raise unless a chain file leads to the assembly of a reference.

    Raises
    ------
    SequenceError
        If they share no contig, or a shared one has another length.
    """
    lengths = {}
    for name, length in chains.target_lengths.items():
        try:
            lengths[reference.resolve_contig(name)] = length
        except LocusError:
            continue
    told = f"{chains.path.name} doesn't lead to the assembly of {reference.path.name} ({reference.assembly})"
    fix = "give the FASTA of the assembly that the chains lead to with --reference, or the other chain file"
    if not lengths:
        raise SequenceError(f"{told}: they share no contig; {fix}")
    for contig, length in lengths.items():
        if reference.contigs[contig] != length:
            raise SequenceError(
                f"{told}: {shown_contig(contig)} has {length:,} bases there, and "
                f"{reference.contigs[contig]:,} in the FASTA; {fix}"
            )


def lift_alleles(
    chains: Chains, contig: str, position: int, alleles: Sequence[str], reference: ReferenceGenome
) -> LiftedAlleles | str:
    """Find a variant on the other assembly, with REF as that has it.

    All bases of REF must lie in one aligned block; of an insertion or deletion the base behind it, too, as a
    gap there may be the variant itself. Where the block lies on the other strand, all alleles are turned
    over, and an insertion or deletion is left-aligned with the base that is before it then.

    Parameters
    ----------
    chains
        Lead from the variant's assembly.
    contig, position, alleles
        As in a VCF: position counts from 1, REF comes first, upper case; ``*`` may be among the others.
    reference
        Genome of the other assembly.

    Returns
    -------
    LiftedAlleles or str
        The contig's name is the FASTA's; or one of `REASONS`.
    """
    ref, *alternates = alleles
    if not all(_LETTERS.issuperset(one) for one in (ref, *alternates) if one != "*"):
        return "symbolic"
    start, end = position - 1, position - 1 + len(ref)
    place = chains.bases(contig, start, end)
    if isinstance(place, str):
        return place
    indel = any(len(one) != len(ref) for one in alternates if one != "*")
    if (
        indel
        and isinstance(behind := chains.bases(contig, start, end + 1), str)
        and behind != "beyond_contig"
    ):
        return behind
    try:
        name = reference.resolve_contig(place.contig)
    except LocusError:
        return "not_in_reference"
    turned = [one if one == "*" else complemented(one) for one in alleles] if place.reverse else list(alleles)
    fault = _fault(turned, reference.letters(name, place.start, place.end))
    if fault:
        return fault
    at, moved = place.start, turned
    if indel and place.reverse:
        at, moved = _left_aligned(place.start, turned, name, reference)
    return LiftedAlleles(name, at + 1, tuple(moved), place.reverse)


def complemented(allele: str) -> str:
    """Return an allele as the other strand has it; letters for several bases are turned over, too."""
    return allele.translate(_COMPLEMENT)[::-1]


def _fault(alleles: Sequence[str], here: str) -> str:
    """Compare REF with the other assembly; a letter for several bases says nothing about it."""
    ref, *alternates = alleles
    if len(here) == len(ref) and all(
        one == other or one not in "ACGT" for one, other in zip(ref, here, strict=True)
    ):
        return ""
    return "swapped" if here in alternates else "reference_mismatch"


def _left_aligned(
    start: int, alleles: Sequence[str], contig: str, reference: ReferenceGenome
) -> tuple[int, list[str]]:
    """Move an insertion or deletion of several alleles as far left as it goes (Tan et al. 2015)."""
    plain = [one for one in alleles if one != "*"]
    while len({one[-1] for one in plain}) == 1:
        if min(map(len, plain)) == 1:
            if start == 0:
                break
            start -= 1
            before = reference.letters(contig, start, start + 1)
            plain = [before + one for one in plain]
        plain = [one[:-1] for one in plain]
    while min(map(len, plain)) > 1 and len({one[0] for one in plain}) == 1:
        start, plain = start + 1, [one[1:] for one in plain]
    left = iter(plain)
    return start, ["*" if one == "*" else next(left) for one in alleles]
