"""The Individual page without a browser, on the toy world with people in a VCF."""

from __future__ import annotations

import io
import threading
import time
import zipfile

import numpy as np
import pandas as pd
import pytest

from phenviz.app.individual.person_exports import FORMATS
from phenviz.app.shell.state import IndividualState
from phenviz.effects import predict_haplotypes, score_variants
from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.results import load
from phenviz.variation import individuals
from tests.app.individual.person import VIEW, drop, own_vcf, settle, settle_source
from tests.toys import CONTEXTS


def test_the_page_shows_somebody_at_once_and_everybody_to_choose_from(page):
    assert [name for name, _ in page.choice.picker.people] == ["ann", "bob", "cem", "dee"]
    assert page.state.sample == "ann" and page.run.status == "done"
    page.choice.hear({"sample": "cem"})
    settle(page)
    assert page.run.status == "done" and page.choice.picker.chosen == "cem"


def test_the_table_ranks_the_variants_in_view_by_their_largest_effect(page, runtime):
    world = runtime.world
    ann = page.people.individual("file:family.vcf", "ann")
    carried = ann.variants(VIEW)
    carried = carried[carried["position"].between(VIEW.start + 1, VIEW.end)]
    scores = score_variants(carried, world.reference, world.backbone)["effect"].to_numpy()
    expected = np.sort(np.abs(scores).max(axis=1))[::-1]
    table = page.run.table()
    np.testing.assert_allclose(table["effect"].abs(), expected, rtol=1e-4, atol=1e-6)
    assert page.grid.view.status["total"] == len(carried)
    page.state.contexts = ("B",)
    column = [context.name for context in CONTEXTS].index("B")
    np.testing.assert_allclose(
        page.run.table()["effect"].abs(), np.sort(np.abs(scores[:, column]))[::-1], rtol=1e-4, atol=1e-6
    )
    assert set(page.run.table()["context"]) == {"B"}


def test_what_is_drawn_is_the_exact_prediction(page, runtime):
    world = runtime.world
    ann = page.people.individual("file:family.vcf", "ann")
    exact = predict_haplotypes(ann, VIEW, world.reference, world.backbone)
    drawn = page.run.activity()
    first = int(exact["bin_start"][0]) // 128 - drawn.first
    values = drawn.activity.read(first, first + exact.sizes["bin"], 10**6)[2]
    expected = exact["activity"].to_numpy().reshape(9, -1)
    np.testing.assert_allclose(values[:, : expected.shape[1]], expected, rtol=1e-4, atol=1e-5)


def test_both_ways_of_predicting_are_compared(page):
    page.state.mode = "sum"
    settle(page)
    assert page.run.status == "done"
    assert -1 <= page.run.agreement() <= 1
    assert page.run.activity() is not None


def test_a_click_on_a_row_zooms_to_the_variant_and_turns_to_its_context(page):
    page.state.param.update(locus=Locus("20", 0, 40_000), settled=Locus("20", 0, 40_000))
    settle(page)
    key = page.grid.view.keys[3]
    page.grid.view._handle_msg({"row": key})
    position = int(key.split(":")[1])
    assert page.state.variant == key
    assert page.state.locus.length == 2_000
    assert abs(page.state.locus.centre - position) <= 2
    found = page.run.table().set_index("key").loc[key]
    assert page.state.focus == found["context"]


def test_nothing_of_a_person_stays_on_screen_when_another_source_is_chosen(page):
    page.choice.hear({"source": "upload"})
    assert page.run.status == "empty"
    assert page.run.table() is None and page.run.activity() is None and page.run.facts == {}
    assert page.grid.view.rows == [] and "individual" in page.grid.view.status["words"]


def test_a_small_move_computes_nothing_anew(page):
    work = page.run.work
    page.state.settled = Locus("20", VIEW.start + 500, VIEW.end + 500)
    assert page.run.work is work
    page.state.settled = Locus("20", 30_000, 31_000)
    assert page.run.work is not work


def test_genotypes_are_read_no_further_after_a_cancel(page, monkeypatch):
    before, read = page.run.work, individuals.read_genotypes

    def cancelled_while_reading(*arguments, **how):
        while page.run.work is before:
            time.sleep(0.01)
        page.run.work.cancel()
        return read(*arguments, **how)

    monkeypatch.setattr(individuals, "read_genotypes", cancelled_while_reading)
    page.choice.hear({"sample": "bob"})
    settle(page)
    assert page.run.status == "cancelled" and page.run.table() is None


def test_the_table_of_one_person_is_let_go_when_another_is_computed(page, monkeypatch):
    assert page.run.table() is not None
    ended = threading.Event()
    monkeypatch.setattr(page.run, "_compute", lambda *_arguments: ended.wait(60))
    page.choice.hear({"sample": "bob"})
    assert page.run._ranked is None
    ended.set()


def test_a_table_is_ranked_anew_when_effects_are_replaced(page, monkeypatch):
    # ids of what was let go are given out again
    monkeypatch.setattr("phenviz.app.individual.person_run.id", lambda _thing: 0, raising=False)
    before = page.run.table()["effect"].abs()
    page.run.work.add("effects", page.run.effects.assign(effect=2 * page.run.effects["effect"]))
    np.testing.assert_allclose(page.run.table()["effect"].abs(), 2 * before)


def test_a_view_that_is_too_long_is_told_and_nothing_is_computed(page, monkeypatch):
    monkeypatch.setattr("phenviz.app.individual.person_run.LONGEST", 1_000)
    page.run.changed += 1
    assert page.run.status == "too long"
    assert "Zoom in" in page.grid.view.status["words"]


