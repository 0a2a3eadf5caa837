"""Entry point for ``panel serve apps/*.py``: the Individual page."""

from phenviz.app.individual.page import IndividualPage
from phenviz.app.shell.serve import runtime_of_process

IndividualPage.open(runtime_of_process()).servable(title="Individual · PhenViz")
