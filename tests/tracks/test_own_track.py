"""Tracks of the user's own on screen and in figures."""

import numpy as np
import pybigtools
import pytest

from phenviz.data.own_tracks import read_own_track
from phenviz.figures.screen import screen_figure
from phenviz.genome import Locus
from phenviz.tracks.drawn_tables import drawn_tables
from tests.tracks.toys import LENGTH, annotation, browser, names, track

VIEW = Locus("20", 100_000, 120_000)


def own(path, label="mine", colour="", name="own-1"):
    return read_own_track(path, {"20": LENGTH}, name=name, label=label, colour=colour)


@pytest.fixture
def signal(tmp_path):
    rng = np.random.default_rng(0)
    starts = np.arange(0, LENGTH, 50)
    values = np.float32(rng.normal(1, 2, len(starts))).astype(float)
    entries = [
        ("chr20", int(start), int(start) + 50, value) for start, value in zip(starts, values, strict=True)
    ]
    pybigtools.open(str(tmp_path / "s.bw"), "w").write({"chr20": LENGTH}, iter(entries))
    return own(tmp_path / "s.bw"), np.repeat(values, 50)


@pytest.fixture
def intervals(tmp_path):
    rng = np.random.default_rng(1)
    starts = np.sort(rng.integers(0, LENGTH - 400, 8_000)).tolist()
    rows = [(start, start + int(rng.integers(1, 400))) for start in starts]
    (tmp_path / "i.bed").write_text("".join(f"20\t{s}\t{e}\tpeak {i}\n" for i, (s, e) in enumerate(rows)))
    return own(tmp_path / "i.bed", name="own-2"), rows


def test_what_is_told_of_a_point_is_what_its_bases_are(signal):
    track_, values = signal
    shown = browser(locus=VIEW)
    shown.set_own([track_])
    told = track(shown, "own-1")._told.data
    for left, right, mean, low, high in zip(
        *(told[name] for name in ("left", "right", "mean", "lowest", "highest")), strict=True
    ):
        here = values[round(left - 0.5) : round(right - 0.5)]
        found = [float(text.replace("−", "-")) for text in (mean, low, high)]
        np.testing.assert_allclose(found, [here.mean(), here.min(), here.max()], rtol=1e-3, atol=1e-3)


def test_the_axis_holds_what_is_in_view_and_zero_and_is_told(signal):
    track_, values = signal
    shown = browser(locus=VIEW)
    shown.set_own([track_])
    ((name, (low, high)),) = shown.display().own
    here = values[VIEW.start : VIEW.end]
    assert name == "own-1"
    assert low <= here.min() < 0 < here.max() <= high
    assert high < 2 * here.max()
    axis = track(shown, "own-1").y_range
    assert (axis.start, axis.end) == (low, high)
    assert track(shown, "own-1").texts.ticks


def test_all_intervals_in_view_are_drawn_and_far_out_none_is_lost(intervals):
    track_, rows = intervals
    shown = browser(locus=VIEW)
    shown.set_own([track_])
    here = {f"peak {i}" for i, (s, e) in enumerate(rows) if s < VIEW.end and e > VIEW.start}
    assert here <= set(track(shown, "own-2")._boxes.data["name"])
    assert track(shown, "own-2").texts.description == f"{len(here):,} intervals in view"
    shown.set_locus(Locus("20", 0, LENGTH))
    boxes = track(shown, "own-2")._boxes.data
    assert len(boxes["name"]) < len(rows)
    counts = [
        int(name.removesuffix(" intervals").replace(",", "")) if "intervals" in name else 1
        for name in boxes["name"]
    ]
    assert sum(counts) == len(rows)


def test_own_tracks_stand_below_the_peaks_and_are_hidden_and_removed(signal, intervals):
    shown = browser(locus=VIEW)
    shown.set_own([signal[0], intervals[0]])
    where = names(shown)
    assert where.index("own-2") == where.index("own-1") + 1 < where.index("activity")
    shown.set_tracks(None, ["own-1"])
    assert "own-1" not in names(shown)
    shown.set_own([intervals[0]])
    shown.set_tracks(None, ["own-2"])
    shown.set_own([])
    assert not {"own-1", "own-2"} & set(names(shown))
    shown.set_own([signal[0]])
    shown.set_theme("dark")
    assert "own-1" in names(shown)


def test_the_table_for_those_who_do_not_see_it_has_the_tracks(signal, intervals):
    shown = browser(locus=VIEW)
    shown.set_own([signal[0], intervals[0]])
    tables = drawn_tables(shown.layout)
    assert {"mean", "lowest", "highest"} <= set(tables["own-1"].columns)
    assert "peak" in tables["own-2"]["name"].iloc[0]


def test_a_file_that_has_gone_is_told_in_its_track_without_its_folder(signal):
    track_, _ = signal
    track_.path.unlink()
    shown = browser(locus=VIEW)
    shown.set_own([track_])
    said = track(shown, "own-1").texts.empty
    assert "s.bw can't be read: it isn't there any more" in said
    assert str(track_.path.parent) not in said


@pytest.mark.parametrize("label", ["mine", "a very long name of $a$ track $ that goes on", "<b>&x", "fürß"])
def test_the_file_shows_the_same_tracks_on_the_same_scale(signal, intervals, tmp_path, label):
    shown = browser(locus=VIEW)
    both = [own(signal[0].path, label, "#d55e00"), own(intervals[0].path, label, name="own-2")]
    shown.set_own(both)
    figure = screen_figure(shown.display(), annotation(), own=both)
    figure.save(tmp_path / "a.svg")
    figure.save(tmp_path / "a.png")
    parts = [type(part).__name__ for part in figure.components]
    assert parts.index("DrawnIntervals") == parts.index("DrawnSignal") + 1
