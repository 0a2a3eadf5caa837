"""Entry point for ``panel serve apps/*.py``: the Risk page."""

from phenviz.app.risk.page import RiskPage
from phenviz.app.shell.serve import runtime_of_process

RiskPage.open(runtime_of_process()).servable(title="Risk · PhenViz")
