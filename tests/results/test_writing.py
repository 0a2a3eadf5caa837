"""Files are written beside their target and looked at first; plain readers read them."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pybigtools
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from phenviz.errors import ResultError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus, exported_contig, shown_contig
from phenviz.results import contribution, load, reference_bases, save
from phenviz.results.bigwig import written_bigwigs
from phenviz.results.intervals import file_name
from phenviz.results.variants import variants_file
from phenviz.results.writing import write_content, write_table

from .test_variants import effects
from .toys import make_attribution, make_mutagenesis, make_prediction

SUFFIXES = [".nc", ".zarr", ".parquet", ".bed", ".bw"]
MAKERS = [make_prediction, make_mutagenesis, make_attribution]
SEEDS = range(12)

_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from phenviz.errors import ResultError
from phenviz.genome.locus import Locus
from phenviz.results import save
from phenviz.results.variants import variants_file
from tests.results.test_variants import effects
from tests.results.toys import make_attribution

path = Path(sys.argv[1])
table = any(path.name.endswith(suffix) for suffix in (".tsv", ".tsv.gz", "table.parquet", ".h5ad"))

def write():
    if table:
        with variants_file(path, lambda parts: parts[0]) as append:
            append(effects(3_000))
    else:
        save(make_attribution(Locus("20", 42_984_160, 42_996_160)), path)

def content():
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(file.name, file.read_bytes()) for file in files if file.is_file()]

write()
before, said = content(), []
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for allowed in (0, 100, 1_000, 5_000, 20_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, hard))
    try:
        write()
    except ResultError as error:
        said.append("free some room" in str(error) and path.name in str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(said, content() == before, len(list(path.parent.iterdir())))
"""


@pytest.mark.parametrize(
    "name", [*(f"out{suffix}" for suffix in SUFFIXES), "v.tsv", "v.tsv.gz", "table.parquet", "v.h5ad"]
)
def test_a_full_disk_is_one_error_and_the_older_file_stays(tmp_path, name):
    pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    if name.endswith(".h5ad"):
        pytest.importorskip("anndata")
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{[True] * 5} True 1\n", "")


_FULL_FOR_PYBIGTOOLS = """
import resource, sys
from pathlib import Path
from phenviz.results.bigwig import written_bigwigs

folder, allowed = Path(sys.argv[1]), int(sys.argv[2])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, hard))
try:
    files = [(folder / "column", folder / "a.bw")]
    list(written_bigwigs(folder / "starts", files, contig="20", length=10**6, step=1))
except OSError as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(error.strerror)
"""


@pytest.mark.parametrize("allowed", [0, 100, 50_000, 190_000])
def test_what_pybigtools_hides_of_a_full_disk_is_told(tmp_path, allowed):
    pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    np.arange(50_000).tofile(tmp_path / "starts")
    np.random.default_rng(0).random(50_000, dtype=np.float32).tofile(tmp_path / "column")
    command = [sys.executable, "-c", _FULL_FOR_PYBIGTOOLS, str(tmp_path), str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "File too large\n", "")


def test_what_else_pybigtools_says_is_an_error_too(tmp_path):
    np.array([5, 3]).tofile(tmp_path / "starts")
    np.ones(2, np.float32).tofile(tmp_path / "column")
    files = [(tmp_path / "column", tmp_path / "a.bw")]
    with pytest.raises(ResultError, match="overlapping values"):
        list(written_bigwigs(tmp_path / "starts", files, contig="20", length=100, step=1))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("lost", [1, 7])
def test_a_file_with_fewer_entries_than_meant_never_takes_the_place_of_another(
    tmp_path, monkeypatch, suffix, lost
):
    path = tmp_path / f"out{suffix}"
    save(make_attribution(), path)
    before = sorted(
        file.read_bytes() for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()
    )
    counted = "phenviz.results.writing.count_entries"
    from phenviz.results.counting import count_entries

    monkeypatch.setattr(counted, lambda part, name: count_entries(part, name) - lost)
    with pytest.raises(ResultError, match=r"wasn't written whole \(\d+ entries instead of \d+\)"):
        save(make_attribution(seed=3), path)
    after = sorted(
        file.read_bytes() for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()
    )
    assert after == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("order", [[0, 2, 1], [0, 1, 1], [2, 1, 0]])
