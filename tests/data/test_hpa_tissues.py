from __future__ import annotations

import re
from itertools import pairwise

import pytest

from phenviz.data.hpa_tissues import BLOOD_CELLS, HPA_CONTEXTS, TISSUES, read_hpa
from phenviz.data.tissues import REPORTERS, SITES22


def test_tissues_have_distinct_names_and_terms_and_stand_by_organ_system():
    for field in ("name", "label", "curie"):
        values = [getattr(context, field) for context in HPA_CONTEXTS]
        assert len(set(values)) == len(values)
    assert all(re.fullmatch(r"(UBERON|CL):\d{7}", context.curie) for context in HPA_CONTEXTS)
    groups = [context.group for context in HPA_CONTEXTS]
    changes = sum(a != b for a, b in pairwise(groups))
    assert changes == len(set(groups)) - 1
    assert len({context.colour for context in HPA_CONTEXTS}) == len(set(groups))


def test_contexts_beside_blood_have_groups_colours_and_units():
    contexts = (*SITES22, *REPORTERS)
    assert len({context.name for context in contexts}) == 24
    assert len({context.colour for context in contexts}) == 24
    assert {"brain", "gut", "stem cells", "reporter"} <= {context.group for context in contexts}
    assert {context.unit for context in SITES22} == {""}
    assert {context.unit for context in REPORTERS} == {"RNA/DNA"}


@pytest.mark.packs
def test_the_pack_holds_every_tissue(pack_mirror, monkeypatch):
    monkeypatch.setenv("PHENVIZ_MIRROR", str(pack_mirror))
    table = read_hpa()
    assert list(table.columns) == [context.name for context in (*TISSUES, *BLOOD_CELLS)]
    assert len(table) > 17_000 and table.index.str.startswith("ENSG").all()
    assert (table >= 0).all(axis=None)
    assert table.index.is_unique
    # what everyone knows: albumin is made in the liver, CD19 by B cells
    assert table.loc["ENSG00000163631"].idxmax() == "liver"
    assert "B_cell" in table.loc["ENSG00000177455"].idxmax()
