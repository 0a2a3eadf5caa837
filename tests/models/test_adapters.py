from __future__ import annotations

import hashlib
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from phenviz.attribution import Target, saliency
from phenviz.attribution.trait import trait_saliency
from phenviz.errors import DataError, ModelError, ProjectError, TargetError
from phenviz.genome import Locus
from phenviz.models import SequenceBackbone
from phenviz.models.adapters import load_adapter
from phenviz.models.adapters.borzoi import wrap_borzoi
from phenviz.models.adapters.enformer import CONFIG, wrap_enformer
from phenviz.models.adapters.enformer import read_enformer_config as enformer_config
from phenviz.models.adapters.tracks import ModelTrack, model_tracks, select_tracks
from phenviz.models.adapters.trunk import fill, read_config, rows_of
from phenviz.models.identity import model_identity
from phenviz.models.predict import predict
from phenviz.results import base_starts
from phenviz.world import open_world
from tests.attribution.oracles import relative_error
from tests.phenformer_toys import SITES, Slow, toy_phenformer
from tests.toys import CONTIGS

TABLE = """\tidentifier\tdescription
0\tENCFF1\tDNASE:CD14-positive monocyte female
1\tCNhs1+\tCAGE:CD14+ Monocytes, donor 1
2\tENCFF2\tATAC:erythroblast
3\tENCFF3\tCHIP:H3K27ac:K562
"""
BINS, WINDOW = 16, 2_048


class FakeEnformer(nn.Module):
    """The interface of enformer_pytorch.Enformer: channels last, cropped, heads of linear and softplus."""

    use_tf_gamma = True

    def __init__(self, tracks=4, target_length=8):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.mix = nn.Conv1d(4, 6, 128, stride=128), nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)
        self.heads = nn.ModuleDict({"human": nn.Sequential(nn.Linear(6, tracks), nn.Softplus())})
        self.target_length = target_length

    def set_target_length(self, target_length):
        self.target_length = target_length

    def forward(self, x, return_only_embeddings=False):
        x = self.norm(self.conv(x.transpose(1, 2))).transpose(1, 2)
        x = torch.tanh(x + self.mix(x.mean(1, keepdim=True)))
        if self.target_length > 0:
            trim = (x.shape[1] - self.target_length) // 2
            x = x[:, trim : trim + self.target_length]
        return x if return_only_embeddings else {key: head(x) for key, head in self.heads.items()}


class FakeBorzoi(nn.Module):
    """The interface of borzoi_pytorch.Borzoi: channels first, cropped, a convolution as head."""

    def __init__(self, tracks=4):
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.final_joined_convs = nn.Conv1d(4, 6, 32, stride=32), nn.Conv1d(6, 5, 1)
        self.human_head = nn.Conv1d(5, tracks, 1)
        self.crop = nn.AvgPool1d(2)

    def get_embs_after_crop(self, x):
        x = self.conv(x)
        x = torch.tanh(x + x.mean(-1, keepdim=True))
        return self.crop(x.transpose(1, 2)).transpose(1, 2)


@pytest.fixture
def tracks(tmp_path):
    (tmp_path / "targets.txt").write_text(TABLE)
    return model_tracks("enformer", tmp_path / "targets.txt")


@pytest.fixture
def enformer(tracks):
    return wrap_enformer(FakeEnformer(), select_tracks(tracks), window=WINDOW)


@pytest.fixture
def borzoi(tracks):
    return wrap_borzoi(FakeBorzoi(), select_tracks(tracks, ["CAGE", "erythro"]), window=WINDOW)


def one_hot(length=WINDOW, seed=0):
    codes = np.random.default_rng(seed).integers(0, 4, (2, length))
    return torch.from_numpy(np.eye(4, dtype=np.float32)[codes]).transpose(1, 2)


def test_track_table_gives_assay_and_words(tracks):
    assert tracks[3] == ModelTrack(3, "ENCFF3", "CHIP", "H3K27ac:K562")
    context = tracks[1].as_context()
    assert (context.name, context.label, context.group) == ("CNhs1+", "CD14+ Monocytes, donor 1", "CAGE")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, [0, 2]),
        (["cage"], [1]),
        (["ENCFF3", "dnase"], [0, 3]),
        (["cd14"], [0, 1]),
        (["monocyte", "ATAC"], [0, 1, 2]),
    ],
)
def test_tracks_are_chosen_by_assay_identifier_or_words_in_the_models_order(tracks, wanted, found):
    assert [track.index for track in select_tracks(tracks, wanted)] == found


