"""Entry point for ``panel serve apps/*.py``: the Disease page."""

from phenviz.app.disease.page import DiseasePage
from phenviz.app.shell.serve import runtime_of_process

DiseasePage.open(runtime_of_process()).servable(title="Disease · PhenViz")
