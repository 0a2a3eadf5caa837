from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pandas as pd
import pytest

import phenviz
from phenviz.data.embedded import INDIVIDUALS
from phenviz.errors import Cancelled, DataError, LocusError
from phenviz.genome import Locus, decode
from phenviz.progress import Progress
from phenviz.variation import (
    VARIANT_COLUMNS,
    apply_variants,
    open_individuals,
    read_variants,
    unique_haplotypes,
)
from phenviz.world import World
from tests.variation.oracles import random_records, write_vcf

LOCUS = Locus("20", 1_000, 3_000)


@pytest.fixture(scope="module")
def calls(reference, tmp_path_factory):
    """Write six samples, and the same records as two batches of three."""
    folder = tmp_path_factory.mktemp("cohort")
    records = random_records(reference, LOCUS, np.random.default_rng(4), 150, 6)
    names = tuple(f"S{number}" for number in range(6))
    split = [record.split() for record in records]
    whole = write_vcf(folder / "whole.vcf", records, names)
    batches = [
        write_vcf(
            folder / f"batch{b}.vcf",
            [" ".join(r[:5] + r[5 + 3 * b : 8 + 3 * b]) for r in split],
            names[3 * b :][:3],
        )
        for b in (0, 1)
    ]
    return whole, batches


def test_the_embedded_world_has_three_hundred_europeans(grch37):
    individuals = phenviz.open_world().individuals
    assert individuals.samples.columns.tolist() == ["sample", "population", "superpopulation"]
    assert len(individuals) == 300 and set(individuals.samples["superpopulation"]) == {"EUR"}
    assert set(individuals.samples["population"]) == {""}


def test_a_world_without_genotypes_has_no_individuals(toy_project):
    assert phenviz.open_world(toy_project).individuals is None


def test_a_panel_of_the_project_says_where_samples_come_from(toy_project, calls, tmp_path):
    panel = tmp_path / "samples.panel"
    panel.write_text("sample\tpop\tsuper_pop\tgender\nS1\tGBR\tEUR\tmale\nS4\tYRI\tAFR\tfemale\n")
    project = phenviz.open_world(toy_project).project
    world = World(dataclasses.replace(project, individuals=(calls[0],), panel=panel))
    table = world.individuals.samples.set_index("sample")
    assert table.loc["S1"].tolist() == ["GBR", "EUR"] and table.loc["S4"].tolist() == ["YRI", "AFR"]
    assert table.loc["S0"].tolist() == ["", ""]
    counts = world.individuals.allele_counts(LOCUS, by="superpopulation")
    assert sorted(counts["group"].unique()) == ["", "AFR", "EUR"]


def test_a_project_names_genotypes_of_every_kind_and_their_panel(toy_project, calls, tmp_path):
    folder = toy_project.parent
    text = toy_project.read_text().replace(": toy.fa", f": {folder}/toy.fa")
    text = text.replace(": genes.tsv", f": {folder}/genes.tsv").replace(": toy.saf", f": {folder}/toy.saf")
    panel = tmp_path / "of.panel"
    panel.write_text("sample\tpopulation\nS2\tFIN\n")
    project = tmp_path / "project.yaml"
    project.write_text(f"{text}individuals: [{calls[1][0]}, {calls[1][1]}]\npanel: of.panel\n")
    samples = phenviz.open_world(project).individuals.samples.set_index("sample")
    assert samples.loc["S2", "population"] == "FIN" and len(samples) == 6
    (tmp_path / "calls.vcz").mkdir()
    project.write_text(f"{text}individuals: calls.vcz\n")
    with pytest.raises(DataError, match="as a Zarr store"):
        _ = phenviz.open_world(project).individuals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\tpop\nS1\tGBR\n", "line 1: the columns sample"),
        ("sample\tpop\nX\tGBR\n", "names none of the 6"),
    ],
)
def test_a_panel_that_does_not_fit_is_refused(reference, calls, tmp_path, text, said):
    panel = tmp_path / "wrong.panel"
    panel.write_text(text)
    with pytest.raises(DataError, match=said):
        open_individuals(calls[0], reference, panel=panel)


def test_an_unknown_sample_is_offered_the_nearest_names(grch37):
    individuals = open_individuals(INDIVIDUALS, grch37)
    with pytest.raises(DataError, match="no sample 'HG0009' among 300: did you mean HG00096 or HG00097"):
        individuals.individual("HG0009")
    with pytest.raises(DataError, match="it has HG00096"):
        individuals.genotypes(LOCUS, ["nobody at all"])


