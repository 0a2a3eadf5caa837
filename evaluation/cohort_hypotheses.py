"""Plant contexts in simulated people, and see how often tests of people name them, and err by chance.

    python -m evaluation.cohort_hypotheses --folder RUNS --write      # a quarter of an hour on one core

One set of simulated genomes is made, and read by the model once. Then labels are drawn anew, many times: by
the scenario ``mediated``, with expression of a perturbed copy of the model, and by chance. For each planted
trait a Phenformer is trained. What is finished stays in the folder. --write puts the tables into
docs/hypotheses.md, and how often each method errs where the report reads it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.stats import binomtest

from evaluation.disease_calibration import errors_table, rates, tell_the_page
from evaluation.report import DOCS, TABLES, markdown_table, number, write_section
from evaluation.risk import SHARES
from phenviz.disease.cohort.config import read_config
from phenviz.disease.cohort.covariates import fit_covariates
from phenviz.disease.cohort.dosages import read_dosages
from phenviz.disease.cohort.expression_score import Expression
from phenviz.disease.cohort.folder import EFFECTS, TOKENS, Cohort, open_cohort
from phenviz.disease.cohort.genotypes import read_blocks
from phenviz.disease.cohort.liability import Liability
from phenviz.disease.cohort.people_hypotheses import people_hypotheses
from phenviz.disease.cohort.phenformer_fit import Split, fit_phenformer
from phenviz.disease.cohort.plan import read_shares
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scenarios import ScenarioOptions, Setting, draw_labels
from phenviz.disease.cohort.simulate import SimulationRequest
from phenviz.disease.cohort.training import choose_expression
from phenviz.disease.cohort_methods import ATTRIBUTION, COHORT, EXPRESSION
from phenviz.models.phenformer import GeneSite
from phenviz.models.phenformer_checkpoint import save_phenformer
from phenviz.models.token_layout import WINDOW
from phenviz.results.tokens import TokenStore
from phenviz.service import ModelService
from phenviz.service.cohort import in_order
from phenviz.service.cohort_effects import cached_effects
from phenviz.service.cohort_embedding import embed_cohort, windows_of
from phenviz.service.cohort_hypotheses import model_evidence
from phenviz.service.cohort_planting import Perturbation, perturbed, simulate_people
from phenviz.world import World, open_world

PAGE = DOCS / "hypotheses.md"
LOCUS = "chr20:1,000,001-4,000,000"
METHODS = (COHORT, EXPRESSION, ATTRIBUTION)
_PREVALENCE = 0.25


@dataclass(frozen=True, eq=False)
class Genomes:
    """Simulated people with tokens, and what each of their variants does to the expression of each gene.

    Parameters
    ----------
    cohort, tokens
        Whom, and the store.
    effects
        By gene: copies that everybody carries (variants, people), and effects (variants, contexts).
    setting
        What labels are drawn from, but for the planted expression.
    """

    cohort: Cohort
    tokens: Path
    effects: dict[str, tuple[csr_array, NDArray[np.float32]]]
    setting: Setting


def make_genomes(folder: Path, world: World, service: ModelService, people: int, locus: str) -> Genomes:
    """Simulate people, and make their tokens, unless the folder has them."""
    place = folder / "people"
    if not (place / TOKENS).is_dir():
        request = SimulationRequest(
            people=people, shares=read_shares(SHARES), scenario="null", locus=world.locus(locus), seed=0
        )
        simulate_people(world, request, place, Perturbation(), device="cpu")
    cohort = open_cohort(place, world.reference)
    embed_cohort(service, cohort)
    store, table = TokenStore(place / TOKENS), cohort.people.table
    channels = int(store.attrs["channels"])
    effects = {}
    for group in in_order([GeneSite(*site) for site in store.attrs["sites"]]):
        blocks = list(
            read_blocks(cohort.individuals, cohort.people.samples, windows_of(world, group, WINDOW))
        )
        variants = pd.concat([block.variants for block in blocks], ignore_index=True)
        carried = vstack([block.carried() for block in blocks], format="csr")
        found = cached_effects(service, place / EFFECTS, variants, group, WINDOW, None)
        for index, gene in enumerate(group):
            own = np.flatnonzero(found["gene_index"].values == index)
            values = found["effect"].values[own, channels:].astype(np.float32)
            reached = (values != 0).any(axis=1)
            effects[gene.name] = carried[found["row"].values[own[reached]]], values[reached]
    groups = {context.name: context.group for context in world.readout.contexts} if world.readout else {}
    train = cohort.people.rows("train")
    setting = Setting(
        table,
        np.flatnonzero(table["ancestry"].isin(table["ancestry"].iloc[train]).to_numpy()),
        read_dosages(cohort.individuals, cohort.people.samples, train),
        tuple(effects),
        groups,
        None,
    )
    return Genomes(cohort, place / TOKENS, effects, setting)


def planted_labels(genomes: Genomes, contexts: tuple[str, ...], seed: int) -> tuple[Cohort, dict[str, Any]]:
    """Make people ill through one context, by a perturbed copy of the model; return them and the truth."""

    def expression(genes: Any) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        values = []
        for gene in genes:
            carried, effects = genomes.effects[gene]
            rng = np.random.default_rng([seed, list(genomes.effects).index(gene)])
            values.append(carried.T.astype(float) @ perturbed(effects.astype(float), Perturbation(), rng))
        return np.stack(values, axis=1), contexts

    setting, rng = replace(genomes.setting, expression=expression), np.random.default_rng([seed, 1])
    liability = Liability(prevalence=_PREVALENCE)
    drawn = draw_labels("mediated", setting, liability, ScenarioOptions(), rng)
    return with_labels(genomes.cohort, drawn.labels["T"].to_numpy(float)), drawn.truth["traits"]["T"]


def with_labels(cohort: Cohort, labels: NDArray[np.float64]) -> Cohort:
    """Give people other labels."""
    people = replace(cohort.people, table=cohort.people.table.assign(T=labels))
    return replace(cohort, people=people)


def trained(genomes: Genomes, cohort: Cohort, folder: Path, seed: int, epochs: int) -> RiskModel:
    """Train a Phenformer on labels, without what else `phenviz cohort train` makes."""
    config = read_config(None, epochs=epochs, seed=seed)
    store, split = TokenStore(genomes.tokens), Split.of(cohort)
    tokens = store.read(cohort.people.samples)
    expression = Expression.of(store, tokens, split.train)
    labels = split.labels[:, 0]
    covariates = fit_covariates(split.covariates, labels, split.train)
    chosen, _ = choose_expression(expression, labels, split, covariates)
    phenformer, _ = fit_phenformer(
        cohort, store, tokens, split, expression, {"T": (covariates, chosen)}, config, folder / "training"
    )
    nothing = pd.DataFrame()
    counts = {name: len(cohort.people.rows(name)) for name in ("train", "validation", "test")}
    card = {
        "cohort": cohort.name, "simulated": True, "assembly": store.attrs["assembly"], "people": counts,
        "trained_in": {"EUR": counts["train"]}, "covariates": list(cohort.people.covariates),
        "traits": {"T": {}},
    }  # fmt: skip
    model = RiskModel(folder, card, nothing, nothing, nothing, nothing)
    save_phenformer(phenformer, model.phenformer, card={"training": {"cohort": "simulated"}})
    return model


def run_planting(
    genomes: Genomes,
    service: ModelService,
    folder: Path,
    seed: int,
    epochs: int,
    permutations: int,
    null: int,
) -> dict[str, Any]:
    """Plant a context, train, test; and test labels drawn by chance with the same models."""
    done = folder / f"planting-{seed}.json"
    if done.is_file():
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    contexts = tuple(genomes.setting.groups)
    cohort, truth = planted_labels(genomes, contexts, seed)
    model = trained(genomes, cohort, folder / f"model-{seed}", seed, epochs)
    evidence = model_evidence(service, cohort, model, genomes.tokens, ["T"])
    tested = people_hypotheses(cohort, model, evidence, ["T"], permutations=permutations, seed=seed)
    rng, chance = np.random.default_rng([seed, 2]), []
    for number_ in range(null):
        labels = (rng.random(len(cohort.people)) < _PREVALENCE).astype(float)
        other = with_labels(cohort, labels)
        one = people_hypotheses(other, model, evidence, ["T"], permutations=199, seed=number_)
        frame = one["p_value"].isel(trait=0).to_dataframe().reset_index()[["method", "context", "p_value"]]
        chance.append(frame.assign(set=f"{seed}-{number_}").dropna(subset=["p_value"]))
    genes = tested["gene_z"].isel(trait=0)
    result = {
        "seed": seed,
        "truth": {name: truth[name] for name in ("context", "lineage", "genes")},
        "z": {name: tested["z"].sel({"method": name}).isel(trait=0).values.tolist() for name in METHODS},
        "p": {
            name: tested["p_value"].sel({"method": name}).isel(trait=0).values.tolist() for name in METHODS
        },
        "contexts": tested["context"].values.tolist(),
        "gene": str(abs(genes).max("context").idxmax("gene").item()),
        "gene_called": sorted(
            set(tested["gene"].values[(tested["gene_p_family"].isel(trait=0) <= 0.05).any("context").values])
        ),
        "null": pd.concat(chance, ignore_index=True).to_dict("list") if chance else {},
    }
    done.write_text(json.dumps(result))
    return result


def summary(results: list[dict[str, Any]], groups: dict[str, str]) -> pd.DataFrame:
    """Count, method by method, how often the planted lineage and context are named."""
    rows = []
    for name in METHODS:
        found = {"lineage first": 0, "context first": 0, "called": 0}
        ranks, chance = [], []
        for one in results:
            z, contexts = np.nan_to_num(one["z"][name], nan=-np.inf), one["contexts"]
            right = [groups[context] == one["truth"]["lineage"] for context in contexts]
            order = np.argsort(-z, kind="stable")
            planted = contexts.index(one["truth"]["context"])
            ranks.append(int(np.flatnonzero(order == planted)[0]) + 1)
            chance.append(np.mean(right))
            found["lineage first"] += right[order[0]]
            found["context first"] += ranks[-1] == 1
            found["called"] += one["p"][name][planted] <= 0.05
        rest = {"rank": np.mean(ranks), "lineage by chance": np.mean(chance), "contexts": len(contexts)}
        rows.append({"method": name, "sets": len(results), **found, **rest})
    return pd.DataFrame(rows)


def section(results: list[dict[str, Any]], table: pd.DataFrame, size: pd.DataFrame, told: str) -> str:
    """Write the section of the page."""
    sets, first = len(results), table.iloc[0]

    def share(count: float) -> str:
        interval = binomtest(int(count), sets).proportion_ci(method="wilson")
        return f"{number(count / sets)} ({number(interval.low)} to {number(interval.high)})"

    counted = ("lineage first", "context first", "called")
    rows = [
        [row["method"], *(share(row[name]) for name in counted), number(row["rank"], 1)]
        for _, row in table.iterrows()
    ]
    head = ["method", "planted lineage first", "planted context first", "p <= 0.05 there", "mean rank"]
    genes = sum(one["gene"] in one["truth"]["genes"] for one in results)
    called = [gene in one["truth"]["genes"] for one in results for gene in one["gene_called"]]
    return (
        f"{told} In brackets: 95 % intervals. By chance the planted lineage comes first in "
        f"{100 * first['lineage by chance']:.0f} % of them, the planted one of {first['contexts']} contexts "
        f"in {100 / first['contexts']:.0f} %.\n\n{markdown_table(head, rows)}\n\nThe gene with the largest z "
        f"is a planted one in {genes} of {sets} traits; of {len(called)} genes with p <= 0.05 among all "
        f"genes and contexts, {sum(called)} are.\n\n"
        f"{errors_table('Labels of the same people drawn by chance', size)}"
    )


def main() -> None:
    """Plant, test, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, required=True, help="where people, models and results are kept"
    )
    parser.add_argument("--plantings", type=int, default=20)
    parser.add_argument("--null", type=int, default=10, help="sets of labels by chance for each planting")
    parser.add_argument("--people", type=int, default=1_200)
    parser.add_argument("--locus", default=LOCUS)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--permutations", type=int, default=2_000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/hypotheses.md")
    options = parser.parse_args()
    world, began, results = open_world(), time.perf_counter(), []
    options.folder.mkdir(parents=True, exist_ok=True)
    with ModelService(world, "cpu") as service:
        genomes = make_genomes(options.folder, world, service, options.people, options.locus)
        print(f"{time.perf_counter() - began:.0f} s: {len(genomes.effects)} genes", flush=True)
        for seed in range(options.plantings):
            how = (seed, options.epochs, options.permutations, options.null)
            results.append(run_planting(genomes, service, options.folder, *how))
            print(f"{time.perf_counter() - began:.0f} s: planting {seed}", flush=True)
    table = summary(results, dict(genomes.setting.groups))
    size = rates(pd.concat([pd.DataFrame(one["null"]) for one in results], ignore_index=True))
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    told = (
        f"Simulated people, measured with {model}: {options.people:,} people on {options.locus}, trained in "
        f"Europeans, {len(genomes.effects)} genes; {len(results)} traits act through 10 genes of one context "
        "each, with heritability 0.4, a quarter of it by pairs of genes, and expression of a perturbed copy "
        "of the model."
    )
    text = section(results, table, size, told)
    print(text)
    if options.write:
        TABLES.mkdir(parents=True, exist_ok=True)
        table.round(4).to_csv(TABLES / "cohort_hypotheses.tsv", sep="\t", index=False)
        write_section("cohort hypotheses", text, PAGE)
        tell_the_page({"in simulated people": size}, model)


if __name__ == "__main__":
    main()
