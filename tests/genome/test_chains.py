import gzip

import pytest

from phenviz.errors import DataError
from phenviz.genome.chains import Chains, Lifted
from tests.variation.lift_toys import CHAIN


@pytest.fixture
def chains(tmp_path):
    path = tmp_path / "toy.over.chain"
    path.write_text(CHAIN)
    return Chains(path)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10, 11, Lifted("chr20", 15, 16, False)),
        (39, 40, Lifted("chr20", 44, 45, False)),
        (45, 46, Lifted("chr20", 48, 49, False)),
        (45, 80, Lifted("chr20", 48, 83, False)),
        # 339 - s, and the order turned round
        (100, 101, Lifted("chr20", 239, 240, True)),
        (139, 140, Lifted("chr20", 200, 201, True)),
        (110, 113, Lifted("chr20", 227, 230, True)),
        (9, 10, "unmapped"),
        (40, 41, "unmapped"),
        (44, 46, "split"),
        (39, 41, "split"),
        (39, 46, "split"),
        (79, 101, "split"),
        (150, 151, "ambiguous"),
        (199, 200, "unmapped"),
        (199, 201, "beyond_contig"),
        (-1, 1, "beyond_contig"),
    ],
)
def test_bases_lie_where_the_chain_says_by_hand(chains, start, end, expected):
    assert chains.bases("chr20", start, end) == expected


@pytest.mark.parametrize(
    ("start", "end", "least", "expected"),
    [
        (10, 40, 0.95, Lifted("chr20", 15, 45, False)),
        # 30 + 35 of 70 bases correspond, and are 65 of 68 on the target
        (10, 80, 0.9, Lifted("chr20", 15, 83, False)),
        (10, 80, 0.95, "partly_mapped"),
        # 20 of 21 bases, 0.952
        (119, 140, 0.95, Lifted("chr20", 200, 221, True)),
        (120, 141, 0.95, Lifted("chr20", 200, 220, True)),
        (120, 142, 0.95, "partly_mapped"),
        (80, 100, 0.95, "unmapped"),
        (70, 110, 0.95, "split"),
        (151, 169, 0.95, "ambiguous"),
    ],
)
def test_an_interval_needs_most_of_its_bases_in_one_chain(chains, start, end, least, expected):
    assert chains.interval("chr20", start, end, least) == expected


def test_an_insertion_inside_an_interval_stretches_it_no_further_than_allowed(tmp_path):
    (tmp_path / "c.chain").write_text("chain 1 1 100 + 0 20 1 500 + 0 120 1\n10 0 100\n10\n\n")
    chains = Chains(tmp_path / "c.chain")
    assert chains.interval("1", 0, 20) == "split"
    assert chains.interval("1", 0, 20, 0.1) == Lifted("1", 0, 120, False)


def test_contigs_go_with_or_without_chr_and_keep_that(chains):
    assert chains.bases("20", 10, 11) == Lifted("20", 15, 16, False)
    assert chains.bases("CHR20", 10, 11) == Lifted("chr20", 15, 16, False)
    assert chains.bases("22", 10, 11) == chains.interval("22", 10, 11) == "unknown_contig"


def test_a_gzipped_file_is_read_whatever_its_name(tmp_path):
    (tmp_path / "c").write_bytes(gzip.compress(CHAIN.encode()))
    assert Chains(tmp_path / "c").bases("20", 10, 11) == Lifted("20", 15, 16, False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no chain"),
        (b"contig\tposition\n20\t5\n", "holds no chain"),
        (gzip.compress(CHAIN.encode() * 50)[:-20], "to its end"),
        (CHAIN.replace("35", "36").encode(), "damaged or no chain file"),
        (b"chain 1000 chr20 200 + 10\n", "damaged or no chain file"),
        (b"\x00\x01\x02", "holds no chain"),
    ],
)
def test_a_file_that_is_no_chain_file_is_said_in_one_line(tmp_path, content, said):
    (tmp_path / "c.chain").write_bytes(content)
    with pytest.raises(DataError, match=said) as told:
        Chains(tmp_path / "c.chain")
    assert str(tmp_path / "c.chain") in str(told.value) and "\n" not in str(told.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        Chains(tmp_path / "c.chain")
