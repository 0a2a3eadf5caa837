"""In-silico mutagenesis: which bases matter, as a sequence logo, and every change as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from phenviz.results import base_starts, contribution, exact_intervals, reference_bases
from phenviz.results.contrast import comparable_others, minus_others
from phenviz.results.display import Display, MotifMatch
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import HeatMap, number_hover
from phenviz.tracks.motif_names import MotifNames
from phenviz.tracks.overlay import Scale
from phenviz.tracks.signed_signal import (
    Bases,
    SignedPlot,
    choose_context,
    covered_part,
    elsewhere,
    label_of,
)
from phenviz.tracks.stacked_logos import StackedLogos
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.tinted_intervals import TintedIntervals
from phenviz.tracks.viewport import LoadedInterval, View, nice_ceiling

LOGOS = ("focus", "stacked", "difference")
MOST_LOGOS = 8
LETTERS_BELOW = 500
_HEIGHT, _LEAST, _MOST = 96, 68, 190
# of each row where several are stacked
_ROW, _LEAST_ROW, _MOST_ROW = 46, 26, 90
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
    logo
        What contributions are of: one of `LOGOS`.
    rows
        Contexts to stack, if the result has them; all by default.
    """

    def __init__(
        self,
        dataset: xr.Dataset,
        focus: str,
        contig: str,
        logo: str = LOGOS[0],
        rows: Sequence[str] | None = None,
    ) -> None:
        context = choose_context(dataset, focus)
        one = dataset if context is None else dataset.sel(context=[context])
        held = [] if context is None else [str(name) for name in dataset["context"].to_numpy()]
        self.logo = logo if len(held) > 1 else LOGOS[0]
        self.names = [context] if context is not None else []
        of = one
        if self.logo == "stacked":
            self.names = [name for name in held if rows is None or name in rows][:MOST_LOGOS] or self.names
            of = dataset.sel(context=self.names)
        elif self.logo == "difference" and context is not None:
            of = minus_others(dataset, context)
        self.others = 0 if context is None or not held else len(comparable_others(dataset, context))
        positions = base_starts(one)
        self.label = label_of(dataset, context)
        self.alleles = [str(allele) for allele in one["allele"].to_numpy()]
        effect = one["effect"].transpose("allele", "position", ...).to_numpy().reshape(len(self.alleles), -1)
        per_base = contribution(of).transpose("position", ...).to_numpy().reshape(len(positions), -1).T
        self.effects = Bases.of(contig, positions, effect)
        self.contributions = Bases.of(contig, positions, per_base)
        letters = np.full(self.effects.pyramid.n_bins, "N")
        letters[positions - self.effects.start] = reference_bases(one)
        self.reference = "".join(letters)
        known = np.abs(effect[np.isfinite(effect)])
        self.limit = nice_ceiling(float(known.max())) if known.size else 1.0
        self.units = str(dataset.attrs.get("units", ""))
        self.exact = exact_intervals(dataset)

    def described(self) -> str:
        """Say what contributions are, of which contexts, and how the bases were computed."""
        text = f"{self.label} · {_DEFINITION}"
        if self.logo == "stacked":
            text = _DEFINITION
        elif self.logo == "difference":
            text = (
                f"{self.label} minus the mean of the {self.others} other contexts of its unit · {_DEFINITION}"
            )
        return text if self.exact is None else f"{text} · {_TINTED}"


