"""How a person's haplotypes are predicted, and how far that is."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param
from panel.viewable import Viewer

from phenviz.app.individual.person_run import PersonRun
from phenviz.app.shell.formatting import escaped, readable_seconds
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import IndividualState
from phenviz.app.widgets.parts import words
from phenviz.genome.true_minus import true_minus

_MODES = {"Exact haplotypes": "exact", "Sum of variants": "sum"}
_EXPLAINED = {
    "exact": "Each haplotype is predicted from its own sequence, with all of its variants in place.",
    "sum": "What each variant changes by itself, added up: as if no two of them acted together.",
}
_UNPHASED = {"Refuse": "refuse", "As listed in the file": "as listed", "Random, by a seed": "random"}
_NARROW = {"fontSize": "12px", "py": "3px", "textTransform": "none"}


class PersonPanel(Viewer):
    """The form on the right.

    Parameters
    ----------
    session
        Its timer looks at the computation.
    state
        Mode and choice about unphased calls are shown and set.
    run
        Its progress is shown; it can be cancelled.
    """

    def __init__(self, session: Session, state: IndividualState, run: PersonRun) -> None:
        super().__init__()
        self._state, self._run = state, run
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (2, 0)}
        self._mode = pmui.RadioButtonGroup(
            options=_MODES, value=state.mode, size="small", sx={"& button": _NARROW}, **wide
        )
        self._unphased = pmui.Select(
            options=_UNPHASED, value=state.unphased, label="Unphased heterozygotes", size="small",
            **(wide | {"margin": (12, 0, 4, 0)}),
        )  # fmt: skip
        self._seed = pmui.IntInput(
            value=state.seed, start=0, end=state.param.seed.bounds[1], label="Seed", size="small",
            **(wide | {"margin": (6, 0, 4, 0)}),
        )  # fmt: skip
        self._explained, self._facts, self._told, self._covered = (words(**wide) for _ in range(4))
        self._bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(8, 0, 2, 0)
        )
        self._cancel = pmui.Button(
            label="Cancel", variant="outlined", color="default", size="small", margin=(6, 8, 0, 0),
            css_classes=["cancel-button"],
        )  # fmt: skip
        self._again = pmui.Button(
            label="Compute again", variant="outlined", size="small", margin=(6, 0, 0, 0)
        )
        self._mode.param.watch(lambda event: setattr(state, "mode", event.new), "value")
        self._unphased.param.watch(lambda event: setattr(state, "unphased", event.new), "value")
        self._seed.param.watch(self._draw_lots, "value")
        self._cancel.on_click(lambda _event: run.cancel())
        self._again.on_click(lambda _event: run.again())
        state.param.watch(self._follow, ["mode", "unphased", "seed"])
        run.param.watch(self._draw, ["changed"])
        session.on_tick(self._draw)
        self._follow()
        self._draw()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            words("<h3>Prediction</h3>", margin=(8, 0, 0, 0)),
            self._mode,
            self._explained,
            self._unphased,
            self._seed,
            self._bar,
            self._told,
            pn.Row(self._cancel, self._again, margin=0, height=42),
            self._covered,
            self._facts,
            sizing_mode="stretch_width",
            margin=(8, 14),
        )

    def _follow(self, *_events: object) -> None:
        state = self._state
        self._mode.value, self._unphased.value, self._seed.value = state.mode, state.unphased, state.seed
        self._seed.visible = state.unphased == "random"
        self._explained.object = f"<span class='quiet'>{_EXPLAINED[state.mode]}</span>"

    def _draw_lots(self, event: param.parameterized.Event) -> None:
        # an emptied box is None: the seed stays what it was
        if event.new is not None:
            self._state.seed = int(event.new)

    def _draw(self, *_events: object) -> None:
        run = self._run
        status, work = run.status, run.work
        busy = status in ("queued", "running")
        self._bar.visible = self._cancel.visible = busy
        self._again.visible = status in ("failed", "cancelled")
        if work is not None and busy:
            self._bar.value = round(100 * work.progress)
        self._tell(self._told, f"<div data-testid='person-status' data-state='{status}'>{self._said()}</div>")
        self._tell(self._covered, self._said_of_coverage())
        self._tell(self._facts, self._known())

    def _said(self) -> str:
        run = self._run
        status, work = run.status, run.work
        if status == "failed":
            return f"<div class='failed' role='alert'><b>Failed.</b> {escaped(run.error)}</div>"
        if status == "cancelled":
            return "<div class='cancelled'><b>Cancelled.</b> What was finished stays on screen.</div>"
        if status in ("queued", "running") and work is not None:
            left = f", {readable_seconds(work.eta)} left" if work.eta else ""
            return f"{escaped(work.stage.capitalize())}: {work.progress:.0%}{left}"
        if status == "empty" and run.nobody:
            return f"<div class='failed' role='alert'>{escaped(run.nobody)}</div>"
        return {
            "empty": "<span class='quiet'>Nobody is chosen yet.</span>",
            "not covered": "<span class='cancelled'><b>Nothing is known here.</b></span>",
            "too long": "<span class='quiet'>The view is too long for haplotypes: zoom in.</span>",
            "loading": "<span class='quiet'>Loading the model…</span>",
            "done": f"<span class='done'><b>Done.</b></span> {escaped(self._state.sample)}",
        }.get(status, "")

    def _said_of_coverage(self) -> str:
        said = self._run.coverage
        if not said:
            return ""
        return f"<p data-testid='coverage' role='status'>{escaped(said)}.</p>"

    def _known(self) -> str:
        run, facts, lines = self._run, self._run.facts, []
        if facts:
            lines.append(f"Phase: {escaped(facts['phasing'])}.")
            if facts["variants_skipped"]:
                lines.append(
                    f"{facts['variants_skipped']:,} left out of the haplotypes, because they overlap another "
                    "variant before them."
                )
            if facts["records_left_out"]:
                lines.append(f"Of the file's records here {escaped(facts['records_left_out'])}.")
        lines += [f"{escaped(note)}." for note in run.notes]
        agreement = run.agreement()
        if agreement is not None:
            lines.append(
                f"Where either differs from the reference, exact and summed differences in this window have "
                f"a correlation of <b data-testid='agreement'>{true_minus(f'{agreement:.3f}')}</b>."
            )
        lines.append("Computed on this machine and kept in memory only: nothing about a person is stored.")
        return "".join(f"<p class='quiet'>{line}</p>" for line in lines)

    def _tell(self, pane: pn.pane.HTML, html: str) -> None:
        if pane.object != html:
            pane.object = html
