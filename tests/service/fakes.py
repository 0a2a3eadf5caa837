"""A world without a model, and a kind of job whose every batch the test can hold up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import xarray as xr

from phenviz.service import Chunk, Registry, Request

BATCHES = 10


def fake_world(weights_hash: str = "a" * 64, fingerprint: str = "f1"):
    backbone = SimpleNamespace(name="fake", weights_hash=weights_hash, bin_size=1)
    return SimpleNamespace(
        name="fake",
        backbone=backbone,
        readout=None,
        reference=SimpleNamespace(assembly="toy1", fingerprint=fingerprint),
    )


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
        self.kind = counting_request(name, self)

    @property
    def registry(self) -> Registry:
        return Registry({self.kind.kind: self.kind})

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


def counting_request(name: str, counting: Counting) -> type[Request]:
    @dataclass(frozen=True, slots=True, eq=False)
    class CountRequest(Request):
        kind = name
        seconds_per_unit = 0.001

        start: int
        stop: int
        memory: int = 0
        fail: str = ""

        @classmethod
        def of(cls, world, start=0, stop=1, memory=0, fail=""):
            return cls(start, stop, memory, fail)

        def chunks(self, world):
            return [
                Chunk({"number": n}, lambda backend, progress, n=n: counting._compute(n, progress), 1.0)
                for n in range(self.start, self.stop)
            ]

        def join(self, parts):
            return xr.concat(parts, dim="number")

        def peak_bytes(self, world):
            return self.memory

    return CountRequest


def numbers(dataset: xr.Dataset) -> list[int]:
    """Read back what a job counted."""
    assert (dataset["value"] == dataset["number"]).all()
    return dataset["number"].values.tolist()
