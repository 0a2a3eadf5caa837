"""Figures as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.genome import Context, Locus
from phenviz.tracks import Forest, PersonalBrowser
from phenviz.tracks.drawn_tables import drawn_tables
from phenviz.world import open_world

CONTEXTS = tuple(
    Context(name, f"the cell {name}", "", "blood", colour)
    for name, colour in zip("ABCD", ("#112233", "#445566", "#778899", "#aabbcc"), strict=True)
)


def test_a_forest_is_a_table_of_its_contexts():
    forest = Forest(CONTEXTS, "light")
    effects, quantiles = np.array([0.5, -0.25, np.nan, 0.125]), np.array([0.9, -0.8, np.nan, 0.1])
    forest.show(effects, quantiles, None)
    (table,) = drawn_tables(forest.layout).values()
    known = dict(zip((str(name)[-1] for name in table["name"]), table["value"], strict=True))
    assert {name: known[name] for name in "ABD"} == pytest.approx({"A": 0.5, "B": -0.25, "D": 0.125})


def test_tracks_are_tables_of_what_can_be_pointed_at(toy_project):
    world = open_world(toy_project)
    locus = Locus("20", 2_000, 9_000)
    browser = PersonalBrowser(world.annotation, 50_000, locus=locus, contexts=world.contexts)
    table = pd.DataFrame(
        {
            "position": [3_000, 5_000], "ref": ["A", "C"], "alt": ["G", "T"], "id": ["rs1", ""],
            "haplotype_1": [1, 0], "haplotype_2": [0, 1], "carried": ["haplotype 1", "haplotype 2"],
            "effect": [0.5, np.nan], "context": ["Ery", ""],
        }
    )  # fmt: skip
    browser.set_variants(table)
    found = drawn_tables(browser.layout)
    assert found["variants"]["carried by"].tolist() == ["haplotype 1", "haplotype 2"]
    assert found["variants"]["where"].tolist() == ["3,000", "5,000"]
    browser.close()
