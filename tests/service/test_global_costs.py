"""What jobs with a global model cost: quantiles only when asked for, and estimates that count windows."""

from __future__ import annotations

import pytest

from phenviz.models.compute_cost import EMBEDDED_OPERATIONS, relative_cost
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.phenformer_toys import GlobalToy
from tests.toys import toy_project


@pytest.fixture
def worlds(tmp_path):
    project = toy_project(tmp_path)
    write_people(tmp_path / "people.vcf", open_world(project).reference, 3, count=30)
    with project.open("a") as text:
        text.write("individuals: [people.vcf]\n")
    local, whole = open_world(project), open_world(project)
    whole.__dict__["backbone"] = GlobalToy(local.backbone, window=4_096).eval()
    return local, whole


def one_variant(world):
    base = world.reference.fetch_codes("20", 6_049, 6_050)[0]
    return f"20:6050 {'ACGT'[base]}>{'ACGT'[(base + 1) % 4]}"


def service_of(world, tmp_path, name):
    return ModelService(world, "cpu", store=tmp_path / name, costs=tmp_path / f"{name}.json")


def test_a_global_model_ranks_no_effect_unless_asked(worlds, tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    local, whole = worlds
    with service_of(local, tmp_path, "local") as service:
        assert "quantile" in service.variant_effects(one_variant(local))
        assert "quantile" not in service.variant_effects(one_variant(local), quantiles=False)
    with service_of(whole, tmp_path, "whole") as service:
        assert "quantile" not in service.variant_effects(one_variant(whole))
        assert "quantile" in service.variant_effects(one_variant(whole), quantiles=True)


@pytest.mark.parametrize("number", [0, 1])
def test_the_background_is_part_of_the_estimate_until_it_is_kept(worlds, tmp_path, monkeypatch, number):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    world = worlds[number]
    with service_of(world, tmp_path, "s") as service:
        how = {"variants": one_variant(world)}
        plain = service.estimate("variant_effects", **how, quantiles=False).seconds
        ranked = service.estimate("variant_effects", **how, quantiles=True).seconds
        assert ranked > 50 * plain
        service.variant_effects(**how, quantiles=True)
    base = world.reference.fetch_codes("20", 6_052, 6_053)[0]
    other = f"20:6053 {'ACGT'[base]}>{'ACGT'[(base + 1) % 4]}"
    with service_of(world, tmp_path, "another") as service:
        asked = [
            service.estimate("variant_effects", variants=other, quantiles=q).seconds for q in (False, True)
        ]
        assert asked[0] == pytest.approx(asked[1])


def test_coarse_to_fine_counts_whole_windows(worlds, tmp_path):
    _, whole = worlds
    how = {"locus": "20:6,001-6,064", "context": "Ery", "window": 8, "n_windows": 2}
    with service_of(whole, tmp_path, "s") as service:
        found = service.estimate("mutagenesis_coarse", **how).seconds
        # a gradient of one window, and one window for each of 3 * 16 mutants
        assert found == pytest.approx((3 + 48) * 4_096 / 1e6 + 0.05, rel=0.01)


def test_a_larger_network_costs_more_before_it_ever_ran(worlds):
    local, whole = worlds
    assert relative_cost(local.backbone) == relative_cost(whole.backbone) == 1.0
    embedded = open_world().backbone
    assert relative_cost(embedded) == pytest.approx(1.0, rel=0.01)

    class Tenfold(GlobalToy):
        def encode(self, one_hot):
            return sum(self.inner.encode(one_hot) for _ in range(10)) / 10

    wide = Tenfold(embedded, window=65_536).eval()
    # without the margins that a local one computes beside its tile
    assert relative_cost(wide) == pytest.approx(10, rel=0.1)
    assert EMBEDDED_OPERATIONS > 0
