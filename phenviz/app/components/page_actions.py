"""What only the browser can do: save a file, copy the address, tell how wide the window is and which."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable

import param
from panel.custom import JSComponent

from phenviz.app.components.parts import ASSETS

# below the server's limit on one message (20 MB), so that other messages get between two pieces
_PIECE = 4 * 2**20


class PageActions(JSComponent):
    """Draws nothing; hands files to the browser in pieces, and hears when the window gets narrow or wide.

    Parameters
    ----------
    on_narrow
        Called with whether the window is narrow: once when the page opens, and whenever that changes.
    on_tab
        Called once with the tab's name, which outlives a reload.
    """

    narrow_query = param.String(default="(max-width: 1099px)", constant=True)

    _esm = ASSETS / "page_actions.js"

    def __init__(
        self,
        on_narrow: Callable[[bool], None] = lambda narrow: None,
        on_tab: Callable[[str], None] = lambda tab: None,
        **params: object,
    ) -> None:
        super().__init__(**params)
        self._on_narrow, self._on_tab = on_narrow, on_tab

    def _handle_msg(self, message: dict) -> None:
        if "narrow" in message:
            self._on_narrow(bool(message["narrow"]))
        elif "tab" in message:
            self._on_tab(str(message["tab"])[:64])

    def download(self, filename: str, content: bytes, mime: str) -> None:
        """Have the browser save a file.

        Parameters
        ----------
        filename
            Name that is proposed.
        content
            The file.
        mime
            Its media type.
        """
        pieces = max(math.ceil(len(content) / _PIECE), 1)
        for number in range(pieces):
            part = content[number * _PIECE : (number + 1) * _PIECE]
            self._send_msg(
                {
                    "filename": filename,
                    "mime": mime,
                    "piece": base64.b64encode(part).decode("ascii"),
                    "number": number,
                    "last": number == pieces - 1,
                }
            )


class ShareButton(JSComponent):
    """Copies the page's address, which holds the whole view."""

    _esm = ASSETS / "share_button.js"
