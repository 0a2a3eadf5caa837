"""The report on a variant: its effect in every context, both alleles, motifs, genes, and who carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.app.reports.addresses import links_section, page_link
from phenviz.app.reports.alleles_section import ask_both, motif_table, short_allele, with_logos
from phenviz.app.reports.bases_section import MOTIF_METHOD
from phenviz.app.reports.near_variant import (
    expression_section,
    expression_summary,
    genes_section,
    people_section,
)
from phenviz.app.reports.provenance import OF_THE_MODEL, Ask, footer, notices, provenance
from phenviz.app.shell.state import ExploreState, VariantsState, contexts_at_first
from phenviz.app.variants.ranking import strongest_effects
from phenviz.effects.motif_change import changed_motifs
from phenviz.errors import DataError, ResultError
from phenviz.figures.paper import Paper
from phenviz.figures.report import Attachment, Drawing, Figures, Report, Section, Table, Words
from phenviz.figures.variants_screen import variant_screen_figure
from phenviz.genome.locus import Locus, shown_contig
from phenviz.genome.true_minus import true_minus
from phenviz.genome.variant import Variant
from phenviz.results.comments import comments
from phenviz.results.display import VariantDisplay

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles
    from phenviz.world import World

# bases on both sides of the variant in Explore
_VIEW = 500
_SIGNED = "{:+.3f}"


@dataclass(frozen=True, eq=False)
class VariantResults:
    """What is known of a variant.

    Parameters
    ----------
    variant, rsid, frequency
        Which; its name and frequency among the world's individuals, "" and NaN where unknown.
    effects
        Effects of this variant alone (variant, context).
    context
        Whose bases the logos are of.
    both
        Mutagenesis of both alleles; None where too many bases differ.
    expression
        Changes of expression of the genes in reach; None where the world has no gene readout.
    figure
        As on the screen; None for one of these results.
    """

    variant: Variant
    rsid: str
    frequency: float
    effects: xr.Dataset
    context: str
    both: BothAlleles | None = None
    expression: xr.Dataset | None = None
    figure: Paper | None = None

    @property
    def name(self) -> str:
        """The variant as a reader knows it; long alleles are cut."""
        contig, position, ref, alt = self.variant
        return f"{shown_contig(contig)}:{position:,} {short_allele(ref)}>{short_allele(alt)}"


def read_variant(text: str, world: World) -> pd.DataFrame:
    """Read one variant: in any of the usual forms, or the rsID of one of the world's individuals' variants.

    Returns
    -------
    pd.DataFrame
        One row of `phenviz.variation.VARIANT_COLUMNS`, and ``allele_frequency``.

    Raises
    ------
    DataError
        If it is none, or several.
    """
    from phenviz.variation.frequencies import with_frequencies
    from phenviz.variation.rsids import read_pasted

    found = read_pasted(text, world.project.individuals, world.reference).table
    if len(found) > 1:
        columns = found[["contig", "position", "ref", "alt"]]
        keys = [Variant(*row).key for row in columns.itertuples(index=False)]
        raise DataError(
            f"{text} stands for {len(found):,} variants, and a report is about one: give "
            f"{' or '.join(keys[:4])}"
        )
    if found.empty:
        raise DataError(f"{text!r} is no variant: write chr20:1,600,925 G>A, or an rsID")
    if world.individuals is None:
        return found.assign(allele_frequency=np.nan)
    return with_frequencies(found, world.individuals)


def ask_variant(
    world: World,
    ask: Ask,
    table: pd.DataFrame,
    contexts: Sequence[str] | None,
    app: str,
    *,
    quantiles: bool | None = None,
) -> Report:
    """Compute what a report on a variant holds, and lay it out.

    Parameters
    ----------
    table
        From `read_variant`.
    contexts
        Names of the contexts that count for the strongest effect; None for those that a page opens with.
    quantiles
        As for `phenviz.ModelService.variant_effects`.
    """
    names = list(contexts_at_first(world.contexts) if contexts is None else contexts)
    wanted = None if contexts is None else names
    effects = ask("variant_effects", variants=table, contexts=wanted, quantiles=quantiles)
    found = complete(world, ask, table.iloc[0], effects, names)
    return variant_report(world, found, app, names)


def complete(
    world: World, ask: Ask, row: pd.Series, effects: xr.Dataset, contexts: Sequence[str], context: str = ""
) -> VariantResults:
    """Compute what the effects of a variant leave open: both alleles in one context, and expression.

    Parameters
    ----------
    row
        Of a table of variants.
    effects
        Of this one alone.
    contexts
        That count for the strongest effect.
    context
        Of the logos; "" for that of the strongest effect.

    Raises
    ------
    ResultError
        If the variant couldn't be scored.
    """
    variant = Variant(str(row["contig"]), int(row["position"]), str(row["ref"]), str(row["alt"]))
    best = strongest_effects(effects, contexts).iloc[0]
    if not best["context"]:
        status = effects["status"].values[0] if "status" in effects.coords else "no context has a number"
        raise ResultError(f"{variant.key} couldn't be scored: {status}")
    context = context or str(best["context"])
    both = None if world.has_global_backbone else ask_both(ask, variant, context)
    expression = None
    if world.expression_contexts:
        one = pd.DataFrame([{name: row[name] for name in ("contig", "position", "ref", "alt", "id")}])
        expression = ask("expression_effects", variants=one)
    frequency = float(row.get("allele_frequency", np.nan))
    return VariantResults(variant, str(row["id"] or ""), frequency, effects, context, both, expression)


def variant_report(
    world: World,
    found: VariantResults,
    app: str,
    contexts: Sequence[str],
    query: dict[str, str] | None = None,
) -> Report:
    """Lay out a report on a variant.

    Parameters
    ----------
    found
        What it shows.
    app
        Address of the dashboard.
    contexts
        Ticked contexts.
    query
        Address of the same view on the page Variants; None for one of this variant alone.
    """
    results = [found.effects, found.expression]
    motifs = None
    if found.both is not None:
        motifs = changed_motifs(found.both, world.project.motifs, found.context)
    sections = [
        _effects(world, found, motifs),
        *([] if motifs is None else [Section("Motifs changed", [motif_table(motifs, found.context)])]),
        *([] if found.expression is None else [expression_section(found.expression)]),
        genes_section(world, found.variant),
        people_section(world, found.variant),
        Section("Methods", [Words(_methods(found))]),
        Section("Limits", [Words(_limits(found))]),
        _links(world, found, app, contexts, query),
        provenance(world, results, people=True),
    ]
    subtitle = " · ".join(filter(None, [found.rsid, world.assembly, "positions count from 1"]))
    short = _short_words(found, motifs, contexts)
    more = "" if found.expression is None else ", and in the expression of genes in reach"
    return Report(
        "Report on a variant", found.name, subtitle, notices(world, results), short, sections, footer(),
        asked=f"What does this variant change in each of {found.effects.sizes['context']:,} contexts{more}?",
    )  # fmt: skip


def _short_words(found: VariantResults, motifs: pd.DataFrame | None, contexts: Sequence[str]) -> list[str]:
    told = [*_effect_in_words(found.effects, contexts)]
    for change, words in (("lost", "loses"), ("gained", "gains")):
        if motifs is not None and len(own := motifs[motifs["change"] == change].drop_duplicates("motif")):
            pairs = zip(own["motif"][:3], own["p_value"][:3], strict=True)
            named = ", ".join(f"{name} (p = {true_minus(f'{p:.1g}')})" for name, p in pairs)
            told.append(f"In {found.context}, ALT {words} what resembles {named}.")
    if found.expression is not None and found.expression.sizes["pair"]:
        table = expression_summary(found.expression)
        top = table.iloc[table["change"].abs().to_numpy().argmax()]
        told.append(
            f"Expression changes most for {top['gene']} in {top['context']}: "
            f"{true_minus(format(top['change'], '+.4f'))} ({found.expression.attrs['units']})."
        )
    if np.isfinite(found.frequency):
        told.append(f"Its frequency among the world's individuals is {found.frequency:.3f}.")
    return told


def _effect_in_words(effects: xr.Dataset, contexts: Sequence[str]) -> list[str]:
    best = strongest_effects(effects, contexts).iloc[0]
    value = float(best["effect"])
    if not value:
        return ["It changes predicted activity in no context."]
    does = "raises" if value > 0 else "lowers"
    told = [
        f"Its largest predicted effect is {true_minus(format(value, '+.3f'))} ({effects.attrs['units']}) in "
        f"{best['context']} ({_label(effects, best['context'])}): ALT {does} predicted activity there."
    ]
    if np.isfinite(best["quantile"]):
        # the middle of common variants isn't at 0: a rise may lie below it
        share, other = (1 + np.sign(value) * best["quantile"]) / 2, "lower" if value > 0 else "higher"
        told.append(f"Of common variants, {share:.1%} have a {other} effect there.")
    return told


def _label(effects: xr.Dataset, context: str) -> str:
    names = effects["context"].values.astype(str).tolist()
    return str(effects["context_label"].values[names.index(context)])


def _effects(world: World, found: VariantResults, motifs: pd.DataFrame | None) -> Section:
    figure = found.figure if found.figure is not None else _figure(found, motifs)
    caption = "Effect in each context, the colour being that of its lineage"
    if found.both is not None:
        caption += (
            f"; above, what each base contributes in {found.context}, without and with the variant (tinted)"
        )
    alt = f"Effect of {found.name} in each context; the table below has the numbers"
    heading = ["position counts from 1", *comments(found.effects)]
    table = effects_table(found.effects)
    quantile = found.effects["quantile"].attrs.get("definition", "") if "quantile" in found.effects else ""
    note = f"Effect: {found.effects.attrs['definition']}."
    if quantile:
        note += f" Quantile: {quantile}."
    shown = Table.of(
        table,
        {
            "context": ("Context", ""),
            "label": ("Cell type or tissue", ""),
            "group": ("Group", ""),
            "effect": ("Effect", _SIGNED),
            "quantile": ("Quantile", _SIGNED),
            "active": ("Activity of the more active allele", "{:,.3g}"),
        },
        caption="Effects, the strongest first",
        note=note,
        most=60,
        file=Attachment.of(f"{_stem(found.variant)}.effects.tsv", table, heading),
    )
    return Section("Effect in every context", [Figures([Drawing.of(figure, f"{caption}.", alt)]), shown])


def effects_table(effects: xr.Dataset) -> pd.DataFrame:
    """Return one variant's effect in each context, the strongest first.

    Returns
    -------
    pd.DataFrame
        ``context``, ``label``, ``group``, ``effect``, and ``quantile`` and ``active`` where there are.
    """
    one = effects.isel(variant=0)
    columns = {"context": "context", "label": "context_label", "group": "group"}
    table = pd.DataFrame({name: one[own].values.astype(str) for name, own in columns.items()})
    for name in ("effect", "quantile", "active"):
        if name in one:
            table[name] = one[name].values.astype(float)
    order = np.argsort(-np.nan_to_num(table["effect"].abs().to_numpy(), nan=-1.0), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _figure(found: VariantResults, motifs: pd.DataFrame | None) -> Paper:
    values = found.effects["effect"].to_numpy().astype(float)
    low, high = min(float(np.nanmin(values)), 0.0), max(float(np.nanmax(values)), 0.0)
    room = 0.08 * (high - low) or 1.0
    names = tuple(found.effects["context"].values.astype(str))
    display = VariantDisplay(contexts=names, context=found.context, effect_limits=(low - room, high + room))
    return variant_screen_figure(with_logos(display, found.both, found.variant, motifs), found.effects)


def _methods(found: VariantResults) -> list[str]:
    attrs = found.effects.attrs
    told = [
        f"The effect of {found.name} was predicted with PhenViz {attrs['phenviz_version']} by the sequence "
        f"model {attrs['model']} in {found.effects.sizes['context']:,} contexts on {attrs['assembly']}: "
        f"{attrs['definition']} ({attrs['units']})."
    ]
    if "quantile" in found.effects:
        told.append(
            "Each effect was ranked among those of common variants (frequency above 1 %) of the world's "
            "individuals, scored in the same way; ranks are scaled to -1 to 1."
        )
    if found.both is not None:
        told.append(
            "For the logos, every base around the variant was changed to each other base, with and without "
            "the variant; a base's contribution is minus the mean effect of its three changes."
        )
        told.append(MOTIF_METHOD)
    if found.expression is not None:
        of = found.expression.attrs
        told.append(
            f"Change of expression: {of['definition']} ({of['units']}); gene readout {of['readout']}."
        )
    return told


def _limits(found: VariantResults) -> list[str]:
    told = [*OF_THE_MODEL, "A large quantile of a tiny effect is a tiny effect: read both."]
    if found.both is None:
        told.append(
            "Logos of both alleles and motifs were left out: the alleles differ in too many bases to be "
            "read, or the model sees its whole window at once."
        )
    told.append("A predicted effect says nothing about whether a trait or a disease is affected.")
    return told


def _links(
    world: World, found: VariantResults, app: str, contexts: Sequence[str], query: dict[str, str] | None
) -> Section:
    contig, position, ref, _ = found.variant
    length = world.reference.length(contig)
    place = Locus(contig, max(position - 1 - _VIEW, 0), min(position - 1 + len(ref) + _VIEW, length))
    key, ticked = found.variant.key, tuple(contexts)
    seen = {"locus": place, "settled": place, "contexts": ticked, "focus": found.context}
    variants = VariantsState(**seen, origin="pasted", lines=key, variant=key)
    query = query or variants.query(world.contexts)
    explore = ExploreState(**seen, mark=key)
    return links_section(
        world,
        page_link(app, "variants", query, f"{found.name} in Variants"),
        page_link(app, "explore", explore.query(world.contexts), f"{found.name} in Explore"),
    )


def _stem(variant: Variant) -> str:
    contig, position, ref, alt = variant
    return f"{shown_contig(contig)}_{position}_{ref[:8]}_{alt[:8]}"