def test_every_format_holds_what_the_page_shows(page):
    page.state.contexts = ("Ery", "B")
    key = page.grid.view.keys[0]
    page.state.variant = key
    files = {suffix: page._make_file(suffix)() for suffix in FORMATS.values()}
    assert files[".svg"].content.startswith(b"<?xml") and b"ann, chr20:2,001-9,000" in files[".svg"].content
    with zipfile.ZipFile(io.BytesIO(files[".bw"].content)) as archive:
        names = archive.namelist()
    assert len(names) == 6 and sum(".reference." in name for name in names) == 2
    table = pd.read_csv(io.BytesIO(files[".tsv"].content), sep="\t", comment="#")
    assert table["position"].tolist() == page.run.table()["position"].tolist()
    assert table["carried"].tolist() == page.run.table()["carried"].tolist()


def test_a_sample_with_a_slash_in_its_name_is_exported(page):
    page.state.unphased = "as listed"
    drop(page, own_vcf(page).replace(b"\tme\n", b"\tclinic/me 1\n"))
    assert page.state.sample == "clinic/me 1" and page.run.status == "done"
    names = {page._make_file(suffix)().name for suffix in FORMATS.values()}
    assert all(name.startswith("phenviz_clinic_me_1_chr20_2001-9000") for name in names)
    # so that "clinic_me 1" gets another name
    assert all("clinic%2Fme%201" in name for name in names)


@pytest.mark.parametrize("suffix", [".nc", ".parquet"])
def test_exported_tracks_are_those_of_the_view_and_the_ticked_contexts(page, runtime, tmp_path, suffix):
    world = runtime.world
    page.state.contexts = ("Ery", "B")
    path = tmp_path / f"back{suffix}"
    path.write_bytes(page._make_file(suffix)().content)
    back = load(path)
    ann = page.people.individual("file:family.vcf", "ann")
    exact = predict_haplotypes(ann, VIEW, world.reference, world.backbone, contexts=["Ery", "B"])
    np.testing.assert_allclose(back["activity"], exact["activity"], rtol=1e-4, atol=1e-5)
    assert back["bin_start"].values.tolist() == exact["bin_start"].values.tolist()
    assert (back.attrs["start"], back.attrs["end"]) == (VIEW.start, VIEW.end)


def test_exported_sequences_are_both_haplotypes_of_the_view(page):
    text = page._make_file(".fa")().content.decode()
    pair = page.people.individual("file:family.vcf", "ann").haplotypes(VIEW)
    bodies = ["".join(record.splitlines()[1:]) for record in text.split(">")[1:]]
    assert bodies == [haplotype.sequence for haplotype in pair]


def test_what_is_not_there_yet_cannot_be_exported(page):
    page.choice.hear({"source": "upload"})
    for suffix in FORMATS.values():
        with pytest.raises(ResultError, match="nobody is chosen yet"):
            page._make_file(suffix)
    page.choice.hear({"source": "file:family.vcf"})
    settle(page)
    page.state.contexts = ()
    with pytest.raises(ResultError, match="no context is ticked"):
        page._make_file(".svg")


def test_nothing_of_a_person_reaches_the_result_store(page, runtime):
    before = {path for path in runtime.service.store.folder.rglob("*")}
    page.choice.hear({"sample": "dee"})
    page.state.mode = "sum"
    settle(page)
    assert {path for path in runtime.service.store.folder.rglob("*")} == before


def test_everything_is_let_go_when_the_tab_closes(page):
    page.people.uploads.begin("me.vcf", 100)
    folder = page.people.uploads.path
    page.session.close()
    assert not folder.exists()
    assert page.run.table() is None and page.run.activity() is None


def test_somebody_whom_the_address_names_is_never_somebody_else(page, runtime):
    page.choice.hear({"source": "file:family.vcf"})
    settle(page)
    page.state.sample = "anne"
    page.choice.open_source()
    settle_source(page)
    assert page.run.nobody == "family.vcf (server) has no person 'anne': did you mean ann?"
    assert page.run.status == "empty" and page.run.table() is None and page.state.sample == "anne"
    assert page._query()["sample"] == "anne" and page.choice.picker.failed
    page.choice.hear({"sample": "bob"})
    settle(page)
    assert page.run.status == "done" and page.run.nobody == ""


def test_tracks_are_hidden_from_the_menu(page):
    menu = page.page.contextbar[1]
    menu._handle_msg({"hidden": ["genes", "elements", "nonsense"]})
    assert page.state.hidden == ("genes", "elements")
    assert [figure.name for figure in page.tracks._browser.layout.children][:2] == ["ruler", "variants"]


def test_an_address_brings_back_person_and_choices():
    state = IndividualState(
        locus=VIEW, settled=VIEW, contexts=("Ery",), focus="Ery", source="world", sample="HG00096",
        mode="sum", unphased="random", seed=7, variant="20:5:A:C", hidden=("genes",), theme="dark",
    )  # fmt: skip
    again = IndividualState()
    assert again.take(state.query(CONTEXTS), CONTEXTS) == []
    for name in (
        "contexts",
        "focus",
        "source",
        "sample",
        "mode",
        "unphased",
        "seed",
        "variant",
        "hidden",
        "theme",
    ):
        assert getattr(again, name) == getattr(state, name), name


def test_a_variant_is_to_be_chosen_only_where_the_table_lists_some(page, monkeypatch):
    assert len(page.run.table()) and "Choose a variant" in page.detail._words.object
    monkeypatch.setattr("phenviz.app.individual.person_run.LONGEST", 1_000)
    page.run.changed += 1
    assert page.grid.view.rows == [] and "Choose" not in page.detail._words.object
