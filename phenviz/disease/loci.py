"""Loci, the units of resampling: credible sets, regions that share variants, and clumps by distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# half the 1 Mb within which GWAS practice calls neighbouring hits one locus, since leads lie in the middle
LOCUS_REACH = 250_000
# as little posterior as this is no sign of a causal variant
LEAST_LOCUS = 0.001
# one causal signal has a posterior of 1 in all; the rest is rounding, and what other signals leave there
MOST_OF_A_SIGNAL = 1.05
# what SuSiE, FinnGen and PolyFun write for variants outside all credible sets
_NO_SET = ("", "-1", "-1.0", "0", "0.0", "nan", "<NA>", "None")
# 1, L1, signal2; and ENSG00000125735_L1 or 20:1-3000000:2, which name the region, too
_BARE_SET = r"^[A-Za-z]*\d+$"
_SET_OF_A_REGION = r"^(.+?)[\W_]+[A-Za-z]*\d{1,2}$"
_VARIANT = ["trait", "contig", "position", "ref", "alt"]


def joined_regions(table: pd.DataFrame) -> pd.DataFrame:
    """Name regions and credible sets such that those of a trait that are one signal have one name.

    Fine-mapping windows overlap: what two of them hold is one signal. Where windows have several credible
    sets, two sets are one signal if each shares more posterior with the other than with any other set of the
    other's window. Sets of one region are signals of their own, also where they share variants.

    Returns
    -------
    pd.DataFrame
        ``region`` (with the credible set, where there is one; empty where the file has neither), ``outside``
        (whether the row lies outside all credible sets of its trait, which has some), ``one_signal`` (whether
        all rows of that name in a contig are one credible set, however wide), and as the file has them
        ``window`` and ``set_name``, both empty where there is none.
    """
    window, number = windows_and_sets(table)
    in_set = number != ""
    outside = in_set.groupby(table["trait"]).transform("any") & ~in_set
    region = _text(table, "region")
    region = region.where(~region.isin(_NO_SET), "")
    whole = region + np.where((region != "") & in_set, ", ", "") + number
    table = table.assign(region=whole, outside=outside, one_signal=False, window=window, set_name=number)
    named = table[(whole != "") & ~outside]
    if not len(named):
        return table
    signal = named.groupby(["trait", "window", "region"], sort=True).ngroup()
    held = (
        named.assign(signal=signal)
        .groupby(["signal", *_VARIANT], sort=False)["posterior"]
        .max()
        .reset_index()
    )
    first, second = _same_signal(held, named["window"].groupby(signal).first())
    count = int(signal.max()) + 1
    _, component = connected_components(
        coo_array((np.ones(len(first)), (first, second)), shape=(count, count)), directed=False
    )
    joined = component[signal.to_numpy()]
    one_name = named["region"].groupby(joined).transform("min")
    alone = _one_signal(named, held, signal).groupby(joined).transform("all")
    here = table.index.isin(named.index)
    return table.assign(
        region=table["region"].mask(here, one_name), one_signal=alone.reindex(table.index, fill_value=False)
    )


def windows_and_sets(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the fine-mapped region and the credible set of each row; empty where the file has none."""
    region, number = (_text(table, column) for column in ("region", "credible_set"))
    # a column of whole numbers with gaps is read as 1.0, 2.0...
    number = number.str.replace(r"\.0+$", "", regex=True)
    # some say only whether a variant is in a set
    number = number.mask(number.str.lower() == "true", "1")
    number = number.where(~number.isin(_NO_SET) & (number.str.lower() != "false"), "")
    region = region.where(~region.isin(_NO_SET), "")
    named = number.str.extract(_SET_OF_A_REGION)[0].where(~number.str.match(_BARE_SET), "").fillna(number)
    return region.where(region != "", named), number


