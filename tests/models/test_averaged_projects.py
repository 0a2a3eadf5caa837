"""A project's backbone that averages: what it says, what is refused, and every job against the plain loop."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from phenviz.app.about.model_card import card_text, model_name
from phenviz.errors import ModelError, PhenvizError, ProjectError
from phenviz.models.phenformer_checkpoint import save_phenformer
from phenviz.models.readout import GeneReadout, save_readout
from phenviz.models.torch_module import TorchModuleBackbone
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.models.test_averaged import AVERAGES, PAIRS, predicting, random_codes, slow_mean
from tests.models.test_torch_module_jobs import JOBS, TOKEN_JOBS, run
from tests.models.user_projects import LOCAL, write_project
from tests.phenformer_toys import SITES, toy_phenformer
from tests.toys import CONTEXTS

# a class that reads one strand, and one that averages by itself, as plainly as can be
CLASSES = """
import torch
from torch import nn

PAIRS = [1, 0, 2]


class Net(nn.Module):
    window, bin_size, receptive_field, contexts = 1_024, 32, 42, ("Ery", "Mono", "B")

    def __init__(self, sees_all=False):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv1d(4, 6, 11, padding=5), nn.Conv1d(6, 3, 1)
        if sees_all:
            self.receptive_field = None

    def forward(self, x):
        x = nn.functional.max_pool1d(torch.tanh(3 * self.conv(x)), 32)
        if self.receptive_field is None:
            x = x + x.mean(2, keepdim=True)
        return nn.functional.softplus(self.head(x))


class Paired(Net):
    strand_pair = PAIRS


class Slow(Net):
    def __init__(self, sees_all=False):
        super().__init__(sees_all)
        if not sees_all:
            self.receptive_field = 42 + 2 * 2

    def forward(self, x):
        found = []
        for shift in (-2, 0, 1):
            empty = torch.zeros_like(x[:, :, : abs(shift)])
            for reverse in (False, True):
                read = x.flip(1).flip(2) if reverse else x
                if shift > 0:
                    read = torch.cat([empty, read[:, :, :-shift]], dim=2)
                if shift < 0:
                    read = torch.cat([read[:, :, -shift:], empty], dim=2)
                out = super().forward(read)
                found.append(out[:, PAIRS].flip(2) if reverse else out)
        return torch.stack(found).mean(0)
