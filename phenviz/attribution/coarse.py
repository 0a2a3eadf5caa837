"""Mutagenesis in two passes: every base to first order, the bases that matter exactly.

A global backbone (Enformer, Borzoi) sees its whole window at once, so that each mutant costs a whole
prediction: exact mutagenesis of a window is out of reach. One gradient tells the effect of all changes to
first order, and so which windows deserve the exact ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.baselines import BaselineSource
from phenviz.attribution.fast_stem_gradient import lean_encode
from phenviz.attribution.gradients import IntegratedGradients, Saliency
from phenviz.attribution.integration_paths import TargetTile, target_tiles, tiled
from phenviz.attribution.targets import ResolvedTarget, Target, is_count, resolve
from phenviz.errors import ModelError
from phenviz.genome.annotation import Gene
from phenviz.genome.codes import ALPHABET, LETTERS, N_CODE
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.inference.crop_engine import alternates
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.double import doubled
from phenviz.models.memory import in_batches
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import one_hot_window, placement, units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, position_coord, result_attrs

First = Literal["saliency", "integrated-gradients"]
FIRST_ORDER, EXACT = "first-order", "exact"
_BATCH_BASES = 2**19


def mutagenesis_coarse_to_fine(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    target: Target,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    first: First = "saliency",
    n_steps: int = 16,
    window: int = 32,
    n_windows: int = 8,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Score every single-base change to first order, then those of the windows that matter exactly.

    Parameters
    ----------
    locus
        Bases to change, 0-based half-open; for a context also the window whose bins are summed.
    reference
        Genome; beyond the contig's ends it is taken as N.
    backbone
        Sequence model of any kind; it stays on its device. Made for global ones: for a local one
        `mutagenesis` is exact everywhere.
    target
        What changes: a context's activity summed over the locus' bins, or a gene's expression.
    gene_target
        The gene that the target names and the readout of its expression; None for a context's activity.
    first
        ``"saliency"``: the gradient at the sequence; ``"integrated-gradients"``: its mean on the path from a
        baseline without bases, which sees past saturation.
    n_steps
        Points on that path.
    window
        Bases of a window that is computed exactly, all three changes of each.
    n_windows
        How many, at most: those with the largest sum of absolute first-order effects, which don't overlap.
    progress
        Updated after each window and each batch of mutants; gets the first-order result first.

    Returns
    -------
    xr.Dataset
        ``effect`` (position, allele, context), float32: the change of the target when the base becomes that
        allele, in its own units; 0 at the reference allele, NaN where the reference is N. ``method``
        (position) says ``exact`` or ``first-order``. ``reference`` (position) holds the bases.

    Raises
    ------
    LocusError
        If the locus leaves the contig or holds no base but N.
    TargetError
        If the target isn't predicted, or no base of the locus reaches it.
    ModelError
        If a number makes no sense.
    """
    locus = reference.check(locus)
    if not (is_count(window) and is_count(n_windows, least=0) and is_count(n_steps)):
        raise ModelError(
            f"{n_windows} windows of {window} bases, {n_steps} steps: use whole, positive numbers"
        )
    if first not in ("saliency", "integrated-gradients"):
        raise ModelError(f"unknown first pass {first!r}: use 'saliency' or 'integrated-gradients'")
    resolved = resolve(target, backbone, gene_target)
    tiles = list(target_tiles(locus, reference, backbone, resolved))
    codes = np.array(reference.fetch_codes(locus.contig, locus.start, locus.end))
    progress.stage("first order", len(tiles))
    effect = np.zeros((locus.length, 4), dtype=np.float64)
    for tile in tiles:
        gradient = _gradient(tile, locus.contig, reference, backbone, first, n_steps)
        _add_first_order(effect, gradient, codes, tile, locus)
        progress.advance()
    effect[codes == N_CODE] = np.nan
    exact = np.zeros(locus.length, dtype=bool)
    progress.partial(_dataset(effect, exact, codes, locus, reference, backbone, resolved, first))
    chosen = strongest_windows(np.nansum(np.abs(effect), axis=1), window, n_windows)
    places = np.concatenate([np.arange(begin, end) for begin, end in chosen] or [np.empty(0, dtype=int)])
    places = places[codes[places] != N_CODE]
    progress.stage("exact", max(len(places), 1))
    if len(places):
        effect[places] = _exact(places, codes, tiles, locus, reference, backbone, progress)
    for begin, end in chosen:
        exact[begin:end] = True
    return _dataset(effect, exact, codes, locus, reference, backbone, resolved, first)


def strongest_windows(weight: NDArray[np.float64], window: int, count: int) -> list[tuple[int, int]]:
    """Choose windows that don't overlap, greedily by the sum of what they hold.

    Parameters
    ----------
    weight
        One number per base, not negative.
    window
        Bases of each; cut at the ends.
    count
        How many, at most; windows without any weight are not chosen.

    Returns
    -------
    list[tuple[int, int]]
        Start and end (half-open), from left to right.
    """
    window = min(window, len(weight))
    sums = np.convolve(weight, np.ones(window), "valid")
    chosen: list[tuple[int, int]] = []
    for _ in range(count):
        start = int(sums.argmax())
        if not sums[start] > 0:
            break
        chosen.append((start, start + window))
        sums[max(start - window + 1, 0) : start + window] = -np.inf
    return sorted(chosen)


