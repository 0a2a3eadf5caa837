"""The kinds of job on people's stored gene tokens: a Phenformer's logits, and what contexts add to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr

from phenviz.progress import Progress
from phenviz.service.job_params import WORKING_BYTES
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.models.phenformer import Phenformer
    from phenviz.results.tokens import TokenStore
    from phenviz.world import World

_STEPS = 32


@dataclass(frozen=True, slots=True, eq=False)
class StoredTokensRequest(Request):
    """What jobs on stored tokens share.

    Parameters
    ----------
    model
        Weights file of a Phenformer.
    weights_hash
        Its SHA-256.
    tokens
        Store of tokens, made for it.
    samples
        Whose.
    """

    of_people = True

    model: str
    weights_hash: str
    tokens: str
    samples: tuple[str, ...]

    def placed(self, backend: Backend) -> tuple[Phenformer, TokenStore]:
        """Open model and store; `ModelError` where the tokens are of another model."""
        from phenviz.service.device import place

        phenformer, store = _opened(self.model, self.tokens, backend)
        return place(phenformer, backend.device), store

    def all_at_once(self, compute: Callable[[Backend, Progress], xr.Dataset], **also: object) -> list[Chunk]:
        """Return the work as one chunk, told apart by model, tokens, people and what else matters."""
        identity = {"model": self.weights_hash, "tokens": self.tokens, "samples": self.samples}
        return [Chunk({**identity, **also}, compute, len(self.samples))]

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES + len(self.samples) * 448 * 256 * 2


@dataclass(frozen=True, slots=True, eq=False)
class LogitsRequest(StoredTokensRequest):
    """Parameters of ``logits``: what `StoredTokensRequest` has. Everybody's covariates count as average."""

    kind = "logits"
    seconds_per_unit = 1 / 500

    @classmethod
    def of(
        cls,
        world: World,
        model: str | os.PathLike[str],
        tokens: str | os.PathLike[str],
        samples: Iterable[str],
    ) -> Self:
        path, store = _paths(model, tokens)
        phenformer, _ = _opened(path, store, world)
        return cls(path, phenformer.weights_hash, store, tuple(samples))

    def chunks(self, world: World) -> list[Chunk]:
        def compute(backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.models.phenformer_training import logits_of

            phenformer, store = self.placed(backend)
            found = logits_of(phenformer, store.read(self.samples), progress=progress)
            return xr.Dataset(
                {"logit": (("person", "trait"), found)},
                coords={"person": list(self.samples), "trait": [trait.name for trait in phenformer.traits]},
                attrs={"model": f"{phenformer.name}@{phenformer.weights_hash[:8]}"},
            )

        return self.all_at_once(compute)


@dataclass(frozen=True, slots=True, eq=False)
class ContextContributionsRequest(StoredTokensRequest):
    """Parameters of ``context_contributions``: what `StoredTokensRequest` has, and one more.

    Parameters
    ----------
    traits
        Names of the model's traits.
    """

    kind = "context_contributions"
    seconds_per_unit = 0.05

    traits: tuple[str, ...]

    @classmethod
    def of(
        cls,
        world: World,
        model: str | os.PathLike[str],
        tokens: str | os.PathLike[str],
        samples: Iterable[str],
        traits: Iterable[str],
    ) -> Self:
        path, store = _paths(model, tokens)
        phenformer, _ = _opened(path, store, world)
        chosen = tuple(phenformer.traits[phenformer.trait_index(name)].name for name in traits)
        return cls(path, phenformer.weights_hash, store, tuple(samples), chosen)

    def chunks(self, world: World) -> list[Chunk]:
        def compute(backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.disease.cohort.explaining import explain

            phenformer, store = self.placed(backend)
            tokens = store.read(self.samples)
            contexts, genes = phenformer.expression, [gene.name for gene in phenformer.genes]
            added = np.zeros((len(self.samples), len(self.traits), len(contexts)))
            size = np.zeros((len(self.traits), len(genes), len(contexts)))
            progress.stage("attribution", len(self.samples))
            explained = explain(phenformer, tokens, self.traits, steps=_STEPS, progress=progress)
            delta = 0.0
            for row, one in enumerate(explained if self.traits else ()):
                own = one.added[..., phenformer.channels :]
                added[row], delta = own.sum(axis=1), max(delta, one.delta)
                size += np.abs(own) / len(self.samples)
            return xr.Dataset(
                {
                    "contribution": (("person", "trait", "context"), added),
                    "importance": (("trait", "gene", "context"), size),
                },
                coords={
                    "person": list(self.samples), "trait": list(self.traits), "gene": genes,
                    "context": list(contexts),
                },
                attrs={
                    "model": f"{phenformer.name}@{phenformer.weights_hash[:8]}", "convergence_delta": delta,
                },
            )  # fmt: skip

        return self.all_at_once(compute, traits=self.traits)

    def peak_bytes(self, world: World) -> int:
        # the tokens of everybody, and the path of one person through the transformer
        return StoredTokensRequest.peak_bytes(self, world) + _STEPS * 448 * 448 * 64


def _paths(*paths: str | os.PathLike[str]) -> tuple[str, ...]:
    return tuple(str(Path(path).expanduser().resolve()) for path in paths)


def _opened(model: str, tokens: str, models: World | Backend) -> tuple[Phenformer, TokenStore]:
    from phenviz.models.phenformer_checkpoint import load_phenformer
    from phenviz.results.tokens import TokenStore

    phenformer, store = load_phenformer(model, models.backbone, models.readout), TokenStore(tokens)
    store.check(phenformer)
    return phenformer, store
