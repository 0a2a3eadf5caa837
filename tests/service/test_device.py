"""Devices, precision, placement, memory; CUDA and MPS are played by fakes."""

import contextlib

import pytest
import torch

from phenviz.errors import ModelError
from phenviz.service import device as devices
from phenviz.service.device import (
    available_devices,
    free_bytes,
    pick_device,
    place,
    precision,
    precision_name,
)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7 * 10**9, 8 * 10**9))


def test_auto_takes_the_fastest_there_is(monkeypatch, two_gpus):
    assert pick_device("auto") == torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")


def test_devices_are_picked_by_name(two_gpus):
    assert [str(pick_device(name)) for name in ("cpu", "CPU", "cuda", "cuda:1")] == [
        "cpu",
        "cpu",
        "cuda:0",
        "cuda:1",
    ]
    assert available_devices()[:2] == ("cuda:0", "cuda:1")


@pytest.mark.parametrize("name", ["cuda:2", "mps", "tpu", ""])
def test_device_that_is_not_there_is_an_error_with_the_ones_that_are(two_gpus, name):
    with pytest.raises(ModelError, match=r"isn't available here: use auto or cuda:0, cuda:1"):
        pick_device(name)


def test_mixed_precision_is_for_cuda_only_and_part_of_the_result(monkeypatch):
    asked = []
    monkeypatch.setattr(
        torch, "autocast", lambda kind, dtype: asked.append((kind, dtype)) or contextlib.nullcontext()
    )
    for name in ("cpu", "mps"):
        with precision(torch.device(name), mixed=True):
            assert precision_name(torch.device(name), mixed=True) == "float32"
    with precision(torch.device("cuda:0"), mixed=False):
        assert asked == []
    with precision(torch.device("cuda:0"), mixed=True):
        assert asked == [("cuda", torch.bfloat16)]
    assert precision_name(torch.device("cuda:0"), mixed=True) == "bfloat16"


def test_model_is_copied_to_another_device_and_left_alone_on_its_own():
    model = torch.nn.Linear(2, 2)
    assert place(model, torch.device("cpu")) is model
    moved = place(model, torch.device("meta"))
    assert next(moved.parameters()).device.type == "meta" and not moved.training
    assert next(model.parameters()).device.type == "cpu"
    assert place("no module", torch.device("cpu")) == "no module"


def test_free_memory_is_that_of_the_device(two_gpus):
    assert free_bytes(torch.device("cuda:0")) == 7 * 10**9


def test_free_memory_heeds_the_limit_of_the_container(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("3000\n")
    (tmp_path / "current").write_text("1000\n")
    monkeypatch.setattr(devices, "_CGROUP_LIMITS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    assert free_bytes(torch.device("cpu")) == 2000
    (tmp_path / "max").write_text("max\n")
    assert free_bytes(torch.device("cpu")) > 2000
