"""Entry point for ``panel serve apps/*.py``: the Variants page."""

from phenviz.app.shell.serve import runtime_of_process
from phenviz.app.variants.page import VariantsPage

VariantsPage.open(runtime_of_process()).servable(title="Variants · PhenViz")
