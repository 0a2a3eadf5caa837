"""Entry point for ``panel serve apps/*.py``: the About page."""

from phenviz.app.about.page import AboutPage
from phenviz.app.shell.serve import runtime_of_process

AboutPage.open(runtime_of_process()).servable(title="About · PhenViz")
