import json

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.cohort.dosages import read_dosages
from phenviz.disease.cohort.folder import open_cohort
from phenviz.disease.cohort.genotypes import read_blocks
from phenviz.disease.cohort.liability import Liability
from phenviz.genome import Locus
from phenviz.variation import open_individuals
from tests.disease.cohort import toys

HERE = Locus("20", 2_000, 48_000)


def alleles_of(folder, world):
    people = open_individuals(folder / "genotypes.vcz", world.reference)
    blocks = list(read_blocks(people, people.samples["sample"].tolist()))
    return (
        pd.concat([block.variants for block in blocks], ignore_index=True),
        np.concatenate([block.alleles for block in blocks]),
    )


def test_ref_is_what_the_reference_has_and_alt_is_not(additive, world):
    variants, alleles = alleles_of(additive, world)
    sequence = world.reference.sequence(Locus("20", 0, 50_021)).upper()
    assert [sequence[position - 1] for position in variants["position"]] == variants["ref"].tolist()
    assert (variants["ref"] != variants["alt"]).all() and variants["alt"].isin(list("ACGT")).all()
    assert variants["position"].is_monotonic_increasing
    assert variants["position"].between(HERE.start + 1, HERE.end).all()
    # each variant varies, and no site lies in the gap of N
    assert ((alleles == 1).any(axis=(1, 2)) & (alleles == 0).any(axis=(1, 2))).all()
    assert not variants["position"].between(20_001, 20_700).any()


def test_the_quick_reader_gives_what_the_reader_of_all_formats_gives(additive, world):
    people = open_individuals(additive / "genotypes.vcz", world.reference)
    names = people.samples["sample"].tolist()[::-3]
    locus = Locus("20", 7_001, 33_333)
    slow = people.genotypes(locus, names)
    blocks = list(read_blocks(people, names, [locus]))
    np.testing.assert_array_equal(np.concatenate([block.alleles for block in blocks]), slow.alleles)
    columns = ["contig", "position", "ref", "alt"]
    fast = pd.concat([block.variants for block in blocks], ignore_index=True)[columns]
    pd.testing.assert_frame_equal(fast.astype(str), slow.variants[columns].astype(str), check_dtype=False)


def test_children_have_one_haplotype_of_each_parent(tmp_path, project, world):
    folder = toys.simulate(tmp_path / "c", project, relatives=0.3)
    _, alleles = alleles_of(folder, world)
    table = pd.read_parquet(folder / "people.parquet")
    sizes = table.groupby("family").size()
    trios = sizes[sizes == 3].index
    checked = 0
    for family in trios:
        rows = np.flatnonzero(table["family"] == family)
        child, parents = rows[-1], rows[:2]
        for side in (0, 1):
            # crossovers are rare on 46 kb: each side is one of the four parental haplotypes, or two of one
            own = alleles[:, child, side]
            same = [(own == alleles[:, parent, copy]).all() for parent in parents for copy in (0, 1)]
            checked += any(same)
    assert checked >= 2 * len(trios) - 2 and len(trios) > 5


