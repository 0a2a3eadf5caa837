"""What the methods of one run share: variants, scores, background and replicas, each made once."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.packs import PackMissing, find_pack
from phenviz.disease.background import BackgroundVariants, common_background, random_background
from phenviz.disease.covariates import covariates
from phenviz.disease.engine import usual_level
from phenviz.disease.matching import REPLICAS, Matcher, Replicas
from phenviz.disease.observed import Peaks
from phenviz.disease.scores import Scorer, Scores, score_all
from phenviz.disease.traits import TraitVariants
from phenviz.errors import DataError
from phenviz.genome.contexts import Context, without_reporters
from phenviz.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from phenviz.models import SequenceBackbone
    from phenviz.world import World

FLAT = "flat"
EFFECT = "effect"


@dataclass(frozen=True)
class Settings:
    """What a run was told.

    Parameters
    ----------
    permutations
        Draws of the null.
    seed
        Of all that is random.
    replicas
        Comparable loci for each locus.
    prior
        ``flat``: posteriors as given; ``effect``: reweighted by predicted effects
        (`phenviz.disease.functional_prior`).
    """

    permutations: int = 10_000
    seed: int = 0
    replicas: int = REPLICAS
    prior: str = FLAT


@dataclass(frozen=True)
class Side:
    """Variants and background as one kind of evidence sees them (the model's, or the observed peaks').

    Parameters
    ----------
    own, pool
        Scores of the variants and of the background.
    covariates, pool_covariates
        What they are matched on.
    matcher
        Finds replicas in the background.
    background
        The background's variants.
    """

    own: Scores
    pool: Scores
    covariates: pd.DataFrame
    pool_covariates: pd.DataFrame
    matcher: Matcher
    background: BackgroundVariants


class Inputs:
    """Everything that the methods of one run read.

    Parameters
    ----------
    traits
        Fine-mapped variants.
    world
        Gives reference, annotation, contexts, backbone and observed peaks.
    settings
        Draws and seed.
    scorer
        Scores variants by a backbone; `phenviz.effects.score_variants` by default.
    common
        Common variants with ``allele_frequency`` to use as background; random ones by default.
    progress
        Updated during the slow steps.
    """

    def __init__(
        self,
        traits: TraitVariants,
        world: World,
        settings: Settings,
        *,
        scorer: Scorer | None = None,
        common: pd.DataFrame | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self.traits, self.world, self.settings, self.progress = traits, world, settings, progress
        self._scorer, self._common = scorer, common
        self._replicas: dict[tuple[str, str], Replicas] = {}
        self._observed_effects: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        table = traits.table
        self.contexts: tuple[Context, ...] = without_reporters(world.contexts)
        self.variants = traits.variants()
        numbers = self.variants.assign(row=np.arange(len(self.variants)))
        key = ["contig", "position", "ref", "alt"]
        self._row = table[key].merge(numbers[[*key, "row"]], on=key, how="left")["row"].to_numpy(np.intp)
        self._trait_rows = table.groupby("trait", sort=False).indices

    def generator(self, *words: str) -> np.random.Generator:
        """Return a generator that depends on the seed and the words alone, not on what else is run."""
        return np.random.default_rng([self.settings.seed, *(zlib.crc32(word.encode()) for word in words)])

    def trait(self, name: str) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """Return a trait's rows, and the row of each among `variants`."""
        rows = self._trait_rows[name]
        return self.traits.table.iloc[rows].reset_index(drop=True), self._row[rows]

    def statistics(self, name: str) -> pd.DataFrame | None:
        """Return a trait's summary statistics, of all variants; None where it has fine-mapped ones alone."""
        rows = self._studies.get(name)
        if self.traits.statistics is None or rows is None:
            return None
        return self.traits.statistics.iloc[rows].reset_index(drop=True)

    @cached_property
    def _studies(self) -> dict[str, NDArray[np.intp]]:
        whole = self.traits.statistics
        return {} if whole is None else dict(whole.groupby("trait", sort=False).indices)

    def replicas(self, trait: str, kind: str) -> Replicas:
        """Return the replicas of a trait's loci; ``kind`` is ``model`` or ``observed``."""
        if (trait, kind) not in self._replicas:
            side = self.model if kind == "model" else self.observed
            table, rows = self.trait(trait)
            own = side.covariates.iloc[rows].reset_index(drop=True)
            self._replicas[trait, kind] = side.matcher.replicas(
                table,
                own,
                lambda locus: self.generator("replicas", locus, kind),
                count=self.settings.replicas,
            )
        return self._replicas[trait, kind]

    @cached_property
    def model(self) -> Side:
        """Predicted effects of the variants and of the background."""
        own = self.score(self.variants, self.world.backbone)

        def activity(variants: pd.DataFrame) -> NDArray[np.floating]:
            return self.score(variants, self.world.backbone).active.mean(1)

        background = self._draw(activity)
        pool = self.score_pool(background, self.world.backbone)
        return self._side(own, pool, background)

    @cached_property
    def observed(self) -> Side:
        """Observed accessibility at the variants and at the background."""

        def scores(variants: pd.DataFrame) -> Scores:
            found = self.peaks.at(variants)
            return Scores(found, found, found)

        background = self._draw(lambda variants: self.peaks.at(variants).mean(1))
        return self._side(scores(self.variants), scores(background.variants), background)

    def effects(self, side: Side) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the sizes of predicted effects of the variants (n, C) and of a side's background (N, C)."""
        if side is vars(self).get("model"):
            return side.own.magnitude, side.pool.magnitude
        if self._observed_effects is None:
            own = self.score(self.variants, self.world.backbone).magnitude
            pool = self.score_pool(side.background, self.world.backbone).magnitude
            self._observed_effects = own, pool
        return self._observed_effects

    def usual_levels(
        self, side: Side, size: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what size is usual at the activity of each variant (n,), and of the background (N,).

        Parameters
        ----------
        size
            Of the background's variants, over contexts, (N,).
        """
        activity = side.pool_covariates["activity"].to_numpy(float)
        own_activity = side.covariates["activity"].to_numpy(float)
        pool_indel, own_indel = indels(side.background.variants), indels(self.variants)
        return (
            usual_level(size, activity, pool_indel, own_activity, own_indel),
            usual_level(size, activity, pool_indel, activity, pool_indel),
        )

    @property
    def cheapest_kind(self) -> str:
        """Kind of evidence to match positions on where neither is tested: observed peaks cost no model."""
        return "model" if self.world.peaks is None else "observed"

    @cached_property
    def peaks(self) -> Peaks:
        """Observed peaks.

        Raises
        ------
        PackMissing, DataError
            If the world has none, or their data pack isn't here.
        """
        table = self.world.peaks
        if table is None:
            if packs := self.world.project.peak_packs:
                raise PackMissing(find_pack(packs[0]))
            raise DataError(
                f"world {self.world.name!r} has no observed peaks: set 'peaks' in its project.yaml, or "
                f"choose "
                "methods that need none (variant)"
            )
        return Peaks(table, self.contexts)

    def score(self, variants: pd.DataFrame, backbone: SequenceBackbone) -> Scores:
        """Score variants by a backbone, in all contexts of the world."""
        scorer = self._scorer or _default_scorer()
        return score_all(variants, self.world.reference, backbone, self.contexts, scorer, self.progress)

    def score_pool(self, background: BackgroundVariants, backbone: SequenceBackbone) -> Scores:
        """Score a background; its first stage is what the drawing has scored already."""
        table = background.variants
        first = (table["stage"] == 1).to_numpy()
        parts = {stage: self.score(table[mask], backbone) for stage, mask in ((1, first), (2, ~first))}

        def joined(name: str) -> NDArray[np.float32]:
            whole = np.empty((len(table), len(self.contexts)), np.float32)
            whole[first], whole[~first] = getattr(parts[1], name), getattr(parts[2], name)
            return whole

        return Scores(joined("effect"), joined("magnitude"), joined("active"))

    def _draw(self, activity: object) -> BackgroundVariants:
        if self._common is not None:
            return common_background(self._common, seed=self.settings.seed)
        contigs = sorted(self.variants["contig"].unique())
        if not contigs:
            raise DataError(f"{self.traits.report.source}: no variant lies on the contigs of this world")
        return random_background(
            self.world.reference,
            self.world.annotation,
            contigs,
            activity,  # type: ignore[arg-type]
            seed=self.settings.seed,
        )

    def _side(self, own: Scores, pool: Scores, background: BackgroundVariants) -> Side:
        reference, annotation = self.world.reference, self.world.annotation
        scored = np.isfinite(pool.magnitude).all(1) & np.isfinite(pool.active).all(1)
        if not scored.all():
            table = background.variants[scored].reset_index(drop=True)
            table = table.assign(element=pd.factorize(table["element"])[0])
            background = replace(background, variants=table)
            pool = Scores(pool.effect[scored], pool.magnitude[scored], pool.active[scored])
        theirs = covariates(background.variants, reference, annotation, pool.active.mean(1))
        ours = covariates(self._with_frequency(), reference, annotation, np.nan_to_num(own.active).mean(1))
        if "allele_frequency" not in ours or "allele_frequency" not in theirs:
            ours, theirs = (t.drop(columns="allele_frequency", errors="ignore") for t in (ours, theirs))
        return Side(own, pool, ours, theirs, Matcher(background.variants, theirs), background)

    def _with_frequency(self) -> pd.DataFrame:
        first = self.traits.table.assign(row=self._row).groupby("row")["allele_frequency"].first()
        return self.variants.assign(allele_frequency=first.reindex(np.arange(len(self.variants))).to_numpy())


def _default_scorer() -> Scorer:
    from phenviz.effects import score_variants

    return score_variants


def indels(variants: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which variants change the length."""
    return (variants["ref"].str.len() != variants["alt"].str.len()).to_numpy(bool)
