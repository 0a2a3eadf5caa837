from __future__ import annotations

import panel as pn
from bokeh.document import Document
from bokeh.events import Tap
from bokeh.plotting import figure

from phenviz.app.widgets.parts import FigurePane


def test_a_figure_that_is_shown_again_still_hears_clicks_and_changes():
    shown, heard = figure(), []
    shown.on_event(Tap, heard.append)
    shown.x_range.on_change("start", lambda attr, old, new: heard.append(new))
    holder, other = pn.Column(FigurePane(shown, alt="a figure")), pn.pane.HTML("another view")
    holder.get_root(Document())
    for _ in range(3):
        holder[:] = [other]
        holder[:] = [FigurePane(shown, alt="a figure")]
    shown._trigger_event(Tap(shown, x=1, y=1))
    shown.x_range.start = 5
    assert len(heard) == 2
    assert shown.html_attributes == {"role": "img", "aria-label": "a figure"}
