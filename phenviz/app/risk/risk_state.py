"""What a session of the Risk page looks at: parameters only, and how the address holds them."""

from __future__ import annotations

from collections.abc import Mapping

import param

from phenviz.app.shell.state import PersonState, apply_person_query, person_query
from phenviz.genome.contexts import Context

VIEWS = {"person": "This person", "model": "How good the scores are"}
SCALES = {"raw": "As they are", "adjusted": "Adjusted for ancestry"}


class RiskState(PersonState):
    """State of the Risk page."""

    trait = param.String(default="", doc="Trait that is looked at.")
    view = param.Selector(default="person", objects=list(VIEWS), doc="What is drawn.")
    scale = param.Selector(default="raw", objects=list(SCALES), doc="Which scores are drawn.")
    group = param.String(default="all", doc="Whom the scores are judged in: `all`, or an ancestry.")
    gene = param.String(default="", doc="Gene that is looked at.")
    context = param.String(default="", doc="Context that is looked at: one of gene expression.")


_VALUES = ("source", "sample", "variant", "trait", "view", "scale", "group", "gene", "context")


def risk_query(state: RiskState, all_contexts: tuple[Context, ...]) -> dict[str, str]:
    """Write a state of the Risk page into the values of a URL; of an upload, that it is one."""
    return person_query(state, _VALUES, all_contexts)


def apply_risk_query(
    state: RiskState, query: Mapping[str, str], all_contexts: tuple[Context, ...]
) -> list[str]:
    """Take over what a URL says of the Risk page, apart from its locus; returns what isn't possible."""
    return apply_person_query(state, query, _VALUES, all_contexts)
