from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.data.packs import PackMissing, has_pack
from phenviz.disease import compare, read_reference
from phenviz.disease.name_matching import match_contexts, match_traits, plain
from phenviz.errors import DataError

TCSC = "Trait\tTrait_Nickname\tTissue\tTCSC_h2\tTCSC_JKSE\tTCSC_JKP\tTCSC_FDRP\n"


def _contexts(*rows):
    return pd.DataFrame(rows, columns=["context", "context_label", "curie"])


def _found(table, tested):
    own = table[table["tested"] == tested]
    return own["by"].iloc[0], set(own["reference"]) - {""}


def test_terms_are_compared_however_they_are_written():
    for name in ("EFO:0004526", "efo_0004526", "http://www.ebi.ac.uk/efo/EFO_0004526"):
        assert plain(name) == "efo 0004526"
    assert plain("Brain - Frontal Cortex (BA9)") == plain("Brain_Frontal_Cortex_BA9")


def test_a_trait_is_found_by_name_synonym_and_term_and_what_isnt_is_said():
    table = match_traits(
        ["MCV", "PLT_COUNT", "EFO:0004305", "my trait"], ["MCV", "Plt", "RBC Count", "RBC", "X"]
    )
    assert _found(table, "MCV") == ("name", {"MCV"})
    assert _found(table, "PLT_COUNT") == ("term", {"Plt"})
    assert _found(table, "EFO:0004305")[0] == "term"
    assert _found(table, "my trait") == ("", set())
    assert {"X"} <= set(table.loc[(table["tested"] == "") & (table["by"] == ""), "reference"])


def test_a_context_is_stood_for_by_itself_then_its_nearest_whole_then_its_organ():
    tested = _contexts(
        ("CD4", "CD4-positive, alpha-beta T cell", "CL:0000624"),
        ("Neuron", "neuron of the cortex", "CL:0000540"),
        ("own", "", "CL:0000037"),
        ("nothing", "", ""),
    )
    reference = ["T-cell", "Whole_Blood", "Brain_Cortex", "Brain_Cerebellum", "Liver"]
    table = match_contexts(tested, reference, by_organ=True)
    assert _found(table, "CD4") == ("part of", {"T-cell"})
    assert _found(table, "Neuron") == ("organ", {"Brain_Cortex", "Brain_Cerebellum"})
    # a T cell doesn't stand for all of the blood
    assert _found(table, "own") == ("organ", {"Whole_Blood"})
    assert _found(table, "nothing") == ("", set())
    assert _found(match_contexts(tested, reference), "Neuron") == ("", set())
    assert _found(match_contexts(tested, ["CL:0000624", "Whole_Blood"]), "CD4") == ("name", {"CL:0000624"})


