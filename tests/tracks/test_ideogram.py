import pytest
from bokeh.document import Document
from bokeh.events import Tap

from phenviz.genome import Annotation, Locus
from phenviz.tracks import Ideogram
from tests.tracks.toys import LENGTH, annotation


@pytest.fixture
def ideogram():
    return Ideogram(annotation().bands("20"), LENGTH)


def test_the_window_box_follows_the_locus_and_tells_nobody(ideogram):
    told = []
    ideogram.on_pick(told.append)
    ideogram.set_window(Locus("20", 1_000, 2_000))
    assert (ideogram._window.start, ideogram._window.end) == (1_000.5, 2_000.5)
    assert told == []


def test_a_click_moves_the_window_there_and_keeps_its_length(ideogram):
    told = []
    ideogram.on_pick(told.append)
    ideogram.set_window(Locus("20", 1_000, 3_000))
    ideogram._on_tap(Tap(ideogram.layout, x=500_000.5, y=0.5))
    assert told == [Locus("20", 499_000, 501_000)]


def test_a_click_at_the_end_stays_on_the_contig(ideogram):
    told = []
    ideogram.on_pick(told.append)
    ideogram.set_window(Locus("20", 1_000, 3_000))
    ideogram._on_tap(Tap(ideogram.layout, x=LENGTH + 0.5, y=0.5))
    assert told == [Locus("20", LENGTH - 2_000, LENGTH)]


def test_a_dragged_box_is_told_without_echo(ideogram):
    told = []

    def answer(locus):
        told.append(locus)
        ideogram.set_window(locus)

    ideogram.on_pick(answer)
    ideogram._window.update(start=400_000.5)
    assert told[-1] == Locus("20", 400_000, LENGTH) and len(told) == 1


def test_themes_change_all_bands(ideogram):
    light = list(ideogram._arms.data["colour"])
    ideogram.set_theme("dark")
    assert all(a != b for a, b in zip(light, ideogram._arms.data["colour"], strict=True))


def test_a_contig_without_known_bands_is_drawn_plain():
    bare = Annotation(annotation().genes)
    plain = Ideogram(bare.bands("20"), LENGTH, "dark", contig="20")
    Document().add_root(plain.layout)
    assert len(plain._arms.data["left"]) == 0
