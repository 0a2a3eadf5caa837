"""The report on hypotheses: all tests, what stands behind the strongest, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from phenviz.app.disease.disease_evidence import source_of, why_no_loci
from phenviz.app.disease.disease_names import trait_label
from phenviz.app.disease.disease_parts import methods_of, named_p_values, trait_words
from phenviz.app.disease.disease_state import SIMULATED, DiseaseState
from phenviz.app.reports.addresses import links_section, page_link
from phenviz.app.reports.calibration import calibration_section
from phenviz.app.reports.evidence_section import Behind, ask_behind, behind_section
from phenviz.app.reports.provenance import Ask, footer, notices, provenance
from phenviz.app.shell.state import contexts_at_first
from phenviz.disease.cohort_methods import COHORT, described
from phenviz.disease.files import gene_table, table_to_keep
from phenviz.disease.hypotheses import table_of
from phenviz.disease.inputs import FLAT
from phenviz.disease.methods import RECOMMENDED, methods
from phenviz.disease.prose import is_of_people, methods_paragraph, reservations
from phenviz.disease.simulated import is_simulated, simulated_title
from phenviz.errors import PhenvizError, ResultError
from phenviz.figures import ONE_COLUMN_MM, bars_figure, forest_figure, heatmap_figure
from phenviz.figures.disease import strongest_pair as strongest
from phenviz.figures.disease_qq import qq_figure
from phenviz.figures.report import Attachment, Block, Drawing, Figures, Report, Section, Table, Words
from phenviz.genome.locus import Locus, shown_contig
from phenviz.genome.true_minus import known_number
from phenviz.results.comments import comments

if TYPE_CHECKING:
    from phenviz.world import World

_LEVEL = 0.05
_ROWS, _SMALLEST = 30, 10
_OF_QQ = (
    "Observed against expected p-values of each method. Points above the band are findings or inflation: "
    "traits and contexts are correlated, and real traits aren't null."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The hypothesis that is looked at: a method, a trait and a context."""

    method: str
    trait: str
    context: str


def strongest_pair(dataset: xr.Dataset, *, method: str = "", trait: str = "", context: str = "") -> Pair:
    """Return the pair with the smallest p, among equal ones the largest z; of a method, trait or context.

    Raises
    ------
    ResultError
        If the result has no such method, trait or context.
    """
    tested = methods_of(dataset)
    if method and method not in tested:
        raise ResultError(f"no method {method!r} was tested: choose from {', '.join(tested)}")
    best = COHORT if is_of_people(dataset) else RECOMMENDED
    method = method or (best if best in tested else tested[0])
    part = dataset.sel({"method": method})
    pair = Pair(method, *strongest(part, trait, context))
    if np.isnan(part["p_value"].sel(trait=pair.trait, context=pair.context)):
        named = " in ".join(filter(None, (trait, context)))
        raise ResultError(f"{method} didn't test {named}: choose another")
    return pair


def ask_hypotheses(
    world: World,
    ask: Ask,
    dataset: xr.Dataset,
    pair: Pair,
    app: str,
    *,
    source: Any = None,
    query: dict[str, str] | None = None,
) -> Report:
    """Compute what stands behind a hypothesis, and lay out a report on all of them.

    Parameters
    ----------
    dataset
        From the service's ``hypotheses``, or a file of it.
    pair
        The hypothesis that is looked at.
    app
        Address of the dashboard.
    source
        Where the fine-mapped variants are; None for what the result says.
    query
        Address of the same view on the page; None for one of this pair.
    """
    source = source_of(dataset) if source is None else source
    behind: Behind | str = why_no_loci(dataset, source, world, pair.context)
    if not behind:
        try:
            behind = ask_behind(world, ask, dataset, pair.trait, pair.context, source, pair.method)
        except PhenvizError as error:
            behind = f"What stands behind the tests couldn't be computed: {error}."
    return hypotheses_report(world, dataset, pair, app, behind, query)


def hypotheses_report(
    world: World,
    dataset: xr.Dataset,
    pair: Pair,
    app: str,
    behind: Behind | str,
    query: dict[str, str] | None = None,
) -> Report:
    """Lay out a report on hypotheses.

    Parameters
    ----------
    behind
        Loci, variants and motifs of the hypothesis that is looked at, or why there are none.
    """
    source = source_of(dataset)
    packs = [source] if source not in (None, SIMULATED) else []
    label = trait_label(pair.trait, source or "")
    named = f"{pair.trait} ({label})" if label != pair.trait else pair.trait
    sections = [
        _tests(dataset, pair),
        _one(dataset, pair),
        behind_section(behind, pair.trait, pair.context),
        Section("Methods", [Words([methods_paragraph(dataset)])]),
        calibration_section(dataset, methods_of(dataset)),
        Section("Limits", [Words(_limits(dataset, pair))]),
        *([_links(world, dataset, pair, app, behind, query)] if query or not is_of_people(dataset) else []),
        provenance(world, [dataset], packs=[name for name in packs if name]),
    ]
    contigs = ", ".join(shown_contig(name.strip()) for name in str(dataset.attrs["contig"]).split(","))
    counted = f"{dataset.sizes['trait']:,} traits, {dataset.sizes['context']:,} contexts"
    return Report(
        "Report on hypotheses: through which cell types traits act",
        _title(dataset, pair, named),
        f"{counted} · {contigs} of {dataset.attrs['assembly']} · source: {dataset.attrs['source']}",
        notices(world, [dataset]),
        _short(dataset, pair, named, behind),
        sections,
        footer(),
        asked=f"Through which of these contexts do the traits act? Looked at: {named} in {pair.context}.",
    )


