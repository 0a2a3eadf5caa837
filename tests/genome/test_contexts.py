from __future__ import annotations

import pytest

from phenviz.data.blood16 import BLOOD16
from phenviz.errors import TargetError
from phenviz.genome.contexts import choose_contexts, refuse_several


def names(*asked):
    places = choose_contexts(BLOOD16, asked, lambda word: f"nobody is {word}")
    return [BLOOD16[place].name for place in places]


def test_contexts_are_found_by_any_of_their_words_in_the_order_asked_for_each_once():
    assert names("mono", "CL:0000764", "monocyte", BLOOD16[0]) == ["Mono", "Ery", "HSC"]


def test_a_term_or_a_group_may_stand_for_several():
    assert names("CL:0000557") == ["GMP-A", "GMP-B", "GMP-C"]
    assert names("lymphoid", "NK") == ["B", "CD4", "CD8", "NK"]


def test_what_fits_nothing_or_asks_for_nothing_is_refused():
    with pytest.raises(TargetError, match="nobody is Liver"):
        names("Mono", "Liver")
    with pytest.raises(TargetError, match="no context was chosen"):
        names()


def test_several_are_refused_where_one_is_meant():
    refuse_several(["B"], "B")
    with pytest.raises(TargetError, match="'lymphoid' fits several contexts"):
        refuse_several(["B", "CD4"], "lymphoid")
