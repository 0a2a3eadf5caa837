"""Pages: each lays out widgets over one state.

To add a page:

1. Write ``phenviz/app/NAME.py`` (with widgets of its own ``phenviz/app/NAME/page.py``) with a class that
   takes the `Runtime`, makes a `Session` and a state (a `phenviz.app.shell.state.PageState` with what the
   page needs besides), and lays out a `PageFrame`: the frame brings the header with its links, the theme, the
   address, messages and the panel that folds away in narrow windows. ``phenviz/app/about/page.py`` is the
   shortest example.
2. Give it a function ``NAME_page(runtime)`` that returns ``guarded(lambda: Page(runtime).page)``.
3. Add one line to `PAGES`. The server, the links in the header and the page for unknown addresses read it;
   a page that isn't listed is linked from nowhere. For ``panel serve`` it also needs ``apps/NAME.py``.

``docs/extend.md`` has a complete example.

What the address holds beyond locus, contexts, focus and theme is the page's own: the ``query`` that it gives
to its frame, and how it is read back (``frame.address.on_return``), so that Back and Forward lead there. A
link to another page keeps those four (`phenviz.app.shell.links.link_to`).
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
        ``module:function`` that builds it for one tab; imported when it is asked for first.
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
        module, _, function = self.builder.partition(":")
        return getattr(import_module(module), function)(runtime)


PAGES = [
    PageEntry("explore", "Explore", "phenviz.app.explore.page:explore_page"),
    PageEntry("individual", "Individual", "phenviz.app.individual.page:individual_page"),
    PageEntry("variants", "Variants", "phenviz.app.variants.page:variants_page"),
    PageEntry("disease", "Disease", "phenviz.app.disease.page:disease_page"),
    PageEntry("risk", "Risk", "phenviz.app.risk.page:risk_page"),
    PageEntry("about", "About", "phenviz.app.about.page:about_page", linked=False),
]


def add_page(entry: PageEntry) -> None:
    """Serve a page beside the others, from the next start of the dashboard on; About stays the last."""
    PAGES[:] = [*(known for known in PAGES[:-1] if known.key != entry.key), entry, PAGES[-1]]
