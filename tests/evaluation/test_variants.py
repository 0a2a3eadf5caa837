from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.eqtl import BASELINE, _agreement
from evaluation.variants import CONTROLS, Scored, acting, auroc, compared, dismissed, matched


def variants(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns).assign(contig="20", ref="A", alt="C")


def test_a_variant_acts_for_the_trait_with_its_largest_posterior_among_those_that_count():
    table = variants(
        trait=["MPV", "HCT", "WBC_COUNT", "MPV", "HGB"],
        position=[5, 5, 5, 9, 12],
        posterior=[0.2, 0.6, 0.9, 0.05, 0.004],
    )
    found = acting(table)
    assert found[["trait", "position"]].to_numpy().tolist() == [["HCT", 5]]
    assert dismissed(table)["position"].tolist() == [12]


def test_controls_are_the_nearest_within_reach_and_unknown_frequencies_do_not_count():
    rng = np.random.default_rng(0)
    controls = pd.DataFrame({"distance": rng.uniform(0, 5, 400), "minor": rng.uniform(0, 0.5, 400)})
    controls.loc[::3, "minor"] = np.nan
    cases = pd.DataFrame({"distance": [2.0, 9.0], "minor": [0.2, 0.2]})
    near, none = matched(cases, controls, {"distance": 0.15, "minor": 0.1})
    assert len(none) == 0 and 0 < len(near) <= CONTROLS
    chosen = controls.iloc[near]
    assert (chosen["distance"] - 2.0).abs().max() <= 0.15
    assert (chosen["minor"] - 0.2).abs().max() <= 0.1


def test_auroc_counts_how_often_a_case_beats_its_own_controls():
    case = np.array([3.0, 1.0, 2.0, 9.0])
    controls = [np.array([1.0, 2.0]), np.array([1.0, 0.0]), np.array([5.0]), np.array([])]
    value, low, high = auroc(case, controls, np.array([1, 1, 2, 3]))
    assert value == pytest.approx((1 + 0.75 + 0) / 3)
    assert 0 <= low <= value <= high <= 1


def test_a_control_is_looked_at_in_the_cells_of_its_case():
    known = Scored(pd.DataFrame(), np.array([[1.0, 5.0], [2.0, 0.0]]), np.ones((2, 2)))
    pool = Scored(pd.DataFrame(), np.array([[7.0, 1.0], [0.0, 3.0]]), np.ones((2, 2)))
    cells = np.array([[True, False], [False, True]])
    found = compared(known, pool, [np.array([0, 1]), np.array([1])], cells)
    case, own = found["size of effect, expected cells"]
    assert case.tolist() == [1.0, 0.0] and [one.tolist() for one in own] == [[7.0, 0.0], [3.0]]
    case, own = found["size of effect, largest of all contexts"]
    assert case.tolist() == [5.0, 2.0] and [one.tolist() for one in own] == [[7.0, 3.0], [3.0]]


def test_signs_are_compared_where_something_was_predicted():
    part = pd.DataFrame(
        {"slope": [1, 1, -1, 1.0], "predicted": [2.0, -1.0, -3.0, np.nan], "local": [0.0, 1.0, 1.0, 1.0]}
    )
    found = {row["predictor"]: (row["same"], row["pairs"]) for row in _agreement(part)}
    assert found == {"expression of the gene": (2, 3), "activity around it": (2, 3), BASELINE: (3, 4)}
