"""A genome of one's own on the Individual page: phase, coverage, messages, and what is kept of it."""

from __future__ import annotations

import gc
import socket
import time
import weakref

import pytest

from phenviz.app.individual.page import IndividualPage
from phenviz.app.individual.person_exports import FORMATS
from phenviz.app.shell.runtime import Runtime
from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.world import open_world
from tests.app.individual.person import VIEW, apply_state, drop, own_vcf, settle, settle_source, vcf_of
from tests.app.test_uploads import piece
from tests.app.waiting import first_people


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
    page.choice.drop._handle_msg({"begin": "../../etc/passwd", "size": 10})
    assert page.choice.drop.failed and "file name" in page.choice.drop.note
    page.choice.drop._handle_msg({"begin": "x.vcf", "size": 10})
    page.choice.drop._handle_msg({"piece": piece(b"0123456789"), "name": "x.vcf", "number": 0})
    assert "doesn't begin like a VCF" in page.choice.drop.note
    assert page.choice.drop.answered == 3


def test_a_message_names_a_file_and_not_where_it_lies(page, runtime):
    folder = page.people.uploads.path
    broken = own_vcf(page).replace(b"0/1", b"0/9")
    drop(page, broken)
    assert page.run.status == "failed"
    assert page.run.error.startswith("me.vcf, record 1") and str(folder) not in page.run.error
    (runtime.folder / "broken.vcf").write_bytes(broken)
    page.choice.hear({"source": "file:broken.vcf"})
    settle(page)
    assert page.run.error.startswith("broken.vcf, record 1")


def test_what_the_file_leaves_open_stands_beside_the_tracks(page):
    drop(page, own_vcf(page).replace(b"0/1", b"./1"))
    page.state.unphased = "as listed"
    settle(page)
    told = page.panel._facts.object
    assert "2 missing calls taken as the reference" in told and "me.vcf has no index" in told


def test_genotypes_of_a_closed_tab_leave_memory(runtime):
    page = IndividualPage(runtime)
    first_people(page)
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


def test_an_upload_is_found_again_by_another_page_of_its_tab_and_by_no_other(runtime):
    tab, first = "t" * 24, IndividualPage(runtime)
    first_people(first)
    first.state.param.update(locus=VIEW, settled=VIEW, unphased="as listed")
    first.choice.have(tab)
    drop(first, own_vcf(first))
    assert first._query()["genome"] == "upload" and first.state.sample == "me"
    query = first._query() | {"unphased": "as listed"}
    second, stranger = IndividualPage(runtime), IndividualPage(runtime)
    for page in (second, stranger):
        page.state.param.update(apply_state(page, query))
        page.choice.lost = True
        page.choice.open_source()
    second.choice.have(tab)
    stranger.choice.have("s" * 24)
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


def test_a_world_without_people_asks_for_a_file_and_says_of_none_that_it_is_gone(toy_project):
    page = IndividualPage(Runtime(open_world(toy_project), "cpu"))
    page.choice.have("t" * 24)
    assert page.state.source == "upload" and page.choice.drop.visible
    assert page.choice.picker.note == "" and page.run.nobody == "" and page.run.status == "empty"
    page.session.close()


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
