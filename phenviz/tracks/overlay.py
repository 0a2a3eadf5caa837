"""Texts of a track, laid over its figure as HTML: header, row names in the gutter, empty state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

from bokeh.models import GlobalInlineStyleSheet, InlineStyleSheet
from bokeh.models.css import StyleSheet
from bokeh.models.dom import HTML

from phenviz.tracks.theme import FONT, Theme, mix

# Bokeh clips its own labels to the part that data are drawn in; only HTML reaches header and gutter. It is a
# DOM node and no Div, because a Div that changes lays itself out anew and loses its place over the figure.
_OVER = {
    "position": "absolute",
    "inset": "0",
    "pointer-events": "none",
    "overflow": "hidden",
    "font-family": FONT,
    # rows and ticks follow the height that the browser gives the figure
    "container-type": "size",
}

_STYLE = """
.pv-head { position: absolute; left: 8px; display: flex; gap: 10px; align-items: center; white-space: nowrap;
           font-size: 11px; line-height: 18px; }
.pv-title { font-size: 12px; font-weight: 600; }
.pv-note { margin-left: auto; }
.pv-fade { overflow: hidden; text-overflow: ellipsis; }
.pv-scale { display: inline-block; width: 72px; height: 8px; border-radius: 2px; margin: 0 5px; }
.pv-rows { position: absolute; left: 0; display: flex; flex-direction: column; }
.pv-row { flex: 1; min-height: 0; display: flex; align-items: center; justify-content: flex-end;
          white-space: nowrap; border-right: 3px solid var(--pv-colour); padding-right: 5px; }
.pv-group { position: absolute; right: 8px; display: none; align-items: center; white-space: nowrap;
            font-size: 9.5px; font-weight: 500; line-height: 9px; }
.pv-tick { position: absolute; left: 0; text-align: right; white-space: nowrap; line-height: 14px;
           font-size: 10px; }
.pv-empty { position: absolute; display: flex; align-items: center; justify-content: center;
            font-size: 12.5px; text-align: center; }
.pv-empty span { padding: 1px 8px; border-radius: 4px; }
.bk-Canvas { --highlight-color: transparent; }
"""


def style_sheets(theme: Theme) -> list[StyleSheet]:
    """CSS for a figure: its overlay, no frame around it when clicked, and tooltips in the theme's colours.

    Tooltips hang on the page's body, so their part is global; a new one is needed for each change, because
    Bokeh doesn't follow changes of a global style sheet.
    """
    lifted = mix(theme.surface, theme.ink, 0.08)
    variables = {
        "--tooltip-color": lifted,
        "--tooltip-text": theme.ink,
        "--tooltip-border": mix(theme.surface, theme.ink, 0.25),
        "--tooltip-arrow-color": mix(theme.surface, theme.ink, 0.25),
        "--tooltip-arrow-inner-color": lifted,
        "--icon-color": theme.muted,
        "font-family": FONT,
    }
    rules = ";".join(f"{name}: {value}" for name, value in variables.items())
    return [InlineStyleSheet(css=_STYLE), GlobalInlineStyleSheet(css=f".bk-Tooltip {{ {rules} }}")]


# pixels of a row whose name can be read, and of rows whose group's name can be
_LEAST_ROW, _LEAST_GROUP = 7.5, 9.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A colour scale: its colours, and what stands at its ends."""

    low: str
    colours: Sequence[str]
    high: str


@dataclass(frozen=True, slots=True)
class Texts:
    """What a track says.

    Parameters
    ----------
    title, description, note
        In the header: bold, beside it, and on the right.
    empty
        In the middle, where there is nothing to draw.
    scale
        Colour scale in the header.
    rows, row_colours
        Names of rows in the gutter, first on top, and their colours.
    row_groups
        Group of each row, named where rows are too low for names of their own; empty for none.
    row_font
        Size of the row names in pixels, where rows are high enough.
    bold
        Row name that is emphasised.
    ticks
        Numbers along the left border, and how high they stand, 0 (bottom) to 1.
    hint
        In the gutter: what the track is for besides being looked at.
    """

    title: str = ""
    description: str = ""
    note: str = ""
    empty: str = ""
    scale: Scale | None = None
    rows: tuple[str, ...] = ()
    row_colours: tuple[str, ...] = ()
    row_groups: tuple[str, ...] = ()
    row_font: float = 11
    bold: str = ""
    ticks: tuple[tuple[str, float], ...] = ()
    hint: str = ""


