"""What is computed for a list of variants: where they come from, and what each does in every context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import param
import xarray as xr

from phenviz.app.shell.job_view import JobView, PrivateJobs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.state import VariantsState, separate_lines
from phenviz.app.shell.uploads import files_of
from phenviz.app.variants.ranking import ranked
from phenviz.errors import DataError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.results.haplotypes import reaching
from phenviz.variation.report import counted

if TYPE_CHECKING:
    from phenviz.effects.quantiles import Background
    from phenviz.genome.reference import ReferenceGenome
    from phenviz.variation import Individuals, VariantSet

# more than this is a job for the command line, which streams
MOST_VARIANTS = 200_000
# a region up to this long is scored without being asked
_AT_ONCE_BELOW = 200_000
# records read at once
_CHUNK = 10_000
# pasted lines that are left out and told one by one
_LINES_TOLD = 20
REGION, PASTED, UPLOAD, FOLDER = "region", "pasted", "upload", "file:"


@dataclass(frozen=True)
class _Asked:
    origin: str
    lines: str
    locus: Locus | None
    path: Path | None


class VariantRun(param.Parameterized):
    """Scores the variants that the state asks for, and ranks them.

    Parameters
    ----------
    state
        Where the variants come from, and which contexts count.
    runtime
        World, model and threads.
    uploaded
        Returns the file that this session has been given; None for none.
    """

    changed = param.Integer(default=0, doc="Counts up when there is anything new to show.")

    def __init__(self, state: VariantsState, runtime: Runtime, uploaded: Callable[[], Path | None]) -> None:
        super().__init__()
        self._state, self._runtime, self._uploaded = state, runtime, uploaded
        self._asked: _Asked | None = None
        self._jobs = PrivateJobs(runtime)
        self._common = False
        self._work: JobView | None = None
        # scores, what they were ranked among, and both
        self._effects: tuple[xr.Dataset, Background | None, xr.Dataset] | None = None
        self._ranked: tuple[xr.Dataset, tuple[str, ...], pd.DataFrame] | None = None

    @property
    def status(self) -> str:
        """``empty``, ``waiting`` (for the user to start it), ``loading``, or the computation's state."""
        if self._runtime.failure is not None:
            return "failed"
        if self._asked is None or self._work is None:
            if self._runtime.service is None:
                return "loading"
            return "waiting" if self._wanted() is not None else "empty"
        return self._work.state

    @property
    def work(self) -> JobView | None:
        """What is being done."""
        return self._work

    @property
    def stale(self) -> bool:
        """Whether what is asked for now is something else than what is on screen."""
        return self._wanted() != self._asked

    @property
    def report(self) -> str:
        """What was left out while reading, and why quantiles are missing, in words, one matter a line."""
        if self._work is None:
            return ""
        left_out = self._in_words(str(self._work.found.get("report", "")))
        return f"{left_out}\n{self._runtime.missing_quantiles}".strip()

    @property
    def left_out(self) -> str:
        """What of what was asked for isn't in the list, and why, in words, one matter a line."""
        return str(self._work.found.get("left out", "")) if self._work is not None else ""

    @property
    def error(self) -> str:
        """What went wrong, in words."""
        if self._work is None:
            return "the model could not be loaded"
        return self._in_words(self._work.error)

    @property
    def complete(self) -> bool:
        """Whether all variants have been scored."""
        return self._work is not None and self._work.state == "done"

    @property
    def effects(self) -> xr.Dataset | None:
        """Effects of the variants scored so far, with quantiles once those of common variants are known."""
        scores = self._work.found.get("effects") if self._work is not None else None
        if scores is None:
            return None
        common = self._runtime.common_effects()
        background = common.result() if common.done() and common.exception() is None else None
        known = self._effects
        if known is None or known[0] is not scores or known[1] is not background:
            from phenviz.effects.quantiles import with_quantiles

            both = scores if background is None else with_quantiles(scores, background)
            self._effects = known = (scores, background, both)
        return known[2]

    def table(self) -> pd.DataFrame | None:
        """Return the variants scored so far, ranked by their strongest effect in the ticked contexts."""
        effects = self.effects
        variants = self._work.found.get("variants") if self._work is not None else None
        if effects is None or variants is None:
            return None
        contexts, known = self._state.contexts, self._ranked
        if known is None or known[0] is not effects or known[1] != contexts:
            there = variants.iloc[: effects.sizes["variant"]]
            there = there.assign(row=np.arange(len(there)))
            table = ranked(there, effects, contexts, self._runtime.world.annotation)
            self._ranked = known = (effects, contexts, table)
        return known[2]

    def ask(self) -> None:
        """Score what is asked for now."""
        wanted = self._wanted()
        if wanted is None or self._runtime.service is None:
            return
        self.cancel()
        self._asked, self._effects, self._ranked = wanted, None, None
        self._work = JobView().read(
            lambda view, progress: self._compute(wanted, view, progress), self._runtime.personal, jobs=1
        )
        self.changed += 1

    def follow(self) -> None:
        """Score what is asked for now if that takes a moment only; else wait for the user to start it."""
        wanted = self._wanted()
        if wanted is None or wanted == self._asked or self._runtime.service is None:
            return
        short = wanted.locus is None or wanted.locus.length <= _AT_ONCE_BELOW
        if short and (wanted.origin == REGION or self._asked is None):
            self.ask()
        else:
            self.changed += 1

    def cancel(self) -> None:
        """Stop; what is finished stays."""
        if self._work is not None and not self._work.over:
            self._work.cancel()

    def tick(self) -> None:
        """Look at the computation; called a few times a second."""
        if self._asked is None:
            self.follow()
        if self._work is None:
            return
        common = self._runtime.common_effects().done()
        if self._work.tick() or common != self._common:
            self._common = common
            self.changed += 1

    def close(self) -> None:
        """Let go of everything."""
        self.cancel()
        self._work = self._effects = self._ranked = None
        self._jobs.close()

    def _in_words(self, text: str) -> str:
        # where a file lies on the server concerns nobody
        path = self._asked.path if self._asked is not None else None
        return text.replace(str(path), path.name) if path is not None else text

    def _wanted(self) -> _Asked | None:
        state = self._state
        if state.origin == REGION:
            return (
                _Asked(REGION, "", state.settled, None) if self._runtime.world.project.individuals else None
            )
        if state.origin == PASTED:
            return _Asked(PASTED, state.lines, None, None) if state.lines.strip() else None
        path = self._uploaded() if state.origin == UPLOAD else self._served(state.origin)
        return _Asked(state.origin, "", None, path) if path is not None else None

    def _served(self, origin: str) -> Path | None:
        known = {f"{FOLDER}{path.name}": path for path in files_of(self._runtime.folder)}
        return known.get(origin)

    def _compute(self, asked: _Asked, view: JobView, progress: Progress) -> None:
        progress.stage("reading variants")
        variants, report, left_out = self._read(asked, progress)
        if len(variants) > MOST_VARIANTS:
            raise DataError(
                f"{len(variants):,} variants are more than this page takes ({MOST_VARIANTS:,}): zoom in, or "
                "give fewer"
            )
        # in this order the service scores them, so that a part of them is the first few
        variants = variants.assign(contig=variants["contig"].astype(str))
        variants = variants.sort_values(["contig", "position"], kind="stable", ignore_index=True)
        view.add("report", report)
        view.add("left out", left_out)
        view.add("variants", variants)
        # whoever's they are: a list may come from a person's file, too
        job = self._jobs.submit("variant_effects", variants=variants, quantiles=False)
        view.attach("effects", job, parts=True)

    def _read(self, asked: _Asked, progress: Progress) -> tuple[pd.DataFrame, str, str]:
        """Return the variants, what is to be told of the file, and what of it isn't in the list, in words."""
        world = self._runtime.world
        if asked.origin == REGION:
            assert asked.locus is not None and world.individuals is not None
            return _of_region(world.individuals, asked.locus)
        if asked.origin == PASTED:
            return self._pasted(asked.lines, progress)
        assert asked.path is not None
        found = _read_file(asked.path, world.reference, progress)
        if not len(found.table):
            raise DataError(
                f"{asked.path.name} holds no variant that can be scored: {found.report.describe()}"
            )
        return found.table, found.report.describe(), ""

    def _pasted(self, text: str, progress: Progress) -> tuple[pd.DataFrame, str, str]:
        from phenviz.variation.frequencies import with_frequencies
        from phenviz.variation.rsids import read_pasted_lines

        world = self._runtime.world
        found, said = read_pasted_lines(separate_lines(text), world.project.individuals, world.reference)
        told = said[:_LINES_TOLD]
        if len(said) > _LINES_TOLD:
            told.append(f"and {len(said) - _LINES_TOLD:,} more")
        if said:
            told.insert(0, "Not all that was pasted is in the list:")
        table = found.table
        if world.individuals is not None:
            progress.stage("looking up frequencies")
            table = with_frequencies(table, world.individuals, progress)
        return table, "\n".join(found.report.left_out()), "\n".join(told)


