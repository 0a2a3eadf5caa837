from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from Bio import bgzf
from hypothesis import given, settings
from hypothesis import strategies as st

from phenviz.errors import LocusError, SequenceError
from phenviz.genome import Locus, ReferenceGenome
from tests.toys import CONTIGS, GAP, write_fasta

CASES = Path(__file__).parents[1] / "cases" / "reference"


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


def _bgzip(plain, path):
    with bgzf.open(str(path), "wb") as out:
        out.write(plain.read_bytes())
    return path


def _replaced(path, content):
    """Give a file other content, as old as if its index had been made after it."""
    path.write_bytes(content)
    os.utime(path, (1, 1))
    return ReferenceGenome(path, assembly="x", cache_dir=path.parent / "other")


@pytest.mark.parametrize("indexed", [False, True])
def test_half_a_bgzip_reference_is_refused_in_words(tmp_path, indexed):
    path = _bgzip(write_fasta(tmp_path / "a.fa"), tmp_path / "b.fa.gz")
    if indexed:
        _ = ReferenceGenome(path, assembly="x", cache_dir=tmp_path).contigs
    half = _replaced(path, path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SequenceError, match=r"b\.fa\.gz can't be read.*cut off.*give a whole one"):
        _ = half.contigs


def test_flipped_bytes_of_a_bgzip_reference_are_found(tmp_path):
    path = _bgzip(write_fasta(tmp_path / "a.fa", seed=3), tmp_path / "b.fa.gz")
    ReferenceGenome(path, assembly="x", cache_dir=tmp_path).verify()
    content = bytearray(path.read_bytes())
    content[3_000:3_050] = bytes(50)
    damaged = _replaced(path, content)
    for read in (damaged.verify, lambda: damaged.codes("20")):
        with pytest.raises(SequenceError, match=r"b\.fa\.gz can't be read.*delete its \.fai and \.gzi"):
            read()
    assert not list((tmp_path / "other" / "codes").glob("*"))


@pytest.mark.parametrize("width", [50, 61, 70])
def test_an_index_of_another_line_width_is_refused(tmp_path, width):
    path = write_fasta(tmp_path / "a.fa")
    _ = ReferenceGenome(path, assembly="x", cache_dir=tmp_path).contigs
    lines = []
    for contig in CONTIGS:
        bases = _plain_sequence(path, contig)
        lines += [f">{contig}", *(bases[i : i + width] for i in range(0, len(bases), width))]
    changed = _replaced(path, "\n".join(lines).encode())
    with pytest.raises(SequenceError, match=r"a\.fa doesn't hold contig '21' as its index says.*delete"):
        _ = changed.contigs


def test_a_reference_that_is_shorter_than_its_index_says_is_refused(tmp_path):
    path = write_fasta(tmp_path / "a.fa")
    _ = ReferenceGenome(path, assembly="x", cache_dir=tmp_path).contigs
    with pytest.raises(SequenceError, match="cut off"):
        _ = _replaced(path, path.read_bytes()[:30_000]).contigs


def test_a_contig_before_the_last_that_the_index_misplaces_is_refused_when_read(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">1\nACGT\nACGT\nAC\n>2\nGGGG\n")
    _ = ReferenceGenome(path, assembly="x", cache_dir=tmp_path).contigs
    changed = _replaced(path, b">1\nACG\nTAC\nGTAC\n>2\nGGGG\n")
    assert changed.sequence(Locus("2", 0, 4)) == "GGGG"
    with pytest.raises(SequenceError, match="doesn't hold contig '1'"):
        changed.codes("1")


@pytest.mark.parametrize(("index", "said"), [("", r"a\.fa\.fai is empty: delete it"), ("x\n", "delete its")])
def test_an_index_that_is_none_is_refused(tmp_path, index, said):
    path = write_fasta(tmp_path / "a.fa")
    (tmp_path / "a.fa.fai").write_text(index)
    with pytest.raises(SequenceError, match=said):
        _ = _replaced(path, path.read_bytes()).contigs


