import numpy as np
from bokeh.document import Document

from phenviz.tracks import AlleleLogos


def test_both_alleles_are_drawn_on_one_scale_with_what_differs_tinted():
    logos = AlleleLogos()
    values = np.array([0.1, 0.8, -0.2], np.float32), np.array([0.05, 0.1, -0.1, 0.0], np.float32)
    logos.show("20", 1_000, ("ACG", "ATTG"), values, ((1, 2), (1, 3)), ("REF C", "ALT TT"))
    first, second = logos._tracks
    assert (first.y_range.start, first.y_range.end) == (second.y_range.start, second.y_range.end)
    assert len(first.plot.letters.data["xs"]) == 3 and len(second.plot.letters.data["xs"]) == 4
    assert logos._strips[1].data_source.data == {"x0": [1_001.5], "x1": [1_003.5]}
    assert second.axis.range.end - second.axis.range.start == 4
    logos.set_theme("dark")
    Document().add_root(logos.layout)


def test_where_bases_are_missing_a_mark_stands_between_their_neighbours():
    logos = AlleleLogos()
    values = np.zeros(3, np.float32), np.zeros(2, np.float32)
    logos.show("20", 1_000, ("ACG", "AG"), values, ((1, 2), (1, 1)), ("REF AC", "ALT A"))
    tinted, mark = (strip.data_source.data for strip in logos._strips)
    assert tinted["x1"][0] - tinted["x0"][0] == 1
    assert 0 < mark["x1"][0] - mark["x0"][0] < 0.5 and mark["x0"][0] + mark["x1"][0] == 2 * tinted["x0"][0]
