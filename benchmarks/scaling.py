"""How time and memory grow with the length of the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.measure import in_a_process
from benchmarks.report import Section

# task: its name in child.py, lengths of a quick run, further ones of a full run, and steps
TASKS = {
    "prediction": ("phenviz_prediction", (10_000, 100_000, 1_000_000), (10_000_000, 60_000_000), 1),
    "integrated gradients, 4 steps": (
        "service_gradients", (10_000, 100_000), (1_000_000, 10_000_000, 60_000_000), 4,
    ),
    "mutagenesis": ("service_mutagenesis", (1_000, 10_000), (100_000, 1_000_000), 1),
}  # fmt: skip


def run(quick: bool, folder: Path) -> Section:
    rows, curves = [], {}
    for name, (task, short, long, steps) in TASKS.items():
        lengths = short if quick else short + long
        found = [in_a_process(run=task, length=length, steps=steps) for length in lengths]
        taken = [result["seconds"] for result in found]
        curves[name] = (lengths, taken, [result["peak"] for result in found])
        for length, result in zip(lengths, found, strict=True):
            rate = length / 1e6 / result["seconds"]
            memory = f"{result['peak'] / 1e6:,.0f} MB"
            rows.append([name, f"{length:,}", f"{result['seconds']:.3g}", f"{rate:.3g}", memory])
        if len(lengths) > 2:
            slopes = [_slope(lengths[first:], taken[first:]) for first in (0, 1)]
            words = f"{slopes[0]:.2f} (from {lengths[1]:,} bases: {slopes[1]:.2f})"
            rows.append([f"{name}: log-log slope of time", "", words, "", ""])
    _draw(curves, folder / "scaling.svg")
    notes = [
        "One run each, in a process of its own; memory is the peak above the loaded model. Gradients and "
        "mutagenesis (3 mutants a base, 16 contexts) go through the service as one job, with an empty store; "
        "what is too long for memory stays there.",
        "![Time and memory against length](scaling.svg)",
    ]
    return Section(
        "Growth with the window", ["", "bases", "seconds", "Mb per second", "peak memory"], rows, notes
    )


def _slope(lengths: tuple[int, ...], taken: list[float]) -> float:
    return float(np.polyfit(np.log(lengths), np.log(taken), 1)[0])


def _draw(curves: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    # the same numbers give the same file
    matplotlib.rcParams["svg.hashsalt"] = "phenviz"
    import matplotlib.pyplot as plt

    figure, (time_axis, memory_axis) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for (name, (lengths, taken, peaks)), marker in zip(curves.items(), "os^", strict=True):
        time_axis.loglog(lengths, taken, marker=marker, label=name)
        memory_axis.semilogx(lengths, np.array(peaks) / 1e6, marker=marker, label=name)
    time_axis.set(xlabel="bases", ylabel="seconds")
    memory_axis.set(xlabel="bases", ylabel="peak memory above the model (MB)", ylim=(0, None))
    time_axis.legend(frameon=False, fontsize=8)
    for axis in (time_axis, memory_axis):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
