"""Posteriors given what the model says: of a fine-mapped locus, variants that do more count for more.

Fine-mapping takes all variants of a locus as equally likely beforehand. As PolyFun [1]_ does within
fine-mapping, a prior that grows with what a variant does multiplies the posterior of a causal signal:

    PIP'_i = S w_i PIP_i / sum_j w_j PIP_j ,   S = sum_j PIP_j ,   w_i = (1 + e_i / 0.02)^2 ,

where e_i is the size of the predicted effect (log2 fold change), taken over all contexts and not in the one
that is tested: otherwise a context would choose the variants that speak for it, each context would have
posteriors of its own, and those in which effects scatter most would come first. PolyFun's prior is fitted to
heritability of the whole genome; this one is fitted to no trait.

What is chosen by its effect has a large one, be there anything to find or not. So each replica of a locus is
reweighted in the same way, by the effects of its own stand-ins: where nothing is to be found, the locus and
its replicas stay exchangeable, and p holds as it does without. Methods whose null can't be reweighted so keep
the posteriors as given.

References
----------
.. [1] Weissbrod et al. 2020, Nat Genet 52:1355.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.disease.engine import SCALE_LIMITS, Reweigh
from phenviz.disease.inputs import EFFECT, FLAT, Inputs, Side
from phenviz.errors import DataError

Array = NDArray[np.float64]

# effects far below this are noise of the model
NO_EFFECT = 0.02
# chosen on planted simulations by a rule written down before (evaluation/disease_prior.py)
POWER = 2.0
OVER = "mean"
PRIORS = (FLAT, EFFECT)
DEFINITION = (
    "posterior times (1 + size of the predicted effect / 0.02) squared, the size being the mean over "
    "contexts of the absolute log2 fold change; each locus keeps its sum"
)


@dataclass(frozen=True)
class FunctionalPrior:
    """What the prior weights of all variants, and of all that may stand for them, are computed from.

    Parameters
    ----------
    size, pool_size
        Size of the predicted effect over contexts, of all variants (n,) and of the background (N,).
    level, pool_level
        What size is usual at their activity (`phenviz.disease.engine.usual_level`).
    """

    size: Array
    pool_size: Array
    level: Array
    pool_level: Array

    def of(self, rows: NDArray[np.intp], posterior: Array) -> Reweigh:
        """Return what reweights the loci of a trait with these rows of all variants, and these posteriors."""
        size, level = self.size[rows], self.level[rows]

        def factors(members: NDArray[np.intp], stand_in: NDArray[np.intp]) -> tuple[Array, Array]:
            given = posterior[members]
            # as the numbers that are tested: a stand-in does what is usual at the variant's activity
            scale = np.clip(level[members] / self.pool_level[stand_in], *SCALE_LIMITS)
            known = np.where(given > 0, given, 1.0)
            own = reweighted(given, prior_weight(size[members]))
            return own / known, reweighted(given, prior_weight(scale * self.pool_size[stand_in])) / known

        return factors


def prior_weight(size: Array, power: float = POWER) -> Array:
    """Return w of effects of some size: 1 without any, and more the larger they are."""
    return np.asarray((1 + size / NO_EFFECT) ** power)


def effect_size(magnitude: NDArray[np.floating], over: str = OVER) -> Array:
    """Return one size per variant, (n,), from sizes in each context (n, C); 0 where it can't be scored.

    Parameters
    ----------
    over
        ``mean`` or ``max`` over contexts.
    """
    known = np.isfinite(magnitude).all(1)
    sizes = np.where(known[:, None], magnitude, 0.0).astype(float)
    return np.asarray(sizes.mean(1) if over == "mean" else sizes.max(1))


def reweighted(posterior: Array, weight: Array) -> Array:
    """Multiply the posteriors of one locus by prior weights; their sum stays, and none exceeds 1.

    Parameters
    ----------
    posterior
        (n,).
    weight
        (n,), or (K, n) for K sets of weights.

    Notes
    -----
    A sum above 1 is that of several signals which the file doesn't tell apart; what a variant would have
    above 1 goes to the others in proportion.
    """
    product = posterior * weight
    total, most = posterior.sum(), max(1.0, float(posterior.max(initial=0.0)))
    if not total > 0:
        return product
    if total <= most:
        return np.asarray(product * (total / product.sum(-1, keepdims=True)))
    # the m heaviest are at the limit for the first m that leaves none of the others above it
    heaviest = np.sort(product, axis=-1)[..., ::-1]
    rest = np.cumsum(heaviest[..., ::-1], axis=-1)[..., ::-1]
    left = total - most * np.arange(product.shape[-1])
    scale = np.where(rest > 0, np.maximum(left, 0.0) / np.maximum(rest, 1e-300), 0.0)
    fits = scale * heaviest <= most * (1 + 1e-12)
    first = fits.argmax(-1)[..., None]
    return np.asarray(np.minimum(product * np.take_along_axis(scale, first, -1), most))


def functional_prior(inputs: Inputs, side: Side) -> FunctionalPrior | None:
    """Read the sizes of all effects; None where the prior is flat."""
    if inputs.settings.prior == FLAT:
        return None
    own, pool = (effect_size(magnitude) for magnitude in inputs.effects(side))
    return FunctionalPrior(own, pool, *inputs.usual_levels(side, pool))


def posteriors_of(inputs: Inputs, trait: str, magnitude: NDArray[np.floating]) -> Array:
    """Return the posteriors of a trait's variants under the prior that a run was told, (n,).

    Parameters
    ----------
    magnitude
        Sizes of the predicted effects of all variants in each context.
    """
    table, rows = inputs.trait(trait)
    posterior = table["posterior"].to_numpy(float)
    if inputs.settings.prior == FLAT:
        return posterior
    weight, result = prior_weight(effect_size(magnitude)[rows]), posterior.copy()
    for members in table.groupby("locus", sort=False).indices.values():
        result[members] = reweighted(posterior[members], weight[members])
    return result


def checked_prior(prior: str, method: Sequence[str]) -> str:
    """Return the name of a prior.

    Raises
    ------
    DataError
        If there is none of that name, or it counts in none of the methods.
    """
    if prior not in PRIORS:
        raise DataError(f"no prior {prior!r}: choose from {', '.join(PRIORS)}")
    if prior != FLAT and not any(follows_prior(name) for name in method):
        raise DataError(
            f"prior {prior!r} counts in methods that compare posteriors with those of matched loci, such as "
            f"sequence or variant, and not in {', '.join(method)}: add one of these, or leave the prior flat"
        )
    return prior


def follows_prior(name: str) -> bool:
    """Tell whether a method's posteriors, and those of its null, are reweighted by the functional prior."""
    from phenviz.disease.methods import MATCHED

    return bool(getattr(MATCHED.get(name), "reweighted", False))


def prior_of(dataset: xr.Dataset, method: str) -> str:
    """Return the prior of the posteriors that a method of a result has tested."""
    return str(dataset.attrs.get("prior", FLAT)) if follows_prior(method) else FLAT
