"""The mean over both strands and over shifts, against the slow obvious loop."""

from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from phenviz.data.project_backbone import Averaging
from phenviz.errors import DataError, ModelError, TargetError
from phenviz.genome import one_hot
from phenviz.genome.contexts import Context
from phenviz.models.adapters import load_adapter
from phenviz.models.adapters.tracks import ModelTrack, model_tracks, with_partners
from phenviz.models.averaged import AveragedBackbone
from phenviz.models.compute_cost import relative_cost
from phenviz.models.contract import check_backbone
from phenviz.models.identity import model_identity
from phenviz.models.torch_module import TorchModuleBackbone
from tests.models.test_adapters import FakeBorzoi

PAIRS = (1, 0, 2)
AVERAGES = [
    Averaging(strands=True),
    Averaging(shifts=(-3, -2, -1, 0, 1, 2, 3)),
    Averaging(strands=True, shifts=(-7, 0, 2)),
]


class Stranded(nn.Module):
    """Reads a strand: no channel of it is the same forwards and backwards."""

    def __init__(self, seed=0, sees_all=False):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.head = nn.Conv1d(4, 6, 11, padding=5), nn.Conv1d(6, 3, 1)
        self.sees_all = sees_all

    def forward(self, x):
        x = nn.functional.max_pool1d(torch.tanh(3 * self.conv(x)), 32)
        if self.sees_all:
            # no place is like another, as with attention
            x = x * torch.linspace(0.5, 1.5, x.shape[2]).to(x) + x.mean(2, keepdim=True)
        return nn.functional.softplus(self.head(x))


def stranded(seed=0, sees_all=False):
    names = [Context(name, name, "", "g", "#000000") for name in ("plus", "minus", "none")]
    how = {"window": 512, "bin_size": 32, "receptive_field": None if sees_all else 42, "name": "net"}
    return TorchModuleBackbone(Stranded(seed, sees_all), names, **how)


def random_codes(generator, count=2, bases=512):
    # some N among them
    return generator.choice(5, (count, bases), p=[0.24, 0.24, 0.24, 0.24, 0.04]).astype(np.uint8)


def reversed_codes(codes):
    return np.array([[4 if code == 4 else 3 - code for code in row[::-1]] for row in codes], dtype=np.uint8)


def slow_mean(predict, codes, average, pairs):
    """Return the mean of what ``predict`` makes of codes, one base, one bin and one track at a time."""
    passes = []
    for shift in average.shifts:
        for reverse in (False, True)[: 1 + average.strands]:
            read = reversed_codes(codes) if reverse else codes
            bases = read.shape[1]
            moved = np.full_like(read, 4)
            for place in range(bases):
                if 0 <= place - shift < bases:
                    moved[:, place] = read[:, place - shift]
            found = predict(moved)
            if reverse:
                bins = found.shape[2]
                found = np.stack(
                    [
                        np.stack([found[:, pair, bins - 1 - place] for place in range(bins)], axis=-1)
                        for pair in pairs
                    ],
                    axis=1,
                )
            passes.append(found)
    return sum(passes) / len(passes)


def predicting(backbone):
    def predict(codes):
        with torch.inference_mode():
            return backbone(torch.from_numpy(one_hot(codes))).numpy()

    return predict


@pytest.mark.parametrize("sees_all", [False, True])
@pytest.mark.parametrize("average", AVERAGES, ids=str)
def test_the_mean_is_that_of_the_plain_loop(average, sees_all):
    for seed in range(3):
        plain, codes = stranded(seed, sees_all), random_codes(np.random.default_rng(seed))
        averaged = AveragedBackbone(plain, average, partners=PAIRS)
        expected = slow_mean(predicting(plain), codes, average, PAIRS)
        np.testing.assert_allclose(predicting(averaged)(codes), expected, rtol=1e-5)
        assert np.abs(expected - predicting(plain)(codes)).max() > 1e-3


@pytest.mark.parametrize("sees_all", [False, True])
@pytest.mark.parametrize("average", [one for one in AVERAGES if one.strands], ids=str)
def test_the_reverse_complement_is_predicted_as_the_mirror_image_with_strands_swapped(average, sees_all):
    for seed in range(3):
        codes = random_codes(np.random.default_rng(seed))
        predict = predicting(AveragedBackbone(stranded(seed, sees_all), average, partners=PAIRS))
        there, back = predict(codes), predict(reversed_codes(codes))
        np.testing.assert_allclose(back, there[:, PAIRS, ::-1], rtol=1e-5)


@pytest.mark.parametrize("average", AVERAGES, ids=str)
def test_a_gradient_is_that_of_the_mean(average):
    plain = stranded(1, sees_all=True).double()
    averaged = AveragedBackbone(plain, average, partners=PAIRS)
    bases = torch.from_numpy(one_hot(random_codes(np.random.default_rng(5)))).double().requires_grad_()
    weight = torch.linspace(-1, 2, 16).double()
    (found,) = torch.autograd.grad((averaged(bases)[:, 0] * weight).sum(), bases)
    parts = []
    for shift, reverse in itertools.product(average.shifts, (False, True)[: 1 + average.strands]):
        moved = torch.zeros_like(bases)
        read = bases[:, [3, 2, 1, 0]][:, :, list(range(511, -1, -1))] if reverse else bases
        for place in range(max(shift, 0), 512 + min(shift, 0)):
            moved[:, :, place] = read[:, :, place - shift]
        activity = plain(moved)[:, 1 if reverse else 0]
        parts.append((activity * (weight.flip(0) if reverse else weight)).sum())
    (expected,) = torch.autograd.grad(sum(parts) / len(parts), bases)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert expected.abs().max() > 0


