"""Tracks of the user's own: signal of bigWig files, and intervals of BED, narrowPeak and broadPeak files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.peaks import read_intervals
from phenviz.errors import DataError, PhenvizError
from phenviz.genome.intervals import overlapping
from phenviz.genome.locus import Locus, contig_key

SIGNAL_SUFFIXES = (".bw", ".bigwig")
INTERVAL_SUFFIXES = tuple(
    f".{kind}{zipped}" for kind in ("bed", "narrowpeak", "broadpeak") for zipped in ("", ".gz")
)
# UCSC's hg19 has another mitochondrion than GRCh37: that alone is no other assembly
_MITOCHONDRIA = ("M", "MT")
# bases up to which bigWigs are summed base by base; beyond, their zoom levels are as good at a pixel each
_EXACT = 2_000_000
_MOST_INTERVALS = 2_000_000
_COLUMNS = ["start", "end", "name", "fold_enrichment"]


@dataclass(frozen=True, slots=True)
class SignalPoints:
    """Signal on even points.

    Parameters
    ----------
    edges
        Borders of the points in bases, shape (n + 1,), 0-based.
    low, mean, high
        Lowest, mean and highest value of the bases of a point that have one, shape (n,); NaN where none has.
    """

    edges: NDArray[np.int64]
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class OwnTrack:
    """A track of the user's own, checked against the reference.

    Parameters
    ----------
    name
        In addresses and lists of hidden tracks: one word.
    label
        Shown.
    path
        The file.
    colour
        ``#rrggbb``; "" for one of the theme.
    contigs
        Of a bigWig: what it calls each contig, by `contig_key`, and its bases.
    intervals
        Of other files, of each contig by `contig_key`: columns start, end (0-based half-open), name,
        fold_enrichment (NaN where the file has none), by start. None for a bigWig.
    """

    name: str
    label: str
    path: Path
    colour: str = ""
    contigs: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    intervals: Mapping[str, pd.DataFrame] | None = None

    @property
    def measured(self) -> bool:
        """Whether intervals have a fold enrichment."""
        return any(table["fold_enrichment"].notna().any() for table in (self.intervals or {}).values())

    def points(self, locus: Locus, count: int) -> SignalPoints:
        """Reduce the signal of a locus to about so many points, whose grid begins where the contig does.

        Raises
        ------
        DataError
            If the file is gone or damaged.
        """
        size = max(-(-locus.length // count), 1)
        first, last = locus.start // size, -(-locus.end // size)
        edges = np.arange(first, last + 1, dtype=np.int64) * size
        name, length = self.contigs.get(contig_key(locus.contig), ("", 0))
        reduced = np.full((3, last - first), np.nan)
        whole = min(last, length // size)
        with _reading(self.path) as file:
            for row, summary in enumerate(("min", "mean", "max")):
                if whole > first:
                    reduced[row, : whole - first] = _values(
                        file, name, first * size, whole * size, whole - first, summary
                    )
                # the last point of a contig is shorter than the others
                if first <= whole < last and whole * size < length:
                    reduced[row, whole - first] = _values(file, name, whole * size, length, 1, summary)[0]
        return SignalPoints(edges, *reduced)

    def within(self, locus: Locus, gap: float | None = None) -> pd.DataFrame:
        """Return the intervals that overlap a locus, as in `intervals`.

        Parameters
        ----------
        gap
            Join those between which there are fewer bases; of several, the name tells how many they are.
        """
        table = (self.intervals or {}).get(contig_key(locus.contig))
        if table is None:
            table = pd.DataFrame({name: [] for name in _COLUMNS})
        here = table[overlapping(table, locus)]
        return here if gap is None or here.empty else _joined(here, gap)


def key_of_track(kind: str, label: str) -> str:
    """Return the word for a track of a kind in addresses; what it is called isn't told there."""
    return f"{kind}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def read_own_track(
    path: Path, contigs: Mapping[str, int], *, name: str, label: str, colour: str = ""
) -> OwnTrack:
    """Read a file of one of the formats and check that it fits the reference.

    Parameters
    ----------
    path
        bigWig, BED of three or more columns, narrowPeak or broadPeak; all but bigWig plain or gzip.
    contigs
        Of the reference, with their bases.
    name, label, colour
        As in `OwnTrack`.

    Raises
    ------
    DataError
        If it can't be read, has no contig of the reference, or is of another assembly.
    """
    lengths = {contig_key(contig): length for contig, length in contigs.items()}
    if path.name.lower().endswith(SIGNAL_SUFFIXES):
        return OwnTrack(name, label, path, colour, contigs=_signal_contigs(path, lengths))
    table = read_intervals(path, most=_MOST_INTERVALS)
    table.insert(0, "key", table["contig"].map({text: contig_key(text) for text in table["contig"].unique()}))
    _check_shared(path, table["contig"].unique().tolist(), lengths)
    ends = table.groupby("key")["end"].max()
    for key, end in ends.items():
        if key in lengths and end > lengths[str(key)] and key not in _MITOCHONDRIA:
            raise DataError(
                f"{path} has an interval that ends at {end:,} of contig {key}, which has "
                f"{lengths[str(key)]:,} bases in the reference: give a file of the same assembly"
            )
    parts = {
        str(key): part[_COLUMNS].sort_values("start", ignore_index=True)
        for key, part in table.groupby("key")
        if key in lengths
    }
    return OwnTrack(name, label, path, colour, intervals=parts)


