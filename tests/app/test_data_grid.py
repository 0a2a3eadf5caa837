from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.app.widgets.data_grid import DataGrid, GridColumn

COLUMNS = (
    GridColumn("position", "Position", "{:,}", "number"),
    GridColumn("gene", "Gene", searched=True),
    GridColumn("effect", "Effect", "{:+.2f}", "effect"),
)


def table(count=450, seed=0):
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=count)
    effect[3] = np.nan
    return pd.DataFrame(
        {
            "key": [f"v{index}" for index in range(count)],
            "position": np.arange(count) * 1_000,
            "gene": rng.choice(["SIRPB1", "SMOX", "HNF4A"], count),
            "effect": effect,
        }
    )


@pytest.fixture
def grid():
    grid = DataGrid(COLUMNS, on_row=lambda key: None)
    grid.show(table())
    return grid


def test_a_page_is_sent_and_no_more(grid):
    assert len(grid.view.rows) == 100 and grid.view.status["total"] == 450
    grid.view._handle_msg({"page": 1})
    assert grid.view.keys[0] == "v100" and grid.view.rows[0][0] == "100,000"
    for _ in range(9):
        grid.view._handle_msg({"page": 1})
    assert grid.view.keys[-1] == "v449"


def test_negative_numbers_have_a_true_minus_that_can_be_searched_for_and_names_keep_their_hyphen(grid):
    signed = pd.DataFrame(
        {"key": ["a", "b"], "position": [-5, 7], "gene": ["HLA-A", "B"], "effect": [-0.25, 0.5]}
    )
    grid.show(signed)
    assert grid.view.rows == [["−5", "HLA-A", "−0.25"], ["7", "B", "+0.50"]]
    grid.view._handle_msg({"filter": "effect<−0.2"})
    assert grid.view.keys == ["a"]


def test_effects_are_sorted_by_their_size_with_unknown_ones_last(grid):
    grid.view._handle_msg({"sort": "effect"})
    found = grid.matching["effect"].abs().to_numpy()
    assert (np.diff(found[:-1]) <= 0).all() and np.isnan(found[-1])
    grid.view._handle_msg({"sort": "effect"})
    found = grid.matching["effect"].abs().to_numpy()
    assert (np.diff(found[:-1]) >= 0).all() and np.isnan(found[-1])
    grid.view._handle_msg({"sort": "effect"})
    assert grid.sort == "" and list(grid.matching["key"][:2]) == ["v0", "v1"]


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("smox", lambda t: t["gene"] == "SMOX"),
        ("sirpb1 effect>0.5", lambda t: (t["gene"] == "SIRPB1") & (t["effect"] > 0.5)),
        ("|effect|>1", lambda t: t["effect"].abs() > 1),
        ("position<5000", lambda t: t["position"] < 5_000),
        ("position <= 5000", lambda t: t["position"] <= 5_000),
        ("Effect>=0.5 sirpb1", lambda t: (t["gene"] == "SIRPB1") & (t["effect"] >= 0.5)),
        ("nothing>1", lambda t: t["gene"] == "?"),
        ("(.*", lambda t: t["gene"] == "?"),
        ("  ", lambda t: t["position"] >= 0),
    ],
)
def test_a_filter_keeps_the_rows_it_says(grid, text, keep):
    grid.view._handle_msg({"filter": text})
    whole = table()
    assert list(grid.matching["key"]) == list(whole.loc[keep(whole), "key"])


def test_a_filter_that_fits_nothing_says_so(grid):
    grid.search("GATA1")
    assert grid.view.rows == [] and grid.view.status["words"] == "Nothing fits this filter."


def test_a_chosen_row_is_turned_to_and_a_row_that_is_not_on_screen_cannot_be_pressed():
    pressed = []
    grid = DataGrid(COLUMNS, on_row=pressed.append)
    grid.show(table())
    grid.choose("v333")
    assert "v333" in grid.view.keys
    grid.view._handle_msg({"row": "v5"})
    grid.view._handle_msg({"row": "v340"})
    assert pressed == ["v340"]


def test_an_unknown_column_is_not_sorted_by(grid):
    grid.view._handle_msg({"sort": "__class__"})
    assert grid.sort == ""
