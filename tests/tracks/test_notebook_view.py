import numpy as np
import pytest
import xarray as xr

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


def cells(drawn):
    """Return the number drawn in each cell, by the names of its column and row."""
    import holoviews as hv

    source = hv.render(drawn).renderers[0].data_source.data
    names = [name for name in source if name != "zvalues"]
    return dict(zip(zip(source[names[0]], source[names[1]], strict=True), source["zvalues"], strict=True))


def table(variable, rows, values):
    names = ["Ery", "B", "Mono"]
    return xr.Dataset(
        {variable: ((rows, "context"), values)},
        coords={"context": names, "context_label": ("context", names)},
    )


def test_effects_of_variants_stand_under_their_own_names(view):
    values = np.arange(6.0).reshape(2, 3) - 2
    where = {"contig": ["20", "20"], "position": [300, 20], "ref": ["G", "A"], "alt": ["A", "T"]}
    effects = table("effect", "variant", values).assign_coords(
        {name: ("variant", column) for name, column in where.items()}
    )
    found = cells(view(effects))
    assert found["Ery", "chr20:300 G>A"] == -2 and found["Mono", "chr20:20 A>T"] == 3
    assert found["B", "chr20:300 G>A"] == -1 and len(found) == 6
    assert set(cells(view(effects, "B"))) == {("B", "chr20:300 G>A"), ("B", "chr20:20 A>T")}


def test_expression_stands_under_its_own_gene_and_haplotype(view):
    values = np.arange(6.0).reshape(2, 3)
    of_genes = table("expression", "gene", values).assign_coords(gene=["ZETA", "ALPHA"])
    found = cells(view(of_genes))
    assert found["Ery", "ZETA"] == 0 and found["Mono", "ALPHA"] == 5 and found["B", "ZETA"] == 1
    both = of_genes.expand_dims(haplotype=["reference", "1"])
    assert cells(view(both))["Mono", "1 ALPHA"] == 5


def test_hypotheses_are_shown_as_strengths(view):
    values = np.array([[[0.1], [0.01], [1.0]]])
    dims = ("trait", "context", "method")
    found = xr.Dataset(
        {"p_value": (dims, values), "z": (dims, values)},
        coords={"trait": ["MCV"], "context": ["Ery", "B", "Mono"], "method": ["variant"]},
    )
    drawn = cells(view(found))
    assert drawn["B", "MCV"] == pytest.approx(2) and drawn["Ery", "MCV"] == pytest.approx(1)


def test_haplotypes_are_one_curve_each(view):
    result = prediction()
    both = xr.concat([result, 2 * result], "haplotype").assign_coords(haplotype=["1", "2"])
    drawn = view(both.assign_attrs(result.attrs), "Mono")
    curves = {curve.label: curve.dimension_values(1) for curve in drawn}
    np.testing.assert_allclose(curves["2"], 2 * result["activity"].sel(context="Mono"))
    assert list(curves) == ["1", "2"]


def test_the_top_of_the_package_shows_and_saves(tmp_path, view):
    import phenviz

    assert phenviz.view is view
    assert phenviz.save(prediction(), tmp_path / "a.nc") == (tmp_path / "a.nc",)


def test_effects_on_expression_stand_under_their_variant_and_gene(view):
    values = np.arange(6.0).reshape(2, 3) - 2
    where = {"contig": ["20", "20"], "position": [300, 300], "ref": ["G", "G"], "alt": ["A", "A"]}
    found = table("expression_effect", "pair", values).assign_coords(
        {name: ("pair", column) for name, column in (where | {"gene": ["ZETA", "ALPHA"]}).items()}
    )
    drawn = cells(view(found))
    assert drawn["Ery", "chr20:300 G>A, ZETA"] == -2 and drawn["Mono", "chr20:300 G>A, ALPHA"] == 3
