"""Small random networks of the published models' own classes go through every job.

Each is skipped where its extra isn't installed; ``make published`` runs all in an environment of their own.
"""

from __future__ import annotations

import dataclasses
import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from phenviz.data.project_backbone import Averaging
from phenviz.errors import PhenvizError
from phenviz.genome import one_hot
from phenviz.models.adapters import ADAPTERS
from phenviz.models.adapters.tracks import ModelTrack
from phenviz.models.contract import check_backbone
from phenviz.models.phenformer_tokens import predict_tokens
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.models.test_averaged import predicting, slow_mean
from tests.models.test_torch_module_jobs import run
from tests.models.user_projects import write_project
from tests.phenformer_toys import SITES, toy_phenformer

TRACKS = [
    ModelTrack(0, "a", "DNASE", "DNase of blood", "dnase", "CL:0000763"),
    ModelTrack(2, "b", "RNA", "RNA of liver", "rna_seq", "UBERON:0002107"),
]
# one block of the least width that the class allows
SHAPES = {
    "enformer": {"dim": 96, "depth": 1, "heads": 4, "output_heads": {"human": 4}, "dim_divisible_by": 4},
    "borzoi": {"dim": 96, "depth": 1, "heads": 2, "attn_dim_value": 48},
    "flashzoi": {"dim": 256, "depth": 1, "heads": 2},
    "alphagenome": {"window": 2_048},
}
WINDOW = 4_096
SITE = "chr20:6,049-6,050"
JOBS = {
    "predict": {"locus": "chr20:5,801-6,300"},
    "mutagenesis": {"locus": SITE},
    "mutagenesis_coarse": {"locus": "chr20:6,031-6,060", "context": "b", "n_windows": 1, "window": 2},
    "attribute": {"locus": SITE, "target": "a", "n_steps": 3},
    "attribute by saliency": {"locus": SITE, "target": "b", "method": "saliency"},
    "variant_effects": {"variants": "chr20:6,050 {ref}>{alt}"},
    "personal": {"locus": "chr20:3,001-3,200", "sample": "ann"},
    "predict_sequences": {"sequences": {"designed": "ACGTTGCANA" * 30}},
}


def small(kind, folder, monkeypatch):
    """Write weights of a small random network of the real class; let the adapter make such ones."""
    adapter = ADAPTERS[kind]
    package = pytest.importorskip(adapter.package, reason=f"the extra phenviz[{kind}] isn't installed")
    if kind == "alphagenome":
        # it has no options of shape: one of its nine blocks, and nothing that is for single bases
        class Small(package.AlphaGenome):
            def __init__(self, **options):
                super().__init__(**options)
                self.tower.blocks = self.tower.blocks[:1]
                self.decoder = self.embedder_1bp = None
                self.splice_sites_junction_head = None

        monkeypatch.setattr(package, "AlphaGenome", Small)
    (folder / "config.json").write_text(json.dumps(SHAPES[kind]))
    torch.manual_seed(0)
    model = adapter.make(getattr(package, adapter.name), adapter.read_shape(folder / "w.safetensors"))
    with torch.no_grad():
        for name, values in model.named_parameters():
            # attention begins at zero in some of them
            if "to_out" in name or "out_proj" in name:
                values.normal_(0, 0.05)
            # random networks give nearly the same for all sequences
            elif "head" in name and "weight" in name:
                values.mul_(30)
    save_file(
        {name: values.half().contiguous() for name, values in model.state_dict().items()},
        folder / "w.safetensors",
    )
    if kind != "alphagenome":
        shorter = dataclasses.replace(adapter, wrap=partial(adapter.wrap, window=WINDOW))
        monkeypatch.setitem(ADAPTERS, kind, shorter)
    monkeypatch.setattr("phenviz.models.adapters.model_tracks", lambda _kind: TRACKS)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_job_takes_a_published_model(folder, tmp_path, monkeypatch, kind):
    small(kind, folder, monkeypatch)
    named = f"{{kind: {kind}, weights: w.safetensors, tracks: [blood, liver]}}"
    write_people(folder / "people.vcf", open_world(write_project(folder, named, "")).reference, 3, count=30)
    project = write_project(folder, named, "individuals: [people.vcf]\n")
    world, found = open_world(project), {}
    backbone = world.backbone
    assert [(one.name, one.curie, one.group) for one in backbone.contexts] == [
        ("a", "CL:0000763", "DNASE"), ("b", "UBERON:0002107", "RNA")
    ]  # fmt: skip
    with ModelService(world, "cpu", store=tmp_path / "store") as service:
        for name, params in JOBS.items():
            found[name] = run(service, world, name.split(" ")[0], params)
            first = next(iter(found[name].data_vars.values()))
            assert np.isfinite(first.values.astype(float)).any(), name
        with pytest.raises(PhenvizError, match="readout"):
            service.submit("expression", genes="ALPHA", samples="ann").result()
    activity = found["predict"]["activity"].values
    assert (activity >= 0).all() and np.ptp(activity) > 0
    change = found["variant_effects"]
    exact = found["mutagenesis"]["effect"].sel(position=6_050, allele=change["alt"].values[0])
    np.testing.assert_allclose(change["effect"].values[0], exact.values, rtol=1e-3, atol=1e-5)
    assert np.abs(exact.values).max() > 0
    tokens = toy_phenformer(
        expression_from="activity", window=backbone.window, expression=["a", "b"], genes=SITES[:1],
        channels=backbone.encode(torch.zeros(1, 4, backbone.window)).shape[1],
    )  # fmt: skip
    values = predict_tokens(tokens, world.reference, backbone, None)
    assert np.isfinite(np.asarray(values)).all()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_published_models_keep_the_contract(folder, monkeypatch, kind):
    from phenviz.models.adapters import load_adapter

    small(kind, folder, monkeypatch)
    findings = check_backbone(load_adapter(kind, folder / "w.safetensors", ["blood", "liver"]))
    assert {one.clause: one.problem for one in findings if one.problem} == {}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_mean_of_a_published_model_is_that_of_its_passes(folder, monkeypatch, kind):
    from phenviz.models.adapters import load_adapter

    small(kind, folder, monkeypatch)
    average, weights = Averaging(strands=True, shifts=(3,)), folder / "w.safetensors"
    plain = load_adapter(kind, weights, ["blood", "liver"])
    averaged = load_adapter(kind, weights, ["blood", "liver"], average=average)
    codes = np.random.default_rng(0).integers(0, 5, (1, plain.window)).astype(np.uint8)
    expected = slow_mean(predicting(plain), codes, average, (0, 1))
    np.testing.assert_allclose(predicting(averaged)(codes), expected, rtol=1e-5)
    bases = torch.from_numpy(one_hot(codes)).requires_grad_()
    (found,) = torch.autograd.grad(averaged(bases)[:, 0].sum(), bases)
    score = 0
    for strand in (bases, bases.flip(1, 2)):
        score = score + plain(torch.nn.functional.pad(strand, (3, -3)))[:, 0].sum() / 2
    (wanted,) = torch.autograd.grad(score, bases)
    assert float((found - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max()) > 0
