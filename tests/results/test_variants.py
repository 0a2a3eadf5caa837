from __future__ import annotations

import builtins

import numpy as np
import pytest
import xarray as xr

from phenviz.errors import ResultError
from phenviz.results import context_coords, kind_of, load, save, tidy, validate
from phenviz.results.anndata import write_anndata
from phenviz.results.schema import text_array
from tests.toys import CONTEXTS

ATTRS = {
    "assembly": "toy1", "contig": "20, 21", "start": 0, "end": 9, "model": "tiny", "definition": "d",
    "units": "log2 fold change", "phenviz_version": "0",
}  # fmt: skip


def effects(count: int, long: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(count)
    ref = ["ACGT"[i % 4] for i in range(count)]
    if count:
        ref[-1] = "A" * long
    values = rng.normal(size=(count, len(CONTEXTS))).astype(np.float32)
    values[:1] = np.nan
    return xr.Dataset(
        {"effect": (("variant", "context"), values), "active": (("variant", "context"), values + 1)},
        coords={
            "contig": ("variant", text_array("20" if i % 2 else "21" for i in range(count))),
            "position": ("variant", np.arange(count) + 1),
            "ref": ("variant", text_array(ref)),
            "alt": ("variant", text_array("G" for _ in ref)),
            "id": ("variant", text_array(f"rs{i}" if i % 3 else "" for i in range(count))),
            **context_coords(CONTEXTS),
        },
        attrs=ATTRS,
    )


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
@pytest.mark.parametrize(("count", "long"), [(1, 1), (7, 5), (300, 40_000)])
def test_effects_of_variants_come_back_as_they_were_saved(tmp_path, suffix, count, long):
    dataset = effects(count, long)
    (path,) = save(dataset, tmp_path / f"effects{suffix}")
    xr.testing.assert_identical(load(path), dataset)


def test_effects_of_variants_are_a_kind_with_rows_of_their_own_contigs(tmp_path):
    dataset = effects(4)
    assert kind_of(dataset) == validate(dataset) == "variant effects"
    rows = tidy(dataset)
    assert len(rows) == 4 * len(CONTEXTS)
    assert rows["position"].iloc[0] == 1 and set(rows["contig"]) == {"20", "21"}
    with pytest.raises(ResultError, match="misses the coordinate 'alt'"):
        validate(dataset.drop_vars("alt"))


@pytest.mark.parametrize("suffix", [".bed", ".bw"])
def test_effects_of_variants_are_refused_as_tracks_in_words(tmp_path, suffix):
    with pytest.raises(ResultError, match="no track"):
        save(effects(3), tmp_path / f"effects{suffix}")


def test_one_long_allele_does_not_widen_thousands():
    texts = text_array(["A"] * 50_000 + ["C" * 100_000])
    assert texts.dtype == object and texts[-1] == "C" * 100_000
    assert text_array(["A", "CC"]).dtype == np.dtype("<U2")


def test_anndata_holds_variants_by_contexts(tmp_path):
    anndata = pytest.importorskip("anndata")
    dataset = effects(5)
    write_anndata(dataset, tmp_path / "effects.h5ad")
    back = anndata.read_h5ad(tmp_path / "effects.h5ad")
    np.testing.assert_array_equal(back.X, dataset["effect"])
    np.testing.assert_array_equal(back.layers["active"], dataset["active"])
    assert back.var_names.tolist() == [context.name for context in CONTEXTS]
    assert back.obs["position"].tolist() == [1, 2, 3, 4, 5] and back.uns["model"] == "tiny"


def test_a_missing_anndata_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    importing = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "anndata":
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ResultError, match=r"pip install 'phenviz\[anndata\]'"):
        write_anndata(effects(2), tmp_path / "effects.h5ad")
