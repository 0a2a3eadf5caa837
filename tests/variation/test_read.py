from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pgenlib
import pytest

from phenviz.data.embedded import INDIVIDUALS
from phenviz.errors import DataError
from phenviz.genome import Locus, decode
from phenviz.variation import VARIANT_COLUMNS, iter_variants, open_individuals, read_variants
from phenviz.variation.sources import content_of
from tests.variation.oracles import bgzip, needs_bcftools, random_records, run, write_vcf

SAMPLES = ("S1", "S2", "S3")


def _base(reference, position, length=1):
    return decode(reference.codes("20")[position - 1 : position - 1 + length])


def _other(base):
    return "A" if base != "A" else "C"


@pytest.fixture(scope="module")
def files(reference, tmp_path_factory):
    """Write the same records as every kind of file."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(11)
    records = random_records(reference, Locus("20", 1_000, 6_000), rng, 400, len(SAMPLES))
    plain = write_vcf(folder / "calls.vcf", records, SAMPLES)
    (folder / "gzip").mkdir()
    (folder / "gzip" / "calls.vcf.gz").write_bytes(gzip.compress(plain.read_bytes()))
    made = {"plain": plain, "gzip": folder / "gzip" / "calls.vcf.gz"}
    made["pgen"] = _write_pgen(plain, folder, reference)
    return made


@pytest.fixture(scope="module")
def indexed_files(files):
    plain = files["plain"]
    bcf = plain.with_suffix(".bcf")
    run("bcftools", "view", "-Ob", "-o", bcf, plain)
    run("bcftools", "index", bcf)
    made = {"bgzip": bgzip(plain), "bcf": bcf, "zarr": plain.with_suffix(".vcz")}
    vcf2zarr = [sys.executable, "-m", "bio2zarr", "vcf2zarr", "convert", made["bgzip"], made["zarr"]]
    subprocess.run([str(part) for part in [*vcf2zarr, "-Q", "-p", "0"]], check=True, capture_output=True)
    return made


def _write_pgen(vcf, folder, reference):
    """Write the fileset with pgenlib itself, which knows diploid calls only."""
    found = open_individuals(vcf, reference)
    lines = [line.split("\t") for line in vcf.read_text().splitlines() if not line.startswith("#")]
    counts = [1 + len(line[4].split(",")) for line in lines]
    path = folder / "plink.pgen"
    writer = pgenlib.PgenWriter(
        bytes(path),
        len(found),
        variant_ct=len(lines),
        nonref_flags=False,
        hardcall_phase_present=True,
        allele_ct_limit=max(counts),
    )
    for line, count in zip(lines, counts, strict=True):
        calls = [_diploid(call.split(":")[0]) for call in line[9:]]
        alleles = np.array([allele for call, _ in calls for allele in call], dtype=np.int32)
        writer.append_partially_phased(alleles, np.array([p for _, p in calls], np.uint8), allele_ct=count)
    writer.close()
    sites = "".join("\t".join(line[:5]) + "\n" for line in lines)
    path.with_suffix(".pvar").write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n" + sites)
    path.with_suffix(".psam").write_text("#IID\tSEX\n" + "".join(f"{name}\tNA\n" for name in SAMPLES))
    return path


def _diploid(call):
    alleles = call.replace("|", "/").split("/")
    if "." in alleles or len(alleles) == 1:
        return (-9, -9), 0
    return (int(alleles[0]), int(alleles[1])), int("|" in call)


@pytest.mark.parametrize("kind", ["gzip", "pgen"])
def test_every_kind_of_file_gives_the_same_table(files, reference, kind):
    expected = read_variants(files["plain"], reference)
    assert len(expected) > 400 and list(expected.table.columns) == VARIANT_COLUMNS
    pd.testing.assert_frame_equal(read_variants(files[kind], reference).table, expected.table)


@needs_bcftools
@pytest.mark.parametrize("kind", ["bgzip", "bcf", "zarr"])
def test_every_kind_of_file_gives_the_same_genotypes_of_a_locus(files, indexed_files, reference, kind):
    plain = open_individuals(files["plain"], reference)
    other = open_individuals(indexed_files[kind], reference)
    for start, end in [(1_000, 6_000), (2_000, 2_300), (5_990, 5_991), (7_000, 8_000)]:
        locus = Locus("chr20", start, end)
        expected, found = plain.genotypes(locus), other.genotypes(locus, SAMPLES)
        pd.testing.assert_frame_equal(found.variants, expected.variants)
        np.testing.assert_array_equal(found.alleles, expected.alleles)
        np.testing.assert_array_equal(found.phase_set, expected.phase_set)
        # where both alleles are the same their order means nothing
        differ = expected.alleles[..., 0] != expected.alleles[..., 1]
        np.testing.assert_array_equal(found.phased[differ], expected.phased[differ])
    assert "read from its start" in " ".join(plain.notes) and other.notes == ()


@pytest.mark.parametrize("number", [0, 5, 10])
def test_a_pgen_gives_the_diploid_calls_and_their_phase(files, reference, number):
    every = open_individuals(files["plain"], reference)
    whole = every.genotypes(Locus("20", 0, 50_000)).variants
    # the locus begins inside a record of several bases
    start = int(whole["record_position"][whole["record_ref"].str.len() > 3].iloc[number])
    locus = Locus("20", start, start + 700)
    plain = every.genotypes(locus)
    assert plain.variants["record_position"].min() == start
    pgen = open_individuals(files["pgen"], reference).genotypes(locus, ["S3", "S1"])
    pd.testing.assert_frame_equal(pgen.variants, plain.variants)
    for column, sample in ((0, 2), (1, 0)):
        expected = plain.alleles[:, sample]
        whole = (expected >= 0).all(axis=1)
        np.testing.assert_array_equal(pgen.alleles[whole, column], expected[whole])
        assert (pgen.alleles[~whole, column] == -1).all()
        het = whole & (expected[:, 0] != expected[:, 1])
        np.testing.assert_array_equal(pgen.phased[het, column], plain.phased[het, sample])


def test_the_records_of_a_locus_are_those_that_touch_it(files, reference):
    individuals = open_individuals(files["plain"], reference)
    whole = individuals.genotypes(Locus("20", 0, 50_000)).variants
    start, end = 2_345, 2_845
    first, last = whole["record_position"] - 1, whole["record_position"] - 1 + whole["record_ref"].str.len()
    expected = whole[(first < end) & (last > start)]
    found = individuals.genotypes(Locus("20", start, end)).variants
    assert found[VARIANT_COLUMNS].equals(expected[VARIANT_COLUMNS].reset_index(drop=True))
    assert individuals.variants(Locus("20", start, end)).equals(found[VARIANT_COLUMNS])


@pytest.mark.parametrize("chunk", [13, 1_000])
def test_chunks_hold_what_the_whole_table_holds(files, reference, chunk):
    whole = read_variants(files["plain"], reference)
    chunks = list(iter_variants(files["plain"], reference, chunk=chunk))
    assert (
        max(chunk.report.read - before for chunk, before in zip(chunks, _before(chunks), strict=True))
        <= chunk
    )
    joined = pd.concat([chunk.table for chunk in chunks]).drop_duplicates(VARIANT_COLUMNS[:4])
    key = ["position", "ref", "alt"]
    assert joined.sort_values(key, ignore_index=True).equals(whole.table.sort_values(key, ignore_index=True))
    assert chunks[-1].report.read == whole.report.read == 400


def _before(chunks):
    return [0, *(chunk.report.read for chunk in chunks[:-1])]


def test_what_is_left_out_is_counted_with_its_reason(reference, tmp_path):
    def base(position):
        return _base(reference, position)

    good = [f"20 {p} . {base(p)} {_other(base(p))}" for p in range(2_000, 2_300)]
    odd = [
        f"20 3000 . {base(3_000)} <DEL>",
        f"20 3001 . {base(3_001)} {_other(base(3_001))},*",
        f"20 3002 . {base(3_002)} G]20:4000]",
        f"20 3003 . {base(3_003)} .",
        f"20 3004 . {base(3_004)} R",
        f"20 3005 . {_other(base(3_005))} {base(3_005)}",
        f"20 3006 . {base(3_006)} {_other(base(3_006))}",
        f"20 3006 . {base(3_006)} {_other(base(3_006))}",
        f"20 3007 . {base(3_007)} {base(3_007)}",
        f"20 50020 . {_base(reference, 50_020)}AAAAAA A",
        "20 60000 . A C",
        "GL000192.1 10 . A C",
    ]
    header = "##fileformat=VCFv4.2\n##contig=<ID=20>\n##contig=<ID=GL000192.1>\n"
    report = read_variants(write_vcf(tmp_path / "odd.vcf", good + odd, header=header), reference).report
    assert report.skipped == {
        "symbolic": 1,
        "breakend": 1,
        "star": 1,
        "ambiguous": 1,
        "no_alternate": 1,
        "identical": 1,
        "duplicate": 1,
        "unknown_contig": 1,
        "beyond_contig": 2,
        "reference_mismatch": 1,
    }
    assert (report.read, report.kept, report.split) == (312, 302, 1)
    said = report.describe()
    assert f"record 306, 20:3005 {_other(base(3_005))}>{base(3_005)}: REF is" in said
    assert "1 skipped: symbolic alleles such as <DEL> (record 301, 20:3000" in said


def test_case_and_the_name_of_the_contig_do_not_matter(reference, tmp_path):
    ref = _base(reference, 2_000, 3)
    header = "##fileformat=VCFv4.2\n##contig=<ID=chr20>\n"
    record = f"chr20 2000 rs1 {ref.lower()} {ref[0].lower()}"
    table = read_variants(write_vcf(tmp_path / "low.vcf", [record], header=header), reference).table
    plain = read_variants(write_vcf(tmp_path / "up.vcf", [f"20 2000 rs1 {ref} {ref[0]}"]), reference).table
    pd.testing.assert_frame_equal(table, plain)
    assert table["contig"].tolist() == ["20"] and table["id"].tolist() == ["rs1"]


def test_letters_that_stand_for_several_bases_match_unknown_bases_only(reference, tmp_path):
    # the toy chromosome begins with N
    good = [f"20 {p} . {_base(reference, p)} {_other(_base(reference, p))}" for p in range(2_000, 2_150)]
    path = write_vcf(
        tmp_path / "iupac.vcf", ["20 100 . R A", *good, f"20 3000 . R {_base(reference, 3_000)}"]
    )
    found = read_variants(path, reference)
    assert found.report.skipped == {"unknown_reference": 1}
    assert found.table.iloc[0].tolist() == ["20", 100, "N", "A", ""]


@pytest.mark.parametrize(("wrong", "stops"), [(2, False), (3, True)])
def test_more_than_one_percent_of_other_bases_is_another_assembly(reference, tmp_path, wrong, stops):
    records = []
    for number, position in enumerate(range(2_000, 2_200)):
        base = _base(reference, position)
        ref, alt = (_other(base), base) if number % 60 == 7 and number // 60 < wrong else (base, _other(base))
        records.append(f"20 {position} . {ref} {alt}")
    path = write_vcf(tmp_path / "calls.vcf", records)
    if not stops:
        assert read_variants(path, reference).report.skipped == {"reference_mismatch": wrong}
        return
    with pytest.raises(DataError, match=r"another assembly\? 3 of 200 records .* record 8, 20:2007"):
        read_variants(path, reference)


@pytest.mark.parametrize(("wrong", "fitting"), [(1, 3), (2, 6), (0, 1)])
def test_one_or_two_bad_records_of_a_short_file_are_skipped_and_counted(reference, tmp_path, wrong, fitting):
    path = write_vcf(tmp_path / "calls.vcf", _short_file(reference, wrong, fitting))
    report = read_variants(path, reference).report
    assert (report.kept, report.skipped.get("reference_mismatch", 0)) == (fitting, wrong)


@pytest.mark.parametrize(("wrong", "fitting"), [(1, 0), (1, 2), (2, 0), (2, 5), (3, 20), (5, 0)])
def test_a_short_file_of_another_assembly_is_refused(reference, tmp_path, wrong, fitting):
    path = write_vcf(tmp_path / "calls.vcf", _short_file(reference, wrong, fitting))
    with pytest.raises(DataError, match=rf"another assembly\? {wrong} of {wrong + fitting} records"):
        read_variants(path, reference)


def _short_file(reference, wrong, fitting):
    refs = [(p, _base(reference, p)) for p in range(2_000, 2_000 + wrong + fitting)]
    bad = [f"20 {p} . {_other(base)} {base}" for p, base in refs[:wrong]]
    return bad + [f"20 {p} . {base} {_other(base)}" for p, base in refs[wrong:]]


def test_structural_variants_with_n_as_ref_are_skipped_and_do_not_blame_the_file(reference, tmp_path):
    base = _base(reference, 2_000)
    records = [
        f"20 2000 . {base} {_other(base)}",
        "20 3000 . N <DEL>",
        "20 3001 . N N]20:4000]",
        "20 3002 . N <DUP>,<INS>",
        "20 3003 . N ACGTACGTACGT",
        f"20 3004 . {_other(_base(reference, 3_004))} <INV>",
    ]
    report = read_variants(write_vcf(tmp_path / "sv.vcf", records), reference).report
    assert report.skipped == {"symbolic": 4, "breakend": 1, "unknown_reference": 1}
    assert report.kept == 1


def test_a_few_bad_records_in_a_short_locus_do_not_blame_a_good_file(reference, tmp_path):
    records = [
        f"20 {p} . {_base(reference, p)} {_other(_base(reference, p))} 0|1" for p in range(2_000, 2_400)
    ]
    base = _base(reference, 3_000)
    records.append(f"20 3000 . {_other(base)} {base} 0|1")
    individuals = open_individuals(write_vcf(tmp_path / "calls.vcf", records, ("S1",)), reference)
    found = individuals.genotypes(Locus("20", 2_995, 3_005))
    assert len(found.variants) == 0 and found.report.skipped == {"reference_mismatch": 1}


def test_a_file_of_other_contigs_names_the_fix(reference, tmp_path):
    header = "##fileformat=VCFv4.2\n##contig=<ID=7>\n"
    path = write_vcf(tmp_path / "seven.vcf", ["7 100 . A C"], header=header)
    with pytest.raises(DataError, match=r"contigs that toy1 here lacks .*7:100 A>C.* give the FASTA"):
        read_variants(path, reference)


def test_a_file_without_records_gives_an_empty_table(reference, tmp_path):
    found = read_variants(write_vcf(tmp_path / "none.vcf", []), reference)
    assert len(found) == 0 and list(found.table.columns) == VARIANT_COLUMNS
    assert found.table["position"].dtype == np.int64


def test_reading_half_of_a_cohort_needs_no_index_and_no_header_lines_of_contigs(reference, tmp_path):
    base = _base(reference, 2_000)
    header = '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    path = write_vcf(
        tmp_path / "calls.vcf", [f"chr20 2000 . {base} {_other(base)} 0|1 1|1"], ("S1", "S2"), header
    )
    found = open_individuals(path, reference).genotypes(Locus("20", 1_990, 2_010), ["S2"])
    assert found.alleles.tolist() == [[[1, 1]]]


def test_no_word_of_htslib_reaches_the_screen(reference, tmp_path, capfd):
    base = _base(reference, 2_000)
    # a FORMAT and a contig that the header doesn't know make htslib talk
    path = write_vcf(
        tmp_path / "calls.vcf", [f"20 2000 . {base} {_other(base)} 0|1"], ("S1",), "##fileformat=VCFv4.2\n"
    )
    assert len(read_variants(path, reference)) == 1
    assert capfd.readouterr() == ("", "")


def test_the_embedded_file_holds_what_its_source_says(grch37):
    found = read_variants(INDIVIDUALS, grch37)
    lengths = found.table["ref"].str.len() + found.table["alt"].str.len()
    assert len(found) == 24_990 and int((lengths == 2).sum()) == 23_670
    assert found.report.skipped == {} and found.report.left_aligned == 0
    assert found.table["position"].is_monotonic_increasing


def test_a_fileset_and_a_store_are_others_once_any_of_their_files_changed(files, indexed_files, tmp_path):
    for kind, path, part in (
        ("pgen", files["pgen"], "plink.pvar"),
        ("zarr", indexed_files["zarr"], None),
    ):
        copied = tmp_path / kind
        shutil.copytree(path if path.is_dir() else path.parent, copied)
        named = copied if path.is_dir() else copied / path.name
        before = content_of(named)
        assert content_of(named) == before
        changed = copied / part if part else next(file for file in copied.rglob("*") if file.is_file())
        os.utime(changed, ns=(0, before[2] + 10**9))
        assert content_of(named) != before, kind
