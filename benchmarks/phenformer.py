"""The disease model over 448 gene windows: forward, saliency of a trait, and what sharing tiles saves."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch

import phenviz
from benchmarks.measure import Series, agreeing, in_a_process, paired_ratio
from benchmarks.report import Section
from phenviz.attribution.trait import explained, trait_saliency
from phenviz.models.backbone import halo
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_tokens import Tile, TokenReader, plan_tiles, predict_tokens
from phenviz.models.windows import one_hot_window
from phenviz.world import World

WINDOW = 196_608
WINDOWS = 448
# one graph over more windows than this doesn't fit into ordinary memory
IN_ONE_GRAPH = 2
_HEADER = ["", "seconds: median (range)", "peak memory"]


def run(repeats: int, quick: bool) -> Section:
    windows = 8 if quick else WINDOWS
    shared = {"forward": "phenformer_forward", "saliency": "phenformer_saliency"}
    # takes much longer, and is there to show what sharing saves: one turn is enough
    separate = {
        "forward, nothing shared": "phenformer_forward_separate",
        "saliency, nothing shared": "phenformer_saliency_separate",
    }
    series = {name: Series() for name in (*shared, *separate)}
    for turn in range(repeats):
        for name, task in (shared | separate if turn == 0 else shared).items():
            _measure(series[name], run=task, length=windows * WINDOW)
    rows = _rows(series)
    for how in ("", ", nothing shared"):
        ratio = paired_ratio(series[f"saliency{how}"], series[f"forward{how}"])
        rows.append([f"saliency / forward{how}", ratio, ""])
    reader = TokenReader(_model(windows), *_models())
    encoded = sum(tile.last_bin - tile.first_bin for tile in plan_tiles(reader)) * reader.backbone.bin_size
    notes = [
        f"{windows} genes of chromosome 20, each with its window of {WINDOW:,} bp: {windows * WINDOW:,} bp. "
        f"Windows overlap: shared, {encoded:,} bp are encoded; 'nothing shared' encodes every window on its "
        "own, as for windows that lie apart, in one turn. Both haplotypes are the reference, which is read "
        "once; two different haplotypes take twice as long.",
        "The disease model is randomly initialised. Saliency is the forward pass, the gradient with respect "
        "to the tokens, and each tile once more with its graph. Memory is the peak above the loaded model, "
        "each run in a process of its own.",
    ]
    return Section(f"Disease model, {windows} windows x {WINDOW:,} bp", _HEADER, rows, notes)


def run_one_graph(repeats: int) -> Section:
    """Compare with all windows in one autograd graph, on as few windows as fit into ordinary memory."""
    tasks = {"PhenViz": "phenformer_saliency", "one graph over all windows": "phenformer_one_graph"}
    series = {name: Series() for name in tasks}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for name, task in tasks.items():
                _measure(series[name], run=task, length=IN_ONE_GRAPH * WINDOW, save=str(Path(folder, task)))
        ours, theirs = (np.load(Path(folder, f"{task}.npy")).astype(np.float64) for task in tasks.values())
    error = agreeing(float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)), 1e-4)
    rows = [*_rows(series), ["PhenViz / one graph", paired_ratio(*series.values()), ""]]
    notes = [
        f"Saliency of a trait of a randomly initialised disease model over {IN_ONE_GRAPH} windows of "
        f"{WINDOW:,} bp, the first and the last of the chromosome. Relative L2 difference: {error}."
    ]
    return Section(f"Disease model beside one graph, {IN_ONE_GRAPH} windows", _HEADER, rows, notes)


def _rows(series: Mapping[str, Series]) -> list[list[str]]:
    return [
        [name, values.spread(), f"{np.median(values.peak) / 1e6:,.0f} MB"] for name, values in series.items()
    ]


def phenformer_forward(length: int, steps: int) -> np.ndarray:
    return _forward(length, share=True)


def phenformer_forward_separate(length: int, steps: int) -> np.ndarray:
    return _forward(length, share=False)


def phenformer_saliency(length: int, steps: int) -> np.ndarray:
    return _saliency(length, share=True)


def phenformer_saliency_separate(length: int, steps: int) -> np.ndarray:
    return _saliency(length, share=False)


def phenformer_one_graph(length: int, steps: int) -> np.ndarray:
    """Compute the same saliency the plain way: all windows in one autograd graph."""
    phenformer = _model(max(length // WINDOW, 1))
    reader = TokenReader(phenformer, *_models())
    flank = halo(reader.backbone)
    where = explained(reader, None)
    sums, leaves = torch.zeros(len(reader.windows), reader.terms), []
    for window in reader.windows:
        # one tile, also where the window begins before the contig does
        tile = Tile(window.contig, window.first_bin, window.last_bin, (window,))
        bases = one_hot_window(
            reader.reference, tile.contig, window.start - flank, window.end + flank, reader.backbone
        )
        leaves.append((window.start - flank, bases.requires_grad_()))
        inner = slice(flank // window.bin_size, -flank // window.bin_size)
        embedding = reader.backbone.encode(bases)[:, :, inner]
        sums = sums.index_add(0, torch.tensor([window.index]), reader.sums(embedding, tile)[0])
    tokens = reader.tokens(sums).expand(2, -1, -1)
    grads = torch.autograd.grad(phenformer(tokens[None])[0, 0], [bases for _, bases in leaves])
    total = np.zeros(where.length, dtype=np.float32)
    for (start, bases), grad in zip(leaves, grads, strict=True):
        values = (bases.detach() * grad).sum(1)[0].numpy()
        first, last = max(start, where.start), min(start + len(values), where.end)
        total[first - where.start : last - where.start] += values[first - start : last - start]
    return total


def _forward(length: int, share: bool) -> np.ndarray:
    phenformer = _model(max(length // WINDOW, 1))
    tokens = predict_tokens(phenformer, *_models(), share_tiles=share)
    with torch.inference_mode():
        return phenformer(tokens[None]).numpy()


def _saliency(length: int, share: bool) -> np.ndarray:
    phenformer = _model(max(length // WINDOW, 1))
    reference, backbone, readout = _models()
    found = trait_saliency(
        reference, backbone, phenformer, trait="trait 1", readout=readout, share_tiles=share
    )
    total = np.zeros(found.attrs["end"] - found.attrs["start"], dtype=np.float32)
    total[found.position.values - 1 - found.attrs["start"]] = found.attribution.values
    return total


@cache
def _world() -> World:
    world = phenviz.open_world()
    world.reference.codes("20")
    return world


def _models() -> tuple:
    world = _world()
    return world.reference, world.backbone, world.readout


def _model(windows: int) -> Phenformer:
    """Build a random Phenformer of as many genes, evenly taken from the chromosome's."""
    _, backbone, readout = _models()
    names = _world().annotation.genes["gene_name"].tolist()
    chosen = [names[row] for row in np.linspace(0, len(names) - 1, windows).round().astype(int)]
    torch.manual_seed(0)
    return Phenformer(
        [_world().annotation.gene(name) for name in chosen],
        ["trait 1", "trait 2"],
        assembly=_world().assembly,
        window=WINDOW,
        channels=backbone.encode(torch.zeros(1, 4, backbone.bin_size)).shape[1],
        expression=[context.name for context in readout.contexts],
    ).eval()


def _measure(series: Series, **task: object) -> None:
    found = in_a_process(**task)
    series.values.append(found["seconds"])
    series.peak.append(found["peak"])
