"""One task in a process of its own: prints seconds, and the peak of memory above the loaded model."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import torch
from captum.attr import IntegratedGradients

from benchmarks.world import locus, open_bench
from phenviz.attribution import Target, integrated_gradients, mutagenesis
from phenviz.models.backbone import halo
from phenviz.models.predict import bin_range, predict
from phenviz.models.windows import one_hot_window


def phenviz_gradients(length: int, steps: int) -> np.ndarray:
    bench = open_bench()
    target = Target(context=bench.context)
    dataset = integrated_gradients(
        locus(length), bench.reference, bench.backbone, target=target, n_steps=steps
    )
    return dataset["attribution"].values


def captum_gradients(length: int, steps: int) -> np.ndarray:
    """Call Captum as it is: the whole window with its flanks, one step at a time."""
    bench, where = open_bench(), locus(length)
    size, flank = bench.backbone.bin_size, halo(bench.backbone)
    first, last = bin_range(where, size)
    start, end, inner = first * size - flank, last * size + flank, flank // size
    bases = one_hot_window(bench.reference, where.contig, start, end, bench.backbone)
    method = IntegratedGradients(lambda x: bench.backbone(x)[:, 0, inner:-inner].sum(-1))
    values = method.attribute(bases, torch.zeros_like(bases), n_steps=steps, internal_batch_size=1)
    return values.sum(1)[0, where.start - start : where.end - start].numpy()


def phenviz_mutagenesis(length: int, steps: int) -> np.ndarray:
    bench = open_bench()
    return mutagenesis(locus(length), bench.reference, bench.backbone)["effect"].values


def phenviz_prediction(length: int, steps: int) -> np.ndarray:
    bench = open_bench()
    return predict(locus(length), bench.reference, bench.backbone)["activity"].values


TASKS = {
    task.__name__: task
    for task in (phenviz_gradients, captum_gradients, phenviz_mutagenesis, phenviz_prediction)
}


def main() -> None:
    task = json.loads(sys.argv[1])
    run = TASKS[task["run"]]
    # loads the model, and everything that is loaded late
    run(2_048, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    result = run(task["length"], task.get("steps", 1))
    taken = time.perf_counter() - start
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if "save" in task:
        np.save(task["save"], result)
    print(json.dumps({"seconds": taken, "peak": peak}))


if __name__ == "__main__":
    main()
