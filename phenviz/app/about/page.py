"""The About page: the model card, what the dashboard stands on, and what it can't do."""

from __future__ import annotations

import panel as pn
import panel_material_ui as pmui

import phenviz
from phenviz.app.about.model_card import card_text, notices
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.page import Page
from phenviz.app.shell.state import PageState
from phenviz.app.widgets.parts import words

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


class AboutPage(Page[PageState]):
    """The About page of one tab."""

    key = "about"

    def _new_state(self) -> PageState:
        return PageState()

    def _layout(self) -> pmui.Page:
        world = self.runtime.world
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
        return self.framed([scrolled])
