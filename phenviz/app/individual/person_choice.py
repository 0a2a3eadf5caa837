"""Choosing whose genome a page looks at: sources are opened, uploads taken, and nobody stands for another."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from phenviz.app.individual.genotype_sources import UPLOAD, People
from phenviz.app.individual.person_picker import PersonPicker
from phenviz.app.shell.own_file import GONE, LOOKING
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.state import PersonState
from phenviz.app.widgets.file_drop import FileDrop

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime

_NO_SAMPLES = pd.DataFrame({"sample": [], "population": [], "superpopulation": []})


class OfAPerson(Protocol):
    """What a page computes for the person that is chosen."""

    nobody: str

    def ask(self) -> None:
        """Take notice of another person, or of nobody."""


class PersonChoice:
    """The list of people and the box for a file on the left of a page, and what they do.

    Parameters
    ----------
    session
        Brings what is read in the background back to the page.
    state
        Its source and sample are shown and set.
    runtime
        Threads, and what other pages of the tab have handed over.
    people
        Reads genotypes.
    run
        Is told why nobody is shown.

    Attributes
    ----------
    picker, drop
        What is shown.
    """

    def __init__(
        self, session: Session, state: PersonState, runtime: Runtime, people: People, run: OfAPerson
    ) -> None:
        self._session, self._state, self._runtime = session, state, runtime
        self._people, self._run = people, run
        # the browser tells later which tab this is, and so what it has handed over
        self._asked_for_upload = not session.in_browser
        # a world without people opens on a file of one's own: nobody has lost one there
        self.lost = state.source == UPLOAD and people.first != UPLOAD
        self.picker = PersonPicker(
            # what is chosen while the browser still draws the page would be lost there
            lambda message: session.run_soon(lambda: self.hear(message)),
            sources=[list(pair) for pair in people.sources()],
            source=state.source,
            chosen=state.sample,
            sizing_mode="stretch_width",
            margin=(12, 12, 4, 12),
        )
        self.drop = FileDrop(
            people.uploads,
            self._take_file,
            visible=state.source == UPLOAD,
            sizing_mode="stretch_width",
            margin=(4, 12),
        )
        state.param.watch(self._chosen, ["sample"])

    def have(self, tab: str) -> None:
        """Look at what this tab has handed over already, on another page or before a reload."""
        self._people.have(self._runtime.own_files.join(tab, self._people.own))
        self._asked_for_upload = True
        self.drop.folder = self._people.uploads
        self.picker.sources = [list(pair) for pair in self._people.sources()]
        if self._state.source == UPLOAD:
            self.open_source()

    def hear(self, message: dict[str, Any]) -> None:
        """Take what was chosen in the list."""
        try:
            if "source" in message:
                # whoever chooses a source has not lost anything
                self.lost = False
                self._state.param.update(source=str(message["source"]), sample="", variant="")
                self.open_source()
            elif "sample" in message:
                self._state.param.update(sample=str(message["sample"]), variant="")
        except Exception as error:
            self.picker.param.update(note=self._people.in_words(words_of(error)), failed=True)

    def open_source(self) -> None:
        """List who is in the source that the state names, in the background."""
        source = self._state.source
        self.picker.param.update(source=source, note="Opening…", failed=False)
        self.drop.visible = source == UPLOAD
        if source == UPLOAD and self._people.own.path is None:
            self.picker.show_samples(_NO_SAMPLES)
            self._show_nobody((GONE if self._asked_for_upload else LOOKING) if self.lost else "")
            return
        done = self._runtime.background.submit(self._people.samples, source)
        done.add_done_callback(lambda found: self._session.run_soon(lambda: self._opened(source, found)))

    def _take_file(self, path: Path) -> None:
        self._people.take(path)
        self.lost = False
        self._state.param.update(source=UPLOAD, sample="", variant="")
        self.picker.sources = [list(pair) for pair in self._people.sources()]
        self.open_source()

    def _opened(self, source: str, done: Future[pd.DataFrame]) -> None:
        if source != self._state.source:
            return
        try:
            samples = done.result()
        except Exception as error:
            self.picker.param.update(note=self._people.in_words(words_of(error)), failed=True)
            self.picker.show_samples(_NO_SAMPLES)
            return
        self.picker.param.update(note="", failed=False)
        self.picker.show_samples(samples)
        own = self._people.own
        wanted = self._state.sample or (own.sample if source == UPLOAD else "")
        if wanted and wanted not in set(samples["sample"]):
            self._show_nobody(self._people.unknown(source, wanted))
        elif len(samples):
            # somebody is better than nobody, where nobody was asked for: the page shows what it is for
            self._run.nobody = ""
            self._state.sample = wanted or str(samples["sample"].iloc[0])

    def _show_nobody(self, why: str) -> None:
        """Show nobody rather than somebody else, and say why."""
        self.picker.param.update(note=why, failed=bool(why) and why != LOOKING)
        self._run.nobody = why
        self._run.ask()

    def _chosen(self, *_events: object) -> None:
        self.picker.chosen = self._state.sample
        if self._run.nobody:
            self._run.nobody = ""
            self.picker.param.update(note="", failed=False)
        if self._state.source == UPLOAD and self._state.sample:
            self._people.own.sample = self._state.sample