@pytest.mark.parametrize("change", [lambda text: text.replace(b"\n", b"\r\n"), bytes.rstrip])
def test_line_ends_make_no_difference(tmp_path, change):
    path = write_fasta(tmp_path / "a.fa")
    whole = _plain_sequence(path, "21")
    path.write_bytes(change(path.read_bytes()))
    reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path)
    reference.verify()
    assert reference.sequence(Locus("21", 0, CONTIGS["21"])) == whole


@pytest.mark.parametrize(
    "damage",
    [lambda kept: bytes(1_000) + kept[1_000:], lambda kept: b"\x4d" + kept[1:], lambda kept: kept[:-9]],
)
def test_damaged_codes_in_the_cache_are_made_anew(tmp_path, damage):
    path = write_fasta(tmp_path / "a.fa")
    whole = _plain_sequence(path, "20")
    for _ in range(2):
        reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path)
        assert reference.sequence(Locus("20", 0, CONTIGS["20"])) == whole
        (kept,) = (tmp_path / "codes").iterdir()
        # as another file, since this one is mapped
        shutil.copy(kept, tmp_path / "copy")
        kept.unlink()
        kept.write_bytes(damage((tmp_path / "copy").read_bytes()))


def test_where_a_fasta_has_both_20_and_chr20_each_is_itself(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">20\nAAAA\n>chr20\nCCCC\n>Chr7\nGG\n>chr7\nTT\n")
    reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path)
    assert reference.sequence(Locus("20", 0, 4)) == "AAAA"
    assert reference.sequence(Locus("chr20", 0, 4)) == "CCCC"
    with pytest.raises(LocusError, match="'7' may be any of Chr7, chr7"):
        reference.length("7")


def _random_fasta(rng):
    """Write contigs with the liberties that samtools allows; return their bases too."""
    end, width, text, bases = str(rng.choice(["\n", "\r\n"])), int(rng.integers(1, 80)), "", {}
    for number in range(rng.integers(1, 6)):
        letters = rng.choice(list("ACGTNacgtnRYKM"), size=rng.integers(0, 400))
        name = f"{rng.choice(['chr', 'sc_', 'HLA:A*', 'a/b'])}{number}"
        bases[name] = "".join(letters)
        text += f">{name}{rng.choice(['', ' described', chr(9) + 'x'])}{end}"
        text += "".join(bases[name][at : at + width] + end for at in range(0, len(letters), width))
        text += end * int(rng.choice([0, 0, 1, 3]))
    return (text.rstrip() if rng.random() < 0.3 else text), bases


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("suffix", [".fa", ".fa.gz"])
def test_random_fastas_hold_the_bases_that_were_written(tmp_path, seed, suffix):
    text, bases = _random_fasta(np.random.default_rng(seed))
    path = tmp_path / f"a{suffix}"
    with bgzf.open(str(path), "wb") if suffix == ".fa.gz" else path.open("wb") as out:
        out.write(text.encode())
    reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path / "cache")
    reference.verify()
    assert reference.contigs == {name: len(whole) for name, whole in bases.items()}
    for name, whole in bases.items():
        plain = "".join(base if base in "ACGT" else "N" for base in whole.upper())
        for start, end in ((0, len(whole)), (len(whole) // 3, len(whole) // 2)):
            if start < end:
                assert reference.sequence(Locus(name, start, end)) == plain[start:end]


@pytest.mark.skipif(shutil.which("samtools") is None, reason="samtools isn't installed")
@pytest.mark.parametrize("seed", range(30))
def test_the_index_is_that_of_samtools(tmp_path, seed):
    text, bases = _random_fasta(np.random.default_rng(seed))
    path = tmp_path / "a.fa"
    path.write_bytes(text.encode())
    _ = ReferenceGenome(path, assembly="x", cache_dir=tmp_path).contigs
    done = subprocess.run(["samtools", "faidx", path, "--fai-idx", tmp_path / "other.fai"], check=False)
    if done.returncode == 0:
        # samtools leaves out most contigs without bases, and adds a line end where the last line has none
        own, other = (
            [line.split("\t")[:4] for line in index.read_text().splitlines() if line.split("\t")[1] != "0"]
            for index in (tmp_path / "a.fa.fai", tmp_path / "other.fai")
        )
        assert own == other
    else:
        assert not all(bases.values())


def test_blank_lines_between_contigs_are_no_damage(tmp_path):
    path = shutil.copy(CASES / "two_blank_between.fa", tmp_path)
    reference = ReferenceGenome(path, assembly="x", cache_dir=tmp_path)
    text = (CASES / "two_blank_between.fa").read_text()
    for record in text.split(">")[1:]:
        header, *lines = record.splitlines()
        name = header.split()[0]
        assert reference.sequence(Locus(name, 0, reference.length(name))) == "".join(lines).upper()


def test_blanks_behind_the_bases_of_a_line_are_none(tmp_path):
    (tmp_path / "a.fa").write_text(">1\nACGTAC \nACG\n  \n>2\nTT\n")
    reference = ReferenceGenome(tmp_path / "a.fa", assembly="x", cache_dir=tmp_path)
    assert reference.sequence(Locus("1", 0, reference.length("1"))) == "ACGTACACG"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">1\nACG\n\nACG\n", "line 3 is blank, inside of contig '1'"),
        (">1\nACGT\nAC\nAC\n", "line 3 has another length than those above it, inside of contig '1'"),
        (">1\nACG\nACGT\n", "line 3 is longer than those above it"),
        (">1\nACG\r\nACG\nACG\n", "line 3 has another length than those above it.*one kind of line end"),
        (">1\nACG\n>2\nACG\n>1 again\nTTT\n", "line 5: contig '1' was in line 1 already"),
        (">\nACG\n", "line 1: a contig without a name"),
        (">1\rACG\r", "line 1: lines end as on an old Mac"),
        ("ACG\n>1\nACG\n", "line 1: text above the first '>NAME'"),
        ("", "holds no sequence"),
    ],
)
def test_a_fasta_that_cannot_be_indexed_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "a.fa").write_bytes(text.encode())
    with pytest.raises(SequenceError, match=said):
        _ = ReferenceGenome(tmp_path / "a.fa", assembly="x", cache_dir=tmp_path).contigs
    assert not (tmp_path / "a.fa.fai").exists()


