"""The bases that matter most in a result, as a table to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.genome.true_minus import true_minus
from phenviz.results import contribution, kind_of, reference_bases

# of a motif that is named without a question mark
LARGEST_Q = 0.1
# motifs are looked for in at most so many bases, around the strongest one
_MOTIF_WINDOW = 20_000
BASE_COLUMNS = ["position", "ref", "effect", "strongest change", "motif"]


def strongest_bases(dataset: xr.Dataset, context: str, count: int = 200) -> pd.DataFrame:
    """List the bases with the largest effect on a context, largest first.

    Parameters
    ----------
    dataset
        A mutagenesis or an attribution.
    context
        Name of the context; the first one of the result where it doesn't hold this one.
    count
        Most rows.

    Returns
    -------
    pd.DataFrame
        `BASE_COLUMNS`: 1-based position; reference base (empty where the result doesn't know it); effect:
        contribution for a mutagenesis, else attribution; the change with the largest effect, with a tilde
        where it is known to first order only; motif is empty.
    """
    mutagenesis = kind_of(dataset) == "mutagenesis"
    values = of_context(contribution(dataset) if mutagenesis else dataset["attribution"], context)
    scores = np.asarray(values, dtype=float)
    order = np.argsort(-np.abs(np.nan_to_num(scores)), kind="stable")[:count]
    order = order[np.nan_to_num(scores[order]) != 0]
    bases = np.array(reference_bases(dataset)) if "reference" in dataset else np.full(len(scores), "")
    changes = _strongest_changes(dataset, context, order, bases) if mutagenesis else [""] * len(order)
    return pd.DataFrame(
        {
            "position": np.asarray(dataset["position"])[order].astype(int),
            "ref": bases[order],
            "effect": scores[order],
            "strongest change": changes,
            "motif": "",
        },
        columns=BASE_COLUMNS,
    )


def with_motifs(bases: pd.DataFrame, motifs: pd.DataFrame) -> pd.DataFrame:
    """Name beside each base the motif hit that covers it, the one with the smallest p-value."""
    named = bases.copy()
    best = motifs.assign(name=careful_names(motifs)).sort_values("p_value", ascending=False)
    for hit in best.itertuples(index=False):
        inside = named["position"].between(hit.start + 1, hit.end)
        sure = f" (q = {true_minus(f'{hit.q_value:.1g}')})" if hit.q_value <= LARGEST_Q else ""
        named.loc[inside, "motif"] = f"{hit.name}{sure}"
    return named


def careful_names(motifs: pd.DataFrame) -> list[str]:
    """Return the motif of each hit, with a question mark where chance explains the resemblance as well."""
    pairs = zip(motifs["motif"], motifs["q_value"], strict=True)
    return [name if q <= LARGEST_Q else f"{name}?" for name, q in pairs]


def motifs_of(dataset: xr.Dataset, context: str, library: Path) -> pd.DataFrame:
    """Find the motifs that matter to a context, or the target; of a long result around its strongest base."""
    from phenviz.attribution import find_motifs  # loads PyTorch

    part = round_the_strongest(dataset, context, _MOTIF_WINDOW)
    known = "context" in dataset.dims and context in dataset["context"].values
    return find_motifs(part, library, contexts=[context] if known else None)


def round_the_strongest(dataset: xr.Dataset, context: str, length: int) -> xr.Dataset:
    """Return the interval of a result, at most so many bases long, around its strongest base."""
    if dataset.sizes["position"] <= length:
        return dataset
    best = strongest_bases(dataset, context, count=1)
    first = int(dataset["position"][0])
    middle = int(best["position"].iloc[0]) - first if len(best) else 0
    start = min(max(middle - length // 2, 0), dataset.sizes["position"] - length)
    return dataset.isel(position=slice(start, start + length))


def of_context(values: xr.DataArray, context: str) -> xr.DataArray:
    """Return the values of a context, or the first one's where this isn't among them."""
    if "context" not in values.dims:
        return values
    names = [str(name) for name in values["context"].to_numpy()]
    return values.isel(context=names.index(context) if context in names else 0)


def _strongest_changes(dataset: xr.Dataset, context: str, order: np.ndarray, bases: np.ndarray) -> list[str]:
    effect = np.asarray(of_context(dataset["effect"], context).isel(position=order), dtype=float)
    alleles = [str(allele) for allele in dataset["allele"].to_numpy()]
    best = np.argmax(np.abs(np.nan_to_num(effect)), axis=1)
    exact = np.asarray(dataset["method"]) == "exact" if "method" in dataset else np.full(len(bases), True)
    changes = [true_minus(f"{value:+.2f}") for value in effect[np.arange(len(best)), best]]
    return [
        f"{bases[position]}>{alleles[allele]} {'' if exact[position] else '~'}{change}"
        for position, allele, change in zip(order, best, changes, strict=True)
    ]
