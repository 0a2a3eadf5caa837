"""The file of variants that a tab of a browser has handed over: all pages that it opens have it, no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Self, TypeVar

from phenviz.app.shell.uploads import PrivateFolder

GONE = "Your upload is gone, choose it again: it is kept for its own tab only, and as long as that is open"
LOOKING = "Looking for your upload…"
# a tab's name is drawn at random from more than anybody can try
_SHORTEST_NAME = 16


@dataclass(eq=False)
class OwnFile:
    """What one tab has handed over.

    Parameters
    ----------
    folder
        Where it comes in.
    path
        The file; None for none.
    sample
        Who of it was looked at last.
    """

    folder: PrivateFolder = field(default_factory=PrivateFolder)
    path: Path | None = None
    sample: str = ""
    _pages: int = 1

    def take(self, path: Path) -> None:
        """Make a file that has come in the tab's own; an earlier one is removed."""
        if self.path is not None and self.path != path:
            self.path.unlink(missing_ok=True)
        self.path, self.sample = path, ""

    def hand_to(self, other: Self) -> None:
        """Move what has come in to another of the same tab."""
        if self.path is not None:
            other.take(self.path.rename(other.folder.path / self.path.name))

    def leave(self) -> None:
        """Let go of it, as a page that is closed; the last one removes the file."""
        self._pages -= 1
        if self._pages == 0:
            self.folder.close()
            self.path, self.sample = None, ""


Own = TypeVar("Own", bound=OwnFile)


class OwnFiles(Generic[Own]):
    """The files of all tabs, by the names of the tabs."""

    def __init__(self) -> None:
        self._of_tab: dict[str, Own] = {}

    def join(self, tab: str, mine: Own) -> Own:
        """Return what a tab has handed over to a page before this one, or make this page's the tab's.

        A page that is loaded anew comes before the old one is closed, so that the file outlasts a reload.

        Parameters
        ----------
        tab
            Its name, which only this tab knows.
        mine
            What the page has had until now.
        """
        if len(tab) < _SHORTEST_NAME:
            return mine
        there = self._of_tab.get(tab)
        if there is mine:
            return mine
        if there is None or there._pages == 0:
            self._of_tab = {name: own for name, own in self._of_tab.items() if own._pages}
            self._of_tab[tab] = mine
            return mine
        there._pages += 1
        mine.hand_to(there)
        mine.leave()
        return there
