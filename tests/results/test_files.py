import subprocess
import sys

import numpy as np
import pandas as pd
import pybigtools
import pytest
import xarray as xr

from phenviz.errors import ResultError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.results import check_suffix, contribution, load, reference_bases, save, tidy

from .toys import make_attribution, make_mutagenesis, make_prediction

MAKERS = [make_prediction, make_mutagenesis, make_attribution]


def make_variant_effects() -> xr.Dataset:
    rng = np.random.default_rng(3)
    return xr.Dataset(
        {
            "effect": (("variant", "context"), rng.normal(size=(5, 2)).astype(np.float32)),
            "quantile": (("variant", "context"), rng.uniform(-1, 1, (5, 2))),
        },
        coords={
            "contig": ("variant", ["20"] * 5),
            "position": ("variant", [10, 20, 30, 40, 50]),
            "ref": ("variant", list("ACGTA")),
            "alt": ("variant", ["C", "GTT", "A", "A", "T"]),
            "context": ("context", ["HSC", "Ery"]),
        },
        attrs={"assembly": "GRCh37", "definition": "log2", "samples": ["NA1"], "threshold": 0.01},
    )


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
@pytest.mark.parametrize("make", [*MAKERS, make_variant_effects])
def test_a_result_comes_back_the_same(tmp_path, make, suffix):
    dataset = make()
    dataset.attrs["alleles"] = ["A"]
    (written,) = save(dataset, tmp_path / f"result{suffix}")
    loaded = load(written)
    xr.testing.assert_identical(loaded, dataset)
    assert {name: variable.dtype for name, variable in loaded.variables.items()} == {
        name: variable.dtype for name, variable in dataset.variables.items()
    }
    assert {type(value) for value in loaded.attrs.values()} <= {str, int, float, list}


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet", ".bed", ".bw"])
def test_saving_again_replaces_and_leaves_nothing_aside(tmp_path, suffix):
    path = tmp_path / f"result{suffix}"
    save(make_attribution(seed=1), path)
    save(make_attribution(seed=2), path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    if suffix in (".nc", ".zarr", ".parquet"):
        xr.testing.assert_identical(load(path), make_attribution(seed=2))


def test_a_failed_save_keeps_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "result.parquet"
    save(make_attribution(), path)

    def break_off(dataset, part, progress):
        part.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr("phenviz.results.files.write_parquet", break_off)
    with pytest.raises(ResultError, match="no space left"):
        save(make_attribution(seed=9), path)
    xr.testing.assert_identical(load(path), make_attribution())
    assert len(list(tmp_path.iterdir())) == 1


def test_parquet_written_in_pieces_comes_back_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("phenviz.results.table._ROWS_AT_ONCE", 50)
    dataset = make_mutagenesis()
    (path,) = save(dataset, tmp_path / "result.parquet")
    xr.testing.assert_identical(load(path), dataset)


def test_pandas_reads_the_parquet_as_the_tidy_table(tmp_path):
    dataset = make_prediction()
    (path,) = save(dataset, tmp_path / "result.parquet")
    frame, table = pd.read_parquet(path), tidy(dataset)
    assert list(frame.columns) == list(table.columns)
    assert frame.astype(str).equals(table.astype(str))


def test_a_tidy_row_holds_its_own_value():
    dataset = make_mutagenesis()
    table = tidy(dataset)
    assert list(table.columns[:3]) == ["contig", "start", "end"]
    for row in table.sample(50, random_state=0).itertuples():
        chosen = dataset.sel(position=row.start + 1, allele=row.allele, context=row.context)
        np.testing.assert_equal(row.effect, chosen["effect"].item())
        assert row.reference == chosen["reference"].item()
        assert row.end == row.start + 1 == row.position
        assert row.curie == chosen["curie"].item()


def test_tidy_bins_end_where_the_next_begins():
    table = tidy(make_prediction()).query("context == 'Ery'")
    assert (table["end"].to_numpy()[:-1] == table["start"].to_numpy()[1:]).all()


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(ResultError, match=r"'.csv'.*\.nc \.zarr \.parquet \.bed \.bw"):
        check_suffix(tmp_path / "result.csv")
    with pytest.raises(ResultError, match=r"no suffix"):
        save(make_prediction(), tmp_path / "result")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ResultError, match="nowhere"):
        save(make_prediction(), tmp_path / "nowhere" / "result.nc")


