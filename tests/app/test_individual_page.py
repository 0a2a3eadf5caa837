"""The Individual page without a browser, on the toy world with people in a VCF."""

from __future__ import annotations

import gc
import io
import socket
import threading
import time
import weakref
import zipfile

import numpy as np
import pandas as pd
import pytest

from phenviz.app.pages.individual import IndividualPage
from phenviz.app.person_exports import FORMATS
from phenviz.app.runtime import Runtime
from phenviz.app.state import IndividualState, apply_individual_query, individual_query
from phenviz.effects import predict_haplotypes, score_variants
from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.results import load
from phenviz.variation import individuals
from phenviz.world import open_world
from tests.app.test_uploads import piece
from tests.effects.toys import write_people
from tests.toys import CONTEXTS

VIEW = Locus("20", 2_000, 9_000)


@pytest.fixture(scope="module")
def runtime(toy_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    world = open_world(toy_project)
    write_people(folder / "family.vcf", world.reference, 4, count=60)
    runtime = Runtime(world, "cpu", folder).warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime):
    page = IndividualPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW)
    page._heard({"source": "file:family.vcf"})
    settle(page)
    yield page
    page.session.close()


def settle(page) -> None:
    """Let the background finish, and the page look at it."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        page.session._tick()
        work = page.run.work
        if page.run.status not in ("loading", "empty") and (work is None or work.over):
            break
        time.sleep(0.05)
    page.session._tick()


def test_the_page_shows_somebody_at_once_and_everybody_to_choose_from(page):
    assert [name for name, _ in page.picker.people] == ["ann", "bob", "cem", "dee"]
    assert page.state.sample == "ann" and page.run.status == "done"
    page._heard({"sample": "cem"})
    settle(page)
    assert page.run.status == "done" and page.picker.chosen == "cem"


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
    page._heard({"source": "upload"})
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
    page._heard({"sample": "bob"})
    settle(page)
    assert page.run.status == "cancelled" and page.run.table() is None


def test_the_table_of_one_person_is_let_go_when_another_is_computed(page, monkeypatch):
    assert page.run.table() is not None
    ended = threading.Event()
    monkeypatch.setattr(page.run, "_compute", lambda *_arguments: ended.wait(60))
    page._heard({"sample": "bob"})
    assert page.run._ranked is None
    ended.set()


def test_a_table_is_ranked_anew_when_effects_are_replaced(page, monkeypatch):
    # ids of what was let go are given out again
    monkeypatch.setattr("phenviz.app.person_run.id", lambda _thing: 0, raising=False)
    before = page.run.table()["effect"].abs()
    page.run.work.add("effects", page.run.effects.assign(effect=2 * page.run.effects["effect"]))
    np.testing.assert_allclose(page.run.table()["effect"].abs(), 2 * before)


def test_a_view_that_is_too_long_is_told_and_nothing_is_computed(page, monkeypatch):
    monkeypatch.setattr("phenviz.app.person_run.LONGEST", 1_000)
    page.run.changed += 1
    assert page.run.status == "too long"
    assert "Zoom in" in page.grid.view.status["words"]


def own_vcf(page) -> bytes:
    """Write two unphased variants of nobody in particular."""
    head = "##fileformat=VCFv4.2\n##contig=<ID=20,length=50021>\n"
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    head += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tme\n"
    reference = page.runtime.world.reference
    bases = [reference.sequence(Locus("20", at - 1, at)) for at in (5_000, 5_100)]
    lines = [
        f"20\t{position}\t.\t{base}\t{'A' if base != 'A' else 'C'}\t.\tPASS\t.\tGT\t0/1\n"
        for position, base in zip((5_000, 5_100), bases, strict=True)
    ]
    return (head + "".join(lines)).encode()


def drop(page, content: bytes) -> None:
    page.drop._handle_msg({"begin": "me.vcf", "size": len(content)})
    page.drop._handle_msg({"piece": piece(content), "name": "me.vcf", "number": 0})
    settle(page)


def test_unphased_calls_are_refused_until_the_user_chooses(page):
    drop(page, own_vcf(page))
    assert page.run.status == "failed" and "phase" in page.run.error
    page.state.unphased = "as listed"
    settle(page)
    assert page.run.status == "done" and "unphased" in page.run.facts["phasing"]
    assert "sample" not in page._query() and "source" not in page._query()


def test_the_order_in_an_unphased_file_is_no_phase(page):
    drop(page, own_vcf(page))
    assert set(page.run.table()["carried"]) == {"unphased"}
    page.state.unphased = "as listed"
    settle(page)
    assert set(page.run.table()["carried"]) == {"haplotype 2"}


def test_a_random_phase_is_the_same_in_list_and_prediction_and_changes_with_its_seed(page):
    drop(page, own_vcf(page))
    page.state.unphased = "random"
    found = {}
    for seed in range(6):
        page.state.seed = seed
        settle(page)
        assert f"random, seed {seed}" in page.run.facts["phasing"]
        listed = page.run.table().set_index("position")["carried"].sort_index()
        me = page.people.individual("upload", "me")
        pair = me.haplotypes(VIEW, unphased="random", seed=seed)
        for number, haplotype in enumerate(pair, start=1):
            assert set(haplotype.variants["position"]) == set(listed[listed == f"haplotype {number}"].index)
        found[seed] = tuple(listed)
    assert len(set(found.values())) > 1


def test_the_seed_is_asked_for_only_where_it_matters(page):
    panel = page.panel
    assert not panel._seed.visible
    page.state.unphased = "random"
    assert panel._seed.visible
    panel._seed.value = 5
    assert page.state.seed == 5 and page._query()["seed"] == "5"


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
    page._heard({"source": "upload"})
    for suffix in FORMATS.values():
        with pytest.raises(ResultError, match="nobody is chosen yet"):
            page._make_file(suffix)
    page._heard({"source": "file:family.vcf"})
    settle(page)
    page.state.contexts = ()
    with pytest.raises(ResultError, match="no context is ticked"):
        page._make_file(".svg")


def test_a_genome_of_ones_own_is_sent_nowhere(page, monkeypatch):
    asked = []

    def refuse(*args, **how):
        asked.append(args[-1])
        raise OSError("no network here")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    page.state.param.update(unphased="random", mode="sum")
    drop(page, own_vcf(page))
    page.state.variant = page.grid.view.keys[0]
    settle(page)
    assert page.run.status == "done" and len(page.run.table()) == 2
    assert asked == []


def test_what_is_wrong_with_a_file_is_said_where_it_was_dropped(page):
    page.drop._handle_msg({"begin": "../../etc/passwd", "size": 10})
    assert page.drop.failed and "file name" in page.drop.note
    page.drop._handle_msg({"begin": "x.vcf", "size": 10})
    page.drop._handle_msg({"piece": piece(b"0123456789"), "name": "x.vcf", "number": 0})
    assert "doesn't begin like a VCF" in page.drop.note
    assert page.drop.answered == 3


def test_a_message_names_a_file_and_not_where_it_lies(page, runtime):
    folder = page.people.uploads.path
    broken = own_vcf(page).replace(b"0/1", b"0/9")
    drop(page, broken)
    assert page.run.status == "failed"
    assert page.run.error.startswith("me.vcf, record 1") and str(folder) not in page.run.error
    (runtime.folder / "broken.vcf").write_bytes(broken)
    page._heard({"source": "file:broken.vcf"})
    settle(page)
    assert page.run.error.startswith("broken.vcf, record 1")


def test_what_the_file_leaves_open_stands_beside_the_tracks(page):
    drop(page, own_vcf(page).replace(b"0/1", b"./1"))
    page.state.unphased = "as listed"
    settle(page)
    told = page.panel._facts.object
    assert "2 missing calls taken as the reference" in told and "me.vcf has no index" in told


def test_nothing_of_a_person_reaches_the_result_store(page, runtime):
    before = {path for path in runtime.service.store.folder.rglob("*")}
    page._heard({"sample": "dee"})
    page.state.mode = "sum"
    settle(page)
    assert {path for path in runtime.service.store.folder.rglob("*")} == before


def test_everything_is_let_go_when_the_tab_closes(page):
    page.people.uploads.begin("me.vcf", 100)
    folder = page.people.uploads.path
    page.session.close()
    assert not folder.exists()
    assert page.run.table() is None and page.run.activity() is None


def test_genotypes_of_a_closed_tab_leave_memory(runtime):
    page = IndividualPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW, unphased="as listed")
    drop(page, own_vcf(page))
    assert page.run.status == "done" and len(page.run.table()) == 2
    job = page.run.work.jobs["exact"]
    held = [
        page.people.open("upload"), page.people.individual("upload", "me"), page.run.effects,
        page.run.prediction, page.run.table(), page.run.activity().activity, job.params["haplotypes"][0],
    ]  # fmt: skip
    folder, kept = page.people.uploads.path, [weakref.ref(one) for one in held]
    page.session.close()
    del page, held, job
    end = time.monotonic() + 60
    while any(one() is not None for one in kept) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.1)
    assert [type(one()).__name__ for one in kept if one() is not None] == []
    assert not folder.exists()


def test_a_view_that_no_genotype_covers_is_not_one_without_variants(page):
    page.state.unphased = "as listed"
    drop(page, own_vcf(page))
    partly = "of chr20:2,001-4,999 and chr20:5,101-9,000 nothing is known"
    assert page.run.status == "done" and partly in page.panel._covered.object
    carried = page.tracks._browser._stack.made("variants")[0]
    assert "isn't covered whole" in carried.texts.note
    page.state.param.update(locus=Locus("20", 20_000, 21_000), settled=Locus("20", 20_000, 21_000))
    settle(page)
    said = "The genotypes of me.vcf cover chr20:5,000-5,100: of chr20:20,001-21,000 nothing is known"
    assert page.run.status == "not covered" and page.run.coverage == said
    assert page.grid.view.status["words"] == f"{said}." and carried.texts.empty == said
    assert "Done" not in page.panel._told.object and said in page.panel._covered.object
    for suffix in FORMATS.values():
        with pytest.raises(ResultError, match="nothing is known"):
            page._make_file(suffix)


@pytest.mark.parametrize("records", ["", "1\t5000\t.\tA\tC\t.\tPASS\t.\tGT\t0|1\n"])
def test_a_file_without_a_record_of_the_contig_says_so(page, records):
    head = b"".join(line for line in own_vcf(page).splitlines(True) if line.startswith(b"#"))
    drop(page, head + records.encode())
    assert page.run.status == "not covered"
    assert ("me.vcf cover chr1 only" if records else "me.vcf holds no genotypes") in page.run.coverage.lower()


def test_somebody_whom_the_address_names_is_never_somebody_else(page, runtime):
    page._heard({"source": "file:family.vcf"})
    settle(page)
    page.state.sample = "anne"
    page._open_source()
    settle_source(page)
    assert page.run.nobody == "family.vcf (server) has no person 'anne': did you mean ann?"
    assert page.run.status == "empty" and page.run.table() is None and page.state.sample == "anne"
    assert page._query()["sample"] == "anne" and page.picker.failed
    page._heard({"sample": "bob"})
    settle(page)
    assert page.run.status == "done" and page.run.nobody == ""


def test_an_upload_is_found_again_by_another_page_of_its_tab_and_by_no_other(runtime):
    tab, first = "t" * 24, IndividualPage(runtime)
    first.state.param.update(locus=VIEW, settled=VIEW, unphased="as listed")
    first._have(tab)
    drop(first, own_vcf(first))
    assert first._query()["genome"] == "upload" and first.state.sample == "me"
    query = first._query() | {"unphased": "as listed"}
    second, stranger = IndividualPage(runtime), IndividualPage(runtime)
    for page in (second, stranger):
        page.state.param.update(apply_state(page, query))
        page._lost = True
        page._open_source()
    second._have(tab)
    stranger._have("s" * 24)
    first.session.close()
    settle_source(second)
    settle(second)
    assert second.state.sample == "me" and second.run.status == "done"
    assert stranger.run.status == "empty" and stranger.run.nobody.startswith(
        "Your upload is gone, choose it again"
    )
    assert stranger.state.sample == ""
    folder = second.people.uploads.path
    second.session.close()
    stranger.session.close()
    assert not folder.exists()


def apply_state(page, query) -> dict:
    there, problems = page._read(query)
    assert problems == []
    return {name: getattr(there, name) for name in there.param if name != "name"}


def settle_source(page) -> None:
    """Let the source be opened, and the page look at it."""
    end = time.monotonic() + 60
    while page.picker.note == "Opening…" and time.monotonic() < end:
        time.sleep(0.05)


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
    assert apply_individual_query(again, individual_query(state, CONTEXTS), CONTEXTS) == []
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


def vcf_of(page, *calls: tuple[int, int, str]) -> bytes:
    """Write SNVs and deletions: position, bases deleted, call."""
    lines = own_vcf(page).decode().splitlines()[:4]
    for position, deleted, call in calls:
        ref = page.runtime.world.reference.sequence(Locus("20", position - 1, position + deleted))
        alt = ref[0] if deleted else "A" if ref != "A" else "C"
        lines.append("\t".join(["20", str(position), ".", ref, alt, ".", "PASS", ".", "GT", call]))
    return ("\n".join(lines) + "\n").encode()


def test_a_phase_that_is_unknown_beyond_the_view_is_not_asked_for(page):
    drop(page, vcf_of(page, (5_000, 0, "0|1"), (VIEW.end + 1_000, 0, "0/1")))
    assert page.run.status == "done" and page.run.facts["variants"] == [0, 1]
    page.state.settled = Locus("20", VIEW.start + 4_000, VIEW.end + 4_000)
    settle(page)
    assert page.run.status == "failed" and "unphased" in page.run.error


def test_a_deletion_that_begins_before_the_view_is_listed_and_drawn(page):
    drop(page, vcf_of(page, (400, 5_000, "1|1"), (8_000, 0, "0|1")))
    assert page.run.status == "done"
    assert sorted(page.run.table()["position"]) == [400, 8_000]
    exact = page.run.prediction
    gone = exact["activity"].sel(haplotype=["1", "2"], bin=exact["bin_start"].isin(range(2_048, 5_000, 128)))
    assert gone.sizes["bin"] and not gone.any()
