"""``phenviz predict``, ``mutagenesis`` and ``attribute``: one result over one locus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import (
    FIGURE_SUFFIXES,
    PhenvizCommand,
    checked_output,
    device_option,
    output_option,
    progress_bar,
    reference_option,
    refuse_given,
    scale_options,
    wait_for,
    with_options,
    world_option,
)
from phenviz.cli.people import individual_of, individuals_of, phasing_options, sample_option
from phenviz.cli.tracks import write_tracks
from phenviz.formats import suffix_of, suffixes_of

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.cli.scale import Sharding
    from phenviz.variation import Unphased
    from phenviz.world import World

_LOCUS_HELP = "LOCUS is a gene, an rsID or a region: HNF4A, rs6116042, chr20:42,984,160-42,985,160."

_NO_GENOME = "--sequences lie in no genome, and are nobody's"

contexts_option = click.option(
    "--context",
    "contexts",
    multiple=True,
    metavar="C",
    help="Cell type or (of expression) tissue by name, label, ontology term or group; may be repeated. All "
    "by default.",
)


class Steps(click.ParamType):
    """A number of steps, or ``auto``."""

    name = "N|auto"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> int | str:
        """Read it."""
        if str(value).strip().lower() == "auto":
            return "auto"
        return click.IntRange(1).convert(value, parameter, context)


_where_and_how = with_options(output_option, reference_option, world_option, device_option)


def _check_predicted(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, suffixes_of("prediction", "sequences"), context, parameter)


@click.command(cls=PhenvizCommand, epilog=_LOCUS_HELP)
@click.argument("locus", required=False)
@click.option(
    "--sequences",
    metavar="FASTA",
    help="Predict the sequences of this file, which lie in no genome, instead of LOCUS; OUT is .tsv .nc "
    ".zarr .parquet or .h5ad.",
)
@contexts_option
@click.option("--vcf", metavar="V", help="Predict along both haplotypes of a sample of this file, too.")
@sample_option
@phasing_options
@with_options(
    click.option(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        callback=_check_predicted,
        help="Result file: .nc .zarr .parquet .bed .bw (one bigWig per context) .svg .pdf .png; of "
        "--sequences also .tsv .h5ad",
    ),
    scale_options,
    reference_option,
    world_option,
    device_option,
)
def predict(
    locus: str | None,
    sequences: str | None,
    contexts: tuple[str, ...],
    vcf: str | None,
    sample: str | None,
    unphased: Unphased,
    seed: int,
    output: Path,
    scheduler: str,
    shard: tuple[int, int] | None,
    shards_at: str | None,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Predict the activity of every bin of LOCUS in each cell type, of the reference or of a person.

    With --scheduler a long LOCUS, such as a whole chromosome, is cut into shards, which workers share.
    """
    from phenviz.cli.scale import Sharding

    scale = Sharding(scheduler, shard, shards_at)
    if scale.wanted and (sequences or vcf or sample):
        raise click.UsageError(
            "only LOCUS of the reference is cut into shards: leave --scheduler, --shard and --shards-at out"
        )
    if sequences is not None:
        _check_kind(output, "sequences")
        refuse_given("locus", "vcf", "sample", "unphased", "seed", "reference", why=_NO_GENOME)
        how = {"sequences": sequences, "contexts": list(contexts) or None}
        compute("predict_sequences", output, None, world, device, **how)
        return
    if locus is None:
        raise click.UsageError("say what is predicted: LOCUS, or --sequences FASTA")
    _check_kind(output, "prediction")
    if vcf is None and sample is None:
        if unphased != "refuse":
            raise click.UsageError("--unphased is about a person's variants: give --sample or --vcf, too")
        if scale.wanted:
            _in_shards(locus, contexts, output, scale, reference, world, device)
            return
        compute("predict", output, reference, world, device, locus=locus, contexts=list(contexts) or None)
        return
    from phenviz.cli.worlds import open_with_reference

    opened = open_with_reference(world, reference)
    individual = individual_of(individuals_of(vcf, opened), sample)
    written = write_tracks(
        opened, locus, individual, output,
        contexts=contexts, unphased=unphased, seed=seed, device=device,
    )  # fmt: skip
    for path in written:
        click.echo(path)


