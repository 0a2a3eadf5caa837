"""What one context has that others don't."""

from __future__ import annotations

import xarray as xr


def minus_others(mutagenesis: xr.Dataset, context: str) -> xr.Dataset:
    """Return the effects in one context minus their mean over all others that a mutagenesis holds.

    Contributions are linear in effects, so those of the returned result are the differences of contributions.

    Parameters
    ----------
    mutagenesis
        ``effect`` (position, allele, context).
    context
        Short name; where it is the only one, its own effects are returned.
    """
    others = mutagenesis["context"] != context
    chosen = mutagenesis.sel(context=[context])
    if not others.any():
        return chosen
    rest = mutagenesis["effect"].isel(context=others.values).mean("context")
    return chosen.assign(effect=(chosen["effect"] - rest).transpose(*chosen["effect"].dims))
