from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phenviz.disease import read_trait_variants, recognise_table
from phenviz.disease.formats import PLAIN, declarations
from phenviz.errors import DataError

CASES = Path(__file__).parent.parent / "cases" / "formats"
# file -> (declaration, whether it tells alleles, whether it tells signed effects)
FILES = {
    "bolt.stats": ("BOLT-LMM", True, True),
    "caviar_post": ("CAVIAR _post", True, False),
    "finemap.snp": ("FINEMAP .snp", True, True),
    "finemap.cred1": ("FINEMAP .cred", True, False),
    "finemapping_insights.tsv": ("finemapping-insights (UK Biobank, BioBank Japan, FinnGen)", True, True),
    "finngen.tsv": ("FinnGen summary statistics", True, True),
    "finngen_susie.SUSIE.snp": ("FinnGen fine-mapping (.snp)", True, True),
    "gchromvar.bed": ("g-chromVAR BED", False, False),
    "gwas_catalog_harmonised.h.tsv": ("GWAS Catalog, harmonised", True, True),
    "gwas_ssf.tsv": ("GWAS-SSF", True, True),
    "metal.tbl": ("METAL", True, True),
    "neale.tsv.bgz": ("Neale lab, UK Biobank", True, True),
    "pack_bed.bed": ("PhenViz pack BED", True, True),
    "pics.tsv": ("PICS", False, False),
    "plink1.assoc": ("PLINK 1.9 --assoc, --linear, --logistic", True, True),
    "plink2.glm.linear": ("PLINK 2 --glm", True, True),
    "polyfun.tsv": ("PolyFun", True, True),
    "regenie.regenie": ("REGENIE step 2", True, True),
    "saige.txt": ("SAIGE step 2", True, True),
    "susie.tsv": ("SuSiE", True, False),
}


def test_every_declaration_has_an_example():
    declared = {found["name"] for found in declarations()} | {"FINEMAP .cred"}
    assert declared == {name for name, _, _ in FILES.values()}


@pytest.mark.parametrize("name", FILES)
def test_each_tools_file_gives_the_same_lead_and_sign(grch37, name):
    declared, alleles, signs = FILES[name]
    found = read_trait_variants(CASES / name, grch37)
    assert found.report.format.name == declared
    lead = found.table.loc[found.table["posterior"].idxmax()]
    assert (lead["contig"], lead["position"], lead["ref"]) == ("20", 1_600_925, "G")
    assert lead["alt"] == ("A" if alleles else "N")
    assert lead["posterior"] == pytest.approx(0.9639, abs=2e-4)
    assert found.table["locus"].nunique() == 1
    if signs:
        assert lead["beta"] == pytest.approx(0.18, abs=1e-4) and lead["se"] == pytest.approx(0.02, rel=1e-3)
        others = found.table.set_index("position")["beta"]
        assert others[1_600_752] == pytest.approx(0.172, abs=1e-4)
        assert others[1_601_098] == pytest.approx(0.168, abs=1e-4)
    else:
        assert found.table["beta"].isna().all()


def test_rows_of_other_tests_and_rows_without_a_place_are_counted(grch37):
    skipped = read_trait_variants(CASES / "plink2.glm.linear", grch37).report.skipped
    assert skipped["with_TEST_other_than_ADD"] == 14
    skipped = read_trait_variants(CASES / "regenie.regenie", grch37).report.skipped
    assert skipped["with_TEST_other_than_ADD"] == 14
    skipped = read_trait_variants(CASES / "neale.tsv.bgz", grch37).report.skipped
    assert skipped["with_low_confidence_variant_other_than_false"] == 1
    assert (
        read_trait_variants(CASES / "gwas_catalog_harmonised.h.tsv", grch37).report.skipped[
            "without_position"
        ]
        == 1
    )


def test_a_file_without_a_row_that_counts_says_which_there_are(grch37, tmp_path):
    text = (CASES / "plink2.glm.linear").read_text().replace("ADD", "DOMDEV")
    (tmp_path / "x.glm.linear").write_text(text)
    with pytest.raises(DataError, match=r"column 'TEST': no row is ADD \(there are DOMDEV, AGE, SEX\)"):
        read_trait_variants(tmp_path / "x.glm.linear", grch37)


def test_a_file_that_fits_two_declarations_is_refused_with_both(grch37, tmp_path):
    table = pd.read_csv(CASES / "saige.txt", sep="\t")
    table = table.assign(MarkerName=table["MarkerID"], Effect=table["BETA"], **{"P-value": table["p.value"]})
    table.to_csv(tmp_path / "both.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match=r"fits METAL and SAIGE step 2, which mean different things"):
        read_trait_variants(tmp_path / "both.tsv", grch37)


def test_columns_that_contradict_each_other_are_refused(grch37, tmp_path):
    (tmp_path / "t.tsv").write_text("chr\tpos\tbp\tref\talt\tpip\n20\t1600925\t5\tG\tA\t0.9\n")
    with pytest.raises(DataError, match="columns 'pos' and 'bp' may each be the position"):
        read_trait_variants(tmp_path / "t.tsv", grch37)
    (tmp_path / "t.tsv").write_text("chr\tpos\tref\talt\tpip\tpip\n20\t1600925\tG\tA\t0.9\t0.1\n")
    with pytest.raises(DataError, match="column 'pip' more than once"):
        read_trait_variants(tmp_path / "t.tsv", grch37)


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in ("gchromvar.bed", "pack_bed.bed", "finemap.cred1")]
)
def test_the_order_of_columns_and_what_people_add_change_nothing(grch37, tmp_path, name):
    if name == "neale.tsv.bgz":
        table = pd.read_csv(CASES / name, sep="\t", compression="gzip", dtype=str, keep_default_na=False)
    else:
        table = pd.read_csv(CASES / name, sep=r"\s+", dtype=str, keep_default_na=False)
    shuffled = table.sample(frac=1, axis=1, random_state=4).assign(trait="mine", my_note="x y")
    path = tmp_path / re.sub(r"\.bgz$", "", name)
    shuffled.drop(columns=["Disease"], errors="ignore").to_csv(path, sep="\t", index=False)
    assert recognise_table(path).name in (FILES[name][0], *([PLAIN] if name == "pics.tsv" else []))
    found = read_trait_variants(path, grch37)
    assert found.traits == ["mine"]
    expected = read_trait_variants(CASES / name, grch37).table
    for column in ("position", "ref", "alt"):
        assert found.table[column].tolist() == expected[column].tolist()
    for column in ("posterior", "beta", "se"):
        np.testing.assert_allclose(found.table[column], expected[column])


def test_what_was_recognised_is_said_in_words(grch37):
    report = read_trait_variants(CASES / "saige.txt", grch37).report
    said = report.describe_reading()
    assert "recognised as SAIGE step 2" in said and "Allele2     effect allele (beta and z are of it)" in said
    assert "line 6: " not in said and said.count("  line ") == 3
    assert "line 2: 20:1598849 T>A, beta 2.5e-05, se 0.02" in said and "3 of 7 rows kept" in report.describe()
