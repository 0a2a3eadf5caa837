"""Settings of PyTorch on this machine: what each makes of the speed, and of the numbers."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import MethodType

import torch
import torch.nn.functional as F

from benchmarks.measure import in_turns, paired_ratio, seconds
from benchmarks.report import Section
from benchmarks.world import START, open_bench
from phenviz.models.backbone import halo
from phenviz.models.local import LocalBackbone, Stage
from phenviz.models.parallel import over_tiles
from phenviz.models.windows import one_hot_window

SHIPPED = "as shipped: float32, one thread per tile"
TILE = 16_384
# the largest relative difference of activities at which a setting would be kept
TOLERANCE = 1e-4

Run = Callable[[], list[torch.Tensor]]


def run(repeats: int, quick: bool) -> Section:
    bench = open_bench()
    flank = halo(bench.backbone)
    tiles = [
        one_hot_window(bench.reference, "20", start - flank, start + TILE + flank, bench.backbone)
        for start in range(START // TILE * TILE, START + (4 if quick else 32) * TILE, TILE)
    ]
    contestants, failed = _contestants(bench.backbone, tiles)
    found: dict[str, list[torch.Tensor]] = {}

    def rate(name: str) -> Callable[[], float]:
        def timed() -> None:
            found[name] = contestants[name]()

        return lambda: len(tiles) * TILE / 1e6 / seconds(timed)

    series = in_turns({name: rate(name) for name in contestants}, repeats)
    rows = []
    for name, values in series.items():
        error = _error(found[name], found[SHIPPED])
        kept = "" if name == SHIPPED else ("yes" if error <= TOLERANCE else "no")
        ratio = "" if name == SHIPPED else paired_ratio(values, series[SHIPPED])
        rows.append([name, values.spread(), ratio, f"{error:.1e}", kept])
    rows += [[name, "-", "-", "-", why] for name, why in failed.items()]
    notes = [
        f"Activity of {len(tiles) * TILE / 1e6:.2f} Mb, without gradients; the difference is the largest "
        f"one, relative to 1 + activity, and tolerable up to {TOLERANCE:g}. On CUDA, predictions run under "
        "bfloat16 autocast (mutagenesis and attribution don't: their small differences would drown)."
    ]
    header = ["", "Mb per second: median (range)", "times as shipped", "difference", "within tolerance"]
    return Section("Settings on the CPU", header, rows, notes)


def _contestants(backbone: LocalBackbone, tiles: list[torch.Tensor]) -> tuple[dict[str, Run], dict[str, str]]:
    cpu = torch.device("cpu")

    def one_by_one(
        model: Callable[[torch.Tensor], torch.Tensor],
        setting: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> Run:
        def run() -> list[torch.Tensor]:
            with torch.inference_mode(), setting():
                return [model(tile).float() for tile in tiles]

        return run

    def side_by_side(
        model: Callable[[torch.Tensor], torch.Tensor],
        setting: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
        everywhere: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> Run:
        def forward(tile: torch.Tensor) -> torch.Tensor:
            # autocast and inference mode are each thread's own
            with torch.inference_mode(), setting():
                return model(tile).float()

        def run() -> list[torch.Tensor]:
            with everywhere():
                return list(over_tiles(tiles, forward, cpu))

        return run

    def bfloat16() -> AbstractContextManager[object]:
        return torch.autocast("cpu", dtype=torch.bfloat16)

    contestants = {
        SHIPPED: side_by_side(backbone),
        "all threads on each operation": one_by_one(backbone),
        "one thread": one_by_one(backbone, lambda: _threads(1)),
        "bfloat16 autocast": side_by_side(backbone, bfloat16),
        "conv1d instead of channels last": side_by_side(_without_channels_last(backbone)),
        "without oneDNN": side_by_side(backbone, everywhere=_without_onednn),
    }
    failed = {}
    try:
        compiled = side_by_side(torch.compile(copy.deepcopy(backbone)))
        # compiling isn't what is timed
        compiled()
        contestants["torch.compile"] = compiled
    except Exception as error:
        # it needs a C++ compiler, which a user's machine may not have
        failed["torch.compile"] = f"not available: {type(error).__name__}"
    return contestants, failed


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    with warnings.catch_warnings():
        # it speaks of Intel's GPUs
        warnings.filterwarnings("ignore", message="TF32 acceleration")
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def _without_channels_last(backbone: LocalBackbone) -> LocalBackbone:
    plain = copy.deepcopy(backbone)

    def convolve(stage: Stage, x: torch.Tensor) -> torch.Tensor:
        bias = torch.cat([stage.bias, stage.bias]) if stage.both_strands else stage.bias
        return F.conv1d(x, stage.kernels(), bias, padding=stage.padding, dilation=stage.dilation)

    for stage in plain.stages:
        stage.convolve = MethodType(convolve, stage)  # type: ignore[method-assign,assignment]
    return plain


def _error(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    return max(float(((a - b).abs() / (1 + b)).max()) for a, b in zip(found, expected, strict=True))
