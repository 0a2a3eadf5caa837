"""What the Disease page says and takes: names of tables, of traits and cell types, and time left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from phenviz.app.disease.disease_names import Names, trait_label
from phenviz.app.disease.disease_source import DiseaseSource
from phenviz.app.disease.disease_tables import KeptTables, TableFolder
from phenviz.errors import DataError
from tests.toys import CONTEXTS


@pytest.mark.parametrize("key", ["../../etc", "", "A" * 16, "0" * 15])
def test_nothing_but_a_kept_table_is_found_by_its_key(tmp_path, key):
    (tmp_path / "0000000000000000").mkdir()
    assert KeptTables(tmp_path).find(key) is None
    assert KeptTables(tmp_path).find("0" * 16) is None


@pytest.mark.parametrize("name", ["evil.exe", "../a.tsv", "a\0b.tsv", ".tsv", "x" * 200 + ".tsv"])
def test_a_file_that_is_no_table_by_its_name_is_not_taken(name):
    with pytest.raises(DataError, match="taken"):
        TableFolder().begin(name, 10)


def test_a_table_may_be_called_as_people_call_files():
    folder = TableFolder()
    folder.begin("Müller & co (v2) [final].tsv", 10)
    folder.close()


def test_a_table_that_is_too_large_or_binary_is_not_taken():
    folder = TableFolder()
    with pytest.raises(DataError, match="at most"):
        folder.begin("a.tsv", 10**9)
    with pytest.raises(DataError, match="table"):
        folder.check_head("a.tsv", b"\x7fELF\x00\x00")
    folder.close()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("mcv", "MCV"), ("EFO:0004526", "MCV"), ("efo_0004309", "PLT_COUNT"), ("thrombocyte", "PLT_COUNT"),
        ("CL:0000764", "Ery"), ("erythroblast", "Ery"), ("b lymphocyte", "B"), ("Mono", "Mono"),
    ],
)  # fmt: skip
def test_traits_and_contexts_are_found_by_name_synonym_and_term(text, key):
    found = Names(["MCV", "PLT_COUNT"], CONTEXTS).find(text)
    assert found is not None and found.key == key


def test_what_is_not_found_is_answered_by_what_looks_like_it():
    names = Names(["MCV", "PLT_COUNT"], CONTEXTS)
    assert names.find("hepatocyte") is None
    assert "PLT_COUNT" in names.nearest("platlet count")


def test_short_names_are_explained_only_where_they_come_from_the_pack_that_explains_them(monkeypatch):
    described = {"AD": ("Atopic dermatitis", "Other")}
    monkeypatch.setattr("phenviz.app.disease.disease_names._descriptions", lambda: described)
    assert trait_label("AD", "finemap-three-biobanks") == "Atopic dermatitis"
    assert trait_label("AD", "own:mine") == trait_label("AD") == "AD"
    found = Names(["AD"], CONTEXTS, "finemap-three-biobanks").find("dermatitis")
    assert found is not None and found.key == "AD"


@pytest.mark.parametrize(
    ("status", "eta", "said"),
    [
        ("running", 12.0, "60% of all methods, 12 s left"),
        ("running", 0.0, "60% of all methods, longer than estimated"),
        ("queued", 0.0, "60% of all methods"),
    ],
)
def test_the_time_left_of_a_test_is_said_from_its_start_and_when_it_is_over(status, eta, said):
    job = SimpleNamespace(eta=eta, stage="scoring variants", progress=0.6)
    form = SimpleNamespace(_run=SimpleNamespace(fetching=None, job=job))
    assert DiseaseSource._text(form, status).endswith(f"<br>{said}")
