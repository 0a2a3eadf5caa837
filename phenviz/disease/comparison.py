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
from phenviz.disease.name_matching import NAME, NOTHING, match_contexts, match_traits
from phenviz.errors import DataError

Array = NDArray[np.float64]


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
        What the reference is, and what of the two tables couldn't be compared.
    matches
        What was matched with what, and what has no counterpart: `phenviz.disease.name_matching`.
    """

    traits: pd.DataFrame
    methods: pd.DataFrame
    notes: list[str]
    matches: pd.DataFrame


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
    matched, matches = _matched(table, known)
    notes = _notes(known, matches)
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
    return Comparison(pd.DataFrame(rows), pd.DataFrame(summaries), notes, matches)


def _matched(table: pd.DataFrame, known: Reference) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give each test of a compared trait what is known of it; also return what was matched with what."""
    names = match_traits(table["trait"], known.table["trait"])
    renamed = names[(names["tested"] != "") & (names["reference"] != "")]
    if renamed.empty:
        raise DataError(
            f"no trait is in both: the hypotheses have {_few(table['trait'])}, the reference {known.name!r} "
            f"{_few(known.table['trait'])}: use the same names"
        )
    pairs = renamed[["tested", "reference"]].merge(
        known.table, left_on="reference", right_on="trait", how="left"
    )
    pairs = pairs.drop(columns=["reference", "trait"]).rename(columns={"tested": "trait"})
    contexts = match_contexts(
        table[["context", "context_label", "curie"]].drop_duplicates("context"),
        pairs["context"],
        by_organ=known.partial,
    )
    both = contexts[(contexts["tested"] != "") & (contexts["reference"] != "")]
    if both.empty:
        raise DataError(
            f"no context is in both: the hypotheses have {_few(table['context'])}, the reference "
            f"{known.name!r} {_few(pairs['context'])}: use names, labels or ontology terms of the former"
        )
    matches = pd.concat([names, contexts], ignore_index=True)
    compared = table[table["trait"].isin(renamed["tested"])]
    if known.partial:
        compared, both = _as_told_apart(compared, both)
    named = both[["tested", "reference"]].merge(pairs, left_on="reference", right_on="context", how="inner")
    named = _one_each(named.drop(columns=["reference", "context"]).rename(columns={"tested": "context"}))
    facts = pairs.drop_duplicates("trait")[["trait", "lineage", "counted"]]
    joined = compared.merge(named, on=["trait", "context"], how="left")
    joined = joined.merge(facts, on="trait", how="left").assign(role=lambda frame: frame["role"].fillna(""))
    return joined, matches


def _as_told_apart(table: pd.DataFrame, both: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average the tests of contexts that the reference has as one; leave out what it doesn't have."""
    groups = both.groupby("tested", sort=False)["reference"].agg(lambda names: " + ".join(sorted(names)))
    members = groups.reset_index().groupby("reference", sort=False)["tested"].agg(", ".join)
    name = groups.map(members)
    kept = table[table["context"].isin(name.index)]
    kept = kept.assign(context=kept["context"].map(name))
    keys = ["trait", "context", "method"]
    mean = kept.groupby(keys, sort=False, as_index=False)["score"].mean()
    one = both.assign(tested=both["tested"].map(name)).drop_duplicates(["tested", "reference"])
    return mean, one


def _one_each(named: pd.DataFrame) -> pd.DataFrame:
    """Give each trait and context one role and score, where several of the reference's contexts are its."""
    # what is expected counts before what is neutral
    order = named["role"].map({EXPECTED: 0, NEUTRAL: 1}).fillna(2)
    keys = ["trait", "context"]
    score = named.groupby(keys, sort=False)["score"].mean().rename("known").reset_index()
    role = named.assign(_o=order).sort_values("_o", kind="stable").drop_duplicates(keys)[[*keys, "role"]]
    return role.merge(score, on=keys)


def _notes(known: Reference, matches: pd.DataFrame) -> list[str]:
    notes = [known.about] if known.about else []
    for kind, many in (("trait", "traits"), ("context", "contexts")):
        own = matches[matches["kind"] == kind]
        others = own[~own["by"].isin([NAME, NOTHING])]
        if len(others):
            pairs = others["tested"] + " as " + others["reference"] + " (" + others["by"] + ")"
            notes.append(f"{many} matched under another name ({len(others):,}): {_few(pairs)}")
        for side, words in (
            ("tested", f"{many} tested, but not in the reference"),
            ("reference", f"{many} in the reference, but not tested"),
        ):
            alone = own[(own["by"] == NOTHING) & (own[side] != "")][side]
            if len(alone):
                notes.append(f"{words} ({len(alone):,}): {_few(alone.sort_values())}")
    return notes


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
