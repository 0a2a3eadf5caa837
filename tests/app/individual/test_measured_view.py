"""Predicted beside measured expression on the Individual page, on the toy world."""

from __future__ import annotations

import pytest

from phenviz.app.individual.measured_people import OWN, ExpressionFolder
from phenviz.app.individual.page import IndividualPage
from phenviz.app.shell.runtime import Runtime
from phenviz.errors import DataError
from phenviz.genome import Locus
from phenviz.world import open_world
from tests.app.individual.person import settle
from tests.app.test_uploads import piece
from tests.app.waiting import first_people, wait
from tests.measured_toys import SAMPLES, write_many, write_measured
from tests.service.test_trait import project_with


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    project, folder = tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("files")
    world = open_world(project_with(project))
    table = write_measured(project / "table.tsv", write_many(folder / "many.vcf", world.reference))
    runtime = Runtime(world, "cpu", folder).warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime, table
    runtime.stop()


@pytest.fixture
def page(measured):
    runtime, _ = measured
    page = IndividualPage(runtime)
    first_people(page)
    whole = Locus("20", 0, 45_000)
    page.state.param.update(locus=whole, settled=whole, below="measured")
    page.choice.hear({"source": "file:many.vcf"})
    settle(page)
    yield page
    page.session.close()


def hand_over(page, content: bytes) -> None:
    view = page.measured
    view._source.value = OWN
    view._drop._handle_msg({"begin": "mine.tsv", "size": len(content)})
    view._drop._handle_msg({"piece": piece(content), "name": "mine.tsv", "number": 0})
    wait(page, lambda: "mine.tsv" in view._said.object and not view._compare.disabled)


def test_a_table_of_one_s_own_is_compared_and_the_chosen_person_marked(page, measured):
    view = page.measured
    assert page._shown_below[0] is not page.grid.view
    hand_over(page, measured[1].read_bytes())
    view._ask(None)
    wait(page, lambda: view._drawn.visible)
    assert view._key == "ALPHA|expression"
    shown = view._grid.matching
    assert shown["gene"].tolist() == ["ALPHA", "BETA"] and shown["elastic-net"].iloc[0] > 0.7
    assert "unseen people" in view._badges.object and "measured-elastic-net" in view._badges.object
    assert list(view._scatter._chosen.data["name"]) == [page.state.sample]
    page.state.sample = SAMPLES[7]
    assert list(view._scatter._chosen.data["name"]) == [SAMPLES[7]]
    view._choose("BETA|expression")
    assert "BETA" in view._badges.object
    if str(view._found["BETA"]["driver"].values[0, 0]):
        assert "explore?" in view._badges.object
    # another source of people has nothing to do with it
    page.state.source = "world"
    assert not view._drawn.visible and not view._found


def test_names_that_differ_are_offered_and_taken_only_when_agreed(page, measured):
    lines = measured[1].read_text().splitlines()
    content = "\n".join([lines[0], *(line.replace("\t", ".rep1\t", 1) for line in lines[1:])]).encode()
    hand_over(page, content)
    view = page.measured
    assert view._take_names.visible and "P000.rep1 → P000" in view._said.object
    view._ask(None)
    wait(page, lambda: "names nobody" in view._said.object)
    view._agree()
    view._ask(["ALPHA"])
    wait(page, lambda: view._drawn.visible)
    assert len(view._found) == 1


def test_what_is_handed_over_is_gone_with_the_page(measured):
    page = IndividualPage(measured[0])
    hand_over_folder = page.measured._folder
    path = hand_over_folder.path / "mine.tsv"
    path.write_text("x")
    page.session.close()
    assert not path.exists()


def test_a_pack_that_is_not_here_is_offered_with_its_size_and_fetched(page, monkeypatch):
    here, view = [], page.measured
    name = view._source.value

    def fails(name, progress):
        raise DataError("no network: connect, and try again")

    monkeypatch.setattr("phenviz.app.individual.measured_people.has_pack", lambda name: name in here)
    view._turn()
    assert view._fetch.visible and view._fetch.label.startswith(f"Fetch {name} (") and view._compare.disabled
    assert "not on this machine yet" in view._said.object and "phenviz" not in view._said.object
    monkeypatch.setattr("phenviz.data.packs.fetch_pack", fails)
    view._begin_fetching()
    assert not view._fetch.visible
    wait(page, lambda: "Not fetched. no network" in view._said.object)
    assert view._fetch.visible
    monkeypatch.setattr("phenviz.data.packs.fetch_pack", lambda name, progress: here.append(name))
    view._begin_fetching()
    wait(page, lambda: not view._compare.disabled)
    assert not view._fetch.visible and "How well does the model know people" in view._said.object


def test_only_tables_are_taken():
    with pytest.raises(DataError, match="no table by its name"):
        ExpressionFolder().begin("person.vcf", 10)