def test_contexts_that_a_published_table_has_as_one_are_averaged_and_others_dont_count(tmp_path):
    rows = [
        ("PASS_X", "RBC Count", "Whole_Blood", -0.4, 0.1, 1, 0.9),
        ("UKB_460K.blood_RED_COUNT", "RBC Count", "Whole_Blood", 0.4, 0.1, 0.01, 0.01),
        ("UKB_460K.blood_RED_COUNT", "RBC Count", "Brain_Cortex", 0.1, 0.1, 0.2, 0.3),
        ("UKB_460K.blood_RED_COUNT", "RBC Count", "AllTissues", 9, 1, 0, "NA"),
    ]
    path = tmp_path / "tcsc.tsv"
    path.write_text(TCSC + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    known = read_reference(path)
    assert known.partial and "TCSC" in known.about
    # the study of UK Biobank alone counts, and the sum of all tissues doesn't
    assert known.table["score"].tolist() == pytest.approx([4.0, 1.0])
    tests = pd.DataFrame(
        [("Ery", 3.0), ("HSC", 1.0), ("Neuron", 1.5), ("q", 9.0)], columns=["context", "z"]
    ).assign(trait="RBC_COUNT", method="m", curie=["CL:0000764", "CL:0000037", "CL:0000540", ""])  # fmt: skip
    found = compare(tests, known)
    row = found.traits.iloc[0]
    # blood 2.0 (mean of 3 and 1), brain 1.5; what isn't in the reference doesn't count
    assert (row["contexts"], row["expected"], row["auroc"], row["rank"]) == (2, 1, 1.0, 1.0)
    assert any("contexts tested, but not in the reference (1): q" in note for note in found.notes)
    assert set(found.matches["kind"]) == {"trait", "context"}


def test_s_ldsc_of_tabula_muris_is_read_by_study_and_its_false_discovery_rate_holds(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 1, 20)
    p[3] = 1e-6
    table = pd.DataFrame(
        {"Annotation": [f"Tissue - cell{i}" for i in range(20)], "Coefficient": 0.1,
         "Coefficient std error": 1, "annotation": "a", "RA (Okada, 2014)": p}
    )  # fmt: skip
    table.to_csv(tmp_path / "muris.csv", index=False)
    known = read_reference(tmp_path / "muris.csv")
    assert known.table["trait"].unique().tolist() == ["rheumatoid arthritis"]
    assert known.table.loc[known.table["role"] == "expected", "context"].tolist() == ["Tissue - cell3"]
    order = known.table["score"].to_numpy().argsort()[::-1]
    assert order.tolist() == p.argsort().tolist()
    table.loc[4, "RA (Okada, 2014)"] = 2
    table.to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(DataError, match=r"column 'RA \(Okada, 2014\)': 2.0 is no p-value"):
        read_reference(tmp_path / "wrong.csv")


def test_a_number_that_is_none_is_named_with_its_line(tmp_path):
    path = tmp_path / "tcsc.tsv"
    path.write_text(TCSC + "a\tRBC Count\tLiver\t0.1\t0.1\t1\t1\na\tRBC Count\tLung\tmuch\t0.1\t1\t1\n")
    with pytest.raises(DataError, match="line 3, column 'TCSC_h2': 'much' is no number"):
        read_reference(path)


@pytest.mark.packs
@pytest.mark.parametrize("name", ["disease-location", "coloc-tissues"])
def test_references_of_data_packs_say_what_they_are(name):
    pack = {"disease-location": "disease-location", "coloc-tissues": "finemap-three-biobanks"}[name]
    if not has_pack(pack):
        pytest.skip(f"data pack {pack} is neither in the cache nor in a mirror")
    known = read_reference(name)
    assert (known.has_roles and "licence" in known.about) or "CC BY" in known.about
    assert not known.table.duplicated(["trait", "context"]).any()


@pytest.mark.packs
def test_a_disease_is_expected_in_what_is_part_of_its_location():
    if not has_pack("disease-location"):
        pytest.skip("data pack disease-location is neither in the cache nor in a mirror")
    tests = pd.DataFrame(
        {"trait": "brain disease", "method": "m", "z": [2.0, 1.0, 0.0],
         "context": ["Neuron", "Ery", "Intestine"], "curie": ["CL:0000540", "CL:0000764", "UBERON:0002108"]}
    )  # fmt: skip
    row = compare(tests, "disease-location").traits.iloc[0]
    assert (row["expected"], row["auroc"]) == (1, 1.0)


def test_a_missing_pack_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PHENVIZ_MIRROR", "")
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path))
    with pytest.raises(PackMissing, match="phenviz data fetch disease-location"):
        read_reference("disease-location")


def test_the_command_writes_what_was_matched(tmp_path):
    (tmp_path / "t.tsv").write_text("trait\tcontext\tz\nMCV\tEry\t2\nMCV\tB\t1\nMCV\tmystery\t1\n")
    out = tmp_path / "matches.tsv"
    command = [
        "hypotheses",
        "compare",
        str(tmp_path / "t.tsv"),
        "--reference",
        "haematopoiesis",
        "--matches",
        str(out),
    ]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out, sep="\t", keep_default_na=False)
    assert table.loc[table["tested"] == "mystery", "by"].tolist() == [""]
    assert table.loc[table["tested"] == "Ery", "by"].tolist() == ["name"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a\tRBC Count\tLiver\t0.1\t0.1\t1\t1\na\tRBC Co", "line 3, column"),
        ("a\tRBC Count\tLiver\t0.1\n", "line 2, column 'TCSC_JKSE': is empty: was the file cut short"),
        ("a\t\tLiver\t0.1\t0.1\t1\t1\n", "line 2, column 'Trait_Nickname': it is empty"),
    ],
)
def test_a_table_that_was_cut_short_is_refused_with_its_line(rows, says, tmp_path):
    (tmp_path / "tcsc.tsv").write_text(TCSC + rows)
    with pytest.raises(DataError, match=says):
        read_reference(tmp_path / "tcsc.tsv")


def test_what_is_short_for_one_thing_in_one_study_isnt_matched_with_another_in_the_next(tmp_path):
    table = pd.DataFrame(
        {"Annotation": ["Tissue - a", "Tissue - b"], "Coefficient": 0.1, "Coefficient std error": 1,
         "annotation": "a", "AD (Jansen, 2019)": [0.1, 0.2], "T2D (Loh, 2018)": [0.1, 0.2]}
    )  # fmt: skip
    table.to_csv(tmp_path / "muris.csv", index=False)
    known = read_reference(tmp_path / "muris.csv").table["trait"]
    # in three biobanks AD is atopic dermatitis
    found = match_traits(["AD", "Alzheimers_combined", "T2D"], known)
    assert _found(found, "AD") == ("", set())
    assert _found(found, "Alzheimers_combined") == ("term", {"Alzheimer disease"})
    assert _found(found, "T2D") == ("term", {"type 2 diabetes mellitus"})
