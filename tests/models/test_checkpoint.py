"""Checkpoints: round trip, and refusal of files that don't belong together."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from phenviz.errors import ModelError
from phenviz.models.checkpoint import load_backbone, save_backbone, write_card
from tests.toys import toy_backbone


@pytest.fixture
def saved(tmp_path):
    return save_backbone(toy_backbone(), tmp_path / "toy.safetensors", card={"metrics": {"any": 0.5}})


def test_a_saved_backbone_comes_back_the_same(tmp_path):
    backbone = toy_backbone()
    path = save_backbone(backbone, tmp_path / "toy", dtype=torch.float32)
    again = load_backbone(path)
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert again.contexts == backbone.contexts
    assert again.weights_hash == backbone.weights_hash
    assert not again.training


def test_the_card_opens_the_model_too(saved):
    backbone = load_backbone(saved.with_suffix(".json"))
    assert backbone.card["metrics"] == {"any": 0.5}
    assert backbone.card["weights"]["sha256"] == backbone.weights_hash


def test_weights_with_another_hash_are_refused(saved):
    tensors = load_file(saved)
    tensors["head.bias"] += 1
    save_file(tensors, saved)
    with pytest.raises(ModelError, match=r"SHA-256.*fetch both"):
        load_backbone(saved)


def test_weights_of_another_shape_are_refused(saved):
    card = json.loads(saved.with_suffix(".json").read_text())
    card["architecture"]["stages"][0]["kernel"] = 9
    write_card(saved, card)
    with pytest.raises(ModelError, match=r"stages\.0\.weight.*\(8, 4, 7\).*\(8, 4, 9\)"):
        load_backbone(saved)


def test_a_missing_file_is_named(saved):
    with pytest.raises(ModelError, match=r"other\.json"):
        load_backbone(saved.with_name("other.safetensors"))
    saved.unlink()
    with pytest.raises(ModelError, match=r"toy\.safetensors"):
        load_backbone(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("{}", "lacks format"),
        ('{"format": "x", "architecture": 1, "weights": 1}', "format 'x'"),
    ],
)
def test_a_damaged_card_is_refused(saved, text, message):
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(ModelError, match=message):
        load_backbone(saved)