def test_suffixes_may_be_given_in_any_case(tmp_path):
    assert check_suffix(tmp_path / "Figure.SVG", (".svg", ".pdf")) == ".svg"


@pytest.mark.parametrize("inside", [{}, {"notes.txt": "precious"}, {"zarr.json": '{"attributes": {"a": 1}}'}])
def test_a_folder_that_phenviz_did_not_write_is_never_replaced(tmp_path, inside):
    path = tmp_path / "project.zarr"
    path.mkdir()
    for name, text in inside.items():
        (path / name).write_text(text)
    for ask in (check_suffix, lambda path: save(make_prediction(), path)):
        with pytest.raises(ResultError, match=r"project\.zarr is a folder that PhenViz didn't write"):
            ask(path)
    assert {file.name: file.read_text() for file in path.iterdir()} == inside


def test_a_store_of_a_table_without_attributes_of_ours_is_replaced_too(tmp_path):
    for seed in (1, 2):
        save(xr.Dataset({"a": ("x", [seed])}), tmp_path / "table.zarr")
    xr.testing.assert_identical(load(tmp_path / "table.zarr"), xr.Dataset({"a": ("x", [2])}))


@pytest.mark.parametrize("name", ["x.nc", "x.parquet", "x.bw", "x.svg"])
def test_a_folder_named_like_a_file_is_refused_before_anything_is_computed(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ResultError, match="is a folder: choose another name"):
        check_suffix(tmp_path / name, (".nc", ".parquet", ".bw", ".svg"))


def test_a_file_named_like_a_store_is_refused(tmp_path):
    (tmp_path / "x.zarr").write_text("precious")
    with pytest.raises(ResultError, match="is a file"):
        check_suffix(tmp_path / "x.zarr")


@pytest.mark.parametrize("tile_bytes", [2_000, 2**25])
def test_xarray_opens_a_store_without_a_warning(tmp_path, monkeypatch, tile_bytes):
    monkeypatch.setattr("phenviz.results.long_results.TILE_BYTES", tile_bytes)
    (path,) = save(make_mutagenesis(), tmp_path / "result.zarr")
    with xr.open_zarr(path, consolidated=True) as opened:
        assert opened.sizes == make_mutagenesis().sizes


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ResultError, match=r"gone\.nc"):
        load(tmp_path / "gone.nc")


