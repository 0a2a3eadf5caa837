"""Check the alleles of a trait's variants against the reference, and mend what can be mended."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.allele_columns import COMPLEMENT
from phenviz.disease.allele_fit import Fit, Mask, bases_at, fit_reference
from phenviz.disease.traits import UNKNOWN_ALTERNATE, TraitReport
from phenviz.errors import DataError, LocusError
from phenviz.genome.locus import shown_contig
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit, Variant
from phenviz.variation.normalise import left_align
from phenviz.variation.report import offer_of_lift

_LEAST_FIT = 0.75
_MOST_WRONG = 0.02
_FEWEST_TO_JUDGE = 20
# share of the rows that tell which settles what the others mean
_ONE_STRAND = 0.8
_ONE_ORDER = 0.95
_SURE_ORDER = 0.99
_FEWEST_FOR_ORDER = 10
_LEFT_OUT = (
    "outside_contig", "other_allele_unknown", "no_bases", "reference_mismatch", "indel_on_the_other_strand",
    "indel_that_fits_either_way",
)  # fmt: skip
_KEPT = ("fits", "swapped", "flipped", "swapped_flipped")


def check_alleles(
    table: pd.DataFrame, reference: ReferenceGenome, report: TraitReport, *, unclear: bool = False
) -> pd.DataFrame:
    """Keep the variants of the reference's contigs, with the reference's own base as ``ref``.

    What the unambiguous single-base changes say of the whole file settles the others: its strand (A/T and C/G
    changes are turned over with it), the order of its alleles (indels that fit either way), its assembly.

    Parameters
    ----------
    table
        ``trait``, ``contig``, ``position`` (1-based), ``effect`` (the allele that beta and z are of),
        ``other`` and ``claimed_ref``, from `with_alleles`. Both empty stand for unknown alleles.
    reference
        Genome of the assembly that the file should be on.
    report
        Counts: ``swapped_alleles`` (the effect allele is the reference's: signs turned), ``strand_flipped``,
        ``alternate_unknown``, ``left_aligned_or_trimmed``; skipped ``other_contig``, ``outside_contig``,
        ``other_allele_unknown``, ``no_bases``, ``reference_mismatch`` (left over from a lift-over, or of
        another assembly), ``indel_on_the_other_strand``, ``indel_that_fits_either_way``.
    unclear
        Whether the file leaves open which allele effects are of.

    Returns
    -------
    pd.DataFrame
        The rows kept, with the contig's name of the reference, left-aligned ``position``, ``ref`` and
        ``alt``, and ``signed``: whether the
        signs of beta and z are known to be of ``alt``.

    Raises
    ------
    DataError
        If most rows on the contigs don't fit the reference: the file is of another assembly.
    """
    table = _on_known_contigs(table, reference, report)
    fit = fit_reference(table, reference)
    tell = fit.judged & ~fit.palindromic & (fit.effect | fit.other | fit.effect_turned | fit.other_turned)
    turned = float((fit.effect_turned | fit.other_turned)[tell].mean()) if tell.any() else 0.0
    verdict = _verdict(table, fit, turned >= _ONE_STRAND)
    for reason in _LEFT_OUT:
        _count(report, "skipped", reason, table, verdict == reason)
    swapped = np.isin(verdict, ["swapped", "swapped_flipped"])
    _count(report, "changed", "swapped_alleles", table, swapped & (not unclear))
    _count(report, "changed", "strand_flipped", table, np.isin(verdict, ["flipped", "swapped_flipped"]))
    _count(report, "changed", "alternate_unknown", table, verdict == "alternate_unknown")
    _refuse_another_assembly(table, fit, verdict, reference, report)
    signed = _strand_told(table, fit, verdict, turned if tell.any() else None, report)
    told = np.isin(verdict, _KEPT) & signed
    sign = np.where(swapped, -1.0, 1.0)
    if unclear:
        order = _order_told(table, swapped, told, report)
        signed, sign = signed & (order != 0), sign * (order or 1)
    else:
        _doubt_signs(table, swapped, told, report)
    table = _on_reference(table, verdict, reference).assign(signed=signed & (verdict != "alternate_unknown"))
    for column in ("beta", "z"):
        if column in table:
            table[column] = table[column] * sign
    if "allele_frequency" in table:
        table["allele_frequency"] = table["allele_frequency"].where(sign > 0, 1 - table["allele_frequency"])
    return _left_aligned(table[~np.isin(verdict, _LEFT_OUT)], reference, report)


def _left_aligned(table: pd.DataFrame, reference: ReferenceGenome, report: TraitReport) -> pd.DataFrame:
    """Write longer alleles in the one form that all tables of variants have, so that each is one variant."""
    position, ref, alt = (table[name].to_numpy(copy=True) for name in ("position", "ref", "alt"))
    rows = np.flatnonzero((table["ref"].str.len() > 1) | (table["alt"].str.len() > 1))
    contigs = table["contig"].to_numpy(object)
    moved = np.zeros(len(table), dtype=bool)
    for row in rows:
        written = Edit(int(position[row]) - 1, ref[row], alt[row])
        found = left_align(reference.codes(contigs[row]), *written)
        position[row], ref[row], alt[row] = found.start + 1, found.ref, found.alt
        moved[row] = found != written
    columns = [column[moved] for column in (contigs, table["position"], table["ref"], table["alt"])]
    words = [Variant(*place).key for place in islice(zip(*columns, strict=True), 9)]
    report.count("changed", "left_aligned_or_trimmed", words, total=int(moved.sum()))
    return table.assign(position=position, ref=ref, alt=alt)


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
        report.examples["other_contig"] = [shown_contig(str(name)) for name in elsewhere.unique()[:3]]
    return table[contig.notna()].assign(contig=contig[contig.notna()].astype(str))


def _verdict(table: pd.DataFrame, fit: Fit, other_strand: bool) -> NDArray[np.object_]:
    """Say what is the matter with each row."""
    first = (fit.other_turned, fit.effect_turned) if other_strand else (fit.other, fit.effect)
    second = (fit.other, fit.effect) if other_strand else (fit.other_turned, fit.effect_turned)
    words = ("flipped", "swapped_flipped", "fits", "swapped")
    first_words, second_words = (words[:2], words[2:]) if other_strand else (words[2:], words[:2])
    longer = fit.known & ~fit.single
    half = ((table["effect"] == "") != (table["other"] == "")).to_numpy(bool)
    verdict = np.select(
        [~fit.inside, fit.known & half, ~fit.has_bases, ~fit.known, longer & other_strand,
         longer & fit.other & fit.effect, *first, *second],
        ["outside_contig", "other_allele_unknown", "no_bases", "alternate_unknown",
         "indel_on_the_other_strand", "either", *first_words, *second_words],
        "reference_mismatch",
    ).astype(object)  # fmt: skip
    either = verdict == "either"
    if either.any():
        verdict[either] = _by_order(table, verdict)[either]
    return verdict


def _by_order(table: pd.DataFrame, verdict: NDArray[np.object_]) -> NDArray[np.object_]:
    """Tell which allele is the reference's where both could be, by what the file means everywhere else."""
    effect_is_ref = np.isin(verdict, ["swapped"])
    tell = np.isin(verdict, ["fits", "swapped"])
    claim = table["claimed_ref"].to_numpy(object)
    effect, other = table["effect"].to_numpy(object), table["other"].to_numpy(object)
    for claimed in (claim, other, effect):
        said = tell & (claimed != "")
        right = (claimed == effect)[said] == effect_is_ref[said]
        if right.mean() >= _SURE_ORDER if said.any() else claimed is claim and (claim != "").any():
            found = np.where(claimed == effect, "swapped", "fits")
            return np.where(claimed == "", "indel_that_fits_either_way", found).astype(object)
    return np.full(len(table), "indel_that_fits_either_way", dtype=object)


def _on_reference(
    table: pd.DataFrame, verdict: NDArray[np.object_], reference: ReferenceGenome
) -> pd.DataFrame:
    swapped, turned = (
        np.isin(verdict, words) for words in (["swapped", "swapped_flipped"], ["flipped", "swapped_flipped"])
    )
    pair = {name: table[name].to_numpy(object) for name in ("effect", "other")}
    for name, alleles in pair.items():
        pair[name] = np.where(turned, pd.Series(alleles).map(COMPLEMENT).to_numpy(object), alleles)
    ref = np.where(swapped, pair["effect"], pair["other"])
    alt = np.where(swapped, pair["other"], pair["effect"])
    for row in np.flatnonzero(verdict == "alternate_unknown"):
        ref[row] = bases_at(reference, table["contig"].iat[row], int(table["position"].iat[row]), 1)
        alt[row] = UNKNOWN_ALTERNATE
    return table.drop(columns=["effect", "other", "claimed_ref"]).assign(ref=ref, alt=alt)


def _strand_told(
    table: pd.DataFrame, fit: Fit, verdict: NDArray[np.object_], turned: float | None, report: TraitReport
) -> Mask:
    """Say what was made of A/T and C/G changes, and tell of which rows the sign is known."""
    odd = fit.palindromic & np.isin(verdict, _KEPT)
    signed = np.ones(len(table), dtype=bool)
    has_sign = _has_sign(table)
    count = int((odd & has_sign).sum())
    if turned is None:
        claims = table["claimed_ref"].to_numpy(object) == table["other"].to_numpy(object)
        if unsure := int((odd & has_sign & ~(claims & fit.other)).sum()):
            report.notes.append(
                f"{unsure:,} A/T and C/G variants, and no other that tells the strand: taken as written"
            )
        return signed
    if turned >= _ONE_STRAND:
        report.notes.append(
            "the file is on the other strand, by its unambiguous single-base changes"
            + (f": its {count:,} A/T and C/G variants were turned over, too" if count else "")
        )
    if not count or turned in (0.0, 1.0):
        return signed
    share = f"{min(turned, 1 - turned):.0%} of the unambiguous ones are on the other strand than the rest"
    if 1 - _ONE_STRAND < turned < _ONE_STRAND:
        signed = ~odd
        report.notes.append(
            f"{count:,} A/T and C/G variants are ambiguous ({share}): the signs of their effects are unknown"
        )
    else:
        report.notes.append(
            f"{count:,} A/T and C/G variants are ambiguous ({share}): taken to be on the strand of most"
        )
    return signed


def _order_told(table: pd.DataFrame, swapped: Mask, tell: Mask, report: TraitReport) -> int:
    """Tell by the order of the alleles which one effects are of; note what was made of it.

    Where one of the two is the reference's throughout, it is the other one.

    Returns
    -------
    int
        1 for the second, -1 for the first, 0 where it is in doubt.
    """
    if not _has_sign(table).any():
        return 1
    total, second_is_ref = int(tell.sum()), int(swapped[tell].sum())
    most = max(second_is_ref, total - second_is_ref)
    claim = table["claimed_ref"].to_numpy(object)[tell]
    named = total > 0 and bool((claim == table["other"].to_numpy(object)[tell]).all()) and not second_is_ref
    if total and most >= _ONE_ORDER * total and (named or total >= _FEWEST_FOR_ORDER):
        which, other = ("second", "first") if second_is_ref == most else ("first", "second")
        report.notes.append(
            f"the file doesn't say which allele its effects are of; the {which} one is the reference's in "
            f"{most:,} of {total:,} variants, so they are taken to be of the {other} (name it "
            "effect_allele to be sure)"
        )
        return -1 if other == "first" else 1
    report.notes.append(
        "the sign of effects is in doubt and was left out: the file doesn't say which allele they are of, "
        f"and the first one is the reference's in {total - second_is_ref:,} of {total:,} variants: name it "
        "effect_allele"
    )
    return 0


def _doubt_signs(table: pd.DataFrame, swapped: Mask, told: Mask, report: TraitReport) -> None:
    """Say so where the effect allele is the reference's nearly throughout, and nothing else says so."""
    turned = told & swapped
    if told.sum() < _FEWEST_FOR_ORDER or turned.sum() < _ONE_ORDER * told.sum() or not _has_sign(table).any():
        return
    agreed = turned & (table["claimed_ref"] == table["effect"]).to_numpy(bool)
    if agreed.sum() < turned.sum():
        report.notes.append(
            "warning: the signs are in doubt: the allele that effects are said to be of is the "
            f"reference's in {turned.sum():,} of {told.sum():,} variants, so nearly all signs were turned; "
            "make sure that the columns of alleles mean what they are called"
        )


def _has_sign(table: pd.DataFrame) -> Mask:
    found = np.zeros(len(table), dtype=bool)
    for column in ("beta", "z"):
        if column in table:
            found |= table[column].notna().to_numpy(bool)
    return found


def _words(table: pd.DataFrame) -> list[str]:
    places = zip(table["contig"], table["position"], table["other"], table["effect"], strict=True)
    return [
        f"{contig}:{position}:{other or '?'}:{effect or '?'}" for contig, position, other, effect in places
    ]


def _count(report: TraitReport, kind: str, reason: str, table: pd.DataFrame, hit: Mask) -> None:
    report.count(kind, reason, _words(table[hit].head(9)), total=int(hit.sum()))


def _refuse_another_assembly(
    table: pd.DataFrame,
    fit: Fit,
    verdict: NDArray[np.object_],
    reference: ReferenceGenome,
    report: TraitReport,
) -> None:
    """Stop where the file can't be of this assembly; where there are too few variants to tell, say so.

    At random positions an SNV fits as it is or swapped half of the time, and nearly always once it may be
    turned over too; what can't be turned over (A/T, C/G) then doesn't fit. A file that is only written on the
    other strand has no such misfits among its SNVs; its indels can't be turned over, and are left out.
    """
    judged = fit.judged
    fits = judged & (fit.effect | fit.other)
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
        return
    mixed = not fit.palindromic.any() and fits.sum() >= (1 - _LEAST_FIT) * judged.sum()
    if wrong.sum() <= _MOST_WRONG * judged.sum() and not mixed:
        return
    shift = _best_shift(table[judged], reference)
    hint = f"the file seems to be of another assembly: {offer_of_lift(report.source, reference.assembly)}"
    if shift:
        hint = f"nearly all would {shift:+d} base further on: give 1-based positions of the first base"
    elif mixed:
        hint = (
            "the file is of another assembly, or its strands are mixed: "
            f"{offer_of_lift(report.source, reference.assembly)}, or give the alleles of the forward strand"
        )
    examples = [_words(table[judged & ~fits].head(3)), report.examples.get("reference_mismatch", [])]
    raise DataError(
        f"{report.source}: {odd}{reference.assembly} ({', '.join(examples[1] or examples[0])}); {hint}"
    )


def _best_shift(table: pd.DataFrame, reference: ReferenceGenome) -> int:
    rows = table.head(500)
    fitting = {
        shift: sum(
            bases_at(reference, row.contig, row.position + shift, 1) in (row.other, row.effect)
            for row in rows.itertuples()
        )
        for shift in (-1, 1)
    }
    best = max(fitting, key=lambda shift: fitting[shift])
    return best if fitting[best] > 0.9 * len(rows) else 0
