"""Loci, the units of resampling: regions that share variants are one, and clumps of variants by distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# half the 1 Mb within which GWAS practice calls neighbouring hits one locus, since leads lie in the middle
LOCUS_REACH = 250_000
# as little posterior as this is no sign of a causal variant
LEAST_LOCUS = 0.001
# what SuSiE, FinnGen and PolyFun write for variants outside all credible sets
_NO_SET = ("", "-1", "-1.0", "0", "0.0", "nan", "<NA>", "None")


def joined_regions(table: pd.DataFrame) -> pd.DataFrame:
    """Name the regions of a file such that those of a trait that share a variant have one name.

    Fine-mapping windows overlap: what two of them hold is one signal.

    Returns
    -------
    pd.DataFrame
        ``region`` (with the credible set, where there is one; empty where the file has neither), and
        ``outside``: whether the row lies outside all credible sets of its trait, which has some.
    """
    region, number = (_text(table, column) for column in ("region", "credible_set"))
    number = number.where(~number.isin(_NO_SET), "")
    region = region.where(~region.isin(_NO_SET), "")
    in_set = number != ""
    outside = in_set.groupby(table["trait"]).transform("any") & ~in_set
    whole = region + np.where((region != "") & in_set, ", ", "") + number
    table = table.assign(region=whole, outside=outside)
    named = table[(whole != "") & ~outside]
    if not len(named):
        return table
    regions = named.groupby(["trait", "region"], sort=True).ngroup().to_numpy()
    variants = named.groupby(["trait", "contig", "position", "ref", "alt"]).ngroup().to_numpy()
    count = regions.max() + 1
    edges = coo_array(
        (np.ones(len(named)), (regions, count + variants)), shape=[count + variants.max() + 1] * 2
    )
    _, component = connected_components(edges, directed=False)
    one_name = named["region"].groupby(component[regions]).transform("min")
    return table.assign(region=table["region"].mask(table.index.isin(named.index), one_name))


def assign_loci(table: pd.DataFrame, reach: int = LOCUS_REACH) -> pd.DataFrame:
    """Part the variants of each trait into loci, the units of resampling.

    Fine-mapping regions may span megabases and hold several signals. Within each trait, contig and
    ``region`` of the file, the variant with the largest posterior takes all within ``reach`` bases as its
    locus, then the largest of the rest, and so on (clumping by distance). Variants ``outside`` credible sets
    make no loci: they belong to the nearest one within reach.

    Returns
    -------
    pd.DataFrame
        With column ``locus``: contig and position of the lead (``20:55990405``), and the region of the file;
        ``outside_credible_sets`` or ``in_no_locus`` (all posteriors near it sum to less than 0.001) for
        the rest.
    """
    locus = np.full(len(table), "outside_credible_sets", dtype=object)
    outside = table["outside"].to_numpy(bool) if "outside" in table else np.zeros(len(table), dtype=bool)
    posterior, position = table["posterior"].to_numpy(float), table["position"].to_numpy(np.int64)
    # without any weight at all, the whole is refused later on, with the reason
    least = LEAST_LOCUS if (posterior > 0).any() else 0.0
    for (_, contig), all_rows in table.groupby(["trait", "contig"], sort=False).indices.items():
        leads: list[tuple[int, str]] = []
        inside = all_rows[~outside[all_rows]]
        regions = table["region"].iloc[inside]
        for region, places in regions.groupby(regions, sort=False).indices.items():
            rows = inside[places]
            order = rows[np.argsort(-posterior[rows], kind="stable")]
            free = np.ones(len(order), dtype=bool)
            while free.any():
                lead = position[order[int(np.argmax(free))]]
                near = free & (np.abs(position[order] - lead) <= reach)
                name = f"{contig}:{lead}" + (f" ({region})" if region else "")
                if posterior[order[near]].sum() < least:
                    name = "in_no_locus"
                else:
                    leads.append((int(lead), name))
                locus[order[near]] = name
                free &= ~near
        for row in all_rows[outside[all_rows]] if leads else []:
            distance, name = min((abs(position[row] - lead), name) for lead, name in leads)
            locus[row] = name if distance <= reach else "outside_credible_sets"
    return table.assign(locus=locus.astype(str)).drop(columns="outside", errors="ignore")


def _text(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series("", index=table.index, dtype=object)
    return table[column].fillna("").astype(str).str.strip()
