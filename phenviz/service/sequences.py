"""The kind of job that predicts sequences which lie in no genome."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import xarray as xr

from phenviz.genome.sequence_file import check_sequences, read_sequences_file
from phenviz.progress import Progress
from phenviz.service.job_params import COPIES, FLOAT_BYTES, WORKING_BYTES, find_contexts
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.world import World

CHUNK_BASES = 2**18
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class SequencesRequest(Request):
    """Parameters of ``predict_sequences``: names with their bases, short names of contexts."""

    kind = "predict_sequences"
    seconds_per_unit = 1 / 1e6
    mixed_precision = True
    # whose they are isn't known: they may be somebody's haplotypes
    of_people = True

    sequences: tuple[Pair, ...]
    contexts: tuple[str, ...]

    @classmethod
    def of(
        cls,
        world: World,
        sequences: Mapping[str, str] | str | os.PathLike[str],
        contexts: str | Iterable[str] | None = None,
    ) -> Self:
        """Check a request: a FASTA, or bases by name."""
        read = check_sequences if isinstance(sequences, Mapping) else read_sequences_file
        return cls(tuple(read(sequences).items()), find_contexts(world, contexts))  # type: ignore[arg-type]

    def chunks(self, world: World) -> list[Chunk]:
        groups: list[list[Pair]] = [[]]
        for pair in self.sequences:
            if groups[-1] and sum(len(bases) for _, bases in groups[-1]) + len(pair[1]) > CHUNK_BASES:
                groups.append([])
            groups[-1].append(pair)
        backbone = world.backbone
        least = 1 if backbone.receptive_field is not None else backbone.window

        def compute(group: Sequence[Pair], backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.models.predict_sequences import predict_sequences

            return predict_sequences(
                dict(group), backend.predictor, contexts=self.contexts, progress=progress
            )

        return [
            Chunk(
                {"sequences": json.dumps(group), "contexts": self.contexts},
                partial(compute, group),
                # of a global model, half of each window counts
                float(sum(max(len(bases) * (1 if least == 1 else 2), least) for _, bases in group)),
            )
            for group in groups
        ]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        if len(parts) == 1:
            return parts[0]
        return xr.concat(
            parts, "bin", data_vars="minimal", coords="minimal", compat="override", join="override"
        )

    def peak_bytes(self, world: World) -> int:
        bins = sum(len(bases) // world.backbone.bin_size + 1 for _, bases in self.sequences)
        return WORKING_BYTES + COPIES * bins * len(self.contexts) * FLOAT_BYTES
