"""What is computed on the Disease page: hypotheses, the evidence behind one, and packs being fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phenviz.app.disease.disease_evidence import OF_PEAKS, method_of_loci, source_of, why_no_loci
from phenviz.app.disease.disease_parts import made_from
from phenviz.app.disease.disease_state import OWN, SIMULATED, TESTED, DiseaseState
from phenviz.app.disease.disease_tables import KeptTables
from phenviz.app.shell.formatting import readable_bytes
from phenviz.app.shell.job_view import RESULT, JobView, fetch_packs
from phenviz.app.shell.limits import KEEPER, current_user
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import words_of
from phenviz.data.packs import PackMissing, find_pack, has_pack
from phenviz.disease.embedded_hypotheses import SOURCE as EMBEDDED_SOURCE
from phenviz.disease.functional_prior import prior_of
from phenviz.disease.inputs import FLAT
from phenviz.errors import PhenvizError

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.data.manifests import Pack
    from phenviz.service import Job

_TITLES = {
    "ukbb-blood-finemap": "16 blood traits, UK Biobank",
    "pics-39-traits": "39 traits, PICS",
    "finemap-three-biobanks": "Traits of three biobanks",
}
TRAIT_PACKS = tuple(_TITLES)
EXPRESSION_PACK = "blood16-rna"
# the run waits to be asked for only where somebody would notice that it takes time; a page that has nothing
# else to show opens with one that takes a little longer
_AT_ONCE_SECONDS, _AT_OPENING_SECONDS = 2.0, 60.0
_OF_EXPRESSION = ("gene-expression", "magma", "scdrs")


class ServiceRun(JobView):
    """One job of the service at a time.

    Parameters
    ----------
    runtime
        Gives the service.
    kind
        Kind of the jobs.
    """

    def __init__(self, runtime: Runtime, kind: str) -> None:
        super().__init__()
        self._runtime, self._kind, self._user = runtime, kind, current_user()
        self.asked: dict[str, Any] | None = None
        self.refusal = ""

    @property
    def job(self) -> Job | None:
        """The job, once the service has taken the request."""
        return self.jobs.get(RESULT)

    @property
    def status(self) -> str:
        """``empty``, or the job's state; ``failed`` also where the request was refused."""
        return "failed" if self.refusal else self.state

    @property
    def error(self) -> str:
        """Why it failed."""
        return self.refusal or super().error

    def ask(self, wanted: dict[str, Any]) -> None:
        """Ask the service; what it is doing for this session is cancelled."""
        service = self._runtime.service
        if service is None or (wanted == self.asked and self.status not in ("failed", "cancelled")):
            return
        self.cancel()
        self._clear()
        self.asked, self.dataset, self.refusal = wanted, None, ""
        try:
            self.attach(RESULT, KEEPER.submit(self._user, service, self._kind, **wanted), parts=True)
        except PackMissing as error:
            self.refusal = f"{error.pack.title}: not on this machine yet, fetch them on the left."
            self.changed += 1
        except PhenvizError as error:
            self.refusal = words_of(error)
            self.changed += 1
        self.tick()


