"""Gradients through the disease model, tile by tile: the chain rule, cut where tokens are sums over bins.

The logit depends on the bases through the tokens only, and a token on the bins through sums only. So with
``weight = d logit / d sums`` (small: one row per gene), the gradient with respect to the bases of a tile is
that of ``weight . sums(tile)``: each tile is encoded again, with a graph, on its own, and the result is
exactly that of one graph over all windows. Memory holds one tile.

For integrated gradients the weights differ from point to point of the path, as the tokens of all windows move
together. So the sums are read at every point first; then Captum integrates each tile with the weights of the
point that it is at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.attribution.baselines import Baseline, BaselineSource
from phenviz.attribution.gradients import IntegratedGradients, Saliency, default_step_batch
from phenviz.attribution.integration_paths import Path, TargetTile, path_of
from phenviz.errors import ModelError
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import halo
from phenviz.models.memory import halving
from phenviz.models.parallel import SharedProgress, over_tiles
from phenviz.models.phenformer_tokens import BaseSource, Tile, TokenReader
from phenviz.models.windows import placement
from phenviz.progress import Progress

# a saliency is a gradient at the sequence itself
_AT_THE_SEQUENCE = 1.0
_AT_THE_BASELINE = 0.0


@dataclass(frozen=True)
class TokenWeights:
    """What the disease model makes of the tokens.

    Parameters
    ----------
    logits
        Shape (points,): the trait's logit at each point of the path.
    sums
        Shape (points, sequences, G, K): the derivative of the logit with respect to the sums that tokens are
        made of.
    """

    logits: NDArray[np.float64]
    sums: NDArray[np.floating]


@dataclass(frozen=True)
class TraitEngine:
    """Computes sums, weights and attributions of tiles for one trait and one genome.

    Parameters
    ----------
    reader
        Reads tokens; knows the models.
    trait
        Number of the logit.
    sequences
        Different haplotypes: one or two.
    haplotypes
        Which of the sequences the first and the second haplotype are.
    n_steps
        Points that the gradient is integrated over; None for saliency.
    baseline
        Where the path begins: ``"zero"``, ``"dinucleotide"`` or a base composition (4,).

    Raises
    ------
    ModelError
        If the baseline is no such thing.
    """

    reader: TokenReader
    trait: int
    sequences: tuple[BaseSource, ...]
    haplotypes: tuple[int, int]
    n_steps: int | None = None
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        if not isinstance(self.baseline, str) and np.shape(self.baseline) != (4,):
            raise ModelError(
                f"the baseline has shape {np.shape(self.baseline)}: for a trait, give 'zero', 'dinucleotide' "
                "or one value per base, shape (4,)"
            )

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Points of the path where tokens are read: Captum's, then the sequence, then the baseline."""
        if self.n_steps is None:
            return np.array([_AT_THE_SEQUENCE])
        inner = 0.5 * (1 + np.polynomial.legendre.leggauss(self.n_steps)[0])
        return np.array([*inner, _AT_THE_SEQUENCE, _AT_THE_BASELINE])

    @property
    def baseline_name(self) -> str:
        """What the baseline is, in words."""
        return self._source(self.reader.windows[0].contig, 0).name

    @property
    def dtype(self) -> type[np.floating]:
        """Precision of attributions: the backbone's, if it is double."""
        return np.float64 if placement(self.reader.backbone)[1] == torch.float64 else np.float32

    def sums(self, tiles: Sequence[Tile], progress: Progress) -> NDArray[np.float64]:
        """Read the sums of tiles at every point of the path, without a graph.

        Returns
        -------
        NDArray[np.float64]
            Shape (points, sequences, G, K); 0 for windows that have no bin in these tiles. Sums of different
            tiles add up.
        """
        reader = self.reader
        total = np.zeros((len(self.points), len(self.sequences), len(reader.windows), reader.terms))
        progress.stage("reading gene tokens", self._work(tiles) * len(self.points))
        shared = SharedProgress(progress)

        def run(tile: Tile) -> NDArray[np.float64]:
            found = [self._sums_of_tile(tile, number, shared) for number in range(len(self.sequences))]
            return np.stack(found, axis=1)

        for tile, part in zip(tiles, self._over(tiles, run), strict=True):
            total[:, :, tile.indices] += part
        return total

    def weights(self, sums: NDArray[np.float64]) -> TokenWeights:
        """Differentiate the logit with respect to the sums of all windows, point by point."""
        phenformer = self.reader.phenformer
        parameter = next(phenformer.parameters())
        device, dtype = parameter.device, parameter.dtype
        logits, grads = [], []
        for point in sums:
            leaf = torch.from_numpy(point).to(device, dtype).requires_grad_()
            with torch.enable_grad():
                tokens = self.reader.tokens(leaf)[list(self.haplotypes)]
                logit = phenformer(tokens[None])[0, self.trait]
            (grad,) = torch.autograd.grad(logit, leaf)
            logits.append(float(logit.detach()))
            grads.append(grad.cpu().numpy())
        return TokenWeights(np.array(logits), np.stack(grads))

    def attribute(
        self, tiles: Sequence[Tile], weights: TokenWeights, progress: Progress
    ) -> Iterator[tuple[int, NDArray[np.floating]]]:
        """Attribute the logit to the bases of tiles.

        Yields
        ------
        tuple
            For each tile, in order: start of the bases that it sees on the contig (may be negative), and
            their attribution, shape (sequences, bases). What overlaps adds up.
        """
        progress.stage("attributing", self._work(tiles) * (self.n_steps or 1))
        shared = SharedProgress(progress)

        def run(tile: Tile) -> NDArray[np.floating]:
            found = [
                self._attribute_tile(tile, number, weights, shared) for number in range(len(self.sequences))
            ]
            return np.stack(found)

        for tile, values in zip(tiles, self._over(tiles, run), strict=True):
            yield self.target_tile(tile).start, values

    def target_tile(self, tile: Tile) -> TargetTile:
        """Return a tile with all bases that its bins see; its score are the sums of its windows."""
        size = self.reader.backbone.bin_size
        margin = 0 if self.reader.backbone.receptive_field is None else halo(self.reader.backbone)
        count, flank = tile.last_bin - tile.first_bin, margin // size
        return TargetTile(
            tile.first_bin * size - margin,
            tile.last_bin * size + margin,
            slice(flank, flank + count),
            lambda embedding: self.reader.sums(embedding, tile),
        )

    def _sums_of_tile(self, tile: Tile, number: int, progress: Progress) -> NDArray[np.float64]:
        """Read one sequence's sums of a tile: (points, windows of the tile, K)."""
        length = (tile.last_bin - tile.first_bin) * self.reader.backbone.bin_size
        if self.n_steps is None:
            with torch.inference_mode():
                embedding = self.reader.encode(tile, self.sequences[number])
                found: NDArray[np.float64] = self.reader.sums(embedding, tile).cpu().double().numpy()
            progress.advance(length)
            return found
        target_tile, path = self._path(tile, number)
        parts: list[NDArray[np.float64]] = []
        for point in self.points:
            with torch.no_grad():
                ends = zip(path.begin, path.end, strict=True)
                embedding = path.encode(*(begin + float(point) * (end - begin) for begin, end in ends))
                parts.append(target_tile.score(embedding).cpu().double().numpy())
            progress.advance(length)
        return np.concatenate(parts)

    def _attribute_tile(
        self, tile: Tile, number: int, weights: TokenWeights, progress: Progress
    ) -> NDArray[np.floating]:
        """Attribute the logit to the bases of one sequence that a tile sees: (bases,)."""
        target_tile, path = self._path(tile, number)
        device, dtype = placement(self.reader.backbone)
        own = torch.from_numpy(weights.sums[:, number, tile.indices]).to(device, dtype)
        at = torch.from_numpy(self.points).to(device, dtype)
        length = (tile.last_bin - tile.first_bin) * self.reader.backbone.bin_size

        def forward(*inputs: torch.Tensor) -> torch.Tensor:
            *bases, place = inputs
            # the place on the path is an input like the bases, so Captum itself says at which point it is
            nearest = (place - at).abs().argmin(1)
            score = (target_tile.score(path.encode(*bases)) * own[nearest]).sum((1, 2))
            progress.advance(length * len(place))
            return score + 0 * place[:, 0]

        end, begin = at.new_ones(1, 1), at.new_zeros(1, 1)
        if self.n_steps is None:
            leaves = tuple(tensor.detach().requires_grad_() for tensor in (*path.end, end))
            grads = Saliency(forward).attribute(leaves, abs=False)
        else:
            method = IntegratedGradients(forward, multiply_by_inputs=False)

            def integrate(batch: int) -> tuple[torch.Tensor, ...]:
                return method.attribute(
                    (*path.end, end),
                    baselines=(*path.begin, begin),
                    n_steps=self.n_steps,
                    internal_batch_size=batch,
                )

            grads, _ = halving(min(default_step_batch(self.reader.backbone), self.n_steps), integrate)
        values: NDArray[np.floating] = (
            path.pull_back(*(grad.detach() for grad in grads[:-1])).detach().cpu().numpy()
        )
        return values

    def _path(self, tile: Tile, number: int) -> tuple[TargetTile, Path]:
        target_tile = self.target_tile(tile)
        source = self._source(tile.contig, number)
        sequence = cast(ReferenceGenome, self.sequences[number])
        return target_tile, path_of(target_tile, tile.contig, sequence, self.reader.backbone, source)

    def _source(self, contig: str, number: int) -> BaselineSource:
        # for saliency, the path through the bases' own channels: (input - 0) * gradient is the value
        baseline: Baseline = np.zeros(4, dtype=np.float32) if self.n_steps is None else self.baseline
        sequence = cast(ReferenceGenome, self.sequences[number])
        return BaselineSource(baseline, sequence, Locus(contig, 0, 1))

    def _over(self, tiles, run):  # type: ignore[no-untyped-def]
        """Run tiles side by side; a global model's windows have all threads for themselves."""
        if self.reader.backbone.receptive_field is None:
            return map(run, tiles)
        return over_tiles(tiles, run, placement(self.reader.backbone)[0])

    def _work(self, tiles: Sequence[Tile]) -> int:
        size = self.reader.backbone.bin_size
        bins = sum(tile.last_bin - tile.first_bin for tile in tiles)
        return bins * size * len(self.sequences)
