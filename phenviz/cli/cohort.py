"""``phenviz cohort``: people, their gene tokens, and the disease models learnt from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import (
    PhenvizCommand,
    PhenvizGroup,
    device_option,
    progress_bar,
    reference_option,
    scale_options,
    with_options,
    world_option,
)

if TYPE_CHECKING:
    from phenviz.disease.cohort.folder import Cohort
    from phenviz.genome import Locus
    from phenviz.world import World

_SIMULATED = "simulated people: nothing here was measured in anybody"


@click.group(cls=PhenvizGroup)
def cohort() -> None:
    """Simulate or read a cohort, make its gene tokens, train on it and judge what was learnt.

    A cohort is a folder. `simulate` writes one; of your own genotypes make one with a file cohort.yaml, whose
    entries `genotypes` (VCF, BCF, PGEN or VCF Zarr) and `people` (TSV, CSV or Parquet) name the files.
    """


folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
# what every step of a cohort is told
where_options = with_options(world_option, reference_option, device_option)

_scenario_options = with_options(
    click.option("--heritability", type=click.FloatRange(0, 1), default=0.4, show_default=True,
                 help="Variance of the liability that genotypes explain."),
    click.option("--prevalence", type=click.FloatRange(0, 1), default=0.25, show_default=True,
                 help="Share of cases, in each ancestry."),
    click.option("--perturbation", type=click.FloatRange(0), default=1.0, show_default=True,
                 help="mediated, shared, subtypes: noise in the true effects on expression, in standard "
                 "deviations; 0: the truth is the model itself."),
    click.option("--silent", type=click.FloatRange(0, 1), default=0.2, show_default=True,
                 help="The same: share of genes about which the model is plainly wrong."),
    click.option("--genes", type=click.IntRange(2), default=10, show_default=True,
                 help="Planted genes; four times as many in shared."),
    click.option("--variants", type=click.IntRange(1), default=60, show_default=True,
                 help="Causal variants of additive."),
    click.option("--context", metavar="C", help="Cell type that mediated and shared act through; any if left "
                 "out."),
)  # fmt: skip


@cohort.command(cls=PhenvizCommand)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the cohort.",
)
@click.option("--people", type=click.IntRange(20), default=1_000, show_default=True)
@click.option(
    "--ancestry",
    "ancestries",
    multiple=True,
    metavar="A",
    help="AFR, EUR, EAS or AMR, with a share if you like (EUR:0.7); may be repeated.  [default: 70 % "
    "EUR, 10 % of each other]",
)
@click.option(
    "--train-in",
    multiple=True,
    metavar="A",
    help="Ancestry of the training people; all others are test people.  [default: EUR, if there]",
)
@click.option(
    "--scenario",
    default="additive",
    show_default=True,
    metavar="[additive|mediated|shared|null|subtypes|blood]",
    help="What makes people ill.",
)
@click.option("--locus", metavar="L", help="Where genomes are drawn.  [default: the world's first contig]")
@click.option(
    "--relatives",
    type=click.FloatRange(0, 0.5),
    default=0.05,
    show_default=True,
    help="Share of people who are children of two others.",
)
@click.option(
    "--real-sites",
    is_flag=True,
    help="Put variants where those of the world's individuals are, as frequent as there, and no others: what "
    "is learnt then fits real people.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@_scenario_options
@where_options
def simulate(
    output: Path,
    people: int,
    ancestries: tuple[str, ...],
    train_in: tuple[str, ...],
    scenario: str,
    locus: str | None,
    relatives: float,
    real_sites: bool,
    seed: int,
    world: str | None,
    reference: str | None,
    device: str,
    **numbers: Any,
) -> None:
    """Draw genomes by the coalescent, and make some people ill.

    Writes genotypes.vcz (VCF Zarr), people.parquet, truth.json and cohort.yaml. The same seed gives the same
    people in every scenario. Needs `pip install "phenviz[simulate]"`.
    """
    from phenviz.cli.worlds import open_with_reference
    from phenviz.disease.cohort.liability import Liability
    from phenviz.disease.cohort.plan import read_shares
    from phenviz.disease.cohort.scenarios import ScenarioOptions
    from phenviz.disease.cohort.simulate import SimulationRequest
    from phenviz.service.cohort_planting import Perturbation, simulate_people

    shares = read_shares(ancestries)
    opened = open_with_reference(world, reference)
    request = SimulationRequest(
        people=people,
        shares=shares,
        scenario=scenario.lower(),
        locus=_locus(opened, locus),
        seed=seed,
        relatives=relatives,
        train_in=tuple(name.upper() for name in train_in),
        liability=Liability(numbers["heritability"], numbers["prevalence"]),
        options=ScenarioOptions(numbers["variants"], numbers["genes"], context=numbers["context"]),
    )
    change = Perturbation(numbers["perturbation"], numbers["silent"])
    with progress_bar() as progress:
        made = simulate_people(
            opened, request, output, change, at_real_sites=real_sites, device=device, progress=progress
        )
    shown = ", ".join(f"{name} {share:.1%}" for name, share in list(made["labels"].items())[:6])
    click.echo(
        f"{output}: {made['people']:,} people, {made['variants']:,} variants"
        + (f" ({made['unknown']:,} sites left out: the reference has N there)" if made["unknown"] else "")
        + f"; cases: {shown}{' ...' if len(made['labels']) > 6 else ''}; {_SIMULATED}",
        err=True,
    )


@cohort.command(cls=PhenvizCommand)
@folder_argument
@click.option(
    "-o",
    "--output",
    metavar="TOKENS",
    type=click.Path(path_type=Path),
    help="Store of the tokens.  [default: DIR/tokens.zarr]",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Read every different haplotype, instead of adding the effects of its variants up.",
)
@click.option(
    "--haplotypes",
    type=click.Choice(["sum", "pair"]),
    default="sum",
    show_default=True,
    help="Keep the sum of both haplotypes, or both.",
)
@click.option(
    "--gene",
    "genes",
    multiple=True,
    metavar="G",
    help="Make the tokens of this gene only; may be repeated.  [default: all with a variant in their window]",
)
@click.option(
    "--window",
    type=click.IntRange(1),
    default=196_608,
    show_default=True,
    metavar="BP",
    help="Bases of each gene's window.",
)
@click.option(
    "--readout",
    metavar="NAME",
    help="Gene readout that gives the expression.  [default: all of the world's together]",
)
@click.option(
    "--unphased",
    type=click.Choice(["refuse", "as-listed", "random"]),
    default="refuse",
    show_default=True,
    help="With --exact: what to do about heterozygotes without a phase.",
)
@scale_options
@where_options
def embed(
    folder: Path,
    output: Path | None,
    exact: bool,
    haplotypes: str,
    genes: tuple[str, ...],
    window: int,
    readout: str | None,
    unphased: str,
    scheduler: str,
    shard: tuple[int, int] | None,
    shards_at: str | None,
    world: str | None,
    reference: str | None,
    device: str,
) -> None:
    """Make the gene tokens of a cohort's people.

    What is finished stays, and the same command goes on from there. With --scheduler the work is cut into
    shards, which workers share.
    """
    from phenviz.cli.scale import Sharding
    from phenviz.cli.worlds import open_with_reference
    from phenviz.disease.cohort.folder import open_cohort
    from phenviz.service import ModelService
    from phenviz.service.cohort_embedding import embed_cohort

    opened = open_with_reference(world, reference)
    found = open_cohort(folder, opened.reference)
    tell(found)
    how: dict[str, Any] = {
        "genes": genes or None, "window": window, "exact": exact, "haplotypes": haplotypes,
        "unphased": unphased.replace("-", " "), "readout": readout,
    }  # fmt: skip
    scale = Sharding(scheduler, shard, shards_at)
    if scale.wanted:
        from phenviz.cli.scale import embed_in_shards

        done = embed_in_shards(opened, found, output, scale, device, how)
        if done is None:
            return
    else:
        with (
            ModelService(opened, device=device) as service,
            progress_bar("cancelled; finished genes are kept, and the same command goes on") as progress,
        ):
            done = embed_cohort(service, found, output, **how, progress=progress)
    click.echo(
        f"{output or folder / 'tokens.zarr'}: {done.people:,} people, {done.genes:,} genes, {done.features} "
        f"numbers a token{f'; {done.resumed:,} genes were there already' if done.resumed else ''}",
        err=True,
    )
    counts = done.counts
    if counts.missing:
        click.echo(f"note: {counts.missing:,} missing genotypes count as the reference allele", err=True)
    if counts.unphased and not exact:
        click.echo(f"note: {counts.unphased:,} heterozygotes without a phase: only sums are right", err=True)
    if done.skipped:
        click.echo(f"note: {done.skipped:,} variants can't be scored (symbolic, or on N)", err=True)
    for line in counts.left_out:
        click.echo(f"note: of the file's records {line}", err=True)


def tell(found: Cohort) -> None:
    """Say on stderr whose cohort it is, and what was left out."""
    people = found.people
    splits = ", ".join(f"{len(people.rows(name)):,} {name}" for name in ("train", "validation", "test"))
    made_up = f" ({_SIMULATED})" if found.simulated else ""
    click.echo(f"{found.name}: {len(people):,} people ({splits}){made_up}", err=True)
    notes(found.notes)


def notes(lines: Iterable[str]) -> None:
    """Say lines on stderr."""
    for line in lines:
        click.echo(f"note: {line}", err=True)


def _locus(world: World, text: str | None) -> Locus:
    from phenviz.genome import Locus

    if text is not None:
        return world.locus(text)
    name, length = next(iter(world.reference.contigs.items()))
    return Locus(name, 0, length)
