"""A person's two haplotypes beside the reference: where activity and expression differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.errors import ResultError
from phenviz.figures import expression_figure
from phenviz.figures.report import Attachment, Block, Drawing, Figures, Section, Table, Words
from phenviz.results import bin_size_of
from phenviz.results.comments import comments
from phenviz.results.expression import expression_table


def difference_table(prediction: xr.Dataset) -> pd.DataFrame:
    """Return where each context's activity differs most from the reference's, the largest first.

    Returns
    -------
    pd.DataFrame
        ``context``, ``label``, ``group``, ``haplotype``, ``largest`` (difference, signed), ``position`` (the
        middle of the bin, counted from 1), ``units``.
    """
    wide = prediction["activity"].transpose("haplotype", "context", "bin")
    change = (wide - wide.sel(haplotype="reference")).sel(haplotype=["1", "2"]).to_numpy().astype(float)
    flat = np.nan_to_num(change.transpose(1, 0, 2).reshape(change.shape[1], -1))
    best = np.abs(flat).argmax(1)
    haplotype, place = np.divmod(best, change.shape[2])
    units = prediction["units"].values if "units" in prediction.coords else prediction.attrs["units"]
    table = pd.DataFrame(
        {
            "context": prediction["context"].values.astype(str),
            "label": prediction["context_label"].values.astype(str),
            "group": prediction["group"].values.astype(str),
            "haplotype": haplotype + 1,
            "largest": flat[np.arange(len(flat)), best],
            "position": prediction["bin_start"].to_numpy()[place] + bin_size_of(prediction) // 2 + 1,
            "units": units,
        }
    )
    order = np.argsort(-table["largest"].abs().to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def expressed_section(expression: xr.Dataset) -> Section:
    """Lay out the expression of genes from each haplotype."""
    table = expression_changes(expression)
    columns = {
        "gene": ("Gene", ""), "haplotype": ("Haplotype", ""), "variants": ("Variants seen", "{:,}"),
        "context": ("Changes most in", ""), "label": ("Cell type or tissue", ""),
        "change": ("Change", "{:+.4f}"),
    }  # fmt: skip
    file = Attachment.of("expression.tsv", expression_table(expression), list(comments(expression)))
    note = f"Change from the reference's: {expression.attrs['definition']} ({expression.attrs['units']})."
    blocks: list[Block] = []
    try:
        figure = expression_figure(expression)
    except ResultError:
        blocks.append(Words(["No haplotype has a variant where these genes are read out from."]))
    else:
        alt = (
            "Change of expression of each gene and haplotype by tissue; the table below has the largest ones"
        )
        blocks.append(Figures([Drawing.of(figure, "Change from the reference's expression.", alt)]))
    caption = "Genes that begin in the locus"
    return Section("Expression", [*blocks, Table.of(table, columns, caption=caption, note=note, file=file)])


def expression_changes(expression: xr.Dataset) -> pd.DataFrame:
    """Return where the expression of each gene from each haplotype of one person changes most."""
    wide = expression["expression"].transpose("individual", "gene", "haplotype", "context").isel(individual=0)
    change = wide - wide.sel(haplotype="reference")
    seen = expression["variants"].isel(individual=0)
    labels = expression["context_label"].values.astype(str)
    names = expression["context"].values.astype(str)
    rows = []
    for gene, called in enumerate(expression["gene"].values.astype(str)):
        for haplotype in ("1", "2"):
            own = change.isel(gene=gene).sel(haplotype=haplotype).values.astype(float)
            best = int(np.nan_to_num(np.abs(own), nan=-1.0).argmax())
            count = int(seen.isel(gene=gene).sel(haplotype=haplotype).values)
            # where nothing is known of the person, there is no number
            where = (names[best], labels[best]) if np.isfinite(own[best]) else ("", "unknown")
            rows.append((called, haplotype, count, *where, own[best]))
    return pd.DataFrame(rows, columns=["gene", "haplotype", "variants", "context", "label", "change"])
