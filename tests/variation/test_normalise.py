from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phenviz.errors import DataError
from phenviz.genome import Locus, decode, encode
from phenviz.variation import apply_variants, normalise, read_variants
from phenviz.variation.normalise import left_align
from tests.variation.oracles import needs_bcftools, random_records, run, write_vcf

_FEW_LETTERS = st.text("AC", min_size=12, max_size=40)


def _edited(sequence: str, start: int, ref: str, alt: str) -> str:
    return sequence[:start] + alt + sequence[start + len(ref) :]


def _every_description(sequence: str, edited: str) -> list[tuple[int, str, str]]:
    """Try all ways to write a variant that turns one sequence into the other."""
    found = []
    for start in range(len(sequence)):
        for end in range(start, len(sequence) + 1):
            tail = len(sequence) - end
            alt = edited[start : len(edited) - tail]
            if len(edited) - tail >= start and _edited(sequence, start, sequence[start:end], alt) == edited:
                found.append((start, sequence[start:end], alt))
    return found


@given(_FEW_LETTERS, st.integers(0, 30), st.integers(1, 4), st.text("AC", max_size=5))
def test_a_variant_goes_to_the_leftmost_of_its_shortest_descriptions(sequence, start, length, alt):
    # two letters make repeats, where an indel has many descriptions
    start = min(start, len(sequence) - length)
    ref = sequence[start : start + length]
    if ref == alt or not alt:
        return
    place, short_ref, short_alt = left_align(encode(sequence), start, ref, alt)
    edited = _edited(sequence, start, ref, alt)
    assert _edited(sequence, place, short_ref, short_alt) == edited
    described = _every_description(sequence, edited)
    if len(short_ref) == len(short_alt):
        # one place only: the shortest description is trimmed on both sides
        assert len(short_ref) == min(len(ref) for _, ref, _ in described)
        return
    anchored = [(s, r, a) for s, r, a in described if r and a]
    shortest = min(len(r) for _, r, _ in anchored)
    assert place == min(s for s, r, _ in anchored if len(r) == shortest)
    assert len(short_ref) == shortest


@needs_bcftools
@pytest.mark.parametrize("seed", range(4))
def test_the_table_is_what_bcftools_norm_makes_of_the_file(toy_world, tmp_path, seed):
    rng = np.random.default_rng(seed)
    locus = Locus("20", 1_000, 4_000)
    path = write_vcf(tmp_path / "calls.vcf", random_records(toy_world.reference, locus, rng, 300, 0))
    found = read_variants(path, toy_world.reference)
    normed = run("bcftools", "norm", "-f", toy_world.reference.path, "-m", "-any", path)
    rows = [line.split("\t")[:5] for line in normed.splitlines() if not line.startswith("#")]
    expected = {(contig, int(position), ref, alt) for contig, position, _, ref, alt in rows}
    assert (
        set(found.table[["contig", "position", "ref", "alt"]].itertuples(index=False, name=None)) == expected
    )
    assert found.report.skipped.get("duplicate", 0) == len(rows) - len(expected)


def test_a_normalised_variant_makes_the_same_sequence(toy_world):
    rng = np.random.default_rng(5)
    locus = Locus("20", 400, 900)
    for record in random_records(toy_world.reference, locus, rng, 40, 0):
        contig, position, _, ref, alts = record.split()
        for alt in alts.split(","):
            row = pd.DataFrame({"contig": [contig], "position": [int(position)], "ref": [ref], "alt": [alt]})
            wide = Locus("20", 350, 950)
            as_written = apply_variants(toy_world.reference, wide, row)
            moved = apply_variants(toy_world.reference, wide, normalise(row, toy_world.reference))
            assert as_written.sequence == moved.sequence


def test_an_indel_at_the_first_base_keeps_the_base_after_it():
    assert left_align(encode("ACGT"), 0, "AC", "C") == (0, "AC", "C")
    assert left_align(encode("AAAT"), 2, "AT", "T") == (0, "AA", "A")
    assert left_align(encode("ACGT"), 0, "A", "TA") == (0, "A", "TA")


def test_a_long_repeat_is_crossed_in_one_go():
    codes = encode("G" + "CA" * 5_000 + "T")
    start, ref, alt = left_align(codes, 10_000, "A", "ACA")
    assert (start, ref, alt) == (0, "G", "GCA")


def test_other_columns_travel_with_their_row(toy_world):
    reference = toy_world.reference
    positions = [3_000, 1_000, 2_000]
    refs = [decode(reference.codes("20")[p - 1 : p]) for p in positions]
    table = pd.DataFrame(
        {"contig": ["chr20"] * 3, "position": positions, "ref": refs, "beta": [3.0, 1.0, 2.0]}
    )
    table["alt"] = ["A" if ref != "A" else "C" for ref in refs]
    done = normalise(table, reference)
    assert done["position"].tolist() == [1_000, 2_000, 3_000]
    assert done["beta"].tolist() == [1.0, 2.0, 3.0]
    assert done["contig"].unique().tolist() == ["20"] and done["id"].tolist() == [""] * 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("7", 1_000, "A", "C"), "contigs that the reference lacks"),
        (("20", 60_000, "A", "C"), "leave their contig"),
        (("20", 1_000, "A", "<DEL>"), "symbolic"),
        (("20", 1_000, "N", "C"), "REF isn't what the reference has"),
    ],
)
def test_a_row_that_cannot_be_normalised_is_named(toy_world, row, said):
    contig, position, ref, alt = row
    if contig == "20" and ref == "A" and position == 1_000:
        ref = decode(toy_world.reference.codes("20")[999:1_000])
    table = pd.DataFrame([(contig, position, ref, alt)], columns=["contig", "position", "ref", "alt"])
    with pytest.raises(DataError, match=said):
        normalise(table, toy_world.reference)


def test_a_table_without_alleles_is_refused(toy_world):
    with pytest.raises(DataError, match="lacks ref, alt"):
        normalise(pd.DataFrame({"contig": ["20"], "position": [1]}), toy_world.reference)
