"""Tracks of the user's own on the Explore page: from the project, and dropped."""

import base64
import gzip

import pybigtools
import pytest

from phenviz.app.explore.own_tracks import OwnTrackFiles, TrackFolder
from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.runtime import Runtime
from phenviz.errors import DataError
from phenviz.world import open_world
from tests.app.waiting import wait
from tests.toys import CONTIGS
from tests.toys import toy_project as write_project

TAB = "0123456789abcdef"
BED = b"chr20\t6000\t6200\tmy peak\nchr20\t8000\t8100\tother\n"


def bigwig(folder, length=CONTIGS["20"]):
    pybigtools.open(str(folder / "s.bw"), "w").write({"20": length}, iter([("20", 5_000, 9_000, 2.5)]))
    return (folder / "s.bw").read_bytes()


def drop(page, name, content):
    """Drop a file, and wait until it has been read."""
    before = page.own.drop.answered
    page.own.drop._handle_msg({"begin": name, "size": len(content)})
    if not page.own.drop.failed:
        piece = base64.b64encode(content).decode()
        page.own.drop._handle_msg({"piece": piece, "name": name, "number": 0})
    assert page.own.drop.answered > before
    wait(page, lambda: not page.own.drop.note.startswith("Reading"))
    return page.own.drop.note


def shown(page):
    return [figure.name for figure in page.tracks._browser.layout.children]


def own_names(page):
    return [name for name in shown(page) if name.startswith(("own-", "project-"))]


@pytest.mark.parametrize("name", ["my peaks (1).bed", "ü.bed.gz", "a.BED"])
def test_a_dropped_file_is_drawn_named_exported_hidden_and_removed(page, name):
    assert drop(page, name, gzip.compress(BED, mtime=0) if name.endswith("gz") else BED) == ""
    (key,) = own_names(page)
    assert [key, name] in page.toolbar.menu.tracks
    # a name that tells of somebody stays out of the address
    assert "my" not in key
    page.state.locus = page.runtime.world.locus("20:5901-9000")
    assert name.split(".")[0].split()[0] in page._make_file(".svg")().content.decode()
    page.toolbar.menu._handle_msg({"hidden": [*page.toolbar.menu.hidden, key]})
    assert own_names(page) == []
    page.toolbar.menu._handle_msg({"hidden": [n for n in page.toolbar.menu.hidden if n != key]})
    assert own_names(page) == [key]
    path = page.own.tracks.own.tracks[0].path
    assert page.own.rows.rows == [[key, name]]
    page.own.rows._handle_msg({"remove": key})
    assert own_names(page) == []
    assert not path.exists()
    assert key not in dict(page.toolbar.menu.tracks)


def test_a_signal_has_its_scale_in_the_display(page, tmp_path):
    assert drop(page, "s.bw", bigwig(tmp_path)) == ""
    ((_, limits),) = page.tracks.display().own
    assert limits == (0, 2.5)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.bed", b"", "a.bed is empty"),
        ("a.txt", BED, "a.txt isn't a track by its name: .bw, .bigwig, .bed"),
        ("a.bw", BED, "a.bw doesn't begin like a bigWig"),
        ("a.bed", b"PK\x00\x01", "a.bed doesn't begin like BED"),
        ("a.bed", b"chr20\t9\t3\n", "a.bed can't be read as narrowPeak or BED: line 1: start 9 and end 3"),
        ("a.bed.gz", gzip.compress(BED, mtime=0)[:-9], "a.bed.gz can't be read"),
        ("a.bed", b"chr5\t3\t9\n", "a.bed holds 5, the reference 20, 21"),
        ("a.bw", b"\x26\xfc\x8f\x88" + bytes(3_000), "a.bw can't be read: it is no bigWig file, or damaged"),
        ("../a.bed", BED, "isn't taken"),
    ],
)
def test_a_file_that_is_not_taken_is_one_sentence_and_gone(page, name, content, said):
    told = drop(page, name, content)
    assert said in told
    assert str(page.own.drop.folder.path) not in told
    assert page.own.drop.failed
    assert own_names(page) == []
    assert list(page.own.drop.folder.path.iterdir()) == []


def test_a_bigwig_of_another_assembly_is_told(page, tmp_path):
    assert "both" not in drop(page, "s.bw", bigwig(tmp_path, 60_000))
    assert "the reference 50,021: give a file of the same assembly" in page.own.drop.note


