"""Colours that mean the same on screen and on paper; text, lines and dark surfaces are each side's own."""

from __future__ import annotations

from collections.abc import Iterable

INK = "#1c2733"
MUTED = "#5c6b7a"
ACCENT = "#d9480f"
GENE = "#27496d"
NEUTRAL = "#a9b4bf"
POSITIVE = "#c0392b"
NEGATIVE = "#2a6fb0"
# Okabe-Ito, which readers with any colour vision tell apart
BASES = {"A": "#009e73", "C": "#0072b2", "G": "#d99000", "T": "#d55e00", "N": "#9aa5b1"}
HAPLOTYPES = ("#0072b2", "#d55e00")
# from nothing to much, and from negative over nothing (white) to positive
SEQUENTIAL = ("#fbfcfd", "#dbe9f1", "#9fcadc", "#4f9fc0", "#236c9b", "#15406f", "#0b1f44")
DIVERGING = ("#0b3c78", "#2f74b5", "#93bfdf", "#ffffff", "#f0a893", "#cb4335", "#861a1f")
_LINEAGES = {
    "B cells": "#553cc1",
    "T and NK cells": "#7161e9",
    "myeloid": "#30a271",
    "erythroid, platelets": "#9c3440",
    "progenitors": "#82729f",
}
_GROUP_OF_LINEAGE = {
    "B cells": "lymphoid",
    "T and NK cells": "lymphoid",
    "myeloid": "myeloid",
    "erythroid, platelets": "erythroid",
    "progenitors": "progenitors",
}


def lineage_colours(contexts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each lineage of `phenviz.genome.lineages` the hue of the contexts of its group, if there are any.

    Parameters
    ----------
    contexts
        Group and colour of each, in their order.
    """
    by_group: dict[str, list[str]] = {}
    for group, colour in contexts:
        by_group.setdefault(group, []).append(colour)
    colours = dict(_LINEAGES)
    for lineage, group in _GROUP_OF_LINEAGE.items():
        if own := by_group.get(group):
            # B cells come first in their group, T and NK cells last
            colours[lineage] = own[0 if lineage == "B cells" else -1]
    return colours
