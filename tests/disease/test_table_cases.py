"""Tables that were read wrongly once: one synthetic locus, led by 20:1600925 G>A with beta +0.18."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.disease import hypotheses, methods_paragraph, read_trait_variants
from phenviz.errors import DataError
from tests.toys import draw_few

CASES = Path(__file__).parent.parent / "cases" / "tables"
_LEAD = 1_600_925


def _read(name, reference):
    return read_trait_variants(CASES / name, reference)


def _lead(found):
    return found.table.loc[found.table["posterior"].idxmax()]


@pytest.mark.parametrize(
    "name",
    [
        "b12_minus_strand_pip.tsv", "b16_dup_lead.tsv", "b2_regenie.regenie", "b2b_regenie_named.regenie",
        "b3_ssf_plain.tsv", "b3_ssf_refallele.tsv", "b4_harmonised_or.h.tsv", "b5_right_pip.tsv",
        "b5_variant_ea_pip.tsv", "b6_log10p_negative.tsv", "b6_metal_chrpos.tbl", "b8_floatchrom.tsv",
        "finngen.SUSIE.snp", "neale_style.tsv.bgz", "plink2.glm.logistic.hybrid", "saige.txt",
        "saige_cut.txt",
    ],
)  # fmt: skip
def test_lead_posterior_and_sign_are_right(grch37, name):
    found = _read(name, grch37)
    lead = _lead(found)
    assert (lead["position"], lead["ref"], lead["alt"]) == (_LEAD, "G", "A")
    assert lead["posterior"] == pytest.approx(0.964, abs=1e-3)
    assert lead["beta"] == pytest.approx(0.18, abs=1e-4)
    assert found.table["locus"].nunique() == 1
    right = _read("b5_right_pip.tsv", grch37).table.set_index("position")["beta"]
    np.testing.assert_allclose(found.table["beta"], right.loc[found.table["position"]], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "alt", "beta"),
    [
        ("r1_test.txt", "A", 0.18), ("r2_sign.txt", "A", 0.18), ("r3_dup.txt", "A", 0.18),
        ("r4_ssf.txt", "A", 0.18), ("r5_or.txt", "A", np.log(1.197)), ("r6_float.txt", "A", 0.18),
        ("r10_finngen.txt", "A", 0.18), ("r7_pal.txt", "A", 0.18), ("r8_cs.txt", "A", np.nan),
        ("r9_win.txt", "A", np.nan),
    ],
)  # fmt: skip
def test_the_same_holds_with_a_few_rows(grch37, name, alt, beta):
    found = _read(f"tiny/{name}", grch37)
    row = found.table.set_index("position").loc[_LEAD]
    assert row["alt"] == alt and row["beta"] == pytest.approx(beta, nan_ok=True)
    assert found.table["locus"].nunique() == 1


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("b1_covar.glm.linear", "b1_addonly.glm.linear"),
        ("b14_overlapping_windows.tsv", "b14_once.tsv"),
        ("b17_se_of_or.tsv", "b17_right.tsv"),
        ("saige_cut.txt", "saige.txt"),
    ],
)
def test_what_a_file_has_too_much_or_too_little_changes_nothing(grch37, name, right):
    found, expected = _read(name, grch37).table, _read(right, grch37).table
    for column in ("position", "ref", "alt"):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("posterior", "beta", "se"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-3)
    assert found["locus"].nunique() == expected["locus"].nunique()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("b1_covar.glm.linear", "90 with TEST other than ADD (AGE, SEX, PC1)"),
        ("b12_minus_strand_pip.tsv", "its 11 A/T and C/G variants were turned over, too"),
        ("b14_overlapping_windows.tsv", "48 listed twice"),
        ("b16_dup_lead.tsv", "1 listed twice (20:1600925:G:A)"),
        ("b17_se_of_or.tsv", "would if se were the standard error of the odds ratio"),
        ("b6_log10p_negative.tsv", "'log10p' is negative throughout: taken as log10 p"),
        ("bed_like_1based_indel.tsv", "start counts from 1"),
        ("gchromvar.bed", "start counts from 0"),
        ("saige_cut.txt", "doesn't say which allele its effects are of"),
        ("z_only_pip.tsv", "beta is missing"),
    ],
)
def test_what_was_made_of_a_file_is_said(grch37, name, says):
    assert says in _read(name, grch37).report.describe()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("b7_sci.tsv", "column 'pos': 24 of 24 positions are written like 1.59885e.06"),
        ("tiny/r11_sci.txt", "column 'pos': 1 of 1 positions are written like 1.60092e.06"),
        ("b9_otherbuild_ssf.tsv", "728 of 1,500 variants .* another assembly"),
        ("b11_bad_rs.txt", "line 5, .* it is 1.7, no probability .* 'pip'"),
        ("plink19.assoc.logistic", "has column 'A1' but not the other allele"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_columns_of_the_file(grch37, name, says):
    with pytest.raises(DataError, match=says):
        _read(name, grch37)


def test_variants_outside_credible_sets_make_no_loci_of_their_own(grch37, tmp_path):
    full, sets = _read("b13_one_full.tsv", grch37).table, _read("b13_one_cs.tsv", grch37).table
    assert full["locus"].unique().tolist() == sets["locus"].unique().tolist()
    assert full["posterior"].sum() == pytest.approx(sets["posterior"].sum())
    far = pd.read_csv(CASES / "b13_one_full.tsv", sep="\t")
    base = grch37.fetch_codes("20", 4_999_999, 5_000_000)[0]
    row = {
        "chromosome": 20,
        "position": 5_000_000,
        "ref": "ACGT"[base],
        "alt": "ACGT"[base - 1],
        "pip": 0.2,
        "cs": -1,
    }
    pd.concat([far, pd.DataFrame([row])]).to_csv(tmp_path / "far.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "far.tsv", grch37)
    assert found.report.skipped == {"outside_credible_sets": 1} and found.table["locus"].nunique() == 1


def test_improbable_variants_far_from_all_others_make_no_locus(grch37, tmp_path):
    rows = pd.read_csv(CASES / "b13_one_cs.tsv", sep="\t").drop(columns="cs")
    base = grch37.fetch_codes("20", 4_999_999, 5_000_000)[0]
    row = {"chromosome": 20, "position": 5_000_000, "ref": "ACGT"[base], "alt": "ACGT"[base - 1], "pip": 1e-6}
    pd.concat([rows, pd.DataFrame([row])]).to_csv(tmp_path / "far.tsv", sep="\t", index=False)
    found = read_trait_variants(tmp_path / "far.tsv", grch37)
    assert found.report.skipped == {"in_no_locus": 1} and found.table["locus"].nunique() == 1


def test_credible_sets_of_two_regions_stay_apart_though_both_are_called_1(grch37, tmp_path):
    rows = pd.read_csv(CASES / "b14_once.tsv", sep="\t")
    rows = rows[rows["pip"] > 0.001].assign(cs=1)
    rows.to_csv(tmp_path / "two.tsv", sep="\t", index=False)
    assert read_trait_variants(tmp_path / "two.tsv", grch37).table["locus"].nunique() == 2


def test_a_table_without_alleles_tells_places_only(grch37):
    found = _read("gchromvar.bed", grch37)
    assert _lead(found)["position"] == _LEAD and (found.table["alt"] == "N").all()


def test_the_deletion_of_a_1_based_interval_stays_in_its_place(grch37):
    table = _read("bed_like_1based_indel.tsv", grch37).table.set_index("position")
    assert len(table) == 25 and (table.loc[1_603_001, "ref"], table.loc[1_603_001, "alt"]) == ("TAAC", "T")


def test_signed_effects_without_beta_are_refused_or_said_to_be_untested(grch37, monkeypatch):
    from phenviz.world import open_world

    draw_few(monkeypatch, 100, 20)
    traits = _read("z_only_pip.tsv", grch37)
    with pytest.raises(DataError, match=r"nothing to test by variant-signed: .* no effect sizes"):
        hypotheses(traits, open_world(), method="variant-signed", permutations=100)
    both = hypotheses(traits, open_world(), method=["variant", "variant-signed"], permutations=100)
    assert "Nothing was tested by variant-signed" in methods_paragraph(both)


def test_a_summary_of_the_reading_needs_no_output(tmp_path):
    run = CliRunner()
    ran = run.invoke(main, ["hypotheses", "--check", "--table", str(CASES / "b1_covar.glm.linear")])
    assert ran.exit_code == 0, ran.output
    for said in (
        "recognised as PLINK 2 --glm", "A1      effect allele (beta and z are of it)",
        "TEST    rows with ADD count", "line 2: 20:1597760 T>A, beta -0.006912",
        "90 with TEST other than ADD",
    ):  # fmt: skip
        assert said in ran.output, said
    ran = run.invoke(main, ["hypotheses", "--check", "--table", str(CASES / "plink19.assoc.logistic")])
    assert ran.exit_code == 1 and "recognised as PLINK 1.9" in ran.output and "'A1'" in ran.output
    ran = run.invoke(main, ["hypotheses", "--table", str(CASES / "saige.txt")])
    assert ran.exit_code == 2 and "Missing option '-o'" in ran.output


@pytest.mark.parametrize("damage", range(40))
def test_a_damaged_table_is_read_or_refused_in_words(grch37, tmp_path, damage):
    rng = np.random.default_rng(damage)
    files = sorted(path for path in CASES.rglob("*") if path.is_file() and path.stat().st_size < 20_000)
    source = files[rng.integers(len(files))]
    content = bytearray(source.read_bytes())
    kind = damage % 8
    if kind == 0:
        content = content[: rng.integers(len(content))]
    elif kind == 1:
        for place in rng.integers(len(content), size=5):
            content[place] = rng.integers(256)
    elif kind == 2:
        content = content.replace(b"\n", b"", 3)
    elif kind == 3:
        content = content.replace(b"\t", b" ")
    elif kind == 4:
        content = bytearray(content.decode("latin-1").encode("utf-16"))
    elif kind == 5:
        content = content.replace(b"0.", b"9e999", 4)
    elif kind == 6:
        lines = content.splitlines(keepends=True)
        content = bytearray(b"".join([lines[0], *reversed(lines[1:])]))
    else:
        content = content.replace(b"1600", b"-1600").replace(b"20\t", b"\t20")
    path = tmp_path / source.name
    path.write_bytes(bytes(content))
    try:
        found = read_trait_variants(path, grch37)
    except DataError as error:
        assert source.name in str(error)
    else:
        assert found.report.kept + sum(found.report.skipped.values()) == found.report.read