def test_a_track_outlasts_a_reload_is_this_tabs_own_and_goes_with_it(page, runtime):
    page._join(TAB)
    drop(page, "a.bed", BED)
    key, folder = own_names(page), page.own.drop.folder.path
    again, other = ExplorePage(runtime), ExplorePage(runtime)
    again._join(TAB)
    other._join("f" * 16)
    assert own_names(again) == key
    assert own_names(other) == []
    page.session.close()
    assert (folder / "a.bed").exists()
    assert drop(again, "a.bed", BED) == ""
    assert own_names(again) == key
    again.session.close()
    other.session.close()
    assert not folder.exists()


def test_what_came_before_the_tab_was_known_joins_the_rest(tmp_path):
    there, mine = OwnTrackFiles(), OwnTrackFiles()
    assert isinstance(mine.folder, TrackFolder)
    from phenviz.data.own_tracks import read_own_track

    for files, name in ((there, "a.bed"), (mine, "b.bed"), (mine, "a.bed")):
        (files.folder.path / name).write_bytes(BED)
        files.tracks.append(read_own_track(files.folder.path / name, CONTIGS, name=f"own-{name}", label=name))
    mine.hand_to(there)
    mine.leave()
    assert [track.label for track in there.tracks] == ["b.bed", "a.bed"]
    assert all(track.path.exists() for track in there.tracks)
    there.leave()


def test_another_contig_shows_the_tracks_too(page):
    drop(page, "a.bed", BED + b"21\t100\t200\tfar\n")
    page.state.locus = page.runtime.world.locus("21:1-1000")
    (key,) = own_names(page)
    track = page.tracks._browser._stack.made(key)[0]
    assert track._boxes.data["name"] == ["far"]


@pytest.fixture
def with_tracks(tmp_path):
    path = write_project(tmp_path)
    bigwig(tmp_path)
    (tmp_path / "a.bed").write_bytes(BED)
    return path


def test_the_project_names_tracks(with_tracks):
    with with_tracks.open("a") as file:
        file.write("\ntracks: [{name: my signal, file: s.bw, colour: '#d55e00'}, {name: b, file: a.bed}]\n")
    runtime = Runtime(open_world(with_tracks), "cpu")
    page = ExplorePage(runtime)
    wait(page, lambda: "b" in dict(page.toolbar.menu.tracks).values())
    signal, boxes = own_names(page)
    assert [signal, "my signal"] in page.toolbar.menu.tracks
    # what the server's owner has put there isn't removed by a visitor
    assert page.own.rows.rows == []
    assert page.tracks._browser._stack.made(boxes)[0].title == "b"
    page.session.close()


def test_a_wrong_track_of_the_project_is_told_with_its_line_before_anybody_looks(with_tracks):
    with with_tracks.open("a") as file:
        file.write("\ntracks: {mine: a.bed}\n")
    (with_tracks.parent / "a.bed").write_text("chr20\t1\t60000\n")
    with pytest.raises(DataError, match=r"project.yaml, line \d+: 'tracks': .*a.bed has an interval"):
        Runtime(open_world(with_tracks), "cpu").warm()


def test_own_tracks_are_put_in_order_which_a_reload_keeps(page, runtime):
    page._join(TAB)
    for name in "abc":
        assert drop(page, f"{name}.bed", BED) == ""
    a, b, c = own_names(page)
    for name, by, order in ((c, -1, [a, c, b]), (a, 1, [c, a, b]), (c, -1, [c, a, b]), (c, 9, [a, b, c])):
        page.own.rows._handle_msg({"move": name, "by": by})
        assert own_names(page) == order == [key for key, _label in page.own.rows.rows]
        assert [key for key, _label in page.toolbar.menu.tracks if key in order] == order
    page.own.rows._handle_msg({"move": "nobody's", "by": 1})
    page.own.rows._handle_msg({"move": b, "by": -1})
    again = ExplorePage(runtime)
    again._join(TAB)
    assert own_names(again) == [b, a, c]
    page.session.close()
    again.session.close()


@pytest.mark.parametrize("first", ["join", "kept"])
def test_tracks_that_a_new_server_does_not_have_are_named(page, first):
    drop(page, "here.bed", BED)
    steps = [lambda: page._join(TAB), lambda: page.own.rows._handle_msg({"kept": ["here.bed", "old.bw"]})]
    for step in steps if first == "join" else steps[::-1]:
        assert not page.own.rows.compared
        step()
    assert page.own.rows.compared and page.own.drop.failed
    assert page.own.drop.note.startswith("Your track old.bw is gone: choose it again.")
    assert drop(page, "old.bw.bed", BED) == ""


def test_nothing_is_said_of_tracks_that_are_there(page):
    page._join(TAB)
    drop(page, "here.bed", BED)
    page.own.rows._handle_msg({"kept": ["here.bed"]})
    assert page.own.drop.note == "" and not page.own.drop.failed
