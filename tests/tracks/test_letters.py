import numpy as np
import pytest

from phenviz.tracks.letters import SHAPES, place_letters


@pytest.mark.parametrize("base", "ACGTN")
def test_a_letter_fills_its_box(base):
    outline = SHAPES[base][0]
    np.testing.assert_allclose(outline.min(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(outline.max(axis=0), 1, atol=1e-9)


def test_only_a_has_a_hole_and_it_lies_inside():
    holes = {base: rings[1:] for base, rings in SHAPES.items()}
    assert [base for base, rings in holes.items() if rings] == ["A"]
    (hole,) = holes["A"]
    assert (hole > 0).all() and (hole < 1).all()


@pytest.mark.parametrize("seed", range(20))
def test_letters_lie_in_their_boxes_and_reach_their_heights(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    bases = rng.choice(list("ACGTN"), n)
    left, heights = np.arange(n) + 0.5, rng.normal(size=n)
    xs, ys = place_letters(bases, left, 0.0, 0.9, heights)
    for index in range(n):
        x, y = np.array(xs[index][0][0]), np.array(ys[index][0][0])
        assert x.min() >= left[index] - 1e-3 and x.max() <= left[index] + 0.9 + 1e-3
        np.testing.assert_allclose([y.min(), y.max()], sorted([0, heights[index]]), atol=1e-9)


def test_a_negative_letter_hangs_upside_down():
    _, upright = place_letters("T", [0], 0.0, 1.0, [1.0])
    _, hanging = place_letters("T", [0], 0.0, 1.0, [-1.0])
    np.testing.assert_allclose(np.array(hanging[0][0][0]), -np.array(upright[0][0][0]))


def test_letters_too_low_to_be_read_are_blocks():
    xs, _ = place_letters("AC", [0, 1], 0.0, 1.0, [0.01, 1.0], least_height=0.1)
    assert len(xs[0][0][0]) == 4 and len(xs[1][0][0]) > 10