class Overlay:
    """HTML over a figure.

    Parameters
    ----------
    theme
        Colours.
    title
        Title of the track.
    gutter, right, header, footer
        Pixels left, right, above and below of what data are drawn in.
    """

    def __init__(
        self, theme: Theme, title: str, *, gutter: int, right: int, header: int, footer: int
    ) -> None:
        self.theme = theme
        self.texts = Texts(title=title)
        self.header, self._footer = header, footer
        self._gutter, self._right = gutter, right
        self.element = HTML(html="", style=dict(_OVER))
        self.write()

    def set(self, **texts: object) -> None:
        """Change some of the texts."""
        self.texts = replace(self.texts, **texts)  # type: ignore[arg-type]
        self.write()

    def write(self) -> None:
        """Bring the page up to date."""
        html = f'<div class="pv-all">{self._head()}{self._rows()}{self._ticks()}{self._empty()}</div>'
        if html != self.element.html:
            self.element.html = html

    def _head(self) -> str:
        texts, theme = self.texts, self.theme
        parts = [f'<span class="pv-title" style="color:{theme.ink}">{escape(texts.title)}</span>']
        if texts.scale is not None:
            stops = ",".join(texts.scale.colours[::16])
            bar = f'<span class="pv-scale" style="background:linear-gradient(to right,{stops})"></span>'
            parts.append(f"<span>{escape(texts.scale.low)}{bar}{escape(texts.scale.high)}</span>")
        parts.append(f'<span class="pv-fade">{escape(texts.description)}</span>')
        parts.append(f'<span class="pv-note">{escape(texts.note)}</span>')
        place = f"top:{max(self.header - 18, 1)}px;right:{self._right}px;color:{theme.muted}"
        return f'<div class="pv-head" style="{place}">{"".join(parts)}</div>'

    def _rows(self) -> str:
        texts = self.texts
        if not texts.rows:
            return ""
        around = self.header + self._footer
        font = f"min({texts.row_font}px, (100cqh - {around}px) / {len(texts.rows)} * 0.98)"
        # names that nobody could read give way to those of groups, or to the tooltip; the colours stay
        low = f"{around + _LEAST_ROW * len(texts.rows):.0f}px"
        hidden = f"@container (max-height: {low}) {{ .pv-row span {{ display: none; }} }}"
        groups, shown = self._groups(low, around)
        found = []
        for name, colour in zip(texts.rows, texts.row_colours, strict=True):
            bold = name == texts.bold
            style = f"color:{colour};--pv-colour:{colour};font-weight:{700 if bold else 500}"
            text = f"{'▸ ' if bold else ''}{escape(name)}"
            found.append(f'<div class="pv-row" style="{style}"><span>{text}</span></div>')
        place = f"top:{self.header}px;bottom:{self._footer}px;width:{self._gutter - 4}px;font-size:{font}"
        rows = f'<div class="pv-rows" style="{place}">{"".join(found)}{groups}</div>'
        return f"<style>{hidden}{shown}</style>{rows}"

    def _groups(self, low: str, around: int) -> tuple[str, str]:
        """Return the names of groups beside their rows, and the rules that show those that have room."""
        texts, found, sizes, first = self.texts, [], set(), 0
        count = len(texts.rows)
        for group, members in groupby(texts.row_groups):
            size = len(list(members))
            place = f"top:{100 * first / count:.3f}%;height:{100 * size / count:.3f}%"
            colour = texts.row_colours[first + (size - 1) // 2]
            style = f"{place};color:{colour}"
            found.append(f'<div class="pv-group pv-of-{size}" style="{style}">{escape(group)}</div>')
            sizes.add(size)
            first += size
        rules = [
            f"@container (max-height: {low}) and (min-height: {around + _LEAST_GROUP * count / size:.0f}px) "
            f"{{ .pv-of-{size} {{ display: flex; }} }}"
            for size in sorted(sizes)
        ]
        return "".join(found), "".join(rules)

    def _ticks(self) -> str:
        found = []
        if self.texts.hint:
            place = f"top:{self.header + 14}px;width:{self._gutter - 8}px;color:{self.theme.muted}"
            found.append(f'<div class="pv-tick" style="{place}">{escape(self.texts.hint)}</div>')
        for text, share in self.texts.ticks:
            # the highest number stays below the header's texts
            data = f"(100cqh - {self.header + self._footer}px)"
            top = f"max({self.header - 7}px + {1 - share:.4f} * {data}, {self.header - 1}px)"
            style = f"top:{top};width:{self._gutter - 5}px;color:{self.theme.muted}"
            found.append(f'<div class="pv-tick" style="{style}">{escape(text)} ‒</div>')
        return "".join(found)

    def _empty(self) -> str:
        if not self.texts.empty:
            return ""
        place = (
            f"left:{self._gutter}px;right:{self._right}px;top:{self.header}px;bottom:{self._footer}px;"
            f"color:{self.theme.muted}"
        )
        # it may stand on stripes
        words = f'<span style="background:{self.theme.surface}">{escape(self.texts.empty)}</span>'
        return f'<div class="pv-empty" style="{place}">{words}</div>'
