"""The About page: the model card, what the dashboard stands on, and what it can't do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import panel as pn
import panel_material_ui as pmui

import phenviz
from phenviz.app.about.model_card import card_text, notices
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.frame import PageFrame, arguments_of_address, guarded
from phenviz.app.shell.initial_view import open_state
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import PageState, apply_page_query, page_query
from phenviz.app.widgets.parts import words

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime

# Panel writes code in light blue and draws glaring lines in tables, whatever the theme; a table of facts has
# an empty header in Markdown
_CODE_CSS = """
code, :host .codehilite span { color: inherit; overflow-wrap: anywhere; }
.codehilite { background: color-mix(in srgb, currentColor 6%, transparent); }
table, th, td, tr { border-color: color-mix(in srgb, currentColor 25%, transparent) !important; }
/* a wide table scrolls by itself, not the page with it */
table { display: block; max-width: 100%; overflow-x: auto; }
thead:not(:has(th:not(:empty))) { display: none; }
"""


def about_page(runtime: Runtime) -> pmui.Page:
    """Build the page for one browser tab.

    Parameters
    ----------
    runtime
        What all tabs share.
    """
    return guarded(lambda: AboutPage(runtime).page)


class AboutPage:
    """Everything of one tab; lives as long as its document.

    Parameters
    ----------
    runtime
        What all tabs share.
    """

    def __init__(self, runtime: Runtime) -> None:
        world = runtime.world
        self.session = Session()
        self.state = PageState()
        arguments = arguments_of_address()
        problems = apply_page_query(self.state, arguments, world.contexts)
        # what can't be taken over is said by the page that the reader goes back to
        open_state(self.state, world, arguments, problems)
        frame = PageFrame(
            "about", runtime, self.session, self.state, lambda: page_query(self.state, world.contexts)
        )
        top = words(
            f"<p class='quiet'>PhenViz {escaped(phenviz.__version__)} · world "
            f"<b>{escaped(world.name)}</b>, {escaped(world.assembly)} · not for clinical use · everything "
            "is computed on this machine, and nothing is sent anywhere</p>",
            margin=(0, 10),
        )
        text = pn.pane.Markdown(
            f"{card_text(world)}\n\n---\n\n{notices()}",
            stylesheets=[_CODE_CSS],
            sizing_mode="stretch_width",
        )
        column = pn.Column(top, text, sizing_mode="stretch_width", max_width=900, styles={"margin": "0 auto"})
        scrolled = pn.Column(column, scroll="y-auto", sizing_mode="stretch_both", margin=(12, 0))
        self.page = frame.page([scrolled])
