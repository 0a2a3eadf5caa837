"""Both alleles of a variant: what each base around it contributes, and which motifs change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from phenviz.app.reports.provenance import Ask
from phenviz.effects.motif_change import motif_matches
from phenviz.figures.paper import Paper
from phenviz.figures.report import Block, Table, Words
from phenviz.figures.variants_screen import logos_figure
from phenviz.genome.variant import Variant
from phenviz.results.display import AlleleDisplay, VariantDisplay

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles

# bases on both sides of the variant: of the logos, and of what motifs are called in
_SHOWN_FLANK, _FLANK = 24, 100
# letters of alleles that differ in more bases than this can't be read
_LONGEST_LOGO = 60
_SHOWN_ALLELE = 24


def ask_both(ask: Ask, variant: Variant, context: str) -> BothAlleles | None:
    """Change every base around a variant, with and without it; None where too many differ."""
    from phenviz.effects.both_alleles import BothAlleles

    contig, position, ref, alt = variant
    if len(ref) + len(alt) > _LONGEST_LOGO:
        return None
    where = {"contig": contig, "position": position, "ref": ref, "alt": alt, "flank": _FLANK}
    return BothAlleles.of(ask("both_alleles", contexts=context, **where))


def with_logos(
    display: VariantDisplay, both: BothAlleles | None, variant: Variant, motifs: pd.DataFrame | None
) -> VariantDisplay:
    """Add the logos of both alleles, with the motifs over the variant, to what is drawn of it."""
    if both is None:
        return display
    start, own, other = both.letters(_SHOWN_FLANK)
    alleles = []
    for words, letters, other_change in (
        (f"REF {short_allele(variant.ref)}", own, "gained"),
        (f"ALT {short_allele(variant.alt)}", other, "lost"),
    ):
        hits = [] if motifs is None else motif_matches(motifs[motifs["change"] != other_change])
        alleles.append(AlleleDisplay(words, letters.bases, letters.values, letters.changed, tuple(hits)))
    values = np.concatenate([own.values, other.values])
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.05 * (high - low) or 1.0
    return replace(display, start=start, alleles=tuple(alleles), limits=(low - room, high + room))


def logos_of(both: BothAlleles, variant: Variant, motifs: pd.DataFrame, context: str) -> Paper:
    """Draw the logos of both alleles, with the motifs over the variant."""
    return logos_figure(with_logos(VariantDisplay(context=context), both, variant, motifs), variant.key)


def motif_table(motifs: pd.DataFrame, context: str) -> Block:
    """List the motifs that a variant changes."""
    if motifs.empty:
        return Words([f"Neither allele makes a motif stand out in {context}."])
    columns = {
        "change": ("Change", ""), "motif": ("Motif", ""), "motif_id": ("Matrix", ""),
        "score": ("Contribution", "{:+.3f}"), "p_value": ("p", "{:.1g}"),
    }  # fmt: skip
    note = "lost: REF alone has it; gained: ALT alone; kept: both. p is TOMTOM's, of this motif by itself."
    return Table.of(motifs, columns, caption=f"Motifs over the variant in {context}", note=note)


def short_allele(allele: str) -> str:
    """Write an allele as people can read it: a long one is cut, with its length."""
    if len(allele) <= _SHOWN_ALLELE:
        return allele
    return f"{allele[: _SHOWN_ALLELE // 2]}\N{HORIZONTAL ELLIPSIS} ({len(allele):,} bp)"
