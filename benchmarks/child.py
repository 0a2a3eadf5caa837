"""One task in a process of its own: prints seconds, and the peak of memory above the loaded model."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
import torch
from captum.attr import IntegratedGradients

from benchmarks.phenformer import (
    phenformer_forward,
    phenformer_forward_separate,
    phenformer_one_graph,
    phenformer_saliency,
    phenformer_saliency_separate,
)
from benchmarks.world import locus, open_bench
from phenviz.attribution import Target, integrated_gradients
from phenviz.genome import Locus, ReferenceGenome
from phenviz.models.backbone import halo
from phenviz.models.local import LocalBackbone
from phenviz.models.predict import bin_range, predict
from phenviz.models.windows import one_hot_window
from phenviz.service import ModelService, ResultStore


def phenviz_gradients(length: int, steps: int) -> np.ndarray:
    bench = open_bench()
    target = Target(context=bench.context)
    dataset = integrated_gradients(
        locus(length), bench.reference, bench.backbone, target=target, n_steps=steps
    )
    return dataset["attribution"].values


def captum_gradients(length: int, steps: int) -> np.ndarray:
    bench = open_bench()
    return whole_window(bench.reference, bench.backbone, locus(length), steps)


def whole_window(reference: ReferenceGenome, backbone: LocalBackbone, where: Locus, steps: int) -> np.ndarray:
    """Call Captum as it is: the whole window with its flanks, one step at a time."""
    size, flank = backbone.bin_size, halo(backbone)
    first, last = bin_range(where, size)
    start, end, inner = first * size - flank, last * size + flank, flank // size
    bases = one_hot_window(reference, where.contig, start, end, backbone)
    method = IntegratedGradients(lambda x: backbone(x)[:, 0, inner:-inner].sum(-1))
    values = method.attribute(bases, torch.zeros_like(bases), n_steps=steps, internal_batch_size=1)
    return values.sum(1)[0, where.start - start : where.end - start].numpy()


def service_gradients(length: int, steps: int) -> np.ndarray:
    target = Target(context=open_bench().context)
    return _end_of_job("attribution", "attribute", locus=locus(length), target=target, n_steps=steps)


def service_mutagenesis(length: int, steps: int) -> np.ndarray:
    return _end_of_job("effect", "mutagenesis", locus=locus(length))


def _end_of_job(variable: str, kind: str, **params: Any) -> np.ndarray:
    """Run a job on an empty store, and look at the end of its result."""
    with TemporaryDirectory(prefix="phenviz-bench-") as folder:
        store = ResultStore(folder, limit=10**12)
        with ModelService(
            open_bench().world, "cpu", store=store, costs=Path(folder, "times.json")
        ) as service:
            result = service.submit(kind, **params).result()
            return result[variable].isel(position=slice(-1_000, None)).values


def phenviz_prediction(length: int, steps: int) -> np.ndarray:
    bench = open_bench()
    return predict(locus(length), bench.reference, bench.backbone)["activity"].values


def phenviz_variants(length: int, steps: int) -> np.ndarray:
    """Score as many single-base variants as ``length`` says."""
    from benchmarks.variants import phenviz_scores, random_snvs

    return phenviz_scores(random_snvs(length))


TASKS: dict[str, Callable[[int, int], np.ndarray]] = {
    task.__name__: task
    for task in (
        *(phenviz_gradients, captum_gradients, phenviz_prediction, phenviz_variants),
        *(service_gradients, service_mutagenesis),
        *(phenformer_forward, phenformer_forward_separate, phenformer_one_graph),
        *(phenformer_saliency, phenformer_saliency_separate),
    )
}


def forget_peak() -> int:
    """Return the memory held now (bytes), and forget how much it was while loading, where Linux lets us."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return psutil.Process().memory_info().rss


def peak() -> int:
    """Return the most memory (bytes) held since `forget_peak`."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    task = json.loads(sys.argv[1])
    run = TASKS[task["run"]]
    # loads the model, and everything that is loaded late
    run(2_048, 2)
    before = forget_peak()
    start = time.perf_counter()
    result = run(task["length"], task.get("steps", 1))
    taken = time.perf_counter() - start
    most = peak() - before
    if "save" in task:
        np.save(task["save"], result)
    print(json.dumps({"seconds": taken, "peak": most}))


if __name__ == "__main__":
    main()