@pytest.mark.parametrize("sees_all", [False, True])
@pytest.mark.parametrize("average", AVERAGES, ids=str)
def test_an_averaged_backbone_keeps_the_contract(average, sees_all):
    findings = check_backbone(AveragedBackbone(stranded(0, sees_all), average, partners=PAIRS))
    assert {one.clause: one.problem for one in findings if one.problem} == {}


def test_a_bin_sees_as_much_more_as_the_largest_shift_on_both_sides():
    assert AveragedBackbone(stranded(), Averaging(shifts=(-7, 2))).receptive_field == 42 + 2 * 7
    assert AveragedBackbone(stranded(sees_all=True), AVERAGES[2]).receptive_field is None
    with pytest.raises(ModelError, match="net has bins of 32 bp, and a shift by 32 bp would average each"):
        AveragedBackbone(stranded(), Averaging(shifts=(-32, 0)))


def test_models_that_average_differently_never_share_what_is_stored():
    plain = stranded()
    made = [plain, *(AveragedBackbone(plain, average, partners=PAIRS) for average in AVERAGES)]
    made += [AveragedBackbone(plain, AVERAGES[0]), AveragedBackbone(stranded(1), AVERAGES[0])]
    made.append(AveragedBackbone(plain, AVERAGES[0], channels=[0, 2], partners=[1, 2]))
    for known_by in (model_identity, lambda one: one.weights_hash):
        assert len({known_by(one) for one in made}) == len(made)
    again = AveragedBackbone(plain, AVERAGES[2], partners=PAIRS)
    assert model_identity(again) == model_identity(made[3])
    assert again.name == "net (both strands, 3 shifts)"
    assert AveragedBackbone(plain, Averaging(shifts=(2,))).name == "net (shifted)"


def test_an_averaged_backbone_costs_its_network_once_for_each_pass():
    from phenviz import open_world

    for average, passes in zip(AVERAGES, (2, 7, 6), strict=True):
        assert average.passes == passes
        for plain in (stranded(), open_world().backbone):
            assert relative_cost(AveragedBackbone(plain, average)) == passes * relative_cost(plain)


BORZOI = """\tidentifier\tstrand_pair\tdescription
0\tCNhs1+\t1\tCAGE:liver
1\tCNhs1-\t0\tCAGE:liver
2\tENCFF1\t2\tDNASE:liver
3\tENCFF2-\t4\tRNA:blood
4\tENCFF2+\t3\tRNA:blood
"""


@pytest.mark.parametrize(
    ("wanted", "rows", "partners"),
    [
        (["CNhs1+"], [0], [1]),
        (["RNA", "DNASE"], [2, 3, 4], [2, 4, 3]),
        (["ENCFF2+", "CNhs1-"], [1, 4], [0, 3]),
    ],
)
def test_borzois_tracks_are_swapped_by_its_table_also_where_one_strand_is_chosen(
    tmp_path, monkeypatch, wanted, rows, partners
):
    class Published(FakeBorzoi):
        @classmethod
        def from_hparams(cls, **shape):
            return cls(tracks=5)

    (tmp_path / "targets.txt").write_text(BORZOI)
    every = model_tracks("borzoi", tmp_path / "targets.txt")
    monkeypatch.setitem(sys.modules, "borzoi_pytorch", SimpleNamespace(Borzoi=Published))
    monkeypatch.setattr("phenviz.models.adapters.model_tracks", lambda kind: every)
    save_model(FakeBorzoi(tracks=5), tmp_path / "w.safetensors")
    average = Averaging(strands=True, shifts=(-1, 0, 3))
    found = load_adapter("borzoi", tmp_path / "w.safetensors", wanted, average=average)
    whole = load_adapter("borzoi", tmp_path / "w.safetensors", [track.identifier for track in every])
    assert [context.name for context in found.contexts] == [every[row].identifier for row in rows]
    whole.window = found.backbone.window = 2_048
    codes, net = random_codes(np.random.default_rng(2), bases=2_048), predicting(whole)
    expected = slow_mean(net, codes, average, [1, 0, 2, 4, 3])[:, rows]
    np.testing.assert_allclose(predicting(found)(codes), expected, rtol=1e-5)
    assert found._swapped.tolist() == [found.backbone.contexts.index(whole.contexts[one]) for one in partners]


@pytest.mark.parametrize("pair", ["9", "", "2", "x"])
def test_a_table_whose_strands_make_no_pairs_is_refused(tmp_path, pair):
    (tmp_path / "targets.txt").write_text(BORZOI.replace("CNhs1+\t1", f"CNhs1+\t{pair}"))
    with pytest.raises(DataError, match=r"targets.txt: CNhs1. has the strand_pair .*fetch it again"):
        model_tracks("borzoi", tmp_path / "targets.txt")


@pytest.mark.packs
def test_published_tables_pair_all_strands():
    from phenviz.data.packs import has_pack

    if not has_pack("tracks-borzoi") or not has_pack("tracks-enformer"):
        pytest.skip("the data packs tracks-borzoi and tracks-enformer aren't here")
    tracks = model_tracks("borzoi")
    named = {track.identifier: track for track in tracks if track.partner}
    assert len(named) == 2_452 and {track.assay for track in named.values()} == {"CAGE", "RNA"}
    for track in named.values():
        assert (
            track.partner[:-1] == track.identifier[:-1] and named[track.partner].partner == track.identifier
        )
    assert not any(track.partner for track in model_tracks("enformer"))


def test_a_track_whose_other_strand_is_unknown_is_refused_for_both_strands():
    lone = ModelTrack(0, "RNA_0", "RNA", "liver, + strand", partner=None)
    with pytest.raises(
        TargetError, match=r"RNA_0 \(liver, \+ strand\) is of one strand.*leave 'strands' out"
    ):
        with_partners([lone], [lone])
