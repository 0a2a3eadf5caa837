"""Tiles of a window that are explained one by one, and how each runs from its baseline to its sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from phenviz.attribution.baselines import BaselineSource
from phenviz.attribution.fast_stem_gradient import (
    add_windows,
    encode_scores,
    has_lean_stem,
    lean_encode,
    pooled_scores,
    pull_back_scores,
    scores_of_windows,
    stem_of,
    windows_of_pools,
)
from phenviz.attribution.targets import ResolvedTarget, check_reached
from phenviz.errors import ModelError
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.local import LocalBackbone
from phenviz.models.parallel import over_tiles, tile_size
from phenviz.models.predict import bin_range, central_bins
from phenviz.models.readout import gene_bins
from phenviz.models.windows import one_hot_window, placement

# Measured on two CPU cores: shorter tiles repeat too much halo, longer ones leave the cache.
CPU_TILE_BASES = 16_384
GPU_TILE_BASES = 131_072
# with more pools tied than this, the path through all bases is the cheaper one
_MOST_TIES = 0.1


@dataclass(frozen=True, slots=True)
class TargetTile:
    """A part of the target with all the bases that it depends on.

    Parameters
    ----------
    start, end
        Bases on the contig, 0-based half-open; may overhang it.
    bins
        Bins within these bases that the part of the target is made of.
    score
        Turns embeddings of those bins (B, D, bins) into the part of the targets, (B, targets).
    """

    start: int
    end: int
    bins: slice
    score: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Path:
    """A straight path on which a tile's gradient is integrated.

    Parameters
    ----------
    begin, end
        The path's ends, of the baseline and of the sequence: tensors that begin with an axis of length 1.
    encode
        Turns a batch of points of the path, one argument a tensor, into embeddings.
    pull_back
        Turns the mean gradients along the path, one argument a tensor, into the attribution of each base.
    """

    begin: tuple[torch.Tensor, ...]
    end: tuple[torch.Tensor, ...]
    encode: Callable[..., torch.Tensor]
    pull_back: Callable[..., torch.Tensor]


def target_tiles(
    locus: Locus, reference: ReferenceGenome, backbone: SequenceBackbone, target: ResolvedTarget
) -> Iterator[TargetTile]:
    """Cut a target into tiles, from left to right, whose sum is the target.

    A sum of activity over a window is cut into tiles of bins. A gene's expression isn't a sum, so it is one
    tile of all bins that the readout sees.

    Raises
    ------
    TargetError
        If no base of the locus can reach the gene's expression.
    ModelError
        If a global backbone's window is too short for the gene's readout.
    """
    if target.gene is not None:
        yield _gene_tile(locus, reference, backbone, target)
        return

    def score(embedding: torch.Tensor) -> torch.Tensor:
        return backbone.activity(embedding)[:, list(target.channels)].sum(-1)

    size = backbone.bin_size
    first, last = bin_range(locus, size)
    size_of_tiles = tile_size(
        last - first, tile_bins(backbone), tile_bins(backbone) // 4, placement(backbone)[0]
    )
    while first < last:
        if backbone.receptive_field is None:
            left, bins = central_bins(backbone, first)
            bins = slice(bins.start, min(bins.stop, bins.start + last - first))
            right = left + backbone.window
        else:
            count = min(size_of_tiles, last - first)
            bins = slice(halo(backbone) // size, halo(backbone) // size + count)
            left, right = first * size - halo(backbone), (first + count) * size + halo(backbone)
        yield TargetTile(left, right, bins, score)
        first += bins.stop - bins.start


def tile_bins(backbone: SequenceBackbone) -> int:
    """Bins in a tile of a local backbone."""
    on_cpu = placement(backbone)[0].type == "cpu"
    return max((CPU_TILE_BASES if on_cpu else GPU_TILE_BASES) // backbone.bin_size, 1)


def _gene_tile(
    locus: Locus, reference: ReferenceGenome, backbone: SequenceBackbone, target: ResolvedTarget
) -> TargetTile:
    gene, readout = target.gene, target.readout
    assert gene is not None and readout is not None
    around = gene_bins(gene, backbone, reference, readout.reach)
    count = len(around.distance)
    if backbone.receptive_field is None:
        window_bins = backbone.window // backbone.bin_size
        if count > window_bins:
            raise ModelError(
                f"{backbone.name} sees {backbone.window:,} bp, the readout of {gene.name} needs "
                f"{count * backbone.bin_size:,}: "
                "use a readout with a shorter reach"
            )
        before = (window_bins - count) // 2
        after = window_bins - count - before
    else:
        before = after = halo(backbone) // backbone.bin_size
    start, end = around.start - before * backbone.bin_size, around.end + after * backbone.bin_size
    check_reached([locus], gene, Locus(around.contig, max(start, 0), end))

    def score(embedding: torch.Tensor) -> torch.Tensor:
        distance = torch.from_numpy(around.distance).to(embedding)
        return readout.expression(embedding, distance)[:, list(target.channels)]

    return TargetTile(start, end, slice(before, before + count), score)


def path_of(
    tile: TargetTile,
    contig: str,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    baseline: BaselineSource,
) -> Path:
    """Lay the path of a tile: through the bases, or from zero through the pooled scores of the stem."""
    bases = one_hot_window(reference, contig, tile.start, tile.end, backbone)
    if baseline.is_zero and has_lean_stem(backbone):
        scores, ties = pooled_scores(bases, stem_of(backbone))
        if len(ties) < _MOST_TIES * scores.shape[2]:
            return _path_through_scores(bases, scores, ties, tile, backbone)
    start = torch.from_numpy(baseline.window(tile.start, tile.end)).to(bases)[None]

    def pull_back(grad: torch.Tensor) -> torch.Tensor:
        return ((bases - start) * grad).sum(1)[0]

    return Path((start,), (bases,), tiled(lean_encode(backbone), tile, backbone), pull_back)


def _path_through_scores(
    bases: torch.Tensor, scores: torch.Tensor, ties: torch.Tensor, tile: TargetTile, backbone: LocalBackbone
) -> Path:
    """Lay the path through the pooled scores, and through the bases of the few pools with a tie."""
    stem = stem_of(backbone)
    windows = windows_of_pools(bases, stem, ties)
    encode_all = tiled(encode_scores(backbone), tile, backbone)
    start = stem.bias.detach()[None, :, None].expand_as(scores)

    def encode(scores: torch.Tensor, windows: torch.Tensor | None = None) -> torch.Tensor:
        if windows is not None:
            scores = scores.index_copy(2, ties, scores_of_windows(windows, stem))
        return encode_all(scores)

    def pull_back(grad: torch.Tensor, of_windows: torch.Tensor | None = None) -> torch.Tensor:
        values = (bases * pull_back_scores(grad, bases, stem)).sum(1)[0]
        if of_windows is not None:
            values += add_windows((windows * of_windows).sum(2)[0], stem, ties, bases.shape[2])
        return values

    if not len(ties):
        return Path((start,), (scores,), encode, pull_back)
    return Path((start, torch.zeros_like(windows)), (scores, windows), encode, pull_back)


def tiled(
    encode: Callable[[torch.Tensor], torch.Tensor], tile: TargetTile, backbone: SequenceBackbone
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what encodes a tile's bins, in tiles where the tile is longer than one, with a gradient.

    Of a long tile only the embedding is kept: its gradient is computed tile by tile from the input again, so
    that memory holds one tile's activations.
    """
    count = tile.bins.stop - tile.bins.start
    if backbone.receptive_field is None or count <= tile_bins(backbone):
        return lambda x: encode(x)[:, :, tile.bins]
    flank = halo(backbone) // backbone.bin_size
    return lambda x: _TiledEncode.apply(x, encode, count, tile_bins(backbone), flank)


