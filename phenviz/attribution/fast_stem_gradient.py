"""Gradients of the local backbone with respect to the bases, without the memory traffic of its stem.

At full resolution memory traffic is what costs: PyTorch's own backward pass through the stem keeps every
pre-activation, and spends four times as long on the pooling and the convolution as on all other stages. Here
the place of each pool's maximum is kept, and the transposed convolution is one matrix product.

From a baseline without any base (all zero) the stem needs to run only once: its convolution is linear, so
along the straight path all cells of a pool grow by the same factor, and the one with the maximum stays the
same. The path is then straight in the pooled scores, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F

from phenviz.models.backbone import SequenceBackbone
from phenviz.models.local import ACTIVATIONS, LocalBackbone, Stage

# the stem's full-resolution scores of a chunk stay in the cache
_CHUNK_BASES = 4_096


def has_lean_stem(backbone: SequenceBackbone) -> TypeGuard[LocalBackbone]:
    """Tell whether `lean_encode` knows a cheaper gradient for this backbone."""
    # a subclass may compute something else from the same stages
    return type(backbone) is LocalBackbone and stem_of(backbone).dilation == 1


def lean_encode(backbone: SequenceBackbone) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what computes the same as ``backbone.encode``, with a cheaper gradient to the input.

    For backbones of other kinds it is their own ``encode``.
    """
    if not has_lean_stem(backbone):
        return backbone.encode
    stem, after = stem_of(backbone), encode_scores(backbone)
    return lambda one_hot: after(_PooledStem.apply(one_hot, stem))


def stem_of(backbone: LocalBackbone) -> Stage:
    """Return the first stage."""
    return backbone.stages[0]  # type: ignore[return-value]


def encode_scores(backbone: LocalBackbone) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what turns the stem's pooled scores, (B, filters, L / pool), into the embedding."""
    stem, others = stem_of(backbone), list(backbone.stages)[1:]

    def encode(scores: torch.Tensor) -> torch.Tensor:
        x = ACTIVATIONS[stem.activation](scores)
        for stage in others:
            x = stage(x)
        return x

    return encode


