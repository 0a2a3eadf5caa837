"""A small made-up risk model for fast tests: a random Phenformer, and weights of a few variants beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.data.project import PHENFORMER
from phenviz.disease.cohort import saved
from phenviz.disease.cohort.ensemble import COMBINATIONS
from phenviz.disease.cohort.reference_people import METHODS, RiskReference, save_reference
from phenviz.disease.cohort.subtypes import COMORBIDITY, Subtypes
from phenviz.genome import Locus
from phenviz.models.phenformer_checkpoint import save_phenformer
from phenviz.world import open_world
from tests.phenformer_toys import TRAITS
from tests.service.test_trait import project_with

GROUPS = ("AFR", "EUR")
POSITIONS = tuple(range(5_200, 9_000, 190))


def risk_project(folder: Path, seed: int = 1) -> Path:
    """Write the toy world with a risk model, as `project_with` does with a disease model."""
    project = project_with(folder)
    write_risk_model(folder / "risk", open_world(project), seed)
    lines = [line for line in project.read_text().splitlines() if not line.startswith("phenformer:")]
    project.write_text("\n".join([*lines, "risk: risk"]) + "\n")
    return project


def write_risk_model(folder: Path, world, seed: int = 1) -> Path:
    """Make a risk model up for a world with a disease model."""
    rng, phenformer = np.random.default_rng(seed), world.phenformer
    folder.mkdir()
    save_phenformer(phenformer, folder / PHENFORMER, card={"training": {"cohort": "simulated"}})
    refs = [world.reference.sequence(Locus("20", at - 1, at)).upper() for at in POSITIONS]
    variants = pd.DataFrame({"contig": "20", "position": POSITIONS, "ref": refs})
    variants["alt"] = ["A" if ref != "A" else "C" for ref in refs]
    variants["frequency"] = rng.uniform(0.05, 0.6, len(variants))
    weights = [
        variants.assign(trait=name, weight=rng.normal(0, 0.3, len(variants)).round(3)) for name in TRAITS
    ]
    pd.concat(weights, ignore_index=True).to_parquet(folder / saved.WEIGHTS, index=False)
    pairs = [(gene.name, context) for gene in phenformer.genes for context in phenformer.expression]
    expression = pd.DataFrame(pairs, columns=["gene", "context"]).assign(mean=0.0, scale=0.1)
    expression = [expression.assign(trait=name, weight=rng.normal(size=len(pairs))) for name in TRAITS]
    pd.concat(expression, ignore_index=True).to_parquet(folder / saved.EXPRESSION, index=False)
    variants.to_parquet(folder / saved.DISTANCE, index=False)
    variants.to_parquet(folder / saved.FREQUENCIES, index=False)
    components = {f"PC{number + 1}": rng.normal(size=len(variants)) for number in range(2)}
    variants.assign(**components).to_parquet(folder / saved.COMPONENTS, index=False)
    # the average person has alleles that the reference lacks
    plain = phenformer.token_mean - 0.4 * phenformer.token_scale
    np.save(folder / saved.REFERENCE_TOKENS, plain.numpy().astype(np.float32))
    (folder / saved.CARD).write_text(json.dumps(_card(world.assembly, rng)))
    save_reference(_reference(rng), folder)
    return folder


def _card(assembly: str, rng: np.random.Generator) -> dict:
    def combination(parts):
        many = len(parts)
        weights = rng.uniform(0.3, 1, many).tolist()
        return {"parts": list(parts), "mean": [0.0] * many, "scale": [1.0] * many, "weights": weights,
                "intercept": 0.0}  # fmt: skip

    trait = {
        "label": "high volume",
        "cases": {"train": 30, "validation": 10},
        "prevalence": 0.25,
        "prs": {"method": "C+T"},
        "expression": {"method": "ridge"},
        "covariates": {"mean": [0.5], "scale": [0.5], "weights": [0.2], "intercept": -1.1},
        "combinations": {name: combination(parts) for name, parts in COMBINATIONS.items()},
    }
    return {
        "format": saved.FORMAT,
        "cohort": "simulated-toy",
        "simulated": True,
        "assembly": assembly,
        "people": {"train": 120, "validation": 40, "test": 200},
        "trained_in": {"EUR": 120},
        "covariates": ["sex"],
        "variants": len(POSITIONS),
        "loci": [["20", 2_000, 12_000]],
        "distance_mean": 1.0,
        "config": {"start": None, "architecture": {"linear": True}},
        "run": {"epochs": 3, "best_epoch": 2},
        "traits": {name: trait for name in TRAITS},
    }


def _reference(rng: np.random.Generator, people: int = 100) -> RiskReference:
    rows = []
    for group, shift in zip(GROUPS, (-1.0, 1.0), strict=True):
        for trait in TRAITS:
            own = pd.DataFrame({"sample": [f"{group}{n:03d}" for n in range(people)], "trait": trait})
            own["ancestry"] = group
            for method in METHODS:
                own[method] = rng.normal(-1 + 0.3 * shift, 0.5, people)
            rows.append(own.assign(PC1=rng.normal(shift, 0.3, people), PC2=rng.normal(size=people)))
    strata = [(t, a, s) for t in TRAITS for a in ("all", *GROUPS) for s in COMBINATIONS]
    first = ["trait", "ancestry", "score"]
    metrics = pd.DataFrame(strata, columns=first).assign(
        metric="auroc", value=0.6, low=0.5, high=0.7, cases=50, controls=150
    )
    curve = pd.DataFrame(
        {"false_positive": np.linspace(0, 1, 11), "true_positive": np.linspace(0, 1, 11) ** 0.7}
    )
    roc = pd.concat([curve.assign(**dict(zip(first, one, strict=True))) for one in strata], ignore_index=True)
    tenth = pd.DataFrame({"decile": range(1, 11), "people": 20, "cases": range(2, 12)})
    tenth["predicted"] = tenth["observed"] = tenth["cases"] / 20
    tenth["low"], tenth["high"] = tenth["observed"] - 0.05, tenth["observed"] + 0.1
    calibration = pd.concat(
        [tenth.assign(**dict(zip(first, one, strict=True))) for one in strata], ignore_index=True
    )
    columns = [*first, "false_positive", "true_positive"]
    return RiskReference(
        pd.concat(rows, ignore_index=True), metrics, roc[columns], calibration[[*first, *tenth.columns]],
        _subtypes(rng),
    )  # fmt: skip


def _subtypes(rng: np.random.Generator) -> Subtypes:
    tests = pd.DataFrame({"trait": TRAITS, "cases": (50, 12), "people": (200, 200)})
    tests = tests.assign(separation=(0.6, np.nan), p_value=(0.001, np.nan), q_value=(0.002, np.nan))
    tests = tests.assign(groups=(2, 1), stability=(0.9, np.nan), reason=("", "fewer than 40 cases"))
    group = np.repeat([1, 2], (30, 20))
    people = pd.DataFrame({"trait": TRAITS[0], "group": group})
    people = people.assign(x=rng.normal(3.0 * group, 0.5), y=rng.normal(size=50))
    found = [(TRAITS[0], 1, TRAITS[1], 30, 0.5, 0.2, 4.0, 1.1, np.inf, 0.03, 0.03, 0.8)]
    found.append((TRAITS[0], 2, TRAITS[1], 20, *([np.nan] * 7), -0.8))
    return Subtypes(tests, people, pd.DataFrame(found, columns=COMORBIDITY))
