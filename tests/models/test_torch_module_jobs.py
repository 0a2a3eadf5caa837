"""A torch class of the user's is used by every job, and tried by `phenviz doctor`."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_model

from phenviz.cli import main
from phenviz.errors import PhenvizError
from phenviz.models.contract import check_backbone
from phenviz.models.local import LocalBackbone
from phenviz.models.phenformer_checkpoint import save_phenformer
from phenviz.models.readout import save_readout
from phenviz.service import KINDS, ModelService
from phenviz.world import open_world
from tests.attribution.oracles import toy_readout
from tests.effects.toys import write_people
from tests.models.user_projects import FACTS, LOCAL, write_project
from tests.phenformer_toys import SITES, toy_phenformer
from tests.toys import toy_backbone

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
    "predict_sequences": {"sequences": {"designed": "ACGTTGCANA" * 30}},
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
    # two read trait tables, and call the model as variant_effects does; two read tokens alone, and two
    # more need measured or reference people, whose expression and tokens they make as the jobs here do
    others = {"hypotheses", "trait_evidence", "logits", "context_contributions", "measured", "risk"}
    assert tested | others == set(KINDS.kinds)
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
