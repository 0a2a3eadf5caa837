"""Haplotypes are those of ``bcftools consensus``, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from phenviz.cli import main
from phenviz.data.embedded import INDIVIDUALS, REFERENCE
from phenviz.genome import Locus, decode
from phenviz.variation import open_individuals
from tests.variation.oracles import bgzip, consensus, needs_bcftools, random_records, write_vcf

pytestmark = needs_bcftools


@pytest.mark.parametrize("seed", range(12))
def test_random_indel_rich_files_give_the_haplotypes_of_bcftools(reference, tmp_path, seed):
    rng = np.random.default_rng(seed)
    locus = Locus("20", 5_000, 5_000 + int(rng.integers(1, 1_500)))
    # records also left and right of the locus, and across its ends
    around = Locus("20", locus.start - 30, locus.end + 30)
    n = int(around.length / rng.choice([2, 5, 30]))
    path = bgzip(write_vcf(tmp_path / "calls.vcf", random_records(reference, around, rng, n, 1), ("S1",)))
    check_locus_and_surroundings(path, reference, locus)


def check_locus_and_surroundings(path, reference, locus):
    """Compare with bcftools where no record crosses an end, and the locus with what lies in its midst."""
    person = open_individuals(path, reference).individual("S1")
    wide = Locus(locus.contig, locus.start - 100, locus.end + 100)
    for whole, inside in zip(person.haplotypes(wide), person.haplotypes(locus), strict=True):
        assert whole.sequence == consensus(path, reference, wide, "S1", whole.number)
        first, last = whole.coordinates.cuts([locus.start, locus.end])
        assert inside.sequence == whole.sequence[first:last]


_LENGTH = 60


@st.composite
def _records(draw):
    """Draw the records of one sample as (offset, bases of REF, alternates, call), in order."""
    records = []
    for _ in range(draw(st.integers(1, 12))):
        offset, length = draw(st.integers(0, _LENGTH - 5)), draw(st.integers(1, 5))
        alternates = draw(
            st.lists(st.text("ACGT", min_size=1, max_size=6), min_size=1, max_size=3, unique=True)
        )
        alleles = st.sampled_from([".", *map(str, range(len(alternates) + 1))])
        records.append((offset, length, alternates, f"{draw(alleles)}|{draw(alleles)}"))
    return sorted(records, key=lambda record: record[0])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([(0, 1, ["AC"], ".|1")])
@given(_records())
def test_whatever_the_records_the_haplotypes_are_those_of_bcftools(reference, tmp_path, drawn):
    locus = Locus("20", 9_000, 9_000 + _LENGTH)
    sequence = reference.sequence(locus)
    records = []
    for offset, length, drawn_alternates, call in drawn:
        ref = sequence[offset : offset + length]
        # an alternate that equals REF is none
        alternates = [f"{ref}T" if alternate == ref else alternate for alternate in drawn_alternates]
        records.append(f"20 {locus.start + offset + 1} . {ref} {','.join(alternates)} {call}")
    path = bgzip(write_vcf(tmp_path / "calls.vcf", records, ("S1",)))
    # an insertion in front of a locus is none of its own, where bcftools takes it
    check_locus_and_surroundings(path, reference, locus)
    for haplotype in open_individuals(path, reference).individual("S1").haplotypes(locus):
        # the map agrees with the bases wherever nothing was changed
        offsets = haplotype.from_reference(np.arange(locus.start, locus.end))
        whole = [offset for offset in offsets if offset >= 0]
        assert haplotype.to_reference(whole).tolist() == [
            locus.start + place for place, offset in enumerate(offsets) if offset >= 0
        ]


@pytest.mark.parametrize(
    ("sample", "start", "length"),
    [
        ("HG00096", 1_500_000, 100_000),
        ("HG00171", 1_000_000, 60_000),
        ("HG00260", 3_740_000, 120_000),
        ("HG00351", 3_960_000, 60_000),
    ],
)
def test_real_individuals_give_the_haplotypes_of_bcftools(grch37, sample, start, length):
    locus = Locus("20", start, start + length)
    pair = open_individuals(INDIVIDUALS, grch37).individual(sample).haplotypes(locus)
    assert min(len(haplotype.variants) for haplotype in pair) > 20
    for haplotype in pair:
        assert haplotype.sequence == consensus(INDIVIDUALS, grch37, locus, sample, haplotype.number)


def test_the_command_writes_the_lines_of_bcftools(grch37, tmp_path):
    locus = Locus("20", 1_610_000, 1_612_345)
    out = tmp_path / "out.fa"
    command = ["personal", str(INDIVIDUALS), "--sample", "HG00097", "--locus", str(locus), "-o", str(out)]
    result = CliRunner().invoke(main, [*command, "--reference", str(REFERENCE)])
    assert result.exit_code == 0, result.output
    records = out.read_text().split(">")[1:]
    assert [record.split("|")[1] for record in records] == ["haplotype_1", "haplotype_2"]
    for number, record in enumerate(records, 1):
        body = record.partition("\n")[2]
        made = consensus(INDIVIDUALS, grch37, locus, "HG00097", number)
        assert body == "".join(f"{made[start : start + 60]}\n" for start in range(0, len(made), 60))


_RECORDS = {
    "an SNV and an insertion at one base": ["1 S|S", "1 I|I"],
    "an insertion and an SNV at one base": ["1 I|I", "1 S|S"],
    "two insertions at one base": ["1 I|I", "1 J|J"],
    "a deletion and an SNV inside it": ["1 D|D", "2 S|S"],
    "a deletion and an insertion at its last base": ["1 D|D", "4 I|I"],
    "a deletion and a deletion from its last base": ["1 D|D", "4 D|D"],
    "an SNV beside a deletion": ["1 D|D", "5 S|S"],
    "different alternates on both haplotypes": ["1 S,I 1|2"],
    "an alternate on one haplotype only": ["1 S,I 2|0"],
    "half missing": ["1 S .|1", "9 S 1|."],
    "haploid": ["1 S 1", "9 I 0"],
    "a deletion that begins before the locus": ["-1 D|D", "5 S|S"],
    "a deletion that leaves the locus": ["38 D|D"],
    "an insertion at the last base": ["39 I|I"],
    "an insertion at the first base": ["0 I|I"],
}


@pytest.mark.parametrize("name", _RECORDS)
def test_neighbours_are_applied_as_bcftools_does(reference, tmp_path, name):
    locus = Locus("20", 7_000, 7_040)
    records = [_spelled_out(reference, locus, record) for record in _RECORDS[name]]
    path = bgzip(write_vcf(tmp_path / "calls.vcf", records, ("S1",)))
    check_locus_and_surroundings(path, reference, locus)


@pytest.mark.parametrize("alternate", ["*", "<DEL>", "<INS>", "R", "{base}]20:400]", ".TTT"])
def test_alleles_of_no_known_bases_are_left_out_where_bcftools_does_something_else(
    reference, tmp_path, alternate
):
    locus = Locus("20", 7_000, 7_040)
    base, other = (decode(reference.codes("20")[p : p + 1]) for p in (7_010, 7_020))
    snv = "A" if other != "A" else "C"
    records = [
        f"20 7011 . {base} {alternate.format(base=base)},{base}GG 1|2",
        f"20 7021 . {other} {snv} 1|1",
    ]
    path = write_vcf(tmp_path / "calls.vcf", records, ("S1",))
    first, second = open_individuals(path, reference).individual("S1").haplotypes(locus)
    sequence = reference.sequence(locus)
    assert first.sequence == sequence[:20] + snv + sequence[21:]
    # the other alternate of the same record is as good as ever
    assert second.sequence == sequence[:11] + "GG" + sequence[11:20] + snv + sequence[21:]


def _spelled_out(reference, locus, record):
    """Turn "offset kinds[ call]" into a record: S an SNV, I and J insertions, D a deletion of three bases."""
    offset, kinds, call = [*record.split(), ""][:3]
    if not call:
        kinds, call = kinds.partition("|")[0], "1|1"
    position = locus.start + int(offset)
    base, three = (decode(reference.codes("20")[position : position + n]) for n in (1, 4))
    ref = three if kinds == "D" else base
    alternates = {"S": "A" if base != "A" else "C", "I": f"{base}GATTACA", "J": f"{base}CC", "D": base}
    return f"20 {position + 1} . {ref} {','.join(alternates[kind] for kind in kinds.split(','))} {call}"
