"""Exact single-base changes at scattered places, one asked allele each.

`local_engine.LocalEngine.scan` changes every base, so it batches bases of one phase (place in their bin),
which share the cells that change. Variants are scattered: hardly two of a tile share a phase. Here each
variant has windows of its own, of the same width for all: at every stage, the fewest cells that hold what one
base can reach, wherever it lies. What a stage's convolution makes of a change is computed by one matrix
product for all variants, then added to the cached reference at each variant's own place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from phenviz.inference.crop_engine import ReferenceTile
from phenviz.inference.receptive_cones import Interval, reach
from phenviz.models.local import ACTIVATIONS, LocalBackbone, Stage


@dataclass(frozen=True, slots=True)
class ReferenceCells(ReferenceTile):
    """What the engine remembers of the reference over one tile; cells first.

    Parameters
    ----------
    convolved
        Of each stage, what its convolution returned: (cells before pooling, channels).
    activated
        Of each stage, what its activation returned, before a residual is added: (cells, channels).
    """

    convolved: tuple[torch.Tensor, ...]
    activated: tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Cells that change, of some variants.

    Parameters
    ----------
    first
        Number of each variant's first cell within the tile, (variants,).
    change
        Mutant minus reference, (variants, cells, channels).
    """

    first: torch.Tensor
    change: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Window:
    """Cells of one stage's output that are recomputed.

    Parameters
    ----------
    count
        How many.
    fixed
        First cell counted from the variant's bin, if it is the same for all; None if it follows the change.
    bin_cells
        Cells of this stage in one bin.
    """

    count: int
    fixed: int | None
    bin_cells: int


