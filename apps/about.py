"""Entry point for ``panel serve apps/*.py``: the About page."""

from phenviz.app.about.page import about_page
from phenviz.app.shell.serve import runtime_of_process

about_page(runtime_of_process()).servable(title="About · PhenViz")
