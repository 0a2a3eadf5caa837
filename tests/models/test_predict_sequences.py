"""Sequences that lie in no genome are predicted as contigs of their own."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import phenviz
from phenviz.cli import main
from phenviz.errors import PhenvizError, SequenceError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.genome.sequence_file import read_sequences_file
from phenviz.models.predict import predict
from phenviz.models.predict_sequences import predict_sequences
from phenviz.results import load
from phenviz.service import ModelService
from tests.phenformer_toys import GlobalToy

LENGTHS = {"short": 1, "bin": 128, "ragged": 1_500, "long": 30_001}


@pytest.fixture
def sequences():
    rng = np.random.default_rng(7)
    return {name: "A" + "".join(rng.choice(list("ACGTN"), length - 1)) for name, length in LENGTHS.items()}


@pytest.fixture
def fasta(sequences, tmp_path):
    path = tmp_path / "designed.fa"
    path.write_text("".join(f">{name} of ours\n{bases.lower()}\n" for name, bases in sequences.items()))
    return path


@pytest.mark.parametrize("window", [None, 2_048, 65_536], ids=str)
def test_each_is_what_a_contig_of_it_alone_would_be(toy_world, sequences, tmp_path, window):
    backbone = GlobalToy(toy_world.backbone, window=window).eval() if window else toy_world.backbone
    found = predict_sequences(sequences, backbone, contexts=["B", "Ery"])
    assert found["context"].values.tolist() == ["B", "Ery"]
    for name, bases in sequences.items():
        (tmp_path / f"{name}.fa").write_text(f">c\n{bases}\n")
        genome = ReferenceGenome(tmp_path / f"{name}.fa", assembly="x", cache_dir=tmp_path)
        own = found.isel(bin=found["sequence"].values == name)
        slow = predict(Locus("c", 0, len(bases)), genome, backbone, contexts=["B", "Ery"])
        np.testing.assert_allclose(own["activity"], slow["activity"], rtol=1e-5, atol=1e-6)
        assert own["start"].values.tolist() == slow["bin_start"].values.tolist()
        assert own["end"].values[-1] == len(bases)


def test_the_service_gives_the_same_in_any_chunks_and_stores_nothing(
    toy_project, fasta, tmp_path, monkeypatch
):
    world = phenviz.open_world(toy_project)
    direct = predict_sequences(read_sequences_file(fasta), world.backbone)
    for size in (1, 2_000, 2**18):
        monkeypatch.setattr("phenviz.service.sequences.CHUNK_BASES", size)
        with ModelService(world, "cpu", store=tmp_path / "store") as service:
            found = service.predict_sequences(fasta)
            np.testing.assert_allclose(found["activity"], direct["activity"], rtol=1e-5, atol=1e-6)
            assert found["sequence"].values.tolist() == direct["sequence"].values.tolist()
            assert found.attrs == direct.attrs
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.suffix == ".nc"]


@pytest.mark.parametrize("suffix", [".tsv", ".parquet", ".nc", ".h5ad"])
def test_command_writes_names_instead_of_contigs(toy_project, sequences, fasta, tmp_path, suffix):
    if suffix == ".h5ad":
        anndata = pytest.importorskip("anndata")
    out = tmp_path / f"out{suffix}"
    done = CliRunner().invoke(
        main, ["predict", "--sequences", str(fasta), "-o", str(out), "--world", str(toy_project)]
    )
    assert done.exit_code == 0, done.output
    whole = predict_sequences(sequences, phenviz.open_world(toy_project).backbone)
    names = whole["sequence"].values.tolist()
    if suffix == ".tsv":
        table = pd.read_csv(out, sep="\t", keep_default_na=False)
        assert table.columns.tolist() == ["sequence", "start", "end", *whole["context"].values]
        assert table["sequence"].tolist() == names
        np.testing.assert_allclose(table["Ery"], whole["activity"].sel(context="Ery"), rtol=1e-4)
    elif suffix == ".h5ad":
        table = anndata.read_h5ad(out)
        assert table.obs["sequence"].astype(str).tolist() == names
        np.testing.assert_allclose(table.X, whole["activity"].T, rtol=1e-4)
    else:
        found = load(out)
        assert found["sequence"].values.astype(str).tolist() == names
        np.testing.assert_allclose(found["activity"], whole["activity"], rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "hold no sequence"),
        ("ACGT\n", "line 1: no '>name' before it"),
        (">a\nACGT\n>a\nAC\n", "line 3: a second sequence named 'a'"),
        (">a\nACGT\nAC-T\n", "line 3: '-' is no base"),
        (">a\n>b\nAC\n", "a is empty"),
        (">\nAC\n", "line 1: a header without a name"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "x.fa").write_text(text)
    with pytest.raises(SequenceError, match=said):
        read_sequences_file(tmp_path / "x.fa")


def test_gzip_rna_and_blank_lines_are_read(tmp_path):
    with gzip.open(tmp_path / "x.fa.gz", "wt") as file:
        file.write(">a b\n\nacgu\nNN\n")
    assert read_sequences_file(tmp_path / "x.fa.gz") == {"a": "ACGTNN"}
    (tmp_path / "bad.fa").write_bytes(b"\xff\xfe>a")
    with pytest.raises(PhenvizError, match="can't be read"):
        read_sequences_file(tmp_path / "bad.fa")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what is predicted"),
        (["ALPHA", "--sequences", "x.fa"], "leave LOCUS out"),
        (["--sequences", "x.fa", "--sample", "ann"], "leave --sample out"),
    ],
)
def test_a_genome_and_sequences_dont_go_together(words, said, tmp_path):
    done = CliRunner().invoke(main, ["predict", *words, "-o", str(tmp_path / "x.nc")])
    assert done.exit_code == 2 and said in done.output
    done = CliRunner().invoke(main, ["predict", "--sequences", "x.fa", "-o", str(tmp_path / "x.bw")])
    assert done.exit_code == 2 and "x.bw can't hold sequences that lie in no genome" in done.output
