from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.errors import DataError
from phenviz.genome.locus import on_contig, same_contig
from phenviz.genome.variant import Edit, Variant, read_variants


@pytest.mark.parametrize("contig", ["20", "X", "KI270711.1", "HLA*01:01:01"])
def test_a_key_is_read_back_whatever_the_contig_is_called(contig):
    variant = Variant(contig, 1_600_925, "G", "AT")
    assert Variant.of_key(variant.key) == variant


def test_a_key_is_the_same_with_and_without_chr():
    assert Variant("chr20", 5, "G", "A").key == Variant("20", 5, "G", "A").key == "20:5:G:A"


@pytest.mark.parametrize("text", ["", "20", "20:5:G", "20:x:G:A", "20:-5:G:A"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(DataError, match="no variant"):
        Variant.of_key(text)


def test_a_line_with_two_alternates_is_two_variants():
    assert read_variants("chr20:1,005 G>A,TT") == (
        [Variant("20", 1_005, "G", "A"), Variant("20", 1_005, "G", "TT")],
        "",
    )


def test_a_variant_counts_from_one_and_its_edit_and_locus_from_zero():
    variant = Variant("20", 100, "ACG", "A")
    assert variant.edit == Edit(99, "ACG", "A")
    assert (variant.locus.start, variant.locus.end) == (99, 102)


@pytest.mark.parametrize("seed", range(50))
def test_what_alleles_share_is_left_out_and_the_sequence_stays(seed):
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("AC"), 20))
    start = int(rng.integers(0, 10))
    ref = sequence[start : start + int(rng.integers(0, 8))]
    alt = "".join(rng.choice(list("AC"), int(rng.integers(0, 8))))
    edit = Edit(start, ref, alt)
    for shorter in (edit.trimmed(), edit.trimmed_from_start()):
        assert sequence[shorter.start : shorter.end] == shorter.ref
        edited = sequence[: shorter.start] + shorter.alt + sequence[shorter.end :]
        assert edited == sequence[:start] + alt + sequence[edit.end :]
        first, last = (shorter.ref[:1], shorter.alt[:1]), (shorter.ref[-1:], shorter.alt[-1:])
        assert not any(one and one == other for one, other in (first, last))


def test_names_of_a_contig_are_alike_in_any_case_with_and_without_chr():
    assert same_contig("chr20", "20") and same_contig("CHRx", "X") and not same_contig("2", "20")
    names = pd.Series(["chr20", "20", "2", "chrX"])
    assert on_contig(names, "chr20").tolist() == [True, True, False, False]
    assert on_contig(names.iloc[:0], "20").tolist() == []
