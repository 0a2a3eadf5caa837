"""From nothing to a project: ``phenviz init``, then ``phenviz doctor``, then results."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import save_model

import phenviz
from phenviz.cli import main
from phenviz.data.packs import has_pack
from phenviz.results import load
from tests.effects.toys import write_people
from tests.models.user_projects import USER_FILES
from tests.toys import CONTIGS, write_fasta


def run(*words, code=0, typed=None):
    done = CliRunner().invoke(main, [str(word) for word in words], input=typed)
    assert "Traceback" not in done.output and "bug" not in done.output
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """What a lab has: a small "hg38", its genes as GTF, phased people, and a network of its own."""
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_fasta(tmp_path / "hg38.fa")
    lines = []
    for name, start, end, strand in (("ALPHA", 5_001, 9_000, "+"), ("BETA", 12_001, 15_000, "-")):
        ids = f'gene_id "{name}_ID"; gene_name "{name}"; transcript_id "{name}_T";'
        lines += [
            "\t".join(["20", "test", kind, str(start), str(end), ".", strand, ".", ids])
            for kind in ("gene", "transcript", "exon")
        ]
    (tmp_path / "genes.gtf").write_text("\n".join(lines) + "\n")
    for path in USER_FILES.glob("*.py"):
        shutil.copy(path, tmp_path)
    genome = phenviz.genome.ReferenceGenome(tmp_path / "hg38.fa", assembly="hg38", cache_dir=tmp_path / "c")
    write_people(tmp_path / "people.vcf", genome, 3, count=30)
    return tmp_path


HAVE = ("--assembly", "GRCh38", "--reference", "hg38.fa", "--annotation", "genes.gtf")
GLOBAL = ("--backbone", "mymodel:GlobalNet")


def test_from_nothing_to_results_in_three_commands(lab):
    out = run("init", "project.yaml", *HAVE, *GLOBAL, "--individuals", "people.vcf")
    assert "project.yaml" in out and "next: phenviz doctor project.yaml" in out
    told = run("doctor", "project.yaml")
    assert "PROBLEM" not in told and "keeps all" in told and "4 in 1 file" in told
    run("predict", "ALPHA", "--sample", "ann", "--world", "project.yaml", "-o", "alpha.nc")
    found = load(lab / "alpha.nc")
    assert found["context"].values.tolist() == ["liver", "heart", "lung"]
    assert found.attrs["assembly"] == "GRCh38" and np.isfinite(found["activity"]).all()


def test_from_nothing_to_results_with_a_random_small_enformer(lab):
    package = pytest.importorskip("enformer_pytorch", reason="the extra phenviz[enformer] isn't installed")
    if not has_pack("tracks-enformer"):
        pytest.skip("the data pack tracks-enformer isn't here")
    shape = {"dim": 96, "depth": 1, "heads": 4, "output_heads": {"human": 5_313}, "dim_divisible_by": 4}
    torch.manual_seed(0)
    save_model(package.Enformer.from_hparams(**shape), lab / "enformer.safetensors")
    (lab / "config.json").write_text(json.dumps(shape))

    weights = ("--backbone", "enformer", "--weights", "enformer.safetensors")
    run(
        "init", "project.yaml", *HAVE, *weights, "--context", "monocyte female", "--individuals", "people.vcf"
    )
    told = run("doctor", "project.yaml")
    assert "PROBLEM" not in told and "4 in 1 file" in told
    run("predict", "ALPHA", "--world", "project.yaml", "-o", "alpha.nc")
    found = load(lab / "alpha.nc")
    assert found.attrs["assembly"] == "GRCh38" and found.attrs["model"].startswith("enformer@")
    assert "monocyte" in " ".join(found["context_label"].values)
    assert np.isfinite(found["activity"]).all() and float(found["activity"].max()) > 0


def test_the_file_says_what_was_given_with_comments_and_relative_paths(lab):
    facts = [
        word for fact in ("window=1024", "bin_size=64", "receptive_field=134") for word in ("--fact", fact)
    ]
    contexts = ("--context", "Liver", "--context", "T cell: CD4", "--context", "yes")
    run(
        "init", lab / "own.yaml", *HAVE, "--backbone", "mymodel:LocalNet", *facts, *contexts, "--name", "1000"
    )
    text = (lab / "own.yaml").read_text()
    assert yaml.safe_load(text) == {
        "name": "1000",
        "assembly": "GRCh38",
        "reference": "hg38.fa",
        "annotation": "genes.gtf",
        "backbone": {"class": "mymodel:LocalNet", "window": 1_024, "bin_size": 64, "receptive_field": 134},
        "contexts": ["Liver", "T cell: CD4", "yes"],
    }
    assert "# FASTA, plain or bgzip" in text
    assert [c.name for c in phenviz.open_world(lab / "own.yaml").backbone.contexts] == [
        "Liver",
        "T cell: CD4",
        "yes",
    ]


def test_the_mean_over_strands_and_shifts_is_asked_for_by_options(lab):
    shifts = ("--shift", "-1", "--shift", "0", "--shift", "2")
    run("init", "mean.yaml", *HAVE, *GLOBAL, "--average-strands", *shifts)
    written = yaml.safe_load((lab / "mean.yaml").read_text())["backbone"]
    average = {"strands": True, "shifts": [-1, 0, 2]}
    assert written == {"class": "mymodel:GlobalNet", "average": average}
    told = run("doctor", "mean.yaml")
    assert "GlobalNet (both strands, 3 shifts) (" in told and "keeps all" in told
    run("init", "shifted.yaml", *HAVE, *GLOBAL, *shifts)
    written = yaml.safe_load((lab / "shifted.yaml").read_text())["backbone"]
    assert written["average"] == {"shifts": [-1, 0, 2]}
    assert "are about a --backbone" in run("init", "none.yaml", *HAVE, "--average-strands", code=2)
    own = ("--backbone", "own.safetensors")
    assert "the same on both strands" in run("init", "none.yaml", *HAVE, *own, "--average-strands", code=2)
    assert not (lab / "none.yaml").exists()


def test_nothing_is_overwritten_and_no_folder_is_made(lab):
    (lab / "project.yaml").write_text("mine")
    assert "isn't overwritten" in run("init", "project.yaml", *HAVE, code=1)
    assert (lab / "project.yaml").read_text() == "mine"
    assert "make it first" in run("init", "nowhere/project.yaml", *HAVE, code=1)


def test_what_isnt_given_is_asked_on_a_terminal_and_needed_elsewhere(lab, monkeypatch):
    assert "--reference is needed" in run("init", "--assembly", "GRCh38", code=2)
    monkeypatch.setattr(sys.modules["phenviz.cli.init"], "_terminal", lambda: True)
    run("init", "asked.yaml", "--assembly", "GRCh38", typed="hg38.fa\ngenes.gtf\nmymodel:GlobalNet\n\n")
    assert yaml.safe_load((lab / "asked.yaml").read_text())["backbone"] == {"class": "mymodel:GlobalNet"}
    assert CONTIGS["20"] == phenviz.open_world(lab / "asked.yaml").reference.length("20")


def test_doctor_says_all_that_is_missing_and_where_it_comes_from(lab):
    run("init", "project.yaml", "--assembly", "GRCh38", "--reference", "no.fa", "--annotation", "no.gtf",
        "--backbone", "enformer", "--weights", "no.safetensors", "--context", "DNASE")  # fmt: skip
    told = run("doctor", "project.yaml", code=1)
    problems = [line for line in told.splitlines() if line.startswith("PROBLEM")]
    assert len(problems) == 3 and "3 of its entries need mending" in told
    sources = {"reference": "UCSC", "annotation": "GENCODE", "backbone": "docs"}
    for line, (key, source) in zip(problems, sources.items(), strict=True):
        assert f"'{key}' names" in line and "isn't there" in line and source in line
