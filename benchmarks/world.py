"""The model and the sequence that everything is timed on, and words for the machine."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

import phenviz
from phenviz.genome import Locus, ReferenceGenome
from phenviz.models.local import LocalBackbone
from phenviz.world import World

START = 42_000_000
PACKAGES = ("phenviz", "torch", "captum", "tangermeme", "numpy", "xarray")


@dataclass(frozen=True)
class Bench:
    """The embedded world, its reference and its backbone."""

    world: World
    reference: ReferenceGenome
    backbone: LocalBackbone

    @property
    def context(self) -> str:
        """Name of the context that is explained."""
        return self.backbone.contexts[0].name


@cache
def open_bench() -> Bench:
    world = phenviz.open_world()
    # maps the sequence into memory, once and for all
    world.reference.codes("20")
    return Bench(world, world.reference, world.backbone)


def locus(length: int) -> Locus:
    start = START if START + length <= 62_000_000 else 100_000
    return Locus("20", start, start + length)


def describe() -> list[str]:
    """Say what the numbers were measured with, in general words."""
    memory = psutil.virtual_memory().total / 2**30
    backbone = open_bench().backbone
    weights = sum(parameter.numel() for parameter in backbone.parameters())
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return [
        f"Machine: {_processor()}, {psutil.cpu_count(logical=True)} logical cores, {memory:.0f} GB memory, "
        f"GPU: {device}; {platform.system()}, Python {sys.version.split()[0]}, "
        f"{torch.get_num_threads()} threads.",
        f"Model: {backbone.name} ({weights:,} weights, receptive field {backbone.receptive_field:,} bp, "
        f"{len(backbone.contexts)} contexts); sequence: GRCh37 chromosome 20.",
        "Versions: " + ", ".join(f"{name} {version(name)}" for name in PACKAGES) + ".",
    ]


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