def test_unknown_tracks_and_tables_are_refused(tracks, tmp_path):
    with pytest.raises(TargetError, match="no track 'liver' among 4"):
        select_tracks(tracks, ["liver"])
    with pytest.raises(TargetError, match="no track was chosen"):
        select_tracks(tracks, [])
    with pytest.raises(TargetError, match="no track ' '"):
        select_tracks(tracks, [" "])
    (tmp_path / "bad.txt").write_text("identifier\nA\n")
    with pytest.raises(DataError, match="lacks the columns description"):
        model_tracks("enformer", tmp_path / "bad.txt")
    with pytest.raises(ModelError, match="names one with the number 9"):
        rows_of(nn.Linear(3, 4), [0, 9])


@pytest.mark.packs
@pytest.mark.parametrize(("kind", "count", "open_tracks"), [("enformer", 5_313, 684), ("borzoi", 7_611, 906)])
def test_published_tables_have_the_published_tracks(kind, count, open_tracks):
    from phenviz.data.packs import has_pack

    if not has_pack(f"tracks-{kind}"):
        pytest.skip(f"data pack tracks-{kind} isn't here")
    tracks = model_tracks(kind)
    assert len(tracks) == len({track.identifier for track in tracks}) == count
    assert len(select_tracks(tracks)) == open_tracks


def test_enformer_predicts_what_its_module_predicts_for_the_chosen_tracks_uncropped(enformer):
    assert isinstance(enformer, SequenceBackbone)
    x, module = one_hot(), FakeEnformer(target_length=-1).eval()
    with torch.no_grad():
        expected = module(x.transpose(1, 2))["human"].transpose(1, 2)[:, [0, 2]]
        torch.testing.assert_close(enformer(x), expected)
        torch.testing.assert_close(enformer.activity(enformer.encode(x)), expected)
    assert [context.name for context in enformer.contexts] == ["ENCFF1", "ENCFF2"]
    assert not enformer.training


