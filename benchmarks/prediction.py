"""Prediction: megabases a second, by tile size."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.measure import agreeing, in_turns, seconds
from benchmarks.report import Section
from benchmarks.world import locus, open_bench
from phenviz.models.backbone import halo
from phenviz.models.predict import default_tile_bins, predict
from phenviz.models.windows import one_hot_window

TILES = (32, 64, 128, 256, 1_024, 8_192)


def run(repeats: int, quick: bool) -> Section:
    bench, where = open_bench(), locus(262_144 if quick else 1_048_576)

    def ours(tile_bins: int):
        def measure() -> float:
            taken = seconds(lambda: predict(where, bench.reference, bench.backbone, tile_bins=tile_bins))
            return where.length / 1e6 / taken

        return measure

    def whole() -> np.ndarray:
        flank = halo(bench.backbone)
        window = one_hot_window(
            bench.reference, where.contig, where.start - flank, where.end + flank, bench.backbone
        )
        with torch.inference_mode():
            return bench.backbone(window)[0].numpy()

    series = in_turns(
        {f"tiles of {bins:,} bins": ours(bins) for bins in TILES}
        | {"one window, no tiles": lambda: where.length / 1e6 / seconds(whole)},
        repeats,
    )
    flank = halo(bench.backbone) // bench.backbone.bin_size
    first = where.start % bench.backbone.bin_size
    rows = [[name, values.spread()] for name, values in series.items()]
    notes = [f"Default on this device: tiles of {default_tile_bins(bench.backbone):,} bins."]
    if first == 0:
        tiled = predict(where, bench.reference, bench.backbone)["activity"].values
        untiled = whole()[:, flank:-flank]
        error = agreeing(float((np.abs(tiled - untiled) / (1 + untiled)).max()), 1e-5)
        notes.append(f"Largest difference between tiled and untiled, relative to 1 + activity: {error}.")
    title = f"Prediction of {where.length / 1e6:.2f} Mb in all contexts"
    return Section(title, ["", "Mb per second: median (range)"], rows, notes)
