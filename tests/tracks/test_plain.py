"""Numbers of tooltips."""

from __future__ import annotations

import re
from pathlib import Path

from bokeh.models import CustomJSHover

import phenviz.tracks
from phenviz.tracks.plain import hover_of, plain_figure


def test_no_tooltip_writes_numbers_in_bokehs_way_whose_minus_is_a_hyphen():
    for path in Path(phenviz.tracks.__file__).parent.glob("*.py"):
        assert not re.findall(r"[@$]\w+\{(?!custom\})[^}]*\}", path.read_text(encoding="utf-8")), path.name


def test_numbers_of_a_tooltip_have_as_many_decimals_as_are_asked_for_and_a_true_minus():
    dots = plain_figure("dots", 100, "", "", x=(0, 1), y=(0, 1)).scatter([1.0], [2.0])
    hover = hover_of(dots, [("", "@x{custom}")], x="+3", y="2")
    signed, plain = (hover.formatters[name] for name in ("@x", "@y"))
    assert isinstance(signed, CustomJSHover)
    assert signed.code == "return (1 && value > 0 ? '+' : '') + value.toFixed(3).replace('-', '−')"
    assert plain.code == "return (0 && value > 0 ? '+' : '') + value.toFixed(2).replace('-', '−')"