def test_borzoi_predicts_what_its_module_predicts_for_the_chosen_tracks_uncropped(borzoi):
    assert isinstance(borzoi, SequenceBackbone)
    x, module = one_hot(), FakeBorzoi().eval()
    module.crop = nn.Identity()
    with torch.no_grad():
        embedding = module.final_joined_convs(module.get_embs_after_crop(x))
        expected = nn.functional.softplus(module.human_head(embedding))[:, [1, 2]]
        torch.testing.assert_close(borzoi(x), expected)
    assert borzoi(x).shape == (2, 2, WINDOW // 32)


def test_input_or_trunk_of_another_size_is_refused(enformer):
    with pytest.raises(ModelError, match=r"it takes \(batch, 4, 2,048\)"):
        enformer.encode(one_hot(1_024))
    enformer.trunk.model.set_target_length(4)
    with pytest.raises(ModelError, match="4 bins for a window of 16: it must not crop"):
        enformer.encode(one_hot())


@pytest.mark.parametrize("model", ["enformer", "borzoi"])
def test_every_room_takes_an_adapted_model(toy_world, request, model):
    backbone, locus = request.getfixturevalue(model), Locus("20", 5_000, 9_000)
    found = predict(locus, toy_world.reference, backbone)
    assert found.activity.shape == (2, -(-9_000 // backbone.bin_size) - 5_000 // backbone.bin_size)
    assert found.attrs["units"] == "predicted coverage"
    target = Target(context=backbone.contexts[1].name)
    assert np.isfinite(saliency(locus, toy_world.reference, backbone, target=target).attribution).all()


@pytest.mark.parametrize("model", ["enformer", "borzoi"])
def test_trait_is_explained_through_an_adapted_model(toy_world, request, model):
    backbone = request.getfixturevalue(model)
    channels, names = backbone.encode(one_hot()).shape[1], [context.name for context in backbone.contexts]
    phenformer = toy_phenformer(
        expression_from="activity", window=WINDOW, channels=channels, expression=names, genes=SITES[:3]
    )
    found = trait_saliency(toy_world.reference, backbone, phenformer, trait="MCV")
    whole = np.zeros(CONTIGS["20"])
    whole[base_starts(found)] = found.attribution
    (expected,) = Slow(phenformer, toy_world.reference, backbone, None).attribution(0)
    assert relative_error(whole, expected[: len(whole)]) <= 1e-4


def test_weights_are_read_with_their_hash_and_never_unpickled(tmp_path):
    model, path = FakeEnformer(), tmp_path / "w.safetensors"
    # as the package has it: each tensor under two names
    model.again = model.conv
    save_model(model, path)
    other = FakeEnformer()
    other.again = other.conv
    with torch.no_grad():
        other.conv.weight.zero_()
    assert fill(other, path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(other.conv.weight, model.conv.weight)
    with pytest.raises(ModelError, match="don't fit the model"):
        fill(FakeBorzoi(), path)
    torch.save(model.state_dict(), tmp_path / "w.bin")
    with pytest.raises(ModelError, match="no safetensors file"):
        fill(other, tmp_path / "w.bin")
    with pytest.raises(ModelError, match="can't be read"):
        fill(other, tmp_path / "missing.safetensors")


def test_config_beside_the_weights_changes_the_published_shape(tmp_path):
    weights = tmp_path / "w.safetensors"
    assert read_config(weights, {"dim": 1536}) == {"dim": 1536}
    (tmp_path / "config.json").write_text(json.dumps({"dim": 96, "model_type": "enformer"}))
    assert read_config(weights, {"dim": 1536, "heads": 8}) == {"dim": 96, "heads": 8}
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="no JSON"):
        read_config(weights, {})
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ModelError, match="holds a list"):
        read_config(weights, {})


@pytest.mark.parametrize("key", ["use_convnext", "hedas", "window"])
def test_a_key_that_would_be_dropped_from_a_config_is_refused(tmp_path, key):
    (tmp_path / "config.json").write_text(json.dumps({"dim": 96, key: 3, "architectures": ["Enformer"]}))
    with pytest.raises(ModelError, match=f"config.json has the unknown key '{key}'.*known are dim, heads"):
        read_config(tmp_path / "w.safetensors", {"dim": 1536, "heads": 8})


# as the published config.json has it: nothing of the positional basis
PUBLISHED = {key: value for key, value in CONFIG.items() if key != "use_tf_gamma"}


@pytest.mark.parametrize(
    ("config", "gamma"),
    [
        (None, True),
        (PUBLISHED | {"target_length": 896, "model_type": "enformer", "dropout_rate": 0.4}, True),
        (PUBLISHED | {"output_heads": {"human": 7}}, True),
        (PUBLISHED | {"use_tf_gamma": False}, False),
        ({"dim": 96}, False),
        ({"dim": 96, "use_tf_gamma": True}, True),
    ],
)
def test_published_enformer_has_the_positional_basis_it_was_trained_with(tmp_path, config, gamma):
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    assert enformer_config(tmp_path / "w.safetensors")["use_tf_gamma"] is gamma


def test_positional_basis_for_other_bins_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"num_downsamples": 6, "use_tf_gamma": True}))
    with pytest.raises(ModelError, match="'use_tf_gamma' is for 1,536 bins"):
        enformer_config(tmp_path / "w.safetensors")


def test_networks_of_the_same_weights_are_told_apart_by_their_configuration(tracks):
    made = [
        wrap_enformer(FakeEnformer(), select_tracks(tracks), window=WINDOW, weights_hash="a", made_of=config)
        for config in ({"use_tf_gamma": True}, {"use_tf_gamma": False}, {"use_tf_gamma": True})
    ]
    identities = [model_identity(one) for one in made]
    assert identities[0] == identities[2] != identities[1]
    assert wrap_enformer(FakeEnformer(), select_tracks(tracks)).weights_hash != "unsaved"


@pytest.mark.parametrize(
    ("kind", "package"), [("enformer", "enformer_pytorch"), ("borzoi", "borzoi_pytorch")]
)
def test_missing_extra_says_how_to_install_it(monkeypatch, tmp_path, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=rf"pip install 'phenviz\[{kind}\]'"):
        load_adapter(kind, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="no adapter for 'sei'"):
        load_adapter("sei", tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("kind", "code", "wrap"), [("enformer", FakeEnformer, wrap_enformer), ("borzoi", FakeBorzoi, wrap_borzoi)]
)
def test_a_published_model_comes_from_its_package_with_its_weights_and_tracks(
    monkeypatch, tmp_path, tracks, kind, code, wrap
):
    class Published(code):
        @classmethod
        def from_hparams(cls, **shape):
            return cls()

    package = SimpleNamespace(**{code.__name__.removeprefix("Fake"): Published})
    monkeypatch.setitem(sys.modules, f"{kind}_pytorch", package)
    monkeypatch.setattr("phenviz.models.adapters.model_tracks", lambda asked: tracks if asked == kind else [])
    path, model = tmp_path / "w.safetensors", code()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.25)
    save_model(model, path)
    found, expected = load_adapter(kind, path, ["DNASE"]), wrap(model, select_tracks(tracks, ["DNASE"]))
    assert found.contexts == expected.contexts and found.name == kind
    torch.testing.assert_close(found.state_dict(), expected.state_dict())
    assert found.weights_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_package_that_drops_the_positional_basis_is_refused(monkeypatch, tmp_path):
    class Old(FakeEnformer):
        use_tf_gamma = False

        @classmethod
        def from_hparams(cls, **shape):
            return cls()

    monkeypatch.setitem(sys.modules, "enformer_pytorch", SimpleNamespace(Enformer=Old))
    with pytest.raises(ModelError, match="doesn't know use_tf_gamma: pip install"):
        load_adapter("enformer", tmp_path / "w.safetensors")


