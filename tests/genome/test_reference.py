from __future__ import annotations

import gzip
import os

import numpy as np
import pytest
from Bio import bgzf
from hypothesis import given, settings
from hypothesis import strategies as st

from phenviz.errors import LocusError, SequenceError
from phenviz.genome import Locus, ReferenceGenome
from tests.toys import CONTIGS, GAP, write_fasta


def _plain_sequence(path, contig):
    records = path.read_text().split(">")[1:]
    return {r.split("\n")[0]: "".join(r.split("\n")[1:]) for r in records}[contig]


def test_sequence_and_codes_are_those_of_the_file(toy_world):
    whole = _plain_sequence(toy_world.reference.path, "20")
    assert toy_world.reference.sequence(Locus("20", 0, CONTIGS["20"])) == whole
    assert toy_world.reference.sequence(Locus("chr20", 1_234, 1_300)) == whole[1_234:1_300]


@settings(max_examples=50)
@given(st.integers(-3_000, 52_000), st.integers(1, 3_000))
def test_what_overhangs_the_contig_is_n(toy_world, start, length):
    codes = toy_world.reference.fetch_codes("20", start, start + length)
    whole = np.asarray(toy_world.reference.codes("20"))
    expected = [whole[i] if 0 <= i < len(whole) else 4 for i in range(start, start + length)]
    np.testing.assert_array_equal(codes, expected)


def test_chr20_and_20_are_the_same_contig(toy_world):
    assert toy_world.reference.check(Locus("chr20", 1_000, 2_000)) == Locus("20", 1_000, 2_000)


@pytest.mark.parametrize(
    ("locus", "said"),
    [
        (Locus("5", 0, 10), "no contig '5'.*chr20"),
        (Locus("20", 50_000, 60_000), "ends at 50,021"),
        (Locus("20", *GAP), "only N"),
    ],
)
def test_a_locus_that_cannot_be_worked_on_is_refused_in_words(toy_world, locus, said):
    with pytest.raises(LocusError, match=said):
        toy_world.reference.check(locus)


def test_a_bgzip_reference_reads_like_the_plain_one(tmp_path):
    plain = write_fasta(tmp_path / "a.fa")
    with bgzf.open(str(tmp_path / "b.fa.gz"), "wb") as out:
        out.write(plain.read_bytes())
    one, two = (
        ReferenceGenome(path, assembly="x", cache_dir=tmp_path) for path in (plain, tmp_path / "b.fa.gz")
    )
    assert one.contigs == two.contigs
    np.testing.assert_array_equal(one.codes("20"), two.codes("20"))


@pytest.mark.parametrize("stale", [False, True])
def test_in_a_read_only_folder_the_index_goes_into_the_cache(tmp_path, monkeypatch, stale):
    folder = tmp_path / "shared"
    folder.mkdir()
    plain = write_fasta(tmp_path / "a.fa")
    with bgzf.open(str(folder / "b.fa.gz"), "wb") as out:
        out.write(plain.read_bytes())
    if stale:
        for suffix in (".fai", ".gzi"):
            (folder / f"b.fa.gz{suffix}").write_bytes(b"old")
            os.utime(folder / f"b.fa.gz{suffix}", (1, 1))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    reference = ReferenceGenome(folder / "b.fa.gz", assembly="x", cache_dir=tmp_path / "cache")
    assert reference.contigs == CONTIGS
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(list((tmp_path / "cache" / "indexes").iterdir())) == 2


def test_lower_case_is_read_as_upper(tmp_path):
    (tmp_path / "a.fa").write_text(">chr1 description\nacgtn\nACG\n")
    reference = ReferenceGenome(tmp_path / "a.fa", assembly="x", cache_dir=tmp_path)
    assert reference.contigs == {"chr1": 8}
    assert reference.sequence(Locus("1", 0, 8)) == "ACGTNACG"


def test_a_changed_file_is_read_anew(tmp_path):
    path = tmp_path / "a.fa"
    for bases in ("ACGT", "TTTTA"):
        path.write_text(f">1\n{bases}\n")
        path.with_suffix(".fa.fai").unlink(missing_ok=True)
        reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path)
        assert reference.sequence(Locus("1", 0, len(bases))) == bases


def test_a_missing_reference_is_named(tmp_path):
    with pytest.raises(SequenceError, match=r"nowhere\.fa is missing"):
        ReferenceGenome(tmp_path / "nowhere.fa", assembly="x", cache_dir=tmp_path)


def test_a_file_that_is_no_fasta_is_refused_in_words(tmp_path):
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress(b">1\nACGT\n"))  # gzip, not bgzip
    reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path)
    with pytest.raises(SequenceError, match="bgzip"):
        _ = reference.contigs
