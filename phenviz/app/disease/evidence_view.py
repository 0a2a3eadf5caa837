"""What stands behind one hypothesis: its loci, the test without each, and what one of their variants does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.disease.disease_evidence import (
    KEPT,
    locus_links,
    locus_table,
    opened_variants,
    variant_table,
)
from phenviz.app.disease.disease_motifs import DiseaseMotifs
from phenviz.app.disease.disease_parts import pair_title
from phenviz.app.disease.disease_run import DiseaseRun, EvidenceRun
from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session
from phenviz.app.widgets.data_grid import DataGrid, GridColumn
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.app.widgets.variant_detail import VariantDetail
from phenviz.genome.true_minus import true_minus
from phenviz.tracks.disease_checks import LeaveOneOut

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles

_LOCI = (
    GridColumn("lead", "Lead variant", searched=True),
    GridColumn("gene", "Nearest gene", searched=True),
    GridColumn("posterior", "Sum of posteriors", "{:.2f}", "number"),
    GridColumn("variants", "Variants", "{:,}", "number"),
    GridColumn("excess", "Part of effect", "{:+.2g}", "effect"),
    GridColumn("z_without", "z without", "{:.2f}", "number"),
    GridColumn("p_without", "p without", "{:.2g}", "number"),
)
_VARIANTS = (
    GridColumn("name", "Variant", searched=True),
    GridColumn("gene", "Nearest gene", searched=True),
    GridColumn("posterior", "Posterior", "{:.3f}", "number"),
    GridColumn("posterior_given", "As given", "{:.3f}", "number", optional=True),
    GridColumn("effect", "Effect here", "{:+.3f}", "effect"),
    GridColumn("strongest", "Strongest in", searched=True),
    GridColumn("strongest_effect", "Effect there", "{:+.3f}", "effect"),
    GridColumn("beta", "Beta", "{:+.3g}", "number"),
)
_HEIGHT = 250


class DiseaseEvidence(Viewer):
    """Loci and variants of the trait that is looked at, in the context that the state's evidence names.

    Parameters
    ----------
    session
        Brings what is computed back to the page.
    state
        Trait, evidence and variant are shown; the variant is set.
    runtime
        World, model and threads.
    hypotheses, run
        The tests, and the evidence behind them.
    """

    def __init__(
        self,
        session: Session,
        state: DiseaseState,
        runtime: Runtime,
        hypotheses: DiseaseRun,
        run: EvidenceRun,
    ) -> None:
        super().__init__()
        self._state, self._runtime, self._hypotheses, self._run = state, runtime, hypotheses, run
        self._session, self._locus = session, -1
        self._drawn: tuple[xr.Dataset, str] | None = None
        self._back = pmui.Button(
            label="All traits", icon="arrow_back", variant="text", size="small", margin=(6, 4, 0, 4),
            sx={"textTransform": "none"},
        )  # fmt: skip
        self._back.on_click(lambda _event: state.param.update(evidence="", variant=""))
        self._title, self._told = words(margin=(4, 8)), words(margin=(4, 8))
        self._links, self._of_loci = words(margin=(4, 8)), words(margin=(4, 8))
        self._bar = pmui.LinearProgress(value=0, variant="determinate", sizing_mode="stretch_width", margin=8)
        self._leave = LeaveOneOut(state.theme)
        self._leave.on_pick(self._choose_row)
        size: dict[str, Any] = {"sizing_mode": "stretch_width", "height": _HEIGHT, "margin": 0}
        self.loci = DataGrid(_LOCI, on_row=self._later(self._choose_locus), testid="disease-loci", **size)
        self.variants = DataGrid(
            _VARIANTS, on_row=self._later(self._choose_variant), testid="disease-variants", **size
        )
        self._motifs = DiseaseMotifs(session, state, runtime)
        self._detail = VariantDetail(
            session, state, runtime, lambda: state.variant if state.evidence else "", ["variant", "evidence"],
            self._look_for_motifs,
        )  # fmt: skip
        run.param.watch(self._draw, ["changed"])
        state.param.watch(self._draw, ["evidence", "variant", "trait", "method", "contexts"])
        state.param.watch(lambda _event: self._leave.set_theme(state.theme), ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        left = pn.Column(
            self._of_loci,
            FigurePane(
                self._leave.layout, alt="z without each locus; the table beside it lists the loci",
                sizing_mode="stretch_width", margin=0,
            ),
            styles={"flex": "0 1 390px", "min-width": "0"}, margin=0,
        )  # fmt: skip
        right = pn.Column(
            self.loci.view, self._links, self.variants.view, styles={"flex": "1 1 380px", "min-width": "0"}
        )
        self._body = pn.Column(
            # what has no room beside the others falls below them in a narrow window
            pn.FlexBox(left, right, sizing_mode="stretch_width", margin=0),
            self._detail, self._motifs, sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._draw()
        return pn.Column(
            pn.Row(self._back, self._title, sizing_mode="stretch_width", margin=0),
            self._told, self._bar, self._body, sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def _draw(self, *_events: object) -> None:
        state, run = self._state, self._run
        if not state.evidence:
            return
        run.follow()
        self._bar.visible = run.busy
        if run.job is not None and run.busy:
            self._bar.value = round(100 * run.job.progress)
        self._say_title()
        evidence = run.dataset if run.status == "done" else None
        if hasattr(self, "_body"):
            self._body.visible = evidence is not None
        if evidence is None:
            self._told.object = (
                f"<div data-testid='evidence-status' data-state='{run.status}'>{self._text()}</div>"
            )
            return
        known = state.evidence in evidence["context"].values
        self._told.object = (
            f"<div data-testid='evidence-status' data-state='done'>{'' if known else self._unknown()}</div>"
        )
        if known:
            self._show(evidence)
        elif hasattr(self, "_body"):
            self._body.visible = False

    def _tell(self, status: str, html: str) -> None:
        self._told.object = f"<div data-testid='evidence-status' data-state='{status}'>{html}</div>"

    def _show(self, evidence: xr.Dataset) -> None:
        state = self._state
        loci = locus_table(evidence, state.evidence)
        drawn = self._drawn
        if drawn is None or drawn[0] is not evidence or drawn[1] != state.evidence:
            self._drawn, self._locus = (evidence, state.evidence), -1
            self.loci.show(loci, "This trait has no locus here.")
            top = loci.iloc[:KEPT]
            whole = self._z()
            names = [f"{lead} {gene}".strip() for lead, gene in zip(top["short"], top["gene"], strict=True)]
            without, p, part = (top[name].to_numpy(float) for name in ("z_without", "p_without", "excess"))
            self._leave.show(names, without, p, part, whole)
            more = f" · the first {KEPT} of {len(loci)}" if len(loci) > KEPT else ""
            note = f"<span class='quiet'>dashed: z of all loci ({true_minus(f'{whole:.2f}')}){more}</span>"
            self._of_loci.object = f"<b>Leave one locus out</b> {note}"
        table = variant_table(evidence, state.evidence)
        own = table.loc[table["key"] == state.variant, "locus"]
        its_locus = int(own.iloc[0]) if state.variant and len(own) else self._locus
        if self._locus >= 0 and its_locus != self._locus:
            self._locus = -1
        # a locus that is chosen narrows the list of variants; a variant only points into it
        shown = table[table["locus"] == self._locus] if self._locus >= 0 else table
        self.variants.show(shown.reset_index(drop=True), "No variant of this locus.")
        self._detail.invite(len(shown))
        self.variants.choose(state.variant)
        self.loci.choose(str(its_locus))
        self._say_links(evidence, shown)

    def _say_title(self) -> None:
        method, looked_at = self._run.method, self._state.method
        by = ""
        if method != looked_at and not self._run.lacking:
            by = f" · {escaped(looked_at)} doesn't go by loci: loci by {method}"
        self._title.object = pair_title(self._hypotheses.dataset, self._state, by)

    def _say_links(self, evidence: xr.Dataset, shown: pd.DataFrame) -> None:
        state = self._state
        explore, variants = locus_links(
            state, self._runtime.world.contexts, evidence, self._locus, shown, state.variant
        )
        of = "variant" if state.variant else "locus" if self._locus >= 0 else "strongest locus"
        chosen = f"<b>Variants of {'this locus' if self._locus >= 0 else 'all loci'}</b>"
        self._links.object = (
            f"{chosen} <span class='quiet'>largest posterior first</span> · "
            f"<a data-testid='to-explore' href='{escaped(explore)}'>Open this {of} in Explore</a> · "
            f"<a data-testid='to-variants' href='{escaped(variants)}'>{self._those(shown)} in Variants</a>"
        )

    def _those(self, shown: pd.DataFrame) -> str:
        """Say how many of the variants the link opens: an address takes so many, and no unknown alleles."""
        if self._state.variant:
            return "Open this variant"
        opened, of = len(opened_variants(shown)), len(shown)
        return f"Open these {of:,}" if opened == of else f"Open {opened:,} of these {of:,}"

    def _text(self) -> str:
        run = self._run
        if run.lacking:
            return f"<span class='quiet'>{escaped(run.lacking)}</span>"
        if run.status == "failed":
            return f"<div class='failed' role='alert'><b>Failed.</b> {escaped(run.error)}</div>"
        if run.status == "cancelled":
            return "<span class='cancelled'><b>Cancelled.</b></span>"
        if run.job is None:
            return "<span class='quiet'>Waiting for the tests…</span>"
        return f"<span class='waiting'>Looking at each locus: {escaped(run.job.stage or 'starting')}…</span>"

    def _unknown(self) -> str:
        return (
            f"<span class='quiet'>The model has no context {escaped(self._state.evidence)}: loci are shown "
            "for its own contexts only.</span>"
        )

    def _z(self) -> float:
        dataset, state = self._hypotheses.dataset, self._state
        if dataset is None or self._run.method not in dataset["method"].values:
            return float("nan")
        one = {"method": self._run.method, "trait": state.trait, "context": state.evidence}
        return float(dataset["z"].sel(one)) if state.evidence in dataset["context"].values else float("nan")

    def _later(self, function: Callable[[str], None]) -> Callable[[str], None]:
        """Run what a table hears with the lock that figures need."""
        return lambda key: self._session.run_soon(lambda: function(key))

    def _choose_locus(self, key: str) -> None:
        self._locus = int(key)
        if self._state.variant:
            self._state.variant = ""
        else:
            self._draw()

    def _choose_row(self, row: int) -> None:
        keys = self.loci.view.keys
        if row < len(keys):
            evidence = self._run.dataset
            if evidence is not None:
                self._choose_locus(str(locus_table(evidence, self._state.evidence)["key"].iloc[row]))

    def _choose_variant(self, key: str) -> None:
        self._state.param.update(variant=key, focus=self._state.evidence)

    def _look_for_motifs(self, both: BothAlleles, context: str) -> None:
        self._motifs.look(both, context)
