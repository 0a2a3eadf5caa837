"""Simulate cohorts of every scenario, learn from them, and hold what comes out against what was planted.

    python -m evaluation.risk --folder RUNS --seeds 5            # hours: 6 scenarios, amounts of perturbation
    python -m evaluation.risk --folder RUNS --seeds 1 --people 800 --scenario null --scenario mediated

People of a seed have the same genomes in every scenario but ``blood``, so that their tokens are made once.
What is finished stays in the folder, and the same command goes on. --write puts the table into docs/risk.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from evaluation.report import DOCS, TABLES, markdown_table, number, write_section
from phenviz.disease.cohort.association import trait_of_people
from phenviz.disease.cohort.config import read_config
from phenviz.disease.cohort.expression_score import tokens_expression
from phenviz.disease.cohort.folder import TOKENS, Cohort, open_cohort
from phenviz.disease.cohort.importance import token_importance
from phenviz.disease.cohort.liability import Liability
from phenviz.disease.cohort.plan import read_shares
from phenviz.disease.cohort.saved import load_risk_model, save_risk_model
from phenviz.disease.cohort.scenarios import MEDIATED, SCENARIOS, ScenarioOptions
from phenviz.disease.cohort.simulate import SimulationRequest
from phenviz.disease.cohort.training import fit_cohort
from phenviz.disease.cohort_methods import EXPRESSION
from phenviz.models.phenformer_checkpoint import load_phenformer
from phenviz.progress import Progress
from phenviz.results.tokens import TokenStore
from phenviz.service import ModelService
from phenviz.service.cohort_embedding import embed_cohort
from phenviz.service.cohort_hypotheses import cohort_hypotheses
from phenviz.service.cohort_planting import Perturbation, simulate_people
from phenviz.service.cohort_scores import evaluate_cohort
from phenviz.world import World, open_world

PAGE = DOCS / "risk.md"
LOCUS = "chr20:1,000,001-9,000,000"
SHARES = ("EUR:0.7", "AFR:0.15", "EAS:0.15")
PERTURBATIONS = (0.0, 1.0, 2.0)
_SHOWN = ("covariates", "prs", "expression", "phenformer", "ensemble", "ensemble_linear")


@dataclass(frozen=True, slots=True)
class Case:
    """One cohort of the table."""

    scenario: str
    perturbation: float
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.scenario}-{self.perturbation:g}-{self.seed}"


def cases(scenarios: Sequence[str], perturbations: Sequence[float], seeds: int) -> Iterator[Case]:
    """Yield the cohorts, seed by seed; only scenarios that act through expression have perturbations."""
    for seed in range(seeds):
        for scenario in scenarios:
            for amount in perturbations if scenario in MEDIATED else (0.0,):
                yield Case(scenario, amount, seed)


def run_case(
    case: Case, folder: Path, world: World, service: ModelService, people: int, locus: str, epochs: int
) -> dict[str, Any]:
    """Simulate, embed, train and judge one cohort, and return what the table needs."""
    done = folder / "results" / f"{case.name}.json"
    if done.is_file():
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    place, progress = folder / case.name, Progress()
    request = SimulationRequest(
        people=people,
        shares=read_shares(SHARES),
        scenario=case.scenario,
        locus=world.locus(locus),
        seed=case.seed,
        liability=Liability(),
        options=ScenarioOptions(),
    )
    simulate_people(
        world, request, place, Perturbation(case.perturbation, 0.2), device="cpu", progress=progress
    )
    cohort = open_cohort(place, world.reference)
    tokens = place / TOKENS
    if case.scenario != "blood":
        tokens = folder / f"tokens-{case.seed}.zarr"
    if not (tokens / "zarr.json").is_file() or not TokenStore(tokens, unfinished=True).done.all():
        embed_cohort(service, cohort, tokens, progress=progress)
    config = read_config(None, epochs=epochs, seed=case.seed)
    model = place / "model"
    fit = fit_cohort(cohort, TokenStore(tokens), config, model / "training", progress=progress)
    save_risk_model(model, cohort, fit, config)
    judged = evaluate_cohort(
        service, cohort, load_risk_model(model), tokens, resamples=500, seed=case.seed, progress=progress
    )
    result = {
        "scenario": case.scenario,
        "perturbation": case.perturbation,
        "seed": case.seed,
        "metrics": judged.judged.metrics.to_dict("records"),
        "planted": recovered(cohort, model, tokens, service, case.seed),
    }
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_text(json.dumps(result))
    # genotypes are the largest part, and come back from the seed
    shutil.rmtree(place / "genotypes.vcz", ignore_errors=True)
    return result


def recovered(
    cohort: Cohort, model: Path, tokens: Path, service: ModelService, seed: int
) -> dict[str, Any] | None:
    """Say whether the planted context, lineage and genes are what the model looks at most, and tests name.

    Beside them stands what somebody would name who knows the planted genes and their weights: no method that
    has to find them can do better.
    """
    truth, world = (cohort.truth() or {}).get("traits", {}).get("T", {}), service.world
    if "genes" not in truth or "context" not in truth:
        return None
    phenformer = load_phenformer(model / "phenformer.safetensors", world.backbone, world.readout)
    test = [cohort.people.samples[row] for row in cohort.people.rows("test")]
    looked = token_importance(phenformer, TokenStore(tokens).read(test), "T")
    tests = pd.read_parquet(model / "genes.parquet")
    groups = {context.name: context.group for context in world.readout.contexts} if world.readout else {}
    by_people = cohort_hypotheses(
        service, cohort, load_risk_model(model), tokens, traits=["T"], permutations=500, seed=seed
    ).isel(trait=0)
    rankings = {
        "attribution": looked.groupby("context")["importance"].sum(),
        "people": by_people["z"].sel({"method": EXPRESSION}).to_series().fillna(-np.inf),
        "known": known_genes(cohort, TokenStore(tokens), truth),
    }
    found: dict[str, Any] = {}
    for name, strength in rankings.items():
        order = list(strength.sort_values(ascending=False, kind="stable").index)
        found[f"{name}_rank"] = order.index(truth["context"]) + 1
        found[f"{name}_lineage_first"] = groups.get(order[0]) == truth["lineage"]
    planted = looked.drop_duplicates("gene")
    is_planted = planted["gene"].isin(list(truth["genes"])).to_numpy()
    single = tests.assign(size=tests["z"].abs()).groupby("gene")["size"].max().reindex(planted["gene"])
    return {
        **found,
        "genes_auprc": float(average_precision_score(is_planted, planted["gene_importance"])),
        "genes_auprc_single_test": float(average_precision_score(is_planted, single.fillna(0).to_numpy())),
        "genes_share": float(is_planted.mean()),
    }


def known_genes(cohort: Cohort, store: TokenStore, truth: dict[str, Any]) -> pd.Series:
    """Return by context how expression of the planted genes, weighed as planted, goes with the trait."""
    samples, channels = cohort.people.samples, int(store.attrs["channels"])
    expression = tokens_expression(store.read(samples), channels)
    rows = [store.genes.index(name) for name in truth["genes"]]
    scaled = expression[:, rows] / np.maximum(expression[:, rows].std(axis=0), 1e-9)
    score = np.einsum("ngc,g->nc", scaled, np.array(list(truth["genes"].values())))
    covariates = cohort.people.covariate_values().astype(float)
    table, labels = cohort.people.table, cohort.people.labels()[:, 0]
    trait = trait_of_people("T", labels, table, covariates, np.arange(len(table)))
    rest = trait.without_covariates(score[trait.rows])
    size = np.linalg.norm(rest, axis=0) * np.linalg.norm(trait.values)
    return pd.Series(np.abs(trait.values @ rest) / np.maximum(size, 1e-12), store.features[channels:])


def summary(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Put results into one row for each scenario, perturbation and ancestry: means over seeds and traits."""
    rows = []
    for one in results:
        table = pd.DataFrame(one["metrics"])
        own = table[~table["ancestry"].str.startswith("distance")]
        for ancestry, part in own.groupby("ancestry"):
            areas = part[part["metric"] == "auroc"].groupby("score")["value"].mean()
            gains = part[part["metric"] == "auroc_difference"].groupby("score")["value"].mean()
            rows.append(
                {
                    **{name: one[name] for name in ("scenario", "perturbation", "seed")},
                    "ancestry": ancestry,
                    **{name: areas.get(name, np.nan) for name in _SHOWN},
                    "gain": gains.get("ensemble - prs", np.nan),
                    "attention": gains.get("phenformer - expression", np.nan),
                }
            )
    return pd.DataFrame(rows)


