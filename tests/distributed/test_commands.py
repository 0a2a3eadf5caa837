"""Commands whose work is cut into shards give, bit for bit, what one process gives."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.distributed import cohort_tokens, people_expression, variant_effects
from phenviz.effects import annotate, personal_expression, predict_expression
from phenviz.results import load
from phenviz.results.tokens import TokenStore
from phenviz.service import cohort
from phenviz.variation import open_individuals
from phenviz.world import open_world
from tests.disease.cohort import toys
from tests.effects.toys import write_people

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return toys.cohort_project(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def people(tmp_path_factory, project):
    return toys.simulate(tmp_path_factory.mktemp("people") / "cohort", project)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(cohort, "GENES_TOGETHER", 2)
    monkeypatch.setattr(cohort_tokens, "SHARD_SECONDS", 0.0)
    monkeypatch.setattr(variant_effects, "SHARD_SECONDS", 0.0)


def ask(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def embed(people, project, output, *words):
    done = ask("cohort", "embed", people, "-o", output, "--window", toys.WINDOW, "--world", project,
               "--device", "cpu", *words)  # fmt: skip
    assert done.exit_code == 0, done.output
    return done


def same_tokens(one, two, rounding=False):
    """Compare two stores; with ``rounding``, numbers may lie one step of half precision apart.

    Exact tokens of some people are read in other batches than those of all, and on some processors the last
    bit of a sum in single precision depends on the batch: 1 of 100 numbers is then rounded otherwise.
    """
    one, two = TokenStore(one), TokenStore(two)
    assert (one.samples, one.genes, one.features, one.attrs) == (
        two.samples,
        two.genes,
        two.features,
        two.attrs,
    )
    for name in ("difference", "scale", "reference"):
        first, second = getattr(one.read(), name), getattr(two.read(), name)
        if rounding:
            np.testing.assert_allclose(second, first, rtol=2**-10, atol=1e-4 * np.abs(first).max())
            assert (first != second).mean() < 0.05
        else:
            np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("words", "together"),
    [((), 100), (("--haplotypes", "pair"), 100), (("--exact",), 240), (("--exact",), 100)],
    ids=str,
)
def test_tokens_in_shards_are_those_of_one_process(people, project, tmp_path, monkeypatch, words, together):
    monkeypatch.setattr(cohort_tokens, "PEOPLE_TOGETHER", together)
    embed(people, project, tmp_path / "one.zarr", *words)
    for number in (1, 2):
        told = embed(people, project, tmp_path / "two.zarr", *words, "--shard", f"{number}/2")
        assert not (tmp_path / "two.zarr").exists() and "shards computed" in told.output
    joined = embed(
        people, project, tmp_path / "two.zarr", *words, "--shards-at", tmp_path / "two.zarr.shards"
    )
    assert "0 of " in joined.output and "were there already" in joined.output
    same_tokens(tmp_path / "one.zarr", tmp_path / "two.zarr", rounding="--exact" in words and together < 240)
    again = embed(people, project, tmp_path / "two.zarr", *words, "--shards-at", tmp_path / "two.zarr.shards")
    assert "0 shards computed" in again.output


def test_tokens_of_two_workers_are_those_of_one_process(people, project, tmp_path, monkeypatch):
    # workers are processes of their own, with the constants of the code
    monkeypatch.setattr(cohort, "GENES_TOGETHER", 16)
    monkeypatch.setattr(cohort_tokens, "PEOPLE_TOGETHER", 60)
    embed(people, project, tmp_path / "one.zarr")
    embed(people, project, tmp_path / "two.zarr", "--scheduler", "local:2")
    same_tokens(tmp_path / "one.zarr", tmp_path / "two.zarr")
    manifest = pd.read_parquet(next((tmp_path / "two.zarr.shards").glob("*/manifest.parquet")))
    names = pd.read_parquet(people / "people.parquet")["sample"]
    assert not any(name in manifest.to_csv() for name in names)


def test_effects_of_variants_in_shards_are_those_of_one_process(project, tmp_path, monkeypatch):
    monkeypatch.setattr(annotate, "CHUNK", 40)
    source = tmp_path / "calls.vcf"
    write_people(source, open_world(project).reference, 3, count=150)
    common = ("--world", project, "--device", "cpu")
    one = ask("variants", source, "-o", tmp_path / "one.tsv", *common)
    for number in (1, 2, 3):
        done = ask("variants", source, "-o", tmp_path / "two.tsv", *common, "--shard", f"{number}/3")
        assert done.exit_code == 0 and not (tmp_path / "two.tsv").exists(), done.output
    place = ("--shards-at", tmp_path / "two.tsv.shards")
    two = ask("variants", source, "-o", tmp_path / "two.tsv", *common, *place)
    assert one.exit_code == two.exit_code == 0, two.output
    assert (tmp_path / "one.tsv").read_bytes() == (tmp_path / "two.tsv").read_bytes()
    assert all(line in two.output for line in one.output.splitlines()[:-1])
    assert "0 shards computed" in ask("variants", source, "-o", tmp_path / "two.tsv", *common, *place).output
    # nothing about the people stays but the table that was asked for
    left = [path.name for path in (tmp_path / "two.tsv.shards").rglob("*.zarr")]
    assert left == []
    (tmp_path / "two.tsv").unlink()
    assert ask("variants", source, "-o", tmp_path / "two.tsv", *common, *place).exit_code == 0
    assert (tmp_path / "one.tsv").read_bytes() == (tmp_path / "two.tsv").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--scheduler", "pbs"), "choose none, local"),
        (("--shard", "3/2"), "write K/N"),
        (("--shard", "0/2"), "write K/N"),
        (("--shard", "two"), "write K/N"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(words, told):
    done = ask("variants", "nowhere.vcf", "-o", "x.tsv", *words)
    assert done.exit_code == 2 and told in " ".join(done.output.split())


def test_only_tables_are_written_in_shards(project, tmp_path):
    (tmp_path / "a.tsv").write_text("contig\tposition\tref\talt\n20\t100\tA\tC\n")
    for output in ("x.vcf", "x.svg"):
        done = ask(
            "variants", tmp_path / "a.tsv", "-o", tmp_path / output, "--shard", "1/2", "--world", project
        )
        assert done.exit_code == 2 and "OUT is a table" in done.output


@pytest.fixture(scope="module")
def genotypes(tmp_path_factory, project):
    path = tmp_path_factory.mktemp("vcf") / "people.vcf"
    write_people(path, open_world(project).reference, 3, count=60)
    return path


def express(genotypes, project, output, samples, *words):
    folder = output.parent
    (folder / "genes.txt").write_text("# mine\nALPHA\n\nBETA\nALPHA\n")
    (folder / "people.txt").write_text("\n".join(samples) + "\n")
    done = ask("expression", genotypes, "--genes", folder / "genes.txt", "--samples", folder / "people.txt",
               "-o", output, "--world", project, "--device", "cpu", *words)  # fmt: skip
    assert done.exit_code == 0, done.output
    return done


def test_expression_of_many_is_that_of_each(genotypes, project, tmp_path, monkeypatch):
    monkeypatch.setattr(people_expression, "PEOPLE_TOGETHER", 2)
    world = open_world(project)
    names = open_individuals(genotypes, world.reference).samples["sample"].tolist()[:3]
    express(genotypes, project, tmp_path / "x.zarr", names)
    found = load(tmp_path / "x.zarr")
    assert found["gene"].values.tolist() == ["ALPHA", "BETA"] and found["individual"].values.tolist() == names
    plain = predict_expression(
        open_individuals(genotypes, world.reference), ["ALPHA", "BETA"], world.annotation, world.reference,
        world.backbone, world.readout, samples=names,
    )  # fmt: skip
    np.testing.assert_allclose(found["expression"], plain["expression"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["variants"], plain["variants"])


def test_one_person_more_or_less_computes_nothing_but_what_is_new(genotypes, project, tmp_path, monkeypatch):
    names = open_individuals(genotypes, open_world(project).reference).samples["sample"].tolist()
    express(genotypes, project, tmp_path / "x.zarr", names[:-1])
    before = load(tmp_path / "x.zarr")
    seen, usual = [], personal_expression._Model._sums

    def counting(self, site, edits, *rest):
        seen.append(len(edits))
        return usual(self, site, edits, *rest)

    monkeypatch.setattr(personal_expression._Model, "_sums", counting)
    express(genotypes, project, tmp_path / "x.zarr", names)
    more = load(tmp_path / "x.zarr")
    assert all(0 < new <= 2 for new in seen)
    np.testing.assert_array_equal(more["expression"][: len(names) - 1], before["expression"])
    seen.clear()
    express(genotypes, project, tmp_path / "x.zarr", names[1:])
    assert seen == []
    np.testing.assert_array_equal(load(tmp_path / "x.zarr")["expression"], more["expression"][1:])
    # who they are isn't kept with them
    kept = b"".join(path.read_bytes() for path in (tmp_path / "x.zarr.haplotypes").rglob("*.npz"))
    assert not any(name.encode() in kept for name in names)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "names no genes"), ("ALPHA\tx\n", "line 1.*several columns"), ("NOSUCH\n", "NOSUCH")],
)
def test_a_wrong_list_of_genes_is_told(genotypes, project, tmp_path, text, told):
    (tmp_path / "genes.txt").write_text(text)
    done = ask("expression", genotypes, "--genes", tmp_path / "genes.txt", "-o", tmp_path / "x.nc",
               "--world", project)  # fmt: skip
    assert done.exit_code == 1 and re.search(told, done.output) and "Traceback" not in done.output
