"""Entry point for ``panel serve apps/*.py``: the Risk page."""

from phenviz.app.risk.page import risk_page
from phenviz.app.shell.serve import runtime_of_process

risk_page(runtime_of_process()).servable(title="Risk · PhenViz")
