"""What is computed for one person in one window: genotypes, effects of the variants, both haplotypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import param
import xarray as xr

from phenviz.app.individual.genotype_sources import People
from phenviz.app.shell.job_view import JobView, PrivateJobs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.state import IndividualState
from phenviz.app.variants.ranking import ranked
from phenviz.errors import DataError
from phenviz.genome.locus import Locus
from phenviz.results.haplotypes import reaching
from phenviz.tracks import PersonalActivity
from phenviz.tracks.carried_variants import UNPHASED
from phenviz.variation.records import ABSENT

if TYPE_CHECKING:
    from phenviz.progress import Progress
    from phenviz.variation import Coverage, Individual, Unphased

# longer windows are a job for the command line; the genotypes of the embedded people cover 3 Mb
LONGEST = 4_000_000
# windows are widened, so that small moves find everything there
_WIDENED_BELOW = 200_000


@dataclass(frozen=True)
class _Asked:
    source: str
    sample: str
    unphased: Unphased
    seed: int
    locus: Locus


class PersonRun(param.Parameterized):
    """Follows the state: computes what is missing for the person and window on screen.

    Parameters
    ----------
    state
        Person, window and choices.
    runtime
        World, model and threads.
    people
        Reads genotypes.
    """

    changed = param.Integer(default=0, doc="Counts up when there is anything new to show.")
    nobody = param.String(default="", doc="Why nobody is shown, in words: never somebody else instead.")

    def __init__(self, state: IndividualState, runtime: Runtime, people: People) -> None:
        super().__init__()
        self._state, self._runtime, self._people = state, runtime, people
        self._asked: _Asked | None = None
        self._jobs = PrivateJobs(runtime)
        self._work: JobView | None = None
        self._sum: JobView | None = None
        self._activity: dict[str, PersonalActivity] = {}
        self._ranked: tuple[tuple[Any, ...], pd.DataFrame] | None = None

    # what there is

    @property
    def status(self) -> str:
        """``empty``, ``too long``, ``loading``, ``not covered``, or the state of the computation."""
        state = self._state
        if not state.sample or self.nobody:
            return "empty"
        if state.settled is not None and state.settled.length > LONGEST:
            return "too long"
        if self._runtime.failure is not None:
            return "failed"
        if self._runtime.service is None or self._work is None:
            return "loading"
        work = self._sum if state.mode == "sum" and self._sum is not None and self._work.over else self._work
        return "not covered" if work.state == "done" and self._unknown_here else work.state

    @property
    def coverage(self) -> str:
        """Of which bases of the view nothing is known about the person, in words; "" where of none."""
        known, locus = self._known, self._state.settled
        if known is None or locus is None or self._work is None or self.status == "empty":
            return ""
        said = self._people.in_words(known.describe(locus))
        return said[:1].upper() + said[1:]

    @property
    def uncovered(self) -> tuple[Locus, ...]:
        """The bases of the view that nothing is known of."""
        known, locus = self._known, self._state.settled
        return known.missing(locus) if known is not None and locus is not None else ()

    @property
    def _known(self) -> Coverage | None:
        return self._work.found.get("coverage") if self._work is not None else None

    @property
    def _unknown_here(self) -> bool:
        """Whether nothing at all is known of the view."""
        known, locus = self._known, self._state.settled
        return known is not None and locus is not None and not known.share(locus)

    @property
    def work(self) -> JobView | None:
        """What is being done whose progress counts now."""
        return self._sum if self._sum is not None and not self._sum.over else self._work

    @property
    def error(self) -> str:
        """What went wrong, in words."""
        errors = (work.error for work in (self._work, self._sum) if work is not None and work.error)
        return self._people.in_words(next(errors, ""))

    @property
    def effects(self) -> xr.Dataset | None:
        """Effects of the person's variants, with quantiles once those of common variants are known."""
        return self._work.found.get("effects") if self._work is not None else None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `phenviz.effects.predict_haplotypes` says of the haplotypes; empty until they are there."""
        exact = self._work.found.get("exact") if self._work is not None else None
        return exact.attrs if exact is not None else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how the file is read, and why quantiles are missing."""
        notes = self._people.notes(self._state.source)
        missing = self._runtime.missing_quantiles if self.effects is not None else ""
        return (*notes, missing) if missing else notes

    @property
    def prediction(self) -> xr.Dataset | None:
        """Activity along both haplotypes, in the way that is asked for; None until it is there."""
        work, name = (self._sum, "summed") if self._state.mode == "sum" else (self._work, "exact")
        return work.found.get(name) if work is not None else None

    def activity(self) -> PersonalActivity | None:
        """Return the predicted activity in the way that is asked for, as far as it is there."""
        return self._activity.get(self._state.mode)

    def table(self) -> pd.DataFrame | None:
        """Return the variants carried in the view, ranked; None until genotypes have been read."""
        variants = self._work.found.get("variants") if self._work is not None else None
        locus = self._state.settled
        if variants is None or locus is None:
            return None
        effects = self.effects
        wanted = (variants, effects, self._state.contexts, locus)
        if self._ranked is None or not _same(self._ranked[0], wanted):
            inside = reaching(variants, locus)
            here = effects.isel(variant=np.flatnonzero(inside)) if effects is not None else None
            annotation = self._runtime.world.annotation
            carried = variants[inside]
            carried = carried.assign(
                carried=carried_by(carried, self._state.unphased), row=np.flatnonzero(inside)
            )
            self._ranked = (wanted, ranked(carried, here, self._state.contexts, annotation))
        return self._ranked[1]

    def agreement(self) -> float | None:
        """Correlation of the haplotypes' differences from the reference, exact against summed."""
        if len(self._activity) < 2:
            return None
        one, other = (
            self._activity[mode].difference.read(0, self._activity[mode].difference.n_bins, 10**9)[1].ravel()
            for mode in ("exact", "sum")
        )
        known = np.isfinite(one) & np.isfinite(other) & ((np.abs(one) > 1e-4) | (np.abs(other) > 1e-4))
        if known.sum() < 3 or one[known].std() == 0 or other[known].std() == 0:
            return None
        return float(np.corrcoef(one[known], other[known])[0, 1])

    # what is done

    def ask(self) -> None:
        """Start what is missing for the present state; does nothing if it is there or on its way."""
        state, locus = self._state, self._state.settled
        nobody = not state.sample or bool(self.nobody)
        if nobody:
            self._forget()
        if self._runtime.service is None or nobody or locus is None or locus.length > LONGEST:
            self.changed += 1
            return
        wanted = _Asked(state.source, state.sample, state.unphased, state.seed, locus)
        if self._asked is None or not _serves(self._asked, wanted):
            self.cancel()
            wide = replace(wanted, locus=self._widened(locus))
            self._asked, self._sum, self._ranked, self._activity = wide, None, None, {}
            self._work = JobView().read(
                lambda view, progress: self._compute(wide, locus, view, progress),
                self._runtime.personal,
                jobs=2,
            )
        self._add_up()
        self.changed += 1

    def again(self) -> None:
        """Compute anew, after a failure or a cancel."""
        self._asked = None
        self.ask()

    def cancel(self) -> None:
        """Stop; what is finished stays."""
        for work in (self._work, self._sum):
            if work is not None and not work.over:
                work.cancel()

    def tick(self) -> None:
        """Look at the computation; called a few times a second."""
        asked = self._asked is not None or not self._state.sample or bool(self.nobody)
        if not asked and self._runtime.service is not None:
            self.ask()
        self._rank_among_common()
        works = [work for work in (self._work, self._sum) if work is not None]
        if not any([work.tick() for work in works]):
            return
        for work, name, mode in zip(works, ("exact", "summed"), ("exact", "sum"), strict=False):
            if mode not in self._activity and name in work.found:
                self._activity[mode] = PersonalActivity.of(work.found[name])
        self._add_up()
        self.changed += 1

    def close(self) -> None:
        """Let go of everything."""
        self._forget()
        self._jobs.close()

    def _forget(self) -> None:
        self.cancel()
        self._asked = self._work = self._sum = self._ranked = None
        self._activity = {}
        self._jobs.forget()

    def _rank_among_common(self) -> None:
        effects, common = self.effects, self._runtime.common_effects()
        if effects is None or "quantile" in effects or not common.done() or common.exception() is not None:
            return
        background = common.result()
        if background is not None and self._work is not None:
            from phenviz.effects.quantiles import with_quantiles

            self._work.add("effects", with_quantiles(effects, background))

    def _add_up(self) -> None:
        work = self._work
        if self._state.mode != "sum" or self._sum is not None or work is None or work.state != "done":
            return
        if "exact" not in work.found:
            return  # nothing is known of the person there
        asked = self._asked
        assert asked is not None
        self._sum = JobView().read(
            lambda view, progress: self._ask_haplotypes("summed", asked, view, self._person(asked, progress)),
            self._runtime.personal,
            jobs=1,
        )

    def _widened(self, locus: Locus) -> Locus:
        if locus.length > _WIDENED_BELOW:
            return locus
        length = self._runtime.world.reference.contigs[locus.contig]
        flank = locus.length // 2
        return Locus(locus.contig, max(locus.start - flank, 0), min(locus.end + flank, length))

    def _compute(self, asked: _Asked, seen: Locus, view: JobView, progress: Progress) -> None:
        progress.stage("reading genotypes")
        person = self._person(asked, progress)
        coverage = person.coverage(asked.locus.contig)
        view.add("coverage", coverage)
        if not coverage.share(asked.locus):
            return
        variants = person.variants(asked.locus, **_in_order(asked))
        view.add("variants", variants)
        view.attach("effects", self._jobs.submit("variant_effects", variants=variants, quantiles=False))
        try:
            self._ask_haplotypes("exact", asked, view, person)
        except DataError:
            if seen == asked.locus:
                raise
            # what is wrong may lie beyond the view, such as a phase that nobody knows
            narrow = replace(asked, locus=seen)
            self._ask_haplotypes("exact", narrow, view, person)
            if self._asked is asked:
                self._asked = narrow

    def _ask_haplotypes(self, name: str, asked: _Asked, view: JobView, person: Individual) -> None:
        mode = "exact" if name == "exact" else "sum"
        how = {"unphased": asked.unphased, "seed": asked.seed, "mode": mode}
        view.attach(name, self._jobs.submit("personal", locus=asked.locus, sample=person, **how))

    def _person(self, asked: _Asked, progress: Progress) -> Individual:
        return replace(self._people.individual(asked.source, asked.sample), progress=progress)


def carried_by(variants: pd.DataFrame, unphased: Unphased) -> pd.Series:
    """Say on which haplotype each variant of a person lies, or that nobody knows."""
    first, second = variants["haplotype_1"].eq(1), variants["haplotype_2"].eq(1)
    words = first.map({True: "haplotype 1", False: "haplotype 2"})
    if unphased == "refuse":
        words = words.mask(~variants["phased"].astype(bool) & variants["haplotype_2"].ne(ABSENT), UNPHASED)
    return words.mask(first & second, "both")


def _in_order(asked: _Asked) -> dict[str, Any]:
    # where a phase is refused, the list of variants says of which it isn't known; the prediction says why
    # there is none
    choice = "as listed" if asked.unphased == "refuse" else asked.unphased
    return {"unphased": choice, "seed": asked.seed}


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    # tables and datasets can't be compared with ==, nor need they
    return one[0] is other[0] and one[1] is other[1] and one[2:] == other[2:]


def _serves(there: _Asked, wanted: _Asked) -> bool:
    same = replace(there, locus=wanted.locus) == wanted
    own, other = there.locus, wanted.locus
    return same and own.contig == other.contig and own.start <= other.start and other.end <= own.end
