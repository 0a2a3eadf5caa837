import pandas as pd
import pytest

from phenviz.disease.lift_table import lift_table
from phenviz.errors import DataError
from tests.variation.lift_toys import reversed_strand, toy_lift


@pytest.fixture
def toys(tmp_path):
    return toy_lift(tmp_path / "toys")


def _lift(tmp_path, toys, text, suffix=".tsv", name="in.tsv"):
    (tmp_path / name).write_text(text)
    out, left = tmp_path / f"out{suffix}", tmp_path / f"left{suffix}"
    report = lift_table(tmp_path / name, out, left, *toys[:2])
    return report, out, left


def _other(base):
    return "ACGT"["ACGT".index(base) - 1]


def test_places_alleles_and_names_are_rewritten_and_all_else_stays(tmp_path, toys):
    old = toys[2]
    a, b = old[20], old[110]
    text = (
        "chromosome\tposition\tref\talt\tvariant\tbeta\tremark\n"
        f"20\t21\t{a}\t{_other(a)}\t20:21_{a}_{_other(a)}\t0.50\tkept\n"
        f"chr20\t111\t{b}\t{_other(b)}\trs7\tNA\t\n"
        f"20\t42\tA\tC\tx\t1\tgap\n"
        f"20\t26\t{_other(old[25])}\t{old[25]}\ty\t1\tturned\n"
    )
    report, out, left = _lift(tmp_path, toys, text)
    assert out.read_text() == (
        "chromosome\tposition\tref\talt\tvariant\tbeta\tremark\n"
        f"20\t26\t{a}\t{_other(a)}\t20:26_{a}_{_other(a)}\t0.50\tkept\n"
        f"chr20\t230\t{reversed_strand(b)}\t{reversed_strand(_other(b))}\trs7\t\t\n"
    )
    rows = pd.read_csv(left, sep="\t")
    assert rows["lift_line"].tolist() == [4, 5] and rows["lift_rejected"].tolist() == ["unmapped", "swapped"]
    assert rows["remark"].tolist() == ["gap", "turned"]
    assert (report.read, report.lifted, report.reverse) == (4, 2, 1)
    assert report.notes == ["columns rewritten: chromosome, position, ref, alt, variant"]


def test_effect_alleles_are_turned_over_but_never_checked_or_swapped(tmp_path, toys):
    old = toys[2]
    b = old[110]
    text = (
        "chromosome\tbase_pair_location\teffect_allele\tother_allele\tref_allele\tbeta\tstandard_error\n"
        f"20\t111\t{_other(b)}\t{b}\tOA\t0.1\t0.01\n20\t21\tT\tT\tOA\t0.1\t0.01\n"
        f"20\t111\tAC\tA\tOA\t0.1\t0.01\n"
    )
    report, out, _ = _lift(tmp_path, toys, text)
    rows = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    assert rows[0][1:5] == ["230", reversed_strand(_other(b)), reversed_strand(b), "OA"]
    assert rows[1][1:5] == ["26", "T", "T", "OA"]
    # which allele is the reference's isn't said, so its place on the other strand isn't known
    assert dict(report.rejected) == {"indel_reversed": 1}


def test_a_table_that_goes_by_names_gets_new_names(tmp_path, toys):
    old = toys[2]
    a, b = old[20], old[110]
    rows = [f"chr20:21:{a}:{_other(a)}\t0.5", f"20:111:{b}:{_other(b)}\t0.4", "rs9\t0.1", "20:51\t0"]
    text = "\n".join(["variant\tposterior", *rows, ""])
    report, out, _ = _lift(tmp_path, toys, text)
    assert out.read_text().splitlines()[1:] == [
        f"chr20:26:{a}:{_other(a)}\t0.5",
        f"20:230:{reversed_strand(b)}:{reversed_strand(_other(b))}\t0.4",
        "20:54\t0",
    ]
    assert dict(report.rejected) == {"no_position": 1}


@pytest.mark.parametrize("suffix", [".tsv.gz", ".csv", ".parquet"])
def test_other_kinds_of_table_hold_the_same(tmp_path, toys, suffix):
    a = toys[2][20]
    text = f"contig\tposition\tref\talt\tz\n20\t21\t{a}\t{_other(a)}\t1.5\n20\t9\tA\tC\t2\n"
    _, out, left = _lift(tmp_path, toys, text, suffix)
    read = (
        pd.read_parquet if suffix == ".parquet" else lambda path: pd.read_csv(path, sep=None, engine="python")
    )
    assert read(out).astype(str).to_numpy().tolist() == [["20", "26", a, _other(a), "1.5"]]
    assert read(left)["lift_rejected"].tolist() == ["unmapped"]


def test_numbers_of_a_parquet_table_stay_numbers(tmp_path, toys):
    a = toys[2][20]
    pd.DataFrame({"contig": ["20"], "position": [21], "ref": [a], "alt": [_other(a)], "z": [1.5]}).to_parquet(
        tmp_path / "in.parquet"
    )
    lift_table(tmp_path / "in.parquet", tmp_path / "o.parquet", tmp_path / "r.parquet", *toys[:2])
    found = pd.read_parquet(tmp_path / "o.parquet")
    assert (
        found["position"].tolist() == [26]
        and found["position"].dtype == "int64"
        and found["z"].dtype == float
    )
    assert not len(pd.read_parquet(tmp_path / "r.parquet"))


def test_columns_that_stay_on_the_old_assembly_are_named(tmp_path, toys):
    a = toys[2][20]
    text = f"contig\tposition\tref\talt\tlocus\n20\t21\t{a}\t{_other(a)}\tchr20:1-100\n"
    report, *_ = _lift(tmp_path, toys, text)
    assert report.notes[-1] == "columns that may still be of the old assembly: locus"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contig\tstart\tend\tposterior\n20\t1\t2\t0.5\n", "holds intervals .* lift it as .bed"),
        ("rsid\tposterior\nrs1\t0.5\n", "no columns contig and position, nor names"),
        ("contig\tposition\tref\talt\n20\t1\tA\n", "line 2: it has 3 fields"),
    ],
)
def test_a_table_without_places_is_refused(tmp_path, toys, text, said):
    with pytest.raises(DataError, match=said):
        _lift(tmp_path, toys, text)
    assert not (tmp_path / "out.tsv").exists()


def test_positions_are_the_same_in_a_table_in_chunks(tmp_path, toys):
    old = toys[2]
    text = "contig\tposition\tref\talt\n" + "".join(
        f"20\t{place}\t{old[place - 1]}\t{_other(old[place - 1])}\n" for place in range(1, 201)
    )
    (tmp_path / "in.tsv").write_text(text)
    found = []
    for chunk in (7, 1000):
        lift_table(tmp_path / "in.tsv", tmp_path / "o.tsv", tmp_path / "r.tsv", *toys[:2], chunk=chunk)
        found.append((tmp_path / "o.tsv").read_text() + (tmp_path / "r.tsv").read_text())
    assert found[0] == found[1] and found[0].count("\n") == 202
