"""How well hypotheses agree with what is known: a ranking of contexts against known pairs or scores."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import hypergeom, spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from phenviz.disease.hypotheses import table_of
from phenviz.disease.known_pairs import EXPECTED, NEUTRAL, Reference, read_reference, scored
from phenviz.errors import DataError

Array = NDArray[np.float64]

_NAMES = ("context", "context_label", "curie")


@dataclass(frozen=True)
class Comparison:
    """How hypotheses agree with a reference.

    Parameters
    ----------
    traits
        One row per method and trait: ``method``, ``trait``, ``lineage``, ``counted``, ``contexts`` (tested),
        ``expected`` (how many of them), ``rank`` (of the best-placed expected one, ties in the middle),
        ``top_1``..., ``chance_1``... (of a random order), ``auroc`` and ``auprc`` (of telling expected
        contexts from those that are neither expected nor neutral), ``spearman`` (with the reference's
        scores).
    methods
        One row per method: ``method``, ``traits`` (counted), the means of the same, ``auroc_by_lineage``
        (mean over lineages of the mean over traits), ``p_auroc`` and ``p_spearman`` (one-sided).
    notes
        What of the two tables couldn't be compared.
    """

    traits: pd.DataFrame
    methods: pd.DataFrame
    notes: list[str]


def compare(
    hypotheses: xr.Dataset | pd.DataFrame,
    reference: Reference | str | os.PathLike[str],
    *,
    top: tuple[int, ...] = (1, 3),
    permutations: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare the ranking of contexts of each trait and method with what is known.

    The permutation test renames the contexts, in all traits at once, so that it keeps what traits and
    contexts have in common; p is the share of renamings that agree with the reference as well as the true
    names do. It counts the contexts that were tested in every compared trait.

    Parameters
    ----------
    hypotheses
        What `phenviz.disease.hypotheses` returned, or what `read_hypotheses` or `table_of` did.
    reference
        From `read_reference`, or what that reads.
    top
        Places k of ``top_k``.
    permutations, seed
        Of the permutation test.

    Raises
    ------
    DataError
        If no trait, or no context, is in both.

    Examples
    --------
    >>> compare(result, "haematopoiesis").methods  # doctest: +SKIP
    """
    known = reference if isinstance(reference, Reference) else read_reference(reference)
    table = table_of(hypotheses) if isinstance(hypotheses, xr.Dataset) else hypotheses
    table = scored(table, Path("hypotheses"))
    matched, notes = _matched(table, known)
    if left_out := table.attrs["left_out"]:
        notes.append(f"left out ({left_out:,}): tests without a number")
    rows, summaries = [], []
    for method, own in matched.groupby("method", sort=False):
        generator = np.random.default_rng(seed)
        found = [_one_trait(part, top) for _, part in own.groupby("trait", sort=False)]
        rows += [{"method": method, **row} for row in found]
        summaries.append(
            {"method": method, **_summary(pd.DataFrame(found)), **_p_values(own, permutations, generator)}
        )
    return Comparison(pd.DataFrame(rows), pd.DataFrame(summaries), notes)


def _matched(table: pd.DataFrame, known: Reference) -> tuple[pd.DataFrame, list[str]]:
    """Give each test of a compared trait what is known of it; also say what has no counterpart."""
    traits = set(table["trait"]) & set(known.table["trait"])
    if not traits:
        raise DataError(
            f"no trait is in both: the hypotheses have {_few(table['trait'])}, the reference {known.name!r} "
            f"{_few(known.table['trait'])}: use the same names"
        )
    keys = table[["context", "context_label", "curie"]].drop_duplicates()
    spelt: dict[str, list[str]] = {}
    for _, row in keys.iterrows():
        for name in dict.fromkeys(str(row[column]).strip().lower() for column in _NAMES if row[column]):
            spelt.setdefault(name, []).append(row["context"])
    pairs = known.table[known.table["trait"].isin(traits)]
    lists = pairs["context"].str.strip().str.lower().map(lambda name: spelt.get(name, []))
    absent = sorted(set(pairs["context"][lists.str.len() == 0]))
    named = pairs.assign(context=lists).explode("context").dropna(subset=["context"])
    if named.empty:
        raise DataError(
            f"no context is in both: the hypotheses have {_few(table['context'])}, the reference "
            f"{known.name!r} {_few(pairs['context'])}: use names, labels or ontology terms of the former"
        )
    # two names of a reference may mean one context; what is expected counts before what is neutral
    order = named["role"].map({EXPECTED: 0, NEUTRAL: 1}).fillna(2)
    named = named.assign(_o=order).sort_values("_o", kind="stable").drop_duplicates(["trait", "context"])
    named = named.rename(columns={"score": "known"})[["trait", "context", "role", "known"]]
    facts = known.table.drop_duplicates("trait")[["trait", "lineage", "counted"]]
    joined = table[table["trait"].isin(traits)].merge(named, on=["trait", "context"], how="left")
    joined = joined.merge(facts, on="trait", how="left").assign(role=lambda frame: frame["role"].fillna(""))
    return joined, _notes(table, known, traits, absent)


def _notes(table: pd.DataFrame, known: Reference, traits: set[str], absent: list[str]) -> list[str]:
    groups = {
        "tested, but not in the reference": set(table["trait"]) - traits,
        "in the reference, but not tested": set(known.table["trait"]) - traits,
        "contexts in the reference, but not tested": set(absent),
    }
    return [
        f"{what} ({len(names):,}): {_few(pd.Series(sorted(names)))}"
        for what, names in groups.items()
        if names
    ]


