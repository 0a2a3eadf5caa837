"""The loop that trains a Phenformer: it learns, stops, and goes on to the same numbers."""

import json

import numpy as np
import pytest
import torch

from phenviz.errors import DataError, ModelError
from phenviz.models.phenformer_training import (
    LOG,
    Examples,
    TrainingOptions,
    logits_of,
    scaled,
    set_scales,
    train_phenformer,
)
from phenviz.progress import Progress
from phenviz.results.tokens import Tokens
from tests.phenformer_toys import fit_scale, toy_phenformer

GENES, FEATURES = 6, 11
COVARIATES = ("sex", "age")


def people(seed, count=120, *, pair=False, traits=2):
    rng = np.random.default_rng(seed)
    shape = (count, 2, GENES, FEATURES) if pair else (count, GENES, FEATURES)
    values = rng.normal(size=shape)
    sums = values.sum(axis=1) if pair else values
    labels = (sums[:, 1, -1] + 0.3 * rng.normal(size=count) > 0).astype(np.float32)
    labels = np.stack([labels, 1 - labels], axis=1)[:, :traits]
    labels[rng.random(labels.shape) < 0.1] = np.nan
    scale = rng.uniform(0.5, 1, (GENES, FEATURES)).astype(np.float32) * 1e-3
    tokens = Tokens(values.astype(np.float16), scale, np.ones((GENES, FEATURES), np.float32))
    covariates = rng.normal(50, 7, (count, 2)).astype(np.float32)
    covariates[::11, 1] = np.nan
    return Examples(tokens, labels, covariates)


def model(**options):
    phenformer = toy_phenformer(covariates=COVARIATES, **options)
    phenformer.linear_weights.zero_()
    return phenformer