def test_batches_of_a_cohort_are_one_cohort(reference, calls):
    whole, batches = calls
    expected = open_individuals(whole, reference)
    joined = open_individuals(batches, reference)
    assert joined.samples.equals(expected.samples)
    a, b = expected.genotypes(LOCUS), joined.genotypes(LOCUS)
    key = ["record_position", "record_ref", "record_alt"]
    assert sorted(map(tuple, a.variants[key].values)) == sorted(map(tuple, b.variants[key].values))
    for sample in ("S1", "S5"):
        for one, other in zip(
            expected.individual(sample).haplotypes(LOCUS),
            joined.individual(sample).haplotypes(LOCUS),
            strict=True,
        ):
            assert one.content_hash == other.content_hash
    counts = [found.allele_counts(LOCUS, by=None) for found in (expected, joined)]
    order = [*VARIANT_COLUMNS[1:4], "allele_count"]
    assert (
        counts[0].sort_values(order)[order].values.tolist()
        == counts[1].sort_values(order)[order].values.tolist()
    )


def test_phase_sets_and_further_listings_outlive_the_joining_of_batches(reference, tmp_path):
    base = [decode(reference.codes("20")[p - 1 : p]) for p in (2_000, 2_050)]
    snv = ["A" if one != "A" else "C" for one in base]
    first = [f"20 2000 . {base[0]} {snv[0]} 0|1:3", f"20 2000 . {base[0]} {snv[0]} 1|0:3"]
    second = [f"20 2050 . {base[1]} {snv[1]} 0|1:8"]
    paths = [
        write_vcf(tmp_path / "a.vcf", first, ("S1",)),
        write_vcf(tmp_path / "b.vcf", second, ("S2",)),
    ]
    found = open_individuals(paths, reference).genotypes(Locus("20", 1_990, 2_100))
    assert found.variants["record_position"].tolist() == [2_000, 2_000, 2_050]
    assert found.alleles.tolist() == [[[0, 1], [-1, -1]], [[1, 0], [-1, -1]], [[-1, -1], [0, 1]]]
    assert found.phase_set.tolist() == [[3, 0], [3, 0], [0, 8]]
    assert found.report.read == 3 and found.report.kept == 3


def test_files_of_one_chromosome_each_are_one_cohort(reference, tmp_path):
    paths = []
    for contig in ("20", "21"):
        base = decode(reference.codes(contig)[1_999:2_000])
        record = f"{contig} 2000 . {base} {'A' if base != 'A' else 'C'} 0|1 1|1"
        paths.append(write_vcf(tmp_path / f"chr{contig}.vcf", [record], ("S1", "S2")))
    individuals = open_individuals(paths, reference)
    assert len(individuals) == 2
    for contig in ("20", "21"):
        assert individuals.genotypes(Locus(contig, 1_990, 2_010)).variants["contig"].tolist() == [contig]


def test_files_that_share_some_samples_are_refused(reference, calls, tmp_path):
    other = write_vcf(tmp_path / "other.vcf", [], ("S5", "S9"))
    with pytest.raises(DataError, match=r"sample 'S5' is in .*must share all their samples or none"):
        open_individuals([calls[0], other], reference)


def test_counts_are_those_of_a_plain_loop(reference, calls):
    individuals = open_individuals(calls[0], reference)
    found = individuals.genotypes(LOCUS)
    counts = individuals.allele_counts(LOCUS, by=None)
    for row in range(len(found.variants)):
        alleles = [tuple(pair) for pair in found.alleles[row].tolist()]
        flat = [allele for pair in alleles for allele in pair]
        assert counts["allele_count"][row] == flat.count(1)
        assert counts["allele_number"][row] == flat.count(0) + flat.count(1)
        assert counts["carriers"][row] == sum(1 in pair for pair in alleles)
        assert counts["homozygous"][row] == sum(pair in ((1, 1), (1, -2)) for pair in alleles)


def test_the_variants_of_an_individual_are_those_it_carries(reference, calls):
    individuals = open_individuals(calls[0], reference)
    whole = individuals.genotypes(LOCUS, ["S3"])
    table = individuals.individual("S3").variants(LOCUS)
    carries = (whole.alleles[:, 0] == 1).any(axis=1)
    assert table["position"].tolist() == whole.variants["position"][carries].tolist()
    np.testing.assert_array_equal(table[["haplotype_1", "haplotype_2"]], whole.alleles[carries, 0])
    assert ((table["haplotype_1"] == 1) | (table["haplotype_2"] == 1)).all()


def test_a_haplotype_says_what_it_left_out(reference, tmp_path):
    ref = decode(reference.codes("20")[2_000:2_004])
    snv = "A" if ref[1] != "A" else "C"
    records = [f"20 2001 . {ref} {ref[0]} 1|1", f"20 2002 . {ref[1]} {snv} 1|1"]
    path = write_vcf(tmp_path / "calls.vcf", records, ("S1",))
    haplotype = open_individuals(path, reference).individual("S1").haplotype(Locus("20", 1_990, 2_010), 1)
    assert haplotype.variants["record_position"].tolist() == [2_001]
    assert haplotype.skipped[["position", "reason"]].values.tolist() == [
        [2_002, "overlaps a variant before it"]
    ]
    assert haplotype.describe() == (
        "S1, haplotype 1: 1 variant in chr20:1,991-2,010, 17 bases; left out 1 (overlaps a variant before it)"
    )


