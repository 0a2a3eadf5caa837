"""The kind of job that mutates with a global backbone: every base to first order, what matters exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import xarray as xr

from phenviz.attribution.targets import Target, is_count
from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.models.backbone import halo
from phenviz.models.predict import CPU_TILE_BASES
from phenviz.progress import Progress
from phenviz.service.addresses import target_words, write_address
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    WORKING_BYTES,
    find_context,
    find_gene,
    find_locus,
    gene_identity,
    gene_target,
)
from phenviz.service.job_types import Backend, WholeRequest

if TYPE_CHECKING:
    from phenviz.world import World

FIRST = ("saliency", "integrated-gradients")


@dataclass(frozen=True, slots=True, eq=False)
class CoarseRequest(WholeRequest):
    """Parameters of ``mutagenesis_coarse``; see `phenviz.attribution.mutagenesis_coarse_to_fine`."""

    kind = "mutagenesis_coarse"
    seconds_per_unit = 1 / 1e6

    locus: Locus
    context: str
    gene: str | None
    first: str = "saliency"
    n_steps: int = 1
    window: int = 32
    n_windows: int = 8

    @classmethod
    def of(
        cls,
        world: World,
        locus: str | Locus,
        context: str,
        gene: str | None = None,
        first: str = "saliency",
        n_steps: int = 16,
        window: int = 32,
        n_windows: int = 8,
    ) -> Self:
        if first not in FIRST:
            raise JobError(f"first pass {first!r} is unknown: use one of {', '.join(FIRST)}")
        if not (is_count(window) and is_count(n_windows, least=0) and is_count(n_steps)):
            raise JobError(
                f"{n_windows} windows of {window} bases, {n_steps} steps: use whole, positive numbers"
            )
        name = find_gene(world, gene)
        steps = n_steps if first == "integrated-gradients" else 1
        where, chosen = find_locus(world, locus), find_context(world, context, name)
        return cls(where, chosen, name, first, int(steps), int(window), int(n_windows))

    def compute(self, backend: Backend, progress: Progress) -> xr.Dataset:
        # imported here: Captum takes a while
        from phenviz.attribution.coarse import mutagenesis_coarse_to_fine

        return mutagenesis_coarse_to_fine(
            self.locus,
            backend.world.reference,
            backend.backbone,
            target=Target(gene=self.gene, context=self.context),
            gene_target=gene_target(backend, self.gene, [self.context]),
            first=self.first,  # type: ignore[arg-type]
            n_steps=self.n_steps,
            window=self.window,
            n_windows=self.n_windows,
            progress=progress,
        )

    def identity(self, world: World) -> Mapping[str, Any]:
        return {"params": self, **gene_identity(world, self.gene, [self.context])}

    def units(self, world: World) -> float:
        """Count bases that go through the model: a gradient of each tile, and each that a mutant reaches."""
        backbone, length = world.backbone, self.locus.length
        mutants = 3 * min(self.window * self.n_windows, length)
        if backbone.receptive_field is not None:
            tile = min(length, CPU_TILE_BASES) + 2 * halo(backbone)
            tiles, reached = -(-length // CPU_TILE_BASES), 1
        else:
            # tiles are windows, of which the central half counts; a base lies in two
            tile, tiles = backbone.window, 1 if self.gene else -(-2 * length // backbone.window)
            reached = min(tiles, 2)
        return float(tile * (tiles * 3 * self.n_steps + mutants * reached))

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES + COPIES * self.locus.length * 16 * FLOAT_BYTES

    @property
    def contexts(self) -> tuple[str, ...]:
        """The one that is scored."""
        return (self.context,)

    @property
    def title(self) -> str:
        return f"ISM, coarse to fine · {target_words(self.contexts, self.gene)}"

    @property
    def address(self) -> str | None:
        usual = (self.first, self.window, self.n_windows) == ("saliency", 32, 8)
        return write_address("mutagenesis-coarse", self.locus, self.contexts, self.gene) if usual else None
