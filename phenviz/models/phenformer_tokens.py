"""Gene tokens: what the disease model gets to see of a window of sequence.

A token is a function of sums over the bins of its window and of nothing else::

    sums  = sum over bins of [embedding, terms of the expression (near the TSS)]
    token = [sums of embedding / bins, expression from the other sums]

So a window can be read tile by tile, in any order, and tiles can be shared: with a local backbone, whose bins
lie on the contig's own grid and see their real neighbours, a bin that lies in the windows of several genes
is encoded once. A global backbone (Enformer) encodes each window on its own. What overhangs the contig is N.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.errors import ModelError
from phenviz.genome.intervals import merged
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.expression import encode_bins
from phenviz.models.parallel import over_tiles
from phenviz.models.phenformer import GeneSite, Phenformer
from phenviz.models.phenformer_checkpoint import check_models, own_readout
from phenviz.models.predict import default_tile_bins
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import BaseSource, one_hot_window, placement
from phenviz.progress import NO_PROGRESS, Progress


@dataclass(frozen=True, slots=True, eq=False)
class GeneWindow:
    """The bins of one gene's window, on the contig's own grid.

    Parameters
    ----------
    index
        Number of the gene in the model.
    contig
        Name as in the reference.
    first_bin
        Number of the first bin on the contig; negative where the window overhangs it.
    bin_size
        Bases per bin.
    distance
        Shape (bins,), float32: signed bp from the TSS to each bin's centre, positive downstream.
    near
        Bins within the window that the expression is read from.
    """

    index: int
    contig: str
    first_bin: int
    bin_size: int
    distance: NDArray[np.float32]
    near: slice

    @property
    def last_bin(self) -> int:
        """Number of the bin after the last one."""
        return self.first_bin + len(self.distance)

    @property
    def start(self) -> int:
        """0-based start; may be negative."""
        return self.first_bin * self.bin_size

    @property
    def end(self) -> int:
        """0-based exclusive end; may overhang the contig."""
        return self.last_bin * self.bin_size


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Bins that are encoded together, and the windows that they are part of.

    Parameters
    ----------
    contig
        Name as in the reference.
    first_bin, last_bin
        Bins on the contig, half-open.
    windows
        Windows that get the sums of these bins.
    """

    contig: str
    first_bin: int
    last_bin: int
    windows: tuple[GeneWindow, ...]

    @property
    def indices(self) -> list[int]:
        """Numbers of the windows' genes."""
        return [window.index for window in self.windows]


