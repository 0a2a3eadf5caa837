from __future__ import annotations

import numpy as np
import pytest

from phenviz.errors import DataError
from phenviz.genome import Locus, decode
from phenviz.variation import open_individuals, unique_haplotypes
from phenviz.variation.fasta import fasta_header
from tests.variation.oracles import write_vcf

LOCUS = Locus("20", 2_000, 2_400)


def _open(reference, folder, calls):
    """Write one SNV every five bases, with these calls of one sample."""
    records = []
    for place, call in enumerate(calls):
        position = 2_005 + 5 * place
        ref = decode(reference.codes("20")[position - 1 : position])
        records.append(f"20 {position} . {ref} {'A' if ref != 'A' else 'C'} {call}")
    return open_individuals(write_vcf(folder / "calls.vcf", records, ("S1",)), reference)


def _carried(haplotype):
    return [(position - 2_005) // 5 for position in haplotype.variants["position"]]


def test_unphased_heterozygotes_are_refused_and_named(reference, tmp_path):
    person = _open(reference, tmp_path, ["0|1", "1/1", "0/1", "./.", "1/0"]).individual("S1")
    with pytest.raises(
        DataError, match=r"unphased at 20:2015 .* and 1 more: choose .*'as listed' or 'random'"
    ):
        person.haplotype(LOCUS, 1)


def test_calls_without_an_order_need_no_phase(reference, tmp_path):
    person = _open(reference, tmp_path, ["0/0", "1/1", "./.", "0/.", "1", ".", "0|1"]).individual("S1")
    first, second = person.haplotypes(LOCUS)
    assert _carried(first) == [1, 4] and _carried(second) == [1, 6]
    told = "as in the file; 1 haploid call; 3 missing calls taken as the reference"
    assert first.phasing.certain and first.phasing.describe() == told
    assert second.describe().endswith(f"400 bases; {told}")


def test_half_missing_calls_with_the_alternate_need_a_phase(reference, tmp_path):
    with pytest.raises(DataError, match="unphased at 20:2005"):
        _open(reference, tmp_path, ["./1"]).individual("S1").haplotypes(LOCUS)
    first, second = _open(reference, tmp_path, [".|1"]).individual("S1").haplotypes(LOCUS)
    assert _carried(first) == [] and _carried(second) == [0]


def test_as_listed_takes_the_first_allele_first_and_says_so(reference, tmp_path):
    person = _open(reference, tmp_path, ["0/1", "1/0", "1|0"]).individual("S1")
    first, second = person.haplotypes(LOCUS, unphased="as listed")
    assert _carried(first) == [1, 2] and _carried(second) == [0]
    assert first.phasing.describe() == "2 unphased heterozygotes put as listed"
    assert 'phase="2 unphased heterozygotes put as listed"' in fasta_header(first, "toy1")


def test_random_is_the_same_for_a_seed_and_in_every_locus(reference, tmp_path):
    person = _open(reference, tmp_path, ["0/1"] * 40).individual("S1")
    first, second = person.haplotypes(LOCUS, unphased="random", seed=3)
    assert _carried(first) == _carried(person.haplotype(LOCUS, 1, unphased="random", seed=3))
    # every heterozygote is on exactly one haplotype, and neither haplotype has them all
    assert sorted(_carried(first) + _carried(second)) == list(range(40))
    assert 5 < len(_carried(first)) < 35
    part = person.haplotype(Locus("20", 2_050, 2_150), 1, unphased="random", seed=3)
    assert _carried(part) == [place for place in _carried(first) if 2_050 <= 2_004 + 5 * place < 2_150]
    others = [_carried(person.haplotype(LOCUS, 1, unphased="random", seed=seed)) for seed in range(4, 8)]
    assert all(other != _carried(first) for other in others)
    assert first.phasing.describe() == "40 unphased heterozygotes put random, seed 3"


def test_phase_sets_are_not_phased_to_one_another(reference, tmp_path):
    calls = ["0|1:5", "1|0:5", "1|1:9", "0|1:9", "0|0:7"]
    person = _open(reference, tmp_path, calls).individual("S1")
    with pytest.raises(
        DataError, match=r"2 phase sets here \(from 20:2005 .* and from 20:2020 .*\).*shorter locus"
    ):
        person.haplotypes(LOCUS)
    # within one set nothing is open
    assert _carried(person.haplotype(Locus("20", 2_000, 2_018), 2)) == [0, 2]
    listed = person.haplotype(LOCUS, 2, unphased="as listed")
    assert _carried(listed) == [0, 2, 3] and listed.phasing.describe() == "2 phase sets put as listed"
    seen = set()
    for seed in range(12):
        first, second = person.haplotypes(LOCUS, unphased="random", seed=seed)
        # a set is turned as a whole
        assert (0 in _carried(first)) != (1 in _carried(first))
        assert {0, 1, 3} == set(_carried(first)) ^ set(_carried(second))
        seen.add(tuple(_carried(first)))
    assert len(seen) == 4


def test_alternates_of_one_record_turn_together(reference, tmp_path):
    ref = decode(reference.codes("20")[2_004:2_005])
    one, two = [base for base in "ACGT" if base != ref][:2]
    path = write_vcf(tmp_path / "calls.vcf", [f"20 2005 . {ref} {one},{two} 1/2"], ("S1",))
    person = open_individuals(path, reference).individual("S1")
    for seed in range(6):
        pair = person.haplotypes(LOCUS, unphased="random", seed=seed)
        assert sorted(haplotype.variants["alt"].item() for haplotype in pair) == sorted([one, two])
        assert pair[0].phasing.unphased == 1


def test_an_unknown_choice_and_a_third_haplotype_are_refused(reference, tmp_path):
    person = _open(reference, tmp_path, ["0|1"]).individual("S1")
    with pytest.raises(DataError, match="choose one of 'refuse', 'as listed', 'random'"):
        person.haplotypes(LOCUS, unphased="guess")
    with pytest.raises(DataError, match="an individual has 1 and 2"):
        person.haplotype(LOCUS, 3)


def test_unique_haplotypes_refuse_what_is_open_and_say_how_it_was_put(reference, tmp_path):
    individuals = _open(reference, tmp_path, ["0/1", "0/1"])
    with pytest.raises(DataError, match="unphased"):
        unique_haplotypes(individuals, LOCUS)
    found = unique_haplotypes(individuals, LOCUS, unphased="as listed")
    assert found.phasing[0].unphased == 2
    np.testing.assert_array_equal(found.index, [[0, 1]])