def pooled_scores(one_hot: torch.Tensor, stem: Stage) -> tuple[torch.Tensor, torch.Tensor]:
    """Scan a window in chunks for the stem's pooled scores, without a graph.

    Returns
    -------
    tuple
        Scores (1, filters, L / pool); and the numbers of the pools where the maximum is a tie in any filter
        (as in a palindromic repeat), shape (ties,). Which cell then gets the gradient hangs on rounding,
        which differs from point to point of a path.
    """
    scores, ties = [], []
    for start, chunk, own in _chunks(one_hot, stem):
        with torch.no_grad():
            cells = stem.convolve(chunk).unflatten(2, (-1, stem.pool))[:, :, own]
        if stem.both_strands:
            cells = torch.cat(cells.chunk(2, dim=1), dim=3)
        top = cells.amax(3)
        margin = 8 * torch.finfo(top.dtype).eps * top.abs()
        close = (cells >= (top - margin)[..., None]).sum(3) > 1
        # where no base is seen, the score is the bias in every cell, and no base gets a gradient
        close &= (top - stem.bias[:, None]).abs() > margin
        ties.append(close.any(1)[0].nonzero()[:, 0] + start // stem.pool)
        scores.append(top)
    return torch.cat(scores, dim=2), torch.cat(ties)


def windows_of_pools(one_hot: torch.Tensor, stem: Stage, pools: torch.Tensor) -> torch.Tensor:
    """Cut out the bases that some of the stem's pools see: (1, pools, 4, width)."""
    flank = _flank(stem)
    return (
        F.pad(one_hot, (flank, flank))
        .unfold(2, stem.pool + 2 * flank, stem.pool)[:, :, pools]
        .transpose(1, 2)
    )


def scores_of_windows(windows: torch.Tensor, stem: Stage) -> torch.Tensor:
    """Score what `windows_of_pools` cut out, with a gradient: (B, pools, 4, width) to (B, filters, pools)."""
    own = _flank(stem) // stem.pool
    scores = _PooledStem.apply(windows.flatten(0, 1), stem)[:, :, own]
    return scores.unflatten(0, windows.shape[:2]).transpose(1, 2)


def add_windows(values: torch.Tensor, stem: Stage, pools: torch.Tensor, length: int) -> torch.Tensor:
    """Add up values of the bases of `windows_of_pools`, (pools, width), on the input's bases, (length,)."""
    flank = _flank(stem)
    places = pools[:, None] * stem.pool + torch.arange(values.shape[1], device=values.device)
    total = values.new_zeros(length + 2 * flank).index_add_(0, places.flatten(), values.flatten())
    return total[flank : flank + length]


def pull_back_scores(grad: torch.Tensor, one_hot: torch.Tensor, stem: Stage) -> torch.Tensor:
    """Turn a gradient with respect to `pooled_scores` into one with respect to the bases, (B, 4, L)."""
    flank = _flank(stem)
    bases = torch.zeros_like(F.pad(one_hot, (flank, flank)))
    for start, chunk, inner in _chunks(one_hot, stem):
        leaf = chunk.detach().requires_grad_()
        with torch.enable_grad():
            scores = _PooledStem.apply(leaf, stem)[:, :, inner]
        cells = slice(start // stem.pool, start // stem.pool + scores.shape[2])
        (moved,) = torch.autograd.grad(scores, leaf, grad[:, :, cells])
        bases[:, :, start : start + moved.shape[2]] += moved
    return bases[:, :, flank : flank + one_hot.shape[2]]


def _flank(stem: Stage) -> int:
    """Bases that the stem sees beyond a pool, rounded up to whole pools."""
    return -(-stem.padding // stem.pool) * stem.pool


def _chunks(one_hot: torch.Tensor, stem: Stage) -> Iterator[tuple[int, torch.Tensor, slice]]:
    """Yield chunks of a window with their flanks: start of the chunk, its bases, and its own pools."""
    flank, length = _flank(stem), one_hot.shape[2]
    padded = F.pad(one_hot, (flank, flank))
    size = -(-_CHUNK_BASES // stem.pool) * stem.pool
    for start in range(0, length, size):
        end = min(start + size, length)
        own = slice(flank // stem.pool, (flank + end - start) // stem.pool)
        yield start, padded[:, :, start : end + 2 * flank], own


class _PooledStem(torch.autograd.Function):
    """Convolve, and take the maximum over each pool and over both strands; gradient to the bases only.

    Ties are broken as PyTorch breaks them: the first cell of a pool wins, both strands share.
    """

    @staticmethod
    def forward(ctx: Any, one_hot: torch.Tensor, stem: Stage) -> torch.Tensor:
        with torch.no_grad():
            cells = stem.convolve(one_hot)
            top, place = F.max_pool2d(cells.unsqueeze(2), (1, stem.pool), return_indices=True)
        # channels last, as the convolution leaves it: another order costs a copy of all cells
        top, ctx.stem, ctx.lost, ctx.tie = top.squeeze(2).transpose(1, 2), stem, None, None
        if stem.both_strands:
            forward, reverse = top.chunk(2, dim=2)
            ctx.lost = torch.cat([forward < reverse, reverse < forward], dim=2)
            if bool((tie := forward == reverse).any()):
                ctx.tie = tie
            top = torch.maximum(forward, reverse)
        ctx.save_for_backward(place)
        return top.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        stem, (place,) = ctx.stem, ctx.saved_tensors
        grad = grad.transpose(1, 2)
        if stem.both_strands:
            share = grad if ctx.tie is None else torch.where(ctx.tie, grad / 2, grad)
            grad = torch.cat([share, share], dim=2).masked_fill_(ctx.lost, 0)
        top = grad.transpose(1, 2).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        cells = F.max_unpool2d(top, place, (1, stem.pool)).squeeze(2)
        return _transposed_convolution(cells, stem), None


def _transposed_convolution(grad: torch.Tensor, stem: Stage) -> torch.Tensor:
    """Turn a gradient to the convolution's output, (B, filters, L), into one to the bases, (B, 4, L)."""
    taps = stem.kernels().detach().permute(1, 2, 0).flatten(0, 1)
    # output cell l reads base l + tap - padding
    length = grad.shape[2]
    bases = F.fold(taps @ grad, (1, length + 2 * stem.padding), (1, stem.kernel))
    return bases[:, :, 0, stem.padding : stem.padding + length]
