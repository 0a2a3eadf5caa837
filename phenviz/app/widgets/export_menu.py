"""Save the figure or the data of what is on screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.shell.exports import DATA_FORMATS, FIGURE_FORMATS, File
from phenviz.app.shell.page_actions import PageActions
from phenviz.app.shell.session import Session

_SLOW_MS = 2_000
# in the header, menus would have the colours of a coloured header
_MENU_CSS = """
.MuiPaper-root.MuiMenu-paper { margin-top: 4px; border-radius: 8px;
  background: var(--panel-surface-color); color: var(--panel-on-surface-color);
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  box-shadow: 0 6px 24px rgba(0, 0, 0, 0.22); }
.MuiMenu-list .MuiMenuItem-root { margin: 0 8px; padding: 4px 8px; border-radius: 5px; font-size: 13px; }
.MuiMenu-list .MuiMenuItem-root:is(:hover, .Mui-focusVisible) {
  background: color-mix(in srgb, currentColor 6%, transparent); }
"""


def _icon(suffix: str) -> str:
    if suffix == ".html":
        return "description"
    return "image" if suffix.endswith(tuple(FIGURE_FORMATS.values())) else "table_chart"


class ExportMenu(Viewer):
    """A menu of formats; the file is made in the background and saved by the browser.

    Parameters
    ----------
    session
        Says what went wrong, on this tab.
    make
        Prepares a file: called with a suffix on the page's thread, returns what is done in the background.
    actions
        Hands the file to the browser.
    background
        Where files are made.
    formats
        Words and suffix of each format (`phenviz.formats.menu_of`).
    """

    def __init__(
        self,
        session: Session,
        make: Callable[[str], Callable[[], File]],
        actions: PageActions,
        background: Executor,
        formats: Mapping[str, str] = FIGURE_FORMATS | DATA_FORMATS,
    ) -> None:
        super().__init__()
        self._session, self._make, self._actions, self._background = session, make, actions, background
        self._suffixes = dict(formats)
        self._menu = pmui.MenuButton(
            items=[
                {"label": name, "icon": _icon(suffix), "icon_size": "18px"}
                for name, suffix in self._suffixes.items()
            ],
            label="Export", icon="download", variant="outlined", color="default", size="small", margin=(0, 8),
            align="center", stylesheets=[_MENU_CSS],
            sx={"textTransform": "none", "color": "inherit !important", "height": "32px",
                "borderColor": "color-mix(in srgb, currentColor 30%, transparent) !important"},
        )  # fmt: skip
        self._menu.on_click(self._chosen)
        self._say_soon = session.debounced(self._say_slow, _SLOW_MS)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._menu

    def _chosen(self, item: dict) -> None:
        if isinstance(item, dict) and item.get("label") in self._suffixes:
            self.export(item["label"])

    def export(self, name: str) -> None:
        """Make a file in a format and have the browser save it."""
        try:
            work = self._make(self._suffixes[name])
        except Exception as error:
            self._session.show_error(error)
            return
        self._menu.loading = True
        self._say_soon()
        self._background.submit(work).add_done_callback(
            lambda done: self._session.run_soon(lambda: self._deliver(done))
        )

    def _say_slow(self) -> None:
        if self._menu.loading:
            self._session.say("The file is being made: what isn't computed yet is computed first.")

    def _deliver(self, done: Future[File]) -> None:
        self._menu.loading = False
        file = done.result()
        self._actions.download(*file)
