"""What a session of the Disease page looks at: parameters only, and how the address holds them."""

from __future__ import annotations

from collections.abc import Mapping

import param

from phenviz.app.shell.state import PageState
from phenviz.disease.functional_prior import PRIORS, follows_prior
from phenviz.disease.inputs import FLAT
from phenviz.disease.methods import methods as known_methods
from phenviz.genome.contexts import Context

SIMULATED, OWN, TESTED = "simulated", "own:", "tested:"
VIEWS = {"map": "Heat map", "methods": "Methods side by side", "qq": "QQ plots"}
SORTS = {
    "": "File order, by lineage",
    "traits": "Traits by z in the chosen cell type",
    "contexts": "Cell types by z of the chosen trait",
    "both": "Both",
}
PERMUTATIONS = ("1000", "10000", "100000")
DEFAULT_METHODS = ("variant",)


class DiseaseState(PageState):
    """State of the Disease page."""

    source = param.String(
        default="", doc="A data pack, `simulated`, `own:` and a kept table, or `tested:` and a file."
    )
    methods = param.ClassSelector(class_=tuple, default=DEFAULT_METHODS, doc="Methods to run, by name.")
    permutations = param.Selector(default="10000", objects=list(PERMUTATIONS), doc="Draws of the null.")
    prior = param.Selector(default=FLAT, objects=list(PRIORS), doc="What posteriors are weighed by.")
    method = param.String(default="", doc="Method that is looked at.")
    trait = param.String(default="", doc="Trait that is looked at.")
    view = param.Selector(default="map", objects=list(VIEWS), doc="What is drawn.")
    order = param.Selector(default="", objects=list(SORTS), doc="How rows and columns are sorted.")
    evidence = param.String(default="", doc="Context whose loci are looked at; empty for none.")
    variant = param.String(default="", doc="Key of the variant whose alleles are compared.")
    gene = param.String(default="", doc="Gene of people that is looked at.")

    _values = (
        "source", "permutations", "prior", "method", "trait", "view", "order", "evidence", "variant", "gene",
    )  # fmt: skip
    _lists = ("methods",)

    @property
    def tested(self) -> str:
        """Name of the file of hypotheses that are looked at; "" where they are tested here."""
        return self.source.removeprefix(TESTED) if self.source.startswith(TESTED) else ""

    @property
    def counted_prior(self) -> str:
        """The prior that is asked for; flat where none of the methods would follow it."""
        return self.prior if any(map(follows_prior, self.methods)) else FLAT

    def take(self, query: Mapping[str, str], all_contexts: tuple[Context, ...]) -> list[str]:
        """See `PageState.take`; of the methods those that there are, in the order in which they are shown."""
        problems = super().take(query, all_contexts)
        if "methods" in query:
            known, asked = tuple(known_methods()), self.methods
            self.methods = tuple(name for name in known if name in asked) or DEFAULT_METHODS
            if unknown := [name for name in asked if name not in known]:
                problems.append(f"the address names methods that there aren't: {', '.join(unknown)[:100]}")
        return problems
