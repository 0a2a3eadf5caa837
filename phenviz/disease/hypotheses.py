"""Hypotheses: which contexts does a trait act through, by every method, in one result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.disease import multiple
from phenviz.disease.cohort_methods import described
from phenviz.disease.functional_prior import DEFINITION as PRIOR_DEFINITION
from phenviz.disease.functional_prior import checked_prior, follows_prior, prior_of
from phenviz.disease.inputs import FLAT, Inputs, Settings
from phenviz.disease.methods import MATCHED, Outcome, methods, needs_beta
from phenviz.disease.scores import Scorer
from phenviz.disease.statistics_methods import lacking
from phenviz.disease.traits import TraitVariants
from phenviz.errors import DataError, TargetError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus, shown_contig
from phenviz.genome.reference import ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs

if TYPE_CHECKING:
    from phenviz.world import World

DEFAULT_METHODS = ("variant",)
PER_TEST = (
    "effect", "se", "interval_low", "interval_high", "z", "p_value", "p_conditional", "top_locus_share",
    "p_without_top",
)  # fmt: skip
DEFINITION = (
    "excess of a posterior-weighted mean over matched loci, for each trait and context (methods of the "
    "matched-locus "
    "kind); other methods by their own definition, see method_label and units of each method"
)


def hypotheses(
    traits: TraitVariants,
    world: World,
    *,
    method: str | Sequence[str] = DEFAULT_METHODS,
    contexts: Sequence[str] | None = None,
    permutations: int = 10_000,
    seed: int = 0,
    prior: str = FLAT,
    scorer: Scorer | None = None,
    background: pd.DataFrame | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Test every trait in every context, by one or more methods.

    Parameters
    ----------
    traits
        Fine-mapped variants, from `read_trait_variants` or `read_trait_pack`.
    world
        Reference, annotation, contexts, backbone and observed peaks.
    method
        Names of `method_names`.
    contexts
        Names, labels, ontology terms or groups to keep; all by default. Methods with contexts of their own
        (REMO cell types, expression) are kept where the name fits.
    permutations
        Draws of the null.
    seed
        Of all that is random: the same seed gives the same numbers.
    prior
        ``flat``: posteriors as given. ``effect``: within each locus, posteriors are multiplied by a weight
        that grows with the predicted effect, in methods that compare loci with matched ones, whose null is
        reweighted in the same way (`phenviz.disease.functional_prior`).
    scorer
        Scores variants; `phenviz.effects.score_variants` by default.
    background
        Common variants (``contig``, ``position``, ``ref``, ``alt``, ``allele_frequency``) to compare with;
        random ones by default.
    progress
        Updated while reading, scoring and testing by each method.

    Returns
    -------
    xr.Dataset
        On (trait, context, method): ``effect``, ``se``, ``interval_low`` and ``interval_high`` (95 %), ``z``,
        ``p_value``, ``q_value`` (Benjamini-Hochberg over all traits and contexts of a method),
        ``p_bonferroni``, ``p_effective`` (times traits and effective number of contexts), ``p_conditional``,
        ``top_locus_share``, ``p_without_top``; NaN where a method doesn't test. On (trait,): ``variants``,
        ``loci``, ``posterior``, ``posterior_share``. On (method,): ``effective_contexts`` (Li and Ji),
        ``effective_contexts_nyholt``, and with a prior ``method_prior``, the one that counted in it. On
        (trait, method): ``imbalance``. Attributes name all settings.

    Raises
    ------
    DataError
        If a method is unknown, the prior counts in none, there is nothing to test, or a data pack is missing
        (`PackMissing`).
    TargetError
        If no context has a name that was asked for.
    """
    names = checked_methods([method] if isinstance(method, str) else list(method))
    settings = Settings(permutations, seed, prior=checked_prior(prior, names))
    check_testable(traits, world.reference, names, world=world)
    inputs = Inputs(traits, world, settings, scorer=scorer, common=background, progress=progress)
    return run_methods(inputs, names, contexts)


