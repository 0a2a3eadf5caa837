"""What scoring a person costs, how far it is, and what the scores know of the person."""

from __future__ import annotations

import numpy as np
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.risk.risk_run import RiskRun
from phenviz.app.risk.risk_state import RiskState
from phenviz.app.shell.formatting import escaped, readable_seconds
from phenviz.app.shell.session import Session
from phenviz.app.widgets.parts import words

_COUNTED = {
    "genotypes_missing": "genotypes aren't called: they count as the reference allele",
    "genes_uncovered": "genes lie where nothing is known of this person: they count as average",
    "skipped": "alleles can't be scored (symbolic, or on N)",
}
_ALWAYS = (
    "Scores are at average age and sex. Computed on this machine and kept in memory only: nothing about a "
    "person is stored."
)


class RiskRunPanel(Viewer):
    """The form on the left.

    Parameters
    ----------
    session
        Its timer looks at the computation.
    state
        Who is scored.
    run
        Started and cancelled.
    """

    def __init__(self, session: Session, state: RiskState, run: RiskRun) -> None:
        super().__init__()
        self._state, self._run = state, run
        self._told, self._facts = words(min_height=48, margin=(4, 0)), words(margin=(4, 0))
        self._bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(8, 0, 2, 0)
        )
        self._start = pmui.Button(
            label="Score", icon="play_arrow", color="primary", size="small", sizing_mode="stretch_width",
            margin=(4, 4, 0, 0),
        )  # fmt: skip
        self._cancel = pmui.Button(
            label="Cancel", variant="outlined", color="default", size="small", width=84, margin=(4, 0, 0, 0),
            css_classes=["cancel-button"],
        )  # fmt: skip
        self._start.on_click(lambda _event: run.start())
        self._cancel.on_click(lambda _event: run.cancel())
        run.param.watch(self._draw, ["changed", "nobody"])
        state.param.watch(self._draw, ["trait"])
        session.on_tick(self._draw)
        self._draw()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            words("<h3>Scores of this person</h3>", margin=(8, 0, 0, 0)),
            self._told,
            self._bar,
            pn.Row(self._start, self._cancel, sizing_mode="stretch_width", margin=0),
            self._facts,
            sizing_mode="stretch_width",
            margin=(8, 14),
        )

    def _draw(self, *_events: object) -> None:
        run = self._run
        status = run.status
        busy = status in ("queued", "running")
        self._bar.visible = busy
        self._cancel.disabled = not busy
        self._start.disabled = status not in ("waiting", "failed", "cancelled") or run.model is None
        if busy and run.work is not None:
            self._bar.value = round(100 * run.work.progress)
        told = f"<div data-testid='risk-status' data-state='{status}'>{self._said(status)}</div>"
        for pane, html in ((self._told, told), (self._facts, self._known())):
            if pane.object != html:
                pane.object = html

    def _said(self, status: str) -> str:
        run, work = self._run, self._run.work
        if status == "failed":
            return f"<div class='failed' role='alert'><b>Failed.</b> {escaped(run.error)}</div>"
        if status in ("queued", "running") and work is not None:
            left = f", {readable_seconds(work.eta)} left" if work.eta else ""
            cost = f" of about {readable_seconds(run.seconds)}" if run.seconds and not left else ""
            return f"{escaped(work.stage[:1].upper() + work.stage[1:])}: {work.progress:.0%}{left}{cost}"
        if status == "empty" and run.nobody:
            return f"<div class='failed' role='alert'>{escaped(run.nobody)}</div>"
        cost = f" It takes about {readable_seconds(run.seconds)}, for all traits." if run.seconds else ""
        return {
            "loading": "<span class='quiet'>Loading the models…</span>",
            "no model": "<span class='quiet'>There is no risk model to score with.</span>",
            "empty": "<span class='quiet'>Nobody is chosen yet.</span>",
            "waiting": f"<span class='waiting'>Press “Score” to start.{cost}</span>",
            "cancelled": f"<span class='cancelled'><b>Cancelled.</b>{cost}</span>",
            "done": f"<span class='done'><b>Done.</b></span> {escaped(self._state.sample)}, all traits",
        }.get(status, "")

    def _known(self) -> str:
        result = self._run.result
        lines = []
        if result is not None:
            attrs = result.attrs
            if attrs.get("coverage"):
                lines.append(f"<p data-testid='coverage' role='status'>{escaped(attrs['coverage'])}.</p>")
            lines += [f"<p class='quiet'>{line}</p>" for line in _shares(result, self._state.trait)]
            lines += [
                f"<p class='quiet'>{attrs[name]:,} {text}.</p>"
                for name, text in _COUNTED.items()
                if attrs.get(name)
            ]
            lines += [
                f"<p class='quiet'>Of the file's records {escaped(line)}.</p>" for line in attrs["left_out"]
            ]
        lines.append(f"<p class='quiet'>{_ALWAYS}</p>")
        return "".join(lines)


def _shares(result: xr.Dataset, trait: str) -> list[str]:
    """Say how much of a trait's polygenic score the genotypes hold."""
    traits = result["trait"].values.astype(str).tolist()
    if trait not in traits:
        return []
    found, known = (
        float(np.atleast_1d(result.attrs[name])[traits.index(trait)])
        for name in ("variants_found", "variants_known")
    )
    if found >= 1:
        return []
    return [
        f"Of the variants of the polygenic score, {found:.1%} are in the genotypes; {known - found:.1%} "
        f"aren't listed where others are, and count as the reference's; {1 - known:.1%} aren't covered, and "
        "count as average."
    ]