def state(phenformer):
    return {name: tensor.clone() for name, tensor in phenformer.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def train(folder, phenformer, epochs=6, seed=0, progress=None, **options):
    asked = TrainingOptions(epochs=epochs, batch=32, learning_rate=5e-3, seed=seed, **options)
    extra = {} if progress is None else {"progress": progress}
    set_scales(phenformer, people(1))
    return train_phenformer(phenformer, people(1), people(2, 60), asked, folder, **extra)


class Stop(Exception):
    pass


def stopping_after(epochs):
    """A progress that raises in the middle of an epoch."""

    def on_change(stage, fraction):
        if stage == "training" and fraction > (epochs + 0.4) / 6:
            raise Stop

    return Progress(on_change=on_change)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(tmp_path, after):
    whole, stopped = model(), model()
    train(tmp_path / "whole", whole)
    with pytest.raises(Stop):
        train(tmp_path / "stopped", stopped, progress=stopping_after(after))
    again = model()
    train(tmp_path / "stopped", again)
    assert same(state(whole), state(again))
    logs = [
        [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]
        for lines in ((tmp_path / name / LOG).read_text().splitlines() for name in ("whole", "stopped"))
    ]
    assert logs[0] == logs[1] and [line["epoch"] for line in logs[0]] == [*range(7)]


def test_the_seed_decides(tmp_path):
    one, two, other = model(), model(), model()
    train(tmp_path / "one", one)
    train(tmp_path / "two", two)
    train(tmp_path / "other", other, seed=1)
    assert same(state(one), state(two)) and not same(state(one), state(other))


def test_training_leaves_the_random_numbers_of_others_alone(tmp_path):
    torch.manual_seed(4)
    wanted = torch.rand(3)
    torch.manual_seed(4)
    train(tmp_path, model_with_state())
    assert torch.equal(torch.rand(3), wanted)


def model_with_state():
    with torch.random.fork_rng():
        return model()


@pytest.mark.parametrize("haplotypes", ["sum", "pair"])
def test_it_learns_what_one_gene_does(tmp_path, haplotypes):
    pair = haplotypes == "pair"
    phenformer = model(haplotypes=haplotypes)
    options = TrainingOptions(epochs=40, batch=32, learning_rate=5e-3, patience=15)
    examples = people(1, 300, pair=pair)
    set_scales(phenformer, examples)
    train_phenformer(phenformer, examples, people(2, 100, pair=pair), options, tmp_path)
    new = people(3, 200, pair=pair)
    found = logits_of(phenformer, new.tokens, new.covariates)
    known = ~np.isnan(new.labels[:, 0])
    assert ((found[known, 0] > 0) == new.labels[known, 0]).mean() > 0.8
    areas = [
        json.loads(line)["validation_auroc"]["MCV"] for line in (tmp_path / LOG).read_text().splitlines()
    ]
    assert max(areas) > 0.85


def test_it_stops_when_validation_gets_no_better(tmp_path):
    phenformer = model()
    noise = people(2, 60)
    noise.labels[:] = np.random.default_rng(0).integers(0, 2, noise.labels.shape)
    options = TrainingOptions(epochs=200, batch=32, learning_rate=5e-3, patience=4)
    set_scales(phenformer, people(1))
    run = train_phenformer(phenformer, people(1), noise, options, tmp_path)
    assert run["epochs"] == run["best_epoch"] + 4 < 200
    losses = [json.loads(line)["validation_loss"] for line in (tmp_path / LOG).read_text().splitlines()]
    assert run["validation_loss"] == pytest.approx(min(losses), abs=1e-5)


def test_scaled_tokens_are_those_that_the_model_computes(tmp_path):
    for pair in (False, True):
        examples = people(1, pair=pair)
        phenformer = model(haplotypes="pair" if pair else "sum").double()
        set_scales(phenformer, examples)
        whole = examples.tokens.apart().astype(np.float64) + examples.tokens.reference
        wanted = (torch.from_numpy(whole) - phenformer.token_mean) / phenformer.token_scale
        wanted = wanted if pair else wanted.sum(1)
        found = scaled(phenformer, examples.tokens, slice(None)).double()
        torch.testing.assert_close(found, wanted, rtol=2e-3, atol=2e-3)
        assert float(wanted.std()) == pytest.approx(1 if pair else 2**0.5, rel=0.05)


def test_scales_are_those_that_whole_tokens_give(tmp_path):
    examples = people(1, pair=True)
    found, slow = model().double(), model().double()
    set_scales(found, examples)
    whole = examples.tokens.apart().astype(np.float64) + examples.tokens.reference
    fit_scale(slow, torch.from_numpy(whole))
    torch.testing.assert_close(found.token_mean, slow.token_mean, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found.token_scale, slow.token_scale, rtol=1e-4, atol=1e-9)


def test_a_covariate_that_is_missing_is_average():
    phenformer = model()
    examples = people(1)
    set_scales(phenformer, examples)
    average = np.tile(phenformer.covariate_mean.numpy(), (len(examples), 1)).astype(np.float32)
    missing = np.full_like(average, np.nan)
    for other in (missing, None):
        np.testing.assert_allclose(
            logits_of(phenformer, examples.tokens, average),
            logits_of(phenformer, examples.tokens, other),
            rtol=1e-5,
        )


def test_fine_tuning_the_head_leaves_the_rest(tmp_path):
    first = model()
    train(tmp_path / "first", first)
    first.weights_hash = "of another cohort"
    before = state(first)
    train(tmp_path / "second", first, learn="head", seed=9)
    changed = {name for name, tensor in state(first).items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    train(tmp_path, model())
    with pytest.raises(DataError, match=r"another training|other options"):
        train(tmp_path, model(), seed=3)


def test_labels_are_needed(tmp_path):
    empty = people(1)
    empty.labels[:] = np.nan
    with pytest.raises(DataError, match="no training person has a label"):
        train_phenformer(model(), empty, people(2), TrainingOptions(), tmp_path)


@pytest.mark.parametrize("option", [{"epochs": 0}, {"learning_rate": 0}, {"learn": "tail"}, {"patience": 0}])
def test_options_that_mean_nothing_are_refused(option):
    with pytest.raises(ModelError):
        TrainingOptions(**option)
