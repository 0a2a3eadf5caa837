"""``predict`` and ``measured`` in shards write, byte for byte, what one process writes."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.distributed import ShardFolder, locus_prediction, measured_people
from phenviz.distributed.locus_prediction import PredictionTask
from phenviz.distributed.world_address import WorldAddress
from phenviz.results import load
from phenviz.service import standard
from phenviz.world import open_world
from tests.measured_toys import SAMPLES, write_many, write_measured
from tests.service.test_trait import project_with
from tests.toys import toy_project

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(standard, "PREDICT_CHUNK", 4_096)
    monkeypatch.setattr(locus_prediction, "SHARD_SECONDS", 1e-6)
    monkeypatch.setattr(measured_people, "SHARD_SECONDS", 0.0)


def ask(*words):
    return CliRunner().invoke(main, [*map(str, words), "--device", "cpu"])


def count_of(output):
    return int(re.search(r"of (\d+) shards", output)[1])


def in_shards(output, *words, processes=2):
    """Let several processes do their shards, and one join them; return what it said."""
    for number in range(processes):
        done = ask(*words, "-o", output, "--shard", f"{number + 1}/{processes}")
        assert done.exit_code == 0 and not output.exists(), done.output
    joined = ask(*words, "-o", output, "--shards-at", f"{output}.shards")
    assert joined.exit_code == 0, joined.output
    assert joined.output.splitlines()[0].startswith(f"0 of {count_of(joined.output)} shards computed")
    return joined


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return toy_project(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def gapped(tmp_path_factory):
    """A world whose contig has no known base at its beginning, at its end, and in between."""
    project = toy_project(tmp_path_factory.mktemp("gapped"))
    fasta = next(path for path in project.parent.iterdir() if path.suffix == ".fa")
    head, *lines = fasta.read_text().splitlines()
    bases, width = "".join(lines), len(lines[0])
    for start, end in ((0, 9_000), (20_000, 34_000), (40_000, len(bases))):
        bases = bases[:start] + "N" * (end - start) + bases[end:]
    cut = [bases[at : at + width] for at in range(0, len(bases), width)]
    fasta.write_text("\n".join([head, *cut]) + "\n")
    return project


@pytest.mark.parametrize(
    ("locus", "suffix"),
    [("20", ".zarr"), ("20:1001-30000", ".parquet"), ("20:8200-8300", ".zarr"), ("ALPHA", ".bed")],
)
def test_a_prediction_in_shards_is_that_of_one_process(project, tmp_path, monkeypatch, locus, suffix):
    words = ("predict", locus, "--world", project)
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    assert ask(*words, "-o", one).exit_code == 0
    # so that nothing of it is read from the store
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    joined = in_shards(two, *words)
    assert count_of(joined.output) == {"20": 13, "20:1001-30000": 8, "20:8200-8300": 1, "ALPHA": 2}[locus]
    if suffix == ".bed":
        assert one.read_bytes() == two.read_bytes()
    else:
        expected, found = load(one), load(two)
        np.testing.assert_array_equal(found["activity"], expected["activity"])
        assert found.identical(expected)
    assert "0 shards computed" in ask(*words, "-o", two, "--shards-at", f"{two}.shards").output


@pytest.mark.parametrize(
    ("seconds", "chunks"), [(0, [13]), (31, [7, 6]), (100, [4, 4, 4, 1]), (9_000, 13 * [1])]
)
def test_shards_of_a_prediction_are_as_long_as_each_other(project, tmp_path, monkeypatch, seconds, chunks):
    monkeypatch.setattr(locus_prediction, "SHARD_SECONDS", 30.0)
    opened = PredictionTask(WorldAddress(project), "20", device="cpu").open()
    monkeypatch.setattr(opened.service, "estimate", lambda *_, **__: SimpleNamespace(seconds=seconds))
    folder = ShardFolder(tmp_path / "x.shards", opened.identity)
    folder.prepare()
    shards = opened.shards(folder)
    opened.close()
    assert [-(-shard.content.length // 4_096) for shard in shards] == chunks
    assert shards[0].content.start == 0 and shards[-1].content.end == opened.locus.end
    # whatever this machine learns about its speed afterwards
    monkeypatch.setattr(opened, "_chunks_together", lambda: 2)
    assert [shard.name for shard in opened.shards(folder)] == [shard.name for shard in shards]


@pytest.mark.parametrize("locus", ["20", "20:5001-36000", "20:33001-41000"])
def test_a_gap_goes_with_the_shard_beside_it(gapped, tmp_path, monkeypatch, locus):
    words = ("predict", locus, "--world", gapped)
    assert ask(*words, "-o", tmp_path / "one.zarr").exit_code == 0
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    joined = in_shards(tmp_path / "two.zarr", *words)
    assert count_of(joined.output) < 9
    assert load(tmp_path / "two.zarr").identical(load(tmp_path / "one.zarr"))


def test_one_bigwig_per_context_is_known_as_joined_until_one_is_removed(project, tmp_path):
    words = ("predict", "20:1-20000", "--world", project)
    files = in_shards(tmp_path / "x.bw", *words).output.splitlines()[1:]
    assert len(files) > 1
    place = ("-o", tmp_path / "x.bw", "--shards-at", f"{tmp_path / 'x.bw'}.shards")
    assert "0 shards computed" in ask(*words, *place).output
    before = [Path(path).read_bytes() for path in files]
    Path(files[0]).unlink()
    assert "5 of 5 shards computed" in ask(*words, *place).output
    assert [Path(path).read_bytes() for path in files] == before


@pytest.mark.parametrize("words", [("--sample", "x"), ("--vcf", "x.vcf")])
def test_only_the_reference_is_cut_into_shards(project, tmp_path, words):
    done = ask("predict", "20", "-o", tmp_path / "x.zarr", "--world", project, "--shard", "1/2", *words)
    assert done.exit_code == 2 and "only LOCUS of the reference" in done.output


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    project = project_with(folder)
    dosages = write_many(folder / "people.vcf", open_world(project).reference)
    table = write_measured(folder / "expression.tsv", dosages)
    one = folder / "one.tsv"
    pd.read_csv(table, sep="\t", index_col=0).drop(columns="population").to_csv(one, sep="\t")
    return project, folder / "people.vcf", table, one


@pytest.mark.parametrize("populations", [2, 1])
@pytest.mark.parametrize("suffix", [".tsv", ".zarr"])
def test_measured_in_shards_is_that_of_one_process(measured, tmp_path, populations, suffix):
    project, people, two_populations, one_population = measured
    table = two_populations if populations == 2 else one_population
    words = ("measured", "--table", table, "--individuals", people, "--world", project)
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    alone = ask(*words, "-o", one)
    joined = in_shards(two, *words)
    assert count_of(joined.output) == 2
    # the same is said, and the same is written
    assert joined.output.splitlines()[1:-1] == alone.output.splitlines()[:-1]
    if suffix == ".tsv":
        assert one.read_bytes() == two.read_bytes()
    else:
        assert load(two).identical(load(one))


def test_shards_of_measured_hold_nothing_about_a_person(measured, tmp_path):
    project, people, table, _ = measured
    output = tmp_path / "x.tsv"
    done = ask("measured", "--table", table, "--individuals", people, "--world", project, "-o", output,
               "--shard", "1/1")  # fmt: skip
    assert done.exit_code == 0, done.output
    kept = [path for path in (tmp_path / "x.tsv.shards").rglob("*") if path.is_file()]
    assert len(kept) > 4
    assert not any(name.encode() in path.read_bytes() for path in kept for name in SAMPLES)
    for store in (tmp_path / "x.tsv.shards").rglob("genes-*.zarr"):
        assert "individual" not in load(store).sizes
