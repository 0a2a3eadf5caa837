"""What became of the records of a file: how many were kept, split, moved and left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

# why an allele or record isn't in a table, in the words that a user reads
REASONS = {
    "symbolic": "symbolic alleles such as <DEL>",
    "breakend": "breakends",
    "star": "'*' alleles (deleted by a variant further left)",
    "ambiguous": "alternate alleles with letters other than A, C, G, T and N",
    "no_alternate": "records without an alternate allele",
    "identical": "alternate alleles that equal the reference",
    "duplicate": "variants that the file has already listed",
    "unknown_contig": "records on contigs that the reference lacks",
    "beyond_contig": "records that leave their contig",
    "reference_mismatch": "records whose REF isn't what the reference has there",
    "unknown_reference": "records whose REF isn't what the reference has there, but N",
}
_EXAMPLES = 3


@dataclass(frozen=True)
class VariantReport:
    """Counts of what was read.

    Parameters
    ----------
    source
        The file, as named by the user.
    read
        Records read.
    kept
        Variants (one alternate allele each) in the table.
    split
        Records with more than one alternate allele.
    left_aligned
        Variants that were moved or trimmed; what they say is unchanged.
    no_genotype
        Records without genotypes, taken as missing; 0 where only sites were read.
    skipped
        Reason -> number of alleles (records for `unknown_contig`, `beyond_contig`,
        `reference_mismatch`, `unknown_reference` and `no_alternate`). Reasons are the keys of `REASONS`.
    examples
        Reason -> the first few, each with file, record, position and alleles.
    notes
        What else a user should know, such as a missing index.
    """

    source: str = ""
    read: int = 0
    kept: int = 0
    split: int = 0
    left_aligned: int = 0
    no_genotype: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def joined(cls, reports: Sequence[VariantReport], kept: int) -> VariantReport:
        """Add up the reports of files whose variants were merged into ``kept``."""
        skipped: Counter[str] = Counter()
        for report in reports:
            skipped.update(report.skipped)
        return cls(
            source=", ".join(report.source for report in reports),
            read=sum(report.read for report in reports),
            kept=kept,
            split=sum(report.split for report in reports),
            left_aligned=sum(report.left_aligned for report in reports),
            no_genotype=sum(report.no_genotype for report in reports),
            skipped={reason: skipped[reason] for reason in REASONS if skipped[reason]},
            examples={
                reason: sum((report.examples.get(reason, ()) for report in reports), ())[:_EXAMPLES]
                for reason in REASONS
                if skipped[reason]
            },
            notes=tuple(note for report in reports for note in report.notes),
        )

    def describe(self) -> str:
        """Say in a few lines what became of the records."""
        read, kept = counted(self.read, "record"), counted(self.kept, "variant")
        lines = [f"{self.source or 'variants'}: {read} read, {kept} kept"]
        if self.split:
            lines.append(f"{counted(self.split, 'record')} with several alternate alleles split")
        if self.left_aligned:
            lines.append(f"{counted(self.left_aligned, 'variant')} left-aligned or trimmed")
        return "\n".join([*lines, *self.left_out(), *self.notes])

    def left_out(self) -> list[str]:
        """Say what isn't in the table, one reason a line; empty where everything is."""
        lines = []
        if self.no_genotype:
            lines.append(f"{counted(self.no_genotype, 'record')} without genotypes, taken as missing")
        for reason, count in self.skipped.items():
            shown = "; ".join(self.examples.get(reason, ()))
            lines.append(f"{count:,} skipped: {REASONS[reason]}" + (f" ({shown})" if shown else ""))
        return lines


def offer_of_lift(source: str, assembly: str) -> str:
    """Say how a file of another assembly comes to be on this one, as the end of a sentence."""
    pack = {"GRCh37": "chain-hg38-to-hg19", "GRCh38": "chain-hg19-to-hg38"}.get(assembly, "CHAIN_FILE")
    kind = ".vcf.gz" if source.lower().endswith((".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")) else ".tsv"
    return f"lift it over to {assembly} with `phenviz lift {source} --chain {pack} -o lifted{kind}`"


def counted(number: int, what: str) -> str:
    """Write a number of things, one of them without the plural's s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


class Tally:
    """Counts that grow while a file is read.

    Parameters
    ----------
    source
        The file, as named by the user.
    """

    def __init__(self, source: str = "") -> None:
        self.source = source
        self.read = self.kept = self.split = self.left_aligned = self.no_genotype = 0
        # records whose REF tells whether they are of the reference's assembly
        self.compared = 0
        # of the others, those of which an alternate allele is what the reference has
        self.swapped = 0
        self.notes: list[str] = []
        self._skipped: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._reduced: list[str] = []

    def reduced(self, record: str, letters: str) -> None:
        """Count a record whose REF writes letters of the FASTA that stand for several bases as one."""
        self._reduced.append(f"{record}, where it has {letters}" if len(self._reduced) < _EXAMPLES else "")

    def skip(self, reason: str, example: str, count: int = 1) -> None:
        """Count something left out; the first few are kept as examples."""
        self._skipped[reason] += count
        examples = self._examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(example)

    def skipped(self, reason: str) -> int:
        """Return how often something was left out for this reason."""
        return self._skipped[reason]

    def example(self, reason: str) -> str:
        """Return the first one left out for this reason."""
        return self._examples[reason][0]

    def report(self) -> VariantReport:
        """Return the counts so far."""
        return VariantReport(
            source=self.source,
            read=self.read,
            kept=self.kept,
            split=self.split,
            left_aligned=self.left_aligned,
            no_genotype=self.no_genotype,
            skipped={reason: self._skipped[reason] for reason in REASONS if self._skipped[reason]},
            examples={reason: tuple(shown) for reason, shown in self._examples.items()},
            notes=(*self.notes, *self._letters()),
        )

    def _letters(self) -> list[str]:
        if not self._reduced:
            return []
        shown = "; ".join(filter(None, self._reduced))
        return [
            f"{counted(len(self._reduced), 'record')} where the FASTA has a letter for several bases, of "
            f"which REF is the first, as VCF wants it ({shown}): kept, and the reference stays unknown there"
        ]
