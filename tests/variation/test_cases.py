"""Inputs that were read wrongly once: `tests/cases/variants`, on the embedded genome."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.effects.annotate import annotate_vcf
from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.variation import open_individuals, read_variants
from phenviz.variation.normalise import normalise
from phenviz.variation.rsids import find_places, read_pasted
from phenviz.variation.table_file import iter_table

CASES = Path(__file__).parents[1] / "cases" / "variants"
LOCUS = Locus("20", 1_600_900, 1_601_300)


@pytest.fixture(autouse=True)
def own_cache_of_ids(tmp_path, monkeypatch, grch37):
    # the genome's codes stay where they are
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))


def _alleles(name, sample, reference):
    return open_individuals(CASES / name, reference).genotypes(LOCUS, [sample]).alleles[:, 0].tolist()


def test_a_sample_with_a_comma_has_its_own_genotypes(grch37):
    assert _alleles("comma3.vcf", "Smith,J", grch37) == [[1, 1]] * 4
    assert _alleles("comma3.vcf", "Smith", grch37) == [[0, 1], [1, 0], [0, 1], [1, 1]]
    assert _alleles("comma.vcf", "A,B", grch37) == [[0, 1], [1, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize("name", ["ps_Integer.vcf", "ps_String.vcf", "ps_undeclared.vcf"])
def test_two_phase_sets_are_two_whatever_their_type(grch37, name):
    person = open_individuals(CASES / name, grch37).individual("S1")
    with pytest.raises(DataError, match="heterozygotes of 2 phase sets"):
        person.haplotypes(LOCUS)
    assert person.haplotypes(LOCUS, unphased="as listed")[0].phasing.phase_sets == 2


def test_a_line_of_one_word_is_an_error_of_every_reader(grch37):
    path = CASES / "line_of_one_word.vcf"
    for read in (
        lambda: read_variants(path, grch37),
        lambda: open_individuals(path, grch37).genotypes(LOCUS),
    ):
        with pytest.raises(DataError, match=r"line 10: 1 column where the header has 10 \(it reads 'END'\)"):
            read()


def test_a_blank_line_is_called_one(grch37):
    with pytest.raises(DataError, match="line 8: the line is blank"):
        read_variants(CASES / "blank_line.vcf", grch37)


def test_phase_is_read_as_vcf_4_4_writes_it(grch37):
    person = open_individuals(CASES / "vcf44_phase.vcf", grch37).individual("S1")
    assert _alleles("vcf44_phase.vcf", "S1", grch37) == [[0, 1], [1, 0], [0, 1], [1, 1]]
    assert person.haplotypes(LOCUS)[0].phasing.certain


def test_bytes_that_are_not_utf_8_pass_through(grch37, tmp_path):
    def score(table):
        return xr.Dataset(
            {"effect": (("variant", "context"), np.zeros((len(table), 1)))},
            coords={"context": ["C"], "status": ("variant", ["scored"] * len(table))},
            attrs={"model": "m", "assembly": "a", "units": "u", "definition": "d"},
        )

    source, target = tmp_path / "latin1.vcf", tmp_path / "out.vcf"
    text = (CASES / "ps_Integer.vcf").read_bytes()
    source.write_bytes(text.replace(b"PASS\t.\t", b"PASS\tDIS=Sj\xf6gren\t", 1).replace(b"\n", b"\r\n"))
    annotate_vcf(source, target, grch37, score)
    before, after = (
        [line for line in path.read_bytes().splitlines() if not line.startswith(b"#")]
        for path in (source, target)
    )
    assert b"Sj\xf6gren" in after[0] and target.read_bytes().endswith(b"\r\n")
    assert [line.replace(b"PV_C=0", b".").replace(b";.", b"") for line in after] == before


def test_an_rsid_stands_for_all_alleles_of_all_its_records(grch37):
    path = CASES / "rsids.vcf"
    assert [place[3] for place in find_places(path, "rs100")] == ["C", "G"]
    alts = {name: read_pasted(name, [path], grch37).table["alt"].tolist() for name in ("rs100", "rs200")}
    assert alts == {"rs100": ["C", "G"], "rs200": ["A", "C"]}
    star = read_pasted("rs301", [path], grch37)
    assert star.table["alt"].tolist() == ["G"] and star.report.skipped == {"star": 1}
    assert "rs301, 20:1601185 C>*,G" in star.report.describe()
    for name, said in (("rs300", "<DEL>"), ("rs302", "without an alternate")):
        with pytest.raises(DataError, match=f"{name} stands for no allele that can be scored.*{said}"):
            read_pasted(name, [path], grch37)


def test_left_and_right_aligned_rows_of_a_table_are_the_variants_of_the_vcf(grch37):
    table = normalise(pd.concat(iter_table(CASES / "r.tsv", 10)), grch37)
    columns = ["contig", "position", "ref", "alt"]
    twice = table.sort_values([*columns, "id"])[columns].to_numpy().reshape(-1, 2, 4)
    assert (twice[:, 0] == twice[:, 1]).all()
    of_vcf = read_variants(CASES / "r.vcf", grch37).table.sort_values(columns)[columns]
    assert of_vcf.to_numpy().tolist() == twice[:, 0].tolist()


def test_a_hash_within_a_cell_is_no_comment():
    (table,) = iter_table(CASES / "hash_id.tsv", 10)
    assert table["id"].tolist() == ["lab#7", "v2"]


def test_swapped_alleles_are_called_swapped(grch37, tmp_path):
    for suffix in (".pgen", ".pvar", ".psam"):
        shutil.copy(CASES / f"swap{suffix}", tmp_path)
    with pytest.raises(DataError, match=r"REF and ALT swapped.*4 of 4 records.*every one of these ALT is"):
        open_individuals(tmp_path / "swap.pgen", grch37).genotypes(LOCUS)
    arguments = ["personal", str(tmp_path / "swap.pgen"), "--sample", "S1", "--locus", "20:1600901-1601300"]
    result = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "x.fa")])
    assert result.exit_code == 1 and "REF and ALT swapped" in result.stderr


def test_letters_for_several_bases_are_written_as_the_first_of_them(tmp_path):
    shutil.copy(CASES / "iupac.fa", tmp_path)
    reference = ReferenceGenome(tmp_path / "iupac.fa", assembly="toy", cache_dir=tmp_path)
    found = read_variants(CASES / "iupac_ref.vcf", reference)
    assert len(found) == 17 and not found.report.skipped
    told = found.report.describe()
    letters = [reference.letters("20", position - 1, position) for position in found.table["position"]]
    odd = [letter for letter in letters if letter not in "ACGT"]
    assert f"{len(odd)} record" in told and all(f"where it has {letter}" in told for letter in odd[:3])
    person = open_individuals(CASES / "iupac_ref.vcf", reference).individual("S1")
    first, second = person.haplotypes(Locus("20", 5_000, 6_200))
    assert len(second.applied) == 17 and first.sequence.count("N") == len(odd)
    # another base than the first is another reference
    other = tmp_path / "other.vcf"
    lines = (CASES / "iupac_ref.vcf").read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line[:1] != "#")
    row = letters.index(odd[0])
    fields = lines[place + row].split("\t")
    fields[3] = next(base for base in "TGCA" if base not in (fields[3], fields[4]))
    lines[place + row] = "\t".join(fields)
    other.write_text("\n".join(lines) + "\n")
    report = read_variants(other, reference).report
    assert report.skipped == {"reference_mismatch": 1} and f"toy has {odd[0]}" in report.describe()
