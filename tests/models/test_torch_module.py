"""A torch class of the user's, named in project.yaml: found, made, checked, and used by every job."""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_model

from phenviz.cli import main
from phenviz.errors import DataError, ModelError, PhenvizError, ProjectError
from phenviz.models import SequenceBackbone
from phenviz.models.contract import check_backbone
from phenviz.models.identity import model_identity
from phenviz.models.local import LocalBackbone
from phenviz.models.phenformer_checkpoint import save_phenformer
from phenviz.models.readout import save_readout
from phenviz.service import KINDS, ModelService
from phenviz.world import open_world
from tests.attribution.oracles import toy_readout
from tests.effects.toys import write_people
from tests.phenformer_toys import SITES, toy_phenformer
from tests.toys import GENES, toy_backbone, write_fasta

USER_FILES = Path(__file__).parent / "user_models"
FACTS = "window: 1024, bin_size: 64, receptive_field: 134"
LOCAL = f"{{class: mymodel:LocalNet, {FACTS}}}"
# the toy backbone as somebody else's class: what PhenViz' fast engines don't know
TOY_CLASS = """
import torch
from phenviz.models.local import LocalBackbone
from tests.toys import CONTEXTS, tiny_config

class Toy(torch.nn.Module):
    def __init__(self, name="toy"):
        super().__init__()
        self.net = LocalBackbone.from_config(tiny_config(CONTEXTS))
        self.bin_size, self.receptive_field = self.net.bin_size, self.net.receptive_field
        self.window, self.contexts = self.net.window, self.net.contexts

    def encode(self, x):
        return self.net.encode(x)

    def activity(self, embedding):
        return self.net.activity(embedding)
"""


def write_project(folder, backbone, more="contexts: [Ery, Mono, B]\n"):
    write_fasta(folder / "toy.fa")
    (folder / "genes.tsv").write_text(GENES)
    for path in USER_FILES.glob("*.py"):
        shutil.copy(path, folder)
    project = folder / "project.yaml"
    project.write_text(
        f"assembly: toy1\nreference: toy.fa\nannotation: genes.tsv\nbackbone: {backbone}\n{more}"
    )
    return project


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    (tmp_path / "world").mkdir()
    return tmp_path / "world"


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
    monkeypatch.setattr("phenviz.data.project.entry_points", entry_points)
    named = open_world(write_project(folder, "{class: theirs.net:Net}", "")).backbone
    published = open_world(write_project(folder, "{kind: theirs, options: {seed: 0}}", "")).backbone
    assert named.weights_hash == published.weights_hash
    with pytest.raises(ProjectError, match="use enformer or borzoi, one of theirs, install the package"):
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
        ("{kind: sei}", "use enformer or borzoi, install the package that publishes it"),
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


@pytest.fixture
def two_worlds(folder, tmp_path):
    """Return the toy world with its checkpoint, and the same network as a class of the user's."""
    worlds = []
    for kind in ("checkpoint", "class"):
        home = folder if kind == "class" else tmp_path / "own"
        home.mkdir(exist_ok=True)
        project = write_project(home, "{class: toy_class:Toy, weights: toy.safetensors}", "")
        backbone = toy_backbone()
        (home / "toy_class.py").write_text(TOY_CLASS)
        if kind == "checkpoint":
            from phenviz.models.checkpoint import save_backbone

            save_backbone(backbone, home / "toy.safetensors", dtype=torch.float32)
            lines = project.read_text().replace(
                "backbone: {class: toy_class:Toy, weights: toy", "checkpoint: toy"
            )
            project.write_text(lines.replace("safetensors}", "safetensors"))
        else:
            holder = torch.nn.Module()
            holder.net = backbone
            save_model(holder, home / "toy.safetensors")
        readout, phenformer = toy_readout(), toy_phenformer(genes=SITES)
        readout.backbone_hash = phenformer.backbone_hash = open_world(project).backbone.weights_hash
        phenformer.readout_hash = save_readout(readout, home / "readout.safetensors")
        save_phenformer(phenformer, home / "phenformer.safetensors", card={"training": {}})
        write_people(home / "people.vcf", open_world(project).reference, 3, count=30)
        lines = (
            "readout: readout.safetensors\nphenformer: phenformer.safetensors\nindividuals: [people.vcf]\n"
        )
        project.write_text(project.read_text() + lines)
        worlds.append(open_world(project))
    assert isinstance(worlds[0].backbone, LocalBackbone) and not isinstance(worlds[1].backbone, LocalBackbone)
    return worlds


SITE = "chr20:6,001-6,060"
JOBS = {
    "predict": {"locus": "chr20:5,001-9,000"},
    "overview": {"locus": "chr20:1-40,000"},
    "mutagenesis": {"locus": SITE},
    "mutagenesis of a gene": {"locus": SITE, "gene": "ALPHA"},
    "mutagenesis_coarse": {"locus": "chr20:6,001-7,000", "context": "Ery", "n_windows": 2},
    "attribute": {"locus": SITE, "target": "Ery", "n_steps": 4},
    "attribute by saliency": {"locus": SITE, "target": "Mono", "method": "saliency"},
    "ablate": {"loci": SITE, "n_shuffles": 2},
    "ablate of a gene": {"loci": SITE, "n_shuffles": 2, "gene": "ALPHA"},
    "marginalize": {"motifs": "AGATAAGG", "backgrounds": 3},
    "variant_effects": {"variants": "chr20:6,050 {ref}>{alt}"},
    "variant_effects of a gene": {"variants": "chr20:6,050 {ref}>{alt}", "gene": "ALPHA"},
    "expression_effects of a gene": {"variants": "chr20:6,050 {ref}>{alt}", "genes": ["ALPHA"]},
    "both_alleles": {"contig": "20", "position": 6_050, "ref": "{ref}", "alt": "{alt}", "flank": 20},
    "personal": {"locus": "chr20:3,001-7,000", "sample": "ann"},
    "expression": {"genes": "ALPHA", "samples": "ann"},
    "gene_expression of a gene": {"genes": ["ALPHA", "BETA"], "contexts": ["Ery"]},
    "trait": {"locus": SITE, "target": "MCV", "method": "saliency"},
}
# of the genes and windows of the world's disease model
TOKEN_JOBS = {"token_effects": {}, "haplotype_tokens": {"samples": ["ann"]}}


