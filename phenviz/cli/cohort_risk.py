"""``phenviz cohort train`` and ``evaluate``: learn the risk of traits, and judge what was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.cohort import folder_argument, tell, where_options
from phenviz.cli.common import PhenvizCommand, progress_bar, with_options

if TYPE_CHECKING:
    from phenviz.disease.cohort.folder import Cohort
    from phenviz.disease.cohort.saved import RiskModel
    from phenviz.service.cohort_scores import Evaluation
    from phenviz.world import World

tokens_and_where = with_options(
    click.option(
        "--tokens", metavar="TOKENS", type=click.Path(path_type=Path),
        help="Store of the tokens.  [default: DIR/tokens.zarr]",
    ),
    where_options,
)  # fmt: skip


model_option = click.option(
    "--model", required=True, metavar="MODEL", type=click.Path(path_type=Path),
    help="Folder that `phenviz cohort train` wrote.",
)  # fmt: skip


@click.command(cls=PhenvizCommand)
@folder_argument
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Folder of what is learnt.",
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML: architecture, training, min_frequency, scoring_files, start ...",
)
@click.option("--epochs", type=click.IntRange(1), help="Most epochs of the Phenformer.")
@click.option("--seed", type=click.IntRange(0), help="Of the first weights and the order of people.")
@tokens_and_where
def train(
    folder: Path,
    output: Path,
    config: Path | None,
    epochs: int | None,
    seed: int | None,
    tokens: Path | None,
    world: str | None,
    reference: str | None,
    device: str,
) -> None:
    """Learn covariates, polygenic scores, expression scores and a Phenformer, and how to put them together.

    Only training people teach, only validation people choose. An interrupted training goes on where it was.
    """
    from phenviz.cli.worlds import open_with_reference
    from phenviz.data.model_terms import require_training
    from phenviz.disease.cohort.config import read_config
    from phenviz.disease.cohort.folder import TOKENS, open_cohort
    from phenviz.disease.cohort.phenformer_fit import training_words
    from phenviz.disease.cohort.saved import save_risk_model
    from phenviz.disease.cohort.training import fit_cohort
    from phenviz.results.tokens import TokenStore
    from phenviz.service import pick_device

    options = read_config(config, epochs=epochs, seed=seed)
    chosen = pick_device(device)
    opened = open_with_reference(world, reference)
    require_training(opened.project)
    found = open_cohort(folder, opened.reference)
    tell(found)
    store = TokenStore(tokens or folder / TOKENS)
    start = start_of(options.start, opened, store)
    with progress_bar("cancelled; finished epochs are kept, and the same command goes on") as progress:
        fit = fit_cohort(
            found, store, options, output / "training", start=start, device=chosen, progress=progress
        )
    save_risk_model(output, found, fit, options)
    for line in fit.counts.left_out:
        click.echo(f"note: of the file's records {line}", err=True)
    for name, trait in list(fit.traits.items())[:20]:
        click.echo(
            f"{name}: polygenic score by {trait.prs.method}, expression score by {trait.expression.method}",
            err=True,
        )
    click.echo(
        f"{output}: {len(fit.dosages):,} common variants, {len(store.genes):,} genes; Phenformer: "
        f"{training_words(fit.run)}",
        err=True,
    )


def start_of(path: str | None, opened: World, store: Any) -> Any:
    """Return the Phenformer that a training goes on from; None for a new one."""
    if path is None:
        return None
    from phenviz.data.project import PHENFORMER
    from phenviz.models.phenformer_checkpoint import load_phenformer

    place = Path(path).expanduser()
    model = load_phenformer(place / PHENFORMER if place.is_dir() else place, opened.backbone, opened.readout)
    store.check(model)
    return model


@click.command(cls=PhenvizCommand)
@folder_argument
@model_option
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="REPORT",
    type=click.Path(path_type=Path),
    help="Folder of scores.parquet, metrics.parquet, subtypes.parquet, comorbidity.parquet and report.html.",
)
@click.option(
    "--resamples", type=click.IntRange(0), default=1_000, show_default=True, help="Of the bootstrap."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@click.option(
    "--keep",
    is_flag=True,
    help="Keep these people's scores and measures in MODEL: those whom `phenviz risk` compares others with.",
)
@tokens_and_where
def evaluate(
    folder: Path,
    model: Path,
    output: Path,
    resamples: int,
    seed: int,
    keep: bool,
    tokens: Path | None,
    world: str | None,
    reference: str | None,
    device: str,
) -> None:
    """Judge what was learnt by people who taught nothing.

    They are the test people of the cohort it was trained on, or everybody of another one.
    """
    from phenviz.cli.worlds import open_with_reference
    from phenviz.disease.cohort.folder import TOKENS, open_cohort
    from phenviz.disease.cohort.reference_people import save_reference
    from phenviz.disease.cohort.saved import load_risk_model
    from phenviz.service import ModelService
    from phenviz.service.cohort_scores import evaluate_cohort

    trained = load_risk_model(model)
    opened = open_with_reference(world, reference)
    found = open_cohort(folder, opened.reference)
    tell(found)
    with ModelService(opened, device=device) as service, progress_bar() as progress:
        judged = evaluate_cohort(
            service, found, trained, tokens or folder / TOKENS,
            resamples=resamples, seed=seed, progress=progress,
        )  # fmt: skip
    _write(output, found, trained, judged)
    if keep:
        save_reference(judged.reference, model)
    for line in _told(judged):
        click.echo(line, err=True)
    click.echo(
        f"{output}: scores.parquet, metrics.parquet, subtypes.parquet, comorbidity.parquet, report.html; "
        f"judged by {judged.judged_by}",
        err=True,
    )


def _write(output: Path, found: Cohort, trained: RiskModel, judged: Evaluation) -> None:
    from phenviz.disease.cohort.reporting_standard import checklist
    from phenviz.figures.risk_report import RiskReport, render_report

    output.mkdir(parents=True, exist_ok=True)
    judged.scores.to_parquet(output / "scores.parquet", index=False)
    judged.judged.metrics.to_parquet(output / "metrics.parquet", index=False)
    groups = judged.reference.subtypes
    assert groups is not None
    groups.people.to_parquet(output / "subtypes.parquet", index=False)
    groups.comorbidity.to_parquet(output / "comorbidity.parquet", index=False)
    traits = list(dict.fromkeys(judged.scores["trait"]))
    report = RiskReport(
        f"Risk scores of {found.name}",
        found.simulated or trained.simulated,
        _facts(found, trained, judged.judged_by),
        judged.own,
        judged.judged.metrics,
        judged.judged.deciles,
        judged.judged.decisions,
        judged.judged.suppressed,
        [*found.notes, *judged.notes],
        checklist(found, trained, traits, judged.judged_by),
        groups,
    )
    (output / "report.html").write_text(render_report(report), encoding="utf-8")


def _told(judged: Evaluation) -> list[str]:
    """Say what was left out, the AUROC of the first traits, and whose cases fall into groups."""
    from phenviz.disease.cohort.subtypes import in_words

    lines = [f"note: {line}" for line in [*judged.notes, *judged.judged.suppressed]]
    table = judged.judged.metrics
    areas = table[(table["metric"] == "auroc") & (table["ancestry"] == "all")]
    for name in list(dict.fromkeys(judged.scores["trait"]))[:20]:
        values = areas[areas["trait"] == name].set_index("score")["value"]
        lines.append(f"{name}: AUROC " + ", ".join(f"{score} {value:.3f}" for score, value in values.items()))
    assert judged.reference.subtypes is not None
    grouped = judged.reference.subtypes.tests
    lines += [f"{row['trait']}: {in_words(row)}" for _, row in grouped[grouped["groups"] > 1].iterrows()]
    return lines


def _facts(found: Cohort, trained: RiskModel, judged_by: str) -> dict[str, str]:
    from phenviz.disease.cohort.expression_score import contexts_words
    from phenviz.disease.cohort.phenformer_fit import training_words

    card = trained.card
    ancestry = ", ".join(f"{name or 'unknown'} {count:,}" for name, count in card["trained_in"].items())
    scores = "; ".join(
        f"{name}: {one['prs']['method']}, {one['expression']['method']} on expression"
        for name, one in card["traits"].items()
    )
    contexts = "; ".join(
        f"{name} {told}" for name in card["traits"] if (told := contexts_words(trained.contexts(name)))
    )
    return {
        "cohort": f"{found.name}, {len(found.people):,} people",
        "judged by": judged_by,
        "trained on": f"{card['cohort']}: {card['people']['train']:,} people ({ancestry})",
        "chosen by": f"{card['people']['validation']:,} validation people",
        "scores": scores,
        **({"contexts": contexts} if contexts else {}),
        "Phenformer": training_words(card["run"]),
        "assembly": str(card["assembly"]),
    }
