"""The PRS-RS checklist (Wand 2021, doi:10.1038/s41586-021-03243-6), filled in as far as it is known."""

from __future__ import annotations

from typing import Any

from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.saved import RiskModel


def checklist(
    cohort: Cohort, model: RiskModel, traits: list[str], judged_by: str
) -> list[tuple[str, str, str]]:
    """Return item, what it asks for, and what is reported."""
    card: dict[str, Any] = dict(model.card)
    ancestry = ", ".join(f"{name or 'unknown'} {count:,}" for name, count in card["trained_in"].items())
    methods = sorted({str(card["traits"][name]["prs"]["method"]) for name in traits})
    people = card["people"]
    made_up = (
        "simulated people (msprime, stdpopsim AmericanAdmixture_4B18)"
        if card["simulated"]
        else "see its paper"
    )
    return [
        ("Background", "study type", "development and evaluation of risk scores, splits fixed beforehand"),
        ("Background", "risk model purpose and outcome", f"risk of {', '.join(traits)}; research only"),
        ("Population", "study design and recruitment", f"{card['cohort']}: {made_up}"),
        ("Population", "ancestry of the training people", ancestry or "not known"),
        ("Population", "sample sizes", ", ".join(f"{name} {count:,}" for name, count in people.items())),
        ("Population", "participants judged by", judged_by),
        ("Data", "genetic data", f"{card['assembly']}, {card['variants']:,} common variants in the scores"),
        ("Data", "non-genetic variables", ", ".join(card["covariates"]) or "none"),
        ("Data", "outcome definition", "1 case, 0 control, as in the cohort's table"),
        ("Data", "missing data", "genotypes and covariates: the training mean; labels: left out"),
        ("Risk score", "construction", f"polygenic score: {', '.join(methods)}, chosen by validation; "
         "Phenformer on gene tokens; put together by logistic regression on the validation people"),
        ("Risk score", "variants and weights", "weights.parquet, expression.parquet, phenformer.safetensors"),
        ("Evaluation", "distribution", "scores.parquet: every person's scores"),
        ("Evaluation", "predictive ability", "AUROC, AUPRC, liability R2, odds ratio per SD, with intervals"),
        ("Evaluation", "discrimination", "AUROC (DeLong), paired bootstrap of differences"),
        ("Evaluation", "calibration", "slope, intercept, tenths of predicted risk"),
        ("Evaluation", "subgroups", "each ancestry, and fifths of genetic distance from the training people"),
        ("Discussion", "interpretation and limits", "docs/risk.md; scores of other ancestries do worse"),
        ("Transparency", "availability", "code, card (risk.json) and configuration are beside the weights"),
    ]  # fmt: skip