def _signal_contigs(path: Path, lengths: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    with _reading(path) as file:
        found = {contig_key(name): (name, int(length)) for name, length in file.chroms().items()}
    _check_shared(path, [name for name, _ in found.values()], lengths)
    for key, (name, length) in found.items():
        if key in lengths and length != lengths[key] and key not in _MITOCHONDRIA:
            raise DataError(
                f"{path} has {length:,} bases in contig {name}, the reference {lengths[key]:,}: give a file "
                "of the same assembly"
            )
    fitting = {key: both for key, both in found.items() if lengths.get(key) == both[1]}
    with _reading(path) as file:
        for name, length in fitting.values():
            # most damage is found now, not when somebody looks
            _values(file, name, 0, length, 1, "mean")
            _values(file, name, 0, min(length, _EXACT), 1, "mean")
    return fitting


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a bigWig; whatever goes wrong with it in here becomes a `DataError`."""
    import pybigtools

    try:
        with pybigtools.open(str(path)) as file:
            yield file
    except (PhenvizError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # in damaged blocks pybigtools (0.3) panics, which is no Exception
    except BaseException as error:
        why = "it isn't there any more" if not path.is_file() else "it is no bigWig file, or damaged"
        raise DataError(f"{path} can't be read: {why}: give another file") from error


def _values(file: Any, name: str, start: int, end: int, count: int, summary: str) -> NDArray[np.float64]:
    found = file.values(
        name, start, end, bins=count, summary=summary, exact=end - start <= _EXACT, fillna=np.nan
    )
    return np.where(np.isfinite(found), found, np.nan)


def _check_shared(path: Path, names: list[str], lengths: Mapping[str, int]) -> None:
    if not any(contig_key(name) in lengths for name in names):
        some = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        theirs = ", ".join(list(lengths)[:3]) + (" ..." if len(lengths) > 3 else "")
        raise DataError(
            f"{path} holds {some or 'no contig'}, the reference {theirs}: give a file that has a contig of "
            "the reference"
        )


def _joined(table: pd.DataFrame, gap: float) -> pd.DataFrame:
    reach = np.maximum.accumulate(table["end"].to_numpy())
    begins = np.concatenate(([True], table["start"].to_numpy()[1:] >= reach[:-1] + gap))
    groups = table.groupby(np.cumsum(begins), sort=False)
    joined = groups.agg({"start": "first", "end": "max", "name": "first", "fold_enrichment": "max"})
    sizes = groups.size()
    several = sizes > 1
    joined.loc[several, "name"] = [f"{size:,} intervals" for size in sizes[several]]
    return joined.reset_index(drop=True)
