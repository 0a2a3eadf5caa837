from __future__ import annotations

import numpy as np
import pytest

from phenviz.genome import Context
from phenviz.results.organs import fold_by_group
from phenviz.tracks import ExpressionMap

_COLOURS = {"brain": "#157ec0", "gut": "#9a8944", "lung": "#5c8f3f"}
CONTEXTS = tuple(
    Context(f"t{number}", f"tissue {number}" + " of a long name" * (number == 5), "", group, _COLOURS[group])
    for number, group in enumerate(["brain", "brain", "gut", "brain", "lung", "gut"])
)
CHANGES = np.array([[0.1, -0.3, 0.0, 0.2, np.nan, -0.05], [0.0, 0.0, 0.0, 0.0, 0.04, 0.0]])


@pytest.mark.parametrize("seed", range(20))
def test_folding_keeps_the_strongest_of_each_group(seed):
    rng = np.random.default_rng(seed)
    groups = rng.choice(list("abcd"), 12).tolist()
    values = rng.normal(size=(5, 12)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    names, folded, strongest = fold_by_group(values, groups)
    assert names == list(dict.fromkeys(groups))
    for row in range(5):
        for column, name in enumerate(names):
            own = [v for v, g in zip(values[row], groups, strict=True) if g == name]
            known = [v for v in own if np.isfinite(v)]
            slow = max(known, key=abs) if known else np.nan
            np.testing.assert_array_equal(folded[row, column], np.float32(slow))
            assert groups[strongest[row, column]] == name


def test_all_tissues_stand_in_their_order_under_their_organ_systems():
    shown = ExpressionMap(CONTEXTS)
    shown.show(["A", "B"], CHANGES, "tissues")
    (image,) = shown._image.data["image"]
    np.testing.assert_array_equal(image[::-1], CHANGES.astype(np.float32))
    labels = list(shown.layout.xaxis[0].major_label_overrides.values())
    assert labels[:2] == ["tissue 0", "tissue 1"] and labels[5] == "t5"
    assert shown._names.data["text"] == ["brain", "gut", "brain", "lung", "gut"]
    assert shown._names.data["x"] == [1, 2.5, 3.5, 4.5, 5.5]
    assert shown.limit >= 0.3


def test_organ_systems_show_the_strongest_change_and_say_where_it_is():
    shown = ExpressionMap(CONTEXTS, "dark")
    shown.show(["A", "B"], CHANGES)
    (image,) = shown._image.data["image"]
    np.testing.assert_array_equal(image[::-1], np.float32([[-0.3, -0.05, np.nan], [0.0, 0.0, 0.04]]))
    assert shown._cells.data["context"][:2] == ["tissue 1", CONTEXTS[5].label]
    wide = shown.layout.width
    shown.show(["A"] * 3, np.zeros((3, 6)), "tissues")
    assert shown.layout.width != wide
    shown.show([], np.empty((0, 6)))
    assert shown._image.data["image"] == []