def test_small_random_enformer_of_the_package_is_loaded_from_its_weights(tmp_path, tracks, monkeypatch):
    package = pytest.importorskip("enformer_pytorch")
    torch.manual_seed(0)
    shape = {"dim": 96, "depth": 1, "heads": 4, "output_heads": {"human": 4}, "dim_divisible_by": 4}
    model = package.Enformer.from_hparams(**shape, target_length=-1).eval()
    save_model(model, tmp_path / "w.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(shape))
    monkeypatch.setattr("phenviz.models.adapters.model_tracks", lambda kind: tracks)
    backbone = load_adapter("enformer", tmp_path / "w.safetensors", ["DNASE", "CHIP"])
    # a shorter window than the published one, for speed
    backbone.window, x = WINDOW, one_hot()
    with torch.no_grad():
        expected = model(x.transpose(1, 2))["human"].transpose(1, 2)[:, [0, 3]]
        torch.testing.assert_close(backbone(x), expected)
    with pytest.raises(ModelError, match="don't fit the model"):
        (tmp_path / "config.json").write_text(json.dumps(shape | {"dim": 48}))
        load_adapter("enformer", tmp_path / "w.safetensors", ["DNASE"])


def test_small_random_borzoi_of_the_package_predicts_the_chosen_tracks(tracks):
    package = pytest.importorskip("borzoi_pytorch")
    torch.manual_seed(0)
    model = package.Borzoi.from_hparams(
        dim=96,
        depth=1,
        heads=2,
        attn_dim_value=48,
        enable_mouse_head=False,
        return_center_bins_only=True,
        bins_to_return=32,
    ).eval()
    backbone, x = wrap_borzoi(model, [tracks[2]], window=4_096), one_hot(4_096)
    with torch.no_grad():
        # the module's crop is off now, so that both return all bins
        torch.testing.assert_close(backbone(x), model(x)[:, [2]])
    assert backbone(x).shape == (2, 1, 128)


def test_project_names_a_published_backbone(toy_project, monkeypatch, enformer):
    asked = {}

    def load(kind, weights, tracks):
        asked.update(kind=kind, weights=weights.name, tracks=tracks)
        return enformer

    monkeypatch.setattr("phenviz.models.adapters.load_adapter", load)
    text = toy_project.read_text().replace("checkpoint: toy.safetensors\n", "")
    project = toy_project.with_name("published.yaml")
    project.write_text(text + "backbone: {kind: enformer, weights: toy.safetensors, tracks: [DNASE, CAGE]}\n")
    world = open_world(project)
    assert world.backbone is enformer and world.contexts == enformer.contexts
    assert asked == {"kind": "enformer", "weights": "toy.safetensors", "tracks": ("DNASE", "CAGE")}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "backbone: {kind: sei, weights: toy.safetensors}",
            "use one of enformer, borzoi, flashzoi, alphagenome",
        ),
        ("backbone: {kind: enformer}", "is no backbone: write"),
        ("backbone: toy.safetensors", "is no backbone: write"),
        ("backbone: {kind: enformer, weights: missing.safetensors}", "isn't there"),
        ("backbone: {kind: enformer, weights: toy.safetensors, track: DNASE}", "unknown field 'track'"),
        ("backbone: {kind: enformer, weights: toy.safetensors, tracks: []}", r"has the tracks \[\]"),
        ("backbone: {kind: enformer, weights: toy.safetensors}\ncheckpoint: toy.safetensors", "keep one"),
    ],
)
def test_backbone_of_a_project_that_makes_no_sense_is_refused_with_its_line(toy_project, line, words):
    text = toy_project.read_text().replace("checkpoint: toy.safetensors\n", "")
    project = toy_project.with_name("wrong.yaml")
    project.write_text(f"{text}{line}\n")
    with pytest.raises(ProjectError, match=rf"line 5: 'backbone'.*{words}"):
        open_world(project)
