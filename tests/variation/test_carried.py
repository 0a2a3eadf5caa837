"""Records count wherever they begin, of those who carry them, where they are looked at."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pgenlib
import pytest

from phenviz.errors import DataError
from phenviz.genome import Locus, decode
from phenviz.variation import individuals as reading
from phenviz.variation import open_individuals, read_variants, unique_haplotypes
from phenviz.variation.carried import carried_haplotypes
from tests.variation.oracles import bgzip, consensus, needs_bcftools, run, write_vcf

# a deletion of 10 kb, another one that would begin in it, and what lies around the locus
LOCUS = Locus("20", 15_000, 15_400)


def deletion(reference, position, length):
    ref = decode(reference.codes("20")[position - 1 : position + length])
    return f"20 {position} . {ref} {ref[0]}"


def snv(reference, position):
    base = decode(reference.codes("20")[position - 1 : position])
    return f"20 {position} . {base} {'A' if base != 'A' else 'C'}"


def person_of(reference, folder, *records, sample="S1", names=("S1",)):
    return open_individuals(write_vcf(folder / "calls.vcf", list(records), names), reference).individual(
        sample
    )


def positions(haplotype):
    return haplotype.variants["record_position"].tolist()


@pytest.fixture
def reads(monkeypatch):
    """Note down what is read."""
    loci, read = [], reading.read_genotypes

    def noting(source, reference, locus, *rest):
        loci.append(locus)
        return read(source, reference, locus, *rest)

    monkeypatch.setattr(reading, "read_genotypes", noting)
    return loci


def test_a_deletion_counts_wherever_it_begins_and_one_that_it_overlaps_does_not(reference, tmp_path):
    person = person_of(
        reference,
        tmp_path,
        f"{deletion(reference, 2_000, 4_000)} 1|0",
        f"{deletion(reference, 5_000, 10_100)} 1|1",
        f"{snv(reference, 15_300)} 1|1",
    )
    first, second = person.haplotypes(LOCUS)
    # on the first, the second deletion overlaps another one far to the left
    assert (positions(first), len(first)) == ([15_300], 400)
    assert (positions(second), len(second)) == ([5_000, 15_300], 300)
    assert first.skipped["record_position"].tolist() == [5_000] and second.skipped.empty
    assert second.sequence == decode(reference.codes("20")[15_100:15_299]) + second.sequence[199:]
    assert len(person.haplotypes(Locus("20", 9_000, 9_100))[1]) == 0


def test_what_others_carry_is_not_read_further(reference, tmp_path, reads):
    records = [
        f"{deletion(reference, 3_000, 2_500)} 0|0 1|1 0|0",
        f"{deletion(reference, 5_000, 10_100)} 0|1 0|0 .|.",
        f"{snv(reference, 15_300)} 0|1 1|0 1|1",
    ]
    person = person_of(reference, tmp_path, *records, sample="S2", names=("S1", "S2", "S3"))
    person.haplotypes(LOCUS)
    assert reads == [LOCUS]
    reads.clear()
    # S2's deletion overlaps that of S1, which isn't theirs
    replace(person, sample="S1").haplotypes(LOCUS)
    assert [locus.start for locus in reads] == [LOCUS.start, 4_999]
    reads.clear()
    found = unique_haplotypes(person.individuals, LOCUS)
    assert [locus.start for locus in reads] == [LOCUS.start, 4_999, 2_999]
    assert found.index.tolist() == [[0, 1], [2, 0], [2, 2]]


def test_only_heterozygotes_of_the_locus_need_a_phase(reference, tmp_path):
    long, far = deletion(reference, 5_000, 10_100), snv(reference, 6_000)
    first, _ = person_of(reference, tmp_path, f"{long} 1|1", f"{far} 0/1").haplotypes(LOCUS)
    assert first.phasing.plain and positions(first) == [5_000]
    # within what both haplotypes lack nothing is to be told apart
    gone = snv(reference, 15_050)
    first, _ = person_of(reference, tmp_path, f"{long} 1|1", f"{gone} 0/1").haplotypes(LOCUS)
    assert first.phasing.plain
    with pytest.raises(DataError, match="unphased at 20:15050"):
        person_of(reference, tmp_path, f"{long} 0|1", f"{gone} 0/1").haplotypes(LOCUS)
    # a record far to the left may decide whether the deletion is there at all
    with pytest.raises(DataError, match="unphased at 20:2000"):
        person_of(reference, tmp_path, f"{deletion(reference, 2_000, 4_000)} 0/1", f"{long} 1|1").haplotypes(
            LOCUS
        )


def test_a_draw_of_a_phase_set_is_the_same_in_every_locus(reference, tmp_path):
    records = [f"{snv(reference, 15_010 + 10 * n)} 0|1:{1 + n // 10}" for n in range(30)]
    person = person_of(reference, tmp_path, *records)
    for seed in range(8):
        whole = person.haplotypes(LOCUS, unphased="random", seed=seed)
        for start in range(15_000, 15_300, 60):
            locus = Locus("20", start, start + 90)
            for one, part in zip(whole, person.haplotypes(locus, unphased="random", seed=seed), strict=True):
                inside = [position for position in positions(one) if start < position <= start + 90]
                assert positions(part) == inside
    alone = person.haplotype(Locus("20", 15_000, 15_050), 1, unphased="random", seed=1)
    assert alone.phasing.describe() == "1 phase set put random, seed 1"


@needs_bcftools
def test_every_kind_of_file_finds_deletions_that_begin_far_away(reference, tmp_path):
    records = [
        f"{deletion(reference, 2_000, 4_000)} 1|0 0|0",
        f"{deletion(reference, 5_000, 10_100)} 0|1 1|1",
        *(f"{snv(reference, place)} 0|0 0|1" for place in range(16_000, 19_000, 10)),
    ]
    plain = write_vcf(tmp_path / "calls.vcf", records, ("S1", "S2"))
    files = {
        "plain": plain,
        "bgzip": bgzip(plain),
        "bcf": tmp_path / "calls.bcf",
        "zarr": tmp_path / "calls.vcz",
    }
    run("bcftools", "view", "-Ob", "-o", files["bcf"], plain)
    run("bcftools", "index", files["bcf"])
    command = [sys.executable, "-m", "bio2zarr", "vcf2zarr", "convert", files["bgzip"], files["zarr"]]
    subprocess.run([*map(str, command), "-Q", "-p", "0", "-l", "20"], check=True, capture_output=True)
    files["pgen"] = tmp_path / "calls.pgen"
    writer = pgenlib.PgenWriter(
        bytes(files["pgen"]), 2, variant_ct=len(records), nonref_flags=False, hardcall_phase_present=True
    )
    for record in records:
        alleles = np.array(
            [int(call[place]) for call in record.split()[5:] for place in (0, 2)], dtype=np.int32
        )
        writer.append_partially_phased(alleles, np.ones(2, np.uint8))
    writer.close()
    sites = "".join("\t".join(record.split()[:5]) + "\n" for record in records)
    (tmp_path / "calls.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + sites)
    (tmp_path / "calls.psam").write_text("#IID\nS1\nS2\n")
    for kind, path in files.items():
        for sample in ("S1", "S2"):
            for haplotype in open_individuals(path, reference).individual(sample).haplotypes(LOCUS):
                whole = consensus(files["bgzip"], reference, Locus("20", 0, 19_500), sample, haplotype.number)
                after = 19_500 - LOCUS.end
                assert haplotype.sequence == whole[-after - len(haplotype) : -after], kind
                assert len(haplotype) == (300 if (sample, haplotype.number) != ("S1", 1) else 400)


def test_files_of_other_samples_or_kinds_of_variants_are_one_order(reference, tmp_path):
    folder = tmp_path / "snvs"
    folder.mkdir()
    long = write_vcf(tmp_path / "calls.vcf", [f"{deletion(reference, 14_000, 1_100)} 1|0"], ("S1",))
    short = write_vcf(
        folder / "calls.vcf", [f"{snv(reference, 13_990)} 1|1", f"{snv(reference, 15_300)} 1|1"], ("S1",)
    )
    person = open_individuals([short, long], reference).individual("S1")
    assert [positions(one) for one in person.haplotypes(LOCUS)] == [[14_000, 15_300], [15_300]]


def test_a_view_that_grows_with_what_is_deleted_is_followed_to_its_end(reference, tmp_path, reads):
    # each deletion is seen only through the one behind it
    near = [f"{deletion(reference, place, 900)} 0|1" for place in (12_155, 13_060, 13_990)]
    far = [f"{snv(reference, 11_000)} 0/1", f"{snv(reference, 12_152)} 0|1"]
    person = person_of(reference, tmp_path, *far, *near)

    def view(haplotype):
        start = LOCUS.start - 150
        for row in haplotype.variants[::-1].itertuples():
            start -= len(row.ref) - len(row.alt) if start < row.position + len(row.ref) else 0
        return replace(LOCUS, start=start)

    found = carried_haplotypes(person.individuals, replace(LOCUS, start=LOCUS.start - 150), ["S1"], view=view)
    first, second = found.pairs[0]
    assert positions(first) == [] and first.locus.start == LOCUS.start - 150
    assert positions(second) == [12_152, 12_155, 13_060, 13_990] and found.phasing[0].plain


@pytest.mark.parametrize("read", ["haplotypes", "variants", "table"])
def test_a_file_on_other_contigs_is_refused_where_nothing_is_found(reference, tmp_path, read):
    path = write_vcf(tmp_path / "calls.vcf", ["NC_000020.10 15100 . A C 0|1"], ("S1",))
    person = open_individuals(path, reference).individual("S1")
    with pytest.raises(DataError, match=r"lies on contigs that toy1 .* lacks \(first record 1, NC_000020"):
        read_variants(path, reference, locus=LOCUS) if read == "table" else getattr(person, read)(LOCUS)
    # one that covers other contigs says nothing about this one
    path = write_vcf(tmp_path / "other.vcf", [snv(reference, 500).replace("20 ", "21 ", 1) + " 0|1"], ("S1",))
    open_individuals(path, reference).individual("S1").variants(LOCUS)