@pytest.mark.parametrize("suffix", [".nc", ".parquet"])
def test_a_damaged_file_is_named(tmp_path, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(b"not a result")
    with pytest.raises(ResultError, match="damaged"):
        load(path)


def test_a_file_is_not_called_damaged_where_a_library_fails(tmp_path, monkeypatch):
    (path,) = save(make_prediction(), tmp_path / "x.nc")

    def half(*_words, **_how):
        raise ImportError("cannot import name 'half' from 'a_package'")

    monkeypatch.setattr(xr, "open_dataset", half)
    with pytest.raises(ImportError, match="half"):
        load(path)


def test_what_datasets_import_is_imported_before_there_are_threads():
    code = (
        "import sys; from phenviz.results.threads import import_for_threads as ready; import xarray\n"
        "assert 'dask.base' not in sys.modules; ready(); assert 'dask.base' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_foreign_parquet_is_refused(tmp_path):
    path = tmp_path / "foreign.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(ResultError, match="didn't write"):
        load(path)


def test_a_filtered_parquet_is_refused(tmp_path):
    import pyarrow.parquet as pq

    (path,) = save(make_prediction(), tmp_path / "result.parquet")
    pq.write_table(pq.read_table(path).slice(0, 2), path)
    with pytest.raises(ResultError, match="rows were removed"):
        load(path)


def test_bed_is_not_read_back(tmp_path):
    with pytest.raises(ResultError, match="can't be read back"):
        load(tmp_path / "result.bed")


def bed_lines(path):
    text = path.read_text()
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def test_bed_of_a_prediction_has_a_line_a_bin_and_context(tmp_path):
    dataset = make_prediction()
    (path,) = save(dataset, tmp_path / "result.bed")
    lines = bed_lines(path)
    assert len(lines) == dataset["activity"].size
    chrom, start, end, context, score, strand, value = lines[4]
    assert (chrom, context, strand) == ("chr20", "GMP-A", ".")
    assert (int(start), int(end)) == (dataset["bin_start"][1], dataset["bin_start"][1] + 128)
    expected = dataset["activity"].sel(context="GMP-A").isel(bin=1).item()
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert int(score) == round(1000 * expected / dataset["activity"].max().item())


def test_bed_says_how_its_numbers_were_made(tmp_path):
    (path,) = save(make_mutagenesis(), tmp_path / "result.bed")
    head = path.read_text().split("chr20\t")[0]
    assert "log2(1 + sum ALT)" in head and "toy@01234567" in head and "GRCh37" in head


def test_bed_of_a_mutagenesis_names_the_strongest_alternate(tmp_path):
    dataset = make_mutagenesis()
    (path,) = save(dataset, tmp_path / "result.bed")
    lines = bed_lines(path)
    known = int((reference_bases(dataset) != "N").sum())
    assert len(lines) == known * dataset.sizes["context"]
    for _chrom, start, end, name, _score, _strand, effect, ref, alt in lines[::37]:
        context, change = name.split(":")
        at = dataset.sel(position=int(start) + 1, context=context)
        assert int(end) == int(start) + 1
        assert change == f"{ref}>{alt}" and ref == at["reference"].item()
        strongest = at["effect"].isel(allele=int(np.abs(at["effect"].values).argmax()))
        assert alt == strongest["allele"].item()
        assert float(effect) == pytest.approx(strongest.item(), rel=1e-5)


def test_bed_written_in_pieces_is_the_same(tmp_path, monkeypatch):
    (whole,) = save(make_mutagenesis(), tmp_path / "whole.bed")
    monkeypatch.setattr("phenviz.results.intervals._LINES_AT_ONCE", 7)
    (pieces,) = save(make_mutagenesis(), tmp_path / "pieces.bed")
    assert whole.read_text() == pieces.read_text()


def test_bed_is_for_results_along_the_genome(tmp_path):
    with pytest.raises(ResultError, match="variant effects"):
        save(make_variant_effects(), tmp_path / "result.bed")


def read_bigwig(path, start, end):
    with pybigtools.open(str(path)) as file:
        assert file.chroms() == {"chr20": 63_025_520}
        return list(file.records("chr20", start, end))


def test_a_prediction_becomes_one_bigwig_a_context(tmp_path):
    dataset = make_prediction()
    paths = save(dataset, tmp_path / "foo.bw")
    assert [path.name for path in paths] == ["foo.HSC.bw", "foo.GMP-A.bw", "foo.Ery.bw"]
    begin, end = int(dataset["bin_start"][0]), int(dataset["bin_start"][-1]) + 128
    records = read_bigwig(paths[2], begin, end)
    np.testing.assert_array_equal([record[0] for record in records], dataset["bin_start"])
    assert all(record[1] - record[0] == 128 for record in records)
    np.testing.assert_allclose(
        [record[2] for record in records], dataset["activity"].sel(context="Ery"), rtol=1e-6
    )


def test_a_mutagenesis_becomes_contributions_and_skips_n(tmp_path):
    dataset = make_mutagenesis()
    paths = save(dataset, tmp_path / "foo.bw")
    records = read_bigwig(paths[0], dataset.attrs["start"], dataset.attrs["end"])
    known = reference_bases(dataset) != "N"
    np.testing.assert_array_equal([record[1] for record in records], dataset["position"].values[known])
    expected = contribution(dataset).sel(context="HSC").values[known]
    np.testing.assert_allclose([record[2] for record in records], expected, rtol=1e-6)


def test_the_last_bin_ends_with_the_contig(tmp_path):
    dataset = make_prediction(Locus("20", 63_025_000, 63_025_520))
    paths = save(dataset, tmp_path / "foo.bw")
    assert read_bigwig(paths[0], 63_025_000, 63_025_520)[-1][1] == 63_025_520
    (bed,) = save(dataset, tmp_path / "foo.bed")
    assert int(bed_lines(bed)[-1][2]) == 63_025_520


def test_a_bigwig_needs_the_length_of_the_contig(tmp_path):
    dataset = make_attribution()
    del dataset.attrs["contig_length"]
    with pytest.raises(ResultError, match="contig_length"):
        save(dataset, tmp_path / "foo.bw")
    assert not list(tmp_path.iterdir())


def long_mutagenesis(monkeypatch) -> xr.Dataset:
    """Make a result of several tiles."""
    monkeypatch.setattr("phenviz.results.long_results.TILE_BYTES", 5_000)
    return make_mutagenesis()


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
@pytest.mark.parametrize("make", MAKERS)
def test_a_result_written_in_tiles_comes_back_the_same(tmp_path, monkeypatch, make, suffix):
    monkeypatch.setattr("phenviz.results.long_results.TILE_BYTES", 2_000)
    (written,) = save(make(), tmp_path / f"result{suffix}")
    loaded = load(written)
    xr.testing.assert_identical(loaded, make())
    assert {name: variable.dtype for name, variable in loaded.variables.items()} == {
        name: variable.dtype for name, variable in make().variables.items()
    }


@pytest.mark.parametrize("make", MAKERS)
def test_lines_and_bigwigs_written_in_tiles_are_the_same(tmp_path, monkeypatch, make):
    whole = [
        path.read_bytes() for suffix in (".bed", ".bw") for path in save(make(), tmp_path / f"a{suffix}")
    ]
    monkeypatch.setattr("phenviz.results.long_results.TILE_BYTES", 200)
    parts = [
        path.read_bytes() for suffix in (".bed", ".bw") for path in save(make(), tmp_path / f"b{suffix}")
    ]
    assert whole == parts


def test_writing_in_tiles_leaves_the_arrays_of_the_result_unread(tmp_path, monkeypatch):
    dataset = long_mutagenesis(monkeypatch)
    path = save(dataset, tmp_path / "first.nc")[0]
    with xr.open_dataset(path, engine="h5netcdf", cache=False) as opened:
        save(opened.assign(reference=dataset["reference"]), tmp_path / "second.zarr")
        assert not opened["effect"].variable._in_memory


def test_progress_of_a_long_save_ends_at_one(tmp_path, monkeypatch):
    for suffix in (".nc", ".zarr", ".parquet", ".bed", ".bw"):
        seen = []
        progress = Progress(on_change=lambda stage, fraction, seen=seen: seen.append(fraction))
        save(long_mutagenesis(monkeypatch), tmp_path / f"out{suffix}", progress=progress)
        assert seen[-1] == pytest.approx(1)


_ON_A_FULL_DISK = """
import resource, sys
import numpy as np, xarray as xr
from phenviz.errors import ResultError
from phenviz.results import long_results, save
from phenviz.service import ResultStore

values = np.random.default_rng(0).random(100_000, dtype=np.float32)
dataset = xr.Dataset({"attribution": ("position", values)}, {"position": np.arange(100_000)}, {"kind": 1})
long_results.TILE_BYTES = int(sys.argv[2])
store = ResultStore(sys.argv[1] + "/store", limit=10**9)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for allowed in (0, 500, 3_000, 100_000, 300_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, hard))
    try:
        save(dataset, sys.argv[1] + "/a.nc")
    except ResultError as error:
        kept = store.put("ab" * 32, dataset)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print("free some room" in str(error), kept, flush=True)
"""


@pytest.mark.parametrize("tile_bytes", [20_000, 2**25])
def test_a_full_disk_is_an_error_with_a_fix_and_fails_no_computation(tmp_path, tile_bytes):
    pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    # in a process of its own, as HDF5 crashes the one in which it can't close a file
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path), str(tile_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split("\n")[:-1]) == (0, ["True False"] * 5), done.stderr
    assert not list(tmp_path.rglob("*.nc"))