class DiseaseRun(ServiceRun):
    """Hypotheses of the source that the state names.

    Parameters
    ----------
    state
        Source, methods and draws.
    runtime
        World, service and threads.
    tables
        Tables that were handed over.
    """

    def __init__(self, state: DiseaseState, runtime: Runtime, tables: KeptTables) -> None:
        super().__init__(runtime, "hypotheses")
        self._state, self._tables = state, tables
        self._looked_up: dict[str, Any] | None = None
        self.seconds = 0.0
        self.fetching: JobView | None = None
        self._embedded, self._opening = False, True

    @property
    def status(self) -> str:
        """Also ``loading``, ``missing`` (data packs), ``reading``, ``waiting`` (for the user to start it)."""
        if self._state.tested:
            is_read = self.asked is not None and self.asked == self.wanted()
            return "reading" if not is_read else "failed" if self.refusal else "done"
        if self._runtime.failure is not None:
            return "failed"
        if self._runtime.service is None:
            return "loading"
        if not self._embedded and self.asked is not None and self.asked == self.wanted():
            return super().status
        if self.missing():
            return "missing"
        return "waiting" if self.wanted() is not None else "empty"

    @property
    def from_package(self) -> bool:
        """Whether what is shown was brought along: tested before, not here."""
        return self._embedded and self.asked == self.wanted()

    @property
    def error(self) -> str:
        """Why it failed."""
        if self._runtime.failure is not None and not self._state.tested:
            return words_of(self._runtime.failure)
        return super().error

    @property
    def source(self) -> str | None:
        """Where the variants lie behind what is shown, as jobs take it; None where that isn't known."""
        if self.asked is None or self.dataset is None:
            return None
        return source_of(self.dataset) if self._state.tested else self.asked["source"]

    def wanted(self) -> dict[str, Any] | None:
        """Return the request that the state makes; None where its source isn't here."""
        state = self._state
        source: str | None = state.source
        if state.tested:
            return {"source": source}
        if state.source.startswith(OWN):
            kept = self._tables.find(state.source.removeprefix(OWN))
            source = str(kept.path) if kept is not None else None
        if not source:
            return None
        return {
            "source": source, "method": state.methods, "permutations": int(state.permutations), "seed": 0,
            "prior": state.counted_prior,
        }  # fmt: skip

    def missing(self) -> list[Pack]:
        """Return the data packs that the chosen source and methods need and that aren't here."""
        state, world = self._state, self._runtime.world
        source, methods = state.source, state.methods
        if state.tested:
            # nothing is tested anew: what stands behind needs its variants, and peaks where it goes by them
            source, methods = self.source or "", tuple({state.method} & set(OF_PEAKS))
        needed = [source] if source in TRAIT_PACKS else []
        peaks = any(name in OF_PEAKS for name in methods)
        # with LD scores of its own, a project needs no peaks for them
        if peaks or ("s-ldsc" in methods and not world.project.ld_scores):
            needed += world.project.peak_packs
        needed += [EXPRESSION_PACK] if any(name in _OF_EXPRESSION for name in methods) else []
        return [find_pack(name) for name in dict.fromkeys(needed) if not has_pack(name)]

    def run(self) -> None:
        """Start what the state asks for."""
        wanted = self.wanted()
        if wanted is not None and not self._state.tested and not self.missing():
            self.ask(wanted)

    def ask(self, wanted: dict[str, Any]) -> None:
        """Ask the service; what it is doing for this session is cancelled."""
        if self._embedded:
            self._embedded, self.asked = False, None
        super().ask(wanted)
        if self._state.source in TRAIT_PACKS:
            self._runtime.last_hypotheses = wanted

    def follow(self) -> None:
        """Show what the state asks for if that is kept, running, in the package or a file, or soon done."""
        wanted = self.wanted()
        if self._state.tested:
            if wanted != self.asked:
                self._open(self._state.tested)
            return
        if self._runtime.service is None or wanted is None or wanted in (self.asked, self._looked_up):
            return
        self._looked_up = wanted
        try:
            self._show(wanted)
        except PackMissing:
            self.changed += 1
        # whatever it is: a page that says nothing waits for ever
        except Exception as error:
            self.refusal, self.asked = words_of(error), wanted
            self.changed += 1

    def _show(self, wanted: dict[str, Any]) -> None:
        service = self._runtime.service
        assert service is not None
        opening, self._opening = self._opening, False
        found = self._in_package(wanted)
        if not self.missing():
            estimate = service.estimate("hypotheses", **wanted)
            self.seconds = estimate.seconds
            soon = estimate.stored >= 1 or estimate.seconds < _AT_ONCE_SECONDS
            # what runs already was asked for before this page was reloaded, or on another one
            soon = soon or wanted["source"] == SIMULATED or service.is_running("hypotheses", **wanted)
            if soon or (opening and found is None and estimate.seconds < _AT_OPENING_SECONDS):
                self.ask(wanted)
                return
        if found is not None:
            self.cancel()
            self._clear()
            self.asked, self.dataset, self.refusal, self._embedded = wanted, found, "", True
        self.changed += 1

    def _open(self, name: str) -> None:
        """Show what the project has tested elsewhere, once it is read."""
        found = self._runtime.tested_elsewhere()
        if name in found and not found[name].done():
            return
        self.cancel()
        self._clear()
        self.asked = self._looked_up = self.wanted()
        self.dataset, self.refusal, self._embedded = None, "", False
        if name not in found:
            self.refusal = (
                f"there are no hypotheses called {name} here: 'hypotheses' in the project.yaml names "
                f"{', '.join(found) or 'none'}"
            )
        elif (error := found[name].exception()) is not None:
            self.refusal = self._without_folder(error, name)
        else:
            self.dataset = found[name].result()
        self.changed += 1

    def _without_folder(self, error: BaseException, name: str) -> str:
        """Say why a file couldn't be read: where it lies is nothing for whoever looks at the page."""
        (path,) = (path for path in self._runtime.world.project.hypotheses if path.name == name)
        return words_of(error).replace(f"{path.parent}{os.sep}", "")

    def _in_package(self, wanted: dict[str, Any]) -> xr.Dataset | None:
        """Return what the package has of a request; None where it hasn't all."""
        found = self._runtime.embedded_hypotheses
        if found is None or not set(wanted["method"]) <= set(found["method"].values.astype(str)):
            return None
        of_found = EMBEDDED_SOURCE, found.attrs["permutations"], found.attrs["seed"], FLAT
        if of_found != (wanted["source"], wanted["permutations"], wanted["seed"], wanted["prior"]):
            return None
        return found.sel({"method": list(wanted["method"])})

    def fetch(self) -> None:
        """Fetch the packs that are missing, in the background."""
        names = [pack.name for pack in self.missing()]
        if not names or (self.fetching is not None and not self.fetching.over):
            return
        self.fetching = fetch_packs(names, self._runtime.background)
        self.changed += 1

    def tick(self) -> bool:
        """Look at the job and at what is being fetched."""
        self.follow()
        if self.fetching is not None and self.fetching.tick():
            if self.fetching.state == "done":
                self._looked_up = None
            self.changed += 1
        return super().tick()

    def close(self) -> None:
        """Let go of everything; what runs for this tab goes on, and can be found again."""
        self.forget()
        self.asked = None
        if self.fetching is not None:
            self.fetching.cancel()