@pytest.mark.parametrize("bases", ["MKLVFE", "ACGUAC", "AC>GTA", "ACG1AC", "ACG AC"])
def test_what_is_no_dna_is_refused_and_not_read_as_n(tmp_path, bases):
    (tmp_path / "a.fa").write_text(f">1\n{bases}\n")
    reference = ReferenceGenome(tmp_path / "a.fa", assembly="x", cache_dir=tmp_path)
    with pytest.raises(SequenceError, match=r"at position [34] of contig '1' stands for no base of DNA"):
        reference.codes("1")


def test_a_packed_fasta_needs_its_suffix(tmp_path):
    path = _bgzip(write_fasta(tmp_path / "a.fa"), tmp_path / "b.fa")
    with pytest.raises(SequenceError, match=r"b\.fa is compressed: give it plain, or by bgzip"):
        _ = ReferenceGenome(path, assembly="x", cache_dir=tmp_path).contigs
    whole = ReferenceGenome(path.rename(tmp_path / "b.fa.bgz"), assembly="x", cache_dir=tmp_path)
    assert whole.contigs == CONTIGS


def test_contigs_whose_names_differ_in_case_alone_keep_their_own_codes(tmp_path):
    (tmp_path / "a.fa").write_text(f">Chr7\nGG\n>chr7\nTT\n>{'x' * 300}\nAC\n>../y\nCA\n")
    reference = ReferenceGenome(tmp_path / "a.fa", assembly="x", cache_dir=tmp_path / "kept")
    read = {name: reference.sequence(Locus(name, 0, 2)) for name in reference.contigs}
    assert list(read.values()) == ["GG", "TT", "AC", "CA"]
    kept = [path.name.lower() for path in (tmp_path / "kept" / "codes").iterdir()]
    assert len(set(kept)) == 4