def _one_trait(own: pd.DataFrame, top: tuple[int, ...]) -> dict[str, object]:
    z, role, known = own["score"].to_numpy(float), own["role"].to_numpy(str), own["known"].to_numpy(float)
    ranked = np.isfinite(known)
    varied = ranked.sum() > 2 and np.ptp(known[ranked]) > 0 and np.ptp(z[ranked]) > 0
    return {
        "trait": own["trait"].iloc[0],
        "lineage": own["lineage"].iloc[0],
        "counted": own["counted"].iloc[0],
        "contexts": len(z),
        "expected": int((role == EXPECTED).sum()),
        **agreement(z, role, top),
        "spearman": float(spearmanr(z[ranked], known[ranked]).statistic) if varied else np.nan,
    }


def agreement(z: Array, roles: NDArray[np.str_], top: tuple[int, ...] = (1, 3)) -> dict[str, float]:
    """Say how a ranking of contexts agrees with which of them are expected.

    Parameters
    ----------
    z
        Evidence for each context, larger means more, (C,).
    roles
        ``expected``, ``neutral`` (counts neither way) or anything else (counts as wrong), (C,).
    top
        Places k of ``top_k``.

    Returns
    -------
    dict[str, float]
        ``rank``, ``top_k`` and ``chance_k``, ``auroc``, ``auprc``, as of `Comparison`; NaN where no context
        is expected, or none is wrong.
    """
    right, judged = roles == EXPECTED, roles != NEUTRAL
    if not right.any() or not (judged & ~right).any():
        names = [f"{name}_{k}" for k in top for name in ("top", "chance")]
        return dict.fromkeys(["rank", *names, "auroc", "auprc"], np.nan)
    # a tie takes the middle of the places that it covers
    rank = float(pd.Series(-z).rank(method="average")[right].min())
    found = {"rank": rank}
    for k in top:
        found[f"top_{k}"] = float(rank <= k)
        found[f"chance_{k}"] = float(hypergeom.sf(0, len(z), right.sum(), min(k, len(z))))
    found["auroc"] = float(roc_auc_score(right[judged], z[judged]))
    return found | {"auprc": float(average_precision_score(right[judged], z[judged]))}


def _summary(found: pd.DataFrame) -> dict[str, object]:
    counted = found[found["counted"]]
    numbers = counted.drop(columns=["trait", "lineage", "counted", "contexts", "expected"])
    by_lineage = counted[counted["lineage"] != ""].groupby("lineage")["auroc"].mean()
    compared = counted[["auroc", "spearman"]].notna().any(axis=1)
    return {
        "traits": int(compared.sum()),
        **{str(name): float(value) for name, value in numbers.mean().items()},
        "auroc_by_lineage": float(by_lineage.mean()),
    }


def _p_values(own: pd.DataFrame, permutations: int, generator: np.random.Generator) -> dict[str, float]:
    """Rename the contexts of all counted traits at once; NaN where fewer than three were tested in all."""
    own = own[own["counted"]]
    wide = {
        name: own.pivot(index="trait", columns="context", values=name) for name in ("score", "known", "role")
    }
    everywhere = wide["score"].notna().all().to_numpy()
    result = {"p_auroc": np.nan, "p_spearman": np.nan}
    if everywhere.sum() < 3:
        return result
    z = wide["score"].to_numpy(float)[:, everywhere]
    known = wide["known"].to_numpy(float)[:, everywhere]
    role = wide["role"].to_numpy(str)[:, everywhere]
    names = np.arange(z.shape[1])
    orders = np.array([names, *(generator.permutation(names) for _ in range(permutations))])
    for name, drawn in (("p_auroc", _aurocs(z, role, orders)), ("p_spearman", _spearmans(z, known, orders))):
        if np.isfinite(drawn[0]):
            # rounding must not part a renaming from the true names that it equals
            result[name] = float(np.mean(drawn >= drawn[0] - 1e-9))
    return result


def _aurocs(z: Array, role: NDArray[np.str_], orders: NDArray[np.intp]) -> Array:
    """Mean AUROC over traits, with the reference's contexts in each order, (B,)."""
    parts = []
    for values, roles in zip(z, role, strict=True):
        right, wrong = roles == EXPECTED, ~np.isin(roles, (EXPECTED, NEUTRAL))
        if right.any() and wrong.any():
            above = (values[:, None] > values) + 0.5 * (values[:, None] == values)
            pairs = np.einsum("bi,ij,bj->b", right[orders] * 1.0, above, wrong[orders] * 1.0, optimize=True)
            parts.append(pairs / (right.sum() * wrong.sum()))
    return np.mean(parts, axis=0) if parts else np.full(len(orders), np.nan)


def _spearmans(z: Array, known: Array, orders: NDArray[np.intp]) -> Array:
    """Mean Spearman correlation over traits, with the reference's contexts in each order, (B,)."""
    complete = np.isfinite(known).all(0)
    parts = []
    # what the reference doesn't rank keeps its place
    places = np.flatnonzero(complete)
    if len(places) < 3:
        return np.full(len(orders), np.nan)
    drawn = np.argsort(orders[:, places], axis=1)
    for values, scores in zip(z[:, places], known[:, places], strict=True):
        if np.ptp(values) > 0 and np.ptp(scores) > 0:
            one = pd.Series(values).rank().to_numpy()
            other = pd.Series(scores).rank().to_numpy()
            one, other = (one - one.mean()) / one.std(), (other - other.mean()) / other.std()
            parts.append(other[drawn] @ one / len(places))
    return np.mean(parts, axis=0) if parts else np.full(len(orders), np.nan)


def _few(names: pd.Series) -> str:
    listed = list(dict.fromkeys(names.astype(str)))
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8:,} more" if len(listed) > 8 else "")
