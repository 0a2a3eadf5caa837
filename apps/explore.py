"""Entry point for ``panel serve apps/*.py``: the Explore page."""

from phenviz.app.pages.explore import explore_page
from phenviz.app.serve import runtime_of_process

explore_page(runtime_of_process()).servable(title="Explore · PhenViz")
