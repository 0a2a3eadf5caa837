"""Genotypes of chosen samples, compared with splitting every line at its tabs and colons."""

from __future__ import annotations

import numpy as np
import pytest

from phenviz.errors import DataError
from phenviz.genome import Locus, decode
from phenviz.variation import open_individuals
from phenviz.variation.phase_sets import phase_set_number
from phenviz.variation.vcf import VcfSource
from tests.variation.oracles import COLUMNS, bgzip, needs_bcftools, run

NAMES = ["Smith", "Smith,J", "^Smith", "A B", "calls.vcf", "0", "-", "é", "S1;S2", "*"]
FORMS = ["GT", "GT:PS", "GT:AD:PSL", "GT:PS:PSL", "DP:GT:PS", "DP", "GT:DP"]
CALLS = ["0|1", "1|0", "0/1", "1|1", ".|1", "./.", ".", "1", "0|2", "|0|1", "/1|0", "|1", "0/.", "10|3"]
HEAD = "##fileformat=VCFv4.4\n##contig=<ID=20>\n"


def slow_call(call: str) -> tuple[int, int, bool]:
    """Read one call letter by letter."""
    alleles = [-1 if one == "." else int(one) for one in call.replace("|", "/").strip("/").split("/")]
    if len(alleles) == 1:
        alleles.append(-1 if alleles[0] == -1 else -2)
    return alleles[0], alleles[1], "/" not in call


def random_lines(rng: np.random.Generator, samples: int, count: int) -> list[list[str]]:
    lines = []
    for number in range(count):
        form = str(rng.choice(FORMS))
        calls = []
        for _ in range(samples):
            values = {
                "GT": rng.choice(CALLS), "PS": rng.choice([".", "5", "a,b", "0", "99999999999999999999"]),
                "PSL": rng.choice([".,.", "x,y", "x,."]), "AD": "3,4", "DP": str(rng.integers(9)),
            }  # fmt: skip
            fields = [str(values[key]) for key in form.split(":")]
            # what is missing at the end may be left out
            calls.append(":".join(fields[: int(rng.integers(1, len(fields) + 1))]))
        alternates = ",".join("ACGT"[place % 4] * (place + 2) for place in range(10))
        lines.append(["20", str(number + 5), ".", "A", alternates, ".", ".", ".", form, *calls])
    return lines


@pytest.mark.parametrize("seed", range(6))
def test_genotypes_are_those_of_the_columns_of_the_chosen_samples(tmp_path, seed):
    rng = np.random.default_rng(seed)
    lines = random_lines(rng, len(NAMES), 60)
    path = tmp_path / "calls.vcf"
    header = HEAD + "\t".join([COLUMNS, "FORMAT", *NAMES]) + "\n"
    path.write_text(header + "".join("\t".join(line) + "\n" for line in lines))
    source = VcfSource(path)
    assert list(source.samples) == NAMES
    chosen = np.sort(rng.choice(len(NAMES), int(rng.integers(1, len(NAMES) + 1)), replace=False)).tolist()
    (records,) = source.records(None, chosen, 1_000)
    for row, line in enumerate(lines):
        keys = line[8].split(":")
        for column, sample in enumerate(chosen):
            fields = dict(zip(keys, line[9 + sample].split(":"), strict=False))
            expected = slow_call(fields.get("GT", "."))
            assert records.calls.has_genotype[row] == ("GT" in keys)
            if "GT" in keys:
                found = (*records.calls.alleles[row, column].tolist(), records.calls.phased[row, column])
                assert found == expected, (line, sample)
                number = phase_set_number(fields.get("PS", "."), fields.get("PSL", "."))
                assert records.calls.phase_set[row, column] == number


def test_names_of_phase_sets_are_never_mixed_up():
    names = ["1", "01", "0", "-1", "1.0", "a", "b", "A", "x,y", "y,x", "9" * 30, "4611686018427387904"]
    numbers = [phase_set_number(name) for name in names]
    assert len(set(numbers)) == len(names) and phase_set_number("1600925") == 1_600_925
    assert {phase_set_number(none) for none in ("", ".", ".,.")} == {0} and 0 not in numbers
    assert phase_set_number("5", ".,.") == phase_set_number("5") != phase_set_number("5", "x")


