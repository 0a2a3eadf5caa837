"""Exact single-base changes through a `LocalBackbone`, recomputing only the cells that change.

The first layer is linear: one base moves ``kernel`` of its outputs by a difference of two weight columns, so
no mutant window is ever built. From there on each stage gets the *change* of its input in a few cells, turns
it into a change of its convolution (linear again), adds the cached reference, pools and activates.

All positions with the same place in their bin (the same *phase*) share which cells change, so that a batch
holds one phase and every step is a plain matrix product. Arrays are cells first, (cells, mutants, channels):
any interval of cells of all mutants is one contiguous matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.genome.codes import encode
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.crop_engine import CropEngine, ReferenceTile, ScannedBases, alternates
from phenviz.inference.embedded_edits import EmbeddedEdits, join
from phenviz.inference.receptive_cones import Interval, changed_outputs, reach
from phenviz.inference.scattered_changes import ReferenceCells, ScatteredChanges
from phenviz.models.double import double_device
from phenviz.models.local import ACTIVATIONS, LocalBackbone, Stage
from phenviz.models.windows import one_hot_tensor

# variants of one base that are changed together: their cells fit into the cache
SINGLES_AT_ONCE = 256


class LocalEngine(CropEngine):
    """Edits with a `LocalBackbone`: a change of one base recomputes what it reaches, other edits a crop.

    Parameters
    ----------
    reference
        Where the sequence comes from.
    backbone
        Evaluated where it is, in its own precision.
    bins
        Bins that are asked for, counted from the bin of an edit's first base.
    """

    backbone: LocalBackbone

    def __init__(self, reference: ReferenceGenome, backbone: LocalBackbone, bins: Interval) -> None:
        super().__init__(reference, backbone, bins)
        self.stages: list[Stage] = list(backbone.stages)  # type: ignore[arg-type]
        stem = self.stages[0].kernels().detach()
        # how much replacing base r by base a moves the outputs around it: (kernel, 4 * r + a, channels); the
        # output left of the base meets the kernel's last tap, hence the flip
        taps = stem.flip(2).permute(2, 1, 0)
        self._stem_moves = (taps[:, None, :, :] - taps[:, :, None, :]).flatten(1, 2).contiguous()
        self._taps = [stage.kernels().detach().permute(2, 1, 0).contiguous() for stage in self.stages]
        self._changed = [changed_outputs(self.stages, phase, bins) for phase in range(backbone.bin_size)]
        self._scattered = ScatteredChanges(backbone, bins)

    def embed(
        self, contig: str, edits: Sequence[Edit], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> EmbeddedEdits:
        """See `EditEngine.embed`."""
        left, codes = self.around(contig, first, last)
        tile = self.tile(codes)
        single = np.array([len(edit.ref) == 1 == len(edit.alt) for edit in edits])
        one_base, others = np.flatnonzero(single), np.flatnonzero(~single)
        parts, numbers = [], []
        for start in range(0, len(one_base), SINGLES_AT_ONCE):
            some = one_base[start : start + SINGLES_AT_ONCE]
            parts.append(self._substitutions([edits[number] for number in some.tolist()], tile, left))
            numbers.append(torch.from_numpy(some).to(self.device))
        if len(others):
            rest = [edits[number] for number in others.tolist()]
            parts.append(self.crops(contig, rest, first[others], last[others], tile.embedding, left))
            numbers.append(torch.from_numpy(others).to(self.device))
        return join(parts, numbers)

    def _substitutions(self, edits: Sequence[Edit], tile: ReferenceCells, left: int) -> EmbeddedEdits:
        starts = np.array([edit.start for edit in edits], dtype=np.int64)
        places = torch.from_numpy(starts - left * self.size).to(self.device)
        new = torch.from_numpy(encode("".join(edit.alt for edit in edits))).to(self.device)
        held, after = self._scattered.embeddings(tile, places, new)
        asked = (places // self.size)[:, None] + torch.arange(
            self.bins.first, self.bins.last + 1, device=self.device
        )
        before = tile.embedding[asked]
        of = torch.arange(len(edits), device=self.device)[:, None]
        if not torch.equal(held, asked):
            # what isn't held doesn't change
            within = held - asked[:, :1]
            kept = (within >= 0) & (within < asked.shape[1])
            wider = before.clone()
            wider[of.expand_as(held)[kept], within[kept]] = after[kept]
            after = wider
        of, bins = of.expand_as(asked).flatten(), asked.flatten() + left
        weights = torch.ones(len(of), dtype=torch.float64, device=double_device(self.device))
        return EmbeddedEdits(
            len(edits), of, bins, before.flatten(0, 1), of, bins, after.flatten(0, 1), weights, (), self.size
        )

    def tile(self, codes: NDArray[np.uint8]) -> ReferenceCells:
        """Run the reference over whole bins once, and remember what each stage returned."""
        convolved, activated = [], []
        x = one_hot_tensor(codes, self.device, self.dtype)[None]
        for stage in self.stages:
            y = stage.convolve(x)
            z = stage.finish(y)
            x = x + z if stage.residual else z
            convolved.append(y[0].T.contiguous())
            activated.append(z[0].T.contiguous())
        own = torch.from_numpy(np.array(codes)).to(self.device)
        return ReferenceCells(own, x[0].T.contiguous(), tuple(convolved), tuple(activated))

    def scan(self, tile: ReferenceTile, phase: int, bins: torch.Tensor) -> ScannedBases:
        """See `EditEngine.scan`; no base may be N."""
        assert isinstance(tile, ReferenceCells)
        cones = self._changed[phase]
        change = self._stem_change(tile, phase, bins, cones[0])
        for index in range(1, len(self.stages)):
            change = self._stage_change(tile, index, bins, cones[index - 1], cones[index], change)
        return ScannedBases(cones[-1], change.view(len(cones[-1]), len(bins), 3, -1))

    def _stem_change(
        self, reference: ReferenceCells, phase: int, bins: torch.Tensor, cone: Interval
    ) -> torch.Tensor:
        stage, pool = self.stages[0], self.stages[0].pool
        original = reference.codes[bins * self.backbone.bin_size + phase].long()
        moves = (original[:, None] * 4 + alternates(original)).flatten()
        before = _rows(reference.activated[0], bins, cone, self.backbone.bin_size // pool)
        change = before.new_empty(len(cone), len(bins), 3, stage.channels)
        moved = Interval(phase, phase).widened(reach(stage))
        for row, cell in enumerate(range(cone.first, cone.last + 1)):
            inside = Interval(cell, cell).unpooled(pool)
            top = self._pooled_mutants(reference, bins, moves, moved, inside)
            if stage.both_strands:
                top = torch.maximum(top[..., : stage.channels], top[..., stage.channels :])
            torch.sub(ACTIVATIONS[stage.activation](top), before[row, :, None], out=change[row])
        return change.flatten(1, 2)

    def _pooled_mutants(
        self,
        reference: ReferenceCells,
        bins: torch.Tensor,
        moves: torch.Tensor,
        moved: Interval,
        inside: Interval,
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
        came: Interval,
        goes: Interval,
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
            hit = Interval(came.first - shift, came.last - shift) & before_pool
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
    values: torch.Tensor, bins: torch.Tensor, cone: Interval, bin_cells: int, repeats: int = 1
) -> torch.Tensor:
    """Gather an interval of cells around each bin: (cells, bins * repeats, channels)."""
    offsets = torch.arange(cone.first, cone.last + 1, device=values.device)
    starts = (bins * bin_cells).repeat_interleave(repeats) if repeats > 1 else bins * bin_cells
    rows = offsets[:, None] + starts
    return values.index_select(0, rows.flatten()).view(len(cone), -1, values.shape[1])
