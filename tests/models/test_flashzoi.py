"""Flashzoi: Borzoi with the attention of flash-attn, which PhenViz has in plain PyTorch."""

from __future__ import annotations

import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from phenviz.errors import ModelError
from phenviz.models.adapters import load_adapter
from phenviz.models.adapters.borzoi import CONFIG, make_borzoi, read_borzoi_config, wrap_borzoi
from phenviz.models.adapters.rotary_attention import RotaryAttention
from phenviz.models.adapters.tracks import ModelTrack
from tests.models.test_adapters import FakeBorzoi, one_hot

TRACKS = [ModelTrack(0, "a", "DNASE", "a"), ModelTrack(2, "b", "CAGE", "b")]


def attend(x, state, heads):
    """Attention with rotary positions as flash-attn documents it, number by number in float64."""
    wide = {name: values.double().numpy() for name, values in state.items()}
    both = x @ wide["mha.Wqkv.weight"].T + wide["mha.Wqkv.bias"]
    length, dim = x.shape
    width, pairs = dim // heads, heads // 2
    queries = both[:, :dim].reshape(length, heads, width).copy()
    keys, values = both[:, dim:].reshape(length, 2, pairs, width).transpose(1, 0, 2, 3).copy()
    for place in range(length):
        for vectors in (queries[place], keys[place]):
            for vector in vectors:
                for i in range(64):
                    angle = place / 20_000 ** (2 * i / 128)
                    first, second = vector[i], vector[64 + i]
                    vector[i] = first * math.cos(angle) - second * math.sin(angle)
                    vector[64 + i] = first * math.sin(angle) + second * math.cos(angle)
    found = np.zeros((length, heads, width))
    for head in range(heads):
        # two heads one after the other share keys and values
        logits = queries[:, head] @ keys[:, head // 2].T / math.sqrt(width)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        found[:, head] = weights / weights.sum(1, keepdims=True) @ values[:, head // 2]
    return found.reshape(length, dim) @ wide["mha.out_proj.weight"].T + wide["mha.out_proj.bias"]


@pytest.mark.parametrize(("dim", "heads", "length"), [(256, 2, 9), (640, 4, 7), (1_152, 6, 5)])
def test_attention_equals_that_of_flash_attn_number_by_number(dim, heads, length):
    torch.manual_seed(dim)
    attention = RotaryAttention(dim, heads)
    x = torch.randn(2, length, dim)
    slow = [attend(one.double().numpy(), attention.state_dict(), heads) for one in x]
    np.testing.assert_allclose(attention(x).detach(), slow, rtol=1e-4, atol=1e-5)


def test_attention_has_the_parameters_of_the_published_weights_and_gradients():
    attention = RotaryAttention(1_536, 8)
    shapes = {name: tuple(values.shape) for name, values in attention.state_dict().items()}
    # 192 channels a head: 8 of queries, 4 of keys and 4 of values
    assert shapes == {
        "mha.Wqkv.weight": (3_072, 1_536),
        "mha.Wqkv.bias": (3_072,),
        "mha.out_proj.weight": (1_536, 1_536),
        "mha.out_proj.bias": (1_536,),
    }
    small = RotaryAttention(256, 2).double()
    x = torch.randn(1, 3, 256, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: small(one).sum(), x, atol=1e-5)


@pytest.mark.parametrize(("dim", "heads"), [(384, 3), (256, 4), (250, 2)])
def test_heads_that_flashzoi_cannot_have_are_refused(dim, heads):
    with pytest.raises(ModelError, match=f"can't have {heads} heads for {dim} channels.*config.json"):
        RotaryAttention(dim, heads)


class _Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn


class FakeFlashzoi(FakeBorzoi):
    """The package's module, whose own attention of Flashzoi can't be made without flash-attn."""

    def __init__(self, dim, heads):
        super().__init__()
        block = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.Dropout(0.2))
        self.transformer = nn.Sequential(nn.Sequential(_Residual(block)))
        self.into = nn.Conv1d(6, dim, 1)
        self.final_joined_convs = nn.Conv1d(dim, 5, 1)

    @classmethod
    def from_hparams(cls, *, flashed, dim, heads, **_shape):
        if flashed:
            raise ImportError("no module named flash_attn")
        return cls(dim, heads)

    def get_embs_after_crop(self, x):
        x = self.into(self.conv(x)).transpose(1, 2)
        for block in self.transformer:
            x = x + block[0].fn(x)
        return self.crop(x).transpose(1, 2)