def _title(dataset: xr.Dataset, pair: Pair, named: str) -> str:
    """Name the hypothesis that is looked at; where none stands out, say so instead."""
    passed = bool((dataset["q_value"].sel({"method": pair.method}) < _LEVEL).any())
    if passed:
        return f"{named} in {pair.context}"
    count = dataset.sizes["trait"]
    return f"No context stands out for {named if count == 1 else f'{count:,} traits'}"


def _short(dataset: xr.Dataset, pair: Pair, named: str, behind: Behind | str) -> list[str]:
    one = dataset.sel({"method": pair.method, "trait": pair.trait, "context": pair.context})
    q, label = float(one["q_value"]), str(one["context_label"].values)
    verdict = (
        f"speaks for {named} acting through {pair.context} ({label})"
        if q < _LEVEL
        else f"doesn't show that {named} acts through {pair.context} ({label})"
    )
    told = [
        f"By {one['method_label'].values}, the evidence {verdict}: z {known_number(float(one['z']), '.2f')}, "
        f"p {known_number(float(one['p_value']))}, q {known_number(q)}."
    ]
    part = dataset.sel({"method": pair.method})
    passed = int((part["q_value"] < _LEVEL).sum())
    tested = int(np.isfinite(part["p_value"]).sum())
    told.append(
        f"Of {tested:,} pairs of trait and context tested by this method, {passed:,} have q < {_LEVEL}."
    )
    if np.isfinite(one["p_without_top"]):
        told.append(
            f"Without its strongest locus ({float(one['top_locus_share']):.0%} of the evidence), p is "
            f"{known_number(float(one['p_without_top']))}."
        )
    if isinstance(behind, Behind):
        told.append(behind.in_words)
    return told


def _tests(dataset: xr.Dataset, pair: Pair) -> Section:
    title = simulated_title(str(dataset.attrs["source"]))
    names = methods_of(dataset)
    heat = heatmap_figure(dataset, methods=[pair.method], title=title or "Hypotheses: traits by contexts")
    qq = qq_figure(named_p_values(dataset, names), title=title or "Observed and expected p-values")
    table = table_of(dataset)
    own = table[table["method"] == pair.method].sort_values(["p_value", "z"], ascending=[True, False])
    passed = own[own["q_value"] < _LEVEL]
    shown, caption = passed, f"Pairs with q < {_LEVEL}"
    if passed.empty:
        shown, caption = own.head(_SMALLEST), f"The smallest p; none has q < {_LEVEL}"
    columns = {
        "trait": ("Trait", ""), "context": ("Context", ""), "context_label": ("Cell type or tissue", ""),
        "effect": ("Effect", "{:+.3g}"), "z": ("z", "{:.2f}"), "p_value": ("p", "{:.2g}"),
        "q_value": ("q", "{:.2g}"), "p_bonferroni": ("Bonferroni", "{:.2g}"),
        "p_conditional": ("p given the best context", "{:.2g}"),
        "p_without_top": ("p without the top locus", "{:.2g}"),
    }  # fmt: skip
    label = described()[pair.method].label if pair.method in described() else pair.method
    note = f"Corrected by {dataset.attrs['multiple_testing']}."
    file = Attachment.of("hypotheses.tsv", table_to_keep(dataset), list(comments(dataset)))
    of_heat = f"z of each trait in each context by {label}; stars: q."
    blocks: list[Block] = [
        Figures([Drawing.of(heat, of_heat, f"Heat map: {of_heat} The table below lists the strongest.")]),
        Table.of(shown, columns, caption=f"{caption} ({label})", most=_ROWS, note=note, file=file),
        Figures([Drawing.of(qq, _OF_QQ, "QQ plot of the p-values of each method")]),
    ]
    return Section("All tests", blocks)