class Contribution(Track):
    """Minus the mean effect of the three changes of each base: letters, or areas when zoomed out."""

    name = "contribution"
    title = "Mutagenesis"
    margin = 0.6

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, _HEIGHT, (-1, 1))
        self._mutations: Mutations | None = None
        self._motifs: Sequence[MotifMatch] = ()
        self._colours: Mapping[str, str] = {}
        self._exact = TintedIntervals(self)
        self._plot = SignedPlot(self)
        self._rows = StackedLogos(self)
        self._names = MotifNames(self)
        self._plot.names_below = True
        self._lay_out()
        self._exact.restyle(theme.accent)

    def set_mutations(self, mutations: Mutations | None) -> None:
        """Draw another result."""
        self._mutations = mutations
        self._lay_out()
        self.reload()

    def set_motifs(self, motifs: Sequence[MotifMatch]) -> None:
        """Name known motifs under the bases."""
        self._motifs = tuple(motifs)
        if self.view is not None:
            self._name_motifs(self.view)

    def _name_motifs(self, view: View) -> None:
        rows = len(self._mutations.names) if self._mutations is not None else 1
        share = 1 / (rows + 1) if self._is_stacked else self._plot.room
        self._names.show(self._motifs, view, share)

    def set_colours(self, colours: Mapping[str, str]) -> None:
        """Set the colour of each context's name."""
        self._colours = dict(colours)

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._names.restyle(theme)
        self._lay_out()
        self._plot.restyle(theme)
        self._exact.restyle(theme.accent)
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the bases of an interval."""
        mutations = self._mutations
        if mutations is None or not mutations.contributions.overlaps(loaded.locus):
            self._plot.clear()
            self._rows.clear()
            self._exact.clear()
            return
        stacked = self._is_stacked
        (self._plot if stacked else self._rows).clear()
        self._exact.show(mutations.exact or [], loaded.locus)
        bases = mutations.contributions
        if view.length <= LETTERS_BELOW:
            begin, values = bases.values(loaded.locus)
            letters = mutations.reference[begin - bases.start :]
            if stacked:
                self._rows.show_letters(begin, letters, values)
            else:
                self._plot.show_letters(begin, letters, values[0])
            return
        summary = bases.summary(loaded, view.pixels)
        if stacked:
            self._rows.show_areas(summary)
        else:
            self._plot.show_areas(summary.edges, summary.minimum[0], summary.maximum[0])

    def fit(self, view: View) -> None:
        """Choose the y axis for what is on screen, and name its motifs."""
        if self._is_stacked:
            self._rows.fit(view)
            self.follow(view)
        else:
            self._plot.fit(view)
        self._name_motifs(view)

    def tell(self, display: Display) -> Display:
        """Add what contributions are of, and the y axis."""
        mutations = self._mutations
        if mutations is None:
            return display
        limits = (-self._rows.limit, self._rows.limit) if self._is_stacked else self._plot.data_limits
        names = tuple(mutations.names)
        motifs = tuple(self._motifs)
        return replace(display, contribution=limits, logo=mutations.logo, logos=names, motifs=motifs)

    @property
    def _is_stacked(self) -> bool:
        return self._mutations is not None and self._mutations.logo == "stacked"

    def _lay_out(self) -> None:
        if not self._is_stacked or self._mutations is None:
            self.name_rows([], [])
            self.resize(_HEIGHT, _LEAST, _MOST)
            return
        names = self._mutations.names
        # a row more, for the names of motifs
        n = len(names) + 1
        self.resize(n * _ROW, n * _LEAST_ROW, n * _MOST_ROW)
        self.y_range.update(start=-1, end=n - 1)
        colours = [legible(self._colours.get(name, self.theme.ink), self.theme) for name in names]
        self.name_rows([*names, "motifs"], [*colours, self.theme.muted])

    def follow(self, view: View) -> None:
        """Say what is drawn, or where there would be something."""
        if self._mutations is None:
            self.say(empty=_EMPTY)
        elif self._mutations.contributions.overlaps(view.locus):
            self.say(
                description=self._mutations.described(),
                note=covered_part(self._mutations.contributions.locus, view)
                or (f"each row −{self._rows.limit:g} to {self._rows.limit:g}" if self._is_stacked else ""),
            )
        else:
            self.say(empty=elsewhere("Mutagenesis was computed", self._mutations.contributions.locus))


class Effects(Track):
    """Effect of every change: one row per allele."""

    name = "effects"
    title = "Effect of each change"
    margin = 0.6

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 4 * 17, (0, 4))
        self.resize(4 * 17, 4 * 8, 4 * 28)
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

    def tell(self, display: Display) -> Display:
        """Add where the colours end."""
        return replace(display, effect=self._mutations.limit if self._mutations is not None else None)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the changes of an interval; of those that share a pixel the strongest."""
        mutations = self._mutations
        if mutations is None or not mutations.effects.overlaps(loaded.locus):
            self._heat.clear()
            self.say(empty="Every base changed to every other base, one by one" if mutations is None else "")
            return
        summary = mutations.effects.summary(loaded, view.pixels)
        self._heat.mapper.update(low=-mutations.limit, high=mutations.limit)
        self._heat.show(summary.edges, summary.strongest)
        limit = f"{mutations.limit:g}"
        scale = Scale(f"−{limit}", self.theme.diverging, limit)
        self.say(description=mutations.units, scale=scale)

    def _name_rows(self) -> None:
        alleles = self._mutations.alleles if self._mutations is not None else list("ACGT")
        colours = [legible(self.theme.bases.get(a, self.theme.ink), self.theme) for a in alleles]
        self.name_rows(alleles, colours, 12)
