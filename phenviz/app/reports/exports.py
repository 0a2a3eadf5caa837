"""Reports of what the pages show, for their menus: prepared on the page's thread, made in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.reports.addresses import app_of
from phenviz.app.reports.locus_report import LONGEST_CHANGED, LocusResults, check_length, locus_report
from phenviz.app.reports.provenance import asking
from phenviz.app.shell.exports import File, explore_drawing
from phenviz.app.shell.limits import KEEPER, current_user
from phenviz.app.shell.state import ExploreState, IndividualState, VariantsState
from phenviz.errors import ResultError
from phenviz.figures import personal_screen_figure
from phenviz.figures.report import Report, render_report
from phenviz.figures.variants_screen import variant_screen_figure
from phenviz.genome.locus import Locus, file_stem
from phenviz.results import kind_of, locus_of

if TYPE_CHECKING:
    from phenviz.app.individual.genotype_sources import People
    from phenviz.app.individual.person_run import PersonRun
    from phenviz.app.shell.job_view import PrivateJobs
    from phenviz.app.shell.runtime import Runtime
    from phenviz.data.own_tracks import OwnTrack
    from phenviz.results.display import Display, VariantDisplay
    from phenviz.world import World

_MIME = "text/html"
# alleles have any length, names of files don't
_LONGEST_NAME = 60


def _file(report: Report, name: str) -> File:
    return File(f"{name}.html", render_report(report).encode(), _MIME)


def explore_report_file(
    runtime: Runtime,
    state: ExploreState,
    display: Display,
    dataset: xr.Dataset | None,
    own: Sequence[OwnTrack],
    place: str,
) -> Callable[[], File]:
    """Return what makes a report of the Explore page.

    Parameters
    ----------
    runtime
        World and model service.
    state, display, dataset, own
        What is on screen: locus and contexts, the tracks, the result, and the user's own tracks.
    place
        Where the browser has found the page.

    Raises
    ------
    LocusError
        If the view is too long.
    """
    locus = display.locus
    check_length(locus, None)
    draw = explore_drawing(runtime, display, dataset, own)
    query, service = state.query(runtime.world.contexts), runtime.service
    if service is None:
        raise ResultError("the model is still being loaded: export again in a few seconds")
    names = list(display.contexts)
    job = None
    if names:
        job = KEEPER.submit(current_user(), service, "predict", locus=locus, contexts=names)
    bases, focus = _bases_in(dataset, locus), display.focus

    def make() -> File:
        prediction = job.result() if job is not None else None
        found = LocusResults(locus, prediction, bases, draw(), focus)
        name = f"phenviz_{file_stem(locus)}"
        return _file(locus_report(runtime.world, found, app_of(place), query), name)

    return make


def _bases_in(dataset: xr.Dataset | None, locus: Locus) -> xr.Dataset | None:
    """Return the result on screen, as far as it is in view where it is long."""
    if dataset is None or kind_of(dataset) not in ("mutagenesis", "attribution"):
        return None
    own = locus_of(dataset)
    if not own.overlaps(locus):
        return None
    if own.length <= LONGEST_CHANGED:
        return dataset
    start, end = max(own.start, locus.start), min(own.end, locus.end)
    inside = dataset.sel(position=slice(start + 1, end))
    return inside.assign_attrs(start=start, end=end) if inside.sizes["position"] else None


def variant_report_file(
    world: World,
    jobs: PrivateJobs,
    state: VariantsState,
    row: pd.Series,
    effects: xr.Dataset,
    display: VariantDisplay,
    place: str,
) -> Callable[[], File]:
    """Return what makes a report of one variant of the Variants page.

    Parameters
    ----------
    jobs
        Has jobs of the model service done for this page.
    state, display
        What is on screen.
    row
        The variant, in the page's table; ``row`` says where it lies in the effects.
    effects
        Of all variants of the page.
    place
        Where the browser has found the page.
    """
    one, contexts = effects.isel(variant=[int(row["row"])]), state.contexts or None
    focus, query, app = state.focus, state.query(world.contexts), app_of(place)

    def make() -> File:
        from phenviz.app.reports.variant_report import complete, variant_report

        names = list(contexts or one["context"].values.astype(str))
        found = complete(world, asking(jobs.submit), row, one, names, focus)
        figure = variant_screen_figure(display, one) if display.alleles else None
        made = variant_report(world, replace(found, figure=figure), app, names, query)
        return _file(made, f"phenviz_variant_{found.variant.key[:_LONGEST_NAME].replace(':', '_')}")

    return make


def person_report_file(
    world: World,
    jobs: PrivateJobs,
    state: IndividualState,
    display: Display,
    people: People,
    run: PersonRun,
    place: str,
) -> Callable[[], File]:
    """Return what makes a report of the Individual page.

    Parameters
    ----------
    jobs
        Has jobs of the model service done for this page.
    state, display
        What is on screen.
    people, run
        Whose genotypes, and what was computed of them.
    place
        Where the browser has found the page.

    Raises
    ------
    ResultError
        If what the report would hold isn't there yet.
    """
    from phenviz.app.individual.genotype_sources import WORLD
    from phenviz.app.individual.person_exports import name_of_person, seen
    from phenviz.app.shell.state import UPLOAD

    locus, table, effects = state.settled or state.locus, run.table(), run.effects
    if not state.sample:
        raise ResultError("nobody is chosen yet: choose an individual on the left, then export")
    if run.status == "not covered":
        raise ResultError(f"{run.coverage}: move the view to where it is, then export")
    check_length(locus, None)
    prediction = seen(run.prediction, locus, list(state.contexts))
    if table is None or effects is None:
        raise ResultError("the variants haven't been scored yet: export again in a moment")
    query = None if state.source == UPLOAD else state.query(world.contexts)
    source, sample, coverage, notes = state.source, state.sample, run.coverage, run.notes
    how: dict[str, Any] = {"unphased": state.unphased, "seed": state.seed}
    note = ", sum of variants" if state.mode == "sum" else ""

    def make() -> File:
        from phenviz.app.reports.person_report import PersonResults, ask_expression, person_report

        person = people.individual(source, sample)
        expression = ask_expression(world, asking(jobs.submit), person, locus, how, own=source == WORLD)
        figure = personal_screen_figure(display, world.annotation, prediction, table, note=note)
        found = PersonResults(
            sample, locus, prediction, table, effects if len(table) else None, coverage.rstrip("."),
            expression, notes, figure, person.individuals.paths,
        )  # fmt: skip
        made = person_report(world, found, app_of(place), query)
        return _file(made, name_of_person(sample, locus))

    return make


def disease_report_file(
    runtime: Runtime,
    state: DiseaseState,
    dataset: xr.Dataset,
    method: str,
    source: str | None,
    place: str,
) -> Callable[[], File]:
    """Return what makes a report of the Disease page.

    Parameters
    ----------
    runtime
        World and model service.
    state
        Trait and context that are looked at.
    dataset
        Hypotheses.
    method
        One of their methods.
    source
        Where their fine-mapped variants are; None where they aren't here.
    place
        Where the browser has found the page.
    """
    from phenviz.app.reports.hypotheses_report import ask_hypotheses, strongest_pair
    from phenviz.disease.simulated import is_simulated

    service, world = runtime.service, runtime.world
    if service is None:
        raise ResultError("the model is still being loaded: export again in a few seconds")
    part = dataset.sel({"method": method})
    context = state.evidence or (state.focus if state.focus in part["context"].values else "")
    pair = strongest_pair(dataset, method=method, trait=state.trait, context=context)
    query = state.query(world.contexts)
    mark = "SIMULATED_" if is_simulated(str(dataset.attrs["source"])) else ""

    submit = partial(KEEPER.submit, current_user(), service)

    def make() -> File:
        ask = asking(submit)
        made = ask_hypotheses(world, ask, dataset, pair, app_of(place), source=source, query=query)
        return _file(made, f"phenviz_{mark}hypotheses_report")

    return make
