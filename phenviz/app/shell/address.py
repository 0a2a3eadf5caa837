"""The browser's address: it holds the whole view, and Back and Forward lead through the places jumped to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from phenviz.app.shell.links import query_text
from phenviz.app.shell.page_actions import PageActions
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import PageState
from phenviz.genome.locus import Locus

# what is looked at; the rest, such as the theme or ticked contexts, is how it is looked at
_PLACES = ("variant", "evidence", "view", "origin", "source", "genome", "run")
# a page chooses the first of these by itself
_CHOSEN = ("sample", "trait")
Read = Callable[[Mapping[str, str]], tuple[PageState, list[str]]]


class Address:
    """Keeps the address of one tab in step with its state.

    Parameters
    ----------
    session
        This tab.
    state
        What the tab looks at.
    query
        Returns what the address is to hold.
    actions
        Reaches the browser.
    """

    def __init__(
        self, session: Session, state: PageState, query: Callable[[], Mapping[str, str]], actions: PageActions
    ) -> None:
        self._session, self._state, self._query, self._actions = session, state, query, actions
        self._written = dict(query())
        self._pointed_at = state.highlight
        self._read: Read | None = None
        self._then: Callable[[], None] = lambda: None

    def on_return(self, read: Read, then: Callable[[], None] = lambda: None) -> None:
        """Have Back and Forward lead to what the address holds.

        Parameters
        ----------
        read
            Turns an address into a state, and into what couldn't be taken over, in words.
        then
            Called once the tab's state is that state.
        """
        self._read, self._then = read, then

    def write(self) -> None:
        """Write the state into the address, as a new entry of the browser's history if it is a jump."""
        query, written = dict(self._query()), self._written
        pointed_at, self._pointed_at = self._pointed_at, self._state.highlight
        self._written = query
        if query != written:
            jump = is_jump(written, query) or self._state.highlight not in (None, pointed_at)
            self._actions.set_address(query_text(query), jump)

    def go_to(self, text: str) -> None:
        """Look at what an address holds, which Back or Forward has brought."""
        if self._read is None:
            return
        query = dict(parse_qsl(text.removeprefix("?")))
        there, problems = self._read(query)
        self._written, self._pointed_at = query, there.highlight
        names = [name for name in self._state.param if name != "name"]
        self._state.param.update({name: getattr(there, name) for name in names})
        self._then()
        for problem in problems:
            self._session.say(problem)


def is_jump(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Tell whether an address is of another place than the one before, not of the same one, moved."""
    chosen = [name for name in _CHOSEN if name in before]
    if any(before.get(name) != after.get(name) for name in (*_PLACES, *chosen)):
        return True
    return not Locus.parse(before["locus"]).overlaps(Locus.parse(after["locus"]))
