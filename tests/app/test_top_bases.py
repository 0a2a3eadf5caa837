from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.app.explore.top_bases import careful_names, round_the_strongest, strongest_bases, with_motifs
from phenviz.attribution import Target, mutagenesis, saliency
from phenviz.genome import Locus
from phenviz.results import contribution

LOCUS = Locus("20", 6_000, 6_120)


@pytest.fixture(scope="module")
def scan(toy_world):
    return mutagenesis(LOCUS, toy_world.reference, toy_world.backbone)


def test_the_strongest_bases_are_those_with_the_largest_contribution(scan, toy_world):
    table = strongest_bases(scan, "Mono", count=10)
    values = contribution(scan).sel(context="Mono").to_numpy()
    order = np.argsort(-np.abs(values))[:10]
    assert set(table["position"]) == {LOCUS.start + place + 1 for place in order}
    sequence = toy_world.reference.sequence(LOCUS)
    for row in table.itertuples():
        assert row.ref == sequence[row.position - 1 - LOCUS.start]
    assert (table["effect"].abs().diff().dropna() <= 1e-12).all()


def test_the_strongest_change_names_the_alternate_with_the_largest_effect(scan):
    row = strongest_bases(scan, "Ery", count=1).iloc[0]
    effects = scan["effect"].sel(context="Ery", position=row["position"]).to_numpy()
    best = "ACGT"[int(np.abs(effects).argmax())]
    assert row["strongest change"].startswith(f"{row['ref']}>{best} ")


def test_an_attribution_lists_its_bases_too(toy_world):
    target = Target(context="B")
    result = saliency(LOCUS, toy_world.reference, toy_world.backbone, target=target)
    table = strongest_bases(result, "Mono", count=5)
    assert len(table) == 5
    assert np.isclose(table["effect"].abs().max(), float(np.abs(result["attribution"]).max()))


def test_the_motif_with_the_smallest_p_value_stands_beside_a_base():
    bases = pd.DataFrame({"position": [11, 50], "motif": ["", ""]})
    hits = pd.DataFrame(
        {
            "start": [10, 8, 48],
            "end": [12, 14, 52],
            "motif": ["GATA1", "SPI1", "ELF3"],
            "p_value": [1e-6, 1e-3, 1e-2],
            "q_value": [1e-3, 0.2, 1.0],
        }
    )
    named = with_motifs(bases, hits)
    assert named["motif"].tolist() == ["GATA1 (q = 0.001)", "ELF3?"]
    assert careful_names(hits) == ["GATA1", "SPI1?", "ELF3?"]


def test_motifs_of_a_long_result_are_looked_for_round_its_strongest_base(scan):
    part = round_the_strongest(scan, "Mono", 40)
    best = strongest_bases(scan, "Mono", count=1)["position"].iloc[0]
    assert part.sizes["position"] == 40
    assert best in part["position"].to_numpy()
    assert round_the_strongest(scan, "Mono", 1_000).sizes["position"] == LOCUS.length
