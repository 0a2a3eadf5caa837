"""Files of the Individual page: figure, tracks and sequences of both haplotypes, variants carried."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from phenviz.app.exports import FIGURE_FORMATS, File, figure_file, packed
from phenviz.app.variant_exports import variants_file
from phenviz.errors import ResultError
from phenviz.genome.locus import Locus, shown_contig
from phenviz.genome.variant import Variant
from phenviz.results.intervals import file_name

if TYPE_CHECKING:
    from phenviz.app.genotype_sources import People
    from phenviz.app.person_run import PersonRun
    from phenviz.app.state import IndividualState
    from phenviz.variation import Haplotype
    from phenviz.world import World

FORMATS = FIGURE_FORMATS | {
    "TSV, the variants carried": ".tsv",
    "FASTA, both haplotypes": ".fa",
    "Parquet": ".parquet",
    "NetCDF": ".nc",
    "bigWig, one per haplotype and context": ".bw",
}
# of more contexts the figure shows the differences of all, and the activity of those that differ most
_MOST_ROWS = 8


def person_file(
    world: World, state: IndividualState, people: People, run: PersonRun, suffix: str
) -> Callable[[], File]:
    """Take what the page shows now; return what makes a file of it.

    Parameters
    ----------
    world
        Genes of the figure, and the assembly.
    state
        Person, window and contexts.
    people
        Reads the genotypes for the sequences.
    run
        What was computed.
    suffix
        One of `FORMATS`.

    Raises
    ------
    ResultError
        If what the file would hold isn't there yet.
    """
    locus, sample, contexts = state.settled or state.locus, state.sample, list(state.contexts)
    if not sample:
        raise ResultError("nobody is chosen yet: choose an individual on the left, then export")
    name = _name_of(sample, locus)
    table = run.table()
    if suffix == ".fa":
        source, choices = state.source, {"unphased": state.unphased, "seed": state.seed}
        return lambda: _sequences_file(
            people.individual(source, sample).haplotypes(locus, **choices), name, world.assembly
        )
    if suffix == ".tsv":
        effects = run.effects
        if table is None or effects is None:
            raise ResultError("the variants haven't been scored yet: export again in a moment")
        return lambda: variants_file(table, effects, suffix, f"{name}.variants")
    prediction = _seen(run.prediction, locus, contexts)
    if suffix not in FIGURE_FORMATS.values():
        return lambda: _tracks_file(prediction, name, suffix)
    chosen, way = state.variant, ", sum of variants" if state.mode == "sum" else ""
    return lambda: figure_file(_figure(world, prediction, locus, table, chosen, way), name, suffix)


def _name_of(sample: str, locus: Locus) -> str:
    """Name a file after a person and a place; two samples never get the same name."""
    exact, readable = file_name(sample), re.sub(r"[^\w.+-]+", "_", sample)
    place = f"{shown_contig(locus.contig)}_{locus.start + 1}-{locus.end}"
    return f"phenviz_{readable}_{place}" + ("" if readable == exact else f"_{exact}")


def _seen(prediction: xr.Dataset | None, locus: Locus, contexts: list[str]) -> xr.Dataset:
    """Cut a prediction to the window and the ticked contexts."""
    from phenviz.service.grid import crop

    if prediction is None:
        raise ResultError("the haplotypes haven't been predicted yet: export again when that is done")
    if not contexts:
        raise ResultError("no context is ticked: tick some on the left, then export")
    seen = crop(prediction, locus, contexts)
    if seen is None:
        raise ResultError(f"nothing was predicted in {locus}: wait until it is, then export again")
    return seen


def _figure(
    world: World, prediction: xr.Dataset, locus: Locus, table: pd.DataFrame | None, chosen: str, way: str
) -> object:
    from phenviz.figures import VariantMarks, personal_figure
    from phenviz.genome.ticks import format_length

    names = prediction["context"].values.astype(str).tolist()
    return personal_figure(
        prediction,
        locus=locus,
        annotation=world.annotation,
        variants=table,
        contexts=names if len(names) <= _MOST_ROWS else None,
        overlays=[VariantMarks([Variant.of_key(chosen).edit.start])] if chosen else [],
        title=f"{prediction.attrs['sample']}, {locus} ({format_length(locus.length)}){way}",
    )


def _sequences_file(pair: Sequence[Haplotype], name: str, assembly: str) -> File:
    from phenviz.variation.fasta import write_fasta

    with tempfile.TemporaryDirectory() as folder:
        return packed([write_fasta(pair, Path(folder) / f"{name}.fa", assembly=assembly)], name)


def _tracks_file(prediction: xr.Dataset, name: str, suffix: str) -> File:
    from phenviz.results.haplotypes import save_haplotypes

    with tempfile.TemporaryDirectory() as folder:
        return packed(save_haplotypes(prediction, Path(folder) / f"{name}{suffix}"), f"{name}{suffix}")
