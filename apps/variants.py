"""Entry point for ``panel serve apps/*.py``: the Variants page."""

from phenviz.app.pages.variants import variants_page
from phenviz.app.serve import runtime_of_process

variants_page(runtime_of_process()).servable(title="Variants · PhenViz")
