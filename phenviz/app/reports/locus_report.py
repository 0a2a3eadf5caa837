"""The report on a locus: predicted activity around it, genes, elements, and which of its bases matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.app.explore.top_bases import strongest_bases
from phenviz.app.reports.addresses import links_section, page_link
from phenviz.app.reports.bases_section import (
    MOTIF_METHOD,
    bases_section,
    focus_of,
    method_of_bases,
)
from phenviz.app.reports.provenance import OF_THE_MODEL, Ask, footer, notices, provenance
from phenviz.app.shell.state import ExploreState, contexts_at_first
from phenviz.errors import LocusError
from phenviz.figures import explore_figure
from phenviz.figures.paper import Paper
from phenviz.figures.report import Attachment, Block, Drawing, Figures, Report, Section, Table, Words
from phenviz.genome.locus import Locus, file_stem
from phenviz.genome.ticks import format_length
from phenviz.genome.true_minus import true_minus
from phenviz.results import bin_size_of
from phenviz.results.comments import comments, not_converged

if TYPE_CHECKING:
    from phenviz.world import World

# longer loci are for the page, which draws whole chromosomes
LONGEST = 4_000_000
# every base of a locus up to this long is changed without being asked; of longer ones up to the second
CHANGED, LONGEST_CHANGED = 1_000, 20_000
_GENES, _ELEMENTS = 60, 40
_NAMED, _TYPES = 5, 4
_NUMBER = "{:,.3g}"


@dataclass(frozen=True, eq=False)
class LocusResults:
    """What is known of a locus.

    Parameters
    ----------
    locus
        What was asked for.
    prediction
        Activity over it; None where no context was asked for.
    bases
        A mutagenesis or attribution, of this locus or another one on screen; None for none.
    figure
        As on the screen; None for one of these results.
    focus
        Context whose bases are explained; "" for the one in which they matter most.
    """

    locus: Locus
    prediction: xr.Dataset | None
    bases: xr.Dataset | None = None
    figure: Paper | None = None
    focus: str = ""

    @property
    def explained(self) -> str:
        """The context, or target, whose bases are explained."""
        return self.focus if self.bases is None else focus_of(self.bases, self.focus)


def ask_locus(
    world: World,
    ask: Ask,
    locus: Locus,
    contexts: Sequence[str] | None,
    app: str,
    *,
    mutagenesis: bool | None = None,
) -> Report:
    """Compute what a report on a locus holds, and lay it out.

    Parameters
    ----------
    ask
        Has jobs of the model service done.
    contexts
        Names of the contexts; None for those that a page opens with.
    app
        Address of the dashboard.
    mutagenesis
        Whether every base is changed; None for where the locus is short, and the model local.

    Raises
    ------
    LocusError
        If the locus is too long.
    """
    check_length(locus, mutagenesis)
    names = list(contexts_at_first(world.contexts) if contexts is None else contexts)
    if mutagenesis is None:
        mutagenesis = locus.length <= CHANGED and not world.has_global_backbone
    prediction = ask("predict", locus=locus, contexts=names)
    bases = ask("mutagenesis", locus=locus, contexts=names) if mutagenesis else None
    found = LocusResults(locus, prediction, bases)
    state = ExploreState(locus=locus, settled=locus, contexts=tuple(names), focus=found.explained)
    if bases is not None:
        from phenviz.service.explained import explain

        state.shown = explain("mutagenesis", locus, names)
    return locus_report(world, found, app, state.query(world.contexts))


def locus_report(world: World, found: LocusResults, app: str, query: dict[str, str]) -> Report:
    """Lay out a report on a locus.

    Parameters
    ----------
    found
        What it shows.
    app, query
        Address of the dashboard, and of the same view on its page.
    """
    results = [found.prediction, found.bases]
    genes = world.annotation.genes_in(found.locus)
    sections = [
        _activity(world, found),
        *_bases(world, found),
        _annotated(world, found.locus, genes),
        Section("Methods", [Words(_methods(found))]),
        Section("Limits", [Words(_limits(found))]),
        links_section(world, page_link(app, "explore", query, f"{found.locus} in Explore")),
        provenance(world, results, packs=_packs(world)),
    ]
    return Report(
        "Report on a locus",
        f"{found.locus}",
        f"{format_length(found.locus.length)} of {world.assembly}; positions count from 1",
        notices(world, results),
        _short(found, genes),
        sections,
        footer(),
        asked=_asked(found),
    )


def _asked(found: LocusResults) -> str:
    count = 0 if found.prediction is None else found.prediction.sizes["context"]
    active = f"How active is this locus in each of {count:,} contexts" if count else "What lies in this locus"
    bases = ", and which of its bases matter" if found.bases is not None else ""
    return f"{active}{bases}?"


def check_length(locus: Locus, mutagenesis: bool | None) -> None:
    """Raise a `LocusError` where a locus is longer than a report shows, with or without mutagenesis."""
    if locus.length > LONGEST:
        raise LocusError(
            f"{locus} has {locus.length:,} bases, and a report shows at most {LONGEST:,}: choose a part of it"
        )
    if mutagenesis and locus.length > LONGEST_CHANGED:
        raise LocusError(
            f"{locus} has {locus.length:,} bases, and a report shows the changes of at most "
            f"{LONGEST_CHANGED:,}: choose a part of it, or write them with `phenviz mutagenesis`"
        )


def _short(found: LocusResults, genes: pd.DataFrame) -> list[str]:
    told = [_genes_in_words(genes)]
    if found.prediction is not None:
        top = activity_table(found.prediction).iloc[0]
        told.append(
            f"Predicted activity is highest in {top['context']} ({top['label']}): {top['highest']:.3g} "
            f"{top['units']} around position {top['position']:,}."
        )
    if found.bases is not None and (context := found.explained):
        best = strongest_bases(found.bases, context, count=1)
        if len(best):
            row = best.iloc[0]
            change = f"; its strongest change is {row['strongest change']}" if row["strongest change"] else ""
            told.append(
                f"The base that matters most in {context} is {row['ref']} at position {row['position']:,}: "
                f"{true_minus(format(row['effect'], '+.3f'))}{change}."
            )
    return told


def _genes_in_words(genes: pd.DataFrame) -> str:
    names = genes["gene_name"].astype(str).tolist()
    if not names:
        return "No gene overlaps it."
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    counted = "1 gene overlaps it" if len(names) == 1 else f"{len(names):,} genes overlap it"
    return f"{counted}: {', '.join(names[:_NAMED])}{more}."


def _bases(world: World, found: LocusResults) -> list[Section]:
    if found.bases is None:
        return []
    return [bases_section(world, found.bases, found.explained)]


def _activity(world: World, found: LocusResults) -> Section:
    figure, locus = found.figure, found.locus
    if figure is None:
        assert found.prediction is not None
        figure = explore_figure(
            locus, annotation=world.annotation, prediction=found.prediction, observed=_measured(world)
        )
    caption = (
        "Ideogram, genes, regulatory elements, measured accessible chromatin where a track of it is drawn, "
        "and predicted activity, one row per context. Scales and sources stand in the figure."
    )
    alt = f"Tracks over {locus}: genes, elements and predicted activity; the table below has the numbers"
    blocks: list[Block] = [Figures([Drawing.of(figure, caption, alt)])]
    if found.prediction is not None:
        blocks.append(_activity_block(found.prediction, locus))
    return Section("Predicted activity", blocks)


def _measured(world: World) -> pd.DataFrame | None:
    peaks = world.peaks
    return peaks if peaks is not None and len(peaks) else None


def _packs(world: World) -> list[str]:
    from phenviz.data.packs import has_pack

    return [name for name in world.project.peak_packs if has_pack(name)]


def activity_table(prediction: xr.Dataset) -> pd.DataFrame:
    """Return mean and highest activity of each context, the highest first.

    Returns
    -------
    pd.DataFrame
        ``context``, ``label``, ``group``, ``mean``, ``highest``, ``position`` (the middle of the highest bin,
        counted from 1) and ``units``.
    """
    values = prediction["activity"].transpose("context", "bin").to_numpy().astype(float)
    best = np.nan_to_num(values, nan=-np.inf).argmax(1)
    middle = prediction["bin_start"].to_numpy()[best] + bin_size_of(prediction) // 2 + 1
    units = prediction["units"].values if "units" in prediction.coords else prediction.attrs["units"]
    table = pd.DataFrame(
        {
            "context": prediction["context"].values.astype(str),
            "label": prediction["context_label"].values.astype(str),
            "group": prediction["group"].values.astype(str),
            "mean": np.nanmean(values, axis=1),
            "highest": values[np.arange(len(values)), best],
            "position": middle,
            "units": units,
        }
    )
    return table.sort_values("highest", ascending=False, kind="stable", ignore_index=True)


def _activity_block(prediction: xr.Dataset, locus: Locus) -> Table:
    starts = prediction["bin_start"].to_numpy()
    wide = prediction["activity"].transpose("bin", "context").to_pandas().add_prefix("activity.")
    wide.insert(0, "contig", str(prediction.attrs["contig"]))
    wide.insert(1, "start", starts)
    wide.insert(2, "end", starts + bin_size_of(prediction))
    heading = ["one row per bin; start and end count from 0, half-open", *comments(prediction)]
    return Table.of(
        activity_table(prediction),
        {
            "context": ("Context", ""),
            "label": ("Cell type or tissue", ""),
            "group": ("Group", ""),
            "mean": ("Mean", _NUMBER),
            "highest": ("Highest", _NUMBER),
            "position": ("Around", "{:,}"),
            "units": ("Unit", ""),
        },
        caption="Contexts, the one with the highest activity first",
        most=60,
        file=Attachment.of(f"{file_stem(locus)}.activity.tsv", wide, heading),
    )


def _annotated(world: World, locus: Locus, genes: pd.DataFrame) -> Section:
    elements = world.annotation.elements_in(locus)
    places = {"first": ("From", "{:,}"), "end": ("To", "{:,}")}
    blocks: list[Block] = []
    if len(genes):
        shown = genes.assign(first=genes["start"] + 1, tss=genes["tss"] + 1)
        columns = {"gene_name": ("Gene", ""), "gene_id": ("Stable id", ""), "strand": ("Strand", "")}
        columns |= {**places, "tss": ("TSS", "{:,}")}
        blocks.append(Table.of(shown, columns, caption="Genes that overlap the locus", most=_GENES))
    else:
        blocks.append(Words(["No gene overlaps the locus."]))
    if len(elements):
        listed = elements.assign(first=elements["start"] + 1, active=elements["cell_types"].map(_few_types))
        columns = {"name": ("Element", ""), **places, "active": ("Known from", "")}
        caption = "Regulatory elements that overlap the locus"
        blocks.append(Table.of(listed, columns, caption=caption, most=_ELEMENTS))
    else:
        blocks.append(Words(["No regulatory element of the world overlaps the locus."]))
    return Section("Genes and regulatory elements", blocks)


def _few_types(text: object) -> str:
    names = [name for name in str(text).split("|") if name]
    more = f" and {len(names) - _TYPES:,} more" if len(names) > _TYPES else ""
    return ", ".join(names[:_TYPES]) + more


def _methods(found: LocusResults) -> list[str]:
    told = []
    if (prediction := found.prediction) is not None:
        attrs = prediction.attrs
        units = "; ".join(dict.fromkeys(activity_table(prediction)["units"]))
        told.append(
            f"Activity was predicted with PhenViz {attrs['phenviz_version']} by the sequence model "
            f"{attrs['model']} for {prediction.sizes['bin']:,} bins of {bin_size_of(prediction)} bp in "
            f"{prediction.sizes['context']:,} contexts, from the reference sequence of {attrs['assembly']} "
            f"({attrs['definition']}; {units})."
        )
    if found.bases is not None:
        told += [method_of_bases(found.bases), MOTIF_METHOD]
    return told


def _limits(found: LocusResults) -> list[str]:
    told = list(OF_THE_MODEL)
    if found.bases is not None and (warning := not_converged(found.bases.attrs)) is not None:
        told.insert(0, f"{warning[:1].upper()}{warning[1:]}.")
    told.append(
        "How active two contexts are can be compared where they have the same unit; assays differ in depth "
        "and background."
    )
    if found.bases is not None:
        told.append(
            "A motif's name says what the bases resemble, not which protein binds: factors of a family share "
            "a motif."
        )
    return told
