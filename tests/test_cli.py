from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

from phenviz.attribution import ablate
from phenviz.cli import main
from phenviz.world import open_world
from tests.data.conftest import toy_pack  # noqa: F401  (a fixture)
from tests.toys import write_fasta


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    monkeypatch.delenv("PHENVIZ_MIRROR", raising=False)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def fails(*arguments, status=1):
    result = run(*arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    if status == 1:
        assert result.stderr.startswith("phenviz: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_predict_writes_the_bins_of_a_gene_in_all_contexts(toy_project, tmp_path):
    result = run("predict", "alpha", "--world", toy_project, "-o", tmp_path / "alpha.nc")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "alpha.nc")
    dataset = xr.load_dataset(tmp_path / "alpha.nc", engine="h5netcdf")
    assert dataset["activity"].sizes["context"] == 3
    assert (dataset.attrs["start"], dataset.attrs["end"]) == (6000, 9000)


def test_positions_on_the_command_line_count_from_1_and_include_the_last(toy_project, tmp_path):
    out = tmp_path / "ism.nc"
    result = run("mutagenesis", "chr20:1,001-1,020", "--context", "Ery", "--world", toy_project, "-o", out)
    assert result.exit_code == 0, result.output
    dataset = xr.load_dataset(out, engine="h5netcdf")
    assert dataset["position"].values.tolist() == list(range(1001, 1021))


@pytest.mark.parametrize("name", ["Mono", "monocyte", "CL:0000576", "myeloid"])
def test_a_context_goes_by_name_label_term_or_group(toy_project, tmp_path, name):
    out = tmp_path / "one.nc"
    assert run("predict", "20:2001-3000", "--context", name, "--world", toy_project, "-o", out).exit_code == 0
    assert xr.load_dataset(out, engine="h5netcdf")["context"].values.tolist() == ["Mono"]


def test_bigwigs_come_one_a_context(toy_project, tmp_path):
    result = run("predict", "20:2001-3000", "--world", toy_project, "-o", tmp_path / "all.bw")
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(tmp_path / f"all.{name}.bw") for name in ("Ery", "Mono", "B")]


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_a_figure_suffix_draws_the_result(toy_project, tmp_path, suffix):
    out = tmp_path / f"alpha{suffix}"
    result = run("predict", "ALPHA", "--world", toy_project, "-o", out)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 1000


@pytest.mark.parametrize("method", ["integrated-gradients", "saliency"])
def test_attribute_explains_a_context_over_a_locus(toy_project, tmp_path, method):
    out = tmp_path / "why.nc"
    steps = ("--steps", "8") if method == "integrated-gradients" else ()
    result = run(
        *("attribute", "20:1001-1300", "--context", "B", "--method", method, *steps),
        *("--world", toy_project, "-o", out),
    )
    assert result.exit_code == 0, result.output
    dataset = xr.load_dataset(out, engine="h5netcdf")
    assert dataset["attribution"].sizes["position"] == 300
    assert np.isfinite(dataset["attribution"].values).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (
                "attribute",
                "ALPHA",
                "--context",
                "B",
                "--method",
                "saliency",
                "--steps",
                "8",
                "--baselines",
                "2",
            ),
            "leave --steps and --baselines out: saliency is one gradient",
        ),
        (("ablate", "20:1001-1050", "--by", "N", "--shuffles", "5"), "leave --shuffles out: with --by N"),
    ],
)
def test_options_that_would_mean_nothing_are_refused(toy_project, tmp_path, arguments, said):
    result = run(*arguments, "--world", toy_project, "-o", tmp_path / "out.nc")
    assert result.exit_code == 2 and said in " ".join(result.stderr.split())


