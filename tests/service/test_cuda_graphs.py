"""CUDA graphs, played by a fake that records a function and replays it into the same memory."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from phenviz.genome import Locus
from phenviz.models.predict import predict
from phenviz.service import cuda_graphs
from phenviz.service.cuda_graphs import GraphedBackbone, graphed


class FakeCuda:
    """Streams that do nothing, and graphs that remember the call which was made while they recorded."""

    def __init__(self, monkeypatch) -> None:
        self.recorded = self.replayed = 0
        self.recording = self.refuse = False
        self.written: list[torch.Tensor] = []
        stream = SimpleNamespace(wait_stream=lambda other: None)
        for name, fake in {
            "Stream": lambda: stream,
            "current_stream": lambda: stream,
            "stream": lambda stream: contextlib.nullcontext(),
            "CUDAGraph": lambda: SimpleNamespace(again=None, replay=None),
            "graph": self.graph,
        }.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr(torch, "autocast", lambda *args, **how: contextlib.nullcontext())

    @contextlib.contextmanager
    def graph(self, graph):
        if self.refuse:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.recording, self.calls = True, []
        yield
        self.recording = False
        self.recorded += 1
        (run, read, written) = self.calls[0]

        def replay():
            self.replayed += 1
            written.copy_(run(read))

        graph.replay = replay


class Recorded:
    """The toy backbone, which tells the fake what was called."""

    def __init__(self, backbone, cuda) -> None:
        self.inner, self.cuda, self.runs = backbone, cuda, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def encode(self, one_hot):
        self.runs += 1
        written = self.inner.encode(one_hot)
        if self.cuda.recording:
            self.cuda.calls.append((self.inner.encode, one_hot, written))
        return written


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda(monkeypatch)


@pytest.fixture
def plain(toy_world, cuda):
    return Recorded(toy_world.backbone, cuda)


def windows(count, length=1_024, seed=0):
    codes = np.random.default_rng(seed).integers(0, 4, (count, length))
    return torch.eye(4)[torch.from_numpy(codes)].transpose(1, 2)[:, None].contiguous()


def test_replays_give_what_the_backbone_gives(toy_world, plain, cuda):
    backbone = GraphedBackbone(plain)
    with torch.inference_mode():
        found = [backbone(window) for window in windows(5)]
        # all are looked at in the end: a replay must not write over an earlier result
        for got, window in zip(found, windows(5), strict=True):
            torch.testing.assert_close(got, toy_world.backbone(window))
    assert (cuda.recorded, cuda.replayed) == (1, 5)
    # three to warm up, one recorded
    assert plain.runs == 4


def test_each_shape_is_recorded_once_and_many_shapes_run_as_they_are(plain, cuda):
    backbone = GraphedBackbone(plain)
    with torch.inference_mode():
        for _ in range(2):
            for length in range(1, 8):
                backbone.encode(windows(1, 128 * length)[0])
    assert cuda.recorded == cuda_graphs._MOST_GRAPHS and cuda.replayed == 2 * cuda_graphs._MOST_GRAPHS


def test_model_that_cannot_be_recorded_runs_as_it_is(toy_world, plain, cuda):
    cuda.refuse = True
    backbone = GraphedBackbone(plain)
    with torch.inference_mode():
        for window in windows(3):
            torch.testing.assert_close(backbone(window), toy_world.backbone(window))
    # tried once: three to warm up, then one run a window
    assert plain.runs == 6


def test_prediction_through_graphs_is_the_plain_one(toy_world, plain):
    locus = Locus("20", 5_003, 30_001)
    found = predict(locus, toy_world.reference, GraphedBackbone(plain), tile_bins=32)
    expected = predict(locus, toy_world.reference, toy_world.backbone, tile_bins=32)
    np.testing.assert_allclose(found.activity, expected.activity, rtol=1e-6)
    assert found.attrs == expected.attrs


def test_only_cuda_gets_graphs(toy_world):
    for name in ("cpu", "mps"):
        assert graphed(toy_world.backbone, torch.device(name)) is toy_world.backbone
    assert isinstance(graphed(toy_world.backbone, torch.device("cuda:0")), GraphedBackbone)
