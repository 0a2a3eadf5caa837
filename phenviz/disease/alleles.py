"""Check the alleles of a trait's variants against the reference, and mend what can be mended."""

from __future__ import annotations

import numpy as np
import pandas as pd

from phenviz.disease.traits import UNKNOWN_ALTERNATE, TraitReport
from phenviz.errors import DataError, LocusError
from phenviz.genome.codes import decode
from phenviz.genome.reference import ReferenceGenome

_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_LEAST_FIT = 0.75
_MOST_WRONG = 0.02
_FEWEST_TO_JUDGE = 20


def check_alleles(table: pd.DataFrame, reference: ReferenceGenome, report: TraitReport) -> pd.DataFrame:
    """Keep the variants of the reference's contigs, with the reference's own base as ``ref``.

    Parameters
    ----------
    table
        ``trait``, ``contig``, ``position`` (1-based), ``ref``, ``alt``, ``posterior`` and, where known,
        ``beta`` and ``z`` (of ``alt``). An empty ``ref`` and ``alt`` stand for unknown alleles.
    reference
        Genome of the assembly that the file should be on.
    report
        Counts: ``swapped_alleles`` (ref and alt exchanged, signs of beta and z turned), ``strand_flipped``,
        ``alternate_unknown``; skipped ``other_contig``, ``outside_contig``, ``no_bases``,
        ``reference_mismatch`` (left over from a lift-over, or of another assembly).

    Returns
    -------
    pd.DataFrame
        The rows kept, with the contig's name of the reference.

    Raises
    ------
    DataError
        If most rows on the contigs don't fit the reference: the file is of another assembly.
    """
    table = _on_known_contigs(table, reference, report)
    outcome = [
        _judge(reference, contig, position, ref, alt)
        for contig, position, ref, alt in zip(
            table["contig"], table["position"], table["ref"], table["alt"], strict=True
        )
    ]
    verdict = np.array([word for word, _, _ in outcome], dtype=object)
    words = [f"{r.contig}:{r.position}:{r.ref or '?'}:{r.alt or '?'}" for r in table.itertuples()]
    for reason in ("outside_contig", "no_bases", "reference_mismatch"):
        _count(report, "skipped", reason, words, verdict == reason)
    swapped = np.isin(verdict, ["swapped", "swapped_flipped"])
    _count(report, "changed", "swapped_alleles", words, swapped)
    _count(report, "changed", "strand_flipped", words, np.isin(verdict, ["flipped", "swapped_flipped"]))
    _count(report, "changed", "alternate_unknown", words, verdict == "alternate_unknown")
    _refuse_another_assembly(table, verdict, reference, report)
    table = table.assign(ref=[ref for _, ref, _ in outcome], alt=[alt for _, _, alt in outcome])
    for column in ("beta", "z"):
        if column in table:
            table[column] = table[column].where(~swapped, -table[column])
    if "allele_frequency" in table:
        table["allele_frequency"] = table["allele_frequency"].where(~swapped, 1 - table["allele_frequency"])
    return table[~np.isin(verdict, ["outside_contig", "no_bases", "reference_mismatch"])]


def _on_known_contigs(table: pd.DataFrame, reference: ReferenceGenome, report: TraitReport) -> pd.DataFrame:
    names: dict[str, str | None] = {}
    for name in table["contig"].unique():
        try:
            names[name] = reference.resolve_contig(str(name))
        except LocusError:
            names[name] = None
    contig = table["contig"].map(names)
    elsewhere = table.loc[contig.isna(), "contig"]
    if len(elsewhere):
        report.count("skipped", "other_contig", elsewhere.astype(str).tolist())
        report.examples["other_contig"] = [f"chr{str(n).removeprefix('chr')}" for n in elsewhere.unique()][:3]
    return table[contig.notna()].assign(contig=contig[contig.notna()].astype(str))


