"""Attributions of tiles added up along a locus, and finished intervals handed out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.integration_paths import Path, TargetTile, target_tiles
from phenviz.attribution.targets import ResolvedTarget
from phenviz.genome.codes import LETTERS
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.parallel import SharedProgress, over_tiles
from phenviz.models.windows import placement, units_in
from phenviz.progress import Progress
from phenviz.results import context_coords, position_coord, result_attrs

Forward = Callable[..., torch.Tensor]


@dataclass(frozen=True, slots=True)
class TileAttribution:
    """What one tile adds.

    Parameters
    ----------
    attribution
        Shape (bases, targets).
    value, baseline_value
        The tile's share of each target at both ends, (targets,).
    n_steps
        Points of the path that it took.
    """

    attribution: NDArray[Any]
    value: NDArray[np.float64]
    baseline_value: NDArray[np.float64]
    n_steps: int


@dataclass
class SummedTiles:
    """Adds tiles up, and hands finished intervals out.

    Parameters
    ----------
    locus, reference, backbone, target
        What is explained.
    progress
        Updated after each batch.
    flank
        Bases beyond the locus that are reported, too.
    only
        Whether this alone makes the result, so that its intervals are final.
    attrs
        Of the result, besides those that every one has.
    planned_steps
        Passes over each tile that are likely.
    """

    locus: Locus
    reference: ReferenceGenome
    backbone: SequenceBackbone
    target: ResolvedTarget
    progress: Progress
    flank: int
    only: bool = True
    attrs: dict[str, Any] = field(default_factory=dict)
    planned_steps: int = 1

    @property
    def reported(self) -> Locus:
        """The locus with its flanks, cut at the contig's ends."""
        wide = self.locus.widened(self.flank)
        return replace(wide, end=min(wide.end, self.reference.contigs[wide.contig]))

    def explain_tiles(
        self, explain: Callable[[TargetTile, Callable[[Path], Forward]], TileAttribution]
    ) -> xr.Dataset:
        """Explain all tiles and return the sum.

        Parameters
        ----------
        explain
            Takes a tile and what makes the function that is differentiated out of its path.
        """
        locus = self.reported
        tiles = list(target_tiles(self.locus, self.reference, self.backbone, self.target))
        _, dtype = placement(self.backbone)
        count = len(self.target.contexts)
        total = np.zeros((locus.length, count), dtype=np.float64 if dtype == torch.float64 else np.float32)
        self.progress.stage(
            "attributing", sum(found.end - found.start for found in tiles) * self.planned_steps
        )
        summed, value, baseline_value = np.zeros(count), np.zeros(count), np.zeros(count)
        done, n_steps = locus.start, 0
        shared = SharedProgress(self.progress)

        def run(tile: TargetTile) -> TileAttribution:
            counted = _CountedTile(tile, self.planned_steps, shared)
            found = explain(tile, counted.forward_of)
            counted.end()
            return found

        # long tiles, as a gene's or a global model's, have all threads for themselves
        local = self.target.gene is None and self.backbone.receptive_field is not None
        explained = over_tiles(tiles, run, placement(self.backbone)[0]) if local else map(run, tiles)
        for number, (tile, found) in enumerate(zip(tiles, explained, strict=True)):
            self._add(total, found.attribution, tile.start)
            summed += found.attribution.sum(0, dtype=np.float64)
            value, baseline_value = value + found.value, baseline_value + found.baseline_value
            n_steps = max(n_steps, found.n_steps)
            # the next tile's bases may still change; those before it are finished
            ready = min(tiles[number + 1].start, locus.end) if number + 1 < len(tiles) else locus.end
            if ready > done and self.only:
                ready_interval = Locus(locus.contig, done, ready, locus.strand)
                shown = total[done - locus.start : ready - locus.start].copy()
                self.progress.partial(self._as_dataset(shown, ready_interval, n_steps=n_steps))
                done = ready
        return self._as_dataset(
            total,
            locus,
            n_steps=n_steps,
            target_value=self._of_target(value),
            baseline_value=self._of_target(baseline_value),
            convergence_delta=self._of_target(summed - value + baseline_value),
        )

    def _add(self, total: NDArray[Any], attribution: NDArray[Any], start: int) -> None:
        start_shown, end_shown = self.reported.start, self.reported.end
        first, last = max(start, start_shown), min(start + len(attribution), end_shown)
        if first < last:
            total[first - start_shown : last - start_shown] += attribution[first - start : last - start]

    def _of_target(self, values: NDArray[np.float64]) -> float | list[float]:
        return values.tolist() if self.target.several else float(values[0])

    def _as_dataset(self, attribution: NDArray[Any], locus: Locus, **values: Any) -> xr.Dataset:
        codes = self.reference.fetch_codes(locus.contig, locus.start, locus.end)
        several = self.target.several
        attrs = result_attrs(
            locus,
            self.backbone,
            self.reference,
            units=units_in(self.target.readout or self.backbone, self.target.contexts),
            target=str(self.target),
            target_context=None if several else self.target.context,
            target_gene=self.target.gene.name if self.target.gene else None,
            **self.attrs,
            **values,
        )
        dims = ("position", "context") if several else ("position",)
        return xr.Dataset(
            {
                "attribution": (dims, attribution if several else attribution[:, 0]),
                "reference": ("position", LETTERS[codes]),
            },
            coords={
                "position": position_coord(np.arange(locus.start, locus.end)),
                **(context_coords(self.target.contexts) if several else {}),
            },
            attrs=attrs,
        )


class _CountedTile:
    """Reports the passes over a tile, of which there may be more or fewer than planned."""

    def __init__(self, tile: TargetTile, planned: int, progress: Progress) -> None:
        self._tile, self._progress = tile, progress
        self._bases = tile.end - tile.start
        self._left = float(planned * self._bases)

    def forward_of(self, path: Path) -> Forward:
        """Return the target as a function of points of a path."""

        def forward(*points: torch.Tensor) -> torch.Tensor:
            due = float(len(points[0]) * self._bases)
            # the last planned pass is counted at the end, as others may follow
            self._advance(min(due, max(self._left - due, self._left / 2)))
            return self._tile.score(path.encode(*points))

        return forward

    def end(self) -> None:
        """Report what is left of the plan."""
        self._advance(self._left)

    def _advance(self, amount: float) -> None:
        self._left -= amount
        self._progress.advance(amount)
