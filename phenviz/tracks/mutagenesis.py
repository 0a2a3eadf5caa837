"""In-silico mutagenesis: which bases matter, as a sequence logo, and every change as a heat map."""

from __future__ import annotations

import numpy as np
import xarray as xr

from phenviz.results import base_starts, contribution, exact_intervals, reference_bases
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import HeatMap, number_hover
from phenviz.tracks.overlay import Scale
from phenviz.tracks.signed_signal import (
    Bases,
    SignedPlot,
    choose_context,
    covered_part,
    elsewhere,
    label_of,
)
from phenviz.tracks.stretches import Stretches
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.viewport import Stretch, View, nice_ceiling

LETTERS_BELOW = 500
_EMPTY = "Run mutagenesis to see which bases matter"
_DEFINITION = "contribution of a base: minus the mean effect of its changes"
_TINTED = "tinted: predicted exactly, elsewhere to first order"


class Mutations:
    """One context of a mutagenesis, laid out along its contig.

    Parameters
    ----------
    dataset
        The result, or the part of it that is there.
    focus
        Context to draw, if the result has it.
    contig
        Contig of the browser.
    """

    def __init__(self, dataset: xr.Dataset, focus: str, contig: str) -> None:
        context = choose_context(dataset, focus)
        one = dataset if context is None else dataset.sel(context=[context])
        positions = base_starts(one)
        self.label = label_of(dataset, context)
        self.alleles = [str(allele) for allele in one["allele"].to_numpy()]
        effect = one["effect"].transpose("allele", "position", ...).to_numpy().reshape(len(self.alleles), -1)
        per_base = contribution(one).transpose("position", ...).to_numpy().reshape(1, -1)
        self.effects = Bases.of(contig, positions, effect)
        self.contributions = Bases.of(contig, positions, per_base)
        letters = np.full(self.effects.pyramid.n_bins, "N")
        letters[positions - self.effects.start] = reference_bases(one)
        self.reference = "".join(letters)
        known = np.abs(effect[np.isfinite(effect)])
        self.limit = nice_ceiling(float(known.max())) if known.size else 1.0
        self.units = str(dataset.attrs.get("units", ""))
        self.exact = exact_intervals(dataset)

    def described(self, text: str) -> str:
        """Add to a description how the bases were computed, where not all were alike."""
        return text if self.exact is None else f"{text} · {_TINTED}"


class Contribution(Track):
    """Minus the mean effect of the three changes of each base: letters, or areas when zoomed out."""

    name = "contribution"
    title = "Mutagenesis"
    margin = 0.6

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 92, (-1, 1))
        self._mutations: Mutations | None = None
        self._exact = Stretches(self)
        self._plot = SignedPlot(self)
        self._exact.restyle(theme.accent)

    def set_mutations(self, mutations: Mutations | None) -> None:
        """Draw another result."""
        self._mutations = mutations
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self._plot.restyle(theme)
        self._exact.restyle(theme.accent)
        super().restyle(theme)

    def load(self, stretch: Stretch, view: View) -> None:
        """Draw the bases of a stretch."""
        mutations = self._mutations
        if mutations is None or not mutations.contributions.overlaps(stretch.locus):
            self._plot.clear()
            self._exact.clear()
            return
        self._exact.show(mutations.exact or [], stretch.locus)
        bases = mutations.contributions
        if view.length <= LETTERS_BELOW:
            begin, values = bases.values(stretch.locus)
            self._plot.show_letters(begin, mutations.reference[begin - bases.start :], values[0])
        else:
            summary = bases.summary(stretch, view.pixels)
            self._plot.show_areas(summary.edges, summary.minimum[0], summary.maximum[0])

    def follow(self, view: View) -> None:
        """Say what is drawn, or where there would be something."""
        if self._mutations is None:
            self.say(empty=_EMPTY)
        elif self._mutations.contributions.overlaps(view.locus):
            self.say(
                description=self._mutations.described(f"{self._mutations.label} · {_DEFINITION}"),
                note=covered_part(self._mutations.contributions.locus, view) or "",
            )
        else:
            self.say(empty=elsewhere("Mutagenesis was computed", self._mutations.contributions.locus))


class Effects(Track):
    """Effect of every change: a row an allele."""

    name = "effects"
    title = "Effect of each change"
    margin = 0.6

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 4 * 17, (0, 4))
        self._mutations: Mutations | None = None
        self._heat = HeatMap(self, theme.diverging)
        self.add_hover(
            self._heat.renderer,
            [("change to", "$y{custom}"), ("effect", "@image{custom}"), ("position", "$x{custom}")],
            number_hover(),
        )
        self._name_rows()

    def set_mutations(self, mutations: Mutations | None) -> None:
        """Draw another result."""
        self._mutations = mutations
        self._name_rows()
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._heat.mapper.palette = list(theme.diverging)
        self._name_rows()
        super().restyle(theme)

    def load(self, stretch: Stretch, view: View) -> None:
        """Draw the changes of a stretch; of those that share a pixel the strongest."""
        mutations = self._mutations
        if mutations is None or not mutations.effects.overlaps(stretch.locus):
            self._heat.clear()
            self.say(empty="Every base changed to every other base, one by one" if mutations is None else "")
            return
        summary = mutations.effects.summary(stretch, view.pixels)
        self._heat.mapper.update(low=-mutations.limit, high=mutations.limit)
        self._heat.show(summary.edges, summary.strongest)
        limit = f"{mutations.limit:g}"
        scale = Scale(f"−{limit}", self.theme.diverging, limit)
        self.say(description=mutations.units, scale=scale)

    def _name_rows(self) -> None:
        alleles = self._mutations.alleles if self._mutations is not None else list("ACGT")
        colours = [legible(self.theme.bases.get(a, self.theme.ink), self.theme) for a in alleles]
        self.name_rows(alleles, colours, 12)