def _judge(
    reference: ReferenceGenome, contig: str, position: int, ref: str, alt: str
) -> tuple[str, str, str]:
    """Say what is the matter with one variant, and give its alleles on the reference."""
    length = reference.contigs[contig]
    if not 1 <= position <= length or position - 1 + max(len(ref), 1) > length:
        return "outside_contig", ref, alt
    if not ref and not alt:
        base = _bases(reference, contig, position, 1)
        return ("no_bases" if base == "N" else "alternate_unknown"), base, UNKNOWN_ALTERNATE
    if ref == alt or not ref or not alt or set(ref + alt) - set("ACGT"):
        return "no_bases", ref, alt
    if _bases(reference, contig, position, len(ref)) == ref:
        return "fits", ref, alt
    if _bases(reference, contig, position, len(alt)) == alt:
        return "swapped", alt, ref
    other_ref, other_alt = (allele.translate(_COMPLEMENT)[::-1] for allele in (ref, alt))
    # an indel's anchor base lies on the other side on the other strand, so only SNVs can be turned over
    if len(ref) == len(alt) == 1:
        base = _bases(reference, contig, position, 1)
        if base == other_ref:
            return "flipped", other_ref, other_alt
        if base == other_alt:
            return "swapped_flipped", other_alt, other_ref
    return "reference_mismatch", ref, alt


def _bases(reference: ReferenceGenome, contig: str, position: int, count: int) -> str:
    return decode(reference.fetch_codes(contig, position - 1, position - 1 + count))


def _count(report: TraitReport, kind: str, reason: str, words: list[str], hit: np.ndarray) -> None:
    report.count(kind, reason, [words[row] for row in np.flatnonzero(hit)])


def _refuse_another_assembly(
    table: pd.DataFrame, verdict: np.ndarray, reference: ReferenceGenome, report: TraitReport
) -> None:
    """Stop where the file can't be of this assembly; where there are too few variants to tell, say so.

    At random positions an SNV fits as it is or swapped half of the time, and nearly always once it may be
    turned over too; what can't be turned over (A/T, C/G) then doesn't fit. A file that is only written on the
    other strand has no such misfits among its SNVs; its indels can't be turned over, and are left out.
    """
    snv = ((table["ref"].str.len() == 1) & (table["alt"].str.len() == 1)).to_numpy()
    judged = snv & np.isin(verdict, ["fits", "swapped", "flipped", "swapped_flipped", "reference_mismatch"])
    fits = judged & np.isin(verdict, ["fits", "swapped"])
    wrong = judged & (verdict == "reference_mismatch")
    few = judged.sum() < _FEWEST_TO_JUDGE
    if fits.sum() >= (1 if few else _LEAST_FIT) * judged.sum():
        return
    odd = f"at {judged.sum() - fits.sum():,} of {judged.sum():,} variants neither allele is the base of "
    if few:
        report.notes.append(
            f"{odd}{reference.assembly}, at best its complement: make sure that the positions are "
            f"of {reference.assembly} and count from 1"
        )
    elif wrong.sum() > _MOST_WRONG * judged.sum():
        shift = _best_shift(table[judged], reference)
        hint = (
            f"nearly all would {shift:+d} base further on: give 1-based positions of the first base"
            if shift
            else f"the file seems to be of another assembly: lift it over to {reference.assembly}"
        )
        raise DataError(
            f"{report.source}: {odd}{reference.assembly} "
            f"({', '.join(report.examples['reference_mismatch'])}); {hint}"
        )


def _best_shift(table: pd.DataFrame, reference: ReferenceGenome) -> int:
    rows = table.head(500)
    fitting = {
        shift: sum(
            _bases(reference, row.contig, row.position + shift, len(row.ref)) == row.ref
            or _bases(reference, row.contig, row.position + shift, len(row.alt)) == row.alt
            for row in rows.itertuples()
        )
        for shift in (-1, 1)
    }
    best = max(fitting, key=lambda shift: fitting[shift])
    return best if fitting[best] > 0.9 * len(rows) else 0
