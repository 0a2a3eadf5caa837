from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from phenviz import open_world
from phenviz.errors import LocusError, ModelError, TargetError
from phenviz.genome import Locus
from phenviz.service.measured import open_cohort
from tests.toys import GENES


@pytest.fixture(scope="module")
def world():
    return open_world()


def _predicted(world, locus):
    """In another process, and another folder."""
    import os

    from phenviz.models.predict import predict

    os.chdir("/")
    return world.name, predict(world.locus(locus), world.reference, world.backbone)["activity"].values


@pytest.mark.parametrize("opened", [False, True], ids=["untouched", "used"])
def test_a_world_goes_to_the_processes_of_a_pool(toy_project, monkeypatch, opened):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from phenviz.models.predict import predict

    monkeypatch.chdir(toy_project.parent)
    world = open_world(toy_project.name)
    again = pickle.loads(pickle.dumps(world))
    assert again.project.path == toy_project and "backbone" not in again.__dict__
    if opened:
        assert world.annotation and world.backbone
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        name, found = pool.submit(_predicted, world, "ALPHA").result()
    direct = predict(world.locus("ALPHA"), world.reference, world.backbone)
    assert name == world.name
    np.testing.assert_allclose(found, direct["activity"], rtol=1e-5, atol=1e-6)


def test_opening_reads_nothing_heavy():
    """What the first second of every session waits for."""
    heavy = {"torch", "captum", "panel", "bokeh", "matplotlib", "sklearn"}
    code = f"import sys, phenviz; phenviz.open_world(); print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_embedded_world_is_all_of_chromosome_20(world):
    assert world.assembly == "GRCh37"
    assert world.reference.contigs == {"20": 63_025_520}
    assert len(world.contexts) == 24


@pytest.mark.parametrize(
    ("typed", "locus"),
    [
        ("chr20:42,984,160-42,985,160", Locus("20", 42_984_159, 42_985_160)),
        ("20:42.9M-43M", Locus("20", 42_899_999, 43_000_000)),
        ("chr20 1000001 1000200", Locus("20", 1_000_000, 1_000_200)),
        ("hnf4a", Locus("20", 43_029_923, 43_063_236, "+")),
        ("ENSG00000101076", Locus("20", 43_029_923, 43_063_236, "+")),
        ("ENSG00000101076.12", Locus("20", 43_029_923, 43_063_236, "+")),
        ("rs6116042", Locus("20", 3_776_467, 3_777_468)),
        ("chr20", Locus("20", 0, 63_025_520)),
    ],
)
def test_whatever_a_biologist_types_finds_its_locus(world, typed, locus):
    assert world.locus(typed) == locus


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "type a gene"),
        ("HNF4", "did you mean HNF4A"),
        ("chr7:100-200", "no contig"),
        ("chrX", "no contig 'chrX': it has chr20"),
        ("21", "no contig '21': it has chr20"),
        ("20:63M-64M", "ends at 63,025,520"),
        ("20:1-1000", "only N"),
        ("20:200-100", "reversed"),
        ("rs1", "not among the variants .* give its position instead, written like"),
    ],
)
def test_what_cannot_be_found_is_explained(world, typed, said):
    with pytest.raises(LocusError, match=said):
        world.locus(typed)


def test_a_gap_can_be_looked_at_but_not_worked_on(world):
    assert world.view("20:1-1000") == Locus("20", 0, 1_000)
    with pytest.raises(LocusError, match="ends at 63,025,520"):
        world.view("20:63M-64M")


def test_contexts_go_by_name_label_curie_and_group_in_the_model_s_order(world):
    assert [c.name for c in world.select_contexts(["mono", "CL:0000764"])] == ["Ery", "Mono"]
    assert [c.name for c in world.select_contexts(["CL:0000557"])] == ["GMP-A", "GMP-B", "GMP-C"]
    lymphoid = {c.name for c in world.select_contexts(["lymphoid"])}
    assert {"B", "CD4", "CD8", "NK"} <= lymphoid
    assert world.select_contexts(None) == world.contexts


def test_an_unknown_context_is_refused_with_the_known_ones(world):
    with pytest.raises(TargetError, match=r"no context 'liver'.*HSC.*NK"):
        world.select_contexts(["liver"])


def test_a_user_s_own_world_opens_and_predicts(toy_project):
    world = open_world(toy_project)
    assert (world.name, world.assembly) == ("toy", "toy1")
    assert world.locus("beta") == Locus("20", 8_500, 15_000, "-")
    assert [c.name for c in world.contexts] == ["Ery", "Mono", "B"]
    assert world.backbone.receptive_field
    assert world.readout is None
    assert world.peaks is None


def test_a_world_without_a_model_says_how_to_get_one(toy_project):
    text = toy_project.read_text().replace("checkpoint: toy.safetensors\n", "")
    (toy_project.parent / "bare.yaml").write_text(text)
    with pytest.raises(ModelError, match="set 'checkpoint'"):
        _ = open_world(toy_project.parent / "bare.yaml").backbone


def test_a_contig_is_the_one_typed_where_the_fasta_has_both_20_and_chr20(tmp_path):
    (tmp_path / "a.fa").write_text(">20\nAAAA\n>chr20\nCCCCCC\n")
    (tmp_path / "genes.chr20.tsv").write_text(GENES)
    project = tmp_path / "project.yaml"
    project.write_text("assembly: x\nreference: a.fa\nannotation: genes.chr20.tsv\n")
    both = open_world(project)
    for typed in ("20:1-4", "chr20:1-4", "chr20 2 4", "chr20"):
        assert both.locus(typed).contig == typed[:5].split(":")[0]


def test_people_of_the_carried_pack_join_the_embedded_ones_as_one_cohort():
    cohort = open_cohort(open_world())
    assert len(cohort) == 503 and cohort.samples["sample"].is_unique
    place = Locus("20", 3_189_000, 3_194_000)
    found = cohort.genotypes(place)
    # the same variants in both files: nobody lacks one for being of the other file
    assert len(found.variants) and (found.alleles >= 0).mean() > 0.99
