"""The kind of job that says what each context adds to people's logits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr

from phenviz.progress import Progress
from phenviz.service.job_params import WORKING_BYTES
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.world import World

_STEPS = 32


@dataclass(frozen=True, slots=True, eq=False)
class ContextContributionsRequest(Request):
    """Parameters of ``context_contributions``.

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
    traits
        Names of its traits.
    """

    kind = "context_contributions"
    seconds_per_unit = 0.05
    of_people = True

    model: str
    weights_hash: str
    tokens: str
    samples: tuple[str, ...]
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
        from phenviz.models.phenformer_checkpoint import load_phenformer
        from phenviz.results.tokens import TokenStore

        path, store = (Path(one).expanduser().resolve() for one in (model, tokens))
        phenformer = load_phenformer(path, world.backbone, world.readout)
        TokenStore(store).check(phenformer)
        chosen = tuple(phenformer.traits[phenformer.trait_index(name)].name for name in traits)
        return cls(str(path), phenformer.weights_hash, str(store), tuple(samples), chosen)

    def chunks(self, world: World) -> list[Chunk]:
        def compute(backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.disease.cohort.explaining import explain
            from phenviz.models.phenformer_checkpoint import load_phenformer
            from phenviz.results.tokens import TokenStore
            from phenviz.service.device import place

            phenformer = place(load_phenformer(self.model, backend.backbone, backend.readout), backend.device)
            tokens = TokenStore(self.tokens).read(self.samples)
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

        identity = {"model": self.weights_hash, "tokens": self.tokens, "samples": self.samples}
        return [Chunk({**identity, "traits": self.traits}, compute, len(self.samples))]

    def peak_bytes(self, world: World) -> int:
        # the tokens of everybody, and the path of one person through the transformer
        return WORKING_BYTES + len(self.samples) * 448 * 256 * 2 + _STEPS * 448 * 448 * 64
