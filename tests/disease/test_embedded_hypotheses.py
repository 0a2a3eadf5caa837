"""The tests of real traits that the package brings along."""

from dataclasses import replace

import numpy as np
import pytest

from phenviz.app.disease.disease_state import DEFAULT_METHODS, DiseaseState
from phenviz.disease import embedded_hypotheses as module
from phenviz.disease import methods_paragraph
from phenviz.disease.embedded_hypotheses import embedded_hypotheses, made_from
from phenviz.disease.methods import RECOMMENDED
from phenviz.world import World, open_world


def test_they_are_those_of_the_embedded_model_and_of_what_the_page_begins_with():
    # after another backbone was embedded: python scripts/build_embedded_hypotheses.py
    world = open_world()
    found = embedded_hypotheses(world)
    assert found is not None and found.attrs["made_from"] == made_from()
    assert found.attrs["model_hash"] == world.backbone.weights_hash
    assert set(found["method"].values.tolist()) == {RECOMMENDED, *DEFAULT_METHODS}
    assert found.attrs["permutations"] == int(DiseaseState().permutations)
    p = found["p_value"].values
    assert np.isfinite(p).all() and ((p > 0) & (p <= 1)).all()
    assert found.attrs["source"] == "data pack ukbb-blood-finemap"
    assert f"{found.attrs['permutations']:,} times" in methods_paragraph(found)


def test_they_are_not_shown_for_another_world_nor_after_anything_has_changed(monkeypatch):
    world = open_world()
    assert embedded_hypotheses(World(replace(world.project, name="another"))) is None
    assert embedded_hypotheses(World(replace(world.project, individuals=()))) is None
    monkeypatch.setattr(module, "made_from", lambda: "otherwise")
    assert embedded_hypotheses(world) is None


@pytest.mark.parametrize("part", ["BACKBONE", "GENES", "ELEMENTS", "INDIVIDUALS"])
def test_their_hash_changes_with_each_part(monkeypatch, tmp_path, part):
    before = made_from()
    other = tmp_path / "other"
    other.write_bytes(b"other")
    monkeypatch.setattr(module, part, other)
    assert made_from() != before
