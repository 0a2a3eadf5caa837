"""Opening a backbone finds, in a moment, what would give wrong results unnoticed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phenviz.errors import ModelError
from phenviz.models.contract import Trial
from phenviz.models.identity import model_identity
from phenviz.models.opening import check_opened
from phenviz.service.device import place
from tests.models.test_contract import Dropping, Good
from tests.toys import toy_backbone


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))


def test_a_good_backbone_opens_again_and_again():
    for _ in range(2):
        check_opened(Good())


def test_a_model_with_one_layer_in_training_mode_is_refused():
    model = Good()
    model.conv.train()
    with pytest.raises(ModelError, match=r"conv is in training mode: call \.eval"):
        check_opened(model)


def test_a_model_in_training_mode_is_placed_in_evaluation_mode_and_stays_as_it_is():
    model = Good()
    model.head.train()
    placed = place(model, torch.device("cpu"))
    assert not any(module.training for module in placed.modules()) and model.head.training
    assert place(placed, torch.device("cpu")) is placed


def test_numbers_that_change_from_call_to_call_are_refused():
    with pytest.raises(ModelError, match="a second call gives other numbers"):
        check_opened(Dropping())


@pytest.mark.parametrize(("said", "kept"), [(64, False), (10, False), (68, True), (500, True)])
def test_a_receptive_field_is_refused_if_it_is_understated(said, kept):
    model = Good()
    model.receptive_field = said
    # two bases at each end of a bin of 64 see beyond it
    if kept:
        check_opened(model)
    else:
        with pytest.raises(ModelError, match="further away than receptive_field"):
            check_opened(model)


def test_another_network_of_the_same_hash_is_refused():
    check_opened(Good())
    other = Good()
    with torch.no_grad():
        other.conv.weight.neg_()
    with pytest.raises(ModelError, match="other numbers than the network that had the same name"):
        check_opened(other)
    other.weights_hash = "def"
    check_opened(other)


def test_a_network_too_large_for_a_moment_is_not_run():
    class Large(Good):
        receptive_field, window = None, 2**21

        def encode(self, x):
            raise AssertionError("it ran")

    check_opened(Large())
    assert Trial(Large()).bins * 64 == 2**21


def test_what_breaks_where_it_is_used_is_said_there():
    class Failing(Good):
        def encode(self, x):
            raise ModelError("of the model's own")

    check_opened(Failing())


def test_networks_that_were_never_saved_are_told_apart_by_their_weights():
    one, other = toy_backbone(seed=1), toy_backbone(seed=2)
    assert isinstance(one, nn.Module)
    one.weights_hash = other.weights_hash = "unsaved"
    assert model_identity(one) != model_identity(other)
    assert model_identity(one) == model_identity(one)
