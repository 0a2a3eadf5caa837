from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.cohort_hypotheses import METHODS, section, summary
from evaluation.disease_calibration import rates

GROUPS = {"Ery": "red", "Mono": "white", "B": "white", "Neuron": "brain"}


def one(seed, z, context):
    truth = {"context": context, "lineage": GROUPS[context], "genes": {"ALPHA": 1.0}}
    p = [0.01 if value > 2 else 0.5 for value in z]
    return {
        "seed": seed, "truth": truth, "z": dict.fromkeys(METHODS, z), "p": dict.fromkeys(METHODS, p),
        "contexts": list(GROUPS), "gene": "ALPHA", "gene_called": ["ALPHA", "BETA"],
    }  # fmt: skip


def test_what_is_named_first_is_counted_by_lineage_and_by_context():
    results = [one(0, [0.1, 2.5, 3.0, np.nan], "Mono"), one(1, [3.0, 0.0, 0.1, 0.2], "Ery")]
    table = summary(results, GROUPS).set_index("method").loc["cohort"]
    assert (table["lineage first"], table["context first"], table["called"]) == (2, 1, 2)
    assert table["rank"] == 1.5 and table["lineage by chance"] == pytest.approx((0.5 + 0.25) / 2)


def test_the_page_says_what_chance_gives_and_how_often_methods_err():
    results = [one(0, [0.1, 2.5, 3.0, -1.0], "Mono")]
    frame = pd.DataFrame({"set": range(100), "method": "cohort", "context": "Ery", "p_value": 0.5})
    text = section(results, summary(results, GROUPS), rates(frame), "Simulated people.")
    assert "in 50 % of them" in text and "of 4 contexts in 25 %" in text and "too few at 0.05" in text
    assert "of 2 genes" in text and "1 are" in text
