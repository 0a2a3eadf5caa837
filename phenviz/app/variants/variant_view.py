"""One variant: its effect in every context, motifs made or broken, genes nearby, and who carries it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.links import link_to
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.state import VariantsState
from phenviz.app.variants.ranking import genes_around
from phenviz.app.widgets.expression_changes import ExpressionChanges, Rows
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane, side_by_side, words
from phenviz.app.widgets.variant_detail import VariantDetail
from phenviz.effects.motif_change import changed_motifs
from phenviz.errors import PhenvizError
from phenviz.genome.locus import shown_contig
from phenviz.genome.true_minus import true_minus
from phenviz.genome.variant import Variant
from phenviz.results.display import VariantDisplay
from phenviz.tracks import Forest
from phenviz.variation.frequencies import carriers_of

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles

_NEARBY, _GENES = 500_000, 6
_COMMON = (0.05, 0.95)
_FLANK = 500


class VariantView(Viewer):
    """Everything about the variant that the state names.

    Parameters
    ----------
    session
        Brings what is found in the background back to the page.
    state
        Its variant is shown.
    runtime
        World, model and threads.
    on_back
        Called when the user wants the list again.
    """

    def __init__(
        self, session: Session, state: VariantsState, runtime: Runtime, on_back: Callable[[], None]
    ) -> None:
        super().__init__()
        self._session, self._state, self._runtime = session, state, runtime
        self._shown = ""
        self._effects: xr.Dataset | None = None
        self._forest = Forest(runtime.world.contexts, state.theme)
        self._title, self._motifs, self._genes, self._people = (words(margin=(4, 8)) for _ in range(4))
        self._back = pmui.Button(
            label="All variants", icon="arrow_back", variant="text", size="small", margin=(6, 4, 0, 4),
            sx={"textTransform": "none"},
        )  # fmt: skip
        self._back.on_click(lambda _event: on_back())
        self._detail = VariantDetail(
            session, state, runtime, lambda: state.variant, ["variant"], self._look_for_motifs
        )
        self._expression = (
            ExpressionChanges(
                session, state, runtime, runtime.background, _rows_of_genes, "Expression of genes nearby…"
            )
            if runtime.world.expression_contexts
            else None
        )
        state.param.watch(lambda _event: self._forest.set_theme(state.theme), ["theme"])
        state.param.watch(self._link, ["contexts", "theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        title = "<h3>Effect in every context</h3>"
        title += "<span class='quiet'>grey: where 90 % of common variants lie</span>"
        pane = FigurePane(
            self._forest.layout,
            alt="Effect of this variant in each context, beside the range of common variants",
            sizing_mode="stretch_width",
            margin=0,
        )
        # a column of a grid is as wide as its widest content otherwise
        narrow = {"min-width": "0", "overflow-x": "auto"}
        forest = pn.Column(
            words(title, margin=(4, 8)),
            pane,
            FigureTable(pane, "Effects"),
            sizing_mode="stretch_width",
            styles=narrow,
        )
        facts = pn.Column(self._motifs, self._genes, self._people, sizing_mode="stretch_width", styles=narrow)
        return pn.Column(
            pn.Row(self._back, self._title, sizing_mode="stretch_width", margin=0),
            self._detail,
            *([] if self._expression is None else [self._expression]),
            pn.Column(forest, facts, sizing_mode="stretch_width", margin=0, styles=side_by_side(400, 2)),
            scroll="y-auto",
            sizing_mode="stretch_both",
            margin=0,
        )

    @property
    def shown(self) -> str:
        """Key of the variant on screen."""
        return self._shown

    @property
    def expression(self) -> xr.Dataset | None:
        """What the variant changes in expression, once that is on screen."""
        return self._expression.result if self._expression is not None else None

    def show(self, row: pd.Series, effects: xr.Dataset) -> None:
        """Show a variant: a row of the ranked table, and its effects (context)."""
        self._draw_forest(effects)
        if row["key"] == self._shown:
            return
        self._shown, self._row = str(row["key"]), row
        self._link()
        self._genes.object = self._nearby_genes()
        self._ask_expression()
        self._say(self._motifs, "Motifs over the variant", "<p class='quiet'>Looking for motifs…</p>")
        self._say(self._people, "Who carries it", "<p class='quiet'>Counting…</p>")
        done = self._runtime.background.submit(self._count, self._shown)
        key = self._shown
        done.add_done_callback(lambda found: self._session.run_soon(lambda: self._counted(key, found)))

    def _ask_expression(self) -> None:
        if self._expression is None:
            return
        one = pd.DataFrame([{name: self._row[name] for name in ("contig", "position", "ref", "alt", "id")}])
        readout = self._runtime.world.readout
        reach = readout.reach if readout is not None else 0
        reached = int((self._nearest_genes()["distance"].abs() <= reach).sum())
        self._expression.ask(
            self._shown, lambda jobs: jobs.submit("expression_effects", variants=one), rows=reached
        )

    def display(self) -> VariantDisplay:
        """Return what is on screen, and with which scales."""
        forest, logos = self._forest.display(), self._detail.display()
        return replace(
            logos, contexts=forest.contexts, common=forest.common, effect_limits=forest.effect_limits
        )

    def _link(self, *_events: object) -> None:
        if not self._shown:
            return
        row = self._row
        rsid = f" · {escaped(row['id'])}" if row["id"] else ""
        at = int(row["position"])
        start = max(at - _FLANK, 1)
        explore = link_to(
            "explore", self._state, self._runtime.world.contexts,
            locus=f"{shown_contig(row['contig'])}:{start}-{at + _FLANK}", mark=self._shown,
        )  # fmt: skip
        self._title.object = (
            f"<div style='font-size:17px;font-weight:600;margin-top:6px' data-testid='variant-title'>"
            f"{escaped(shown_contig(row['contig']))}:{at:,} {escaped(_short(row['ref']))}&gt;"
            f"{escaped(_short(row['alt']))}{rsid} <a style='font-size:13px;font-weight:500;margin-left:10px' "
            f"href='{escaped(explore)}'>Open in Explore</a></div>"
        )

    def _draw_forest(self, effects: xr.Dataset) -> None:
        names = [context.name for context in self._runtime.world.contexts]
        values = effects["effect"].sel(context=names).to_numpy()
        quantiles = np.full(len(names), np.nan)
        if "quantile" in effects:
            quantiles = effects["quantile"].sel(context=names).to_numpy()
        common = self._runtime.common_effects()
        background = common.result() if common.done() and common.exception() is None else None
        spread = None
        if background is not None:
            rows = [background.contexts.index(name) for name in names]
            low, high = np.quantile(background.effects[rows], _COMMON, axis=1)
            spread = (low, high)
        self._forest.show(values, quantiles, spread)

    def _nearest_genes(self) -> pd.DataFrame:
        at = int(self._row["position"])
        return genes_around(
            self._runtime.world.annotation, self._row["contig"], at, within=_NEARBY, most=_GENES
        )

    def _nearby_genes(self) -> str:
        near, at = self._nearest_genes(), int(self._row["position"]) - 1
        if near.empty:
            return _section("Genes nearby", f"<p class='quiet'>None within {_NEARBY // 1_000} kb.</p>")
        rows = [
            (
                f"<i>{escaped(gene.gene_name)}</i>",
                f"{abs(gene.distance):,} bp {'right' if gene.distance > 0 else 'left'}",
                "inside" if gene.start <= at < gene.end else "",
            )
            for gene in near.itertuples(index=False)
        ]
        return _section("Genes nearby", _table(("Gene", "TSS", ""), rows))

    def _look_for_motifs(self, both: BothAlleles, context: str) -> None:
        key = self._state.variant
        done = self._runtime.background.submit(
            changed_motifs, both, self._runtime.world.project.motifs, context
        )
        done.add_done_callback(
            lambda found: self._session.run_soon(lambda: self._take_motifs(key, context, found))
        )

    def _take_motifs(self, key: str, context: str, done: Future[pd.DataFrame]) -> None:
        if key != self._state.variant:
            return
        title = f"Motifs over the variant in {context}"
        try:
            hits = done.result()
        except PhenvizError as error:
            self._say(self._motifs, title, f"<p class='failed'>{escaped(words_of(error))}</p>")
            return
        if hits.empty:
            self._say(
                self._motifs, title, "<p class='quiet'>Neither allele makes a motif stand out here.</p>"
            )
            return
        self._detail.show_motifs(hits)
        rows = [
            (
                f"<b>{hit.change}</b>",
                escaped(hit.motif),
                true_minus(f"{hit.score:+.2f}"),
                true_minus(f"{hit.p_value:.1g}"),
                escaped(hit.motif_id),
            )
            for hit in hits.itertuples(index=False)
        ]
        self._say(self._motifs, title, _table(("", "Motif", "Score", "p", "Matrix"), rows))

    def _count(self, key: str) -> pd.DataFrame | None:
        people = self._runtime.world.individuals
        return None if people is None else carriers_of(Variant.of_key(key), people)

    def _counted(self, key: str, done: Future[pd.DataFrame | None]) -> None:
        if key != self._shown:
            return
        counts = done.result()
        title = f"Who carries it among the world's {len(self._runtime.world.individuals or ()):,} individuals"
        if counts is None:
            self._say(self._people, "Who carries it", "<p class='quiet'>This world has no individuals.</p>")
        elif counts.empty:
            self._say(self._people, title, "<p class='quiet'>It isn't among the variants of their file.</p>")
        else:
            rows = [
                (
                    escaped(row.group or "unknown"),
                    f"{row.carriers:,}",
                    f"{row.homozygous:,}",
                    f"{row.allele_count:,} of {row.allele_number:,}",
                    f"{row.allele_frequency:.3f}",
                )
                for row in counts.itertuples(index=False)
            ]
            head = ("Population", "Carriers", "Homozygous", "Alleles", "Frequency")
            self._say(self._people, title, _table(head, rows))

    def _say(self, pane: pn.pane.HTML, title: str, html: str) -> None:
        pane.object = _section(title, html)


def _rows_of_genes(effects: xr.Dataset) -> Rows:
    """Take of the genes in reach those whose starts are nearest."""
    near = np.argsort(np.abs(effects["distance"].to_numpy()), kind="stable")[:_GENES]
    part = effects.isel(pair=near)
    return part["gene"].values.astype(str).tolist(), part["expression_effect"].transpose(
        "pair", "context"
    ).to_numpy()


def _section(title: str, html: str) -> str:
    return f"<h3>{escaped(title)}</h3>{html}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table class='facts'><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _short(allele: str) -> str:
    return allele if len(allele) <= 12 else f"{allele[:12]}… ({len(allele)} bp)"