def test_flashzoi_is_loaded_without_flash_attn_and_its_attention_matters(monkeypatch, tmp_path):
    shape = {"dim": 256, "depth": 1, "heads": 2, "flashed": True}
    monkeypatch.setitem(sys.modules, "borzoi_pytorch", SimpleNamespace(Borzoi=FakeFlashzoi))
    monkeypatch.setattr("phenviz.models.adapters.model_tracks", lambda kind: TRACKS)
    torch.manual_seed(0)
    module = make_borzoi(FakeFlashzoi, CONFIG | shape).eval()
    save_model(module, tmp_path / "w.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(shape))
    backbone = load_adapter("flashzoi", tmp_path / "w.safetensors", ["DNASE"])
    assert (backbone.name, backbone.window, backbone.bin_size) == ("flashzoi", 524_288, 32)
    module.crop, backbone.window = nn.Identity(), 2_048
    x = one_hot(2_048)
    with torch.no_grad():
        embedding = module.final_joined_convs(module.get_embs_after_crop(x))
        torch.testing.assert_close(backbone(x), nn.functional.softplus(module.human_head(embedding))[:, [0]])
        module.transformer[0][0].fn[1].mha["out_proj"].weight.zero_()
        assert not torch.allclose(
            backbone.encode(x), module.final_joined_convs(module.get_embs_after_crop(x))
        )


def get_positional_embed(places, trained, features, device):
    """Stand in for the package's: one row for each distance."""
    distances = torch.arange(1 - places, places, device=device)[:, None]
    return torch.sin(distances / trained * torch.arange(1, features + 1, device=device)).float()


class CachingAttention(nn.Module):
    """As Borzoi's own: it makes its positions in the first call, and keeps them."""

    def __init__(self, dim):
        super().__init__()
        self.num_rel_pos_features, self.positions = 4, None
        self.to_rel_k = nn.Linear(4, dim)

    def forward(self, x):
        if self.positions is None:
            self.positions = get_positional_embed(x.shape[1] // 4, 4_096, 4, x.device)
        return x + torch.tanh(self.to_rel_k(self.positions)).mean(0)


def test_positions_of_borzoi_do_not_stay_as_the_first_call_left_them():
    module = FakeFlashzoi(256, 2)
    module.transformer[0][0].fn[1] = CachingAttention(256)
    backbone, x = wrap_borzoi(module, TRACKS, window=2_048), one_hot(2_048)
    with torch.inference_mode():
        first = backbone(x)
    # gradients after a prediction, with positions that need none
    found = x.clone().requires_grad_()
    backbone(found).sum().backward()
    assert found.grad is not None and float(found.grad.abs().max()) > 0
    torch.testing.assert_close(backbone(x), first.clone())
    # what is moved and converted takes them along, and the weights stay those of the file
    assert backbone.double()(x.double()).dtype == torch.float64
    assert not any("positions" in name for name in backbone.state_dict())
    assert module.transformer[0][0].fn[1].positions.shape == (2 * 2_048 // 128 - 1, 4)


@pytest.mark.parametrize(
    ("flashed", "named", "other"), [(True, "borzoi", "flashzoi"), (False, "flashzoi", "borzoi")]
)
def test_weights_of_the_other_of_the_two_are_refused(tmp_path, flashed, named, other):
    (tmp_path / "config.json").write_text(json.dumps({"flashed": flashed}))
    with pytest.raises(
        ModelError, match=f"the weights are those of {other}, not {named}: write 'kind: {other}'"
    ):
        read_borzoi_config(tmp_path / "w.safetensors", flashed=not flashed)
    assert read_borzoi_config(tmp_path / "w.safetensors", flashed=flashed)["flashed"] is flashed


def test_the_kind_says_the_shape_where_no_config_lies_beside_the_weights(tmp_path):
    assert read_borzoi_config(tmp_path / "w.safetensors", flashed=True) == CONFIG | {"flashed": True}
    (tmp_path / "config.json").write_text('{"enable_human_head": false}')
    with pytest.raises(ModelError, match="no human tracks"):
        read_borzoi_config(tmp_path / "w.safetensors")
