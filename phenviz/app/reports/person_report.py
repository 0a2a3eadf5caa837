"""The report on a person at a locus: both haplotypes, the variants carried and what they do, expression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.app.reports.addresses import links_section, page_link
from phenviz.app.reports.alleles_section import short_allele
from phenviz.app.reports.haplotypes_section import difference_table, expressed_section
from phenviz.app.reports.locus_report import check_length
from phenviz.app.reports.provenance import OF_THE_MODEL, Ask, footer, notices, provenance
from phenviz.app.shell.state import IndividualState, contexts_at_first
from phenviz.app.variants.ranking import ranked
from phenviz.figures import personal_figure
from phenviz.figures.paper import Paper
from phenviz.figures.report import Attachment, Drawing, Figures, Link, Notice, Report, Section, Table, Words
from phenviz.genome.locus import Locus, file_stem
from phenviz.genome.ticks import format_length
from phenviz.genome.true_minus import true_minus
from phenviz.results import bin_size_of
from phenviz.results.comments import comments
from phenviz.results.haplotypes import reaching

if TYPE_CHECKING:
    from phenviz.variation import Individual, Unphased
    from phenviz.world import World

# genes whose expression is predicted: each takes a second or two
_MOST_GENES = 6
_SIGNED = "{:+.3f}"
_PRIVATE = (
    "this file holds a person's genotypes and what follows from them. Pass it on only to whom they have "
    "agreed to; variants and predicted tracks identify a person even without a name."
)


@dataclass(frozen=True, eq=False)
class PersonResults:
    """What is known of a person at a locus.

    Parameters
    ----------
    sample, locus
        Who, and where.
    prediction
        Activity along both haplotypes and the reference.
    variants
        Carried there, ranked by effect (`phenviz.app.variants.ranking.ranked`), with ``carried``.
    effects
        Of these variants, as ``row`` says.
    coverage
        Of which bases nothing is known, in words; "" where of none.
    expression
        Of the genes that begin there, from each haplotype; None where none does, or the world has no readout.
    notes
        What a reader should know about how the genotypes were read.
    figure
        As on the screen; None for one of these results.
    files
        What the genotypes were read from.
    """

    sample: str
    locus: Locus
    prediction: xr.Dataset
    variants: pd.DataFrame
    effects: xr.Dataset | None
    coverage: str = ""
    expression: xr.Dataset | None = None
    notes: Sequence[str] = ()
    figure: Paper | None = None
    files: Sequence[Path] = ()


def ask_person(
    world: World,
    ask: Ask,
    person: Individual,
    locus: Locus,
    contexts: Sequence[str] | None,
    app: str,
    *,
    own: bool,
    unphased: Unphased = "refuse",
    seed: int = 0,
) -> Report:
    """Compute what a report on a person at a locus holds, and lay it out.

    Parameters
    ----------
    person
        Who.
    contexts
        Names of the contexts; None for those that a page opens with.
    app
        Address of the dashboard.
    own
        Whether the person is one of the world's, whom its dashboard can show, too.
    unphased, seed
        What to do about unphased heterozygotes.

    Raises
    ------
    DataError
        If nothing is known of the person there.
    LocusError
        If the locus is too long.
    """
    from phenviz.app.individual.person_run import carried_by

    check_length(locus, None)
    person.check_covered(locus)
    names = list(contexts_at_first(world.contexts) if contexts is None else contexts)
    how: dict[str, Any] = {"unphased": unphased, "seed": seed}
    prediction = ask("personal", locus=locus, sample=person, contexts=names, **how)
    # of a phase that is refused, the prediction has told already
    order = {**how, "unphased": "as listed" if unphased == "refuse" else unphased}
    carried = person.variants(locus, **order)
    carried = carried[reaching(carried, locus)].reset_index(drop=True)
    carried = carried.assign(carried=carried_by(carried, unphased), row=np.arange(len(carried)))
    effects = None
    if len(carried):
        effects = ask("variant_effects", variants=carried, contexts=names, private=True)
    found = PersonResults(
        person.sample, locus, prediction, ranked(carried, effects, names, world.annotation), effects,
        person.uncovered(locus), ask_expression(world, ask, person, locus, how, own=own),
        person.individuals.notes, files=person.individuals.paths,
    )  # fmt: skip
    state = IndividualState(locus=locus, settled=locus, contexts=tuple(names), sample=person.sample)
    state.param.update(source="world", **how)
    query = state.query(world.contexts) if own else None
    return person_report(world, found, app, query)


def ask_expression(
    world: World, ask: Ask, person: Individual, locus: Locus, how: dict[str, Any], *, own: bool
) -> xr.Dataset | None:
    """Predict the genes that begin in a locus from both haplotypes; None where there is nothing to."""
    genes = genes_at(world, locus)
    if not genes or not world.expression_contexts:
        return None
    file = None if own else person.individuals.paths[0]
    return ask("expression", genes=genes, samples=person.sample, individuals=file, **how)


def genes_at(world: World, locus: Locus) -> list[str]:
    """Return the names of the genes that begin in a locus, at most a few around its middle."""
    genes = world.annotation.genes_in(locus)
    genes = genes[(genes["tss"] >= locus.start) & (genes["tss"] < locus.end)]
    middle = (locus.start + locus.end) / 2
    near = genes.iloc[np.argsort(np.abs(genes["tss"].to_numpy() - middle), kind="stable")[:_MOST_GENES]]
    return near.sort_values("tss")["gene_name"].astype(str).drop_duplicates().tolist()


def person_report(world: World, found: PersonResults, app: str, query: dict[str, str] | None) -> Report:
    """Lay out a report on a person at a locus.

    Parameters
    ----------
    found
        What it shows.
    app, query
        Address of the dashboard, and of the same view on its page; None where the dashboard can't show it.
    """
    results = [found.prediction, found.effects, found.expression]
    sections = [
        _haplotypes(world, found),
        _variants(found),
        *([] if found.expression is None else [expressed_section(found.expression)]),
        Section("What is known of the person here", [Words(_coverage(found))]),
        Section("Methods", [Words(_methods(found))]),
        Section("Limits", [Words(_limits())]),
        _links(world, found, app, query),
        provenance(world, results, files=[("Genotypes", path) for path in found.files]),
    ]
    return Report(
        "Report on a person at a locus",
        f"{found.sample}, {found.locus}",
        f"{format_length(found.locus.length)} of {world.assembly}; positions count from 1",
        notices(world, results, Notice("PRIVATE:", _PRIVATE)),
        _short(found),
        sections,
        footer(),
        private=True,
        asked=f"How do both haplotypes of {found.sample} differ from the reference; which variants count?",
    )


def _short(found: PersonResults) -> list[str]:
    count = len(found.variants)
    if not count:
        told = [f"{found.sample} carries no variant here: both haplotypes are the reference's, where known."]
    else:
        told = [f"{found.sample} carries {count:,} variant{'s' if count > 1 else ''} here."]
        top = found.variants.iloc[0]
        if top["context"]:
            name = f"{top['key']}{' ' + top['id'] if top['id'] else ''}"
            told.append(
                f"The one with the largest effect is {name} ({top['carried']}): "
                f"{true_minus(format(top['effect'], '+.3f'))} in {top['context']}."
            )
    changed = difference_table(found.prediction).iloc[0]
    if changed["largest"]:
        told.append(
            f"The haplotypes differ most from the reference in {changed['context']}: "
            f"{true_minus(format(changed['largest'], '+.3g'))} {changed['units']} on haplotype "
            f"{changed['haplotype']}, around position {changed['position']:,}."
        )
    if found.coverage:
        told.append(f"{found.coverage[:1].upper()}{found.coverage[1:]}.")
    return told


def _haplotypes(world: World, found: PersonResults) -> Section:
    figure = found.figure
    if figure is None:
        variants = found.variants if len(found.variants) else None
        figure = personal_figure(
            found.prediction, locus=found.locus, annotation=world.annotation, variants=variants
        )
    caption = (
        "Variants carried on each haplotype, how predicted activity differs from that of the reference, and "
        "the activity along both haplotypes."
    )
    alt = f"Both haplotypes of {found.sample} over {found.locus}; the tables below have the numbers"
    columns = {
        "context": ("Context", ""), "label": ("Cell type or tissue", ""), "group": ("Group", ""),
        "haplotype": ("Haplotype", "{}"), "largest": ("Largest difference", "{:+.3g}"),
        "position": ("Around", "{:,}"), "units": ("Unit", ""),
    }  # fmt: skip
    table = Table.of(
        difference_table(found.prediction), columns, most=60,
        caption="Largest difference of either haplotype from the reference, in each context",
        file=_activity_file(found),
    )  # fmt: skip
    return Section("Both haplotypes", [Figures([Drawing.of(figure, caption, alt)]), table])


def _activity_file(found: PersonResults) -> Attachment:
    prediction = found.prediction
    starts = prediction["bin_start"].to_numpy()
    table = prediction["activity"].to_series().unstack(["haplotype", "context"], sort=False)
    table.columns = table.columns.map(".".join)
    table.insert(0, "start", starts)
    table.insert(1, "end", starts + bin_size_of(prediction))
    heading = ["one row per bin; start and end count from 0, half-open", *comments(prediction)]
    return Attachment.of(f"{file_stem(found.locus)}.haplotypes.tsv", table, heading)


def _variants(found: PersonResults) -> Section:
    title = "Variants carried"
    if found.variants.empty:
        return Section(title, [Words([f"{found.sample} carries none here, as far as is known."])])
    columns = {
        "position": ("Position", "{:,}"), "id": ("rsID", ""), "ref": ("Ref", ""), "alt": ("Alt", ""),
        "carried": ("Carried by", ""), "gene": ("Gene", ""), "context": ("Context", ""),
        "effect": ("Effect", _SIGNED), "quantile": ("Quantile", _SIGNED),
    }  # fmt: skip
    table = found.variants.assign(**{name: found.variants[name].map(short_allele) for name in ("ref", "alt")})
    note, file = "", None
    if found.effects is not None:
        note = f"Effect: {found.effects.attrs['definition']} ({found.effects.attrs['units']})."
        file = Attachment.of(
            f"{file_stem(found.locus)}.variants.tsv", _effects_wide(found), list(comments(found.effects))
        )
    caption = "Variants, the one with the largest effect in any context first"
    return Section(title, [Table.of(table, columns, caption=caption, note=note, file=file)])


def _effects_wide(found: PersonResults) -> pd.DataFrame:
    from phenviz.results.variants import wide_table

    assert found.effects is not None
    rows = found.variants["row"].to_numpy()
    return wide_table(found.effects.isel(variant=rows)).assign(carried=found.variants["carried"].to_numpy())


def _coverage(found: PersonResults) -> list[str]:
    attrs = found.prediction.attrs
    told = [f"{found.coverage}: both haplotypes are the reference's there." if found.coverage else
            f"The file's genotypes cover all of {found.locus}."]  # fmt: skip
    if "phasing" in attrs:
        told.append(f"Phase: {attrs['phasing']}.")
    if skipped := int(attrs.get("variants_skipped", 0)):
        told.append(f"Left out of the haplotypes: {skipped:,} variants that overlap one before them.")
    if left_out := attrs.get("records_left_out"):
        told.append(f"Of the file's records here, {left_out}.")
    return [*told, *found.notes]


def _methods(found: PersonResults) -> list[str]:
    attrs = found.prediction.attrs
    told = [
        f"Activity along both haplotypes of {found.sample} was predicted with PhenViz "
        f"{attrs['phenviz_version']} by the sequence model {attrs['model']} on {attrs['assembly']}: "
        f"{attrs['definition']}."
    ]
    if found.effects is not None:
        of = found.effects.attrs
        told.append(f"Each variant carried was scored by itself: {of['definition']} ({of['units']}).")
    if found.expression is not None:
        of = found.expression.attrs
        told.append(
            f"Expression of genes from each haplotype: {of['definition']} ({of['units']}); "
            f"readout {of['readout']}."
        )
    return told


def _limits() -> list[str]:
    return [
        *OF_THE_MODEL,
        "Where the file says nothing, nothing is known: that no variant is listed there doesn't mean that "
        "none is carried.",
        "Nothing here says whether this person has or will get a disease.",
    ]


def _links(world: World, found: PersonResults, app: str, query: dict[str, str] | None) -> Section:
    if query is None:
        note = (
            "The person isn't one of the world's individuals: hand the file over on the page Individual to "
            "see the same; an address can't hold it."
        )
        place = {"locus": str(found.locus).replace(",", "")}
        return links_section(
            world, page_link(app, "individual", place, f"{found.locus} in Individual"), note=note
        )
    link: Link = page_link(app, "individual", query, f"{found.sample} at {found.locus} in Individual")
    return links_section(world, link)
