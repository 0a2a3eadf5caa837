"""Entry point for ``panel serve apps/*.py``: the Explore page."""

from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.serve import runtime_of_process

ExplorePage.open(runtime_of_process()).servable(title="Explore · PhenViz")