def check_testable(
    traits: TraitVariants,
    reference: ReferenceGenome,
    method: Sequence[str] = DEFAULT_METHODS,
    *,
    world: World | None = None,
) -> None:
    """Raise a `DataError` that says why and what to do where no variant of any trait can be tested.

    With the world also where methods that read whole studies, and no others, lack what they need of it.
    """
    report = traits.report
    whole = [name for name in method if methods()[name].whole_study]
    if len(whole) == len(method):
        why = [lacking(name, traits, world) for name in whole]
        if all(why):
            raise DataError(f"nothing to test by {', '.join(whole)}: {'; '.join(dict.fromkeys(why))}")
        return
    if whole and not traits.traits and traits.statistics is not None:
        return
    if not traits.traits:
        here = ", ".join(map(shown_contig, list(reference.contigs)[:5]))
        reasons = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in report.skipped.items())
        if set(report.skipped) <= {"other_contig", "outside_contig"}:
            raise DataError(
                f"nothing to test: none of the {report.read:,} rows of {report.source} is a variant on "
                f"{here} ({reasons or 'no rows'}): give variants that lie there, or open a world with their "
                "contigs"
            )
        raise DataError(
            f"nothing to test: all {report.read:,} rows of {report.source} were left out ({reasons}): "
            "check which columns it has, and what each of them holds"
        )
    if not (traits.table["posterior"] > 0).any():
        raise DataError(
            f"nothing to test: every posterior of {report.source} is 0: give those of fine-mapping"
        )
    if all(needs_beta(name) for name in method) and not traits.table["beta"].notna().any():
        raise DataError(
            f"nothing to test by {', '.join(method)}: {report.source} has no effect sizes whose sign is "
            "known: give beta (z alone isn't enough) and effect_allele, or choose another method"
        )


def run_methods(inputs: Inputs, method: Sequence[str], contexts: Sequence[str] | None = None) -> xr.Dataset:
    """Run methods on inputs that several calls may share; arguments and result as of `hypotheses`."""
    outcomes = {}
    for name in checked_methods(list(method)):
        inputs.progress.stage(f"testing: {methods()[name].label}")
        if inputs.traits.traits or methods()[name].whole_study:
            outcomes[name] = methods()[name].run(inputs, name)
        else:
            none = f"Nothing was tested by {name}: no trait has a locus that is significant on its own."
            outcomes[name] = Outcome(inputs.contexts, {}, {}, none)
        inputs.progress.advance()
    kept, attrs = _kept(_union(outcomes), contexts), _attrs(inputs, list(outcomes))
    return _with_traits(dataset_of(outcomes, inputs.traits.every_trait, kept, attrs), inputs)


def method_names() -> tuple[str, ...]:
    """Return the names of all methods, baselines and negative controls."""
    return tuple(methods())


def table_of(dataset: xr.Dataset) -> pd.DataFrame:
    """Return the tests as a tidy table, most significant first within each trait and method.

    Returns
    -------
    pd.DataFrame
        ``trait``, ``context``, ``context_label``, ``curie``, ``group``, ``method``, and the variables on
        (trait, context, method); pairs that a method doesn't test are left out.
    """
    three = [name for name in dataset.data_vars if set(dataset[name].dims) == {"trait", "context", "method"}]
    frame = dataset[three].to_dataframe().reset_index()
    first = ["trait", "context", "context_label", "curie", "group", "method"]
    frame = frame[[*first, *map(str, three)]].dropna(subset=["p_value"])
    order = {str(name): place for place, name in enumerate(dataset["trait"].values)}
    methods_order = {str(name): place for place, name in enumerate(dataset["method"].values)}
    keys = {"_t": frame["trait"].map(order), "_m": frame["method"].map(methods_order)}
    frame = frame.assign(**keys, _z=-frame["z"])
    frame = frame.sort_values(["_t", "_m", "p_value", "_z"], kind="stable")
    return frame.drop(columns=["_t", "_m", "_z"]).reset_index(drop=True)