def _gradient(
    tile: TargetTile,
    contig: str,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    first: First,
    n_steps: int,
) -> NDArray[np.float64]:
    """Return the gradient of a tile of the target with respect to all four channels, (4, bases)."""
    bases = one_hot_window(reference, contig, tile.start, tile.end, backbone)
    encode = tiled(lean_encode(backbone), tile, backbone)

    def forward(one_hot: torch.Tensor) -> torch.Tensor:
        return tile.score(encode(one_hot))[:, 0]

    if first == "saliency":
        found = Saliency(forward).attribute(bases.requires_grad_(), abs=False)
    else:
        method = IntegratedGradients(forward, multiply_by_inputs=False)
        start = BaselineSource("zero", reference, Locus(contig, max(tile.start, 0), tile.end))
        begin = torch.from_numpy(start.window(tile.start, tile.end)).to(bases)[None]
        found = method.attribute(bases, baselines=begin, n_steps=n_steps, internal_batch_size=1)
    return found[0].detach().cpu().double().numpy()


def _add_first_order(
    effect: NDArray[np.float64],
    gradient: NDArray[np.float64],
    codes: NDArray[np.uint8],
    tile: TargetTile,
    locus: Locus,
) -> None:
    """Add what a tile's gradient says of each change: the other channel's minus the base's own."""
    first, last = max(tile.start, locus.start), min(tile.end, locus.end)
    if first >= last:
        return
    own = gradient[:, first - tile.start : last - tile.start].T
    here = slice(first - locus.start, last - locus.start)
    bases = np.minimum(codes[here], 3).astype(np.intp)
    effect[here] += own - np.take_along_axis(own, bases[:, None], axis=1)


def _exact(
    places: NDArray[np.intp],
    codes: NDArray[np.uint8],
    tiles: Sequence[TargetTile],
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    progress: Progress,
) -> NDArray[np.float64]:
    """Predict every mutant at some places of the locus: (places, 4)."""
    effects = np.zeros((len(places), 4))
    others = alternates(torch.from_numpy(codes[places])).numpy()
    counted = np.zeros(len(places))
    seen = [np.flatnonzero((places + locus.start >= p.start) & (places + locus.start < p.end)) for p in tiles]
    for rows in seen:
        counted[rows] += 1
    for tile, rows in zip(tiles, seen, strict=True):
        for batch, change in _mutants(tile, rows, places, others, locus, reference, backbone):
            effects[batch[:, None], others[batch]] += change
            progress.advance(float((1 / counted[batch]).sum()))
    return effects


def _mutants(
    tile: TargetTile,
    rows: NDArray[np.intp],
    places: NDArray[np.intp],
    others: NDArray[np.int64],
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Yield rows of places and what their mutants change in a tile of the target, (rows, 3)."""
    if not len(rows):
        return
    bases = one_hot_window(reference, locus.contig, tile.start, tile.end, backbone)
    encode = tiled(backbone.encode, tile, backbone)
    device, _ = placement(backbone)
    with torch.inference_mode():
        before = doubled(tile.score(encode(bases))[0, 0])

        def score(first: int, last: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
            batch = rows[first:last]
            mutants = bases.repeat(3 * len(batch), 1, 1)
            index = torch.arange(len(mutants), device=device)
            at = torch.from_numpy(np.repeat(places[batch] + locus.start - tile.start, 3)).to(device)
            mutants[index, :, at] = 0
            mutants[index, torch.from_numpy(others[batch].reshape(-1)).to(device), at] = 1
            change = doubled(tile.score(encode(mutants))[:, 0]) - before
            return batch, change.view(-1, 3).cpu().numpy()

        size = max(_BATCH_BASES // (3 * (tile.end - tile.start)), 1)
        yield from in_batches(len(rows), size, score)


def _dataset(
    effect: NDArray[np.float64],
    exact: NDArray[np.bool_],
    codes: NDArray[np.uint8],
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: ResolvedTarget,
    first: First,
) -> xr.Dataset:
    gradient = "gradient" if first == "saliency" else "mean gradient on the path from no bases"
    attrs = result_attrs(
        locus, backbone, reference,
        definition=f"change of the {target.definition}, when the base becomes the allele: predicted anew "
        f"where method is {EXACT}, elsewhere to first order (difference of two channels' {gradient})",
        units=f"change of {units_in(target.readout or backbone, target.contexts)}",
        target=str(target), n_exact=int(exact.sum()),
    )  # fmt: skip
    return xr.Dataset(
        {
            "effect": (("position", "allele", "context"), effect[:, :, None].astype(np.float32)),
            "reference": ("position", LETTERS[codes]),
            "method": ("position", np.where(exact, EXACT, FIRST_ORDER)),
        },
        coords={
            "position": position_coord(np.arange(locus.start, locus.end)),
            "allele": list(ALPHABET),
            **context_coords(target.contexts),
        },
        attrs=attrs,
    )