class ScatteredChanges:
    """Weights of a `LocalBackbone`, laid out for one change of one base each.

    Parameters
    ----------
    backbone
        Evaluated where it is, in its own precision.
    bins
        Bins whose embedding is asked for, counted from the changed base's bin.
    """

    def __init__(self, backbone: LocalBackbone, bins: Interval) -> None:
        self.backbone, self.bins = backbone, bins
        self._stages: list[Stage] = list(backbone.stages)  # type: ignore[arg-type]
        taps = self._stages[0].kernels().detach().flip(2).permute(2, 1, 0)
        # (16, kernel, filters): how much base r -> a, number 4 r + a, moves the outputs around it
        self._moves = (taps[:, None] - taps[:, :, None]).flatten(1, 2).transpose(0, 1).contiguous()
        # (channels in, kernel * channels out): all that one input cell adds, in one product
        self._spread = [
            stage.kernels().detach().permute(1, 2, 0).flatten(1).contiguous() for stage in self._stages
        ]
        self._windows = _windows(self._stages, bins, backbone.bin_size)

    def embeddings(
        self, reference: ReferenceCells, places: torch.Tensor, alternates: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Change one base each.

        Parameters
        ----------
        reference
            A tile, long enough for the asked bins of each variant and their flanks.
        places
            Changed bases within the tile, (variants,); none is N.
        alternates
            Codes of the new bases, (variants,).

        Returns
        -------
        tuple of torch.Tensor
            The bins held, as numbers within the tile (variants, bins), and their embedding after the change,
            (variants, bins, D). Of the asked bins, those that are not held don't change.
        """
        moved = self._stem(reference, places, alternates)
        for index in range(1, len(self._stages)):
            moved = self._stage(reference, index, places, moved)
        before = _cells(reference.embedding, moved.first, moved.change.shape[1])
        offsets = torch.arange(moved.change.shape[1], device=places.device)
        return moved.first[:, None] + offsets, before + moved.change

    def _stem(self, reference: ReferenceCells, places: torch.Tensor, alternates: torch.Tensor) -> Moved:
        stage, window = self._stages[0], self._windows[0]
        first = self._first(
            window, places, torch.div(places - reach(stage), stage.pool, rounding_mode="floor")
        )
        cells = _cells(reference.convolved[0], first * stage.pool, window.count * stage.pool)
        original = reference.codes[places].long()
        moves = self._moves[original * 4 + alternates.long()]
        _add(cells, places - reach(stage) - first * stage.pool, moves)
        top = cells.unflatten(1, (window.count, stage.pool)).amax(2)
        if stage.both_strands:
            top = torch.maximum(top[..., : stage.channels], top[..., stage.channels :])
        after = ACTIVATIONS[stage.activation](top)
        return Moved(first, after.sub_(_cells(reference.activated[0], first, window.count)))

    def _stage(self, reference: ReferenceCells, index: int, places: torch.Tensor, came: Moved) -> Moved:
        """Turn the change of a stage's input into that of its output."""
        stage, window = self._stages[index], self._windows[index]
        near = torch.div(came.first - reach(stage), stage.pool, rounding_mode="floor")
        first = self._first(window, places, near)
        cells = _cells(reference.convolved[index], first * stage.pool, window.count * stage.pool)
        spread = (came.change.flatten(0, 1) @ self._spread[index]).unflatten(1, (stage.kernel, -1))
        spread = spread.unflatten(0, came.change.shape[:2])
        for tap in range(stage.kernel):
            # cell t of the output reads cell t + shift of the input
            shift = tap * stage.dilation - reach(stage)
            _add(cells, came.first - shift - first * stage.pool, spread[:, :, tap])
        if stage.pool > 1:
            cells = cells.unflatten(1, (window.count, stage.pool)).amax(2)
        after = ACTIVATIONS[stage.activation](cells)
        after.sub_(_cells(reference.activated[index], first, window.count))
        if stage.residual:
            _add(after, came.first - first, came.change)
        return Moved(first, after)

    def _first(self, window: _Window, places: torch.Tensor, near: torch.Tensor) -> torch.Tensor:
        if window.fixed is None:
            return near
        return places // self.backbone.bin_size * window.bin_cells + window.fixed


def _windows(stages: list[Stage], bins: Interval, bin_size: int) -> list[_Window]:
    """Choose each stage's cells: those that one base can reach, or those that the bins need, if fewer."""
    needed, interval = [], bins
    for stage in reversed(stages):
        needed.append(interval)
        interval = interval.unpooled(stage.pool).widened(reach(stage))
    windows, count, bin_cells = [], 1, bin_size
    for stage, need in zip(stages, reversed(needed), strict=True):
        bin_cells //= stage.pool
        # consecutive cells touch the most pools if the first of them is the last one of its pool
        count = (count + 2 * reach(stage) + stage.pool - 2) // stage.pool + 1
        windows.append(
            _Window(len(need), need.first, bin_cells)
            if len(need) <= count
            else _Window(count, None, bin_cells)
        )
        count = windows[-1].count
    return windows


def _cells(values: torch.Tensor, first: torch.Tensor, count: int) -> torch.Tensor:
    """Gather ``count`` cells from each first one on: (variants, count, channels)."""
    rows = first[:, None] + torch.arange(count, device=values.device)
    # a window may be wider than what can change, and so leave the tile; what it holds there isn't looked at
    rows = rows.clamp_(0, len(values) - 1)
    return values.index_select(0, rows.flatten()).view(*rows.shape, values.shape[1])


def _add(cells: torch.Tensor, offsets: torch.Tensor, values: torch.Tensor) -> None:
    """Add rows of values to the cells from each variant's offset on; what falls outside is dropped."""
    count, width = cells.shape[:2]
    rows = offsets[:, None] + torch.arange(values.shape[1], device=cells.device)
    base = torch.arange(count, device=cells.device)[:, None] * width
    inside = (rows >= 0) & (rows < width)
    flat = cells.view(-1, cells.shape[2])
    if inside.all():
        flat.index_add_(0, (rows + base).flatten(), values.reshape(-1, values.shape[2]))
    else:
        flat.index_add_(0, (rows + base)[inside], values[inside])
