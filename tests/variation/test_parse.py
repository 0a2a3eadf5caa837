from __future__ import annotations

import pytest

from phenviz.errors import DataError
from phenviz.genome import decode
from phenviz.variation import VARIANT_COLUMNS, parse_variant, parse_variants


@pytest.mark.parametrize(
    "text",
    [
        "20:1600925:G:A",
        "chr20:1600925:g:a",
        "chr20-1600925-G-A",
        "chr20_1600925_G_A",
        "20:1600925_G/A",
        "chr20:1,600,925 G>A",
        " chr20:1600925G>A ",
        "chr20:g.1600925G>A",
        "20 1600925 G A",
        "chr20:1_600_925 G -> A",
        "chr20\t1600925\t.\tG\tA\t.\tPASS\tAC=3",
    ],
)
def test_a_variant_is_read_as_people_write_it(text):
    table = parse_variant(text)
    assert table.columns.tolist() == VARIANT_COLUMNS
    assert table.iloc[0].tolist() == ["20", 1_600_925, "G", "A", ""]


def test_an_indel_and_an_id_are_kept():
    assert parse_variant("20-100-ACGT-A").iloc[0].tolist() == ["20", 100, "ACGT", "A", ""]
    assert parse_variant("20\t100\trs5\tA\tAC").iloc[0].tolist() == ["20", 100, "A", "AC", "rs5"]


@pytest.mark.parametrize(
    "text",
    ["", "rs123", "20:100", "20:100:A", "20:100:A:<DEL>", "20:0:A:C", "20:100:A:C,G", "20:x:A:C", "A>C"],
)
def test_what_is_no_variant_is_refused(text):
    with pytest.raises(DataError):
        parse_variant(text)


def test_pasted_lines_become_one_sorted_table(toy_world):
    reference = toy_world.reference
    codes = reference.codes("20")
    base = {p: decode(codes[p - 1 : p]) for p in (1_000, 2_000, 3_000)}
    other = {p: "A" if b != "A" else "C" for p, b in base.items()}
    two = [b for b in "ACGT" if b != base[3_000]][:2]
    text = (
        f"# my variants\n20:2000:{base[2_000]}:{other[2_000]}\n\n"
        f"chr20 1,000 {base[1_000]}>{other[1_000]}\nchr20:2000{base[2_000]}>{other[2_000]}\r\n"
        f"20\t3000\trs1\t{base[3_000]}\t{','.join(two)}\n"
    )
    table = parse_variants(text, reference)
    assert table["position"].tolist() == [1_000, 2_000, 3_000, 3_000]
    assert table["id"].tolist() == ["", "", "rs1", "rs1"]
    assert table["alt"].tolist() == [other[1_000], other[2_000], *two]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", "line 3: can't read 'hello'"),
        ("20\t1000\t.\tA\tC,<DEL>\t.\tPASS", "line 3: can't read"),
        ("20:60000:A:C", "line 3: .*leave their contig"),
        ("7:5:A:C", "line 3: .*lacks"),
    ],
)
def test_the_line_that_is_wrong_is_named(toy_world, line, said):
    base = decode(toy_world.reference.codes("20")[999:1_000])
    good = f"20:1000:{base}:{'A' if base != 'A' else 'C'}"
    with pytest.raises(DataError, match=said):
        parse_variants(f"{good}\n\n{line}\n{good}", toy_world.reference)


def test_nothing_pasted_says_what_to_write(toy_world):
    with pytest.raises(DataError, match="no variants were given: write 20:1600925:G:A"):
        parse_variants(" \n#x\n", toy_world.reference)