def test_places_out_of_order_or_given_twice_are_refused(tmp_path, suffix, make, order):
    dataset = make()
    dim = "bin" if make is make_prediction else "position"
    with pytest.raises(ResultError, match="in ascending order"):
        save(dataset.isel({dim: order}), tmp_path / f"out{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".bed", ".bw"])
def test_places_beyond_the_contig_are_refused(tmp_path, suffix):
    for change in (-make_attribution().attrs["start"] - 2, 10**9):
        dataset = make_attribution()
        dataset["position"] = dataset["position"] + change
        with pytest.raises(ResultError, match="from 1 to 63,025,520"):
            save(dataset, tmp_path / f"out{suffix}")


def random_locus(seed: int) -> Locus:
    start, length = np.random.default_rng(seed).integers([0, 1], [60_000_000, 700])
    return Locus("20", int(start), int(start + length))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_plain_xarray_picks_bases_by_letter_and_position(tmp_path, suffix, seed):
    dataset = make_mutagenesis(random_locus(seed), seed=seed)
    (path,) = save(dataset, tmp_path / f"out{suffix}")
    with xr.open_dataset(path, engine="h5netcdf" if suffix == ".nc" else "zarr") as opened:
        for allele in "ACGT":
            for position in dataset["position"].values[::97]:
                chosen = {"allele": allele, "position": position, "context": "Ery"}
                np.testing.assert_equal(
                    opened["effect"].sel(chosen).item(), dataset["effect"].sel(chosen).item()
                )
        assert "".join(opened["reference"].values) == "".join(dataset["reference"].values)
        assert opened["position"].values[0] == dataset.attrs["start"] + 1
        assert (
            "1-based" in opened["position"].attrs["long_name"]
            and "0-based" in opened.attrs["coordinate_convention"]
        )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", MAKERS)
def test_plain_pandas_reads_the_numbers_and_what_they_are(tmp_path, make, seed):
    dataset = make(random_locus(seed), seed=seed).assign_attrs(
        simulated=1, converged=0, sample="NA1", n_steps=3, convergence_delta=0.2
    )
    (path,) = save(dataset, tmp_path / "out.parquet")
    frame, name = pd.read_parquet(path), next(iter(dataset.data_vars))
    np.testing.assert_array_equal(frame[name], dataset[name].values.ravel())
    if "position" in frame:
        assert (frame["position"] == frame["start"] + 1).all() and (frame["end"] == frame["start"] + 1).all()
    else:
        assert (frame["start"] == np.tile(dataset["bin_start"], dataset.sizes["context"])).all()
    assert frame.attrs == {key: value for key, value in dataset.attrs.items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", MAKERS)
def test_bigwig_and_bed_hold_each_number_at_its_place(tmp_path, make, seed):
    dataset = make(random_locus(seed), seed=seed)
    names = dataset["context"].values.tolist() if "context" in dataset.dims else [""]
    paths = save(dataset, tmp_path / "out.bw")
    for name, path in zip(names, paths, strict=True):
        one = dataset.sel(context=name) if name else dataset
        values = one["activity"] if "activity" in one else one.get("attribution")
        values = contribution(dataset).sel(context=name) if values is None else values
        step = 128 if "bin" in one.dims else 1
        starts = one["bin_start"].values if "bin" in one.dims else one["position"].values - 1
        expected = [
            (start, start + step, value)
            for start, value in zip(starts.tolist(), values.values.tolist(), strict=True)
            if np.isfinite(value)
        ]
        with pybigtools.open(str(path)) as file:
            assert [tuple(record) for record in file.records("chr20")] == expected
    (bed,) = save(dataset, tmp_path / "out.bed")
    table = pd.read_csv(bed, sep="\t", comment="#", header=None)
    assert table[0].eq("chr20").all()
    known = set(starts[reference_bases(dataset) != "N"]) if "reference" in dataset else set(starts)
    assert set(table[1]) == known and (table[2] - table[1]).eq(step).all()


def test_text_files_say_all_that_their_result_says(tmp_path):
    dataset = make_attribution().assign_attrs(
        simulated=1, sample="NA1", haplotype="1", converged=0, convergence_delta=-0.25
    )
    (path,) = save(dataset, tmp_path / "out.bed")
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for told in ("simulated: 1", "sample: NA1", "haplotype: 1", "converged: 0", "target: Ery activity"):
        assert f"# {told}" in head
    assert any(line.startswith("# warning: not converged in 32 steps") and "-0.25" in line for line in head)


def test_a_table_of_several_parts_says_only_what_holds_for_all(tmp_path):
    first, second = effects(4), effects(6)
    first.attrs = first.attrs | {"contig": "20", "start": 5, "end": 9, "skipped": "1 unknown contig"}
    second.attrs = second.attrs | {"contig": "20", "start": 1, "end": 30}
    with variants_file(tmp_path / "out.parquet", lambda parts: parts[0]) as append:
        append(first)
        append(second)
    loaded = load(tmp_path / "out.parquet")
    assert loaded.sizes["variant"] == 10 and "skipped" not in loaded.attrs
    assert (loaded.attrs["contig"], loaded.attrs["start"], loaded.attrs["end"]) == ("20", 1, 30)


def test_line_breaks_and_hashes_inside_a_table_are_counted_as_text(tmp_path):
    table = pd.DataFrame({"id": ["a\nb", "#c", 'd"e', ""], "value": range(4)})
    write_table(tmp_path / "out.tsv", table, ["two", "comments"])
    back = pd.read_csv(tmp_path / "out.tsv", sep="\t", skiprows=2, keep_default_na=False)
    assert back.equals(table.astype(back.dtypes))
    write_table(tmp_path / "none.tsv", table.iloc[:0])
    assert (tmp_path / "none.tsv").read_text() == "id\tvalue\n"


def test_content_that_is_cut_short_is_told(tmp_path, monkeypatch):
    (tmp_path / "a.svg").write_text("older")
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda self, content: self.write_text("half") and None)
    with pytest.raises(ResultError, match="4 entries instead of 9"):
        write_content(tmp_path / "a.svg", b"the whole")
    assert (tmp_path / "a.svg").read_text() == "older"


def test_files_of_an_older_version_are_read_as_letters_and_from_one(tmp_path):
    dataset = make_mutagenesis()
    older = dataset.drop_attrs().assign_attrs(
        {name: value for name, value in dataset.attrs.items() if name != "coordinate_convention"}
    )
    older["position"] = older["position"] - 1
    flags = {"flag_values": np.arange(5, dtype=np.uint8), "flag_meanings": "A C G T N"}
    codes = np.array(["ACGTN".index(letter) for letter in dataset["reference"].values], dtype=np.uint8)
    older["reference"] = ("position", codes, flags)
    older["allele"] = ("allele", np.arange(4, dtype=np.uint8), flags)
    older.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    xr.testing.assert_equal(load(tmp_path / "old.nc"), dataset)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=30, unique=True))
