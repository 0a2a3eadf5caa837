"""Predicted expression of several genes or people, joined into one table."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from phenviz.effects.personal_expression import Saving


def join_genes(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join what `predict_expression` returned for different genes of the same individuals and contexts.

    Parameters
    ----------
    parts
        At least one, in the order wanted.
    """
    joined = xr.concat(
        list(parts), dim="gene", data_vars="minimal", coords="minimal", compat="equals", join="exact",
        combine_attrs="override",
    )  # fmt: skip
    together = [part.attrs for part in parts if part.attrs["contig"] == parts[0].attrs["contig"]]
    savings = (Saving.of(part.attrs) for part in parts)
    return joined.assign_attrs(
        start=min(attrs["start"] for attrs in together),
        end=max(attrs["end"] for attrs in together),
        phasing="; ".join(dict.fromkeys(str(part.attrs["phasing"]) for part in parts)),
        variants_skipped=sum(int(part.attrs["variants_skipped"]) for part in parts),
        **{
            name: "; ".join(filter(None, (str(part.attrs[name]) for part in parts)))
            for name in ("records_left_out", "not_covered")
        },
        **sum(savings, Saving()).attrs(),
    )


def join_people(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join what `predict_expression` returned for different people, of the same genes and contexts.

    Parameters
    ----------
    parts
        At least one, in the order wanted. The number of different haplotypes is that of the parts together,
        where one that two parts share counts twice.
    """
    if len(parts) == 1:
        return parts[0]
    unique = sum(part["unique_haplotypes"].values for part in parts)
    joined = xr.concat(
        [part.drop_vars("unique_haplotypes") for part in parts], dim="individual", data_vars="minimal",
        coords="minimal", compat="equals", join="exact", combine_attrs="override",
    )  # fmt: skip
    texts = {
        name: "; ".join(filter(None, dict.fromkeys(str(part.attrs[name]) for part in parts)))
        for name in ("phasing", "records_left_out", "not_covered")
    }
    joined = joined.assign_coords(unique_haplotypes=("gene", unique)).assign_attrs(
        texts,
        variants_skipped=sum(int(part.attrs["variants_skipped"]) for part in parts),
        **sum((Saving.of(part.attrs) for part in parts), Saving()).attrs(),
    )
    joined.attrs.pop("sample", None)
    return joined
