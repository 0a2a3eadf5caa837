"""The expression of genes from a person's two haplotypes, for ``phenviz personal``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import wait_for

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.world import World


def write_expression(
    world: World,
    genes: Sequence[str],
    sample: str,
    output: Path,
    *,
    vcf: str | None = None,
    contexts: Sequence[str] = (),
    unphased: str = "refuse",
    seed: int = 0,
    device: str = "auto",
) -> tuple[Path, ...]:
    """Predict the expression of genes from both haplotypes, beside the reference's, and write it.

    Parameters
    ----------
    world
        Reference, annotation, model and gene readout.
    genes
        Symbols or stable ids.
    sample
        Whose haplotypes.
    output
        ``.nc``, ``.zarr``, ``.parquet`` (tidy), ``.tsv`` (one line per haplotype and gene), or a figure.
    vcf
        File of genotypes; None for the world's own individuals.
    contexts
        Names, labels or CURIEs of the readout's contexts; none for all.
    unphased, seed
        What to do about unphased heterozygotes.
    device
        Where the model runs.

    Raises
    ------
    PhenvizError
        What the computation or the disk refused.
    """
    from phenviz.saving import save
    from phenviz.service import ModelService

    with ModelService(world, device=device) as service:
        job = service.submit(
            "expression", genes=list(genes), samples=sample, individuals=vcf,
            contexts=list(contexts) or None, unphased=unphased, seed=seed,
        )  # fmt: skip
        dataset = wait_for(job)
    for note in _notes(dataset):
        click.echo(f"note: {note}", err=True)
    return save(dataset, output)


def _notes(dataset: xr.Dataset) -> list[str]:
    """Name the genes whose expression isn't known or can only be the reference's, and what is lacking."""
    unknown = dataset["expression"].isnull().any(["individual", "haplotype", "context"]).values
    unseen = (dataset["variants"] == 0).all(["individual", "haplotype"]).values & ~unknown
    uncovered = dataset.attrs["not_covered"]
    assumed = "" if unknown.any() else "; both haplotypes are the reference's there"
    notes = [f"{uncovered}{assumed}"] if uncovered else []
    notes += [
        f"nothing is known of {dataset.attrs['sample']} where {gene} is read out from: it has no expression"
        for gene in dataset["gene"].values[unknown]
    ]
    notes += [
        f"{dataset.attrs['sample']} has no known variant where {gene} is read out from: its expression is "
        "the reference's"
        for gene in dataset["gene"].values[unseen]
    ]
    if skipped := dataset.attrs["variants_skipped"]:
        notes.append(f"left out of the haplotypes: {skipped:,} that overlap a variant before them")
    if left_out := dataset.attrs["records_left_out"]:
        notes.append(f"of the file's records where genes are read out from, {left_out}")
    return notes