def test_names_of_files_are_distinct_and_stay_in_their_folder(names):
    found = [file_name(name) for name in names]
    assert len(set(found)) == len(names)
    assert not any(set('/\\:*?"<>| \0\n') & set(name) for name in found)


def test_contexts_that_differ_by_a_sign_get_files_of_their_own(tmp_path):
    contexts = [Context(name, name, "CL:0", "g", "#000000") for name in ("GMP A", "GMP/A", "GMP_A", "GMP-A")]
    paths = save(make_prediction(contexts=contexts), tmp_path / "out.bw")
    assert len(set(paths)) == 4 and {path.parent for path in paths} == {tmp_path}


@pytest.mark.parametrize(
    ("name", "assembly", "exported", "shown"),
    [
        ("20", "GRCh37", "chr20", "chr20"), ("X", "hg38", "chrX", "chrX"),
        ("chr20", "GRCh38", "chr20", "chr20"), ("KI270711.1", "GRCh38", "KI270711.1", "KI270711.1"),
        ("20", "toy1", "20", "chr20"), ("1", "TAIR10", "1", "chr1"), ("MT", "GRCh37", "MT", "MT"),
        ("scaffold_12", "toy1", "scaffold_12", "scaffold_12"),
        ("chrM", "hg38", "chrM", "chrM"), ("2L", "dm6", "2L", "2L"), ("III", "R64", "III", "III"),
    ],
)  # fmt: skip
def test_contigs_keep_the_names_of_the_fasta(tmp_path, name, assembly, exported, shown):
    assert (exported_contig(name, assembly), shown_contig(name)) == (exported, shown)
    dataset = make_prediction(Locus("20", 1_000, 2_000)).assign_attrs(contig=name, assembly=assembly)
    (bed,) = save(dataset, tmp_path / "out.bed")
    assert {line.split("\t")[0] for line in bed.read_text().splitlines() if line[0] != "#"} == {exported}
    for path in save(dataset, tmp_path / "out.bw"):
        with pybigtools.open(str(path)) as file:
            assert list(file.chroms()) == [exported]
    assert f"of {shown}:1,001-2,000" in bed.read_text()
