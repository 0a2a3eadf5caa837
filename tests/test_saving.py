"""One table of what each kind of result can be saved as, read by everybody."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr

import phenviz
from phenviz.errors import ResultError
from phenviz.formats import FIGURE, FORMATS, menu_of, suffix_of, suffixes_of, writer_of
from phenviz.results import load
from phenviz.saving import format_kind
from tests.results.toys import make_attribution, make_mutagenesis, make_prediction

WHOLE = (".parquet", ".nc", ".zarr", ".bed", ".bw")


@pytest.fixture(scope="module", autouse=True)
def all_writers():
    for room in ("results", "figures", "disease"):
        importlib.import_module(f"phenviz.{room}")


@pytest.mark.parametrize(("kind", "suffix"), [(kind, suffix) for kind in FORMATS for suffix in FORMATS[kind]])
def test_every_entry_of_the_table_has_a_writer_and_words_of_its_own(kind, suffix):
    assert writer_of(kind, suffix) is not None or suffix in WHOLE
    assert FORMATS[kind][suffix] and list(FORMATS[kind].values()).count(FORMATS[kind][suffix]) == 1


@pytest.mark.parametrize("make", [make_prediction, make_mutagenesis, make_attribution])
@pytest.mark.parametrize("suffix", suffixes_of("prediction"))
def test_a_result_is_saved_as_whatever_its_row_holds(tmp_path, make, suffix):
    dataset = make()
    written = phenviz.save(dataset, tmp_path / f"result{suffix}")
    assert written and all(path.exists() for path in written)
    if suffix in (".nc", ".zarr", ".parquet"):
        assert load(written[0]).sizes == dataset.sizes
    if suffix == ".svg":
        assert written[0].read_bytes().startswith(b"<?xml")


def test_what_a_kind_cannot_be_is_refused_with_what_it_can_be(tmp_path):
    with pytest.raises(ResultError, match=r"has suffix '\.tsv': end its name with .*\.bw"):
        phenviz.save(make_prediction(), tmp_path / "x.tsv")
    with pytest.raises(ResultError, match=r"end its name with \.nc \.zarr \.parquet$"):
        phenviz.save(xr.Dataset({"number": ("row", np.arange(3))}), tmp_path / "x.svg")
    with pytest.raises(ResultError, match="has no suffix"):
        phenviz.save(make_prediction(), tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.tsv", ".tsv"), ("a.b.TSV.gz", ".tsv.gz"), ("a.gz", None), (".nc", None), ("tsv", None)],
)
def test_the_longest_known_suffix_counts(tmp_path, name, suffix):
    assert suffix_of(tmp_path / name, (".tsv", ".tsv.gz", ".nc")) == suffix


def test_the_menus_offer_what_the_table_holds_but_folders():
    from phenviz.app.disease import disease_exports
    from phenviz.app.individual import person_exports
    from phenviz.app.shell import exports
    from phenviz.app.variants import variant_exports

    assert exports.FIGURE_FORMATS | exports.DATA_FORMATS == menu_of("attribution")
    assert disease_exports.FORMATS == menu_of("hypotheses")
    assert variant_exports.FORMATS == menu_of("variant effects")
    assert menu_of("haplotypes").items() <= person_exports.FORMATS.items()
    for kind in FORMATS:
        assert ".zarr" not in menu_of(kind).values()
        assert set(menu_of(kind).values()) <= set(FORMATS[kind])


def test_the_kind_of_a_file_is_that_of_its_result():
    assert format_kind(make_prediction()) == "prediction"
    assert format_kind(make_mutagenesis()) == "mutagenesis"
    assert format_kind(make_prediction().expand_dims(haplotype=["1", "2"])) == "haplotypes"
    assert format_kind(xr.Dataset({"number": ("row", [1])})) == ""
    assert FIGURE.keys() < FORMATS["prediction"].keys()
