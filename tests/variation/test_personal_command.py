from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.genome import Locus, decode
from phenviz.variation import open_individuals
from phenviz.variation.fasta import write_fasta
from tests.variation.oracles import write_vcf


def run(*arguments):
    return CliRunner().invoke(main, ["personal", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def calls(reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("calls") / "calls.vcf"
    base = {p: decode(reference.codes("20")[p - 1 : p]) for p in (6_100, 6_200, 6_300)}
    snv = {p: "A" if b != "A" else "C" for p, b in base.items()}
    records = [
        f"20 6100 . {base[6_100]} {base[6_100]}GGG 1|0 0|1",
        f"20 6200 . {base[6_200]} {snv[6_200]} 0|1 0/1",
        f"20 6300 . {base[6_300]} {snv[6_300]} 1|1 1|1",
    ]
    return write_vcf(path, records, ("S1", "S2"))


def test_two_records_are_written_and_what_was_done_is_told(reference, toy_project, calls, tmp_path):
    out = tmp_path / "out.fa"
    result = run(calls, "--sample", "S1", "--locus", "ALPHA", "--world", toy_project, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    assert "calls.vcf has no index" in result.stderr
    assert "S1, haplotype 1: 2 variants in chr20:6,001-9,000, 3,003 bases" in result.stderr
    headers = re.findall(r"^>.*$", out.read_text(), re.MULTILINE)
    assert headers == [
        f">S1|haplotype_{number}|chr20:6001-9000 assembly=toy1 length={length} variants=2 left_out=0 "
        'phase="as in the file"'
        for number, length in ((1, 3003), (2, 3000))
    ]
    bodies = ["".join(record.splitlines()[1:]) for record in out.read_text().split(">")[1:]]
    pair = open_individuals(calls, reference).individual("S1").haplotypes(Locus("20", 6_000, 9_000))
    assert bodies == [haplotype.sequence for haplotype in pair]


@pytest.mark.parametrize("choice", ["as listed", "as-listed", "random"])
def test_what_is_unphased_is_put_as_chosen_and_the_header_says_so(reference, calls, tmp_path, choice):
    out = tmp_path / "out.fasta"
    where = ("--locus", "chr20:6,001-7,000", "--reference", reference.path)
    refused = run(calls, "--sample", "S2", *where, "-o", out)
    assert refused.exit_code == 1 and "S2 is heterozygous but unphased at 20:6200" in refused.stderr
    assert refused.stderr.count("\n") == 1 and not out.exists()
    result = run(calls, "--sample", "S2", *where, "-o", out, "--unphased", choice, "--seed", 7)
    assert result.exit_code == 0, result.output
    how = "random, seed 7" if choice == "random" else "as listed"
    assert out.read_text().count(f'phase="1 unphased heterozygote put {how}"') == 2


def test_the_only_sample_needs_no_name_and_several_do(reference, calls, tmp_path):
    out = tmp_path / "out.fa"
    where = ("--locus", "20:6001-7000", "--reference", reference.path, "-o", out)
    assert "there are 2 samples (S1, S2 ...): choose one with --sample" in run(calls, *where).stderr
    base = decode(reference.codes("20")[6_049:6_050])
    one = write_vcf(tmp_path / "one.vcf", [f"20 6050 . {base} {base}A 1|0"], ("only",))
    assert run(one, *where).exit_code == 0 and out.read_text().startswith(">only|haplotype_1|")


def test_without_a_file_the_individuals_of_the_world_are_taken(toy_project, tmp_path):
    refused = run("--locus", "ALPHA", "--world", toy_project, "-o", tmp_path / "out.fa")
    assert refused.exit_code == 1 and "has no individuals: name a VCF" in refused.stderr
    out = tmp_path / "embedded.fa"
    result = run("--sample", "HG00096", "--locus", "chr20:1,600,001-1,601,000", "-o", out)
    assert result.exit_code == 0 and out.read_text().count(">HG00096|haplotype_") == 2


def test_other_suffixes_and_choices_are_wrong_usage(calls, tmp_path):
    assert run(calls, "--sample", "S1", "--locus", "ALPHA", "-o", tmp_path / "out.txt").exit_code == 2
    common = (calls, "--sample", "S1", "--locus", "ALPHA", "-o", tmp_path / "out.fa")
    assert run(*common, "--unphased", "guess").exit_code == 2


def test_lines_are_sixty_bases_long(reference, calls, tmp_path):
    for length in (59, 60, 61, 120):
        pair = (
            open_individuals(calls, reference).individual("S1").haplotypes(Locus("20", 6_000, 6_000 + length))
        )
        path = write_fasta(pair, tmp_path / "out.fa", assembly="toy1")
        lines = path.read_text().splitlines()
        assert [len(line) for line in lines[1 : len(lines) // 2]] == [60] * (length // 60) + [length % 60][
            : length % 60
        ]


def test_what_cannot_be_put_into_a_sequence_is_counted(reference, tmp_path):
    base = {p: decode(reference.codes("20")[p - 1 : p]) for p in (6_100, 6_200, 6_300)}
    records = [
        f"20 6100 . {base[6_100]} <DEL> 0|1",
        f"20 6200 . {base[6_200]} * 0|1",
        f"20 6300 . {base[6_300]} {base[6_300]}T .|1",
    ]
    path = write_vcf(tmp_path / "odd.vcf", records, ("S1",))
    told = run(
        path, "--locus", "20:6001-7000", "--reference", reference.path, "-o", tmp_path / "out.fa"
    ).stderr
    assert "1 skipped: symbolic alleles such as <DEL> (record 1, 20:6100" in told
    assert "1 skipped: '*' alleles" in told and "1 missing call taken as the reference" in told


def test_a_locus_without_variants_is_told_apart_from_a_person_without_any(reference, calls, tmp_path):
    partly = ("--locus", "20:6001-6200", "--reference", reference.path, "-o", tmp_path / "out.fa")
    assert (
        "of chr20:6,001-6,099 nothing is known; both haplotypes are the reference's there"
        in run(calls, "--sample", "S1", *partly).stderr
    )


@pytest.mark.parametrize("output", ["out.fa", "out.nc", "out.svg"])
def test_where_nothing_is_known_of_a_person_nothing_is_written(toy_project, calls, tmp_path, output):
    where = ("--locus", "20:30001-31000", "--world", toy_project, "-o", tmp_path / output)
    result = run(calls, "--sample", "S1", *where)
    assert result.exit_code == 1 and not (tmp_path / output).exists()
    said = "nothing is known of S1 in chr20:30,001-31,000: the genotypes of calls.vcf cover chr20:6,100-6,300"
    assert said in result.stderr and "haplotypes are the reference" not in result.stderr
