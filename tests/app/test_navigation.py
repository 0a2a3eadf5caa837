from __future__ import annotations

import pytest

from phenviz.app.shell.navigation import SMALLEST_VIEW, History, centred, framed, moved, zoomed
from phenviz.genome import Locus

LENGTH = 100_000
VIEW = Locus("20", 40_000, 41_000)


@pytest.mark.parametrize("factor", [1.5, 3, 10])
def test_zooming_keeps_the_centre_and_scales_the_length(factor):
    wide = zoomed(VIEW, factor, LENGTH)
    assert wide.length == round(1_000 * factor)
    assert abs(wide.centre - VIEW.centre) <= 1


def test_a_zoom_never_leaves_the_contig_or_gets_too_small():
    assert zoomed(VIEW, 1e6, LENGTH) == Locus("20", 0, LENGTH)
    assert zoomed(VIEW, 1e-6, LENGTH).length == SMALLEST_VIEW
    at_the_end = Locus("20", LENGTH - 100, LENGTH)
    assert zoomed(at_the_end, 10, LENGTH).end == LENGTH


@pytest.mark.parametrize(
    ("fraction", "start"), [(0.1, 40_100), (0.5, 40_500), (0.95, 40_950), (-0.95, 39_050)]
)
def test_a_move_shifts_by_a_share_of_the_view(fraction, start):
    assert moved(VIEW, fraction, LENGTH) == Locus("20", start, start + 1_000)


def test_a_move_stops_at_both_ends_of_the_contig():
    assert moved(Locus("20", 50, 1_050), -0.95, LENGTH).start == 0
    assert moved(Locus("20", LENGTH - 1_000, LENGTH), 0.95, LENGTH).end == LENGTH


def test_a_position_is_centred_without_changing_the_length():
    view = centred(VIEW, 70_000, LENGTH)
    assert view.length == VIEW.length
    assert view.centre == 70_000


def test_a_frame_leaves_air_on_both_sides_and_one_base_gets_a_readable_view():
    assert framed(VIEW, LENGTH) == Locus("20", 39_900, 41_100)
    assert framed(Locus("20", 500, 501), LENGTH).length == 200


def test_history_goes_back_and_forward_and_forgets_what_was_ahead():
    history = History()
    a, b, c, d = (Locus("20", start, start + 10) for start in (0, 10, 20, 30))
    for place in (a, b, b, c):
        history.visit(place)
    assert (history.can_go_back, history.can_go_forward) == (True, False)
    assert history.back() == b
    assert history.back() == a
    assert not history.can_go_back
    assert history.forward() == b
    history.visit(d)
    assert not history.can_go_forward
    assert history.back() == b