def _in_shards(
    locus: str,
    contexts: tuple[str, ...],
    output: Path,
    scale: Sharding,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    from phenviz.cli.scale import result_in_shards
    from phenviz.cli.worlds import open_with_reference
    from phenviz.distributed.locus_prediction import PredictionTask
    from phenviz.distributed.world_address import WorldAddress

    opened = open_with_reference(world, reference)
    task = PredictionTask(WorldAddress.of(opened), locus, contexts or None, device)
    done = result_in_shards(task, task.open(opened), output, scale, opened)
    for path in () if done is None else done[1]:
        click.echo(path)


def _check_kind(output: Path, kind: str) -> None:
    if suffix_of(output, suffixes_of(kind)) is None:
        what = "sequences that lie in no genome" if kind == "sequences" else "a locus"
        raise click.UsageError(f"{output.name} can't hold {what}: end it with {' '.join(suffixes_of(kind))}")


@click.command(cls=PhenvizCommand, epilog=_LOCUS_HELP)
@click.argument("locus")
@contexts_option
@click.option("--gene", metavar="G", help="Score the change of this gene's expression instead of activity.")
@click.option(
    "--coarse-to-fine",
    type=click.IntRange(0),
    metavar="N",
    help="All bases to first order, from one gradient, and the N intervals of 32 bases that matter most "
    "exactly; for one cell type of a backbone such as Enformer, which would take one window per change.",
)
@_where_and_how
def mutagenesis(
    locus: str,
    contexts: tuple[str, ...],
    gene: str | None,
    coarse_to_fine: int | None,
    output: Path,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Change every base of LOCUS to every other base and score each change."""
    if coarse_to_fine is not None:
        if len(contexts) != 1:
            raise click.UsageError("--coarse-to-fine explains one cell type: give --context C once")
        how: dict[str, Any] = {"context": contexts[0], "gene": gene, "n_windows": coarse_to_fine}
        compute("mutagenesis_coarse", output, reference, world, device, locus=locus, **how)
        return
    chosen = list(contexts) or None
    compute("mutagenesis", output, reference, world, device, locus=locus, contexts=chosen, gene=gene)


@click.command(cls=PhenvizCommand, epilog=_LOCUS_HELP)
@click.argument("locus", required=False)
@click.option("--context", metavar="C", help="Cell type by name, label or ontology term.")
@click.option("--gene", metavar="G", help="Explain this gene's expression instead of the locus' activity.")
@click.option(
    "--trait",
    metavar="T",
    help="Explain the risk of this trait by the bases of all gene windows, or of those in LOCUS.",
)
@click.option(
    "--method",
    type=click.Choice(["integrated-gradients", "saliency"]),
    default="integrated-gradients",
    show_default=True,
)
@click.option(
    "--steps",
    type=Steps(),
    default="32",
    show_default=True,
    help="Steps of the integral; auto: as many as bring its error below 1 %.",
)
@click.option(
    "--baseline",
    type=click.Choice(["zero", "dinucleotide"]),
    default="zero",
    show_default=True,
    help="Begin at no sequence, or at shuffled sequence.",
)
@click.option(
    "--baselines",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Average over N single shuffles; their spread is in the result.",
)
@_where_and_how
def attribute(
    locus: str | None,
    context: str | None,
    gene: str | None,
    trait: str | None,
    method: str,
    steps: int | str,
    baseline: str,
    baselines: int,
    output: Path,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Say how much every base of LOCUS contributes to a target: a cell type's activity, a gene or a trait."""
    from phenviz import Target

    if trait is not None and (context is not None or gene is not None):
        raise click.UsageError("a trait depends on all genes and cell types: leave --context and --gene out")
    if trait is None and context is None:
        raise click.UsageError("say what is explained: --context C, --context C --gene G, or --trait T")
    if trait is None and locus is None:
        raise click.UsageError("Missing argument 'LOCUS': only --trait explains all gene windows without one")
    how: dict[str, Any] = {"target": Target(gene, context, trait), "method": method}
    if method == "saliency":
        why = "saliency is one gradient, without steps and baseline"
        refuse_given("steps", "baseline", "baselines", why=why)
    else:
        how |= {"n_steps": steps, "baseline": baseline, "n_baselines": baselines}
    kind = "attribute" if trait is None else "trait"
    compute(kind, output, reference, world, device, locus=locus, **how)


def compute(
    kind: str, output: Path, reference: str | None, world: str | None, device: str, **how: Any
) -> None:
    """Have a job of the service done, write its result, and name the files."""
    from phenviz.cli.worlds import open_with_reference
    from phenviz.results.comments import not_converged
    from phenviz.service import ModelService

    opened = open_with_reference(world, reference)
    with ModelService(opened, device=device) as service:
        dataset = wait_for(service.submit(kind, **how))
        if (warning := not_converged(dataset.attrs)) is not None:
            click.echo(f"warning: {warning}", err=True)
        written = _write(dataset, output, opened)
    for path in written:
        click.echo(path)


def _write(dataset: xr.Dataset, output: Path, world: World) -> tuple[Path, ...]:
    from phenviz.saving import save

    if output.suffix.lower() in FIGURE_SUFFIXES:
        return save(dataset, output, annotation=world.annotation)
    with progress_bar() as progress:
        return save(dataset, output, progress=progress)
