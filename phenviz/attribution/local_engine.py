"""Exact single-base changes through a `LocalBackbone`, recomputing only the cells that change.

The first layer is linear: one base moves ``kernel`` of its outputs by a difference of two weight columns, so
no mutant window is ever built. From there on each stage gets the *change* of its input in a few cells, turns
it into a change of its convolution (linear again), adds the cached reference, pools and activates.

All positions with the same place in their bin (the same *phase*) share which cells change, so that a batch
holds one phase and every step is a plain matrix product. Arrays are cells first, (cells, mutants, channels):
any run of cells of all mutants is one contiguous matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from phenviz.attribution.engine import Changes, ReferenceTile, alternates
from phenviz.attribution.receptive_cones import Span, changed_spans, reach
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


class LocalEngine:
    """Weights of a `LocalBackbone`, laid out for changes of single bases.

    Parameters
    ----------
    backbone
        Evaluated where it is, in its own precision.
    bins
        Bins that the target looks at, counted from the changed base's bin; None for all.
    """

    def __init__(self, backbone: LocalBackbone, bins: Span | None) -> None:
        self.backbone, self.bins = backbone, bins
        self.stages: list[Stage] = list(backbone.stages)  # type: ignore[arg-type]
        stem = self.stages[0].kernels().detach()
        # how much replacing base r by base a moves the outputs around it: (kernel, 4 * r + a, channels); the
        # output left of the base meets the kernel's last tap, hence the flip
        taps = stem.flip(2).permute(2, 1, 0)
        self._stem_moves = (taps[:, None, :, :] - taps[:, :, None, :]).flatten(1, 2).contiguous()
        self._taps = [stage.kernels().detach().permute(2, 1, 0).contiguous() for stage in self.stages]
        self._spans = lru_cache(maxsize=None)(self._uncached_spans)

    def _uncached_spans(self, phase: int) -> list[Span]:
        return changed_spans(self.stages, phase, self.bins)

    def reference(self, codes: torch.Tensor, one_hot: torch.Tensor) -> ReferenceCells:
        """Run the reference once and remember what each stage returned.

        Parameters
        ----------
        codes
            Shape (L,), on the backbone's device.
        one_hot
            The same bases, (1, 4, L); L is a multiple of the bin size.
        """
        convolved, activated, x = [], [], one_hot
        for stage in self.stages:
            y = stage.convolve(x)
            z = stage.finish(y)
            x = x + z if stage.residual else z
            convolved.append(y[0].T.contiguous())
            activated.append(z[0].T.contiguous())
        activity = self.backbone.activity(x)
        return ReferenceCells(
            codes, x[0].T.contiguous(), activity[0].T.contiguous(), tuple(convolved), tuple(activated)
        )

    def changes(self, reference: ReferenceTile, phase: int, bins: torch.Tensor) -> Changes:
        """Change the base at one phase of each bin to its three alternates.

        Parameters
        ----------
        reference
            The tile.
        phase
            Place of the changed bases in their bins.
        bins
            Numbers of their bins within the tile, shape (positions,); no base may be N.
        """
        assert isinstance(reference, ReferenceCells)
        spans = self._spans(phase)
        change = self._stem_change(reference, phase, bins, spans[0])
        for index in range(1, len(self.stages)):
            change = self._stage_change(reference, index, bins, spans[index - 1], spans[index], change)
        before = _rows(reference.embedding, bins, spans[-1], 1)
        return Changes(spans[-1], before, change.view(len(spans[-1]), len(bins), 3, -1))

    def _stem_change(
        self, reference: ReferenceCells, phase: int, bins: torch.Tensor, span: Span
    ) -> torch.Tensor:
        stage, pool = self.stages[0], self.stages[0].pool
        original = reference.codes[bins * self.backbone.bin_size + phase].long()
        moves = (original[:, None] * 4 + alternates(original)).flatten()
        before = _rows(reference.activated[0], bins, span, self.backbone.bin_size // pool)
        change = before.new_empty(len(span), len(bins), 3, stage.channels)
        moved = Span(phase, phase).widened(reach(stage))
        for row, cell in enumerate(range(span.first, span.last + 1)):
            inside = Span(cell, cell).unpooled(pool)
            top = self._pooled_mutants(reference, bins, moves, moved, inside)
            if stage.both_strands:
                top = torch.maximum(top[..., : stage.channels], top[..., stage.channels :])
            torch.sub(ACTIVATIONS[stage.activation](top), before[row, :, None], out=change[row])
        return change.flatten(1, 2)

    def _pooled_mutants(
        self, reference: ReferenceCells, bins: torch.Tensor, moves: torch.Tensor, moved: Span, inside: Span
    ) -> torch.Tensor:
        """Return the maximum over one pool of the stem's outputs of each mutant, (positions, 3, filters)."""
        cells = _rows(reference.convolved[0], bins, inside, self.backbone.bin_size)
        hit = moved & inside
        table = self._stem_moves[hit.first - moved.first : hit.last - moved.first + 1]
        mutants = table.index_select(1, moves).view(len(hit), len(bins), 3, -1)
        low, high = hit.first - inside.first, hit.last - inside.first + 1
        mutants += cells[low:high, :, None]
        top = mutants.amax(0)
        if len(hit) < len(inside):
            still = torch.cat([cells[:low], cells[high:]]).amax(0)
            torch.maximum(top, still[:, None], out=top)
        return top

    def _stage_change(
        self,
        reference: ReferenceCells,
        index: int,
        bins: torch.Tensor,
        came: Span,
        goes: Span,
        change: torch.Tensor,
    ) -> torch.Tensor:
        """Turn the change of a stage's input in cells ``came`` into that of its output in cells ``goes``."""
        stage = self.stages[index]
        convolved, activated = reference.convolved[index], reference.activated[index]
        before_pool = goes.unpooled(stage.pool)
        bin_cells = self._bin_cells(index) * stage.pool
        cells = _rows(convolved, bins, before_pool, bin_cells, repeats=3)
        channels = cells.shape[2]
        for tap, weight in enumerate(self._taps[index]):
            shift = (tap - stage.kernel // 2) * stage.dilation
            # cell t of the output reads cell t + shift of the input
            hit = Span(came.first - shift, came.last - shift) & before_pool
            if len(hit):
                target = cells[hit.first - before_pool.first : hit.last - before_pool.first + 1]
                source = change[hit.first + shift - came.first : hit.last + shift - came.first + 1]
                target.view(-1, channels).addmm_(source.reshape(-1, source.shape[2]), weight)
        if stage.pool > 1:
            cells = cells.view(len(goes), stage.pool, -1, channels).amax(1)
        after = ACTIVATIONS[stage.activation](cells)
        before = _rows(activated, bins, goes, self._bin_cells(index))
        after.view(len(goes), len(bins), 3, channels).sub_(before[:, :, None])
        if stage.residual:
            both = came & goes
            after[both.first - goes.first : both.last - goes.first + 1] += change[
                both.first - came.first : both.last - came.first + 1
            ]
        return after

    def _bin_cells(self, index: int) -> int:
        """Output cells of a stage in one bin."""
        cells = self.backbone.bin_size
        for stage in self.stages[: index + 1]:
            cells //= stage.pool
        return cells


def _rows(
    values: torch.Tensor, bins: torch.Tensor, span: Span, bin_cells: int, repeats: int = 1
) -> torch.Tensor:
    """Gather a span of cells around each bin: (cells, bins * repeats, channels)."""
    offsets = torch.arange(span.first, span.last + 1, device=values.device)
    starts = (bins * bin_cells).repeat_interleave(repeats) if repeats > 1 else bins * bin_cells
    rows = offsets[:, None] + starts
    return values.index_select(0, rows.flatten()).view(len(span), -1, values.shape[1])
