"""Files of the Individual page: figure, tracks and sequences of both haplotypes, variants carried."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from phenviz.app.shell.exports import FIGURE_FORMATS, File, figure_file, packed, saved_file
from phenviz.app.shell.uploads import private_directory
from phenviz.app.variants.variant_exports import variants_file
from phenviz.errors import ResultError
from phenviz.formats import menu_of
from phenviz.genome.locus import Locus, file_stem
from phenviz.results.intervals import file_name

if TYPE_CHECKING:
    from phenviz.app.individual.genotype_sources import People
    from phenviz.app.individual.person_run import PersonRun
    from phenviz.app.shell.state import IndividualState
    from phenviz.results.display import Display
    from phenviz.variation import Haplotype
    from phenviz.world import World

# beside the prediction: what is written of the person's genome
_OF_THE_GENOME = {"TSV, the variants carried": ".tsv", "FASTA, both haplotypes": ".fa"}
FORMATS = FIGURE_FORMATS | _OF_THE_GENOME | menu_of("haplotypes")


def person_file(
    world: World, state: IndividualState, display: Display, people: People, run: PersonRun, suffix: str
) -> Callable[[], File]:
    """Take what the page shows now; return what makes a file of it.

    Parameters
    ----------
    world
        Genes of the figure, and the assembly.
    state
        Person, window and contexts.
    display
        What is on screen, and with which scales.
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
    if run.status == "not covered":
        raise ResultError(f"{run.coverage}: move the view to where it is, then export")
    name = name_of_person(sample, locus)
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
    prediction = seen(run.prediction, locus, contexts)
    if suffix not in FIGURE_FORMATS.values():
        return lambda: saved_file(prediction, name, suffix)
    note = ", sum of variants" if state.mode == "sum" else ""
    return lambda: figure_file(_figure(world, display, prediction, table, note), name, suffix)


def name_of_person(sample: str, locus: Locus) -> str:
    """Name a file after a person and a place; two samples never get the same name."""
    exact, readable = file_name(sample), re.sub(r"[^\w.+-]+", "_", sample)
    return f"phenviz_{readable}_{file_stem(locus)}" + ("" if readable == exact else f"_{exact}")


def seen(prediction: xr.Dataset | None, locus: Locus, contexts: list[str]) -> xr.Dataset:
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
    world: World, display: Display, prediction: xr.Dataset, table: pd.DataFrame | None, note: str
) -> object:
    from phenviz.figures import personal_screen_figure

    return personal_screen_figure(display, world.annotation, prediction, table, note=note)


def _sequences_file(pair: Sequence[Haplotype], name: str, assembly: str) -> File:
    from phenviz.variation.fasta import write_fasta

    with private_directory() as folder:
        return packed([write_fasta(pair, folder / f"{name}.fa", assembly=assembly)], name)
