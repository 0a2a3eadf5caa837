"""Build the embedded risk model: a small Phenformer and polygenic scores, trained on simulated people.

Usage::

    python scripts/build_phenformer.py                    # two minutes on two cores
    python scripts/build_phenformer.py --work FOLDER      # what is finished stays there, and it goes on

Needs the extra ``simulate`` and the data pack ukbb-blood-finemap. To be run again after the backbone or a
readout changed: tokens of other models are refused. Writes ``phenviz/data/embedded/weights/risk``, its card
``docs/risk_model_card.md`` and the manifest of the embedded world.

People are drawn where the embedded individuals have genotypes (chr20:1-4 Mb), with variants at these
individuals' places and as frequent as in them, so that what is learnt fits real people. They fall ill by
the fine-mapped effects on UK Biobank blood traits. Traits are chosen by a rule that looks at published
effects only (`chosen_traits`), before anybody is simulated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evaluation.report import markdown_table, number, write_section  # noqa: E402
from phenviz.data.embedded import RISK  # noqa: E402
from phenviz.data.embedded_world import embedded_project  # noqa: E402
from phenviz.disease.cohort import saved  # noqa: E402
from phenviz.disease.cohort.config import CohortTraining, read_config  # noqa: E402
from phenviz.disease.cohort.folder import TOKENS, Cohort, open_cohort, write_card  # noqa: E402
from phenviz.disease.cohort.phenformer_fit import training_words  # noqa: E402
from phenviz.disease.cohort.real_sites import real_sites  # noqa: E402
from phenviz.disease.cohort.real_variants import blood_weights, inside  # noqa: E402
from phenviz.disease.cohort.reference_people import save_reference  # noqa: E402
from phenviz.disease.cohort.simulate import SimulationRequest, simulate_cohort  # noqa: E402
from phenviz.disease.cohort.training import fit_cohort  # noqa: E402
from phenviz.progress import Progress  # noqa: E402
from phenviz.results.tokens import TokenStore  # noqa: E402
from phenviz.service import ModelService  # noqa: E402
from phenviz.service.cohort_embedding import embed_cohort  # noqa: E402
from phenviz.service.cohort_scores import Evaluation, evaluate_cohort  # noqa: E402
from phenviz.world import World  # noqa: E402

LOCUS = "chr20:1,000,001-4,000,000"
SHARES = {"EUR": 0.6, "AFR": 0.15, "EAS": 0.15, "AMR": 0.1}
# of a trait's variance, that the published effects in the locus explain
LEAST_VARIANCE = 1e-5
LARGEST = 3_000_000
CARD = ROOT / "docs" / "risk_model_card.md"
# a case is who has much of it
_NAMES = {
    "BASO_COUNT": "basophil count",
    "LYMPH_COUNT": "lymphocyte count",
    "MCH": "mean corpuscular haemoglobin",
    "MCV": "mean corpuscular volume",
    "MEAN_RETIC_VOL": "mean reticulocyte volume",
    "MPV": "mean platelet volume",
    "PLT_COUNT": "platelet count",
    "RETIC_COUNT": "reticulocyte count",
}
_SHOWN = ("covariates", "prs", "expression", "phenformer", "ensemble")
# tests of all variants and genes are for those who train
_KEPT = (
    *(saved.CARD, saved.PHENFORMER, Path(saved.PHENFORMER).with_suffix(".json").name, saved.WEIGHTS),
    *(saved.EXPRESSION, saved.DISTANCE, saved.COMPONENTS, saved.FREQUENCIES, saved.REFERENCE_TOKENS),
)


def main() -> None:
    """Simulate, embed, train, judge, and put the result into the package."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder for the cohort")
    parser.add_argument("--output", type=Path, default=RISK, help="folder of the model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build(options.work or Path(folder), options)


def build(work: Path, options: argparse.Namespace) -> None:
    """Do all steps; the cohort and its tokens are kept in the working folder."""
    # whatever model is embedded now, it may belong to another backbone
    world, progress = World(replace(embedded_project(), risk=None)), Progress(on_change=_Stages())
    weights = inside(blood_weights(world.reference), world.locus(LOCUS))
    explained = variance_explained(weights)
    traits = chosen_traits(explained)
    cohort = simulated(work / "people", world, weights[weights["trait"].isin(traits)], options, progress)
    shutil.rmtree(work / "model", ignore_errors=True)
    with ModelService(world, "cpu") as service:
        embed_cohort(service, cohort, readout=first_readout(world), progress=progress)
        config = read_config(None, epochs=options.epochs, seed=options.seed)
        model = trained(work / "model", cohort, config, explained, progress)
        judged = evaluate_cohort(
            service, cohort, model, cohort.folder / TOKENS, resamples=100, progress=progress
        )
    save_reference(judged.reference, model.folder)
    export(model, options.output)
    if options.output == RISK:
        write_model_card(model, judged)
        subprocess.run([sys.executable, ROOT / "scripts" / "build_embedded_world.py"], check=True)


def first_readout(world: World) -> str | None:
    """Return the name of the readout of the backbone's cell types; that of tissues has another licence."""
    readout = world.readout
    return None if readout is None else getattr(readout, "members", (readout,))[0].name


def variance_explained(weights: pd.DataFrame) -> dict[str, float]:
    """Return which share of each trait's variance published effects of variants explain."""
    each = 2 * weights["frequency"] * (1 - weights["frequency"]) * weights["effect"] ** 2
    found: dict[str, float] = each.groupby(weights["trait"]).sum().to_dict()
    return found


def chosen_traits(explained: dict[str, float]) -> list[str]:
    """Choose the traits of which published effects in the locus explain at least 0.001 %."""
    return sorted(name for name, share in explained.items() if share >= LEAST_VARIANCE)


def simulated(
    folder: Path, world: World, weights: pd.DataFrame, options: argparse.Namespace, progress: Progress
) -> Cohort:
    """Simulate the people, unless the same ones are there."""
    locus = world.locus(LOCUS)
    request = SimulationRequest(
        people=options.people, shares=SHARES, scenario="blood", locus=locus, seed=options.seed
    )
    try:
        found = open_cohort(folder, world.reference)
        if len(found.people) == options.people and found.card["seed"] == options.seed:
            return found
    except Exception:
        pass
    assert world.individuals is not None
    sites = real_sites(world.individuals, locus, weights)
    simulate_cohort(
        request,
        folder,
        world.reference,
        world.annotation,
        {},
        weights=weights,
        sites=sites,
        progress=progress,
    )
    return open_cohort(folder, world.reference)


def trained(
    folder: Path, cohort: Cohort, config: CohortTraining, explained: dict[str, float], progress: Progress
) -> saved.RiskModel:
    """Train, and say on the card what the traits are and how much of them is real."""
    labels = {name: f"high {_NAMES.get(name, name)}" for name in cohort.people.traits}
    write_card(cohort.folder, {**cohort.card, "labels": labels})
    cohort = open_cohort(cohort.folder, cohort.individuals.reference)
    fit = fit_cohort(
        cohort, TokenStore(cohort.folder / TOKENS), config, folder / "training", progress=progress
    )
    saved.save_risk_model(folder, cohort, fit, config)
    path = folder / saved.CARD
    card = json.loads(path.read_text(encoding="utf-8"))
    for name in card["traits"]:
        card["traits"][name]["published_variance"] = explained[name]
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return saved.load_risk_model(folder)


def export(model: saved.RiskModel, output: Path) -> None:
    """Copy what scoring needs into the package, in single precision."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for name in _KEPT:
        if name.endswith(".parquet"):
            table = pd.read_parquet(model.folder / name)
            narrow = {column: "float32" for column in table.select_dtypes("float64").columns}
            table.astype(narrow).to_parquet(output / name, index=False, compression="zstd")
        else:
            shutil.copyfile(model.folder / name, output / name)
    shutil.copytree(model.folder / "reference", output / "reference")
    total = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    if total > LARGEST:
        raise SystemExit(
            f"the risk model takes {total:,} bytes, more than {LARGEST:,}: train on fewer people"
        )
    print(f"{output}: {total:,} bytes")


def write_model_card(model: saved.RiskModel, judged: Evaluation) -> None:
    """Put what was built and measured into the model card, whose prose stays."""
    card, run, people = model.card, model.card["run"], model.card["people"]
    path = (model.folder / saved.PHENFORMER).with_suffix(".json")
    phenformer = json.loads(path.read_text(encoding="utf-8"))
    config, weights = phenformer["config"], phenformer["weights"]["parameters"]
    models = [str(phenformer[f"{name}_sha256"])[:8] for name in ("backbone", "readout")]
    groups = [name for name in judged.reference.people if name != "all"]
    counts = ", ".join(f"{name} {judged.reference.people[name]:,}" for name in groups)
    facts = [
        ["people", f"{sum(people.values()):,} simulated ones on {LOCUS}"],
        ["who teach, choose, test", f"{people['train']:,}, {people['validation']:,} and {people['test']:,} "
         f"(test: {counts}); the first two are Europeans"],
        ["Phenformer", f"{len(config['genes']):,} genes, {weights:,} numbers; "
         f"{training_words(run)}"],
        ["gene tokens from", f"backbone {models[0]}, readout {models[1]}: expression in "
         f"{len(config['expression'])} contexts"],
    ]  # fmt: skip
    write_section("facts", markdown_table(["", ""], facts), CARD)
    explained = [
        [f"{name} ({model.label(name)})", f"{one['published_variance']:.4%}", f"{one['cases']['train']:,}",
         one["prs"]["method"], one["expression"]["method"]]
        for name, one in card["traits"].items()
    ]  # fmt: skip
    head = ["trait", "of its real variance", "training cases", "polygenic score", "score of expression"]
    write_section("explained", markdown_table(head, explained), CARD)
    table = judged.judged.metrics
    rows = []
    for name in model.traits:
        for group in ("all", *groups):
            own = (table["trait"] == name) & (table["ancestry"] == group) & (table["metric"] == "auroc")
            areas = table[own].set_index("score")
            rows.append([f"{name}, {group}", *(_with_interval(areas.loc[score]) for score in _SHOWN)])
    write_section("auroc", markdown_table(["trait, test people", *_SHOWN], rows), CARD)


def _with_interval(row: pd.Series) -> str:
    if row["value"] != row["value"]:
        return f"{row['cases']:,} cases"
    return f"{number(row['value'])} ({number(row['low'])} to {number(row['high'])})"


class _Stages:
    """Prints each stage once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if stage != self._last:
            print(stage, flush=True)
            self._last = stage


if __name__ == "__main__":
    main()
