"""Motifs under the bases that matter: seqlets of a track, named after the most similar known motif."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, fisher_exact

from phenviz.data.motifs import Motif, read_motifs
from phenviz.errors import ResultError
from phenviz.genome.codes import ALPHABET, one_hot
from phenviz.genome.intervals import covered_intervals
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import base_starts, contribution, kind_of, reference_bases

COLUMNS = ["start", "end", "strand", "motif", "motif_id", "p_value", "q_value", "score", "context"]
# Bases added on both sides before comparing: seqlets tend to end inside of a motif
_FLANK = 2
_SHORTEST, _LONGEST = 4, 25
_CODE_OF_LETTER = {letter: code for code, letter in enumerate(ALPHABET + "N")}


def find_motifs(
    dataset: xr.Dataset,
    motifs_path: str | os.PathLike[str],
    *,
    contexts: Sequence[str] | None = None,
    threshold: float = 0.01,
    progress: Progress = NO_PROGRESS,
) -> pd.DataFrame:
    """Call seqlets in a mutagenesis or attribution, and name the motif that each resembles most.

    Seqlets are intervals of 4 to 25 bases whose summed contribution is larger than independent draws from
    the track would give (recursive seqlets, tangermeme); intervals of negative contribution are called on
    the negated track, where they don't overlap a positive one. Their bases, with 2 more on each side and
    each weighted by how much it contributes, are compared with all known motifs on both strands (TOMTOM,
    memelite).

    Parameters
    ----------
    dataset
        A mutagenesis (its contribution is used, context by context) or an attribution.
    motifs_path
        Known motifs in MEME format.
    contexts
        Names of the contexts of a mutagenesis to look at; None for all.
    threshold
        Of the seqlet's p-value: a rank within the track, no error rate.
    progress
        Updated after each context.

    Returns
    -------
    pd.DataFrame
        One row per seqlet, best match first: ``start``, ``end`` (0-based half-open, its own), ``strand``
        of the motif, ``motif``, ``motif_id``, ``p_value`` (TOMTOM's, of the best motif by itself),
        ``q_value`` (Benjamini-Hochberg over the context's seqlets, after Sidak's correction for choosing the
        best of all motifs), ``score`` (sum of the track over the seqlet, signed) and ``context``.

    Raises
    ------
    ResultError
        If the dataset is no mutagenesis or attribution, or has no such context.
    DataError
        If the motif file is missing or holds no motif.
    """
    motifs = read_motifs(motifs_path)
    tracks = _tracks(dataset, contexts)
    parts = covered_intervals(base_starts(dataset))
    tables = []
    progress.stage("finding motifs", len(tracks))
    for context, track in tracks.items():
        intervals = [_Interval.of(dataset, track, start, end) for start, end in parts]
        called = [(interval, _call_seqlets(interval.track, threshold)) for interval in intervals]
        tables.append(_annotate(called, motifs).assign(context=context))
        progress.advance()
    return pd.concat(tables, ignore_index=True).sort_values("p_value", ignore_index=True)[COLUMNS]


def control_motifs(
    hits: pd.DataFrame,
    dataset: xr.Dataset,
    motifs_path: str | os.PathLike[str],
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Name the motifs of intervals as many and as long as the seqlets, drawn at random from the same locus.

    Parameters
    ----------
    hits
        What `find_motifs` returned.
    dataset
        The dataset that it was given: one locus, without gaps.
    motifs_path
        The motifs that it was given.
    generator
        Draws the places.

    Returns
    -------
    pd.DataFrame
        As `find_motifs`; ``score`` is NaN.

    Raises
    ------
    ResultError
        If the dataset has gaps.
    """
    motifs = read_motifs(motifs_path)
    tracks = _tracks(dataset, None)
    (first, last), *others = covered_intervals(base_starts(dataset))
    if others:
        raise ResultError("places are drawn from one interval of bases, and this result has gaps: select one")
    tables = []
    for context, group in hits.groupby("context", sort=False):
        lengths = (group["end"] - group["start"]).to_numpy()
        start = generator.integers(0, np.maximum(last - first - lengths, 0) + 1)
        drawn = pd.DataFrame({"start": start, "end": start + lengths, "score": np.nan})
        whole = _Interval.of(dataset, tracks[str(context)], first, last)
        tables.append(_annotate([(whole, drawn)], motifs).assign(context=context))
    joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    return joined.sort_values("p_value", ignore_index=True)[COLUMNS]


def count_motifs(hits: pd.DataFrame, control: pd.DataFrame, *, p_value: float = 1e-4) -> pd.DataFrame:
    """Count each context's motifs, and compare with a control.

    Parameters
    ----------
    hits, control
        Of `find_motifs` and `control_motifs`; several loci may be concatenated.
    p_value
        Largest TOMTOM p-value that counts as a match.

    Returns
    -------
    pd.DataFrame
        ``context``, ``motif``, ``motif_id`` (of each matrix of this name that matched), ``hits``,
        ``seqlets`` (of the context), ``control_hits``, ``control_seqlets``, ``fold`` (of the two shares, with
        1 added to each count of hits) and ``p_value`` (one-sided Fisher test), strongest first within each
        context.
    """
    rows = []
    hits = hits.assign(motif_id=hits.get("motif_id", hits["motif"]))
    for context, group in hits.groupby("context", sort=False):
        other = control[control["context"] == context]
        close = group[group["p_value"] <= p_value]
        matched, matrices = close["motif"].value_counts(), close.groupby("motif")["motif_id"].unique()
        by_chance = other.loc[other["p_value"] <= p_value, "motif"].value_counts()
        for motif, count in matched.items():
            chance = int(by_chance.get(motif, 0))
            table = [[count, len(group) - count], [chance, len(other) - chance]]
            fold = (count + 1) / (len(group) + 1) / ((chance + 1) / (len(other) + 1))
            enriched = fisher_exact(table, alternative="greater").pvalue
            which = ", ".join(sorted(matrices[motif]))
            counts = int(count), len(group), chance, len(other)
            rows.append((context, motif, which, *counts, fold, float(enriched)))
    names = [
        "context",
        "motif",
        "motif_id",
        "hits",
        "seqlets",
        "control_hits",
        "control_seqlets",
        "fold",
        "p_value",
    ]
    table = pd.DataFrame(rows, columns=names)
    return table.sort_values(["context", "p_value", "hits"], ascending=[True, True, False], ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Interval:
    """Bases that follow one another: the first one's position, their codes, and a number for each."""

    first: int
    codes: NDArray[np.uint8]
    track: NDArray[np.float64]

    @classmethod
    def of(cls, dataset: xr.Dataset, track: NDArray[np.float64], start: int, end: int) -> _Interval:
        """Cut one out of a dataset and its track, between two 0-based positions."""
        own = slice(*np.searchsorted(base_starts(dataset), [start, end]).tolist())
        letters = reference_bases(dataset.isel(position=own))
        codes = np.array([_CODE_OF_LETTER.get(letter, 4) for letter in letters], dtype=np.uint8)
        return cls(start, codes, track[own])


def _tracks(dataset: xr.Dataset, contexts: Sequence[str] | None) -> dict[str, NDArray[np.float64]]:
    """Take one number per base for each context; unknown bases are 0."""
    kind = kind_of(dataset)
    if kind == "attribution":
        return _attribution_tracks(dataset["attribution"], str(dataset.attrs.get("target_context", "")))
    if kind != "mutagenesis":
        raise ResultError(
            "motifs are found in a mutagenesis or an attribution: pass what one of them returned"
        )
    known = [str(name) for name in dataset["context"].values]
    chosen = known if contexts is None else list(contexts)
    if missing := [name for name in chosen if name not in known]:
        raise ResultError(f"this mutagenesis has no context {', '.join(missing)}: it has {', '.join(known)}")
    values = (
        contribution(dataset.sel(context=chosen)) if "context" in dataset.indexes else contribution(dataset)
    )
    columns = {name: np.asarray(values[:, chosen.index(name)], dtype=np.float64) for name in chosen}
    return {name: np.nan_to_num(column) for name, column in columns.items()}


def _attribution_tracks(attribution: xr.DataArray, context: str) -> dict[str, NDArray[np.float64]]:
    values = attribution.astype(np.float64).fillna(0)
    if other := set(values.dims) - {"position", "context"}:
        raise ResultError(
            f"this attribution has a value for each {other.pop()}, and motifs are found in one sequence: "
            "select one of them first"
        )
    if "context" not in values.dims:
        return {context: values.values}
    return {str(name): values.sel(context=name).values for name in values["context"].values}


def _call_seqlets(track: NDArray[np.float64], threshold: float) -> pd.DataFrame:
    """Call positive and negative seqlets: start, end (places in the track) and score."""
    recursive_seqlets = _seqlet_caller()
    taken, tables = np.zeros(len(track), dtype=bool), []
    # a track that never varies has no seqlets, nor has one shorter than the shortest
    if len(track) <= _LONGEST or np.ptp(track) == 0:
        return pd.DataFrame({"start": [], "end": [], "score": []}).astype({"start": int, "end": int})
    for sign in (1, -1):
        called = recursive_seqlets(
            (sign * track)[None], threshold=threshold, min_seqlet_len=_SHORTEST, max_seqlet_len=_LONGEST
        )
        table = called[["start", "end"]].astype(int).assign(score=sign * called["attribution"].astype(float))
        free = [not taken[start:end].any() for start, end in zip(table["start"], table["end"], strict=True)]
        table = table[np.array(free, dtype=bool) & (sign * table["score"] > 0).to_numpy()]
        for start, end in zip(table["start"], table["end"], strict=True):
            taken[start:end] = True
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@cache
def _seqlet_caller() -> Callable[..., pd.DataFrame]:
    """Import tangermeme's; what numba compiles of it (15 s of work) is kept on disk for the next process."""
    # imported here: numba and scikit-learn come with it, which takes seconds
    from numba.core.dispatcher import Dispatcher
    from tangermeme import seqlet

    for function in vars(seqlet).values():
        if isinstance(function, Dispatcher):
            function.enable_caching()
    return seqlet.recursive_seqlets


def _annotate(called: Sequence[tuple[_Interval, pd.DataFrame]], motifs: tuple[Motif, ...]) -> pd.DataFrame:
    """Compare the bases of seqlets with all motifs; places in intervals become positions on the contig."""
    called = [(interval, seqlets) for interval, seqlets in called if len(seqlets)]
    if not called:
        return pd.DataFrame({name: [] for name in COLUMNS})
    # imported here: numba comes with it
    from memelite.tomtom import tomtom

    queries = [query for interval, seqlets in called for query in _queries(interval, seqlets)]
    tables = [seqlets.assign(first=interval.first) for interval, seqlets in called]
    seqlets = pd.concat(tables, ignore_index=True)
    found = tomtom(queries, [motif.frequencies for motif in motifs], n_nearest=1, n_jobs=1)
    p_value, strand, best = (np.asarray(found[column])[:, 0] for column in (0, 4, 5))
    p_value = np.clip(p_value, 0.0, 1.0)
    # the best of all motifs was chosen: its p-value is that of a minimum
    corrected = -np.expm1(len(motifs) * np.log1p(-np.minimum(p_value, 1 - 1e-16)))
    best = best.astype(int)
    return pd.DataFrame(
        {
            "start": (seqlets["start"] + seqlets["first"]).to_numpy(),
            "end": (seqlets["end"] + seqlets["first"]).to_numpy(),
            "strand": np.where(strand.astype(int) == 0, "+", "-"),
            "motif": [motifs[index].name for index in best],
            "motif_id": [motifs[index].motif_id for index in best],
            "p_value": p_value,
            "q_value": false_discovery_control(np.clip(corrected, 0.0, 1.0)),
            "score": seqlets["score"].to_numpy(dtype=float),
        }
    )


def _queries(interval: _Interval, seqlets: pd.DataFrame) -> list[NDArray[np.float64]]:
    bases = one_hot(interval.codes).astype(np.float64)
    bounds = zip(seqlets["start"], seqlets["end"], strict=True)
    places = [slice(max(start - _FLANK, 0), end + _FLANK) for start, end in bounds]
    return [_weighted(bases[:, place], interval.track[place]) for place in places]


def _weighted(bases: NDArray[np.float64], track: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flatten bases (4, width) that contribute little towards a quarter each, as in a frequency matrix."""
    size = np.abs(track)
    # the root keeps bases of middling contribution: measured on consensus sites, p-values are far
    # smaller than with plain one-hot bases, and the same motifs come first
    weight = np.sqrt(size / size.max()) if size.max() > 0 else np.ones_like(size)
    return np.where(bases.sum(0) > 0, 0.25 + (bases - 0.25) * weight, 0.25)