def posterior_of_variants(table: pd.DataFrame, variant: Sequence[str] = _VARIANT) -> pd.Series:
    """Return the posterior of each variant of a trait, however many sets and windows list it.

    In several credible sets of one region it may be causal in any of them: 1 - prod(1 - p) over the sets.
    Where the file gives all variants of a trait that are in several sets one and the same number in each,
    that is the posterior of the variant as a whole, and counts once. Of several windows the largest counts.

    Parameters
    ----------
    table
        ``posterior``, ``region`` and ``credible_set`` as the file has them, and the columns of ``variant``.

    Returns
    -------
    pd.Series
        With ``variant`` as index.
    """
    names = list(variant)
    largest = table.groupby(names, sort=False)["posterior"].max()
    again = table[table.duplicated(names, keep=False)]
    window, number = windows_and_sets(again)
    again = again.assign(_window=window, _set=number)[number != ""]
    each = again.groupby([*names, "_window", "_set"], sort=False)["posterior"].max()
    inside = each.groupby([*names, "_window"], sort=False)
    several = inside.transform("size") > 1
    if not several.any():
        return largest
    unlike = (inside.transform("max") - inside.transform("min"))[several].groupby("trait").max() > 1e-9
    of_sets = each.index.get_level_values("trait").isin(unlike.index[unlike])
    rest = np.log1p(-each[several.to_numpy() & of_sets].clip(upper=1 - 1e-15))
    together = -np.expm1(rest.groupby([*names, "_window"], sort=False).sum())
    together = together.groupby(names, sort=False).max().reindex(largest.index)
    return largest.where(~(together > largest), together)


def assign_loci(table: pd.DataFrame, reach: int = LOCUS_REACH) -> pd.DataFrame:
    """Part the variants of each trait into loci, the units of resampling.

    Fine-mapping regions may span megabases and hold several signals. Within each trait, contig and
    ``region`` of the file, the variant with the largest posterior takes all within ``reach`` bases as its
    locus, then the largest of the rest, and so on (clumping by distance). What is ``one_signal`` of the file
    is one locus, however wide. Variants ``outside`` credible sets make no loci: they belong to the nearest
    one within reach.

    Returns
    -------
    pd.DataFrame
        With column ``locus``: contig and position of the lead (``20:55990405``), and the region of the file;
        ``outside_credible_sets`` or ``in_no_locus`` (all posteriors near it sum to less than 0.001) for
        the rest.
    """
    locus = np.full(len(table), "outside_credible_sets", dtype=object)
    outside, one_signal = (_flags(table, name) for name in ("outside", "one_signal"))
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
                near = free & ((np.abs(position[order] - lead) <= reach) | one_signal[order])
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
    return table.assign(locus=locus.astype(str)).drop(columns=["outside", "one_signal"], errors="ignore")


def _same_signal(held: pd.DataFrame, window: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Pair the signals of different windows that share more with each other than with others there."""
    shared = held.assign(window=held["signal"].map(window))[held.duplicated(_VARIANT, keep=False)]
    pairs = shared.merge(shared, on=_VARIANT, suffixes=("", "_2"))
    pairs = pairs[pairs["window"] != pairs["window_2"]]
    pairs = pairs.assign(common=pairs[["posterior", "posterior_2"]].min(axis=1))
    common = pairs.groupby(["signal", "window", "signal_2", "window_2"], sort=True)["common"].sum()
    best = common == common.groupby(["signal", "window_2"]).transform("max")
    best &= common == common.groupby(["signal_2", "window"]).transform("max")
    chosen = common[best].reset_index()
    return chosen["signal"].to_numpy(np.intp), chosen["signal_2"].to_numpy(np.intp)


def _one_signal(named: pd.DataFrame, held: pd.DataFrame, signal: pd.Series) -> pd.Series:
    """Tell which rows are of a credible set that can only be one signal.

    Files that don't name regions call sets of all of them 1, 2...: such a set is one signal where its
    variants lie no further apart than loci do.
    """
    total = held.groupby("signal")["posterior"].sum()
    places = held.sort_values(["signal", "contig", "position"])
    gap = places.groupby(["signal", "contig"])["position"].diff().groupby(places["signal"]).max()
    near = (signal.map(gap).fillna(0) <= LOCUS_REACH) | (named["window"] != "")
    return (named["set_name"] != "") & (signal.map(total) <= MOST_OF_A_SIGNAL) & near


def _flags(table: pd.DataFrame, column: str) -> np.ndarray:
    return table[column].to_numpy(bool) if column in table else np.zeros(len(table), dtype=bool)


def _text(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series("", index=table.index, dtype=object)
    return table[column].astype(str).where(table[column].notna(), "").str.strip()
