"""The methods that test people of a cohort: what each is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from phenviz.disease.inputs import Inputs
from phenviz.disease.methods import Method, methods
from phenviz.errors import DataError

EXPRESSION, ATTRIBUTION, COHORT, WITH_VARIANTS = (
    "cohort-expression",
    "cohort-attribution",
    "cohort",
    "cohort-variants",
)


def described() -> Mapping[str, Method]:
    """Return every method by name: those that test fine-mapped variants or studies, and those of people."""
    return {**methods(), **METHODS}


def _of_people(inputs: Inputs, name: str) -> NoReturn:
    raise DataError(f"{name} tests people, not fine-mapped variants: use `phenviz cohort hypotheses`")


METHODS = {
    COHORT: Method(
        "expression and Phenformer in people",
        "Both tests of people were combined by the Cauchy test.",
        "mean z of its tests",
        _of_people,
        summary="The one to begin with: predicted expression and the Phenformer's attribution in one test.",
    ),
    EXPRESSION: Method(
        "predicted expression of people",
        "The predicted expression of each gene in each context was compared with people's traits, given "
        "their covariates. A context's statistic is the larger of two, in standard deviations of the "
        "permutations: the largest size of t over genes, and what ridge regression on all genes explains.",
        "standard deviations of the permutations",
        _of_people,
        summary="Does predicted expression in a context, of one gene or of all together, go with the trait?",
    ),
    ATTRIBUTION: Method(
        "Phenformer's attribution to contexts in held-out people",
        "The logit of each person who taught the Phenformer nothing was attributed to predicted expression "
        "(integrated gradients from the average training person), summed over the genes of each context, and "
        "compared with people's traits, one-sided, given their covariates. The model was not fitted anew for "
        "the permutations: it has seen none of these people, so that their traits can be exchanged whatever "
        "it learnt from others.",
        "log odds between cases and controls",
        _of_people,
        summary="Does what a context adds to the Phenformer's logit tell unseen cases from controls?",
    ),
    WITH_VARIANTS: Method(
        "people and fine-mapped variants",
        "The tests of people and that of the trait's fine-mapped variants were combined by the Cauchy test.",
        "mean z of its tests",
        _of_people,
        summary="People and fine-mapped variants of the same trait in one test, where there are both.",
    ),
}
