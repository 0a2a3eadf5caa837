"""Which alleles a row is about, and which of them its effect is of, as the file says it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from phenviz.disease import columns as tables
from phenviz.disease.formats import Format
from phenviz.disease.positions import named_variants
from phenviz.disease.traits import TraitReport
from phenviz.errors import DataError

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
_ROLES = ("effect_allele", "other_allele", "ref", "alt", "first_allele", "second_allele")


def with_alleles(part: pd.DataFrame, path: Path, form: Format, report: TraitReport) -> pd.DataFrame:
    """Add the allele that effects are of, the other one, and which of the two is said to be the reference's.

    Alleles come from columns, else from variants' names; a column with the effect allele decides wherever the
    alleles come from.

    Returns
    -------
    pd.DataFrame
        With ``effect``, ``other`` and ``claimed_ref``, upper case, empty where the file doesn't say; rows in
        which the effect allele is neither of the alleles have ``effect`` and no ``other``.

    Raises
    ------
    DataError
        If the file has an effect allele only.
    """
    told = {role: _letters(part[role]) for role in _ROLES if role in part}
    if "alt" in told and not {"ref", "other_allele"} & set(told):
        told.setdefault("effect_allele", told.pop("alt"))
    named = named_variants(part)
    told |= {"name_first": _letters(named["ref"]), "name_second": _letters(named["alt"])}
    other, second = _pair(told)
    effect = told.get("effect_allele", second)
    if effect is not second and "other_allele" not in told:
        effect = _on_their_strand(effect, other, second, report)
        effect, other = _with_other(effect, other, second)
        if not (other != "").any() and (effect != "").any():
            own = form.columns.get("effect_allele", form.columns.get("alt"))
            raise DataError(
                f"{path} has column {own!r} but not the other allele of each variant: read as {form.name}, "
                f"it has {tables.said_columns(form)}; add a column A2 (PLINK 1.9 has it in the .bim file)"
            )
    return part.drop(columns=[role for role in _ROLES if role in part]).assign(
        effect=effect, other=other, claimed_ref=_claimed(told, effect, other)
    )


def is_unclear(form: Format) -> bool:
    """Tell whether the file leaves open which of the alleles its effects are of."""
    has = set(form.columns)
    if "effect_allele" in has or {"ref", "alt"} <= has or form.pattern:
        return False
    if "alt" in has and "other_allele" in has:
        return False
    from_names = not has & {"first_allele", "ref", "other_allele"}
    return not (from_names and form.names == "ref:alt")


def _letters(column: pd.Series) -> pd.Series:
    return column.fillna("").astype(str).str.strip().str.upper()


def _pair(told: dict[str, pd.Series]) -> tuple[pd.Series, pd.Series]:
    """Return the two alleles; without a column of effect alleles, effects are of the second."""
    for first, second in (
        ("other_allele", "effect_allele"), ("ref", "alt"), ("first_allele", "second_allele"),
        ("other_allele", "alt"), ("ref", "effect_allele"), ("ref", "other_allele"),
    ):  # fmt: skip
        if first in told and second in told:
            return told[first], told[second]
    return told["name_first"], told["name_second"]


def _on_their_strand(
    effect: pd.Series, first: pd.Series, second: pd.Series, report: TraitReport
) -> pd.Series:
    """Turn the effect alleles over where most of them are complements of the alleles beside them."""
    complement = effect.replace(COMPLEMENT)
    tells = effect.isin(list(COMPLEMENT)) & (first.replace(COMPLEMENT) != second)
    turned = tells & ((complement == first) | (complement == second))
    if turned.sum() <= (tells & ((effect == first) | (effect == second))).sum():
        return effect
    note = "the effect alleles are on the other strand than the alleles beside them: they were turned over"
    report.notes += [note] * (note not in report.notes)
    return complement


def _with_other(effect: pd.Series, first: pd.Series, second: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Pick the allele beside the effect allele from two; the second may be several (PLINK 2's ALT)."""
    of_several = pd.Series([e in s.split(",") for e, s in zip(effect, second, strict=True)], effect.index)
    other = second.where(effect == first, first.where(of_several, ""))
    return effect, other.where(~other.str.contains(",") & (effect != ""), "")


def _claimed(told: dict[str, pd.Series], effect: pd.Series, other: pd.Series) -> pd.Series:
    """Return which allele the file calls the reference's: by its column (in GWAS-SSF EA or OA), or a name."""
    claimed = told.get("ref", told["name_first"])
    claimed = effect.where(claimed == "EA", other.where(claimed == "OA", claimed))
    return claimed.where((claimed == effect) | (claimed == other), "")
