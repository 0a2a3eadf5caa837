"""Entry point for ``panel serve apps/*.py``: the Explore page."""

from phenviz.app.explore.page import explore_page
from phenviz.app.shell.serve import runtime_of_process

explore_page(runtime_of_process()).servable(title="Explore · PhenViz")
