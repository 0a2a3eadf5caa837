"""Entry point for ``panel serve apps/*.py``: the Individual page."""

from phenviz.app.individual.page import individual_page
from phenviz.app.shell.serve import runtime_of_process

individual_page(runtime_of_process()).servable(title="Individual · PhenViz")
