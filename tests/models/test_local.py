"""The local backbone: shapes, receptive field, strands and exactness."""

from __future__ import annotations

import pytest
import torch

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.local import LocalBackbone, Stage
from tests.toys import tiny_config

CONTEXTS = tuple(Context(name, name, f"CL:{i}", "group", "#000000") for i, name in enumerate("XYZ"))


@pytest.fixture
def backbone() -> LocalBackbone:
    torch.manual_seed(1)
    return LocalBackbone.from_config(tiny_config(CONTEXTS)).double().eval()


def random_bases(length: int, batch: int = 2, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 4, (batch, 1, length), generator=generator)
    return torch.zeros(batch, 4, length, dtype=torch.float64).scatter_(1, codes, 1.0)


def test_backbone_keeps_the_protocol(backbone):
    assert isinstance(backbone, SequenceBackbone)
    x = random_bases(1024)
    embedding = backbone.encode(x)
    assert embedding.shape == (2, 8, 8)
    assert backbone(x).shape == (2, 3, 8)
    torch.testing.assert_close(backbone(x), backbone.activity(embedding))
    assert (backbone(x) >= 0).all()


def test_reverse_complement_flips_the_bins(backbone):
    x = random_bases(1024)
    torch.testing.assert_close(backbone(x.flip(1, 2)), backbone(x).flip(2), rtol=1e-10, atol=1e-12)


def test_single_precision_agrees_with_double(backbone):
    x = random_bases(1024)
    double = backbone(x)
    torch.testing.assert_close(backbone.float()(x.float()), double.float(), rtol=1e-4, atol=1e-5)


def test_receptive_field_is_what_the_gradient_reaches(backbone):
    length, bin_index = 2048, 7
    reach = torch.zeros(length, dtype=torch.bool)
    for seed in range(40):  # a maximum hides bases from a single gradient
        x = random_bases(length, batch=4, seed=seed).requires_grad_()
        backbone(x)[:, :, bin_index].sum().backward()
        reach |= (x.grad != 0).any(dim=(0, 1))
    first, last = torch.nonzero(reach).flatten()[[0, -1]].tolist()
    margin = (backbone.receptive_field - backbone.bin_size) // 2
    start, end = bin_index * 128 - margin, (bin_index + 1) * 128 + margin
    assert start <= first <= start + 40
    assert end - 41 <= last < end


def test_bases_outside_the_receptive_field_change_nothing(backbone):
    margin = (backbone.receptive_field - backbone.bin_size) // 2
    a, b = random_bases(2048, seed=1), random_bases(2048, seed=2)
    b[:, :, 896 - margin : 1024 + margin] = a[:, :, 896 - margin : 1024 + margin]
    torch.testing.assert_close(backbone(a)[:, :, 7], backbone(b)[:, :, 7], rtol=1e-12, atol=0)


def test_a_tile_with_halo_equals_the_whole(backbone):
    x = random_bases(4096)
    margin = halo(backbone)
    tile = backbone(x[:, :, 1024 - margin : 2048 + margin])
    bins = margin // 128
    torch.testing.assert_close(tile[:, :, bins:-bins], backbone(x)[:, :, 8:16], rtol=1e-10, atol=1e-12)


def test_config_describes_the_model(backbone):
    again = LocalBackbone.from_config(backbone.config()).double()
    again.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(again(random_bases(512)), backbone(random_bases(512)))
    assert again.contexts == CONTEXTS


def test_wrong_shapes_are_refused_in_words(backbone):
    with pytest.raises(ModelError, match="multiple of 128"):
        backbone(torch.zeros(1, 4, 1000))
    with pytest.raises(ModelError, match=r"\(batch, 4, length\)"):
        backbone(torch.zeros(1, 5, 1024))
    with pytest.raises(ModelError, match="odd"):
        Stage(4, 8, kernel=4)
    with pytest.raises(ModelError, match="pool 1"):
        Stage(4, 8, kernel=3, residual=True)
