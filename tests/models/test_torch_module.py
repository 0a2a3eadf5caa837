"""A torch class of the user's, named in project.yaml: found, made and checked."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_model

from phenviz.cli import main
from phenviz.errors import DataError, ModelError, ProjectError
from phenviz.models import SequenceBackbone
from phenviz.models.identity import model_identity
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.models.user_projects import FACTS, LOCAL, USER_FILES, write_project


def bases(length=1_024, seed=0):
    codes = np.random.default_rng(seed).integers(0, 4, (2, length))
    return torch.from_numpy(np.eye(4, dtype=np.float32)[codes]).transpose(1, 2)


def test_a_plain_class_beside_the_project_predicts_what_it_predicts_by_itself(folder):
    world = open_world(write_project(folder, LOCAL))
    backbone = world.backbone
    assert isinstance(backbone, SequenceBackbone)
    with torch.no_grad():
        torch.testing.assert_close(backbone(bases()), backbone.module(bases()))
    assert (backbone.name, backbone.units, backbone.receptive_field) == (
        "LocalNet",
        "predicted activity",
        134,
    )
    assert [context.name for context in backbone.contexts] == ["Ery", "Mono", "B"]
    assert not backbone.training


def test_a_class_that_says_all_facts_needs_no_more_than_its_name(folder):
    backbone = open_world(write_project(folder, "{class: mymodel:TwoSteps}", "")).backbone
    assert (backbone.window, backbone.bin_size, backbone.receptive_field) == (1_024, 64, 134)
    assert [context.name for context in backbone.contexts] == ["liver", "heart", "lung"]
    assert backbone.units == "reads" and backbone.encode(bases()).shape == (2, 6, 16)


def test_facts_and_labels_of_the_project_go_before_those_of_the_class(folder):
    text = "{class: mymodel:TwoSteps, name: mine, window: 2048, receptive_field: global, units: TPM}"
    labelled = "contexts: [{name: liver, label: Leber}, heart, lung]\n"
    world = open_world(write_project(folder, text, labelled))
    backbone = world.backbone
    assert (backbone.name, backbone.window, backbone.receptive_field) == ("mine", 2_048, None)
    assert backbone.units == "TPM" and world.has_global_backbone
    assert backbone.contexts == world.contexts and backbone.contexts[0].label == "Leber"


def test_options_and_weights_make_the_model_that_was_saved(folder):
    project = write_project(folder, LOCAL)
    wanted = open_world(project).backbone.module
    save_model(wanted, folder / "w.safetensors")
    text = f"{{class: 'mymodel:make_local', options: {{seed: 5}}, weights: w.safetensors, {FACTS}}}"
    backbone = open_world(write_project(folder, text)).backbone
    with torch.no_grad():
        torch.testing.assert_close(backbone(bases()), wanted(bases()))


def test_an_installed_class_and_a_published_one_are_found_by_name(folder, tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "theirs").mkdir(parents=True)
    (site / "theirs" / "__init__.py").write_text("from theirs.net import Net\n")
    (site / "theirs" / "net.py").write_text(
        (USER_FILES / "mymodel.py").read_text().replace("from layers", "from theirs.layers")
        + "\n\nclass Net(TwoSteps):\n    pass\n"
    )
    shutil.copy(USER_FILES / "layers.py", site / "theirs")
    monkeypatch.syspath_prepend(site)
    points = (EntryPoint("theirs", "theirs:Net", "phenviz.backbones"),)

    def entry_points(*, group, name=None):
        return tuple(p for p in points if p.group == group and name in (None, p.name))

    monkeypatch.setattr("phenviz.models.find_class.entry_points", entry_points)
    monkeypatch.setattr("phenviz.data.project_backbone.entry_points", entry_points)
    named = open_world(write_project(folder, "{class: theirs.net:Net}", "")).backbone
    published = open_world(write_project(folder, "{kind: theirs, options: {seed: 0}}", "")).backbone
    assert named.weights_hash == published.weights_hash
    with pytest.raises(ProjectError, match=r"use one of enformer, borzoi, .*, theirs, install the package"):
        open_world(write_project(folder, "{kind: others}"))
    points = (EntryPoint("theirs", "theirs:Nett", "phenviz.backbones"),)
    with pytest.raises(
        ModelError, match=r"line 4: 'backbone': backbone 'theirs': module 'theirs' .*mean Net\?"
    ):
        _ = open_world(write_project(folder, "{kind: theirs}")).backbone
    for name in [name for name in sys.modules if name.split(".")[0] == "theirs"]:
        del sys.modules[name]


def test_modules_called_alike_in_two_folders_stay_apart_and_are_read_anew(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    first = write_project(folder, LOCAL)
    second = write_project(other, LOCAL)
    (other / "layers.py").write_text("def pooled(x, width):\n    return 2 * x[:, :, ::width]\n")
    before = open_world(first).backbone(bases())
    assert not torch.equal(open_world(second).backbone(bases()), before)
    assert torch.equal(open_world(first).backbone(bases()), before)
    assert not {"mymodel", "layers"} & set(sys.modules)
    assert not list(folder.rglob("__pycache__"))
    (folder / "layers.py").write_text("def pooled(x, width):\n    return 3 * x[:, :, ::width]\n")
    assert not torch.equal(open_world(first).backbone(bases()), before)


def test_identity_changes_with_weights_options_code_and_contexts(folder):
    def identity(text=LOCAL, more="contexts: [Ery, Mono, B]\n"):
        backbone = open_world(write_project(folder, text, more)).backbone
        return model_identity(backbone), backbone.weights_hash

    whole, weights = identity()
    assert identity() == (whole, weights)
    seen = {whole}
    other = LOCAL.replace("LocalNet", "LocalNet, options: {seed: 1}")
    assert identity(other)[1] != weights
    seen.add(identity(other)[0])
    seen.add(identity(more="contexts: [Ery, B, Mono]\n")[0])
    seen.add(identity(LOCAL.replace("134", "200"))[0])
    project = write_project(folder, LOCAL)
    with (folder / "layers.py").open("a") as file:
        file.write("\n# another comment\n")
    changed = open_world(project).backbone
    assert changed.weights_hash == weights
    seen.add(model_identity(changed))
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{class: mymodel}", "'backbone' names the class 'mymodel': write 'class: mymodel:MyNet'"),
        ("{class: 3}", "names the class 3"),
        ("{class: 'my model:Net'}", "names the class 'my model:Net'"),
        ("{class: mymodel:LocalNet, kind: enformer}", "both a 'class' and a 'kind'"),
        ("{class: mymodel:LocalNet, windw: 3}", "unknown field 'windw': known are class"),
        ("{class: mymodel:LocalNet, tracks: [DNASE]}", "unknown field 'tracks'"),
        ("{class: mymodel:LocalNet, options: [3]}", r"has the options \[3\]: write them"),
        ("{class: mymodel:LocalNet, weights: w.pt}", "names .*w.pt, which isn't there"),
        (
            "{kind: sei}",
            "use one of enformer, borzoi, .* install the package that publishes it",
        ),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_with_its_line(folder, text, words):
    with pytest.raises(ProjectError, match=rf"line 4: .*{words}"):
        open_world(write_project(folder, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{class: missing:Net}", r"module 'missing' wasn't found: there is no missing.py in .*world, and no"),
        ("{class: deep.missing:Net}", "module 'deep.missing' wasn't found: there is no deep/missing.py"),
        (
            "{class: mymodel:LocalNat}",
            r"module 'mymodel' .*mymodel.py\) has no 'LocalNat': did you mean LocalNet",
        ),
        ("{class: layers:Net}", "has no 'Net': it has no torch module"),
        ("{class: mymodel:number}", "has no class or function, but a value, 'number'"),
        (
            "{class: mymodel:LocalNet, options: {width: 3}}",
            "can't be made .*unexpected keyword.*it takes channels",
        ),
        (
            "{class: mymodel:LocalNet, options: {channels: x}}",
            "can't be made with the options {'channels': 'x'}",
        ),
        ("{class: layers:pooled, options: {x: 1, width: 2}}", "can't be made"),
        ("{class: 'collections:OrderedDict'}", "makes a OrderedDict, no torch.nn.Module"),
        ("{class: mymodel:LocalNet}", "doesn't say its window: add 'window: ...' to 'backbone'"),
        (
            "{class: mymodel:LocalNet, window: 10, bin_size: 4}",
            "doesn't say its receptive_field: .*or 'global'",
        ),
        ("{class: mymodel:TwoSteps, bin_size: 60}", "window of 1,024 bases, no multiple of its bin size, 60"),
        ("{class: mymodel:TwoSteps, window: 1.5}", "has the window 1.5: give a whole number"),
        ("{class: mymodel:TwoSteps, window: 0}", "has the window 0"),
        ("{class: mymodel:TwoSteps, receptive_field: all}", "has the receptive_field 'all'"),
        ("{class: broken:Net}", r"module 'broken' can't be imported \(.*broken.py, line 2\): NameError"),
        ("{class: syntax:Net}", r"module 'syntax' can't be imported \(.*syntax.py, line 1\): SyntaxError"),
        ("{class: needs:Net}", r"module 'needs' needs 'not_installed', .*\(.*needs.py, line 1\): install it"),
        ("{class: mymodel:LocalNet, weights: other.safetensors}", "don't fit the model .*give the 'options'"),
        ("{class: mymodel:LocalNet, weights: junk.safetensors}", "no safetensors file"),
    ],
)
def test_a_class_that_cannot_be_used_is_one_error_with_cause_and_fix(folder, text, words):
    (folder / "broken.py").write_text("import torch\nx = undefined\n")
    (folder / "syntax.py").write_text("class Net(:\n")
    (folder / "needs.py").write_text("import not_installed\n")
    (folder / "junk.safetensors").write_text("junk")
    save_model(torch.nn.Linear(2, 2), folder / "other.safetensors")
    world = open_world(write_project(folder, text))
    with pytest.raises(ModelError, match=rf"project.yaml, line 4: 'backbone': .*{words}"):
        _ = world.backbone
    said = CliRunner().invoke(main, ["predict", "ALPHA", "--world", str(folder / "project.yaml")])
    assert said.exit_code and "Traceback" not in said.output and "bug" not in said.output


def test_a_class_without_contexts_needs_them_listed(folder):
    with pytest.raises(ModelError, match=r"list its 'contexts' in the project\.yaml"):
        _ = open_world(write_project(folder, LOCAL, "")).backbone
    with pytest.raises(DataError, match="lists the contexts Ery, but"):
        _ = open_world(write_project(folder, "{class: mymodel:TwoSteps}", "contexts: [Ery]\n")).backbone


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "return x.transpose(1, 2)[:, ::64, :3]",
            r"shape \(1, \d+, 3\) where \(1, 3, \d+\) .*swap the last two",
        ),
        ("return x[:, :3, ::128]", r"where \(1, 3, \d+\) is needed: return all bins"),
        ("return x[:, :3]", r"bin_size must be the bases of one bin"),
        ("return x[:, :2, ::64]", "list 2 contexts, one for each channel"),
        ("return x[:, :3, ::64].sum(0)", "keep the axes batch, channel and bin"),
        ("return x[:0, :3, ::64]", "return one row for each sequence"),
        ("return [x]", "returns a list: return one tensor"),
        ("return x @ x", r"failed on an input of shape .*wrong.py, line 4\): RuntimeError"),
        ("return x.missing", r"wrong.py, line 4\): AttributeError"),
    ],
)
def test_what_a_class_returns_wrongly_is_told_by_every_job(folder, code, words):
    text = "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        " + code + "\n"
    (folder / "wrong.py").write_text(text)
    world = open_world(write_project(folder, f"{{class: wrong:Net, {FACTS}}}"))
    with ModelService(world, "cpu", store=folder / "store") as service:
        with pytest.raises(ModelError, match=words):
            service.predict("chr20:8,001-8,020")