"""
ENTRY = "average: {strands: true, shifts: [1, -2, 0]}"


def write_classes(folder, backbone, more=""):
    (folder / "twostrands.py").write_text(CLASSES)
    return write_project(folder, backbone, more)


def add_gene_models(project):
    """Give a project a readout and a disease model of the mean, which is its own embedding."""
    backbone = open_world(project).backbone
    torch.manual_seed(1)
    readout = GeneReadout(3, CONTEXTS, reach=3_072, heads=2, values=4).eval()
    phenformer = toy_phenformer(genes=SITES, channels=3)
    readout.backbone_hash = phenformer.backbone_hash = backbone.weights_hash
    phenformer.readout_hash = save_readout(readout, project.with_name(f"{project.stem}_r.safetensors"))
    save_phenformer(phenformer, project.with_name(f"{project.stem}_p.safetensors"), card={"training": {}})
    with project.open("a") as text:
        text.write(f"readout: {project.stem}_r.safetensors\nphenformer: {project.stem}_p.safetensors\n")


@pytest.mark.parametrize("sees_all", ["false", "true"])
def test_every_job_gives_the_mean_that_a_class_computes_by_itself(folder, tmp_path, sees_all):
    options = f"options: {{sees_all: {sees_all}}}"
    write_people(folder / "people.vcf", open_world(write_project(folder, LOCAL)).reference, 3, count=30)
    jobs, found = JOBS | TOKEN_JOBS, []
    if sees_all == "true":
        # a global model of one window does none of genes
        jobs = {name: how for name, how in JOBS.items() if "gene" not in name}
        jobs = {name: how for name, how in jobs.items() if name not in ("expression", "trait")}
    for text in (
        f"{{class: twostrands:Slow, {options}}}",
        f"{{class: twostrands:Paired, {options}, {ENTRY}}}",
    ):
        project = write_classes(folder, text, "individuals: [people.vcf]\n")
        if sees_all == "false":
            add_gene_models(project)
        world = open_world(project)
        # one store for both: what one keeps is never read for the other
        with ModelService(world, "cpu", store=tmp_path / "store") as service:
            found.append({name: run(service, world, name.split(" ")[0], how) for name, how in jobs.items()})
    for name in jobs:
        slow, fast = (one[name] for one in found)
        for variable in slow.data_vars:
            if slow[variable].dtype.kind == "f":
                where = f"{name}: {variable}"
                scale = float(np.nanmax(np.abs(slow[variable].values), initial=0)) or 1.0
                np.testing.assert_allclose(
                    fast[variable], slow[variable], rtol=1e-3, atol=1e-4 * scale, err_msg=where
                )


def test_stored_results_of_the_plain_model_are_not_read_for_its_mean(folder, tmp_path):
    found = []
    for more in ("", f", {ENTRY}", ", average: {strands: true}"):
        world = open_world(write_classes(folder, f"{{class: twostrands:Paired{more}}}"))
        with ModelService(world, "cpu", store=tmp_path / "store") as service:
            found.append(service.submit("predict", locus="chr20:5,001-6,000").result()["activity"].values)
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(found, 2))


def test_a_class_that_says_nothing_of_strands_has_none(folder):
    entry = "average: {strands: true}"
    plain, said, other = (
        open_world(write_classes(folder, text)).backbone
        for text in (
            f"{{class: twostrands:Net, {entry}}}",
            f"{{class: twostrands:Net, {entry}, strand_pair: [1, 0, 2]}}",
            f"{{class: twostrands:Paired, {entry}}}",
        )
    )
    codes = random_codes(np.random.default_rng(0), bases=1_024)
    for found, pairs in ((plain, (0, 1, 2)), (said, PAIRS), (other, PAIRS)):
        net = predicting(found.backbone)
        np.testing.assert_allclose(
            predicting(found)(codes), slow_mean(net, codes, AVERAGES[0], pairs), rtol=1e-5
        )


@pytest.mark.parametrize(
    "pairs", ["[1, 2, 0]", "[0, 1]", "[0, 1, 3]", "[-1, 1, 0]", "7", "[a, b, c]", "[1, 1, 2]"]
)
def test_strands_that_are_paired_wrongly_are_refused(folder, pairs):
    text = f"{{class: twostrands:Net, strand_pair: {pairs}, average: {{strands: true}}}}"
    with pytest.raises(
        PhenvizError, match=r"line 4: 'backbone'.*has the strand_pair .*each of its 3 channels"
    ):
        _ = open_world(write_classes(folder, text)).backbone


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("average: true", "has average: True: write 'average: {strands: true, shifts"),
        ("average: {}", r"has average: \{\}"),
        ("average: {strand: true}", "has average: {'strand': True}"),
        ("average: {strands: 2}", "has strands: 2 in 'average': write true or false"),
        ("average: {shifts: 3}", r"has shifts: 3 in 'average': list whole numbers"),
        ("average: {shifts: []}", r"has shifts: \[\]"),
        ("average: {shifts: [0.5, 1]}", r"has shifts: \[0.5, 1\]"),
        ("average: {shifts: [true, 1]}", r"has shifts: \[True, 1\]"),
        ("average: {shifts: [1, 0, 1]}", "has the shift 1 twice"),
        ("average: {shifts: [0]}", "an 'average' of one prediction"),
        ("average: {strands: false}", "an 'average' of one prediction"),
        ("checkpointing: 2", "has checkpointing: 2: write true or false"),
    ],
)
@pytest.mark.parametrize("model", ["class: twostrands:Net", "kind: borzoi, weights: twostrands.py"])
def test_an_average_that_makes_no_sense_is_refused_with_its_line(folder, entry, words, model):
    (folder / "w.safetensors").write_bytes(b"")
    model = model.replace("twostrands.py", "w.safetensors")
    with pytest.raises(ProjectError, match=rf"line 4: 'backbone' .*{words}"):
        open_world(write_classes(folder, f"{{{model}, {entry}}}"))


def test_a_shift_by_a_bin_is_refused_with_the_line_of_the_project(folder):
    project = write_classes(folder, "{class: twostrands:Net, average: {shifts: [0, 40]}}")
    with pytest.raises(PhenvizError, match=r"line 4: 'backbone'.*bins of 32 bp, and a shift by 40 bp"):
        _ = open_world(project).backbone


def test_opening_tries_the_network_itself_once_and_not_each_pass(folder, monkeypatch):
    passes = []
    encode = TorchModuleBackbone.encode
    monkeypatch.setattr(TorchModuleBackbone, "encode", lambda *x: passes.append(1) or encode(*x))
    counts = []
    for more in ("", ", average: {strands: true, shifts: [-2, -1, 0, 1, 2]}"):
        monkeypatch.setenv("PHENVIZ_CACHE", str(folder / f"cache{len(more)}"))
        _ = open_world(write_classes(folder, f"{{class: twostrands:Net{more}}}")).backbone
        counts.append(len(passes))
        passes.clear()
    assert counts[0] == counts[1] > 0
    wrong = f"{{class: twostrands:Net, receptive_field: 20, {ENTRY}}}"
    with pytest.raises(PhenvizError, match=r"Net: a bin changes with bases .* receptive_field = 20"):
        _ = open_world(write_classes(folder, wrong)).backbone


def test_the_card_and_the_name_say_what_is_averaged(folder):
    world = open_world(write_classes(folder, f"{{class: twostrands:Net, {ENTRY}}}"))
    assert model_name(world) == world.backbone.name == "Net (both strands, 3 shifts)"
    said = "**activity**: mean over both strands and shifts by -2, 0, +1 bp; the network computes 6 times"
    assert said in card_text(world)


def test_a_readout_of_the_plain_model_is_refused_for_its_mean(folder):
    from phenviz.models.readout import check_backbone as check_readout

    plain, averaged = (
        open_world(write_classes(folder, f"{{class: twostrands:Net{more}}}")).backbone
        for more in ("", f", {ENTRY}")
    )
    readout = SimpleNamespace(name="r", backbone_hash=plain.weights_hash)
    check_readout(readout, plain)
    with pytest.raises(ModelError, match=r"but Net \(both strands, 3 shifts\) has.*train it again"):
        check_readout(readout, averaged)
    assert json.loads(json.dumps(averaged.config()))["average"]["shifts"] == [-2, 0, 1]
