"""Tables of measured expression: what is recognised, and what is refused in words."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from phenviz.data.expression_table import offer_names, read_expression_table, read_names
from phenviz.data.measured_expression import on_a_common_scale, read_measured_pack
from phenviz.errors import DataError
from phenviz.world import open_world

_SAMPLES = [f"HG{number:05}" for number in range(30)]
_GENES = ["ITPA", "UBOX5", "ENSG00000088888.7"]


@pytest.fixture(scope="module")
def annotation():
    return open_world().annotation


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).normal(5, 1, (len(_SAMPLES), len(_GENES))).round(4)


def written(values, tmp_path, how):
    table = pd.DataFrame(values, index=_SAMPLES, columns=_GENES)
    path = tmp_path / "table.tsv"
    if how == "people in rows":
        table.to_csv(path, sep="\t", index_label="sample")
    elif how == "genes in rows":
        table.T.to_csv(path, sep="\t", index_label="gene")
    elif how == "commas":
        table.to_csv(path, index_label="IID")
    elif how == "blanks, no name over the rows":
        rows = zip(_SAMPLES, values, strict=True)
        lines = [" ".join(_GENES), *(f"{name} {' '.join(map(str, row))}" for name, row in rows)]
        path.write_text("\n".join(lines) + "\n")
    elif how == "with a family, a population and a sex":
        table.insert(0, "FID", "1")
        table.insert(1, "population", ["GBR"] * 15 + ["FIN"] * 15)
        table.insert(2, "sex", "female")
        table.to_csv(path, sep="\t", index_label="IID")
    elif how == "bed of genes":
        turned = table.T.reset_index(names="gene_id")
        turned.insert(0, "#chr", "chr20")
        turned.insert(1, "start", 3_000_000)
        turned.to_csv(path, sep="\t", index=False)
    elif how == "parquet":
        path = path.with_suffix(".parquet")
        table.to_parquet(path)
    return path


@pytest.mark.parametrize(
    "how",
    [
        "people in rows",
        "genes in rows",
        "commas",
        "blanks, no name over the rows",
        "with a family, a population and a sex",
        "bed of genes",
        "parquet",
    ],
)
def test_people_and_genes_are_recognised_in_either_orientation(how, values, annotation, tmp_path):
    found = read_expression_table(written(values, tmp_path, how), _SAMPLES, annotation)
    assert list(found.people) == _SAMPLES
    places = [found.genes.index(name) for name in ("ITPA", "UBOX5", "MAVS")]
    np.testing.assert_allclose(found.values[:, places], values)
    assert set(found.populations) == ({"GBR", "FIN"} if "population" in how else {""})


def test_people_without_genotypes_and_names_that_are_no_genes_are_told(values, annotation, tmp_path):
    table = pd.DataFrame(values, index=_SAMPLES, columns=["ITPA", "nonsense", "MAVS:exon 3"])
    table.to_csv(tmp_path / "t.tsv", sep="\t")
    found = read_expression_table(tmp_path / "t.tsv", _SAMPLES[:25], annotation)
    assert list(found.people) == _SAMPLES[:25]
    assert found.features == ("expression", "expression", "exon 3") and found.genes[2] == "MAVS"
    assert any("1 of 3 names are no genes" in note for note in found.notes)


def test_what_is_missing_stays_missing_and_what_is_no_number_is_named(values, annotation, tmp_path):
    table = pd.DataFrame(values, index=_SAMPLES, columns=["ITPA", "UBOX5", "MAVS"]).astype(object)
    table.loc["HG00003", "UBOX5"] = "NA"
    table.to_csv(tmp_path / "t.tsv", sep="\t")
    found = read_expression_table(tmp_path / "t.tsv", _SAMPLES, annotation)
    assert np.isnan(found.values[3, 1]) and np.isfinite(found.values).sum() == 89
    table.loc["HG00004", "UBOX5"] = "5,2"
    table.to_csv(tmp_path / "t.tsv", sep="\t")
    with pytest.raises(DataError, match=r"'5,2' of HG00004 in UBOX5 is no number"):
        read_expression_table(tmp_path / "t.tsv", _SAMPLES, annotation)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "can't be read"),
        ("sample\tITPA\n", "0 rows"),
        ("sample\tITPA\nKurt\t1\nAnna\t2\n", "names nobody whose genotypes are known"),
        ("sample\tNONE1\nHG00001\t1\nHG00002\t2\n", "is a gene of this world"),
        ("sample\tITPA\nHG00001\t1\nHG00001\t2\n", "HG00001 more than once"),
        ("sample\tITPA\nHG00001\tinf\nHG00002\t2\n", "is infinite"),
        ("what\tHG00001\tHG00002\nNONE1\t1\t2\n", "no column names genes"),
    ],
)
def test_a_table_that_can_t_be_used_is_refused_with_the_reason(text, said, annotation, tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read_expression_table(path, _SAMPLES, annotation)
    assert "table.tsv" in str(caught.value)


def test_names_written_otherwise_are_offered_and_taken(values, annotation, tmp_path):
    other = [f"hg-{name[2:]}.rep1" for name in _SAMPLES]
    pd.DataFrame(values, index=other, columns=_GENES).to_csv(tmp_path / "t.tsv", sep="\t")
    with pytest.raises(DataError, match="names nobody"):
        read_expression_table(tmp_path / "t.tsv", _SAMPLES, annotation)
    bare = [f"{name}_lymphoblastoid.bam" for name in _SAMPLES]
    pd.DataFrame(values, index=bare, columns=_GENES).to_csv(tmp_path / "t.tsv", sep="\t")
    offered = offer_names(tmp_path / "t.tsv", _SAMPLES)
    assert offered == dict(zip(bare, _SAMPLES, strict=True))
    lines = "".join(f"{one}\t{two}\n" for one, two in offered.items())
    (tmp_path / "names.tsv").write_text(lines)
    names = read_names(tmp_path / "names.tsv")
    found = read_expression_table(tmp_path / "t.tsv", _SAMPLES, annotation, names=names)
    assert list(found.people) == _SAMPLES
    (tmp_path / "names.tsv").write_text("one two three\n")
    with pytest.raises(DataError, match=r"names.tsv, line 1"):
        read_names(tmp_path / "names.tsv")


def test_counts_become_logarithms_per_million_and_logarithms_stay():
    random = np.random.default_rng(0)
    counts = random.poisson(50, (6, 2_000)).astype(float)
    scaled, library, units = on_a_common_scale(counts)
    np.testing.assert_allclose(scaled, np.log2(1 + counts / counts.sum(1, keepdims=True) * 1e6))
    np.testing.assert_allclose(library, np.log10(counts.sum(1)))
    assert units == "log2(1 + counts per million)"
    for given in (random.normal(size=(6, 5)), random.uniform(0, 14, (6, 5))):
        assert on_a_common_scale(given)[0] is given
    per_million = random.uniform(0, 900, (6, 5))
    np.testing.assert_allclose(on_a_common_scale(per_million)[0], np.log2(1 + per_million))


@pytest.mark.packs
@pytest.mark.parametrize(("pack", "people"), [("geuvadis-junctions", 267), ("lcl-rnaseq-counts", 60)])
def test_packs_hold_who_they_say(pack, people, pack_mirror, monkeypatch):
    monkeypatch.setenv("PHENVIZ_MIRROR", str(pack_mirror))
    found = read_measured_pack(pack)
    assert len(found.people) == people == len(set(found.people)) and found.about
    assert found.values.shape == (people, len(found.genes)) and np.isfinite(found.library).all()


def test_another_pack_is_refused_with_those_that_fit():
    with pytest.raises(DataError, match="geuvadis-junctions, lcl-rnaseq-counts"):
        read_measured_pack("blood16-rna")


def test_a_damaged_table_is_read_or_refused_in_words(values, annotation, tmp_path):
    whole = written(values, tmp_path, "people in rows").read_bytes()
    random = np.random.default_rng(0)
    for suffix, content in ((".tsv", whole), (".tsv.gz", gzip.compress(whole, mtime=0))):
        for number in range(40):
            damaged = bytearray(content)
            for place in random.integers(0, len(damaged), 1 + number % 5):
                damaged[place] = int(random.integers(0, 256))
            if number % 4 == 0:
                damaged = damaged[: int(random.integers(0, len(damaged)))]
            path = tmp_path / f"damaged{suffix}"
            path.write_bytes(bytes(damaged))
            try:
                found = read_expression_table(path, _SAMPLES, annotation)
            except DataError as error:
                assert path.name in str(error)
            else:
                assert found.values.shape == (len(found.people), len(found.genes))
