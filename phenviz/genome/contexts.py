"""A cell type or tissue that a model predicts for."""

from __future__ import annotations

from collections.abc import Sequence
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


def fitting(contexts: Sequence[Context], wanted: str) -> list[int]:
    """Return the places of the contexts that a name, a label or a CURIE fits, else of those in such a group.

    Case doesn't matter. A CURIE may stand for several contexts, such as the stages of one cell type.
    """
    text = wanted.strip().casefold()
    for words in (lambda c: (c.name, c.label, c.curie), lambda c: (c.group,)):
        found = [
            place for place, context in enumerate(contexts) if text in (w.casefold() for w in words(context))
        ]
        if found:
            return found
    return []
