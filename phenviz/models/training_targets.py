"""What each context learns: peaks with a signal, presence of peaks, coverage, or activity of reporters.

Peaks without a signal say that a place is active, and not how much. They come to the scale of the others by
one number: each counts as if its fold enrichment were the median over all peaks of the contexts with a
signal. What is learnt is the mean of log1p of it, so ``log1p(activity) / log1p(level)`` is the chance that a
peak is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.coverage import read_coverage
from phenviz.data.peaks import read_narrowpeak_files
from phenviz.data.reporter_sequences import read_sequences
from phenviz.data.tissues import REPORTER_GROUP
from phenviz.errors import DataError, ModelError
from phenviz.genome.codes import N_CODE
from phenviz.genome.contexts import REPORTER_UNIT, Context
from phenviz.genome.intervals import covered_intervals
from phenviz.genome.locus import bare_contig
from phenviz.genome.peak_signal import signal_of_contexts
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.peaks import SIGNAL_STEP
from phenviz.models.training_regions import JoinedContigs

SIGNAL, PRESENCE, COVERAGE, REPORTER = "signal", "presence", "coverage", "reporter"
COVERAGE_UNIT = "fold of the mean coverage"
# a site of coverage: the highest step within _SITE_REACH, among the highest _SITE_SHARE of all steps
_SITE_SHARE, _SITE_REACH = 0.01, 500
_UNCALLED = "learnt from peaks without a signal: each counts as a fold enrichment of {level:.3g}"


@dataclass(frozen=True)
class Sources:
    """Files that a backbone learns from.

    Parameters
    ----------
    peaks
        Context name -> file of peaks.
    coverage
        Context name -> bigWig file.
    sequences
        Tables of sequences with measured activity; see `phenviz.data.reporter_sequences`.
    adaptors
        Bases at both ends of each of these sequences that are cut off.
    """

    peaks: Mapping[str, str | Path] = field(default_factory=dict)
    coverage: Mapping[str, str | Path] = field(default_factory=dict)
    sequences: Sequence[str | Path] = ()
    adaptors: tuple[str, str] = ("", "")

    @property
    def files(self) -> list[Path]:
        """All files, in a fixed order."""
        return [Path(path) for path in (*self.peaks.values(), *self.coverage.values(), *self.sequences)]

    def read_peaks(self, contexts: Sequence[Context], contig: str | None = None) -> pd.DataFrame:
        """Read the peaks of all contexts that have some, of one contig or of all."""
        files = {c.name: Path(self.peaks[c.name]) for c in contexts if c.name in self.peaks}
        return read_narrowpeak_files(files, contig)

    def read_sequences(self) -> pd.DataFrame | None:
        """Read all tables of sequences; None where there are none."""
        tables = [read_sequences(path, self.adaptors) for path in self.sequences]
        return pd.concat(tables, ignore_index=True) if tables else None


@dataclass(frozen=True)
class Targets:
    """Contexts with what they learn, in the coordinate of the joined contigs.

    Parameters
    ----------
    sites
        Contexts that learn places of the genome, in the order of the outputs.
    reporters
        Contexts that learn sequences; their outputs come after those of the sites.
    kinds
        Context name -> ``signal``, ``presence``, ``coverage`` or ``reporter``.
    peaks
        ``context``, ``start``, ``end``, ``summit``, ``fold_enrichment``, by summit.
    coverage
        Row of a context -> its coverage in steps of 16 bases, in fold of the mean, shape (L / 16,).
    sequences
        From `read_sequences`; None for none.
    level
        Fold enrichment that peaks without a signal count as.
    """

    sites: tuple[Context, ...]
    reporters: tuple[Context, ...]
    kinds: Mapping[str, str]
    peaks: pd.DataFrame
    coverage: Mapping[int, NDArray[np.float16]]
    sequences: pd.DataFrame | None
    level: float

    @property
    def contexts(self) -> tuple[Context, ...]:
        """All contexts, in the order of the outputs."""
        return (*self.sites, *self.reporters)


def contigs_with_peaks(table: pd.DataFrame, reference: ReferenceGenome) -> list[str]:
    """Return the contigs of a reference that hold peaks."""
    found = set(table["contig"])
    return [contig for contig in reference.contigs if bare_contig(contig) in found]


def read_targets(
    sources: Sources, contexts: Sequence[Context], table: pd.DataFrame, joined: JoinedContigs
) -> Targets:
    """Bring everything that a backbone learns to one scale and one coordinate.

    Parameters
    ----------
    sources
        Files.
    contexts
        What is to be predicted for; contexts that only the tables of sequences name are added.
    table
        Peaks, from `Sources.read_peaks`.
    joined
        Contigs to learn from and to test on.

    Raises
    ------
    ModelError
        If a context has nothing to learn from, or several kinds of it.
    DataError
        If a file can't be read.
    """
    sequences = sources.read_sequences()
    measured = [] if sequences is None else list(dict.fromkeys(sequences["context"]))
    known = {context.name for context in contexts}
    contexts = [*contexts, *(_reporter(name) for name in measured if name not in known)]
    _check_sources(contexts, sources, measured)
    sites = [context for context in contexts if context.name not in measured]
    signed, level = signal_of_contexts(table)
    kinds = {
        name: SIGNAL if name in signed else PRESENCE
        for name in (context.name for context in sites)
        if name in sources.peaks
    }
    kinds |= dict.fromkeys(sources.coverage, COVERAGE) | dict.fromkeys(measured, REPORTER)
    _check_ends(table, joined, bool(sources.peaks))
    peaks = joined.place(table, ("start", "end", "summit"))
    unsigned = peaks["context"].map(kinds) == PRESENCE
    peaks.loc[unsigned, "fold_enrichment"] = np.float32(level)
    coverage = {
        row: _coverage(sources.coverage[context.name], joined)
        for row, context in enumerate(sites)
        if context.name in sources.coverage
    }
    called = [_coverage_sites(sites[row].name, values, joined) for row, values in coverage.items()]
    peaks = pd.concat([peaks, *called], ignore_index=True).sort_values(
        "summit", kind="stable", ignore_index=True
    )
    return Targets(
        tuple(_described(context, kinds[context.name], level) for context in sites),
        tuple(_described(c, REPORTER, level) for c in contexts if c.name in measured),
        kinds,
        peaks,
        coverage,
        sequences,
        level,
    )


def _reporter(name: str) -> Context:
    return Context(name, f"reporter in {name}", "", REPORTER_GROUP, "#715c6e", REPORTER_UNIT)


def _check_sources(contexts: Sequence[Context], sources: Sources, measured: Sequence[str]) -> None:
    for context in contexts:
        given = [
            what
            for what, names in (
                ("peaks", sources.peaks), ("coverage", sources.coverage), ("sequences", measured)
            )
            if context.name in names
        ]  # fmt: skip
        if not given:
            raise ModelError(
                f"no peak file for {context.name}: give each context a file of peaks, coverage, or "
                "sequences with measured activity"
            )
        if len(given) > 1:
            raise ModelError(f"{context.name} has {' and '.join(given)}: a context learns one of them")


def _check_ends(table: pd.DataFrame, joined: JoinedContigs, has_peaks: bool) -> None:
    lengths = {bare_contig(n): size for n, size in zip(joined.names, joined.lengths, strict=True)}
    length = table["contig"].map(lengths)
    if has_peaks and length.isna().all():
        found = ", ".join(sorted(table["contig"].unique())[:5]) or "others only"
        raise DataError(f"no peak lies on contig {', '.join(joined.names)}: the peaks have {found}")
    for row in table[table["end"] > length].head(1).itertuples():
        raise DataError(
            f"a peak of {row.context} ends at {row.end:,} of contig {row.contig}, which ends at "
            f"{lengths[row.contig]:,}: peaks and reference must be of the same assembly"
        )


def _coverage(path: str | Path, joined: JoinedContigs) -> NDArray[np.float16]:
    """Lay out the coverage of all contigs, in fold of its mean over known bases."""
    values = np.zeros(-(-len(joined.codes) // SIGNAL_STEP), np.float32)
    known = np.zeros(len(values), bool)
    for name, start, end in zip(joined.names, joined.starts, joined.ends, strict=True):
        # contigs begin at multiples of the step
        first = int(start) // SIGNAL_STEP
        read = read_coverage(path, name, int(end - start), SIGNAL_STEP)
        values[first : first + len(read)] = read
    whole = len(joined.codes) // SIGNAL_STEP
    known[:whole] = (joined.codes[: whole * SIGNAL_STEP].reshape(-1, SIGNAL_STEP) != N_CODE).all(1)
    mean = values[known].mean()
    if not mean > 0:
        raise DataError(f"coverage {path} is 0 on contig {', '.join(joined.names)}: give other contigs")
    return np.minimum(values / mean, np.finfo(np.float16).max).astype(np.float16)


def _coverage_sites(name: str, values: NDArray[np.float16], joined: JoinedContigs) -> pd.DataFrame:
    """Take the highest places of coverage as peaks, which background stays away from."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    smooth = uniform_filter1d(values.astype(np.float32), 128 // SIGNAL_STEP)
    highest = maximum_filter1d(smooth, 2 * _SITE_REACH // SIGNAL_STEP + 1)
    threshold = max(float(np.quantile(smooth, 1 - _SITE_SHARE)), 1.0)
    # running sums leave the steps of a plateau equal but for rounding: it is one site, in its middle
    near = np.flatnonzero((smooth > highest * (1 - 1e-4)) & (smooth > threshold * (1 - 1e-4)))
    steps = np.array([(start + end) // 2 for start, end in covered_intervals(near)], np.int64)
    summit = steps * SIGNAL_STEP + SIGNAL_STEP // 2
    return pd.DataFrame(
        {
            "contig": joined.contig_at(summit),
            "start": np.maximum(summit - 128, 0),
            "end": np.minimum(summit + 128, len(joined.codes)),
            "context": name,
            "fold_enrichment": smooth[steps],
            "summit": summit,
        }
    )


def _described(context: Context, kind: str, level: float) -> Context:
    if kind == PRESENCE:
        return replace(context, description=context.description or _UNCALLED.format(level=level))
    if kind == COVERAGE:
        return replace(context, unit=context.unit or COVERAGE_UNIT)
    if kind == REPORTER:
        text = "activity of a sequence in a reporter assay; log2 RNA/DNA was learnt"
        return replace(context, unit=context.unit or REPORTER_UNIT, description=context.description or text)
    return context
