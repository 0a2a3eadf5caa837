"""Make a report on whatever a user names: a locus, a variant, a person at a locus, or hypotheses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from phenviz.app.reports.addresses import DEFAULT_APP, check_app
from phenviz.app.reports.provenance import Ask, asking
from phenviz.errors import DataError
from phenviz.figures.report import Report, render_report
from phenviz.genome.locus import is_rsid
from phenviz.genome.variant import is_written_variant
from phenviz.results import LOADABLE_SUFFIXES, check_suffix
from phenviz.results.writing import write_content, write_private_content

if TYPE_CHECKING:
    from phenviz.service import ModelService
    from phenviz.variation import Unphased
    from phenviz.world import World

REPORT_SUFFIX = ".html"
LOCUS, VARIANT, PERSON, HYPOTHESES = "locus", "variant", "person", "hypotheses"


@dataclass(frozen=True)
class Choices:
    """What may be said of a report besides what it is about.

    Parameters
    ----------
    contexts
        Names, labels, CURIEs or groups; None for those that a page opens with. Of hypotheses, the first is
        the one that is looked at.
    app
        Address of the dashboard that links lead to.
    mutagenesis
        Of a locus: whether every base is changed; None for where it is short.
    quantiles
        Of a variant: as for `phenviz.ModelService.variant_effects`.
    individuals
        Of a person: a file of genotypes; None for the world's own individuals.
    unphased, seed
        Of a person: what to do about unphased heterozygotes.
    source
        Of hypotheses: where the fine-mapped variants are; None for what the result says.
    trait, method
        Of hypotheses: which are looked at; "" for the strongest, and the recommended one.
    """

    contexts: Sequence[str] | None = None
    app: str = DEFAULT_APP
    mutagenesis: bool | None = None
    quantiles: bool | None = None
    individuals: str | os.PathLike[str] | None = None
    unphased: Unphased = "refuse"
    seed: int = 0
    source: Any = None
    trait: str = ""
    method: str = ""


def report(
    what: str | os.PathLike[str] | xr.Dataset,
    path: str | os.PathLike[str],
    *,
    service: ModelService | None = None,
    **choices: Any,
) -> Path:
    """Write a report as one HTML file that needs no other: figures, numbers, methods, limits, versions.

    Parameters
    ----------
    what
        A gene or region (``SIRPB1``, ``chr20:1,600,001-1,601,000``), a variant (``chr20:1,600,925 G>A``, an
        rsID), a person at a locus (``HG00096@CDC25B``), hypotheses (what the service returned, or its file).
    path
        Ends in ``.html``. A report on a person can be read by the file's owner alone.
    service
        Whose world and results; by default that of the embedded world.
    **choices
        `Choices`: ``contexts``, ``mutagenesis``, ``trait``...

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PhenvizError
        If it isn't clear what it is about, or nothing is known of it.

    Examples
    --------
    >>> phenviz.report("chr20:1,600,925 G>A", "variant.html")  # doctest: +SKIP
    """
    check_suffix(path, (REPORT_SUFFIX,))
    if service is None:
        from phenviz.service import get_service
        from phenviz.world import open_world

        service = get_service(open_world())
    made = make_report(service.world, asking(service.submit), what, Choices(**choices))
    return write_report(made, Path(path))


def kind_of_report(what: str | os.PathLike[str] | xr.Dataset) -> str:
    """Tell what a report would be about, by how it is named: `LOCUS`, `VARIANT`, `PERSON` or `HYPOTHESES`."""
    if isinstance(what, xr.Dataset):
        return HYPOTHESES
    text = os.fspath(what).strip()
    if text.lower().endswith(LOADABLE_SUFFIXES):
        return HYPOTHESES
    if "@" in text:
        return PERSON
    return VARIANT if is_rsid(text) or is_written_variant(text) else LOCUS


def make_report(
    world: World, ask: Ask, what: str | os.PathLike[str] | xr.Dataset, choices: Choices
) -> Report:
    """Compute what a report holds, and lay it out; see `report`."""
    app, kind = check_app(choices.app), kind_of_report(what)
    if kind == HYPOTHESES:
        return _of_hypotheses(world, ask, what, choices, app)
    text = os.fspath(what).strip()
    names = None
    if choices.contexts is not None:
        names = [context.name for context in world.select_contexts(choices.contexts)]
    if kind == PERSON:
        return _of_person(world, ask, text, names, choices, app)
    if kind == VARIANT:
        from phenviz.app.reports.variant_report import ask_variant, read_variant

        return ask_variant(world, ask, read_variant(text, world), names, app, quantiles=choices.quantiles)
    from phenviz.app.reports.locus_report import ask_locus

    if Path(text).is_file():
        raise DataError(
            f"{text} is a file that no report is made of: give a locus, a variant, SAMPLE@LOCUS, or what "
            "`phenviz hypotheses` wrote as .nc, .zarr or .parquet"
        )
    return ask_locus(world, ask, world.locus(text), names, app, mutagenesis=choices.mutagenesis)


def write_report(made: Report, path: Path) -> Path:
    """Write a report; one on a person can be read by the file's owner alone."""
    content = render_report(made).encode()
    return write_private_content(path, content) if made.private else write_content(path, content)


def _of_hypotheses(world: World, ask: Ask, what: Any, choices: Choices, app: str) -> Report:
    from phenviz.app.reports.hypotheses_report import ask_hypotheses, strongest_pair
    from phenviz.disease.files import check_hypotheses, read_hypotheses

    if isinstance(what, xr.Dataset):
        dataset = check_hypotheses(what, "this result")
    else:
        dataset = read_hypotheses(what)
    context = choices.contexts[0] if choices.contexts else ""
    pair = strongest_pair(dataset, method=choices.method, trait=choices.trait, context=context)
    return ask_hypotheses(world, ask, dataset, pair, app, source=choices.source)


def _of_person(
    world: World, ask: Ask, text: str, names: list[str] | None, choices: Choices, app: str
) -> Report:
    from phenviz.app.reports.person_report import ask_person
    from phenviz.variation import open_individuals

    sample, _, place = text.rpartition("@")
    if not sample.strip() or not place.strip():
        raise DataError(f"{text!r} names no person at a locus: write HG00096@CDC25B")
    path = choices.individuals
    people = world.individuals if path is None else open_individuals(path, world.reference)
    if people is None:
        raise DataError(f"world {world.name!r} has no individuals: name a file of genotypes")
    return ask_person(
        world, ask, people.individual(sample.strip()), world.locus(place), names, app,
        own=path is None, unphased=choices.unphased, seed=choices.seed,
    )  # fmt: skip
