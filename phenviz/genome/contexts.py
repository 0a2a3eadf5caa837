"""A cell type or tissue that a model predicts for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """One cell type or tissue.

    Parameters
    ----------
    name
        Short name, as in the data (``Ery``).
    label
        Name to read (``erythroid``).
    curie
        Ontology term (``CL:0000764``, ``UBERON:...``).
    group
        Lineage or organ system that the context belongs to.
    colour
        ``#rrggbb``; contexts of a group share their hue.
    """

    name: str
    label: str
    curie: str
    group: str
    colour: str