def test_the_same_seed_gives_the_same_genomes_in_every_scenario(additive, tmp_path, project, world):
    other = toys.simulate(tmp_path / "null", project, "null")
    for one, two in zip(alleles_of(additive, world), alleles_of(other, world), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
    again = toys.simulate(tmp_path / "again", project)
    columns = pd.read_parquet(additive / "people.parquet")
    pd.testing.assert_frame_equal(columns, pd.read_parquet(again / "people.parquet"))


def test_the_store_has_chunks_of_ten_thousand_by_a_thousand(additive):
    import zarr

    store = zarr.open_group(str(additive / "genotypes.vcz"), mode="r")
    assert store["call_genotype"].chunks == (10_000, 240, 2)
    assert store.attrs["vcf_zarr_version"] == "0.4" and "simulated" in store.attrs["source"]


@pytest.mark.parametrize("scenario", ["null", "mediated", "shared", "subtypes"])
def test_scenarios_have_the_stated_prevalence(tmp_path, project, scenario):
    folder = toys.simulate(tmp_path / scenario, project, scenario, prevalence=0.3, people=600)
    table = pd.read_parquet(folder / "people.parquet")
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["scenario"] == scenario and truth["liability"]["prevalence"] == 0.3
    for trait in truth["traits"]:
        assert table[trait].mean() == pytest.approx(0.3, abs=0.06), trait
    cohort = open_cohort(folder, _reference(project))
    assert cohort.simulated and cohort.people.traits == tuple(truth["traits"])
    assert not {"subtype", "mechanism_1", "T_liability"} & set(table.columns)


def _reference(project):
    from phenviz.world import open_world

    return open_world(project).reference


@pytest.mark.parametrize(("heritability", "seed"), [(0.2, 0), (0.5, 1), (0.8, 2)])
def test_genetic_values_explain_the_stated_share_of_the_liability(heritability, seed):
    rng = np.random.default_rng(seed)
    n = 40_000
    genetic, age, sex = rng.normal(3, 7, n), rng.integers(40, 70, n), rng.integers(0, 2, n)
    ancestry = np.where(np.arange(n) % 3 == 0, "AFR", "EUR").astype(object)
    within = np.flatnonzero(ancestry == "EUR")
    model = Liability(heritability, 0.1, 0.05)
    liability = model.draw(genetic, age, sex, ancestry, within, rng)
    assert np.corrcoef(genetic[within], liability[within])[0, 1] ** 2 == pytest.approx(heritability, abs=0.02)
    assert liability.var() == pytest.approx(1, abs=0.05)
    assert model.cases(liability).mean() == pytest.approx(0.1, abs=0.01)


def test_components_tell_ancestries_apart_and_not_who_shares_a_haplotype(tmp_path, project, world):
    folder = tmp_path / "c"
    words = [
        "--people",
        400,
        "--ancestry",
        "AFR",
        "--ancestry",
        "EUR",
        "--train-in",
        "EUR",
        "--train-in",
        "AFR",
    ]
    toys.run("simulate", "-o", folder, *words, "--locus", toys.LOCUS, "--world", project)
    table = pd.read_parquet(folder / "people.parquet")
    assert {"PC1", "PC2", "PC3", "PC4"} <= set(table.columns)
    low, high = (table.loc[table["ancestry"] == name, "PC1"] for name in ("AFR", "EUR"))
    assert low.max() < high.min() or high.max() < low.min()
    # what the simulated locus holds is no part of them
    _, alleles = alleles_of(folder, world)
    dosage = (alleles == 1).sum(axis=2)
    inside = (table["ancestry"] == "EUR").to_numpy()
    common = dosage[:, inside].mean(axis=1) > 0.3
    tied = [abs(np.corrcoef(table.loc[inside, "PC2"], row)[0, 1]) for row in dosage[common][:, inside]]
    assert np.mean(tied) < 0.12


def test_common_variants_are_chosen_by_the_training_people_alone(additive, world):
    people = open_individuals(additive / "genotypes.vcz", world.reference)
    names = people.samples["sample"].tolist()
    train = np.arange(0, 60)
    found = read_dosages(people, names, train, min_frequency=0.05)
    frequency = found.values[:, train].mean(axis=1) / 2
    assert (np.minimum(frequency, 1 - frequency) >= 0.05).all()
    np.testing.assert_allclose(frequency, found.frequency)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path, project):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    done = toys.ask("simulate", "-o", folder, "--people", 100, "--world", project)
    assert done.exit_code == 1 and "isn't empty" in done.output and "notes.txt" in done.output
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scenario", "magic"], "choose one of"),
        (["--ancestry", "MARS"], "MARS"),
        (["--train-in", "AFR", "--ancestry", "EUR"], "nobody of ancestry AFR"),
        (["--heritability", "0.99"], "together they explain"),
        (["--prevalence", "1"], "prevalence"),
        (["--scenario", "mediated", "--genes", "500"], "planted genes"),
        (["--scenario", "shared", "--context", "Moon"], "Moon"),
        (["--variants", "100000"], "causal variants"),
        (["--locus", "20:20101-20600"], "only N"),
    ],
)
def test_what_can_t_be_simulated_is_said_in_one_line(tmp_path, project, words, message):
    common = ["--people", 60, "--locus", toys.LOCUS, "--world", project, "--device", "cpu"]
    done = toys.ask("simulate", "-o", tmp_path / "c", *common, *words)
    assert done.exit_code in (1, 2) and message in done.output and "Traceback" not in done.output


@pytest.mark.parametrize("chunk", [7, 1_000])
def test_a_store_with_records_of_all_kinds_is_read_as_its_vcf_is(tmp_path, world, chunk):
    from bio2zarr import vcf

    from tests.effects.toys import SAMPLES, write_people

    written = write_people(tmp_path / "p.vcf", world.reference, 3, count=50)
    import subprocess

    subprocess.run(["bgzip", "-k", tmp_path / "p.vcf"], check=True)
    subprocess.run(["bcftools", "index", tmp_path / "p.vcf.gz"], check=True)
    vcf.convert([tmp_path / "p.vcf.gz"], tmp_path / "p.vcz", worker_processes=0, variants_chunk_size=chunk)
    found = []
    for name in ("p.vcz", "p.vcf"):
        people = open_individuals(tmp_path / name, world.reference)
        blocks = list(read_blocks(people, ["dee", "ann"]))
        found.append(np.concatenate([block.alleles for block in blocks]))
    np.testing.assert_array_equal(*found)
    assert len(found[0]) == len(written) and SAMPLES[0] == "ann"