def checked_methods(names: list[str]) -> list[str]:
    """Return names of methods, each once.

    Raises
    ------
    DataError
        If none is given, there is none of a name, or it tests people.
    """
    if not names:
        raise DataError(f"no method given: choose from {', '.join(method_names())}")
    for name in names:
        if name not in methods():
            if name in described():
                raise DataError(
                    f"{name} tests people, not fine-mapped variants: use `phenviz cohort hypotheses`"
                )
            raise DataError(f"no method {name!r}: choose from {', '.join(method_names())}")
    return list(dict.fromkeys(names))


def dataset_of(
    outcomes: dict[str, Outcome], traits: Sequence[str], contexts: Sequence[Context], attrs: dict[str, Any]
) -> xr.Dataset:
    """Lay out what methods found, with corrections for many tests.

    Parameters
    ----------
    outcomes
        By method.
    traits, contexts
        Which are kept, in their order.
    attrs
        Of the dataset.

    Returns
    -------
    xr.Dataset
        As of `hypotheses`, but for what is on (trait,).
    """
    column = {context.name: place for place, context in enumerate(contexts)}
    names = list(outcomes)
    numbers = {v: np.full((len(traits), len(contexts), len(names)), np.nan) for v in PER_TEST}
    imbalance = np.full((len(traits), len(names)), np.nan)
    for m, outcome in enumerate(outcomes.values()):
        own = [place for place, context in enumerate(outcome.contexts) if context.name in column]
        into = [column[outcome.contexts[place].name] for place in own]
        for t, trait in enumerate(traits):
            # a trait without loci has no result of a method that goes by loci
            if trait not in outcome.results:
                continue
            for variable in PER_TEST:
                numbers[variable][t, into, m] = getattr(outcome.results[trait], variable)[own]
            imbalance[t, m] = outcome.imbalance.get(trait, np.nan)
    dims, known = ("trait", "context", "method"), described()
    dataset = xr.Dataset(
        {name: (dims, values) for name, values in numbers.items()},
        coords={
            "trait": ("trait", np.array(traits, dtype=object)),
            "method": ("method", np.array(names, dtype=object)),
            "method_note": ("method", np.array([one.note for one in outcomes.values()], dtype=object)),
            **context_coords(contexts),
        },
        attrs=attrs,
    )
    dataset["imbalance"] = (("trait", "method"), imbalance)
    if "prior" in attrs:
        priors = [prior_of(dataset, name) for name in names]
        dataset = dataset.assign(method_prior=("method", np.array(priors, dtype=object)))
    return _corrected(dataset, outcomes).assign_coords(
        method_label=("method", np.array([known[name].label for name in names], object)),
        method_units=("method", np.array([known[name].units for name in names], object)),
        is_control=("method", np.array([known[name].control for name in names], int)),
    )


def _corrected(dataset: xr.Dataset, outcomes: dict[str, Outcome]) -> xr.Dataset:
    """Add what the p-values are worth among many, method by method."""
    dims = ("trait", "context", "method")
    p = dataset["p_value"].values
    corrected = {name: np.full(p.shape, np.nan) for name in ("q_value", "p_bonferroni", "p_effective")}
    li_ji, nyholt = np.full(p.shape[2], np.nan), np.full(p.shape[2], np.nan)
    for m, outcome in enumerate(outcomes.values()):
        matrices = [r.null_correlation for r in outcome.results.values() if r.null_correlation is not None]
        contexts = np.isfinite(p[:, :, m]).any(0).sum()
        if matrices:
            mean = np.mean(matrices, axis=0)
            li_ji[m], nyholt[m] = multiple.effective_tests(mean), multiple.effective_tests_nyholt(mean)
        tested = np.isfinite(p[:, :, m]).any(1).sum()
        independent = min(li_ji[m], contexts) if np.isfinite(li_ji[m]) else contexts
        corrected["q_value"][:, :, m] = multiple.benjamini_hochberg(p[:, :, m])
        corrected["p_bonferroni"][:, :, m] = multiple.bonferroni(p[:, :, m])
        corrected["p_effective"][:, :, m] = multiple.bonferroni(p[:, :, m], tested * independent)
    dataset = dataset.assign({name: (dims, values) for name, values in corrected.items()})
    dataset["effective_contexts"], dataset["effective_contexts_nyholt"] = (
        ("method", li_ji),
        ("method", nyholt),
    )
    return dataset