@needs_bcftools
@pytest.mark.parametrize("kind", ["Integer", "String"])
def test_bcf_and_an_index_give_the_genotypes_of_the_text(toy_world, tmp_path, kind):
    rng, reference = np.random.default_rng(9), toy_world.reference
    lines = []
    for position in range(2_000, 2_060):
        base = decode(reference.codes("20")[position - 1 : position])
        calls = [f"{rng.integers(2)}|{rng.integers(2)}:{rng.integers(1, 4)}" for _ in NAMES]
        alt = "A" if base != "A" else "C"
        lines.append(["20", str(position), ".", base, alt, ".", ".", ".", "GT:PS", *calls])
    path = tmp_path / "calls.vcf"
    fields = "".join(
        f'##FORMAT=<ID={name},Number=1,Type={type_},Description="">\n'
        for name, type_ in (("GT", "String"), ("PS", kind))
    )
    header = HEAD.replace("4.4", "4.2") + fields + "\t".join([COLUMNS, "FORMAT", *NAMES]) + "\n"
    path.write_text(header + "".join("\t".join(line) + "\n" for line in lines))
    zipped, bcf = bgzip(path), tmp_path / "calls.bcf"
    run("bcftools", "view", "-Ob", "-o", bcf, path)
    run("bcftools", "index", bcf)

    expected = open_individuals(path, reference).genotypes(Locus("20", 2_010, 2_040))
    for other in (zipped, bcf):
        for name in NAMES:
            found = open_individuals(other, reference).genotypes(Locus("20", 2_010, 2_040), [name])
            column = NAMES.index(name)
            np.testing.assert_array_equal(found.alleles[:, 0], expected.alleles[:, column])
            np.testing.assert_array_equal(found.phase_set[:, 0], expected.phase_set[:, column])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("END", r"line 4: 1 column where the header has 10 \(it reads 'END'\)"),
        ("20\t9", r"line 4: 2 columns where"),
        ("", r"line 4: the line is blank"),
        ("X\tabc\t.\tA\tC\t.\t.\t.\tGT\t0|1", r"line 4: POS is 'abc'"),
        ("20\t99999999999999999999\t.\tA\tC\t.\t.\t.\tGT\t0|1", r"line 4: POS is '99999999999999999999'"),
        ("#CHROM\tPOS", r"line 4: a header among the records"),
        ("20\t9\t.\t\tC\t.\t.\t.\tGT\t0|1", r"line 4: REF or ALT is empty"),
        ("20\t9\t.\tA\tC\t.\t.\t.\tGT\t0|1|0", r"record 1, 20:9 has a genotype of more than two alleles"),
        ("20\t9\t.\tA\tC\t.\t.\t.\tGT\t0|x", r"line 4: column 10: '0\|x' is no genotype"),
        ("20\t9\t.\tA\tC\t.\t.\t.\tGT\t0|7", r"20:9 has a genotype with allele 7, but 1"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line, said):
    path, good = tmp_path / "calls.vcf", "20\t{}\t.\tA\tC\t.\t.\t.\tGT\t0|1\n"
    path.write_text(f"{HEAD}{COLUMNS}\tFORMAT\tS1\n{line}\n{good.format(10)}")
    with pytest.raises(DataError, match=said):
        list(VcfSource(path).records(None, [0], 10))


def test_lines_that_are_blank_at_the_end_and_ends_of_lines_of_windows_do_no_harm(tmp_path):
    path = tmp_path / "calls.vcf"
    path.write_bytes(f"{HEAD}{COLUMNS}\tFORMAT\tS1\r\n20\t10\tid\tA\tC\t.\t.\t.\tGT\t0|1\r\n\r\n\n".encode())
    (records,) = VcfSource(path).records(None, [0], 10)
    assert records.ids == ["id"] and records.calls.alleles.tolist() == [[[0, 1]]]
