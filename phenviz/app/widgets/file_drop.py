"""A drop zone for a VCF, which goes into the session's private folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from phenviz.app.shell.session import words_of
from phenviz.app.shell.uploads import PrivateFolder
from phenviz.app.widgets.parts import script


class FileDrop(JSComponent):
    """Takes a file piece by piece, and says in place what was wrong with it.

    Parameters
    ----------
    folder
        Where the file goes; checks its name, size and content.
    on_file
        Called with the path of a file that arrived whole.
    """

    note = param.String(default="")
    failed = param.Boolean(default=False)
    suffixes = param.String(default=".vcf,.gz,.bgz,.bcf", constant=True)
    title = param.String(default="Drop a VCF here", constant=True)
    hint = param.String(
        default="or press to choose one. It stays on this machine, and is removed with this tab.",
        constant=True,
    )
    answered = param.Integer(default=0, doc="Pieces that have been taken: the next may come.")

    _esm = script("widgets/file_drop.js")

    def __init__(self, folder: PrivateFolder, on_file: Callable[[Path], None], **params: Any) -> None:
        super().__init__(**params)
        self.folder, self._on_file = folder, on_file

    def _handle_msg(self, message: dict) -> None:
        try:
            if "begin" in message:
                self.param.update(note="Taking the file in…", failed=False)
                self.folder.begin(str(message["begin"]), int(message["size"]))
            elif "piece" in message:
                name = str(message["name"])
                path = self.folder.add(name, int(message["number"]), str(message["piece"]))
                if path is not None:
                    self.note = ""
                    self._on_file(path)
        except Exception as error:
            self.param.update(note=words_of(error), failed=True)
        finally:
            self.answered += 1
