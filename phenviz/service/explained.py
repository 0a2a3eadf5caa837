"""The runs of the Explore page, as its form and its address ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from phenviz.attribution.targets import Target
from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.service.addresses import BASELINES, split_address
from phenviz.service.attribute import METHODS, AttributeRequest
from phenviz.service.coarse import CoarseRequest
from phenviz.service.standard import MutagenesisRequest
from phenviz.service.trait import TraitRequest, steps_of_trait

Explained = MutagenesisRequest | CoarseRequest | AttributeRequest | TraitRequest
_BY_CHANGES = ("mutagenesis", "mutagenesis-coarse")


def explain(
    method: str,
    locus: Locus,
    contexts: Sequence[str],
    gene: str | None = None,
    n_steps: int | str = 32,
    baseline: str = "zero",
    trait: str = "",
) -> Explained:
    """Return the request of a run; what only the world knows is checked when it is submitted.

    Parameters
    ----------
    method
        ``mutagenesis``, ``mutagenesis-coarse``, ``integrated-gradients`` or ``saliency``.
    locus
        Bases to explain.
    contexts
        Names of the contexts: those to score for mutagenesis, the one explained for an attribution.
    gene
        Name of the gene whose expression is the target; None when the target is activity over the locus.
    n_steps
        Steps of the path of integrated gradients; ``"auto"`` for as many as the convergence delta asks for.
    baseline
        Where the path begins: a key of `phenviz.service.addresses.BASELINES`.
    trait
        Name of the trait whose logit is the target: it depends on all genes and contexts.

    Raises
    ------
    JobError
        If the method or baseline is unknown, or doesn't fit the target.
    """
    known = (*_BY_CHANGES, *METHODS)
    if method not in known:
        raise JobError(f"method {method!r} is unknown: use one of {', '.join(known)}")
    if baseline not in BASELINES:
        raise JobError(f"baseline {baseline!r} is unknown: use one of {', '.join(BASELINES)}")
    if method == "saliency":
        # neither has a meaning for a plain gradient
        n_steps, baseline = 1, "zero"
    begins, count = BASELINES[baseline]
    if trait:
        if method in _BY_CHANGES:
            raise JobError(
                "a trait isn't explained by changing single bases: choose integrated gradients or saliency"
            )
        return TraitRequest(trait, locus, method, steps_of_trait(n_steps, count), begins)
    if not contexts:
        raise JobError("no context is ticked: tick at least one in the list on the left")
    if method == "mutagenesis":
        return MutagenesisRequest(locus, tuple(contexts), gene)
    if method == "mutagenesis-coarse":
        return CoarseRequest(locus, contexts[0], gene)
    return AttributeRequest(locus, Target(gene, contexts[0]), method, n_steps, begins, count)


def request_at(address: str) -> Explained:
    """Return the request that wrote this address (`phenviz.service.job_types.Request.address`).

    Raises
    ------
    JobError
        If it is none, or names a run that there isn't.
    """
    return explain(*split_address(address))
