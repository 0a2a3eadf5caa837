"""Draw the picture of docs/architecture.md: ``python scripts/draw_architecture.py``."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "architecture.svg"
_WIDTH, _ROW, _BOX, _LEFT, _GAP = 860, 64, 44, 180, 12
# from top to bottom, as imports may go; each room with what it does
ROWS = (
    ("who asks", (("cli", "commands"), ("app", "pages of the dashboard"), ("notebooks", "verbs"))),
    ("", (("distributed", "long work in shards, on a cluster"),)),
    ("one way to the model", (("service", "jobs, device, cancel, store"),)),
    ("who draws", (("tracks", "interactive, HoloViews and Bokeh"), ("figures", "for print, matplotlib"))),
    ("what is asked", (("disease", "hypotheses"), ("effects", "of variants and people"))),
    ("", (("attribution", "which bases matter: mutagenesis, gradients, motifs"),)),
    ("", (("inference", "embed an edited sequence, exactly"),)),
    ("", (("models", "backbones, gene readout, disease model, training"),)),
    ("what is read", (("variation", "VCF, haplotypes, people"), ("data", "projects, packs, cache"))),
    ("what is written", (("results", "datasets, their files and tables"),)),
    ("", (("genome", "loci, sequence, genes, contexts"),)),
)
_COLOURS = {"who asks": "#0072b2", "one way to the model": "#d55e00", "who draws": "#009e73"}


def draw() -> str:
    """Return the picture as SVG; its text stays text, in the colours of the page that shows it."""
    height = len(ROWS) * _ROW + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img">',
        "<title>The rooms of PhenViz: imports go downwards only</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for row, (label, rooms) in enumerate(ROWS):
        top = 12 + row * _ROW
        lines.append(f'<text x="12" y="{top + 27}" fill="#555555">{escape(label)}</text>')
        width = (_WIDTH - _LEFT - 12 - _GAP * (len(rooms) - 1)) / len(rooms)
        for column, (name, words) in enumerate(rooms):
            left, colour = _LEFT + column * (width + _GAP), _COLOURS.get(label, "#555555")
            at = f'x="{left + 12:.0f}"'
            lines += [
                f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_BOX}" rx="6" fill="{colour}" '
                f'fill-opacity="0.08" stroke="{colour}"/>',
                f'<text {at} y="{top + 19}" fill="#111111" font-weight="bold">{escape(name)}</text>',
                f'<text {at} y="{top + 36}" fill="#333333">{escape(words)}</text>',
            ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