def section(results: Sequence[dict[str, Any]], people: int, locus: str) -> str:
    """Write the table of scenarios."""
    table = summary(results)
    rows = []
    for (scenario, amount, ancestry), part in table.groupby(
        ["scenario", "perturbation", "ancestry"], sort=False
    ):
        shown = [number(part[name].mean()) for name in _SHOWN]
        gain = _interval(part["gain"])
        where = f"{scenario}, {amount:g}, {ancestry}"
        rows.append([where, len(part), *shown, gain, _interval(part["attention"])])
    head = ["scenario, perturbation, people", "seeds", *_SHOWN, "ensemble − prs", "phenformer − expression"]
    text = (
        f"AUROC among test people; {people:,} simulated people on {locus}, trained in Europeans; means over "
        "seeds, differences with the interval of the mean (t). "
        "Simulated people: nothing here was measured in anybody.\n\n" + markdown_table(head, rows)
    )
    text += f"\n\n{_elsewhere(table)}"
    planted = [
        {**{name: one[name] for name in ("scenario", "perturbation", "seed")}, **one["planted"]}
        for one in results
        if one["planted"]
    ]
    return text if not planted else f"{text}\n\n{_planted(pd.DataFrame(planted))}"


def _elsewhere(table: pd.DataFrame) -> str:
    """Write how much less scores lose outside of the training people's ancestry than the polygenic score."""
    rows = []
    for (scenario, amount), part in table.groupby(["scenario", "perturbation"], sort=False):
        if scenario == "null":
            continue
        by_seed = part.pivot(index="seed", columns="ancestry", values=["prs", "phenformer", "ensemble"])
        lost = {
            score: (by_seed[score]["AFR"] + by_seed[score]["EAS"]) / 2 - by_seed[score]["EUR"]
            for score in ("prs", "phenformer", "ensemble")
        }
        rows.append(
            [
                f"{scenario}, {amount:g}",
                number(lost["prs"].mean(), 3),
                *(_interval(lost[score] - lost["prs"]) for score in ("phenformer", "ensemble")),
            ]
        )
    head = ["scenario, perturbation", "prs", "phenformer − prs", "ensemble − prs"]
    return (
        "AUROC in Africans and East Asians (mean) less that in Europeans: of the polygenic score, and by how "
        "much the others lose less:\n\n" + markdown_table(head, rows)
    )


