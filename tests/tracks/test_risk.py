"""Risk scores on screen: distributions, curves, and the chain from bases to a person."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from phenviz.results.risk_scores import SCORE_NAMES, density, group_colours
from phenviz.tracks.drawn_tables import drawn_tables
from phenviz.tracks.risk import CalibrationPlot, RocCurves, ScoreDistribution
from phenviz.tracks.risk_chain import RiskChain
from phenviz.tracks.theme import contrast, get_theme

COLUMNS = (("gene", "Genes"), ("trait", "Trait"), ("person", "Person"))


def test_every_group_has_the_same_area_and_begins_and_ends_at_nothing():
    rng = np.random.default_rng(0)
    groups = {"A": rng.normal(0, 1, 400), "B": rng.normal(2, 0.3, 50), "C": np.full(3, np.nan)}
    drawn = density(groups, -3.0, 4.0)
    assert set(drawn) == {"A", "B"}
    for x, y in drawn.values():
        assert y[0] == y[-1] == 0 and (np.diff(x) > 0).all()
        assert np.trapezoid(y, x) == pytest.approx(1, abs=0.05)


def test_the_group_of_the_person_is_filled_and_the_others_are_lines():
    plot = ScoreDistribution("prs")
    groups = {"AFR": np.array([0.0, 1.0]), "EUR": np.array([2.0, 3.0, 4.0])}
    plot.show(groups, "EUR", 9.0)
    assert list(plot._filled.data["group"]) == ["EUR"] and list(plot._others.data["group"]) == ["AFR"]
    assert plot.layout.x_range.start < 0 and plot.layout.x_range.end > 9.0
    table = drawn_tables(plot.layout)["distribution-prs"]
    assert dict(zip(table["group"], table["people"], strict=True)) == {"EUR": 3, "AFR": 2}
    plot.show({}, "", None)
    assert not plot._person.visible and not len(plot._others.data["group"])


@pytest.mark.parametrize("name", ["light", "dark"])
def test_each_group_has_its_own_colour_that_can_be_seen_and_stays_the_same(name):
    groups = {group: np.array([0.0, 1.0]) for group in ("AFR", "EUR", "cohort A", "cohort B")}
    plot = ScoreDistribution("prs")
    plot.set_theme(name)
    plot.show(groups, "EUR")
    theme = get_theme(name)
    painted = dict(zip(plot._others.data["group"], plot._others.data["colour"], strict=True)) | {
        "EUR": plot._filled.data["colour"][0]
    }
    assert len(set(painted.values())) == 4
    assert all(contrast(colour, theme.surface) >= 3 for colour in painted.values())
    # which one is filled doesn't change what a colour means
    assert (
        group_colours(groups) == group_colours([*groups])
        and group_colours(["EUR"])["EUR"] == group_colours(groups)["EUR"]
    )


def test_curves_stand_in_the_order_in_which_scores_are_named_and_empty_ones_draw_nothing():
    scores = [*reversed(SCORE_NAMES)]
    curves = pd.DataFrame(
        {"score": np.repeat(scores, 2), "false_positive": [0, 1] * 6, "true_positive": [0, 1] * 6}
    )
    roc = RocCurves()
    roc.show(curves, {"prs": "0.6"})
    assert list(roc._curves.data["score"]) == list(SCORE_NAMES)
    nothing = CalibrationPlot("dark")
    nothing.show(pd.DataFrame(columns=["score", "predicted", "observed", "low", "high", "people"]))
    assert not len(nothing._points.data["score"])


def test_a_press_into_a_box_names_it_and_joined_lines_stand_out():
    chain = RiskChain(COLUMNS)
    boxes = pd.DataFrame(
        [
            ("gene", "G1", "G1", "+1"),
            ("gene", "G2", "G2", "-1"),
            ("trait", "T", "T", ""),
            ("person", "P", "P", ""),
        ],
        columns=["column", "key", "name", "note"],
    )
    links = pd.DataFrame(
        [
            ("gene", "G1", "T", 1.0),
            ("gene", "G2", "T", -0.5),
            ("gene", "GONE", "T", 9.0),
            ("trait", "T", "P", 0.5),
        ],
        columns=["column", "source", "target", "value"],
    )
    chain.show(boxes, links)
    chain.choose({"gene": "G2", "trait": "T"})
    by_source = dict(zip(chain._links.data["source"], chain._links.data["alpha"], strict=True))
    assert set(by_source) == {"G1", "G2", "T"} and by_source["G2"] > by_source["G1"]
    pressed = []
    chain.on_pick(lambda column, key: pressed.append((column, key)))
    for x, y in zip(chain._boxes.data["x"], chain._boxes.data["y"], strict=True):
        chain._on_tap(SimpleNamespace(x=x, y=y))
    assert pressed == [("gene", "G1"), ("gene", "G2"), ("trait", "T"), ("person", "P")]
    chain._on_tap(SimpleNamespace(x=0.01, y=0.01))
    assert len(pressed) == 4
