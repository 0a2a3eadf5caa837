"""What stands in for Panel and Bokeh has to make the same pages as they would."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import panel as pn
import pytest
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.document import Document
from bokeh.models import Axis, ColumnDataSource, HoverTool, Model, Quad
from bokeh.plotting import figure
from bokeh.themes import Theme, built_in_themes
from panel.io import document as panel_document

from phenviz.app.shell.panel_workarounds import remember_defaults, send_all_that_waits
from phenviz.app.widgets.parts import FigurePane

remember_defaults()
send_all_that_waits()
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


class Socket:
    """Takes messages, and tells later that they are written."""


@pytest.mark.parametrize("changes", [1, 2, 5])
def test_changes_that_come_while_others_are_written_are_sent(changes, monkeypatch):
    sent: list[int] = []
    writing: list[asyncio.Future] = []

    def write(_connection, msg: int) -> list[asyncio.Future]:
        sent.append(msg)
        writing.append(asyncio.get_running_loop().create_future())
        return writing[-1:]

    async def change() -> None:
        document = Document()
        connection = Mock(_socket=Socket())
        connection.protocol.create.side_effect = range(changes)
        panel_document.schedule_write_events(document, [connection], [])
        await asyncio.sleep(0)
        # the first is being written, and done before any of the others has its turn
        writing[0].set_result(None)
        for _ in range(1, changes):
            panel_document.schedule_write_events(document, [connection], [])
        for _ in range(20):
            await asyncio.sleep(0)
            for written in writing:
                if not written.done():
                    written.set_result(None)

    monkeypatch.setitem(panel_document.extra_socket_handlers, Socket, write)
    asyncio.run(change())
    assert sent == list(range(changes))