def run(service, world, kind, params, gene=True):
    from phenviz.attribution import Target
    from phenviz.genome import Locus

    ref = world.reference.sequence(Locus("20", 6_049, 6_050)).upper()
    change = {"{ref}": ref, "{alt}": "A" if ref != "A" else "C"}
    filled = {}
    for name, value in params.items():
        for mark, base in change.items() if isinstance(value, str) else ():
            value = value.replace(mark, base)
        filled[name] = value
    if kind == "trait":
        filled["target"] = Target(trait="MCV")
    elif "target" in filled:
        filled["target"] = Target(context=filled["target"])
    if kind == "token_effects":
        one = {"contig": "20", "position": 6_050, "ref": ref, "alt": change["{alt}"]}
        filled["variants"] = pd.DataFrame([one])
    if kind in TOKEN_JOBS:
        filled |= {"genes": world.phenformer.genes, "window": world.phenformer.window}
    if not gene:
        filled.pop("gene", None)
    return service.submit(kind, **filled).result()


def test_every_job_gives_with_a_class_what_it_gives_with_the_same_network_as_checkpoint(two_worlds, tmp_path):
    jobs = JOBS | TOKEN_JOBS
    tested = {name.split(" ")[0] for name in jobs}
    # two read trait tables, and call the model as variant_effects does; the last one reads tokens alone
    assert tested | {"hypotheses", "trait_evidence", "logits"} == set(KINDS.kinds)
    found = []
    for number, world in enumerate(two_worlds):
        with ModelService(world, "cpu", store=tmp_path / f"store{number}") as service:
            found.append(
                {name: run(service, world, name.split(" ")[0], params) for name, params in jobs.items()}
            )
    for name in jobs:
        own, theirs = found[0][name], found[1][name]
        assert set(own.data_vars) == set(theirs.data_vars), name
        for variable in own.data_vars:
            if own[variable].dtype.kind == "f":
                scale = float(np.nanmax(np.abs(own[variable].values), initial=0)) or 1.0
                np.testing.assert_allclose(
                    theirs[variable],
                    own[variable],
                    rtol=1e-3,
                    atol=1e-4 * scale,
                    err_msg=f"{name}: {variable}",
                )


@pytest.mark.parametrize("text", [LOCAL, "{class: mymodel:TwoSteps}", "{class: mymodel:GlobalNet}"], ids=str)
def test_every_job_takes_a_plain_class_or_says_why_not(folder, tmp_path, text):
    project = write_project(
        folder, text, "individuals: [people.vcf]\n" + "contexts: [Ery, Mono, B]\n" * ("Local" in text)
    )
    write_people(folder / "people.vcf", open_world(write_project(tmp_path, LOCAL)).reference, 3, count=30)
    world, refused = open_world(project), {}
    with ModelService(world, "cpu", store=tmp_path / "store") as service:
        for name, params in JOBS.items():
            kind = name.split(" ")[0]
            names = {"Ery": world.contexts[0].name, "Mono": world.contexts[1].name}
            given = {
                key: names.get(value, value) if isinstance(value, str) else value
                for key, value in params.items()
            }
            try:
                result = run(service, world, kind, given, gene="of a gene" in name)
            except PhenvizError as error:
                refused[name] = str(error)
                continue
            first = next(iter(result.data_vars.values()))
            assert np.isfinite(first.values.astype(float)).any(), name
    whys = {name: "readout" for name in JOBS if "of a gene" in name or name == "expression"}
    whys["trait"] = "phenformer"
    if "Global" in text:
        whys["personal"] = "sees its whole window at once .*: use a backbone with a finite receptive field"
    assert set(refused) == set(whys), refused
    for name, why in whys.items():
        assert re.search(f"{why}|sees its whole window" if "Global" in text else why, refused[name]), name


def doctor(project):
    done = CliRunner().invoke(main, ["doctor", "--world", str(project)])
    assert "Traceback" not in done.output and "bug" not in done.output
    return next(line for line in done.stdout.splitlines() if line.startswith("model "))


def test_doctor_tries_the_class_on_the_contract(folder):
    assert "keeps all 17 clauses of the contract" in doctor(write_project(folder, LOCAL))
    assert "keeps all 17 clauses of the contract" in doctor(
        write_project(folder, "{class: mymodel:GlobalNet}", "")
    )
    line = doctor(write_project(folder, LOCAL.replace("134", "64")))
    assert (
        "PROBLEM" in line and "line 4: 'backbone': 2 of 17 clauses are broken: receptive_field: a bin" in line
    )
    (folder / "unsure.py").write_text(
        "import torch\nfrom mymodel import LocalNet\n"
        "def make():\n    return LocalNet(seed=torch.seed() % 2**31)\n"
    )
    assert "others each time it is made: give 'weights'" in doctor(
        write_project(folder, f"{{class: unsure:make, {FACTS}}}")
    )
    assert json.loads(json.dumps(open_world(write_project(folder, LOCAL)).backbone.config()))


def test_the_embedded_and_adapted_backbones_keep_the_contract():
    from phenviz import open_world

    assert [found for found in check_backbone(open_world().backbone) if found.problem] == []
