"""``phenviz cohort train`` and ``evaluate``: learn the risk of traits, and judge what was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.cohort import tell
from phenviz.cli.common import PhenvizCommand, device_option, progress_bar, reference_option, world_option

if TYPE_CHECKING:
    from phenviz.disease.cohort.folder import Cohort
    from phenviz.progress import Progress
    from phenviz.world import World

_tokens_option = click.option(
    "--tokens", metavar="TOKENS", type=click.Path(path_type=Path),
    help="Store of the tokens.  [default: DIR/tokens.zarr]",
)  # fmt: skip


@click.command(cls=PhenvizCommand)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
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
@_tokens_option
@world_option
@reference_option
@device_option
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
    from phenviz.disease.cohort.config import read_config
    from phenviz.disease.cohort.folder import TOKENS, open_cohort
    from phenviz.disease.cohort.saved import save_risk_model
    from phenviz.disease.cohort.training import fit_cohort
    from phenviz.results.tokens import TokenStore
    from phenviz.service import pick_device

    options = read_config(config, epochs=epochs, seed=seed)
    chosen = pick_device(device)
    opened = open_with_reference(world, reference)
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
    run = fit.run
    click.echo(
        f"{output}: {len(fit.dosages):,} common variants, {len(store.genes):,} genes; Phenformer: "
        f"{run['epochs']} epochs, the best was {run['best_epoch']}",
        err=True,
    )


def start_of(path: str | None, opened: World, store: Any) -> Any:
    """Return the Phenformer that a training goes on from; None for a new one."""
    if path is None:
        return None
    from phenviz.disease.cohort.saved import PHENFORMER
    from phenviz.models.phenformer_checkpoint import load_phenformer

    place = Path(path).expanduser()
    model = load_phenformer(place / PHENFORMER if place.is_dir() else place, opened.backbone, opened.readout)
    store.check(model)
    return model


@click.command(cls=PhenvizCommand)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--model",
    required=True,
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Folder that `phenviz cohort train` wrote.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="REPORT",
    type=click.Path(path_type=Path),
    help="Folder of scores.parquet, metrics.parquet and report.html.",
)
@click.option(
    "--resamples", type=click.IntRange(0), default=1_000, show_default=True, help="Of the bootstrap."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@_tokens_option
@world_option
@reference_option
@device_option
def evaluate(
    folder: Path,
    model: Path,
    output: Path,
    resamples: int,
    seed: int,
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
    from phenviz.disease.cohort.saved import load_risk_model
    from phenviz.service import ModelService

    trained = load_risk_model(model)
    opened = open_with_reference(world, reference)
    found = open_cohort(folder, opened.reference)
    tell(found)
    with ModelService(opened, device=device) as service, progress_bar() as progress:
        told = evaluate_into(
            output, found, trained, service, tokens or folder / TOKENS, resamples, seed, progress
        )
    for line in told:
        click.echo(line, err=True)


def evaluate_into(
    output: Path,
    found: Cohort,
    trained: Any,
    service: Any,
    tokens: Path,
    resamples: int,
    seed: int,
    progress: Progress,
) -> list[str]:
    """Write the three files of an evaluation, and return what to say about it."""
    from phenviz.disease.cohort.judging import judge
    from phenviz.disease.cohort.reporting_standard import checklist
    from phenviz.figures.risk_report import RiskReport, render_report
    from phenviz.service.cohort_scores import score_cohort

    scores, notes_of, judged_by = score_cohort(service, found, trained, tokens, progress=progress)
    own = scores[scores["split"] == "test"] if judged_by.startswith("test") else scores
    traits = list(dict.fromkeys(scores["trait"]))
    prevalence = {
        name: found.prevalence(name) or trained.card["traits"][name]["prevalence"] for name in traits
    }
    judged = judge(own, prevalence, resamples=resamples, seed=seed, progress=progress)
    output.mkdir(parents=True, exist_ok=True)
    scores.to_parquet(output / "scores.parquet", index=False)
    judged.metrics.to_parquet(output / "metrics.parquet", index=False)
    report = RiskReport(
        f"Risk scores of {found.name}",
        found.simulated or bool(trained.card["simulated"]),
        _facts(found, trained, judged_by),
        own,
        judged.metrics,
        judged.deciles,
        judged.decisions,
        judged.suppressed,
        [*found.notes, *notes_of],
        checklist(found, trained, traits, judged_by),
    )
    (output / "report.html").write_text(render_report(report), encoding="utf-8")
    lines = [f"note: {line}" for line in [*notes_of, *judged.suppressed]]
    areas = judged.metrics[(judged.metrics["metric"] == "auroc") & (judged.metrics["ancestry"] == "all")]
    for name in traits[:20]:
        values = areas[areas["trait"] == name].set_index("score")["value"]
        lines.append(f"{name}: AUROC " + ", ".join(f"{score} {value:.3f}" for score, value in values.items()))
    return [*lines, f"{output}: scores.parquet, metrics.parquet, report.html; judged by {judged_by}"]


def _facts(found: Cohort, trained: Any, judged_by: str) -> dict[str, str]:
    card, run = trained.card, trained.card["run"]
    ancestry = ", ".join(f"{name or 'unknown'} {count:,}" for name, count in card["trained_in"].items())
    scores = "; ".join(
        f"{name}: {one['prs']['method']}, {one['expression']['method']} on expression"
        for name, one in card["traits"].items()
    )
    return {
        "cohort": f"{found.name}, {len(found.people):,} people",
        "judged by": judged_by,
        "trained on": f"{card['cohort']}: {card['people']['train']:,} people ({ancestry})",
        "chosen by": f"{card['people']['validation']:,} validation people",
        "scores": scores,
        "Phenformer": f"{run['epochs']} epochs, the best was {run['best_epoch']}",
        "assembly": str(card["assembly"]),
    }