class _TiledEncode(torch.autograd.Function):
    """Encode a long input tile by tile; the backward pass recomputes each tile."""

    @staticmethod
    def forward(ctx, x, encode, count, size, flank):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        ctx.tiles = list(_tile_slices(x.shape[2], count, size, flank))
        ctx.encode = encode

        def run(tile: tuple[slice, slice, slice]) -> torch.Tensor:
            cells, own, _ = tile
            with torch.no_grad():
                return encode(x[:, :, cells])[:, :, own]

        return torch.cat(list(over_tiles(ctx.tiles, run, x.device)), dim=2)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors

        def run(tile: tuple[slice, slice, slice]) -> torch.Tensor:
            cells, own, bins = tile
            leaf = x[:, :, cells].detach().requires_grad_()
            with torch.enable_grad():
                embedding = ctx.encode(leaf)[:, :, own]
            return torch.autograd.grad(embedding, leaf, grad[:, :, bins])[0]

        total = torch.zeros_like(x)
        for (cells, _, _), part in zip(ctx.tiles, over_tiles(ctx.tiles, run, x.device), strict=True):
            total[:, :, cells] += part
        return total, None, None, None, None


def _tile_slices(cells: int, count: int, size: int, flank: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield for each tile: its cells of the input with flanks, its own bins among theirs, and among all."""
    per_bin = cells // (count + 2 * flank)
    for start in range(0, count, size):
        end = min(start + size, count)
        yield (
            slice(start * per_bin, (end + 2 * flank) * per_bin),
            slice(flank, flank + end - start),
            slice(start, end),
        )
