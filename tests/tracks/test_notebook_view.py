import numpy as np
import pytest

from phenviz.errors import ResultError
from phenviz.genome import Locus
from tests.tracks.toys import attribution, mutagenesis, prediction

# HoloViews asks other libraries for things that they have deprecated
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def view():
    from phenviz.tracks.notebook_view import view

    return view


def test_a_prediction_is_an_image_of_all_contexts(view):
    result = prediction()
    image = view(result)
    np.testing.assert_allclose(image.dimension_values("activity", flat=False)[::-1], result["activity"])
    assert image.range("position")[0] == pytest.approx(int(result["bin_start"][0]) + 0.5, abs=64)


def test_one_context_of_a_prediction_is_a_curve(view):
    result = prediction()
    np.testing.assert_allclose(
        view(result, "Mono").dimension_values(1), result["activity"].sel(context="Mono")
    )


def test_a_mutagenesis_is_an_image_symmetric_about_zero(view):
    import holoviews as hv

    image = view(mutagenesis(), "Mono")
    low, high = hv.Store.lookup_options("bokeh", image, "plot").kwargs["clim"]
    assert low == -high


def test_a_long_attribution_is_thinned_without_losing_its_strongest_base(view):
    result = attribution(Locus("20", 0, 200_000))
    result["attribution"][123_456] = 99.0
    curve = view(result)
    assert len(curve) <= 4_002
    assert curve.dimension_values(1).max() == 99


def test_an_unknown_context_is_refused(view):
    with pytest.raises(ResultError, match="Neuron"):
        view(prediction(), "Neuron")
