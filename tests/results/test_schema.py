from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from phenviz.errors import ResultError
from phenviz.genome.locus import Locus
from phenviz.results import (
    contribution,
    kind_of,
    locus_of,
    merge_tiles,
    reference_bases,
    result_attrs,
    save,
    validate,
)
from phenviz.results.schema import places

from .toys import make_attribution, make_mutagenesis, make_prediction

BACKBONE = SimpleNamespace(name="blood16", weights_hash="0123456789abcdef", bin_size=128)
REFERENCE = SimpleNamespace(assembly="GRCh37", contigs={"20": 63_025_520})


def test_attributes_name_the_model_by_its_hash():
    attrs = result_attrs(Locus("20", 10, 20), BACKBONE, REFERENCE, definition="sum", units="a.u.")
    assert attrs["model"] == "blood16@01234567"
    assert attrs["model_hash"] == "0123456789abcdef"
    assert attrs["contig_length"] == 63_025_520


def test_attributes_are_only_what_netcdf_holds():
    attrs = result_attrs(
        Locus("20", np.int64(10), 20), definition="d", units="u",
        quick=True, absent=None, steps=np.float32(2), names=("a", "b"), odd={"a": 1},
    )  # fmt: skip
    assert "absent" not in attrs
    assert {type(value) for value in attrs.values()} <= {str, int, float, list}
    assert attrs["quick"] == 1 and attrs["names"] == ["a", "b"]


@pytest.mark.parametrize("make", [make_prediction, make_mutagenesis, make_attribution])
def test_a_complete_result_is_valid_and_knows_its_kind(make):
    dataset = make()
    assert validate(dataset) == kind_of(dataset) == make.__name__.removeprefix("make_")


def test_a_missing_attribute_is_named():
    dataset = make_prediction()
    del dataset.attrs["units"]
    with pytest.raises(ResultError, match="'units'"):
        validate(dataset)


def test_a_missing_variable_is_named():
    with pytest.raises(ResultError, match="'reference'"):
        validate(make_mutagenesis().drop_vars("reference"))


def test_a_missing_coordinate_is_named():
    with pytest.raises(ResultError, match="'bin_start'"):
        validate(make_prediction().drop_vars("bin_start"))


def test_a_foreign_dataset_is_refused():
    with pytest.raises(ResultError, match="'rain'"):
        validate(xr.Dataset({"rain": ("day", [1.0])}))


def test_the_locus_comes_back():
    assert locus_of(make_prediction(Locus("20", 1_000, 2_000))) == Locus("20", 1_000, 2_000)


def test_reference_codes_read_as_letters():
    dataset = make_mutagenesis()
    codes = dataset.assign(reference=("position", ["ACGTN".index(base) for base in reference_bases(dataset)]))
    np.testing.assert_array_equal(reference_bases(codes), reference_bases(dataset))


def test_contribution_is_minus_the_mean_of_three_alternates():
    dataset = make_mutagenesis()
    position = 5
    base = reference_bases(dataset)[position]
    others = [allele for allele in "ACGT" if allele != base]
    expected = -dataset["effect"].isel(position=position).sel(allele=others).mean("allele")
    np.testing.assert_allclose(contribution(dataset).isel(position=position), expected, rtol=1e-6)


@pytest.mark.parametrize("make", [make_prediction, make_mutagenesis, make_attribution])
def test_merged_tiles_equal_the_whole(make):
    whole = make(Locus("20", 1_280, 3_840))
    dim, (starts, _) = "bin" if make is make_prediction else "position", places(whole)
    tiles = []
    for start, end in ((1_280, 2_560), (2_560, 3_840)):
        tile = whole.isel({dim: np.flatnonzero((starts >= start) & (starts < end))})
        tile.attrs = whole.attrs | {"start": start, "end": end}
        tiles.append(tile)
    xr.testing.assert_identical(merge_tiles(tiles[::-1]), whole)


def test_tiles_with_a_gap_are_refused():
    tiles = [make_prediction(Locus("20", 0, 1_280)), make_prediction(Locus("20", 2_560, 3_840))]
    with pytest.raises(ResultError, match="leave a gap"):
        merge_tiles(tiles)


def test_tiles_of_different_models_are_refused():
    left, right = make_prediction(Locus("20", 0, 1_280)), make_prediction(Locus("20", 1_280, 2_560))
    right.attrs["model"] = "other@00000000"
    with pytest.raises(ResultError, match="'model'"):
        merge_tiles([left, right])


def test_an_attribute_of_one_tile_only_is_left_out_of_the_whole():
    left, right = make_attribution(Locus("20", 0, 100)), make_attribution(Locus("20", 100, 200))
    left.attrs["convergence_delta"], right.attrs["convergence_delta"] = 0.1, 0.2
    assert "convergence_delta" not in merge_tiles([left, right]).attrs


def test_expression_of_genes_is_a_kind_with_or_without_individuals():
    values = np.zeros((2, 3, 1, 1), dtype=np.float32)
    attrs = result_attrs(Locus("20", 10, 20), BACKBONE, REFERENCE, definition="d", units="ln(1 + CPM)")
    whole = xr.Dataset(
        {"expression": (("individual", "haplotype", "gene", "context"), values)},
        coords={
            "individual": ["ann", "bob"], "haplotype": ["reference", "1", "2"], "gene": ["G"],
            "context": ["B"],
        },
        attrs=attrs,
    )  # fmt: skip
    one = whole.isel(individual=0, haplotype=0, drop=True)
    assert validate(whole) == validate(one) == kind_of(one) == "gene expression"
    with pytest.raises(ResultError, match="gene expression misses the coordinate 'gene'"):
        validate(one.drop_vars("gene"))
    with pytest.raises(ResultError, match=r"no track, save it as \.parquet"):
        save(whole, "expression.bed")