def _one(dataset: xr.Dataset, pair: Pair) -> Section:
    one: Any = {"method": pair.method, "traits": [pair.trait], "width_mm": ONE_COLUMN_MM}
    bars, forest = bars_figure(dataset, **one), forest_figure(dataset, **one)
    table = table_of(dataset)
    own = table[(table["method"] == pair.method) & (table["trait"] == pair.trait)]
    columns = {
        "context": ("Context", ""), "context_label": ("Cell type or tissue", ""), "group": ("Group", ""),
        "effect": ("Effect", "{:+.3g}"), "interval_low": ("from", "{:+.3g}"),
        "interval_high": ("to", "{:+.3g}"),
        "z": ("z", "{:.2f}"), "p_value": ("p", "{:.2g}"), "q_value": ("q", "{:.2g}"),
    }  # fmt: skip
    there = f"{trait_words(dataset, pair.trait)}."
    thresholds = "−log10 p; solid line: Bonferroni, dashed: with the effective number of contexts."
    drawn = [
        Drawing.of(bars, thresholds, f"Bars of −log10 p of {pair.trait} in each context"),
        Drawing.of(forest, "Effect with its 95 % interval.", f"Effect of {pair.trait} in each context"),
    ]
    listed = Table.of(own, columns, caption=f"{pair.trait} in each context, the smallest p first", most=50)
    return Section(pair.trait, [Words([there]), Figures(drawn), listed, *_genes(dataset, pair)])


def _genes(dataset: xr.Dataset, pair: Pair) -> list[Table]:
    """List the genes of people by which the trait was tested in the context; none for other hypotheses."""
    genes = gene_table(dataset)
    if genes is None:
        return []
    own = genes[(genes["trait"] == pair.trait) & (genes["context"] == pair.context)]
    columns = {
        "gene": ("Gene", ""), "correlation": ("Correlation", "{:+.3f}"), "z": ("z", "{:.2f}"),
        "p_value": ("p", "{:.2g}"), "p_permuted": ("p, permuted", "{:.2g}"),
        "p_family": ("p among all genes and contexts", "{:.2g}"),
        "importance": ("Mean size of what it adds to the logit", "{:.2g}"),
    }  # fmt: skip
    caption = f"Predicted expression in {pair.context} of people, given covariates and ancestry"
    file = Attachment.of("genes.tsv", genes, list(comments(dataset)))
    return [Table.of(own, columns, caption=caption, most=_ROWS, file=file)]


def _limits(dataset: xr.Dataset, pair: Pair) -> list[str]:
    looked_at = (
        "Only genes with gene tokens were looked at, and their expression as the model predicts it."
        if is_of_people(dataset)
        else "Only loci that lie in the world's contigs, and only variants that were fine-mapped, were "
        "looked at."
    )
    told = [
        "A test that passes is a hypothesis, not a cause: contexts whose activity is alike can't be told "
        "apart, and the context that matters may not be among those tested.",
        looked_at,
        *reservations(dataset),
    ]
    if is_simulated(str(dataset.attrs["source"])):
        made_up = (
            "people, or those that the Phenformer learnt from, were simulated"
            if is_of_people(dataset)
            else "the variants were chosen by the model's own predictions"
        )
        told.insert(
            0,
            f"SIMULATED: {made_up}, so that a test that finds the planted context shows nothing about "
            "biology or about the model.",
        )
    if "prior" in dataset.attrs:
        told.append(
            f"Posteriors were reweighted (prior {dataset.attrs['prior']}, see Methods), taking those of the "
            "table to come from a flat prior. How often methods err, and what they find, was measured here "
            "with posteriors as given."
        )
    if left_out := str(dataset.attrs.get("traits_left_out", "")):
        told.append(f"Left out, with no usable variant: {left_out}.")
    imbalance = dataset["imbalance"].sel({"method": pair.method}).values
    if np.isfinite(imbalance).any():
        told.append(f"Matching left a difference of at most {np.nanmax(imbalance):.2f} SD in a covariate.")
    return told


def _links(
    world: World,
    dataset: xr.Dataset,
    pair: Pair,
    app: str,
    behind: Behind | str,
    query: dict[str, str] | None,
) -> Section:
    note = ""
    if source_of(dataset) is None and not is_of_people(dataset):
        note = "A table of your own is known to the dashboard that it was handed to, on its own machine."
    query = query or _query(world, dataset, pair, behind)
    return links_section(world, page_link(app, "disease", query, f"{pair.trait} in Disease"), note=note)


def _query(world: World, dataset: xr.Dataset, pair: Pair, behind: Behind | str) -> dict[str, str]:
    """Write the address of the page that looks at a pair."""
    locus = behind.locus if isinstance(behind, Behind) else Locus(next(iter(world.reference.contigs)), 0, 1)
    state = DiseaseState(locus=locus, settled=locus, contexts=contexts_at_first(world.contexts))
    state.param.update(
        source=source_of(dataset) or "", method=pair.method, trait=pair.trait,
        methods=tuple(name for name in methods() if name in methods_of(dataset)),
        prior=dataset.attrs.get("prior", FLAT),
    )  # fmt: skip
    if str(dataset.attrs["permutations"]) in state.param["permutations"].objects:
        state.permutations = str(dataset.attrs["permutations"])
    if isinstance(behind, Behind):
        state.param.update(evidence=pair.context, focus=pair.context)
    query = state.query(world.contexts)
    if not isinstance(behind, Behind):
        query.pop("locus")
    return query