def test_another_fasta_of_the_assembly_changes_the_bases(toy_project, tmp_path):
    other = write_fasta(tmp_path / "other.fa", seed=1)
    for name, more in (("own", ()), ("other", ("--reference", other))):
        result = run("predict", "20:2001-3000", "--world", toy_project, "-o", tmp_path / f"{name}.nc", *more)
        assert result.exit_code == 0, result.output
    own, changed = (xr.load_dataset(tmp_path / f"{name}.nc", engine="h5netcdf") for name in ("own", "other"))
    assert not np.allclose(own["activity"], changed["activity"])


def test_a_fasta_of_another_assembly_is_refused(toy_project, tmp_path):
    (tmp_path / "short.fa").write_text(">chr20\nACGT\n")
    (tmp_path / "none.fa").write_text(">chrX\nACGT\n")
    arguments = ("predict", "ALPHA", "--world", toy_project, "-o", tmp_path / "a.nc", "--reference")
    assert "chr20 has 4 bases" in fails(*arguments, tmp_path / "short.fa")
    assert "shares no contig" in fails(*arguments, tmp_path / "none.fa")
    assert "is missing" in fails(*arguments, tmp_path / "nowhere.fa")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "ALPHQ"), "did you mean ALPHA"),
        (("predict", "20:60,000-60,100"), "ends at 50,021"),
        (("predict", "20:200-100"), "reversed"),
        (("predict", "ALPHA", "--context", "Neuron"), "no context 'Neuron'"),
        (("predict", "ALPHA", "--device", "cuda:7"), "device 'cuda:7' isn't available"),
        (("mutagenesis", "20:1001-1010", "--gene", "ALPHA"), "needs a gene readout"),
    ],
)
def test_a_failure_is_one_line_that_names_cause_and_fix(toy_project, tmp_path, arguments, said):
    assert said in fails(*arguments, "--world", toy_project, "-o", tmp_path / "out.nc")
    assert not (tmp_path / "out.nc").exists()


@pytest.mark.parametrize("name", ["out.foo", "out", "nowhere/out.nc"])
def test_an_output_that_can_not_be_written_is_refused_before_computing(tmp_path, monkeypatch, name):
    def never(*_):
        raise AssertionError("computed")

    monkeypatch.setattr("phenviz.cli.compute.compute", never)
    said = fails("predict", "ALPHA", "-o", tmp_path / name, status=2)
    assert "'-o' / '--output'" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "ALPHA"),
        ("predict",),
        ("attribute", "ALPHA", "-o", "a.nc"),
        ("attribute", "ALPHA", "-o", "a.nc", "--context", "Ery", "--steps", "0"),
        ("serve", "--port", "70000"),
        ("data", "fetch"),
        ("dance",),
    ],
)
def test_wrong_usage_ends_with_status_2(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert "Usage:" in fails(*arguments, status=2)


def test_a_wrong_project_is_named_with_its_line(tmp_path):
    (tmp_path / "project.yaml").write_text("assembly: x\nreferense: y\n")
    said = fails("predict", "A", "--world", tmp_path / "project.yaml", "-o", tmp_path / "a.nc")
    assert "line 2: 'referense'" in said


def test_debug_shows_the_traceback(toy_project, tmp_path):
    result = run("predict", "ALPHQ", "--world", toy_project, "-o", tmp_path / "a.nc", "--debug")
    assert result.exit_code == 1
    assert type(result.exception).__name__ == "LocusError"


def test_a_bug_is_one_line_too(tmp_path, monkeypatch):
    def breaks(*_):
        raise KeyError("shape")

    monkeypatch.setattr("phenviz.world.open_world", breaks)
    assert "unexpected KeyError: 'shape' (this is a bug" in fails("doctor")


def test_data_packs_are_listed_fetched_and_verified(toy_pack, own_cache):  # noqa: F811
    assert "toy-pack" in run("data", "list").stdout
    fetched = run("data", "fetch", "toy-pack", "--mirror", toy_pack)
    assert fetched.exit_code == 0, fetched.output
    assert fetched.stdout.strip().endswith("toy-pack")
    assert " here " in run("data", "list").stdout
    assert "files are whole" in run("data", "verify").stdout


def test_verify_names_what_is_damaged_and_how_to_mend_it(toy_pack, own_cache, tmp_path):  # noqa: F811
    run("data", "fetch", "toy-pack", "--mirror", toy_pack)
    (tmp_path / "cache" / "packs" / "toy-pack" / "notes" / "README.txt").write_text("other\n")
    result = run("data", "verify")
    assert result.exit_code == 1
    assert "README.txt: 6 bytes instead of 8" in result.stdout
    assert "run `phenviz data fetch toy-pack`" in result.stderr


def test_an_unknown_pack_is_said_before_anything_is_fetched(toy_pack, own_cache, tmp_path):  # noqa: F811
    assert "did you mean toy-pack" in fails("data", "fetch", "toy-pack", "toy-pakk", "--mirror", toy_pack)
    assert not (tmp_path / "cache" / "packs").exists()


def test_doctor_fits_on_one_screen(toy_project, own_cache):
    result = run("doctor", "--world", toy_project)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) <= 24
    named = {line.split()[0] for line in lines}
    assert {"phenviz", "libraries", "device", "world", "model", "memory", "cache", "packs"} <= named


