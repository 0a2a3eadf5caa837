from __future__ import annotations

import numpy as np
import pytest

from phenviz.genome import Locus
from phenviz.models.predict import predict
from phenviz.results import load, save
from phenviz.results.overview import OVERVIEW_BINS
from phenviz.service import ModelService
from phenviz.service.job_params import gapped
from tests.toys import GAP

POINT = OVERVIEW_BINS * 128


@pytest.mark.parametrize("seed", range(4))
def test_an_overview_summarises_what_predict_says_of_each_bin(toy_world, tmp_path, monkeypatch, seed):
    monkeypatch.setattr("phenviz.service.overview._CHUNK", POINT)
    rng = np.random.default_rng(seed)
    length = toy_world.reference.contigs["20"]
    start, end = sorted(rng.integers(0, length, 2).tolist())
    with ModelService(toy_world, "cpu", store=tmp_path, costs=tmp_path / "costs.json") as service:
        found = service.overview(Locus("20", start, end + 1))
    first, last = start // POINT * POINT, min((end // POINT + 1) * POINT, length)
    bins = predict(Locus("20", first, last), gapped(toy_world), toy_world.backbone)["activity"].values
    gap = [(GAP[0] <= at and min(at + POINT, length) <= GAP[1]) for at in range(first, last, POINT)]
    chunks = [bins[:, at : at + OVERVIEW_BINS] for at in range(0, bins.shape[1], OVERVIEW_BINS)]
    assert found["bin_start"].values.tolist() == list(range(first, last, POINT))
    for name, summary in (("activity", np.mean), ("minimum", np.min), ("maximum", np.max)):
        slow = np.array([summary(chunk, axis=1) * (not of) for chunk, of in zip(chunks, gap, strict=True)]).T
        np.testing.assert_allclose(found[name].values, slow, rtol=1e-4, atol=1e-5)


def test_an_overview_is_kept_chunk_by_chunk_and_is_a_prediction_that_can_be_saved(toy_world, tmp_path):
    length = toy_world.reference.contigs["20"]
    with ModelService(toy_world, "cpu", store=tmp_path, costs=tmp_path / "costs.json") as service:
        found = service.overview(Locus("20", 0, length))
    with ModelService(toy_world, "cpu", store=tmp_path, costs=tmp_path / "costs.json") as service:
        assert service.estimate("overview", locus=Locus("20", 0, length)).stored == 1
        np.testing.assert_array_equal(service.overview(Locus("20", 0, length))["activity"], found["activity"])
    save(found, tmp_path / "overview.nc")
    np.testing.assert_array_equal(load(tmp_path / "overview.nc")["maximum"], found["maximum"])
