from __future__ import annotations

import pandas as pd

from evaluation.disease_calibration import rates, shown_by_the_page
from phenviz.disease.calibration import calibration_words, measured_calibration
from phenviz.disease.cohort_methods import described


def test_the_package_says_how_often_a_method_errs():
    table = measured_calibration()
    assert set(table["method"]) <= set(described()) and (table["sets"] >= 100).all()
    for row in table.itertuples():
        assert calibration_words(row.method).startswith("calls ")
    assert calibration_words("no-such-method") == ""


def test_what_evaluation_measures_is_what_the_page_reads(tmp_path):
    p = [0.001] * 30 + [0.5] * 70
    frame = pd.DataFrame({"set": range(100), "method": "variant", "context": "Ery", "p_value": p})
    shown = shown_by_the_page({"anywhere": rates(frame)}, "m@1")
    assert set(shown.columns) == set(measured_calibration().columns)
    assert shown["verdict"].tolist() == ["too many at 0.05; too many at 0.01"]
