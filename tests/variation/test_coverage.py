"""Which places a file's genotypes cover."""

from __future__ import annotations

import numpy as np
import pytest

from phenviz.genome import Locus
from phenviz.genome.intervals import join_intervals
from phenviz.progress import NO_PROGRESS
from phenviz.variation import LONGEST_GAP, Coverage, open_individuals
from phenviz.variation.sources import open_source
from tests.variation.oracles import bgzip, needs_bcftools, run, write_vcf
from tests.variation.test_one_way_in import pgen_of, zarr_of

CONTIG = 60_000_000


def slow_intervals(records: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Join record by record: start, end."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(records):
        if found and start - found[-1][1] < gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def random_places(rng: np.random.Generator) -> list[tuple[int, int]]:
    """Write clusters of records, gaps close to the longest that counts as covered among them."""
    places, at = [], int(rng.integers(1, 3_000_000))
    for _ in range(int(rng.integers(1, 40))):
        length = int(rng.choice([1, 1, 1, 5, 60]))
        places.append((at, at + length))
        step = int(rng.choice([1, 700, 120_000, LONGEST_GAP - 1, LONGEST_GAP, LONGEST_GAP + 1, 3_300_000]))
        at += length + step
        if at > CONTIG:
            break
    return places


@needs_bcftools
@pytest.mark.parametrize("seed", range(8))
def test_a_contig_is_covered_from_the_first_to_the_last_record_but_for_long_gaps(tmp_path, seed):
    places = random_places(np.random.default_rng(seed))
    records = [f"20 {start + 1} . {'A' * (end - start)} C 0|1" for start, end in places]
    plain = write_vcf(tmp_path / "calls.vcf", [*records, "21 77 . A C 0|1"], ("S1",))
    bcf = tmp_path / "calls.bcf"
    run("bcftools", "view", "-Ob", "-o", bcf, plain)
    run("bcftools", "index", bcf)
    unindexed = tmp_path / "alone.bcf"
    unindexed.write_bytes(bcf.read_bytes())
    only20 = write_vcf(tmp_path / "one_contig.vcf", records, ("S1",))
    expected = slow_intervals(places, LONGEST_GAP)
    files = [plain, bgzip(plain), bcf, unindexed]
    for path in [*files, pgen_of(only20, tmp_path / "p.pgen"), zarr_of(only20, tmp_path / "z.vcz")]:
        source = open_source(path)
        assert [tuple(row) for row in source.covered("chr20", NO_PROGRESS).tolist()] == expected, path
        assert source.contigs(NO_PROGRESS) == (("20", "21") if path in files else ("20",))
        assert not len(source.covered("22", NO_PROGRESS))
    assert open_source(plain).covered("21", NO_PROGRESS).tolist() == [[76, 77]]


@needs_bcftools
def test_a_gvcf_covers_what_its_blocks_cover(tmp_path):
    header = (
        '##fileformat=VCFv4.2\n##contig=<ID=20>\n##INFO=<ID=END,Number=1,Type=Integer,Description="End">\n'
        '##ALT=<ID=NON_REF,Description="Any">\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    )
    head = header + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"
    lines = ["101 A <NON_REF> END=200", "201 C T .", "202 A <NON_REF> END=300", "351 A <NON_REF> END=400"]
    rows = []
    for line in lines:
        position, ref, alt, info = line.split()
        rows.append(f"20\t{position}\t.\t{ref}\t{alt}\t.\t.\t{info}\tGT\t0/0\n")
    plain = tmp_path / "one.g.vcf"
    plain.write_text(head + "".join(rows))
    bcf = tmp_path / "one.bcf"
    run("bcftools", "view", "-Ob", "-o", bcf, plain)
    run("bcftools", "index", bcf)
    for path in (plain, bgzip(plain), bcf):
        assert open_source(path).covered("20", NO_PROGRESS).tolist() == [[100, 300], [350, 400]]


def test_what_is_missing_of_a_locus_is_what_no_interval_covers():
    rng = np.random.default_rng(2)
    for _ in range(200):
        starts = rng.integers(0, 90, 4)
        intervals = join_intervals(starts, starts + rng.integers(1, 12, 4), 1)
        covered = np.zeros(120, dtype=bool)
        for start, end in intervals:
            covered[start:end] = True
        start = int(rng.integers(0, 100))
        locus = Locus("20", start, start + int(rng.integers(1, 20)))
        known = Coverage("f.vcf", tuple(Locus("20", int(a), int(b)) for a, b in intervals))
        missing = np.zeros(120, dtype=bool)
        for gap in known.missing(locus):
            missing[gap.start : gap.end] = True
        inside = np.zeros(120, dtype=bool)
        inside[locus.start : locus.end] = True
        np.testing.assert_array_equal(missing, inside & ~covered)
        assert known.share(locus) == pytest.approx((inside & covered).sum() / inside.sum())
        assert (known.describe(locus) == "") == (not missing.any())


def test_a_person_is_covered_by_the_files_that_have_their_genotypes(reference, tmp_path):
    first = write_vcf(tmp_path / "a.vcf", ["20 1001 . A C 0|1", "20 1500 . A C 0|1"], ("S1",))
    second = write_vcf(tmp_path / "b.vcf", ["20 3001 . A C 0|1", "21 5 . A C 0|1"], ("S2",))
    empty = write_vcf(tmp_path / "c.vcf", [], ("S3",))
    people = open_individuals([first, second, empty], reference)
    locus = Locus("chr20", 1_200, 1_600)
    said = "the genotypes of a.vcf cover chr20:1,001-1,500: of chr20:1,501-1,600 nothing is known"
    assert people.individual("S1").uncovered(locus) == said
    assert people.individual("S1").uncovered(Locus("20", 1_200, 1_300)) == ""
    said = "the genotypes of b.vcf cover chr20:3,001-3,001: of chr20:1,201-1,600 nothing is known"
    assert people.individual("S2").uncovered(locus) == said
    said = "c.vcf holds no genotypes: of chr20:1,201-1,600 nothing is known"
    assert people.individual("S3").uncovered(locus) == said
    assert people.uncovered(locus, ["S1", "S3"]).count("nothing is known") == 2


def test_a_file_of_other_contigs_says_which(reference, tmp_path):
    path = write_vcf(tmp_path / "a.vcf", ["1 1001 . A C 0|1", "chr2 5 . A C 0|1"], ("S1",))
    said = "the genotypes of a.vcf cover chr1 and chr2 only: of chr20:11-20 nothing is known"
    assert open_individuals(path, reference).uncovered(Locus("20", 10, 20)) == said


@needs_bcftools
def test_what_cannot_be_read_is_not_covered(tmp_path):
    records = [f"20 {position} . A C 0|1" for position in range(1_000, 9_000_000, 100)]
    zipped = bgzip(write_vcf(tmp_path / "calls.vcf", records, ("S1",)))
    content = bytearray(zipped.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2_000] = b"\0" * 2_000
    zipped.write_bytes(content)
    ((start, end),) = open_source(zipped).covered("20", NO_PROGRESS)[:1].tolist()
    assert start == 999 and 1_000_000 < end < 9_000_000
