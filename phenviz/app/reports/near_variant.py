"""What lies near a variant: genes, what it changes in their expression, and who carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.app.variants.ranking import genes_around
from phenviz.figures import expression_effects_figure
from phenviz.figures.report import Attachment, Drawing, Figures, Section, Table, Words
from phenviz.genome.variant import Variant
from phenviz.results.comments import comments
from phenviz.results.expression_effects import expression_effects_table

if TYPE_CHECKING:
    from phenviz.world import World

_GENES = 6


def expression_summary(expression: xr.Dataset) -> pd.DataFrame:
    """Return where the expression of each gene changes most, genes nearest first.

    Returns
    -------
    pd.DataFrame
        ``gene``, ``distance`` (of the variant from the TSS), ``context``, ``label``, ``change``, ``row`` (of
        the pair).
    """
    values = expression["expression_effect"].transpose("pair", "context").to_numpy().astype(float)
    best = np.nan_to_num(np.abs(values), nan=-1.0).argmax(1)
    table = pd.DataFrame(
        {
            "gene": expression["gene"].values.astype(str),
            "distance": expression["distance"].values,
            "context": expression["context"].values.astype(str)[best],
            "label": expression["context_label"].values.astype(str)[best],
            "change": values[np.arange(len(values)), best],
            "row": np.arange(len(values)),
        }
    )
    return table.iloc[np.argsort(table["distance"].abs().to_numpy(), kind="stable")].reset_index(drop=True)


def expression_section(expression: xr.Dataset) -> Section:
    """Lay out what a variant changes in the expression of the genes in reach."""
    title = "Expression"
    if not expression.sizes["pair"]:
        return Section(title, [Words(["No gene's expression is read out from where the variant lies."])])
    table = expression_summary(expression)
    near = np.sort(table["row"].to_numpy()[:_GENES])
    alt = "Change of the expression of genes nearby, by tissue; the table below has the largest ones"
    figure = expression_effects_figure(expression.isel(pair=near))
    columns = {
        "gene": ("Gene", ""), "distance": ("Bases downstream of the TSS", "{:+,}"),
        "context": ("Largest in", ""),
        "label": ("Cell type or tissue", ""), "change": ("Change", "{:+.4f}"),
    }  # fmt: skip
    file = Attachment.of("expression.tsv", expression_effects_table(expression), list(comments(expression)))
    note = f"Change: {expression.attrs['definition']} ({expression.attrs['units']})."
    drawn = Drawing.of(figure, "Genes that begin nearest, by tissue.", alt)
    return Section(
        title, [Figures([drawn]), Table.of(table, columns, caption="Genes in reach", note=note, file=file)]
    )


def genes_section(world: World, variant: Variant) -> Section:
    """List the genes that begin nearest."""
    contig, position, _, _ = variant
    near = genes_around(world.annotation, contig, position, most=_GENES)
    if near.empty:
        return Section("Genes nearby", [Words(["None within 500 kb."])])
    at = position - 1
    inside = ["inside" if gene.start <= at < gene.end else "" for gene in near.itertuples(index=False)]
    columns = {
        "gene_name": ("Gene", ""), "gene_id": ("Stable id", ""), "strand": ("Strand", ""),
        "tss": ("TSS", "{:,}"), "distance": ("TSS, bases to the right", "{:+,}"), "inside": ("", ""),
    }  # fmt: skip
    return Section("Genes nearby", [Table.of(near.assign(inside=inside, tss=near["tss"] + 1), columns)])


def people_section(world: World, variant: Variant) -> Section:
    """Count who carries a variant among the world's individuals."""
    from phenviz.variation.frequencies import carriers_of

    title = "Who carries it"
    if world.individuals is None:
        return Section(title, [Words(["This world has no individuals, so that no frequency is known."])])
    counts = carriers_of(variant, world.individuals)
    if counts.empty:
        said = f"It isn't among the variants of the world's {len(world.individuals):,} individuals."
        return Section(title, [Words([said])])
    counts = counts.assign(group=counts["group"].replace("", "unknown"))
    columns = {
        "group": ("Population", ""), "carriers": ("Carriers", "{:,}"), "homozygous": ("Homozygous", "{:,}"),
        "allele_count": ("Alleles", "{:,}"), "allele_number": ("of", "{:,}"),
        "allele_frequency": ("Frequency", "{:.3f}"),
    }  # fmt: skip
    caption = f"Carriers among the world's {len(world.individuals):,} individuals"
    return Section(title, [Table.of(counts, columns, caption=caption)])