class EvidenceRun(ServiceRun):
    """What stands behind one trait.

    Parameters
    ----------
    state
        The trait and method that are looked at, and whether evidence is.
    runtime
        World and service.
    hypotheses
        The run whose settings count.
    """

    def __init__(self, state: DiseaseState, runtime: Runtime, hypotheses: DiseaseRun) -> None:
        super().__init__(runtime, "trait_evidence")
        self._state, self._hypotheses = state, hypotheses

    @property
    def method(self) -> str:
        """The method that is looked at, or the nearest one that goes by loci."""
        return method_of_loci(self._state.method)

    @property
    def lacking(self) -> str:
        """Why there are no loci to show of the hypotheses on screen; "" where there are."""
        tests, world = self._hypotheses.dataset, self._runtime.world
        if tests is None:
            return ""
        return why_no_loci(tests, self._hypotheses.source, world, self._state.evidence)

    def follow(self) -> None:
        """Ask for what the state looks at."""
        state, tests = self._state, self._hypotheses.dataset
        if not state.evidence or not state.trait or tests is None:
            return
        if self.lacking:
            self.cancel()
            self._clear()
            self.asked, self.dataset, self.refusal = None, None, ""
            return
        wanted = {
            "source": self._hypotheses.source, "trait": state.trait, "method": self.method,
            "permutations": int(tests.attrs["permutations"]), "seed": int(tests.attrs["seed"]),
            "prior": prior_of(tests, state.method),
        }  # fmt: skip
        if wanted != self.asked:
            self.ask(wanted)

    def tick(self) -> bool:
        """Look at the job."""
        self.follow()
        return super().tick()


def source_title(
    source: str, tables: KeptTables, tested: Mapping[str, Future[xr.Dataset]] = MappingProxyType({})
) -> str:
    """Return what a source is called on screen; of files of hypotheses also whom they are of, once read."""
    if source == SIMULATED:
        return "simulated traits (not data)"
    if source.startswith(OWN):
        kept = tables.find(source.removeprefix(OWN))
        return kept.path.name if kept is not None else "a table that isn't kept here"
    if source.startswith(TESTED):
        name = source.removeprefix(TESTED)
        read = tested.get(name)
        if read is None or not read.done() or read.exception() is not None:
            return f"{name}, tested elsewhere"
        return f"{made_from(read.result())}: {name}, tested elsewhere"
    if source not in _TITLES:
        return source
    size = "" if has_pack(source) else f" (fetch {readable_bytes(find_pack(source).bytes)})"
    return f"{_TITLES[source]}{size}"
