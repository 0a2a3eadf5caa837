from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phenviz.errors import LocusError
from phenviz.genome import Locus


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("chr20:42,984,160-42,985,160", 42_984_159, 42_985_160),
        ("20:42.9M-43M", 42_899_999, 43_000_000),
        ("20:42.9-43M", 42_899_999, 43_000_000),
        ("chr20 100 200", 99, 200),
        ("chr20\t100\t200", 99, 200),
        ("CHR20:34mb-35mb", 33_999_999, 35_000_000),
        ("20:1.5k-2kb", 1_499, 2_000),
        ("20:100", 99, 100),
        ("20:100..200", 99, 200),
        ("20:34-35M", 33_999_999, 35_000_000),
        ("20:900-1,100 kb", 899_999, 1_100_000),
        ("20:500-2k", 499, 2_000),
        ("20:1,500-2k", 1_499, 2_000),
        ("20:34bp-35M", 33, 35_000_000),
        ("20:1bp-2M", 0, 2_000_000),
        ("20:1M-2M", 999_999, 2_000_000),
        ("20:1.5-2M", 1_499_999, 2_000_000),
        ("20:100-200bp", 99, 200),
        ("20:100–200", 99, 200),
        ("20:100—200", 99, 200),
        ("20:100−200", 99, 200),
        ("20:34–35M", 33_999_999, 35_000_000),
        ("  chr20 : 1_000 - 2_000  ", 999, 2_000),
    ],
)
def test_a_locus_is_read_as_people_write_it(text, start, end):
    assert Locus.parse(text) == Locus("20", start, end)


@given(st.integers(0, 10**9), st.integers(1, 10**8))
def test_what_is_shown_reads_back_as_the_same_locus(start, length):
    locus = Locus("20", start, start + length)
    assert Locus.parse(str(locus)) == locus


def test_the_strand_is_kept():
    assert Locus.parse("20:100-200:-").strand == "-"
    assert Locus.parse("20:100–200:−").strand == "-"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20:200-100", "reversed"),
        ("20:0-100", "count from 1"),
        ("20:1.5-3", "fraction of a base"),
        ("HNF4A", "can't read"),
        ("20:", "can't read"),
        ("20:1-2-3", "can't read"),
        ("chr20:1-2M", "first base or at 1M: write 1bp-2M or 1M-2M"),
        ("20:1-1mb", "first base or at 1mb"),
        ("20:-5-10", "can't read"),
    ],
)
def test_what_is_no_locus_is_refused_in_words(text, said):
    with pytest.raises(LocusError, match=said):
        Locus.parse(text)


def test_a_locus_without_bases_is_refused():
    with pytest.raises(LocusError, match="empty"):
        Locus("20", 5, 5)


def test_widening_stops_at_the_first_base():
    assert Locus("20", 10, 20).widened(50) == Locus("20", 0, 70)


def test_loci_overlap_whatever_way_the_contig_is_written():
    assert Locus("chr20", 0, 10).overlaps(Locus("20", 9, 12))
    assert not Locus("20", 0, 10).overlaps(Locus("20", 10, 12))


def test_positions_may_be_numpy_integers_but_nothing_between_bases():
    locus = Locus("20", np.int64(5), np.int32(9))
    assert (type(locus.start), type(locus.end)) == (int, int) and locus == Locus("20", 5, 9)
    for start in (5.0, "5", None):
        with pytest.raises(LocusError, match="no whole number of bases"):
            Locus("20", start, 9)
