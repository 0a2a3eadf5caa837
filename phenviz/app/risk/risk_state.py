"""What a session of the Risk page looks at: parameters only, and how the address holds them."""

from __future__ import annotations

import param

from phenviz.app.shell.state import PersonState

VIEWS = {"person": "This person", "model": "How good the scores are", "subtypes": "Groups of cases"}
SCALES = {"raw": "As they are", "adjusted": "Adjusted for ancestry"}


class RiskState(PersonState):
    """State of the Risk page."""

    trait = param.String(default="", doc="Trait that is looked at.")
    view = param.Selector(default="person", objects=list(VIEWS), doc="What is drawn.")
    scale = param.Selector(default="raw", objects=list(SCALES), doc="Which scores are drawn.")
    group = param.String(default="all", doc="Whom the scores are judged in: `all`, or an ancestry.")
    gene = param.String(default="", doc="Gene that is looked at.")
    context = param.String(default="", doc="Context that is looked at: one of gene expression.")

    _values = ("source", "sample", "variant", "trait", "view", "scale", "group", "gene", "context")
