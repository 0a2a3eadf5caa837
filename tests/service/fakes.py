"""A world without a model, and a kind of job whose every batch the test can hold up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import xarray as xr

from phenviz.service import Chunk, Kind, Registry

BATCHES = 10


def fake_world(weights_hash: str = "a" * 64, fingerprint: str = "f1"):
    backbone = SimpleNamespace(name="fake", weights_hash=weights_hash, bin_size=1)
    return SimpleNamespace(
        name="fake",
        backbone=backbone,
        readout=None,
        reference=SimpleNamespace(assembly="toy1", fingerprint=fingerprint),
    )


@dataclass(frozen=True)
class CountParams:
    start: int
    stop: int
    memory: int = 0
    fail: str = ""


class Counting:
    """A kind of job that counts from start to stop, one chunk per number.

    Each chunk runs in `BATCHES` batches. ``gate`` can be cleared to hold all of them up; ``batches`` says how
    many were begun, and ``computed`` which numbers were.
    """

    def __init__(self, name: str = "count") -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.batches = 0
        self.computed: list[int] = []
        self.errors: dict[int, BaseException] = {}
        self.kind = Kind(
            name,
            lambda world, start=0, stop=1, memory=0, fail="": CountParams(start, stop, memory, fail),
            self._chunks,
            lambda params, parts: xr.concat(parts, dim="number"),
            seconds_per_unit=0.001,
            memory=lambda world, params: params.memory,
        )

    @property
    def registry(self) -> Registry:
        return Registry({self.kind.name: self.kind})

    def _chunks(self, world, params):
        return [
            Chunk({"number": number}, lambda backend, progress, n=number: self._compute(n, progress), 1.0)
            for number in range(params.start, params.stop)
        ]

    def _compute(self, number, progress):
        progress.stage("counting", BATCHES)
        for _ in range(BATCHES):
            self.batches += 1
            self.begun.set()
            assert self.gate.wait(60)
            if number in self.errors:
                raise self.errors[number]
            progress.advance()
        self.computed.append(number)
        values = np.full(1000, number, dtype=np.float64)
        return xr.Dataset({"value": (("number", "copy"), values[None])}, coords={"number": [number]})


def numbers(dataset: xr.Dataset) -> list[int]:
    """Read back what a job counted."""
    assert (dataset["value"] == dataset["number"]).all()
    return dataset["number"].values.tolist()
