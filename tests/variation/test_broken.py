"""A corpus of broken files, each with its one clear error."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress

import numpy as np
import pgenlib
import pytest
import zarr
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.errors import DataError, PhenvizError
from phenviz.genome import Locus, decode
from phenviz.variation import open_individuals, read_variants
from tests.variation.oracles import COLUMNS, HEADER, bgzip, needs_bcftools, run, write_vcf

LOCUS = Locus("20", 1_000, 40_000)


def _lines(reference, n=40):
    bases = [decode(reference.codes("20")[p - 1 : p]) for p in range(2_000, 2_000 + n)]
    return [
        f"20\t{2_000 + i}\t.\t{ref}\t{'A' if ref != 'A' else 'C'}\t.\t.\t.\tGT\t0|1\t1|1"
        for i, ref in enumerate(bases)
    ]


def _file(lines, columns=f"{COLUMNS}\tFORMAT\tS1\tS2", header=HEADER):
    return (header + columns + "\n" + "\n".join(lines) + "\n").encode()


def _with(lines, row, column, value):
    fields = lines[row].split("\t")
    fields[column] = value
    return [*lines[:row], "\t".join(fields), *lines[row + 1 :]]


# name -> how the records are broken, and what the error says; the first record is in line 7
_BROKEN = {
    "empty": (lambda lines: b"", r"is empty: give a VCF"),
    "blank": (lambda lines: b"\n\n  \n", r"is empty: give a VCF"),
    "a web page": (
        lambda lines: b"<html>\n<body>404</body></html>\n",
        r"is no VCF \(it begins with '<html>'\)",
    ),
    "a byte order mark": (
        lambda lines: b"\xef\xbb\xbf" + _file(lines),
        r"UTF-8 with a byte order mark: save",
    ),
    "text in UTF-16": (lambda lines: _file(lines).decode().encode("utf-16"), r"is text in UTF-16: save"),
    "a table": (lambda lines: b"gene\tstart\nHNF4A\t1\n", r"is no VCF \(it begins with 'gene"),
    "a picture": (lambda lines: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"is no VCF"),
    "no header": (
        lambda lines: "\n".join(lines).encode(),
        r"lacks the head of a VCF: its first line must be",
    ),
    "no fileformat": (
        lambda lines: _file(lines, header=""),
        r"lacks the head of a VCF: its first line must be",
    ),
    "no column line": (
        lambda lines: (HEADER + "\n".join(lines)).encode(),
        r"line 6: the header ends without its line",
    ),
    "header only, cut": (lambda lines: HEADER.encode(), r"ends within its header: it was cut short"),
    "blanks for tabs": (lambda lines: _file(lines).replace(b"\t", b" "), r"line 6: .*separated by tabs"),
    "columns renamed": (
        lambda lines: _file(lines, COLUMNS.replace("REF", "A1")),
        r"line 6: the columns must be #CHROM",
    ),
    "no FORMAT": (
        lambda lines: _file(lines, f"{COLUMNS}\tS1\tS2\tS3"),
        r"column 9 is 'S1' where FORMAT belongs",
    ),
    "a sample twice": (
        lambda lines: _file(lines, f"{COLUMNS}\tFORMAT\tS1\tS1"),
        r"sample 'S1' has two columns",
    ),
    "no samples": (
        lambda lines: _file(["\t".join(line.split("\t")[:8]) for line in lines], COLUMNS),
        r"holds sites only, no samples",
    ),
    "a zero byte": (lambda lines: _file(_with(lines, 4, 2, "rs\0")), r"line 11: a zero byte"),
    "too few columns": (
        lambda lines: _file([*lines[:9], lines[9][:20]]),
        r"line 16: \d columns where the header has 11",
    ),
    "too many columns": (
        lambda lines: _file([f"{line}\t0|0" for line in lines]),
        r"line 7: 12 columns where .* 11",
    ),
    "no position": (
        lambda lines: _file(_with(lines, 12, 1, "chr20")),
        r"line 19: POS is 'chr20', no whole number",
    ),
    "bad genotype": (
        lambda lines: _file(_with(lines, 3, 10, "A|G")),
        r"line 10: column 11: 'A\|G' is no genotype",
    ),
    "unknown allele": (
        lambda lines: _file(_with(lines, 3, 10, "0|2")),
        r"20:2003 has a genotype with allele 2, but 1",
    ),
    "three alleles": (
        lambda lines: _file(_with(lines, 3, 10, "0|1|1")),
        r"20:2003 has a genotype of more than two",
    ),
    "unsorted": (
        lambda lines: _file([*lines[1:], lines[0]]),
        r"record 40: 20:2000 comes too late.*bcftools sort",
    ),
    "contigs mixed": (
        lambda lines: _file([lines[0], lines[1].replace("20\t", "21\t", 1), lines[2]]),
        r"record 3: 20:2002 comes too late",
    ),
    "gzip cut short": (lambda lines: gzip.compress(_file(lines))[:-60], r"is cut short or damaged .*copy"),
    "gzip damaged": (lambda lines: gzip.compress(_file(lines))[:40] + bytes(400), r"cut short or damaged"),
    "not the gzip it says": (lambda lines: b"\x1f\x8b" + bytes(300), r"cut short or damaged"),
    "wrong assembly": (
        lambda lines: _file([_moved(line) for line in lines]),
        r"another assembly\? \d+ of 40 records .*first record \d+, 20:30\d\d .*: REF is [ACGT], toy1 has",
    ),
    "wrong contigs": (
        lambda lines: _file([line.replace("20\t", "21x\t", 1) for line in lines]),
        r"on contigs that toy1 here lacks",
    ),
}


def _moved(line):
    chrom, position, rest = line.split("\t", 2)
    return f"{chrom}\t{int(position) + 1_000}\t{rest}"


@pytest.mark.parametrize("name", _BROKEN)
def test_a_broken_file_has_one_clear_error(reference, tmp_path, capfd, name):
    make, said = _BROKEN[name]
    path = tmp_path / "calls.vcf"
    path.write_bytes(make(_lines(reference)))
    with pytest.raises(DataError, match=said) as caught:
        read_variants(path, reference)
        # what only genotypes show
        open_individuals(path, reference).genotypes(LOCUS)
    assert str(path) in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["no position", "unsorted", "gzip cut short", "wrong assembly"])
def test_a_command_fails_in_one_line(reference, tmp_path, name):
    path = tmp_path / "calls.vcf"
    path.write_bytes(_BROKEN[name][0](_lines(reference)))
    arguments = ["personal", path, "--sample", "S1", "--locus", "20:1,500-4,000", "-o", tmp_path / "out.fa"]
    result = CliRunner().invoke(main, [str(part) for part in [*arguments, "--reference", reference.path]])
    assert result.exit_code == 1
    assert result.stderr.startswith("phenviz: ") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out.fa").exists()


def test_a_file_that_may_not_be_read_says_so(reference, tmp_path, monkeypatch):
    path = write_vcf(tmp_path / "calls.vcf", [])
    # the tests may run as root, who may read everything
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DataError, match="may not be read: change its permissions"):
        read_variants(path, reference)


def test_a_missing_file_and_a_folder_say_so(reference, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.vcf is missing"):
        read_variants(tmp_path / "nowhere.vcf", reference)
    with pytest.raises(DataError, match="vcf2zarr convert"):
        read_variants(tmp_path, reference)


def test_a_missing_index_is_told_and_does_no_harm(reference, tmp_path):
    path = tmp_path / "calls.vcf"
    path.write_bytes(_file(_lines(reference)))
    report = read_variants(path, reference, locus=LOCUS).report
    assert report.kept == 40 and "calls.vcf has no index and is read from its start" in report.describe()


def test_records_listed_again_are_left_out_and_counted(reference, tmp_path):
    lines = _lines(reference)
    path = tmp_path / "calls.vcf"
    path.write_bytes(_file([line for line in lines for _ in range(2)]))
    found = read_variants(path, reference)
    assert len(found) == 40 and found.report.skipped == {"duplicate": 40}


@needs_bcftools
def test_an_index_that_is_older_than_its_file_is_told(reference, tmp_path):
    (tmp_path / "calls.vcf").write_bytes(_file(_lines(reference)))
    path = bgzip(tmp_path / "calls.vcf")
    assert open_individuals(path, reference).notes == ()
    index = tmp_path / "calls.vcf.gz.csi"
    os.utime(index, (index.stat().st_mtime - 3_600,) * 2)
    (note,) = open_individuals(path, reference).notes
    assert "calls.vcf.gz.csi is older than its file" in note and "bcftools index -f" in note


@needs_bcftools
def test_a_bgzip_file_cut_in_a_block_is_no_shorter_file(reference, tmp_path):
    (tmp_path / "calls.vcf").write_bytes(_file(_lines(reference, 3_000)))
    path = bgzip(tmp_path / "calls.vcf")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="cut short or damaged"):
        read_variants(path, reference)


@needs_bcftools
def test_a_file_cut_within_a_block_is_refused_whatever_its_index_says(reference, tmp_path):
    (tmp_path / "calls.vcf").write_bytes(_file(_lines(reference, 400)))
    path = bgzip(tmp_path / "calls.vcf")
    whole = path.read_bytes()
    for kept in (len(whole) - 27, len(whole) - 29, len(whole) - 60):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match="is cut short or damaged"):
            open_individuals(path, reference)


@needs_bcftools
def test_a_bgzip_file_cut_between_blocks_is_told(reference, tmp_path):
    (tmp_path / "calls.vcf").write_bytes(_file(_lines(reference)))
    path = bgzip(tmp_path / "calls.vcf")
    assert read_variants(path, reference).report.notes == ()
    path.write_bytes(path.read_bytes()[:-28])
    (note,) = read_variants(path, reference).report.notes
    assert "calls.vcf.gz lacks the mark that ends a bgzip file" in note


def _fileset(folder, n_samples=2, psam="#IID\nS1\nS2\n", pvar="20\t2000\trs1\tA\tC\n"):
    path = folder / "set.pgen"
    writer = pgenlib.PgenWriter(bytes(path), n_samples, variant_ct=1, nonref_flags=False)
    writer.append_alleles(np.zeros(2 * n_samples, np.int32))
    writer.close()
    (folder / "set.pvar").write_text(f"#CHROM\tPOS\tID\tREF\tALT\n{pvar}")
    (folder / "set.psam").write_text(psam)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"psam": "#IID\nS1\nS2\nS3\n"}, "the three files must belong together"),
        ({"pvar": "20\t2000\trs1\tA\tC\n20\t2001\trs2\tA\tC\n"}, "the three files must belong together"),
        ({"psam": "#IID\nS1\nS1\n"}, "names a sample twice"),
        ({"psam": "#SEX\n1\n2\n"}, "names no samples"),
        ({"pvar": ""}, "can't be read as .pvar"),
    ],
)
def test_a_plink_fileset_that_does_not_fit_together_says_so(reference, tmp_path, change, said):
    with pytest.raises(DataError, match=said):
        open_individuals(_fileset(tmp_path, **change), reference)


def test_a_plink_fileset_without_its_sites_says_so(reference, tmp_path):
    path = _fileset(tmp_path)
    (tmp_path / "set.pvar").unlink()
    with pytest.raises(DataError, match=r"set\.pvar is missing: it belongs beside set\.pgen"):
        open_individuals(path, reference)
    path.write_bytes(b"garbage")
    (tmp_path / "set.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n20\t2000\trs1\tA\tC\n")
    with pytest.raises(DataError, match=r"not a \.pgen file"):
        open_individuals(path, reference)


def test_plink_1_files_are_refused_with_the_way_out(reference, tmp_path):
    (tmp_path / "old.bed").write_bytes(b"\x6c\x1b\x01\x00")
    with pytest.raises(DataError, match="--make-pgen"):
        read_variants(tmp_path / "old.bed", reference)


def test_a_zarr_store_of_something_else_says_what_it_lacks(reference, tmp_path):
    zarr.open_group(tmp_path / "tracks.zarr", mode="w").create_array("activity", shape=(3,), dtype="f4")
    with pytest.raises(DataError, match="is no VCF Zarr store, it lacks contig_id"):
        read_variants(tmp_path / "tracks.zarr", reference)


def _store(folder, **changes):
    """Write a store of two records and two samples, with some arrays changed, or left out for None."""
    arrays = {
        "contig_id": np.array(["20"]),
        "sample_id": np.array(["S1", "S2"]),
        "variant_contig": np.zeros(2, np.int8),
        "variant_position": np.array([2_000, 2_001], np.int32),
        "variant_allele": np.array([["A", "C"], ["A", "C"]]),
        "call_genotype": np.array([[[0, 1], [1, 1]]] * 2, np.int8),
        **changes,
    }
    store = zarr.open_group(folder / "calls.vcz", mode="w", zarr_format=2)
    for name, values in arrays.items():
        if values is not None:
            store[name] = values
    return folder / "calls.vcz"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sample_id": np.array(["S1", "S1"])}, "names the sample 'S1' twice"),
        ({"sample_id": None}, "has genotypes, but lacks sample_id"),
        (
            {"sample_id": np.array(["S1", "S2", "S3"])},
            r"call_genotype .* shape \(2, 2, 2\), the others \(2, 3\)",
        ),
        ({"variant_contig": np.ones(2, np.int8)}, "numbers contigs that contig_id doesn't have"),
        ({"variant_position": np.array([2_000.5, 2_001])}, "holds float64, no whole numbers"),
        ({"call_genotype": np.full((2, 2, 2), 3, np.int8)}, "record 1 has a genotype with an allele that it"),
    ],
)
def test_a_zarr_store_whose_arrays_do_not_fit_together_says_so(reference, tmp_path, changes, said):
    path = _store(tmp_path, **changes)
    with pytest.raises(DataError, match=said):
        open_individuals(path, reference).genotypes(LOCUS)


def test_a_zarr_store_that_lost_a_file_of_positions_or_has_a_broken_one_says_so(reference, tmp_path):
    path = _store(tmp_path)
    (path / "variant_position" / "0").unlink()
    with pytest.raises(DataError, match=r"array variant_position .* lacks a chunk"):
        read_variants(path, reference)
    (path / "variant_allele" / ".zarray").write_text("{")
    with pytest.raises(DataError, match=r"array variant_allele .* can't be read"):
        read_variants(path, reference)


@pytest.mark.parametrize("values", [["a", "b"], ["0", "1"], [7, 8]])
def test_phase_sets_of_a_zarr_store_count_whatever_their_type(reference, tmp_path, values):
    bases = [decode(reference.codes("20")[p - 1 : p]) for p in (2_000, 2_001)]
    alleles = np.array([[base, "A" if base != "A" else "C"] for base in bases])
    sets = np.array([[values[0]] * 2, [values[1]] * 2])
    phased = np.ones((2, 2), bool)
    path = _store(tmp_path, variant_allele=alleles, call_PS=sets, call_genotype_phased=phased)
    person = open_individuals(path, reference).individual("S1")
    with pytest.raises(DataError, match="2 phase sets"):
        person.haplotypes(LOCUS)


@pytest.mark.parametrize(
    ("pvar", "said"),
    [
        ("20\t2000\trs1\tA\tC\nEND\n", "line 3 has 1 column, 5 are needed"),
        ("20\tx\trs1\tA\tC\n", "line 2: POS is 'x', no whole number"),
        ("\n20\t2000\trs1\tA\tC\n", "line 2 is blank"),
    ],
)
def test_a_fault_of_a_pvar_is_told_with_its_line(reference, tmp_path, pvar, said):
    with pytest.raises(DataError, match=rf"set\.pvar can't be read as \.pvar: {said}"):
        open_individuals(_fileset(tmp_path, pvar=pvar), reference)


def test_a_small_file_that_is_not_sorted_is_refused_at_any_locus(reference, tmp_path):
    lines = _lines(reference)
    path = tmp_path / "calls.vcf"
    path.write_bytes(_file([lines[-1], *lines[:-1]]))
    with pytest.raises(DataError, match="record 2: 20:2000 comes too late"):
        open_individuals(path, reference).genotypes(Locus("20", 2_000, 2_010))


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_text_that_ends_within_a_line_is_told(reference, tmp_path, cut):
    path = tmp_path / "calls.vcf"
    path.write_bytes(_file(_lines(reference))[:-cut])
    assert "calls.vcf ends within a line" in read_variants(path, reference).report.describe()


def test_a_file_that_was_compressed_twice_says_so(reference, tmp_path):
    path = tmp_path / "calls.vcf.gz"
    path.write_bytes(gzip.compress(gzip.compress(_file(_lines(reference)))))
    with pytest.raises(DataError, match="is compressed twice"):
        read_variants(path, reference)


@needs_bcftools
@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf"])
def test_damaged_bytes_end_in_a_result_or_one_error(reference, tmp_path, suffix):
    (tmp_path / "calls.vcf").write_bytes(_file(_lines(reference, 60)))
    bgzip(tmp_path / "calls.vcf")
    run("bcftools", "view", "-Ob", "-o", tmp_path / "calls.bcf", tmp_path / "calls.vcf")
    whole, path = (tmp_path / f"calls{suffix}").read_bytes(), tmp_path / f"damaged{suffix}"
    rng = np.random.default_rng(len(suffix))
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), int(rng.integers(1, 6))):
            data[place] = rng.integers(256)
        path.write_bytes(data[: int(rng.integers(1, len(data)))] if rng.random() < 0.3 else data)
        for read in (read_variants, lambda *at: open_individuals(*at).genotypes(LOCUS)):
            with suppress(PhenvizError):
                read(path, reference)