def test_unique_haplotypes_are_every_copy_once(grch37):
    individuals = open_individuals(INDIVIDUALS, grch37)
    locus = Locus("20", 2_000_000, 2_004_000)
    samples = individuals.samples["sample"].tolist()[::6]
    found = unique_haplotypes(individuals, locus, samples)
    hashes = [haplotype.content_hash for haplotype in found.haplotypes]
    assert len(set(hashes)) == len(hashes)
    for row, sample in enumerate(samples):
        for copy, haplotype in enumerate(individuals.individual(sample).haplotypes(locus)):
            assert found.haplotypes[found.index[row, copy]].sequence == haplotype.sequence
    assert found.saving == 1 - len(hashes) / 100
    assert found.describe().startswith(f"{len(hashes)} different haplotypes among 100 of 50 individuals")


def test_two_ways_to_write_one_sequence_are_one_haplotype(reference, tmp_path):
    pair = decode(reference.codes("20")[2_000:2_002])
    other = "".join("A" if base != "A" else "C" for base in pair)
    records = [
        f"20 2001 . {pair} {other} 1|0 0|0",
        f"20 2001 . {pair[0]} {other[0]} 0|1 0|0",
        f"20 2002 . {pair[1]} {other[1]} 0|1 0|0",
    ]
    path = write_vcf(tmp_path / "calls.vcf", records, ("S1", "S2"))
    found = unique_haplotypes(open_individuals(path, reference), Locus("20", 1_990, 2_010))
    assert found.index.tolist() == [[0, 0], [1, 1]] and len(found.haplotypes) == 2


def test_rows_of_a_table_are_applied_where_their_contig_is(reference):
    locus = Locus("chr20", 1_000, 1_010)
    sequence = reference.sequence(locus)
    other = "A" if sequence[4] != "A" else "C"
    rows = pd.DataFrame(
        {
            "contig": ["21", "chr20"],
            "position": [1_005, 1_005],
            "ref": ["A", sequence[4]],
            "alt": ["G", other],
        }
    )
    haplotype = apply_variants(reference, locus, rows)
    assert haplotype.sequence == sequence[:4] + other + sequence[5:]
    assert len(apply_variants(reference, locus, rows.iloc[:0])) == 10


def test_a_row_with_another_ref_and_a_locus_off_the_contig_are_refused(reference):
    base = decode(reference.codes("20")[1_004:1_005])
    row = pd.DataFrame(
        {"contig": ["20"], "position": [1_005], "ref": ["A" if base != "A" else "C"], "alt": [base]}
    )
    with pytest.raises(DataError, match=rf"chr20:1,005: ref is ., the reference has {base}"):
        apply_variants(reference, Locus("20", 1_000, 1_010), row)
    with pytest.raises(LocusError, match="leaves the contig"):
        apply_variants(reference, Locus("20", 50_000, 60_000), row)


class _Counting(Progress):
    looks = 0

    def check(self) -> None:
        self.looks += 1
        super().check()


def test_on_its_way_to_a_locus_a_reader_looks_whether_to_go_on(reference, calls, monkeypatch):
    monkeypatch.setattr("phenviz.variation.vcf._LOOK_UP", 10)
    cohort, late = open_individuals(calls[0], reference), Locus("20", 2_900, 2_910)
    progress = _Counting()
    cohort.genotypes(late, ["S2"], progress=progress)
    assert progress.looks > 5
    cancel = threading.Event()
    cancel.set()
    person = dataclasses.replace(cohort.individual("S2"), progress=Progress(cancel_event=cancel))
    for read in (person.variants, person.haplotypes):
        with pytest.raises(Cancelled):
            read(late)


def test_looking_up_while_reading_changes_nothing_of_what_is_read(reference, calls, monkeypatch):
    def read():
        found = open_individuals(calls[0], reference).genotypes(LOCUS, ["S1", "S4"])
        return found, read_variants(calls[0], reference, locus=LOCUS)

    plain, plain_sites = read()
    monkeypatch.setattr("phenviz.variation.vcf._LOOK_UP", 3)
    found, sites = read()
    pd.testing.assert_frame_equal(found.variants, plain.variants)
    pd.testing.assert_frame_equal(sites.table, plain_sites.table)
    np.testing.assert_array_equal(found.alleles, plain.alleles)
    assert found.report == plain.report and sites.report == plain_sites.report
