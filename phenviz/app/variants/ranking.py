"""Variants as tables to read: what each does most, where, and beside which gene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.genome.annotation import Annotation
from phenviz.genome.locus import on_contig
from phenviz.genome.variant import Variant

KEY = ["contig", "position", "ref", "alt"]


def with_keys(variants: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``key`` (`Variant.key`)."""
    keys = [Variant(*row).key for row in variants[KEY].itertuples(index=False)]
    return variants.assign(key=pd.Series(keys, index=variants.index, dtype=object))


def nearest_genes(variants: pd.DataFrame, annotation: Annotation) -> tuple[NDArray[np.object_], NDArray]:
    """Find the gene that each variant lies in or nearest to.

    Parameters
    ----------
    variants
        Columns contig, position (from 1).
    annotation
        Genes.

    Returns
    -------
    names
        Shape (n,); "" where the contig has none.
    distance
        Bases to the gene, 0 inside, negative left of it; NaN where there is none; shape (n,).
    """
    names = np.full(len(variants), "", dtype=object)
    distance = np.full(len(variants), np.nan)
    for contig in variants["contig"].unique():
        genes = annotation.genes[on_contig(annotation.genes["contig"], str(contig))]
        if genes.empty:
            continue
        here = np.flatnonzero(variants["contig"] == contig)
        place = variants["position"].to_numpy()[here] - 1
        starts, ends = genes["start"].to_numpy(), genes["end"].to_numpy()
        for rows in np.array_split(np.arange(len(here)), max(len(here) // 20_000, 1)):
            at = place[rows][:, None]
            gap = np.where(at < starts, at - starts, np.where(at >= ends, at - ends + 1, 0))
            best = np.abs(gap).argmin(axis=1)
            names[here[rows]] = genes["gene_name"].to_numpy()[best]
            distance[here[rows]] = gap[np.arange(len(rows)), best]
    return names, distance


def genes_around(
    annotation: Annotation, contig: str, position: int, *, within: int = 500_000, most: int = 6
) -> pd.DataFrame:
    """Return the genes whose TSS lie nearest to a base, nearest first.

    Parameters
    ----------
    contig, position
        The base, counted from 1.
    within, most
        Bases to the TSS, and genes, at most.

    Returns
    -------
    pd.DataFrame
        `phenviz.genome.annotation.GENE_COLUMNS`, ``tss`` (0-based) and ``distance`` from the base to it.
    """
    genes = annotation.genes[on_contig(annotation.genes["contig"], contig)]
    near = genes.assign(distance=genes["tss"] - (position - 1))
    near = near[near["distance"].abs() <= within]
    return near.iloc[np.argsort(near["distance"].abs().to_numpy(), kind="stable")[:most]]


def strongest_effects(effects: xr.Dataset, contexts: Sequence[str]) -> pd.DataFrame:
    """Find what each variant does most among some contexts.

    Parameters
    ----------
    effects
        ``effect`` (variant, context) and, where there are, ``quantile`` and ``active``.
    contexts
        Names of the contexts to look at; those that the result lacks don't count.

    Returns
    -------
    pd.DataFrame
        One row per variant, in their order: context ("" where nothing is known), effect, quantile (NaN then),
        and the activity there (contexts of several units have no activity in common).
    """
    known = [str(name) for name in effects["context"].to_numpy()]
    columns = [known.index(name) for name in contexts if name in known]
    count = effects.sizes["variant"]
    unknown = np.full(count, np.nan)
    table = pd.DataFrame({"context": "", "effect": unknown, "quantile": unknown, "active": unknown})
    if not columns or not count:
        return table
    values = effects["effect"].transpose("variant", "context").to_numpy()[:, columns].astype(float)
    best = np.nan_to_num(np.abs(values), nan=-1.0).argmax(axis=1)
    rows = np.arange(count)
    table["effect"] = values[rows, best]
    named = np.array([known[column] for column in columns], dtype=object)[best]
    table["context"] = np.where(np.isfinite(table["effect"]), named, "")
    for name in ("quantile", "active"):
        if name in effects:
            there = effects[name].transpose("variant", "context").to_numpy()[:, columns]
            table[name] = there[rows, best]
    return table


def ranked(
    variants: pd.DataFrame, effects: xr.Dataset | None, contexts: Sequence[str], annotation: Annotation
) -> pd.DataFrame:
    """Return variants with their strongest effect and their gene, the strongest first.

    Parameters
    ----------
    variants
        `phenviz.variation.VARIANT_COLUMNS` and others, which are kept.
    effects
        Of these variants, in their order; None while they are computed.
    contexts
        Contexts that count.
    annotation
        Genes.

    Returns
    -------
    pd.DataFrame
        Also key, context, effect, quantile, active, gene, distance.
    """
    table = with_keys(variants).reset_index(drop=True)
    if effects is not None and effects.sizes["variant"] == len(table):
        table = pd.concat([table, strongest_effects(effects, contexts)], axis=1)
    else:
        table = table.assign(context="", effect=np.nan, quantile=np.nan, active=np.nan)
    table["gene"], table["distance"] = nearest_genes(table, annotation)
    order = np.argsort(-np.nan_to_num(np.abs(table["effect"].to_numpy()), nan=-1.0), kind="stable")
    return table.iloc[order].reset_index(drop=True)
