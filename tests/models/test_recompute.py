"""Activations that are computed anew: the same gradients from less memory."""

from __future__ import annotations

import copy
import pickle
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from phenviz.attribution import Target, integrated_gradients
from phenviz.data.project_backbone import Averaging
from phenviz.errors import PhenvizError
from phenviz.genome import Locus
from phenviz.models.adapters import ADAPTERS, load_adapter
from phenviz.models.adapters.enformer import wrap_enformer
from phenviz.models.adapters.tracks import ModelTrack
from phenviz.models.averaged import AveragedBackbone
from phenviz.models.recompute import recompute_blocks
from phenviz.models.weights import hash_of_weights
from phenviz.world import open_world
from tests.models.test_adapters import one_hot
from tests.models.test_published_jobs import small
from tests.models.user_projects import LOCAL, write_project

WINDOW, WIDTH = 4_096, 24


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.fn = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.fn(x)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.MultiheadAttention(width, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class DeepEnformer(nn.Module):
    """The interface and the shape of enformer_pytorch.Enformer: towers of convolution blocks, transformer."""

    def __init__(self, tracks=4, depth=4):
        super().__init__()
        torch.manual_seed(0)

        def conv(width, size):
            return nn.Sequential(
                nn.BatchNorm1d(width), nn.GELU(), nn.Conv1d(width, WIDTH, size, padding=size // 2)
            )

        self.stem = nn.Sequential(
            nn.Conv1d(4, WIDTH, 15, padding=7), Residual(conv(WIDTH, 1)), nn.MaxPool1d(2)
        )
        self.tower = nn.Sequential(
            *(nn.Sequential(conv(WIDTH, 5), Residual(conv(WIDTH, 1)), nn.MaxPool1d(2)) for _ in range(6))
        )
        self.transformer = nn.Sequential(
            *(
                nn.Sequential(
                    Residual(nn.LayerNorm(WIDTH), Attention(WIDTH)),
                    Residual(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 48), nn.ReLU(), nn.Linear(48, WIDTH)),
                )
                for _ in range(depth)
            )
        )
        # the parts under a second name, as the package has them
        self.trunk = nn.Sequential(self.stem, self.tower)
        self.heads = nn.ModuleDict({"human": nn.Sequential(nn.Linear(WIDTH, tracks), nn.Softplus())})

    def set_target_length(self, target_length):
        pass

    def forward(self, x, return_only_embeddings=False):
        return self.transformer(self.trunk(x.transpose(1, 2)).transpose(1, 2))


@pytest.fixture
def both():
    """Return the same backbone twice: as it is, and with activations computed anew."""
    tracks = [ModelTrack(index, f"t{index}", "DNASE", "liver") for index in (0, 2)]
    models = [DeepEnformer(), DeepEnformer()]
    # of stem, tower, transformer, and the head, which the trunk does without
    assert recompute_blocks(models[1]) == 1 + 6 * 2 + 4 * 2 + 1
    return [wrap_enformer(model, tracks, window=WINDOW) for model in models]


@contextmanager
def counted_bytes(besides):
    """Count what is kept for a gradient beside weights, each storage once; needs no device and no clock."""
    known, kept, total = {tensor.untyped_storage()._cdata for tensor in besides}, {}, []

    def keep(tensor):
        # held, so that no other storage takes its place meanwhile
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield total
    total.append(sum(storage.nbytes() for storage in kept.values()))


def gradient(backbone, bases):
    leaf = bases.clone().requires_grad_()
    with counted_bytes(besides=[*backbone.parameters(), *backbone.buffers()]) as kept:
        score = backbone.activity(backbone.encode(leaf))[:, 0].log1p().sum()
    (found,) = torch.autograd.grad(score, leaf)
    return found, kept[0]


def test_gradients_are_the_same_to_the_last_bit_and_keep_a_third_of_the_memory(both):
    plain, anew = both
    for seed in range(3):
        expected, most = gradient(plain, one_hot(WINDOW, seed))
        found, kept = gradient(anew, one_hot(WINDOW, seed))
        assert float((found - expected).abs().max()) == 0 < float(expected.abs().max())
        assert kept < most / 3


def test_a_mean_of_many_passes_keeps_no_more_than_its_input(both):
    for backbone in both:
        bases = one_hot(WINDOW)
        expected, once = gradient(backbone, bases)
        shifts = tuple(range(-3, 4))
        averaged = AveragedBackbone(backbone, Averaging(strands=True, shifts=shifts))
        found, kept = gradient(averaged, bases)
        assert kept < once / 2 and found.shape == expected.shape


def test_integrated_gradients_are_those_of_the_plain_network(both, toy_world):
    found = [
        integrated_gradients(
            Locus("20", 6_000, 6_100), toy_world.reference, backbone, target=Target(context="t0"), n_steps=4
        ).attribution.values
        for backbone in both
    ]
    np.testing.assert_array_equal(*found)


def test_the_network_stays_itself_in_all_else(both):
    plain, anew = both
    assert list(anew.state_dict()) == list(plain.state_dict()) and hash_of_weights(anew) == plain.weights_hash
    bases = one_hot(WINDOW)
    with torch.inference_mode():
        torch.testing.assert_close(anew(bases), plain(bases), rtol=0, atol=0)
    expected, most = gradient(plain, bases)
    twin = copy.deepcopy(anew)
    with torch.no_grad():
        # a copy whose blocks still called those of the original would not see this
        anew.trunk.model.tower[0][0][2].weight.zero_()
    for copied in (twin, pickle.loads(pickle.dumps(twin))):
        found, kept = gradient(copied, bases)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        assert kept < most / 3
    # doing it again changes nothing
    forward = twin.trunk.model.tower[0][0].forward
    assert recompute_blocks(twin.trunk) == 22 and twin.trunk.model.tower[0][0].forward is forward


def test_in_training_mode_nothing_is_computed_twice(both):
    plain, anew = (backbone.train() for backbone in both)
    bases = one_hot(WINDOW)
    (expected, most), (found, kept) = gradient(plain, bases), gradient(anew, bases)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert kept == most
    statistics = [dict(backbone.named_buffers()) for backbone in (plain, anew)]
    torch.testing.assert_close(*statistics, rtol=0, atol=0)


BLOCKS = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.scale = nn.Conv1d(8, 8, 5, padding=2), nn.Conv1d(8, 8, 1)

    def forward(self, x, gain=1.0):
        return x + gain * self.scale(torch.tanh(self.conv(x)))


class Blocks(nn.Module):
    window, bin_size, receptive_field, contexts = 1_024, 32, 72, ("Ery", "Mono", "B")

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv1d(4, 8, 9, padding=4), nn.Conv1d(8, 3, 1)
        self.blocks = nn.ModuleList([Block() for _ in range(8)])

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, gain=0.5)
        return nn.functional.softplus(self.head(nn.functional.avg_pool1d(x, 32)))
