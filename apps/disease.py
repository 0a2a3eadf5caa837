"""Entry point for ``panel serve apps/*.py``: the Disease page."""

from phenviz.app.pages.disease import disease_page
from phenviz.app.serve import runtime_of_process

disease_page(runtime_of_process()).servable(title="Disease · PhenViz")
