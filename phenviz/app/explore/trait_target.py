"""A trait's logit as what is explained on the Explore page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phenviz.errors import JobError

if TYPE_CHECKING:
    from phenviz.app.shell.state import ExploreState
    from phenviz.genome.locus import Locus
    from phenviz.service.explained import Explained

# what changes bases one by one has no answer for a logit of all genes
METHODS_OF_TRAITS = ("integrated-gradients", "saliency")
TRAIT_WORDS = (
    "the disease model's logit for the reference genome; all gene windows are read for it, and these bases "
    "shown. What the model was trained on stands on the Risk page"
)


def choose_trait(state: ExploreState, traits: Sequence[str]) -> None:
    """Have a trait explained: by a method that can, and the first trait unless one is chosen."""
    method = state.method if state.method in METHODS_OF_TRAITS else METHODS_OF_TRAITS[0]
    state.param.update(target="trait", method=method, trait=state.trait or (traits[0] if traits else ""))


def request_of_trait(state: ExploreState, locus: Locus, traits: Sequence[str]) -> Explained:
    """Return the request that explains a trait by the bases of a locus.

    Raises
    ------
    JobError
        If the trait is unknown, or can't be explained in the way that is chosen.
    """
    from phenviz.service.explained import explain

    if not traits:
        raise JobError("this world has no disease model: name one in project.yaml as 'risk' or 'phenformer'")
    if state.trait not in traits:
        raise JobError(f"there is no trait {state.trait!r} here: choose one of {', '.join(traits[:8])}")
    if state.method != "integrated-gradients":
        return explain(state.method, locus, (), trait=state.trait)
    if state.steps == "auto":
        raise JobError("a trait takes a fixed number of steps: choose one, such as 32")
    if state.baseline != "zero":
        raise JobError("a trait is explained from a baseline of no bases: choose “No bases”")
    return explain(state.method, locus, (), None, int(state.steps), trait=state.trait)
