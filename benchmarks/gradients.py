"""Integrated gradients: seconds and peak memory, against Captum on the whole window."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.child import whole_window
from benchmarks.measure import Series, agreeing, in_a_process, paired_ratio
from benchmarks.report import Section
from benchmarks.world import locus, open_bench
from phenviz.attribution import Target, integrated_gradients

DOUBLE_LENGTH = 32_768


def run(repeats: int, length: int, steps: int) -> Section:
    names = {"PhenViz": "phenviz_gradients", "Captum, whole window": "captum_gradients"}
    series = {name: Series() for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for name, task in names.items():
                found = in_a_process(run=task, length=length, steps=steps, save=str(Path(folder, task)))
                series[name].values.append(found["seconds"])
                series[name].peak.append(found["peak"])
        ours, theirs = (np.load(Path(folder, f"{task}.npy")).astype(np.float64) for task in names.values())
    error = agreeing(float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)), 1e-3)
    double = agreeing(_difference_in_double(), 1e-6)
    rows = [
        [name, values.spread(), f"{np.median(values.peak) / 1e6:,.0f} MB"] for name, values in series.items()
    ]
    memory = np.median(series["PhenViz"].peak) / np.median(series["Captum, whole window"].peak)
    ratio = paired_ratio(series["PhenViz"], series["Captum, whole window"])
    rows.append(["PhenViz / Captum", ratio, f"{memory:.3g}"])
    notes = [
        "Baseline zero, one context; Captum with internal_batch_size=1. Memory is the peak above the loaded "
        f"model, each run in a process of its own. Relative L2 difference of the attributions: {error} "
        f"(in float64, over {DOUBLE_LENGTH:,} bp in 8 steps: {double})."
    ]
    title = f"Integrated gradients over {length / 1e6:g} Mb, {steps} steps"
    return Section(title, ["", "seconds: median (range)", "peak memory"], rows, notes)


def _difference_in_double() -> float:
    """Compare both in double precision, where rounding doesn't decide which of two equal maxima counts."""
    bench, where = open_bench(), locus(DOUBLE_LENGTH)
    backbone = copy.deepcopy(bench.backbone).double()
    target = Target(context=bench.context)
    ours = integrated_gradients(where, bench.reference, backbone, target=target, n_steps=8)
    theirs = whole_window(bench.reference, backbone, where, 8)
    return float(np.linalg.norm(ours["attribution"].values - theirs) / np.linalg.norm(theirs))