def test_doctor_goes_on_after_a_problem_and_says_how_many(toy_project, own_cache):
    (toy_project.parent / "no_model.yaml").write_text(
        "\n".join(line for line in toy_project.read_text().splitlines() if "checkpoint" not in line)
    )
    result = run("doctor", "--world", toy_project.parent / "no_model.yaml")
    assert result.exit_code == 1
    assert "PROBLEM" in result.stdout and "packs" in result.stdout
    assert "1 of 18 checks failed" in result.stderr


def test_training_is_asked_for_with_the_parts_of_the_world(toy_project, own_cache, tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "phenviz.models.training.train_backbone", lambda out, **how: asked.update(how) or tmp_path / out
    )
    (toy_project.parent / "Ery.narrowPeak").touch()
    project = toy_project.parent / "peaks.yaml"
    project.write_text(toy_project.read_text() + "peaks: {Ery: Ery.narrowPeak}\n")
    result = run(
        *("train", "backbone", "--world", project, "-o", tmp_path / "new.safetensors", "--epochs", "2"),
        *("--validation", "chr20:1,001-2,000", "--test", "20:5001-6000"),
    )
    assert result.exit_code == 0, result.output
    assert asked["peaks"] == {"Ery": toy_project.parent / "Ery.narrowPeak"}
    config = asked["config"]
    assert (config.validation, config.test) == ((("20", 1000, 2000),), (("20", 5000, 6000),))
    assert (config.name, config.contigs) == ("new", ())
    assert (config.epochs, config.student_epochs, asked["resume"]) == (2, 2, True)


def test_training_says_which_pack_is_missing(own_cache, tmp_path):
    out = tmp_path / "new.safetensors"
    assert "phenviz data fetch blood16-atac" in fails("train", "backbone", "-o", out)
    assert "phenviz data fetch blood16-rna" in fails("train", "readout", "-o", out)