class TokenReader:
    """Reads tokens from embeddings: windows of a Phenformer's genes, and the sums that tokens are made of.

    Parameters
    ----------
    phenformer
        Model whose tokens are wanted.
    reference
        Genome; its assembly must be the model's.
    backbone
        Encodes the bins.
    readout
        Gives the expression; None for a model that takes the activity around the TSS instead.

    Attributes
    ----------
    windows
        One per gene, in the order of the model.
    terms
        Number K of sums of each window.

    Raises
    ------
    ModelError
        If the models don't belong together, or to another assembly.
    LocusError
        If the reference lacks the contig of a gene.
    """

    def __init__(
        self,
        phenformer: Phenformer,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        readout: GeneReadout | None = None,
    ) -> None:
        readout = own_readout(phenformer, readout)
        check_models(phenformer, backbone, readout)
        if phenformer.assembly != reference.assembly:
            raise ModelError(
                f"the genes of {phenformer.name} have coordinates of {phenformer.assembly}, the reference is "
                f"{reference.assembly}: give a model for this assembly"
            )
        self.phenformer, self.reference, self.backbone = phenformer, reference, backbone
        self.readout = readout if phenformer.expression_from == "readout" else None
        reach = phenformer.reach if self.readout is None else self.readout.reach
        self.windows = tuple(
            _window(index, gene, phenformer.window, reach, backbone.bin_size, reference)
            for index, gene in enumerate(phenformer.genes)
        )
        heads = len(phenformer.expression) if self.readout is None else self.readout.n_terms
        self.terms = phenformer.channels + heads

    @property
    def window_bases(self) -> int:
        """Bases of all windows together, counted in each window."""
        return len(self.windows) * self.phenformer.window

    def sums(self, embedding: torch.Tensor, tile: Tile) -> torch.Tensor:
        """Return what a tile adds to the sums of each of its windows.

        Parameters
        ----------
        embedding
            Of the tile's bins, shape (B, D, bins).
        tile
            Which bins these are.

        Returns
        -------
        torch.Tensor
            Shape (B, windows of the tile, K); it has a gradient where the embedding has one.

        Raises
        ------
        ModelError
            If the backbone has another number of channels than the model was made for.
        """
        if embedding.shape[1] != self.phenformer.channels:
            raise ModelError(
                f"{self.phenformer.name} was made for an embedding of {self.phenformer.channels} channels, "
                f"{self.backbone.name} has {embedding.shape[1]}: give the backbone that it belongs to"
            )
        return torch.stack([self._window_sums(embedding, tile, window) for window in tile.windows], dim=1)

    def tokens(self, sums: torch.Tensor) -> torch.Tensor:
        """Turn the sums of all windows, (..., G, K), into tokens, (..., G, F)."""
        channels = self.phenformer.channels
        mean = sums[..., :channels] / len(self.windows[0].distance)
        rest = sums[..., channels:]
        if self.readout is not None:
            expression = self.readout.from_pooled(rest.flatten(0, -2)).unflatten(0, rest.shape[:-1])
        else:
            near = self.windows[0].near
            expression = torch.log1p(rest / (near.stop - near.start))
        return torch.cat([mean, expression], dim=-1)

    def encode(self, tile: Tile, sequence: BaseSource) -> torch.Tensor:
        """Encode a tile's bins without a graph: (1, D, bins)."""
        backbone, size = self.backbone, self.backbone.bin_size
        # nothing but codes is asked of it
        source = cast(ReferenceGenome, sequence)
        if backbone.receptive_field is not None:
            return encode_bins(tile.contig, tile.first_bin, tile.last_bin, source, backbone)
        start, end = tile.first_bin * size, tile.last_bin * size
        with torch.inference_mode():
            return backbone.encode(one_hot_window(source, tile.contig, start, end, backbone))

    def _window_sums(self, embedding: torch.Tensor, tile: Tile, window: GeneWindow) -> torch.Tensor:
        first, last = max(tile.first_bin, window.first_bin), min(tile.last_bin, window.last_bin)
        total = embedding[:, :, first - tile.first_bin : last - tile.first_bin].sum(-1)
        near_first = max(first, window.first_bin + window.near.start)
        near_last = min(last, window.first_bin + window.near.stop)
        if near_first >= near_last:
            return torch.cat([total, total.new_zeros(len(total), self.terms - total.shape[1])], dim=1)
        near = embedding[:, :, near_first - tile.first_bin : near_last - tile.first_bin]
        if self.readout is None:
            return torch.cat([total, self.backbone.activity(near).sum(-1)], dim=1)
        distance = window.distance[near_first - window.first_bin : near_last - window.first_bin]
        terms = self.readout.pooled_terms(near, torch.from_numpy(distance).to(near))
        return torch.cat([total, terms.sum(-1)], dim=1)


def predict_tokens(
    phenformer: Phenformer,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout | None = None,
    *,
    haplotypes: tuple[BaseSource, BaseSource] | None = None,
    share_tiles: bool = True,
    progress: Progress = NO_PROGRESS,
) -> torch.Tensor:
    """Read the tokens of both haplotypes of one genome, without a graph.

    Parameters
    ----------
    phenformer, reference, backbone, readout
        As for `TokenReader`.
    haplotypes
        Where the bases of the first and of the second haplotype come from, in the reference's coordinates;
        None for the reference twice. One that is given twice is read once.
    share_tiles
        Whether a local backbone encodes bins that lie in several windows once.
    progress
        Advances after each tile.

    Returns
    -------
    torch.Tensor
        Shape (2, G, F), on the backbone's device and in its precision: ``phenformer(tokens[None])`` are the
        logits.
    """
    reader = TokenReader(phenformer, reference, backbone, readout)
    sequences, which = distinct(haplotypes or (reference, reference))
    tiles = plan_tiles(reader, share_tiles=share_tiles)
    progress.stage("reading gene tokens", sum(tile.last_bin - tile.first_bin for tile in tiles))
    sums = np.zeros((len(sequences), len(reader.windows), reader.terms))
    device, dtype = placement(backbone)

    def run(tile: Tile) -> NDArray[np.float64]:
        return np.stack([_detached(reader, tile, sequence) for sequence in sequences])

    for tile, part in zip(tiles, over_tiles(tiles, run, device), strict=True):
        sums[:, tile.indices] += part
        progress.advance(tile.last_bin - tile.first_bin)
    with torch.inference_mode():
        return reader.tokens(torch.from_numpy(sums).to(device, dtype))[list(which)].clone()


