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
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)


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
    assert not place(model, torch.device("cpu")).training and model.training
    model.eval()
    assert place(model, torch.device("cpu")) is model
    moved = place(model, torch.device("meta"))
    assert next(moved.parameters()).device.type == "meta" and not moved.training
    assert next(model.parameters()).device.type == "cpu"
    assert place("no module", torch.device("cpu")) == "no module"


def test_free_memory_is_that_of_the_device(two_gpus):
    assert free_bytes(torch.device("cuda:0")) == 7 * 10**9


def test_what_pytorch_keeps_for_reuse_is_free(monkeypatch, two_gpus):
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 900)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    assert free_bytes(torch.device("cuda:0")) == 7 * 10**9 + 700


@pytest.fixture(params=["v2", "v1"])
def cgroup(request, tmp_path, monkeypatch):
    """Play a container: returns what writes a file of its cgroup, by its name in version 2."""
    folders = {"v2": tmp_path / "v2", "v1": tmp_path / "v1"}
    folders[request.param].mkdir()
    played = [
        (str(folder), *names) for folder, (_, *names) in zip(folders.values(), devices._CGROUPS, strict=True)
    ]
    monkeypatch.setattr(devices, "_CGROUPS", played)
    in_v1 = {"memory.max": "memory.limit_in_bytes", "memory.current": "memory.usage_in_bytes"}

    def write(name, text):
        own = in_v1.get(name, name) if request.param == "v1" else name
        (folders[request.param] / own).write_text(text)

    return write


def test_free_memory_heeds_the_limit_of_the_container(cgroup):
    cgroup("memory.max", "3000\n")
    cgroup("memory.current", "1000\n")
    assert free_bytes(torch.device("cpu")) == 2000
    cgroup("memory.max", "max\n")
    assert free_bytes(torch.device("cpu")) > 2000


def test_files_that_the_kernel_keeps_in_memory_count_as_free(cgroup):
    cgroup("memory.max", "3000\n")
    cgroup("memory.current", "2900\n")
    # version 1 has both names: its inactive_file leaves out the cgroups within
    cgroup("memory.stat", "anon 100\ninactive_anon 7\ninactive_file 2500\ntotal_inactive_file 2500\n")
    assert free_bytes(torch.device("cpu")) == 2600
