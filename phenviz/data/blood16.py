"""The 16 sorted human blood populations that the embedded backbone predicts for.

Names are those of the packs ``blood16-atac`` and ``blood16-rna``. Terms are of the Cell Ontology;
GMP-A, GMP-B and GMP-C share the term of the granulocyte-monocyte progenitor, because the ontology
doesn't divide it, so its CURIE names all three. Colours have one hue per lineage and shades within;
the hues were chosen by search so that lineages stay apart for the common colour vision deficiencies
and every colour stands out from a white and from a near-black page.
"""

from __future__ import annotations

from phenviz.genome.contexts import Context

BLOOD16: tuple[Context, ...] = (
    Context("HSC", "hematopoietic stem cell", "CL:0000037", "progenitors", "#5e4a73"),
    Context("MPP", "multipotent progenitor", "CL:0000837", "progenitors", "#6a5782"),
    Context("LMPP", "lymphoid-primed multipotent progenitor", "CL:0000936", "progenitors", "#766590"),
    Context("CLP", "common lymphoid progenitor", "CL:0000051", "progenitors", "#82729f"),
    Context("GMP-A", "granulocyte-monocyte progenitor A", "CL:0000557", "progenitors", "#8e81af"),
    Context("GMP-B", "granulocyte-monocyte progenitor B", "CL:0000557", "progenitors", "#9b8fbe"),
    Context("GMP-C", "granulocyte-monocyte progenitor C", "CL:0000557", "progenitors", "#a79ece"),
    Context("Mega", "megakaryocyte", "CL:0000556", "megakaryocytic", "#b75410"),
    Context("Ery", "erythroid lineage cell", "CL:0000764", "erythroid", "#9c3440"),
    Context("Mono", "monocyte", "CL:0000576", "myeloid", "#039164"),
    Context("mDC", "myeloid dendritic cell", "CL:0000782", "myeloid", "#30a271"),
    Context("pDC", "plasmacytoid dendritic cell", "CL:0000784", "myeloid", "#4bb37e"),
    Context("B", "B cell", "CL:0000236", "lymphoid", "#553cc1"),
    Context("CD4", "CD4-positive, alpha-beta T cell", "CL:0000624", "lymphoid", "#634fd5"),
    Context("CD8", "CD8-positive, alpha-beta T cell", "CL:0000625", "lymphoid", "#7161e9"),
    Context("NK", "natural killer cell", "CL:0000623", "lymphoid", "#8074fe"),
)

_BY_NAME = {context.name: context for context in BLOOD16}
# the RNA has two progenitors that the ATAC-seq lacks, and no megakaryocytes and myeloid dendritic cells
BLOOD16_RNA: tuple[Context, ...] = (
    *(_BY_NAME[name] for name in ("HSC", "MPP", "LMPP", "CLP", "GMP-A", "GMP-B", "GMP-C")),
    Context("CMP", "common myeloid progenitor", "CL:0000049", "progenitors", "#b0a8d6"),
    Context("MEP", "megakaryocyte-erythroid progenitor cell", "CL:0000050", "progenitors", "#b9b2df"),
    *(_BY_NAME[name] for name in ("Ery", "Mono", "pDC", "B", "CD4", "CD8", "NK")),
)
