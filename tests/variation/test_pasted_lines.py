"""Pasted lines of which some can't be read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.errors import DataError
from phenviz.genome import Locus
from phenviz.variation import open_individuals, parse_variants
from phenviz.variation.frequencies import with_frequencies
from phenviz.variation.rsids import read_pasted_lines
from tests.variation.oracles import write_vcf

KEY = ["contig", "position", "ref", "alt"]


@pytest.fixture(scope="module")
def known(reference, tmp_path_factory):
    """Write variants with ids, among four people."""
    rng = np.random.default_rng(7)
    records = []
    for number, position in enumerate(range(1_000, 45_000, 997)):
        base = reference.sequence(Locus("20", position - 1, position))
        calls = " ".join(f"{a}|{b}" for a, b in rng.integers(0, 2, (4, 2)))
        records.append(f"20 {position} rs{number + 1} {base} {'A' if base != 'A' else 'C'} {calls}")
    return write_vcf(tmp_path_factory.mktemp("known") / "known.vcf", records, tuple("abcd"))


def random_line(rng, reference, known_rows) -> str:
    """Write a line in one of many ways, every third one wrong."""
    _contig, position, name, ref, alt = known_rows[rng.integers(len(known_rows))]
    good = [
        f"20:{position}:{ref}:{alt}", f"chr20-{position}-{ref}-{alt}", f"chr20\t{position}\t.\t{ref}\t{alt}",
        f"20\t{position}\t.\t{ref}\t{alt}\t.\tPASS\tAC=3;AN=8", f"chr20:{int(position):,} {ref}>{alt}", name,
    ]  # fmt: skip
    wrong = "ACGT".replace(ref, "")[0]
    bad = [
        "banana", "rs999999", f"20:{position}:{wrong}:{ref}", f"chr7:{position}:{ref}:{alt}",
        "20:90000000:A:C", f"20:{position}:{ref}", f"20\t{position}\t.\t{ref}\t<DEL>",
    ]  # fmt: skip
    lines = bad if rng.random() < 1 / 3 else good
    return lines[rng.integers(len(lines))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_can_be_read_is_read_and_every_other_line_is_named(reference, known, seed, end):
    rng = np.random.default_rng(seed)
    rows = [line.split("\t")[:5] for line in known.read_text().splitlines() if not line.startswith("#")]
    lines = [random_line(rng, reference, rows) for _ in range(60)]
    # the slow way: each line by itself
    places = {row[2]: f"20\t{row[1]}\t.\t{row[3]}\t{row[4]}" for row in rows}
    tables, bad = [], []
    for number, line in enumerate(lines, 1):
        try:
            tables.append(parse_variants(places.get(line, line), reference))
        except DataError:
            bad.append(number)
    expected = pd.concat(tables)[KEY]
    found, said = read_pasted_lines(end.join(lines) + end, [known], reference)
    assert sorted(found.table[KEY].itertuples(index=False)) == sorted(
        expected.drop_duplicates().itertuples(index=False)
    )
    assert found.table["position"].is_monotonic_increasing
    named = [one for one in said if one.startswith("line ")]
    assert [int(one.split()[1]) for one in named] == bad
    assert all(" ".join(lines[number - 1].split()) in one for number, one in zip(bad, named, strict=True))
    again = len(expected) - len(found.table)
    assert (f"{again} variants written again, counted once" in said) == (again > 1)


def test_several_rsids_may_stand_on_a_line(reference, known):
    found, said = read_pasted_lines("rs1, rs2\trs3\nRS4 rs77777", [known], reference)
    assert found.table["id"].tolist() == ["rs1", "rs2", "rs3", "rs4"]
    assert len(said) == 1 and said[0].startswith("line 2 (RS4 rs77777): this world doesn't know rs77777")


def test_a_list_without_one_good_line_says_what_is_wrong_with_the_first(reference, known):
    with pytest.raises(DataError, match=r"line 1 \(banana\).*line 5 \(x5\).*and 2 more"):
        read_pasted_lines("banana\n" + "\n".join(f"x{n}" for n in range(2, 8)), [known], reference)


def test_pasted_variants_get_the_name_and_frequency_that_individuals_have(reference, known):
    people = open_individuals(known, reference)
    whole = people.allele_counts(Locus("20", 0, 50_000), by=None)
    wanted = whole.sample(12, random_state=3)[[*KEY, "id"]].assign(id="")
    other = wanted.iloc[:1].assign(position=17, ref="A", alt="C", id="mine")
    found = with_frequencies(pd.concat([wanted, other], ignore_index=True), people)
    slow = whole.set_index("position").loc[wanted["position"]]
    assert found["id"].tolist() == [*slow["id"], "mine"]
    np.testing.assert_array_equal(found["allele_frequency"], [*slow["allele_frequency"], np.nan])