def plan_tiles(
    reader: TokenReader, *, share_tiles: bool = True, tile_bins: int | None = None
) -> tuple[Tile, ...]:
    """Cut all windows into tiles, by contig and from left to right.

    A local backbone's tiles are cut at multiples of their size on the contig's own grid, so that they don't
    depend on which genes a model has. A global backbone's are its windows.

    Parameters
    ----------
    reader
        Knows the windows.
    share_tiles
        Whether windows of a local backbone share the tiles where they overlap.
    tile_bins
        Most bins of a local backbone's tile; None for as many as suit the device.
    """
    order = {contig: number for number, contig in enumerate(reader.reference.contigs)}
    windows = sorted(reader.windows, key=lambda window: (order[window.contig], window.first_bin))
    if reader.backbone.receptive_field is None:
        return tuple(Tile(window.contig, window.first_bin, window.last_bin, (window,)) for window in windows)
    size = tile_bins or default_tile_bins(reader.backbone)
    if share_tiles:
        return tuple(tile for run in _runs(windows) for tile in _cut(run, *_ends(run), size))
    tiles = [tile for window in windows for tile in _cut([window], *_ends([window]), size)]
    return tuple(sorted(tiles, key=lambda tile: (order[tile.contig], tile.first_bin)))


def split_tile(reader: TokenReader, tile: Tile) -> tuple[Tile, ...]:
    """Cut a long tile of a local backbone into tiles that suit the device; a global one's stays whole."""
    if reader.backbone.receptive_field is None:
        return (tile,)
    return tuple(_cut(tile.windows, tile.first_bin, tile.last_bin, default_tile_bins(reader.backbone)))


def reached(reader: TokenReader, contig: str) -> list[tuple[int, int]]:
    """Return the intervals of a contig that tokens depend on: disjoint, sorted, within the contig.

    A local backbone's windows reach `halo` further than they are long.
    """
    flank = 0 if reader.backbone.receptive_field is None else halo(reader.backbone)
    length = reader.reference.contigs[contig]
    return merged(
        (start, end)
        for window in reader.windows
        if window.contig == contig
        and (start := max(window.start - flank, 0)) < (end := min(window.end + flank, length))
    )


def distinct(haplotypes: tuple[BaseSource, BaseSource]) -> tuple[tuple[BaseSource, ...], tuple[int, int]]:
    """Return the different sequences among two haplotypes, and which of them each haplotype is."""
    first, second = haplotypes
    return ((first,), (0, 0)) if first is second else ((first, second), (0, 1))


def _detached(reader: TokenReader, tile: Tile, sequence: BaseSource) -> NDArray[np.float64]:
    with torch.inference_mode():
        sums: NDArray[np.float64] = reader.sums(reader.encode(tile, sequence), tile)[0].cpu().double().numpy()
    return sums


def _window(
    index: int, gene: GeneSite, length: int, reach: int, size: int, reference: ReferenceGenome
) -> GeneWindow:
    bins, flank = length // size, reach // size
    before = bins // 2
    first = gene.tss // size - before
    centres = (first + np.arange(bins)) * size + size / 2
    direction = -1.0 if gene.strand == "-" else 1.0
    distance = (direction * (centres - gene.tss)).astype(np.float32)
    near = slice(max(before - flank, 0), min(before + flank + 1, bins))
    return GeneWindow(index, reference.resolve_contig(gene.contig), first, size, distance, near)


def _runs(windows: Sequence[GeneWindow]) -> Iterator[list[GeneWindow]]:
    """Group sorted windows that overlap or touch, directly or through others."""
    run: list[GeneWindow] = []
    end = 0
    for window in windows:
        if run and (window.contig != run[0].contig or window.first_bin > end):
            yield run
            run = []
        end = max(end, window.last_bin) if run else window.last_bin
        run.append(window)
    if run:
        yield run


def _ends(run: Sequence[GeneWindow]) -> tuple[int, int]:
    return min(window.first_bin for window in run), max(window.last_bin for window in run)


def _cut(run: Sequence[GeneWindow], first: int, end: int, size: int) -> Iterator[Tile]:
    """Cut bins, all of which lie in some window, into tiles."""
    while first < end:
        last = min((first // size + 1) * size, end)
        inside = tuple(window for window in run if window.first_bin < last and first < window.last_bin)
        yield Tile(run[0].contig, first, last, inside)
        first = last
