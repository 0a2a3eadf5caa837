"""The methods by name: what each is, what it needs, and the matched-locus ones themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from phenviz.disease.combined import Combined, LocusTest
from phenviz.disease.engine import LocusSums, TestResult, locus_sums, matched_test, untested
from phenviz.disease.functional_prior import FunctionalPrior, functional_prior
from phenviz.disease.gene_activity import GeneActivity
from phenviz.disease.inputs import Inputs, Side
from phenviz.disease.scores import Scores
from phenviz.genome.contexts import Context

Array = NDArray[np.float64]
EFFECT_UNITS = "log2 fold change"
# the method to begin with
RECOMMENDED = "sequence"
# effects far below this are noise of the model, and their pattern over contexts is too
_NO_EFFECT = 0.02


@dataclass(frozen=True)
class Outcome:
    """What a method found.

    Parameters
    ----------
    contexts
        What it tested.
    results
        Trait -> its tests, arrays in the order of ``contexts``.
    imbalance
        Trait -> largest absolute standardised difference of a matched covariate; empty where nothing is
        matched.
    note
        What these numbers rest on, and so can't show, in a sentence or two; "" where the method's text says
        it all.
    """

    contexts: tuple[Context, ...]
    results: dict[str, TestResult]
    imbalance: dict[str, float]
    note: str = ""


@dataclass(frozen=True)
class Feature:
    """Numbers of variants for a matched test.

    Parameters
    ----------
    own, pool
        Of the traits' variants (n, C) and of the background (N, C).
    size
        Size of a background variant's effect, over contexts, (N,): sets what is usual at an activity.
    """

    own: Array
    pool: Array
    size: Array


_Prepared = tuple[Feature, Array, Array, FunctionalPrior | None]


@dataclass(frozen=True)
class Matched:
    """A matched-locus test of some number.

    Parameters
    ----------
    kind
        ``model`` or ``observed``: whose activity is matched.
    feature
        Gives the numbers.
    signed
        Whether the number is signed and multiplied by beta.
    weighted
        Whether posteriors count; otherwise each variant counts the same.
    shuffled
        Whether the contexts' names are shuffled in each locus (a negative control).
    """

    kind: str
    feature: Callable[[Inputs, Side], Feature]
    signed: bool = False
    weighted: bool = True
    shuffled: bool = False

    def run(self, inputs: Inputs, name: str) -> Outcome:
        """Test every trait."""
        return run_matched(self, inputs, name)

    def side(self, inputs: Inputs) -> Side:
        """Return the evidence that it reads."""
        return inputs.model if self.kind == "model" else inputs.observed

    @property
    def reweighted(self) -> bool:
        """Whether a functional prior counts."""
        return self.weighted

    def prepare(self, inputs: Inputs, side: Side) -> _Prepared:
        """Compute the numbers of all variants, what is usual at their activity, and the prior."""
        feature = self.feature(inputs, side)
        prior = functional_prior(inputs, side) if self.reweighted else None
        return feature, *inputs.usual_levels(side, feature.size), prior

    def sums(
        self,
        inputs: Inputs,
        side: Side,
        prepared: _Prepared,
        trait: str,
        name: str,
    ) -> LocusSums | None:
        """Sum one trait's loci; None where nothing of it can be tested."""
        feature, level, pool_level, prior = prepared
        table, rows = inputs.trait(trait)
        values = feature.own[rows]
        posterior = table["posterior"].to_numpy(float)
        weight = posterior if self.weighted else np.ones(len(table))
        if self.signed:
            weight = weight * np.nan_to_num(table["beta"].to_numpy(float))
        usable = np.asarray(np.isfinite(values).all(1), dtype=bool)
        weight, values = np.where(usable, weight, 0.0), np.where(usable[:, None], values, 0.0)
        if not np.abs(weight).sum() > 0:
            return None
        replicas = inputs.replicas(trait, self.kind)
        reweigh = None if prior is None else prior.of(rows, np.where(usable, posterior, 0.0))
        sums = locus_sums(values, weight, replicas, feature.pool, level[rows], pool_level, reweigh)
        return _shuffled(sums, inputs.generator("shuffle", trait, name)) if self.shuffled else sums


def run_matched(matched: LocusTest, inputs: Inputs, name: str) -> Outcome:
    """Test every trait against its matched loci."""
    side = matched.side(inputs)
    prepared = matched.prepare(inputs, side)
    contexts = inputs.contexts if matched.kind == "model" else inputs.peaks.contexts
    results, imbalance = {}, {}
    for trait in inputs.traits.traits:
        inputs.progress.check()
        sums = matched.sums(inputs, side, prepared, trait, name)
        results[trait] = (
            untested(len(contexts))
            if sums is None
            else matched_test(
                sums,
                inputs.settings.permutations,
                inputs.generator(trait, name),
                two_sided=matched.signed,
            )
        )
        balance = inputs.replicas(trait, matched.kind).imbalance
        imbalance[trait] = max((abs(value) for value in balance.values()), default=np.nan)
    return Outcome(contexts, results, imbalance)


