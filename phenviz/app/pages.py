"""Pages: each lays out widgets over one state.

To add a page:

1. Write ``phenviz/app/NAME.py`` (with widgets of its own ``phenviz/app/NAME/page.py``) with a
   `phenviz.app.shell.page.Page`: it says which state it has (a `phenviz.app.shell.state.PageState` with what
   the page needs besides, and which of it the address holds), and lays out what is in the middle and at the
   sides (`framed`): header, links, theme, address and messages are there.
   ``phenviz/app/about/page.py`` is the shortest example.
2. Add one line to `PAGES`. The server, the links in the header and the page for unknown addresses read it;
   a page that isn't listed is linked from nowhere. For ``panel serve`` it also needs ``apps/NAME.py``.

``docs/extend.md`` has a complete example.

A link to another page keeps locus, contexts, focus and theme (`phenviz.app.shell.links.link_to`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page of the dashboard.

    Parameters
    ----------
    key
        Its path in the address, without slash.
    title
        What its link says.
    builder
        ``module:class`` of its `phenviz.app.shell.page.Page`; imported when it is asked for first.
    linked
        Whether the header links to it; the others are reached from elsewhere.
    """

    key: str
    title: str
    builder: str
    linked: bool = True

    @property
    def tab_title(self) -> str:
        """What the browser's tab is called: several are told apart."""
        return f"{self.title} · PhenViz"

    def build(self, runtime: Runtime) -> Any:
        """Build the page for one tab."""
        module, _, name = self.builder.partition(":")
        return getattr(import_module(module), name).open(runtime)


PAGES = [
    PageEntry("explore", "Explore", "phenviz.app.explore.page:ExplorePage"),
    PageEntry("individual", "Individual", "phenviz.app.individual.page:IndividualPage"),
    PageEntry("variants", "Variants", "phenviz.app.variants.page:VariantsPage"),
    PageEntry("disease", "Disease", "phenviz.app.disease.page:DiseasePage"),
    PageEntry("risk", "Risk", "phenviz.app.risk.page:RiskPage"),
    PageEntry("about", "About", "phenviz.app.about.page:AboutPage", linked=False),
]


def add_page(entry: PageEntry) -> None:
    """Serve a page beside the others, from the next start of the dashboard on; About stays the last."""
    PAGES[:] = [*(known for known in PAGES[:-1] if known.key != entry.key), entry, PAGES[-1]]
