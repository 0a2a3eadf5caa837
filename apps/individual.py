"""Entry point for ``panel serve apps/*.py``: the Individual page."""

from phenviz.app.pages.individual import individual_page
from phenviz.app.serve import runtime_of_process

individual_page(runtime_of_process()).servable(title="Individual · PhenViz")
