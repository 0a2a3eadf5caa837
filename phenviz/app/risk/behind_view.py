"""What stands behind a person's score: genes by cell types, and the variants of a gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.risk.risk_parts import Leading, gene_table, leading, variant_table
from phenviz.app.risk.risk_state import RiskState
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.links import link_to
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import UPLOAD
from phenviz.app.widgets.data_grid import DataGrid, GridColumn
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.name_box import NameBox
from phenviz.app.widgets.parts import FigurePane, side_by_side, words
from phenviz.genome.locus import shown_contig
from phenviz.tracks.risk_chain import ContributionMap, signed

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime

_COLUMNS = (
    GridColumn("position", "Position", "{:,}", "number"),
    GridColumn("ref", "Ref", kind="allele"),
    GridColumn("alt", "Alt", kind="allele"),
    GridColumn("adds", "Adds", "{:+.4f}", "effect"),
    GridColumn("dosage", "Copies", "{:.0f}", "number"),
    GridColumn("frequency", "In training", "{:.3f}", "number"),
    GridColumn("id", "rsID", searched=True),
)
# bases around a gene's start, and around a variant, that a link opens
_AROUND_GENE, _AROUND_VARIANT = 5_000, 150
_GRID_HEIGHT = 260


class RiskBehind(Viewer):
    """A heat map of leading genes by leading contexts, and the variants of the gene that is chosen.

    Parameters
    ----------
    session
        Brings clicks into the page's thread.
    state
        Gene, context, variant and theme are followed and set.
    runtime
        Contexts and lengths of contigs, for links.
    """

    def __init__(self, session: Session, state: RiskState, runtime: Runtime) -> None:
        super().__init__()
        self._state, self._runtime = state, runtime
        self._part: xr.Dataset | None = None
        self.leading: Leading | None = None
        self._map = ContributionMap(state.theme)
        self._map.on_pick(lambda gene, context: state.param.update(gene=gene, context=context, variant=""))
        self._about_map, self._about_gene = words(margin=(8, 8, 0, 8)), words(margin=(6, 8, 2, 8))
        self._gene = NameBox(
            # what a component of ours hears comes without the lock that figures need
            lambda text: session.run_soon(lambda: self._search(text)),
            placeholder="Gene", label="Gene", testid="risk-gene", styles={"flex": "1 1 150px"},
            margin=(12, 8, 4, 8),
        )  # fmt: skip
        self._context = pmui.Select(
            options={}, label="Cell type", size="small", styles={"flex": "1 1 190px"}, margin=(12, 8, 4, 8)
        )
        self._context.param.watch(self._take_context, "value")
        self._grid = DataGrid(
            _COLUMNS, on_row=lambda key: session.run_soon(lambda: setattr(state, "variant", key)),
            testid="risk-variants", sizing_mode="stretch_width", height=_GRID_HEIGHT, margin=0,
        )  # fmt: skip
        self._links = words(margin=(4, 8, 8, 8))
        state.param.watch(self._follow, ["gene", "context", "variant", "trait"])
        state.param.watch(lambda _event: self._map.set_theme(state.theme), ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        pane = FigurePane(
            self._map.layout,
            alt="What leading genes add through leading cell types; the button below shows the numbers",
            sizing_mode="stretch_width",
            margin=0,
            min_width=420,
        )
        left = pn.Column(
            self._about_map, pn.Column(pane, scroll="x-auto", sizing_mode="stretch_width", margin=0),
            FigureTable(pane, "Genes by cell types"), margin=0,
            sizing_mode="stretch_width",
        )  # fmt: skip
        choice = pn.FlexBox(self._gene, self._context, sizing_mode="stretch_width", margin=0)
        right = pn.Column(
            choice, self._about_gene, self._links, self._grid.view,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        return pn.Column(left, right, sizing_mode="stretch_width", margin=0, styles=side_by_side(400, 2))

    def show(self, part: xr.Dataset) -> None:
        """Draw one trait of one person; looks at the gene that adds most, unless one is chosen."""
        # the list of cell types must not choose its first one meanwhile
        self._part = None
        state, genes = self._state, gene_table(part)
        self._gene.names = genes["gene"].tolist()
        gene, context = state.gene, state.context
        if gene not in set(genes["gene"]):
            gene = str(genes["gene"].iloc[0])
        if context not in part["context"].values:
            adds = np.nan_to_num(part["contribution"].sel(gene=gene).values)
            context = str(part["context"].values[int(np.abs(adds).argmax())])
        state.param.update(gene=gene, context=context)
        self._part = part
        self._follow()

    def gene_of(self, key: str) -> str:
        """Return the gene through which a variant acts most; "" for none that is known."""
        found = variant_table(self._part) if self._part is not None else None
        own = found[found["key"] == key] if found is not None else None
        return str(own["gene"].iloc[0]) if own is not None and len(own) else ""

    def _follow(self, *_events: object) -> None:
        part, state = self._part, self._state
        if part is None or state.gene not in part["gene"].values:
            return
        self.leading = shown = leading(part, state.gene, state.context)
        self._map.show(shown.genes, shown.contexts, shown.values)
        self._map.choose(state.gene, state.context)
        self._about_map.object = (
            "<b>Genes by cell types</b> <span class='quiet'>what predicted expression adds to the logit, "
            f"{signed(-self._map.limit)} (blue) to {signed(self._map.limit)} (red); the leading "
            f"{len(shown.genes)} of {part.sizes['gene']:,} genes and {len(shown.contexts)} of "
            f"{part.sizes['context']:,} cell types and tissues</span>"
        )
        labels = dict(zip(shown.contexts["label"], shown.contexts["name"], strict=True))
        self._context.param.update(options=labels, value=state.context)
        if self._gene.value != state.gene:
            self._gene.show(state.gene)
        self._say_gene(part)
        table = variant_table(part, state.gene)
        self._grid.show(table, "None of the leading variants acts through this gene.")
        self._grid.choose(state.variant)
        self._links.object = self._link_words(part)

    def _say_gene(self, part: xr.Dataset) -> None:
        state = self._state
        row = gene_table(part).set_index("gene").loc[state.gene]
        here = float(part["contribution"].sel(gene=state.gene, context=state.context)) if (
            state.context in part["context"].values
        ) else float("nan")  # fmt: skip
        self._about_gene.object = (
            f"<div data-testid='risk-gene-words'><b>{escaped(state.gene)}</b> "
            f"{shown_contig(str(row['contig']))}:{int(row['tss']):,} adds "
            f"<b>{signed(float(row['total']))}</b>: {signed(float(row['expression']))} through expression "
            f"({signed(here)} in {escaped(state.context)}), the rest through what else the sequence model "
            "sees around it</div>"
        )

    def _link_words(self, part: xr.Dataset) -> str:
        """Write links to the gene, or the variant that is chosen, on the other pages."""
        state, contexts = self._state, self._runtime.world.contexts
        gene = gene_table(part).set_index("gene").loc[state.gene]
        contig, at, around, marked = str(gene["contig"]), int(gene["tss"]), _AROUND_GENE, {}
        # what somebody carries in a file of their own doesn't go into an address
        if state.variant and state.source != UPLOAD:
            contig, position, _, _ = state.variant.split(":")
            at, around, marked = int(position), _AROUND_VARIANT, {"mark": state.variant}
        length = self._runtime.world.reference.length(contig)
        where = {"locus": f"{shown_contig(contig)}:{max(at - around, 1)}-{min(at + around, length)}"}
        known = {context.name for context in contexts}
        focus = {"focus": state.context} if state.context in known else {}
        target = {"target": "trait", "trait": state.trait, "method": "integrated-gradients", "steps": "16"}
        explore = link_to("explore", state, contexts, **where, **focus, **marked, **target)
        individual = link_to("individual", state, contexts, **where, **focus, **marked)
        more = {"origin": "pasted", "lines": state.variant, "variant": state.variant} if marked else {}
        variants = link_to("variants", state, contexts, **where, **focus, **more)
        what = "this variant" if marked else escaped(state.gene)
        return (
            f"<a data-testid='to-explore' href='{escaped(explore)}'>Explain {escaped(state.trait)} by the "
            f"bases at {what} in Explore</a> · <a data-testid='to-variants' href='{escaped(variants)}'>"
            f"{what[:1].upper()}{what[1:]} in Variants</a> · "
            f"<a data-testid='to-individual' href='{escaped(individual)}'>Both haplotypes here</a>"
        )

    def _search(self, text: str) -> None:
        names = self._gene.names
        found = next((name for name in names if name.lower() == text.strip().lower()), None)
        if found is None:
            near = [name for name in names if name.lower().startswith(text.strip().lower()[:2])][:5]
            self._gene.refuse(f"“{text}” is none of the {len(names):,} genes of this model.", near)
            return
        self._state.param.update(gene=found, variant="")
        self._gene.show(found)

    def _take_context(self, _event: object) -> None:
        if self._context.value:
            self._state.context = self._context.value
