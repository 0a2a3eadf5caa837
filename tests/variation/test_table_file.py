"""Tables of variants that people write."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from phenviz.errors import DataError
from phenviz.variation.table_file import iter_table

_HEAD = "contig\tposition\tref\talt\tid\n"


def _read(path, size=2):
    return pd.concat(iter_table(path, size), ignore_index=True)


@pytest.mark.parametrize(
    "text",
    [
        f"{_HEAD}20\t5\tG\tA\tlab#7\n20\t6\tT\tC,G\t\n",
        f"# mine\n##more\n{_HEAD}20\t5\tG\tA\tlab#7\n\n20\t6.0\tT\tC,G\t\n\n",
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n20\t5\tlab#7\tG\tA\n20\t6\t\tT\tC,G\n",
        "# contig\tposition\tref\talt\tid\n20\t5\tG\tA\tlab#7\n20\t6\tT\tC,G\t\n",
        "Chr\tPos\tRef\tAlt\tID\textra\r\n20\t5\tG\tA\tlab#7\t\r\n20\t6\tT\tC,G\t\t\r\n",
        '"contig"\t"position"\t"ref"\t"alt"\t"id"\n"20"\t5\t"G"\t"A"\t"lab#7"\n"20"\t6\t"T"\t"C,G"\t""\n',
        f"\ufeff{_HEAD}20\t5\tG\tA\tlab#7\n20\t6\tT\tC,G\t\n",
    ],
)
def test_a_table_is_read_as_it_is_meant(tmp_path, text):
    path = tmp_path / "table.tsv"
    path.write_bytes(text.encode())
    table = _read(path)
    rows = table[["contig", "position", "ref", "alt", "id"]].values.tolist()
    assert rows == [["20", 5, "G", "A", "lab#7"], ["20", 6, "T", "C,G", ""]]
    zipped = tmp_path / "table.tsv.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert _read(zipped, 1).equals(table)


def test_a_csv_may_have_commas_in_quotes_and_parquet_has_types(tmp_path):
    (tmp_path / "t.csv").write_text('contig,position,ref,alt,note\n20,5,G,"A,C","x, y"\n')
    assert _read(tmp_path / "t.csv")[["alt", "note"]].values.tolist() == [["A,C", "x, y"]]
    pd.DataFrame({"CHROM": [20], "POS": [5], "REF": ["G"], "ALT": ["A"]}).to_parquet(tmp_path / "t.parquet")
    assert _read(tmp_path / "t.parquet").columns.tolist() == ["contig", "position", "ref", "alt"]


def test_a_table_without_rows_is_one_empty_chunk(tmp_path):
    (tmp_path / "t.tsv").write_text(_HEAD)
    assert [len(chunk) for chunk in iter_table(tmp_path / "t.tsv", 5)] == [0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: give a table with the columns contig, position, ref, alt"),
        ("contig position ref alt\n20 5 G A\n", "line 1: no column contig; it has 'contig position ref alt'"),
        ("contig\tposition\tref\n20\t5\tG\n", "line 1: no column alt; it has 'contig, position, ref'"),
        (f"{_HEAD}20\t5\tG\tA\tx\n20\t6\tG\tA\tx\0\n", "line 3: a zero byte in id: the file is damaged"),
        (f"{_HEAD}20\t1.60092e+06\tG\tA\tx\n", r"line 2: position '1.60092e\+06' .*digits are lost"),
        (f"# x\n{_HEAD}20\t5\tG\tA\tx\n20\tfive\tG\tA\tx\n", "line 4: position 'five' is no whole number"),
        (f"{_HEAD}20\t5\tG\tA\tx\n20\t\tG\tA\tx\n", "line 3: position is empty"),
        (f"{_HEAD}20\t5\tG\n", "line 2: alt is empty"),
        (f"{_HEAD}20\t5\tG\tA\tx\ty\n", "line 2: more cells than the header"),
        (f"{_HEAD}20\t5\tG\tA\tx\n# no comment\n", "line 3: position is empty"),
        ("contig\tposition\tref\talt\tref\n20\t5\tG\tA\tG\n", "line 1: two columns are called 'ref'"),
        ("chrom\tchr\tpos\tref\talt\n20\t20\t5\tG\tA\n", "which is contig, chrom or chr"),
        (f"{_HEAD}20\t5\tG\tA\t\udcf6\n", "isn't UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_why(tmp_path, text, said):
    path = tmp_path / "table.tsv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=said) as caught:
        _read(path, 1)
    assert str(path) in str(caught.value)


def test_a_compressed_table_that_is_cut_short_says_so(tmp_path):
    path = tmp_path / "table.tsv.gz"
    path.write_bytes(gzip.compress((_HEAD + "20\t5\tG\tA\tx\n" * 500).encode())[:-9])
    with pytest.raises(DataError, match="can't be read as a table of variants"):
        _read(path, 100)
