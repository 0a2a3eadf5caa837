from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from evaluation.motifs import EXPECTED, FAMILIES, TEST, Counts, count_families, holds_family, section
from phenviz.attribution import count_motifs
from phenviz.data.blood16 import BLOOD16
from phenviz.data.embedded import MOTIFS
from phenviz.data.motifs import read_motifs
from phenviz.genome import encode, one_hot


def table(motifs, context="Ery", p_value=1e-5):
    return pd.DataFrame({"motif": motifs, "p_value": p_value, "context": context})


@pytest.fixture
def counts():
    hits = table(["GATA1::TAL1"] * 20 + ["CTCF"] * 2 + ["SPI1"] * 18)
    control = table(["GATA4"] * 1 + ["CTCF"] * 2 + ["SPI1"] * 17 + ["ZNF1"] * 20)
    return Counts(count_families(hits, control), count_motifs(hits, control), {"Ery": 10})


def test_a_family_counts_all_its_motifs_and_is_compared_with_the_control(counts):
    rows = counts.families.set_index("family")
    assert rows.loc["GATA", ["hits", "control_hits", "seqlets"]].tolist() == [20, 1, 40]
    assert rows.loc["GATA", "q_value"] < 0.001
    assert rows.loc["SPI", "q_value"] > 0.05


def test_poor_matches_are_not_counted():
    rows = count_families(table(["GATA1"] * 5, p_value=0.5), table(["GATA1"] * 5)).set_index("family")
    assert rows.loc["GATA", "hits"] == 0


def test_the_section_stresses_what_is_enriched_and_marks_what_was_expected(counts):
    pair = ("Ery", "GATA", 50, 25, 100, 10, 1e-9)
    columns = ["context", "family", "own", "own_hits", "other", "other_hits", "p_value"]
    text = section(counts, pd.DataFrame([pair], columns=columns), "toy", TEST)
    assert "| Ery | **20/1**† |" in text
    assert "GATA1::TAL1 20/0" in text
    assert "| Ery | GATA | 50.0% of 50 | 10.0% of 100 | 1.0e-09 |" in text


def test_a_window_holds_a_family_on_either_strand():
    windows = np.full((3, 60), 1)
    windows[0, 20:31] = encode("CAGATAAGGCA")
    windows[1, 20:31] = encode("TGCCTTATCTG")
    assert holds_family(one_hot(windows), FAMILIES["GATA"]).tolist() == [True, True, False]


def test_every_family_has_motifs_and_every_expectation_a_context_and_a_family():
    names = [motif.name for motif in read_motifs(MOTIFS)]
    for pattern in FAMILIES.values():
        assert any(re.search(pattern, name, re.IGNORECASE) for name in names), pattern
    assert set(EXPECTED) <= {context.name for context in BLOOD16}
    assert {family for families in EXPECTED.values() for family in families} <= set(FAMILIES)
