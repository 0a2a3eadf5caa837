"""What stands in for Panel and Bokeh has to make the same pages as they would."""

from __future__ import annotations

import panel as pn
import pytest
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.document import Document
from bokeh.models import Axis, ColumnDataSource, HoverTool, Model, Quad
from bokeh.plotting import figure
from bokeh.themes import Theme, built_in_themes

from phenviz.app.shell.panel_workarounds import remember_defaults
from phenviz.app.widgets.parts import FigurePane

remember_defaults()
_BY_BOKEH = PropertyDescriptor._get_default.__wrapped__


def scalars(model: Model) -> dict[str, object]:
    values = model.properties_with_values()
    return {name: value for name, value in values.items() if isinstance(value, int | float | str | None)}


@pytest.mark.parametrize("theme", [None, built_in_themes["dark_minimal"], Theme(json={"attrs": {}})])
def test_remembered_defaults_are_those_that_bokeh_works_out(theme, monkeypatch):
    def drawn() -> list[Model]:
        shown = figure(tools=[HoverTool()])
        shown.add_glyph(ColumnDataSource({"left": [1]}), Quad(left="left"))
        document = Document(theme=theme) if theme else Document()
        document.add_root(shown)
        return sorted(shown.references(), key=lambda model: (type(model).__name__, int(model.id[1:])))

    drawn()
    remembered = [scalars(model) for model in drawn()]
    with monkeypatch.context() as patch:
        patch.setattr(PropertyDescriptor, "_get_default", _BY_BOKEH)
        assert [scalars(model) for model in drawn()] == remembered


def test_a_default_that_can_be_changed_belongs_to_one_model():
    first, second = ColumnDataSource(), ColumnDataSource()
    first.data["x"] = [1]
    assert second.data == {}
    assert first.selected is not second.selected


def test_a_figure_looks_as_in_a_pane_of_panel():
    def drawn(pane: type[pn.pane.Bokeh], **params: object) -> list[dict[str, object]]:
        shown = figure()
        layout, document = pn.Column(pane(shown, **params)), Document(theme=built_in_themes["dark_minimal"])
        document.add_root(layout.get_root(document))
        return [scalars(model) for model in (shown, *shown.select(Axis))]

    assert drawn(FigurePane, alt="a figure") == drawn(pn.pane.Bokeh)