"""


def test_a_class_computes_anew_when_it_is_asked_to(folder):
    (folder / "blocks.py").write_text(BLOCKS)
    plain, off, anew = (
        open_world(write_project(folder, f"{{class: blocks:Blocks{more}}}", "")).backbone
        for more in ("", ", checkpointing: false", ", checkpointing: true")
    )
    bases = one_hot(1_024)
    (expected, most), (found, kept) = gradient(plain, bases), gradient(anew, bases)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert kept < most / 1.5 and gradient(off, bases)[1] == most
    # the results are the same, and so is what they are stored under
    assert anew.weights_hash == plain.weights_hash and anew.config() == plain.config()


def test_a_class_that_has_no_blocks_is_refused(folder):
    project = write_project(folder, LOCAL.replace("}", ", checkpointing: true}"))
    with pytest.raises(PhenvizError, match=r"line 4: 'backbone'.*isn't made of several blocks"):
        _ = open_world(project).backbone


@pytest.mark.parametrize("kind", ADAPTERS)
def test_published_classes_give_the_same_gradients_from_less_memory(folder, monkeypatch, kind):
    small(kind, folder, monkeypatch)
    found = []
    for checkpointing in (False, None):
        backbone = load_adapter(kind, folder / "w.safetensors", ["blood"], checkpointing=checkpointing)
        found.append(gradient(backbone, one_hot(backbone.window)[:1]))
    (expected, most), (anew, kept) = found
    assert float((anew - expected).abs().max()) <= 1e-6 * float(expected.abs().max())
    assert kept < most / 2


def test_a_published_model_computes_anew_unless_told_not_to(monkeypatch, tmp_path):
    class Published(DeepEnformer):
        use_tf_gamma = True

        @classmethod
        def from_hparams(cls, **shape):
            return cls()

    monkeypatch.setitem(sys.modules, "enformer_pytorch", SimpleNamespace(Enformer=Published))
    monkeypatch.setattr(
        "phenviz.models.adapters.model_tracks", lambda kind: [ModelTrack(0, "a", "DNASE", "x")]
    )
    save_model(DeepEnformer(), tmp_path / "w.safetensors")
    kept = []
    for checkpointing in (False, None, True):
        backbone = load_adapter("enformer", tmp_path / "w.safetensors", ["x"], checkpointing=checkpointing)
        backbone.window = WINDOW
        kept.append(gradient(backbone, one_hot(WINDOW))[1])
    assert kept[1] == kept[2] < kept[0] / 3


# GB that a gradient of one window keeps, as docs/published_models.md says
PUBLISHED = {
    "enformer": (12.2, 3.5), "borzoi": (16.6, 5.1), "flashzoi": (16.7, 5.1), "alphagenome": (9.7, 2.7)
}  # fmt: skip


@pytest.mark.parametrize("kind", ADAPTERS)
def test_published_shapes_keep_what_the_manual_says(kind, tmp_path):
    adapter = ADAPTERS[kind]
    package = pytest.importorskip(adapter.package, reason=f"the extra phenviz[{kind}] isn't installed")
    shape, found = adapter.read_shape(tmp_path / "w.safetensors"), []
    for anew in (False, True):
        # tensors without memory
        with torch.device("meta"):
            model = adapter.make(getattr(package, adapter.name), shape).to("meta")
        if anew:
            recompute_blocks(model)
        track = ModelTrack(0, "a", "DNASE", "x", "dnase")
        backbone = adapter.wrap(model, [track], weights_hash="none").to("meta")
        bases = torch.zeros(1, 4, backbone.window, device="meta", requires_grad=True)
        with counted_bytes(besides=[*backbone.parameters(), *backbone.buffers()]) as kept:
            backbone(bases)
        found.append(kept[0] / 1e9)
    assert found == pytest.approx(PUBLISHED[kind], abs=0.06)
