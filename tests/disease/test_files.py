"""Hypotheses that were tested elsewhere: read back whole, and refused where they don't fit."""

from __future__ import annotations

import numpy as np
import pytest

import phenviz
from phenviz.disease.files import gene_table, read_hypotheses
from phenviz.errors import ResultError
from phenviz.genome import Context
from phenviz.world import open_world
from tests.disease.people_toys import people_result
from tests.toys import CONTEXTS, toy_project

GENES = ("GENEA", "GENEB", "GENEC")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return open_world(toy_project(tmp_path_factory.mktemp("world")))


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
def test_what_was_written_elsewhere_is_read_back_with_its_genes(world, tmp_path, suffix):
    made = people_result(CONTEXTS, GENES)
    phenviz.save(made, tmp_path / f"h{suffix}")
    found = read_hypotheses(tmp_path / f"h{suffix}", world)
    np.testing.assert_array_equal(found["p_value"], made["p_value"])
    assert found.attrs["source"] == made.attrs["source"] and found.attrs["simulated"]
    genes, own = gene_table(found), gene_table(made)
    assert genes is not None and own is not None
    keys = ["trait", "gene", "context"]
    one, other = (table.sort_values(keys, ignore_index=True) for table in (genes, own))
    assert one[keys].equals(other[keys])
    np.testing.assert_allclose(one["z"], other["z"])


def test_a_parquet_file_without_its_genes_is_read_without_and_with_damaged_ones_refused(world, tmp_path):
    path = tmp_path / "h.parquet"
    phenviz.save(people_result(CONTEXTS, GENES), path)
    (tmp_path / "h.genes.parquet").write_bytes(b"damaged")
    with pytest.raises(ResultError, match=r"h.genes.parquet, with the genes of h.parquet, is damaged"):
        read_hypotheses(path, world)
    (tmp_path / "h.genes.parquet").unlink()
    assert gene_table(read_hypotheses(path, world)) is None


def other_contexts():
    return [Context(f"tissue{n}", f"tissue {n}", "", "", "#8a949e") for n in range(3)]


def test_hypotheses_of_another_assembly_or_of_other_contexts_are_refused_with_the_cause(world, tmp_path):
    path = tmp_path / "h.nc"
    phenviz.save(people_result(CONTEXTS, GENES, assembly="GRCh38"), path)
    with pytest.raises(ResultError, match=r"h.nc was tested on GRCh38, and world 'toy' is of toy1"):
        read_hypotheses(path, world)
    assert read_hypotheses(path).attrs["assembly"] == "GRCh38"
    phenviz.save(people_result(other_contexts(), GENES), path)
    said = r"tested by phenformer-toy@12345678 in tissue0, tissue1, tissue2 ..., none of which is a context"
    with pytest.raises(ResultError, match=said):
        read_hypotheses(path, world)
    # one that the world knows is enough
    phenviz.save(people_result([*other_contexts(), CONTEXTS[0]], GENES), path)
    assert read_hypotheses(path, world).sizes["context"] == 4


def test_damaged_files_other_results_and_those_that_lack_a_part_are_refused(world, tmp_path):
    path = tmp_path / "h.nc"
    path.write_bytes(b"no result")
    with pytest.raises(ResultError, match="damaged or no result file"):
        read_hypotheses(path, world)
    made = people_result(CONTEXTS, GENES)
    phenviz.save(made.drop_vars("z"), path)
    with pytest.raises(ResultError, match="holds no hypotheses: give what"):
        read_hypotheses(path, world)
    phenviz.save(made.drop_vars(["interval_low", "method_label"]), path)
    with pytest.raises(ResultError, match="lacks interval_low, method_label, which hypotheses have"):
        read_hypotheses(path, world)
    phenviz.save(made.assign(p_value=made["p_value"] * np.nan), path)
    with pytest.raises(ResultError, match="nothing was tested in"):
        read_hypotheses(path, world)
