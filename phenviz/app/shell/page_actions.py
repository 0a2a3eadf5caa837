"""What only the browser can do: save a file, write and copy the address, tell which window and how wide."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable

import param
from panel.custom import JSComponent

from phenviz.app.widgets.parts import script

# below the server's limit on one message (20 MB), so that other messages get between two pieces
_PIECE = 4 * 2**20
_LONGEST_PLACE = 1_000


class PageActions(JSComponent):
    """Hands files to the browser in pieces, writes its address, and hears of its window.

    Draws nothing, until the connection to the server is lost: then a notice over the whole page.

    Parameters
    ----------
    on_narrow
        Called with whether the window is narrow: once when the page opens, and whenever that changes.
    on_tab
        Called once with the tab's name, which outlives a reload.
    on_address
        Called with the part of the address from its question mark on, when Back or Forward changed it.
    """

    narrow_query = param.String(default="(max-width: 1099px)", constant=True)

    _esm = script("shell/connection.js", "shell/keyboard.js", "shell/page_actions.js")

    def __init__(
        self,
        on_narrow: Callable[[bool], None] = lambda narrow: None,
        on_tab: Callable[[str], None] = lambda tab: None,
        on_address: Callable[[str], None] = lambda text: None,
        **params: object,
    ) -> None:
        super().__init__(**params)
        self._on_narrow, self._on_tab, self._on_address = on_narrow, on_tab, on_address
        # where the browser has found the page, without what follows the question mark; "" before it tells
        self.place = ""

    def _handle_msg(self, message: dict) -> None:
        if "narrow" in message:
            self._on_narrow(bool(message["narrow"]))
        elif "tab" in message:
            self.place = str(message.get("place", ""))[:_LONGEST_PLACE]
            self._on_tab(str(message["tab"])[:64])
        elif "address" in message:
            self._on_address(str(message["address"]))

    def set_address(self, text: str, jump: bool) -> None:
        """Write the part of the address from its question mark on.

        Parameters
        ----------
        text
            With its question mark.
        jump
            Whether Back shall lead to the address that was there before.
        """
        self._send_msg({"address": text, "jump": jump})

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

    _esm = script("shell/share_button.js")