def magnitude(inputs: Inputs, side: Side) -> Feature:
    """Size of the effect in each context."""
    return _feature(side.own.magnitude, side.pool.magnitude)


def activity(inputs: Inputs, side: Side) -> Feature:
    """Predicted activity at the variant, of the more active allele."""
    return _feature(side.own.active, side.pool.active)


def specific(inputs: Inputs, side: Side) -> Feature:
    """Size of the effect in each context beyond its mean over contexts."""
    own, pool = side.own.magnitude.astype(float), side.pool.magnitude.astype(float)
    return Feature(own - own.mean(1, keepdims=True), pool - pool.mean(1, keepdims=True), pool.mean(1))


def relative(inputs: Inputs, side: Side) -> Feature:
    """Size of the effect in each context over its mean over contexts: where a variant acts, however strongly.

    It is bounded, so that no single strong effect outweighs all other loci.
    """
    return _feature(*(_over_mean(scores.magnitude) for scores in (side.own, side.pool)))


def _over_mean(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(magnitude / (magnitude.mean(1, keepdims=True) + _NO_EFFECT))


def signed(inputs: Inputs, side: Side) -> Feature:
    """Effect with its sign: accessibility gained by the alternate."""
    known = (inputs.variants["alt"] != "N").to_numpy()
    own = np.where(known[:, None], side.own.effect, np.nan)
    return Feature(
        own.astype(float), side.pool.effect.astype(float), side.pool.magnitude.mean(1).astype(float)
    )


def track_variance(inputs: Inputs, side: Side) -> Feature:
    """Squared deviation of the activity from the context's mean: knows the track, not the alleles."""
    mean = side.pool.active.mean(0)
    return _feature((side.own.active - mean) ** 2, (side.pool.active - mean) ** 2)


def random_weights(inputs: Inputs, side: Side) -> Feature:
    """Size of the effect by the same architecture with random weights."""
    from phenviz.models.randomised import randomised

    backbone = randomised(inputs.world.backbone, seed=inputs.settings.seed)
    own: Scores = inputs.score(inputs.variants, backbone)
    return _feature(own.magnitude, inputs.score_pool(side.background, backbone).magnitude)


def _feature(own: NDArray[np.float32], pool: NDArray[np.float32]) -> Feature:
    return Feature(own.astype(float), pool.astype(float), pool.mean(1).astype(float))


def _shuffled(sums: LocusSums, generator: np.random.Generator) -> LocusSums:
    """Shuffle the contexts of each locus, its observed sums and its replicas alike."""
    contexts = sums.observed.shape[1]
    orders = [generator.permutation(contexts) for _ in sums.weight]
    observed = np.array([row[order] for row, order in zip(sums.observed, orders, strict=True)])
    null = np.array([part[:, order] for part, order in zip(sums.null, orders, strict=True)])
    return LocusSums(observed, null, sums.weight)


@dataclass(frozen=True)
class Method:
    """A method.

    Parameters
    ----------
    label
        What it is, in a few words.
    text
        One sentence for the methods paragraph.
    units
        Unit of its effect.
    run
        Tests every trait: (inputs, name) -> outcome.
    control
        Whether it is a negative control.
    summary
        One sentence for who chooses among methods.
    whole_study
        Whether it reads the summary statistics of all variants, not loci.
    """

    label: str
    text: str
    units: str
    run: Callable[[Inputs, str], Outcome]
    control: bool = False
    summary: str = ""
    whole_study: bool = False


def methods() -> Mapping[str, Method]:
    """Return every method by name, in the order in which they are shown."""
    from phenviz.disease import gene_methods, peak_methods, statistics_methods

    theirs = {**peak_methods.METHODS, **gene_methods.METHODS, **statistics_methods.METHODS}
    return {**_MATCHED, **theirs, **_ADDED, **_CONTROLS}


def add_method(name: str, method: Method, matched: LocusTest | None = None) -> None:
    """Make a method known: to `phenviz.disease.hypotheses`, the command line and the Disease page.

    Parameters
    ----------
    name
        What it is asked for by; one of the same name that was added before is replaced.
    method
        What it is and does.
    matched
        What it compares with matched loci, if that is its way; it then also says which loci speak for a
        context (`phenviz.disease.locus_evidence`).
    """
    _ADDED[name] = method
    MATCHED.pop(name, None)
    if matched is not None:
        MATCHED[name] = matched


def draws_loci(name: str) -> bool:
    """Tell whether a method draws loci, so that its intervals are those of a bootstrap of loci."""
    return name in MATCHED or name == "gene-expression"


def needs_beta(name: str) -> bool:
    """Tell whether a method needs beta with its sign."""
    return name in MATCHED and MATCHED[name].signed


_ADDED: dict[str, Method] = {}


MATCHED: dict[str, LocusTest] = {
    "variant": Matched("model", magnitude),
    "sequence": Combined((Matched("model", magnitude), Matched("model", activity), GeneActivity())),
    "variant-specific": Matched("model", specific),
    "variant-relative": Matched("model", relative),
    "variant-signed": Matched("model", signed, signed=True),
    "variant-activity": Matched("model", activity),
    "accessibility": Matched("observed", magnitude),
    "control-shuffled": Matched("model", magnitude, shuffled=True),
    "control-track-variance": Matched("model", track_variance, weighted=False),
    "control-random-weights": Matched("model", random_weights),
}
_MATCHED = {
    "variant": Method(
        "predicted effect of variants",
        "The posterior-weighted mean of the size of each variant's predicted effect was compared with "
        "matched loci.",
        EFFECT_UNITS,
        partial(run_matched, MATCHED["variant"]),
        summary="Which contexts' accessibility do the variants change most, by the model?",
    ),
    "sequence": Method(
        "all evidence of the sequence",
        "Three kinds of evidence from sequence alone (the size of each variant's predicted effect, the "
        "predicted activity at it, and how specific the predicted activity within 16 kb of the nearest "
        "gene's transcription start is to a context) were weighted by posterior, divided by the standard "
        "deviation of their null, added, and compared with the same sums of matched loci.",
        "standard deviations of the null, mean of three",
        partial(run_matched, MATCHED["sequence"]),
        summary="The one to begin with: all that the model says of the variants and of the genes near them, "
        "in one test that needs no peaks.",
    ),
    "variant-specific": Method(
        "predicted effect beyond the mean of contexts",
        "As variant, after subtracting each variant's mean over contexts.",
        EFFECT_UNITS,
        partial(run_matched, MATCHED["variant-specific"]),
        summary="What does a variant change in a context beyond what it changes in all of them?",
    ),
    "variant-relative": Method(
        "predicted effect relative to the mean of contexts",
        "As variant, after dividing each variant's effects by their mean over contexts plus 0.02.",
        "ratio to the mean of contexts",
        partial(run_matched, MATCHED["variant-relative"]),
        summary="Where does a variant act, however strongly? No strong effect outweighs all other loci.",
    ),
    "variant-signed": Method(
        "predicted effect times beta",
        "The signed predicted effect of the alternate allele was weighted by posterior times beta, and "
        "tested two-sided against matched loci: a positive effect means that opening chromatin "
        "raises the trait.",
        EFFECT_UNITS,
        partial(run_matched, MATCHED["variant-signed"]),
        summary="Does opening chromatin raise the trait, or lower it? Needs beta with its sign.",
    ),
    "variant-activity": Method(
        "predicted activity at variants",
        "The posterior-weighted mean of the predicted activity at the variants (log2, the more active "
        "allele) was compared with matched loci.",
        "log2 activity",
        partial(run_matched, MATCHED["variant-activity"]),
        summary="In which contexts does the model predict open chromatin at the variants?",
    ),
    "accessibility": Method(
        "observed accessibility at variants",
        "The posterior-weighted mean of log2(1 + fold enrichment) of observed peaks at the variants was "
        "compared with matched loci.",
        "log2 fold enrichment",
        partial(run_matched, MATCHED["accessibility"]),
        summary="In which contexts was open chromatin observed at the variants?",
    ),
}
_CONTROLS = {
    "control-shuffled": Method(
        "control: context labels shuffled",
        "As variant, with the contexts' labels shuffled in each locus.",
        EFFECT_UNITS,
        partial(run_matched, MATCHED["control-shuffled"]),
        control=True,
        summary="Names of contexts shuffled: stars here are chance.",
    ),
    "control-track-variance": Method(
        "control: raw variance of the predicted track",
        "The squared deviation of the predicted activity at the variants, without posteriors and "
        "alleles, was compared with matched loci.",
        "squared log2 activity",
        partial(run_matched, MATCHED["control-track-variance"]),
        control=True,
        summary="Knows the predicted track, but no alleles and no posteriors.",
    ),
    "control-random-weights": Method(
        "control: backbone with random weights",
        "As variant, with the effects of a backbone of the same architecture and re-randomised weights.",
        EFFECT_UNITS,
        partial(run_matched, MATCHED["control-random-weights"]),
        control=True,
        summary="A model that has learnt nothing.",
    ),
}
