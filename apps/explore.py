"""Entry point for ``panel serve apps/explore.py``: the Explore page on the embedded world."""

import os

import panel as pn

from phenviz import open_world
from phenviz.app.pages.explore import explore_page
from phenviz.app.runtime import Runtime


def _runtime() -> Runtime:
    return Runtime(
        open_world(os.environ.get("PHENVIZ_WORLD")), os.environ.get("PHENVIZ_DEVICE", "auto")
    ).start()


# the script runs once a session; the model is shared by all of them
explore_page(pn.state.as_cached("phenviz-runtime", _runtime)).servable()
