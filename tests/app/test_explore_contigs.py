"""The Explore page of a world with several contigs: nothing of one is taken for another's."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from phenviz.app.explore import results_table
from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.runtime import Runtime
from phenviz.genome import Locus
from phenviz.service.explained import explain
from phenviz.world import open_world
from tests.app.explore import SITE, finish
from tests.toys import toy_project as toy_project_file

OTHER = Locus("21", 1_000, 1_100)


def test_another_contig_gets_tracks_of_its_own(page):
    page.locus_bar.go_to("chr21:1-5,000")
    assert page.tracks._browser.locus == Locus("21", 0, 5_000)
    assert "chr21" in page.header._line.object


def test_a_contig_by_its_name_is_shown_whole_and_nothing_in_it_is_pointed_at(page):
    page.locus_bar.go_to("chr20")
    length = page.runtime.world.reference.contigs["20"]
    assert (page.state.locus, page.state.highlight) == (Locus("20", 0, length), None)


def test_a_gene_of_another_contig_is_run_on_its_own_contig(page):
    page.state.param.update(window="gene", gene="DELTA", flank=200)
    assert page.state.locus.contig == "20"
    assert page.run_panel.request().locus == Locus("21", 0, 5_200)


def test_a_result_of_another_contig_is_not_drawn_at_the_same_numbers(page):
    page.state.param.update(locus=OTHER, settled=OTHER)
    finish(page, page.runs.start(explain("mutagenesis", OTHER, ("Ery",))))
    contribution = page.tracks._browser._stack.need("mutagenesis")[0]
    assert len(contribution._plot.letters.data["xs"])
    page.locus_bar.go_to("20:1,001-1,100")
    contribution = page.tracks._browser._stack.need("mutagenesis")[0]
    assert not len(contribution._plot.letters.data["xs"])
    assert "computed for chr21:1,001-1,100" in contribution.texts.empty


@pytest.mark.parametrize("table", ["bases", "motifs"])
def test_a_click_on_a_row_goes_to_the_contig_of_the_result(page, table):
    finish(page, page.runs.start(explain("mutagenesis", OTHER, ("Ery",))))
    frame = results_table.strongest_bases(page.runs.dataset, "Ery")
    if table == "motifs":
        hits = frame.assign(start=frame["position"] - 1, end=frame["position"], strand="+", score=1.0,
                            p_value=0.1, q_value=0.1, motif_id="")  # fmt: skip
        found: Future = Future()
        found.set_result(hits)
        page.results._asked = asked = (page.runs.dataset, "Ery")
        page.results._take_motifs(asked, found)
    page.results._dock._handle_msg({"table": table, "row": 3})
    at = int(frame["position"].iloc[3]) - 1
    assert page.state.highlight == Locus("21", at, at + 1)
    assert page.state.locus.contig == "21" and page.state.locus.start <= at < page.state.locus.end


def test_a_run_of_an_address_lies_on_the_contig_as_the_reference_calls_it(tmp_path, monkeypatch):
    project = toy_project_file(tmp_path)
    fasta = tmp_path / "toy.fa"
    fasta.write_text(fasta.read_text().replace(">", ">chr"))
    asked = {"run": explain("mutagenesis", SITE, ("Ery",)).address, "locus": "chr21:1-5,000"}
    monkeypatch.setattr("phenviz.app.shell.page.arguments_of_address", lambda: asked)
    runtime = Runtime(open_world(project), "cpu").warm().start()
    assert runtime.service_ready.result(300) is not None
    page = ExplorePage(runtime)
    try:
        assert page.state.shown.locus == Locus("chr20", SITE.start, SITE.end)
        finish(page, page.runs.start(page.state.shown))
        page.jobs._list._handle_msg({"id": str(page.runs.current.job.id)})
        assert page.state.locus == page.tracks._browser.locus == Locus("chr20", SITE.start, SITE.end)
    finally:
        page.session.close()
        runtime.stop()


def test_an_address_that_names_a_run_on_an_unknown_contig_still_opens(runtime, monkeypatch):
    asked = {"run": explain("mutagenesis", Locus("7", 0, 100), ("Ery",)).address}
    monkeypatch.setattr("phenviz.app.shell.page.arguments_of_address", lambda: asked)
    said = []
    monkeypatch.setattr("phenviz.app.shell.session.Session.say", lambda _self, text: said.append(text))
    page = ExplorePage(runtime)
    assert page.state.shown is None and "no contig '7'" in said[0]
    page.session.close()
