"""The store of gene tokens: half precision with a stated error, and nothing read that isn't finished."""

import numpy as np
import pytest

from phenviz.errors import DataError, ModelError
from phenviz.results.tokens import HALF_ERROR, TokenStore
from tests.phenformer_toys import toy_phenformer

SAMPLES, GENES = [f"s{number}" for number in range(7)], ["A", "B", "C"]
FEATURES = [f"f{number}" for number in range(5)]


def made(path, *, pair=False, seed=0, write=True):
    rng = np.random.default_rng(seed)
    shape = (7, 2, 3, 5) if pair else (7, 3, 5)
    # people differ by far less than half precision has digits for a token
    difference = rng.normal(size=shape) * 10.0 ** rng.integers(-9, 3, (3, 5))
    reference = rng.uniform(1, 2, (3, 5))
    store = TokenStore.create(
        path, samples=SAMPLES, genes=GENES, features=FEATURES, pair=pair, attrs={"cohort": "x"}
    )
    if write:
        for start in (0, 2):
            genes = [0, 1] if start == 0 else [2]
            store.write(genes, difference[..., genes, :], reference[genes])
    return difference, reference


@pytest.mark.parametrize("pair", [False, True])
def test_no_difference_is_further_off_than_is_stated(tmp_path, pair):
    difference, reference = made(tmp_path / "t.zarr", pair=pair)
    tokens = TokenStore(tmp_path / "t.zarr").read()
    found = tokens.difference.astype(np.float64) * tokens.scale
    largest = np.abs(difference).max(axis=tuple(range(difference.ndim - 2)))
    # below the smallest normal number of half precision, the error is that of the largest
    allowed = np.maximum(np.abs(difference) * HALF_ERROR, largest * 2.0**-24)
    assert (np.abs(found - difference) <= allowed * 1.001 + 1e-30).all()
    np.testing.assert_allclose(tokens.reference, reference, rtol=1e-6)
    sums = difference.sum(axis=1) if pair else difference
    np.testing.assert_allclose(tokens.sums(), sums, rtol=5e-3, atol=1e-3 * largest.max())
    np.testing.assert_allclose(tokens.apart().sum(axis=1), tokens.sums(), rtol=1e-5, atol=1e-30)


def test_people_are_found_by_name_in_any_order(tmp_path):
    made(tmp_path / "t.zarr")
    store = TokenStore(tmp_path / "t.zarr")
    whole, some = store.read(), store.read(["s5", "s1"])
    np.testing.assert_array_equal(some.difference, whole.difference[[5, 1]])
    with pytest.raises(DataError, match="no tokens of 'x'"):
        store.read(["s1", "x"])


def test_an_unfinished_store_is_refused(tmp_path):
    made(tmp_path / "t.zarr", write=False)
    with pytest.raises(DataError, match="lacks the tokens of 3 of 3 genes"):
        TokenStore(tmp_path / "t.zarr")
    assert not TokenStore(tmp_path / "t.zarr", unfinished=True).done.any()
    with pytest.raises(DataError, match="holds no gene tokens"):
        TokenStore(tmp_path / "none")


def test_another_model_s_tokens_are_refused(tmp_path):
    made(tmp_path / "t.zarr")
    with pytest.raises(ModelError, match="made for other genes"):
        TokenStore(tmp_path / "t.zarr").check(toy_phenformer())
