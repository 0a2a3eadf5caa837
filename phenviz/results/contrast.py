"""What one context has that others don't."""

from __future__ import annotations

import xarray as xr


def minus_others(mutagenesis: xr.Dataset, context: str) -> xr.Dataset:
    """Return the effects in one context minus their mean over all comparable others that a mutagenesis holds.

    Contexts of another unit don't count: a mean over accessibility and reporter assays would be neither.
    Contributions are linear in effects, so those of the returned result are the differences of contributions.

    Parameters
    ----------
    mutagenesis
        ``effect`` (position, allele, context).
    context
        Short name; where it is the only one, its own effects are returned.
    """
    others = comparable_others(mutagenesis, context)
    chosen = mutagenesis.sel(context=[context])
    if not others:
        return chosen
    rest = mutagenesis["effect"].sel(context=others).mean("context")
    return chosen.assign(effect=(chosen["effect"] - rest).transpose(*chosen["effect"].dims))


def comparable_others(result: xr.Dataset, context: str) -> list[str]:
    """Return the names of a result's other contexts that are of the same unit as one of them."""
    names = result["context"].values.astype(str)
    others = names != context
    if "units" in result.coords:
        units = result["units"].values.astype(str)
        others &= units == units[names == context]
    return names[others].tolist()
