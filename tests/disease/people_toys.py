"""Hypotheses from people, made up without any: results to write, read and show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import xarray as xr

from phenviz.disease.cohort_methods import ATTRIBUTION, COHORT, EXPRESSION
from phenviz.disease.engine import TestResult
from phenviz.disease.hypotheses import dataset_of
from phenviz.disease.methods import Outcome
from phenviz.disease.simulated import SIMULATED_PEOPLE
from phenviz.genome import Context, Locus
from phenviz.results import result_attrs


def people_result(
    contexts: Sequence[Context],
    genes: Sequence[str],
    traits: Sequence[str] = ("T", "U"),
    *,
    simulated: bool = True,
    assembly: str = "toy1",
) -> xr.Dataset:
    """Make up what `phenviz.disease.cohort.people_hypotheses` would find, with random numbers."""
    rng, shape = np.random.default_rng(2), (len(traits), len(genes), len(contexts))
    attrs = result_attrs(
        Locus("20", 100, 900), definition="made up", units="see method_units", assembly=assembly,
        model="phenformer-toy@12345678", cohort="town", trained_on="120 people of town", simulated=simulated,
        covariates="sex, age", source=f"cohort town{f', {SIMULATED_PEOPLE}' * simulated}", permutations=300,
        seed=4, multiple_testing="Benjamini-Hochberg over all tested traits and contexts of a method",
    )  # fmt: skip
    outcomes = {
        name: Outcome(tuple(contexts), {trait: _tests(rng, len(contexts)) for trait in traits}, {})
        for name in (COHORT, EXPRESSION, ATTRIBUTION)
    }
    z = rng.normal(size=shape)
    found = {
        "correlation": z / 20, "z": z, "p_value": rng.uniform(size=shape),
        "p_permuted": rng.uniform(size=shape), "p_family": np.ones(shape), "importance": np.abs(z),
    }  # fmt: skip
    return dataset_of(outcomes, list(traits), contexts, attrs).assign(
        people=("trait", np.full(len(traits), 240)),
        cases=("trait", np.full(len(traits), 60.0)),
        held_out=("trait", np.full(len(traits), 90)),
        gene=("gene", np.array(genes, dtype=object)),
        **{f"gene_{name}": (("trait", "gene", "context"), values) for name, values in found.items()},
    )


def _tests(rng: np.random.Generator, count: int) -> TestResult:
    numbers = {
        one.name: rng.normal(size=count) for one in fields(TestResult) if one.name != "null_correlation"
    }
    return TestResult(**numbers | {"p_value": rng.uniform(0.001, 1, count)})
