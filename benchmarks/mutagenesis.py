"""Mutagenesis: mutants per second, against tangermeme and plain loops."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from tangermeme.saturation_mutagenesis import saturation_mutagenesis

from benchmarks.measure import agreeing, in_turns, paired_ratio, seconds
from benchmarks.report import Section
from benchmarks.world import START, locus, open_bench
from phenviz.attribution import mutagenesis
from phenviz.models.backbone import halo
from phenviz.models.windows import one_hot_window

OURS = "PhenViz"
FULL_WINDOW = 196_608
PEER_WARNINGS: set[str] = set()


def run(repeats: int, quick: bool) -> Section:
    length = 4_096 if quick else 10_240
    short = 256
    kept: dict[str, np.ndarray] = {}

    def rate(name: str, positions: int, score: Callable[[int], np.ndarray]) -> Callable[[], float]:
        def measure() -> float:
            def timed() -> None:
                kept[name] = score(positions)

            return 3 * positions / seconds(timed)

        return measure

    contestants = {
        OURS: rate(OURS, length, phenviz_effects),
        "tangermeme, fast=True": rate(
            "tangermeme, fast=True", length, lambda n: tangermeme_effects(n, fast=True)
        ),
        "tangermeme, fast=False": rate(
            "tangermeme, fast=False", short, lambda n: tangermeme_effects(n, fast=False)
        ),
        "batched loop over crops": rate("batched loop over crops", short, crop_effects),
        "loop over 196,608 bp windows": rate("loop over 196,608 bp windows", 1, window_effects),
    }
    series = in_turns(contestants, repeats)
    rows = []
    for name, values in series.items():
        faster = "" if name == OURS else paired_ratio(series[OURS], values)
        rows.append([name, values.spread(), faster, _difference(kept[name], kept[OURS])])
    notes = [
        f"{length:,} positions (all three alternates, all contexts); the slower ones do {short}, the "
        "last one 1. Effects are log2 fold changes of the centre mask; the difference is the largest one on "
        "the positions both did, relative to the largest effect there."
    ]
    notes += [f"tangermeme warned: {words}." for words in sorted(PEER_WARNINGS)]
    header = ["", "mutants per second: median (range)", "PhenViz is faster by", "difference"]
    return Section(f"Mutagenesis of {length:,} bases", header, rows, notes)


def phenviz_effects(positions: int) -> np.ndarray:
    bench = open_bench()
    return mutagenesis(locus(positions), bench.reference, bench.backbone)["effect"].values


def tangermeme_effects(positions: int, *, fast: bool) -> np.ndarray:
    """Run tangermeme on one window that holds all positions and what their masks see."""
    bench = open_bench()
    size, margin = bench.backbone.bin_size, halo(bench.backbone) + 2 * bench.backbone.bin_size
    start = START // size * size
    end = -(-(START + positions) // size) * size
    window = one_hot_window(bench.reference, "20", start - margin, end + margin, bench.backbone)
    first = START - start + margin
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        before, after = saturation_mutagenesis(
            bench.backbone, window, start=first, end=first + positions, raw_outputs=True, fast=fast,
            batch_size=32, device="cpu",
        )  # fmt: skip
    # it says so when it couldn't use its fast path
    PEER_WARNINGS.update(str(warning.message).split(". ")[0] for warning in warned)
    bins = (first + np.arange(positions)) // size
    effects = np.zeros((positions, 4, len(bench.backbone.contexts)), dtype=np.float32)
    for row, number in enumerate(bins):
        mask = slice(number - 2, number + 2)
        change = torch.log2(1 + after[0, :, row, :, mask].sum(-1)) - torch.log2(
            1 + before[0, :, mask].sum(-1)
        )
        effects[row] = change.numpy()
    return effects


def crop_effects(positions: int, batch_size: int = 64) -> np.ndarray:
    """Predict a crop a mutant that holds all that its mask sees, in batches."""
    return _effects_of_windows(
        positions, 4 * open_bench().backbone.bin_size + 2 * halo(open_bench().backbone), batch_size
    )


def window_effects(positions: int) -> np.ndarray:
    """Predict a window of Enformer's length a mutant."""
    return _effects_of_windows(positions, FULL_WINDOW, 1)


def _effects_of_windows(positions: int, length: int, batch_size: int) -> np.ndarray:
    bench = open_bench()
    backbone, size = bench.backbone, bench.backbone.bin_size
    flank = (length - 4 * size) // 2 // size
    effects = np.zeros((positions, 4, len(backbone.contexts)), dtype=np.float32)
    pending: list[tuple[int, int, torch.Tensor]] = []

    def flush() -> None:
        if pending:
            with torch.inference_mode():
                sums = backbone(torch.cat([mutant for _, _, mutant in pending]))[:, :, flank : flank + 4].sum(
                    -1
                )
            for (row, allele, _), total in zip(pending, sums, strict=True):
                effects[row, allele] = (torch.log2(1 + total) - torch.log2(1 + before[row])).numpy()
            pending.clear()

    before: dict[int, torch.Tensor] = {}
    # positions of one bin share their window
    reference: dict[int, torch.Tensor] = {}
    for row in range(positions):
        position = START + row
        start = (position // size - 2 - flank) * size
        window = one_hot_window(bench.reference, "20", start, start + length, backbone)
        if start not in reference:
            with torch.inference_mode():
                reference[start] = backbone(window)[0, :, flank : flank + 4].sum(-1)
        before[row] = reference[start]
        for allele in range(4):
            if window[0, allele, position - start] == 0:
                mutant = window.clone()
                mutant[0, :, position - start] = 0
                mutant[0, allele, position - start] = 1
                pending.append((row, allele, mutant))
        if len(pending) >= batch_size:
            flush()
    flush()
    return effects


def _difference(theirs: np.ndarray, ours: np.ndarray) -> str:
    count = min(len(theirs), len(ours))
    scale = np.abs(ours[:count]).max()
    return agreeing(float(np.abs(theirs[:count] - ours[:count]).max() / scale), 1e-4)