def _with_traits(dataset: xr.Dataset, inputs: Inputs) -> xr.Dataset:
    summary = inputs.traits.summary().set_index("trait").loc[inputs.traits.every_trait]
    return dataset.assign(
        variants=("trait", summary["variants"].to_numpy(np.int64)),
        loci=("trait", summary["loci"].to_numpy(np.int64)),
        posterior=("trait", summary["posterior"].to_numpy(float)),
        posterior_share=("trait", summary["share"].to_numpy(float)),
    )


def _attrs(inputs: Inputs, names: list[str]) -> dict[str, Any]:
    variants, world, prior = inputs.variants, inputs.world, inputs.settings.prior
    if variants.empty and inputs.traits.statistics is not None:
        variants = inputs.traits.statistics
    contigs = sorted(variants["contig"].unique())
    absent = inputs.traits.report.absent
    place = Locus(contigs[0], int(variants["position"].min()) - 1, int(variants["position"].max()))
    uses_model = any(name in MATCHED and MATCHED[name].kind == "model" for name in names)
    uses_model |= prior != FLAT and any(map(follows_prior, names))
    return result_attrs(
        place,
        world.backbone if uses_model else None,
        world.reference,
        definition=DEFINITION,
        units="see method_units",
        **({} if len(contigs) == 1 else {"contig": ",".join(contigs)}),
        **({"traits_left_out": ", ".join(absent)} if absent else {}),
        source=inputs.traits.report.source,
        rows_read=inputs.traits.report.read,
        rows_kept=inputs.traits.report.kept,
        permutations=inputs.settings.permutations,
        replicas=inputs.settings.replicas,
        seed=inputs.settings.seed,
        **({} if prior == FLAT else {"prior": prior, "prior_definition": PRIOR_DEFINITION}),
        background=_background_words(inputs, names),
        multiple_testing="Benjamini-Hochberg over all tested traits and contexts of a method",
    )


def _background_words(inputs: Inputs, names: list[str]) -> str:
    sides = [side for side in ("model", "observed") if side in vars(inputs)]
    if not sides:
        return "none"
    side = getattr(inputs, sides[0])
    kind = {
        "random": "random single-base changes and short indels of the same contigs",
        "individuals": "common variants of individuals",
    }[side.background.kind]
    return f"{len(side.background.variants):,} {kind}, matched on {', '.join(side.covariates.columns)}"


def _union(outcomes: dict[str, Outcome]) -> tuple[Context, ...]:
    found: dict[str, Context] = {}
    for outcome in outcomes.values():
        for context in outcome.contexts:
            found.setdefault(context.name, context)
    return tuple(found.values())


def _kept(contexts: tuple[Context, ...], chosen: Iterable[str] | None) -> tuple[Context, ...]:
    if chosen is None:
        return contexts
    kept: set[str] = set()
    for name in chosen:
        wanted = name.strip().lower()
        fits = {c.name for c in contexts if wanted in (c.name.lower(), c.label.lower(), c.curie.lower())}
        fits = fits or {c.name for c in contexts if wanted == c.group.lower()}
        if not fits:
            listed = ", ".join(context.name for context in contexts[:20])
            raise TargetError(
                f"no context {name!r} among those tested: {listed}{' ...' * (len(contexts) > 20)}"
            )
        kept |= fits
    return tuple(context for context in contexts if context.name in kept)