def _read_file(path: Path, reference: ReferenceGenome, progress: Progress) -> VariantSet:
    """Read all variants of a file as `read_variants` does, but give up once there are too many."""
    from phenviz.variation import VariantReport, VariantSet, iter_variants
    from phenviz.variation.normalise import sort_variants
    from phenviz.variation.read import empty_table

    tables, kept, report = [empty_table()], 0, VariantReport(str(path))
    for chunk in iter_variants(path, reference, chunk=_CHUNK, progress=progress):
        tables.append(chunk.table)
        kept, report = kept + len(chunk.table), chunk.report
        if kept > MOST_VARIANTS:
            raise DataError(
                f"{path.name} holds more than {MOST_VARIANTS:,} variants, the most that this page takes "
                f"({kept:,} in its first {report.read:,} records): give a file of the region alone"
            )
    table = sort_variants(pd.concat(tables, ignore_index=True), reference)
    again = table.duplicated(["contig", "position", "ref", "alt"]).to_numpy()
    if again.any():
        # chunks don't know which variants the chunks before them held
        duplicates = report.skipped.get("duplicate", 0) + int(again.sum())
        skipped = {**report.skipped, "duplicate": duplicates}
        table = table[~again].reset_index(drop=True)
        report = replace(report, kept=len(table), skipped=skipped)
    return VariantSet(table, report)


def _of_region(people: Individuals, locus: Locus) -> tuple[pd.DataFrame, str, str]:
    """Return the variants that anybody carries in a locus, with their frequency; and what isn't covered."""
    uncovered, coverage = people.uncovered(locus), people.coverage(locus.contig)
    if not coverage.share(locus):
        raise DataError(f"nothing is known of {locus}: {coverage.extent()}; move the view, or paste variants")
    counts = people.allele_counts(locus, by=None)
    inside = counts[reaching(counts, locus)]
    kept = inside[inside["allele_count"] > 0]
    if not len(kept):
        unknown = f"; {uncovered}" if uncovered else ""
        raise DataError(
            f"none of the world's {len(people):,} individuals carries a variant in {locus}{unknown}: move "
            "the view, or paste variants"
        )
    by_nobody = len(inside) - len(kept)
    said = f"{counted(by_nobody, 'variant')} of the file left out that none of the individuals carries"
    return kept.reset_index(drop=True), uncovered, said if by_nobody else ""
