"""Entry point for ``panel serve apps/*.py``: the Disease page."""

from phenviz.app.disease.page import disease_page
from phenviz.app.shell.serve import runtime_of_process

disease_page(runtime_of_process()).servable(title="Disease · PhenViz")
