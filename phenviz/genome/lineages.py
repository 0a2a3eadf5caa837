"""Lineages of cell types by their names, as the Cell Ontology writes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Words of cell type names (Cell Ontology) that tell the lineage; the first that fits counts.
_WORDS = {
    "B cells": ("B cell", "plasma cell", "plasmablast"),
    "T and NK cells": ("T cell", "killer", "lymphocyte", "thymocyte", "innate lymphoid"),
    "myeloid": (
        "monocyte", "macrophage", "dendritic", "myeloid", "mast cell", "granulocyte", "neutrophil",
        "eosinophil", "basophil", "leukocyte", "microglia",
    ),
    "erythroid, platelets": ("erythro", "reticulocyte", "megakaryo", "platelet", "normoblast"),
    "progenitors": ("hematopoietic", "haematopoietic", "common lymphoid", "multipotent progenitor"),
}  # fmt: skip
OTHER_TISSUES = "other tissues"
_NOT_BLOOD = ("pancreatic", "plasma cell of", "erythroepithelial")


def lineage_of(cell_type: str) -> str:
    """Lineage of a cell type by its name; ``other tissues`` where it isn't blood."""
    if any(word in cell_type for word in _NOT_BLOOD):
        return OTHER_TISSUES
    for lineage, words in _WORDS.items():
        if any(word in cell_type for word in words):
            return lineage
    return OTHER_TISSUES


def lineages_of(cell_types: pd.Series) -> tuple[list[str], NDArray[np.bool_]]:
    """Find out which lineages each element is active in.

    Parameters
    ----------
    cell_types
        Names joined by ``|``, one entry per element.

    Returns
    -------
    lineages
        Those that occur, blood first.
    member
        Shape (elements, lineages).
    """
    # few of the lists differ, however many elements an assembly has
    row_of, lists = pd.factorize(cell_types.fillna("").astype(str))
    lineage = {name: lineage_of(name) for name in {name for names in lists for name in names.split("|")}}
    present = set(lineage.values())
    lineages = [name for name in (*_WORDS, OTHER_TISSUES) if name in present] or [OTHER_TISSUES]
    member = np.zeros((len(lists), len(lineages)), dtype=bool)
    for row, names in enumerate(lists):
        member[row, [lineages.index(lineage[name]) for name in names.split("|")]] = True
    return lineages, member[row_of]