@pytest.mark.parametrize(
    "arguments",
    [("-o", "new.pt"), ("-o", "nowhere/new.safetensors"), ("-o", "new.safetensors", "--test", "HNF4A")],
)
def test_training_refuses_wrong_options_before_it_begins(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    fails("train", "backbone", *arguments, status=2)


def test_serve_opens_the_world_on_the_port_asked_for(toy_project, monkeypatch):
    asked = {}
    # the room has a function of the module's name
    module = importlib.import_module("phenviz.app.shell.serve")
    monkeypatch.setattr(module, "serve", lambda world, **how: asked.update(how, world=world.name))
    result = run("serve", "--world", toy_project, "--port", "0", "--no-browser", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert asked == {"world": "toy", "device": "cpu", "port": 0, "show": False, "files": None}


def test_the_installed_program_says_its_version_and_fails_in_one_line(tmp_path):
    command = [sys.executable, "-m", "phenviz"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True)
    assert version.returncode == 0 and version.stdout.startswith("phenviz, version ")
    failed = subprocess.run(
        [*command, "data", "fetch", "no-such-pack"], capture_output=True, text=True, cwd=tmp_path
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("phenviz: ") and failed.stderr.count("\n") == 1


def test_ablate_scores_each_locus_as_the_function_does(toy_project, tmp_path):
    out = tmp_path / "ablated.parquet"
    loci = ("chr20:1,001-1,040", "chr20:6,001-6,020")
    done = run("ablate", *loci, "--context", "Mono", "--seed", 4, "--world", toy_project, "-o", out)
    assert done.exit_code == 0, done.output
    world = open_world(toy_project)
    expected = ablate(
        [world.locus(text) for text in loci], world.reference, world.backbone, contexts=["Mono"],
        rng=np.random.default_rng(4),
    )  # fmt: skip
    np.testing.assert_allclose(pd.read_parquet(out)["effect"], expected.effect.values[:, 0], rtol=1e-5)


def test_marginalize_takes_jaspar_names_and_bases(toy_project, tmp_path):
    out = tmp_path / "motifs.nc"
    words = ("gata1", "mine=AGATAAGG", "acgt")
    done = run("marginalize", *words, "--backgrounds", 5, "--world", toy_project, "-o", out)
    assert done.exit_code == 0, done.output
    found = xr.load_dataset(out, engine="h5netcdf")
    assert found["motif"].values.tolist() == ["GATA1", "mine", "ACGT"]
    assert found["motif_id"].values.tolist() == ["MA0035.5", "", ""]
    assert found["sequence"].values[1:].tolist() == ["AGATAAGG", "ACGT"]
    assert found["difference"].shape == (3, 3) and found.attrs["n_backgrounds"] == 5


@pytest.mark.parametrize("word", ["NOBODY9", "mine=ACGX", "mine="])
def test_what_is_no_motif_is_refused_in_words(toy_project, tmp_path, word):
    error = fails("marginalize", word, "--world", toy_project, "-o", tmp_path / "m.nc")
    assert repr(word) in error and "GATA1, or NAME=SEQUENCE" in error


def test_motifs_that_share_a_name_are_told_apart_by_accession(toy_project, tmp_path):
    out = tmp_path / "motifs.parquet"
    error = fails("marginalize", "JUN", "--world", toy_project, "-o", out)
    assert "'JUN' is the name of 2 motifs" in error and "MA0488.2, MA0489.1" in error
    done = run("marginalize", "MA0488.2", "ma0489", "--backgrounds", 3, "--world", toy_project, "-o", out)
    assert done.exit_code == 0, done.output
    found = pd.read_parquet(out).drop_duplicates("motif")
    assert found["motif"].tolist() == ["JUN (MA0488.2)", "JUN (MA0489.1)"]
    assert found["motif_id"].tolist() == ["MA0488.2", "MA0489.1"]


def test_two_sequences_of_one_name_are_refused(toy_project, tmp_path):
    error = fails("marginalize", "GATA1", "GATA1=ACGT", "--world", toy_project, "-o", tmp_path / "m.nc")
    assert "'GATA1' names two of the motifs" in error


def test_edits_of_elements_are_no_tracks(toy_project, tmp_path):
    error = fails("ablate", "ALPHA", "--world", toy_project, "-o", tmp_path / "a.bw", status=2)
    assert ".nc .zarr .parquet" in error


@pytest.mark.parametrize("command", ["predict", "personal", "expression", "measured", "ablate"])
def test_a_seed_below_zero_is_refused_before_anything_is_read(command):
    assert "Invalid value for '--seed': -1" in fails(command, "--seed", "-1", status=2)