_NAMED_BY = {"attribution": "Phenformer", "people": "test of people", "known": "genes known"}


def _planted(table: pd.DataFrame) -> str:
    rows = []
    for (scenario, amount), part in table.groupby(["scenario", "perturbation"], sort=False):
        named = [f"{int(part[f'{name}_lineage_first'].sum())} of {len(part)}" for name in _NAMED_BY]
        ranks = [number(part[f"{name}_rank"].mean(), 1) for name in _NAMED_BY]
        genes = [number(part[f"genes_{name}"].mean()) for name in ("auprc", "auprc_single_test", "share")]
        rows.append([f"{scenario}, {amount:g}", *named, *ranks, *genes])
    head = ["scenario, perturbation"]
    head += [f"{what}: {by}" for what in ("lineage first", "mean rank") for by in _NAMED_BY.values()]
    head += ["AUPRC of genes: Phenformer", "single tests", "by chance"]
    return (
        "What was planted, and what is named: by what the Phenformer looks at, by `cohort-expression` in all "
        "people, and by whoever knows the planted genes and their weights.\n\n" + markdown_table(head, rows)
    )


def _interval(values: pd.Series) -> str:
    from scipy.stats import t

    known = values.dropna()
    if not len(known):
        return "-"
    if len(known) < 2:
        return number(known.mean(), 3)
    half = t.isf(0.025, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return f"{number(known.mean(), 3)} ({number(known.mean() - half, 3)} to {number(known.mean() + half, 3)})"


def main() -> None:
    """Run all cohorts and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where cohorts and results are kept")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--people", type=int, default=2_500)
    parser.add_argument("--locus", default=LOCUS)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--perturbation", action="append", type=float)
    parser.add_argument("--write", action="store_true", help="put the table into docs/risk.md")
    options = parser.parse_args()
    world = open_world()
    results = []
    with ModelService(world, "cpu") as service:
        asked = cases(options.scenario or SCENARIOS, options.perturbation or PERTURBATIONS, options.seeds)
        for case in asked:
            where = (options.folder, world, service)
            results.append(run_case(case, *where, options.people, options.locus, options.epochs))
            print(case.name, summary(results[-1:]).round(3).to_string(), sep="\n", file=sys.stderr)
    text = section(results, options.people, options.locus)
    print(text)
    if options.write:
        TABLES.mkdir(parents=True, exist_ok=True)
        summary(results).round(4).to_csv(TABLES / "risk.tsv", sep="\t", index=False)
        write_section("risk", text, PAGE)


if __name__ == "__main__":
    main()
