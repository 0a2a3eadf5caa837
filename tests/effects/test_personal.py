from __future__ import annotations

import numpy as np
import pytest

from phenviz.effects import predict_cohort, predict_haplotypes
from phenviz.genome import Locus, ReferenceGenome
from phenviz.models.predict import predict
from phenviz.variation import open_individuals
from tests.effects.oracles import PAD, Edit, in_reference_coordinates, whole_contig
from tests.effects.test_score import Global
from tests.effects.toys import SAMPLES, write_people
from tests.phenformer_toys import GlobalToy


@pytest.fixture(scope="module", params=[1, 2, 3])
def people(request, toy_world, tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.vcf"
    written = write_people(path, toy_world.reference, request.param, count=120)
    return open_individuals(path, toy_world.reference), written


def slow_haplotype(world, written, column: str, locus: Locus) -> np.ndarray:
    """Predict a whole edited contig and sum its bases into the reference's bins: (context, bin)."""
    carried = written[written[column] == 1]
    edits = [Edit(row.position - 1, row.ref, row.alt) for row in carried.itertuples(index=False)]
    values = in_reference_coordinates(whole_contig(world.reference, locus.contig), edits, world.backbone)
    size = world.backbone.bin_size
    first, last = locus.start // size, -(-locus.end // size)
    inside = values[:, PAD + first * size : PAD + last * size]
    return inside.reshape(len(values), -1, size).sum(axis=2)


@pytest.mark.parametrize("locus", [Locus("20", 300, 30_000), Locus("20", 5_003, 5_900)], ids=str)
def test_haplotypes_are_those_of_predicting_the_whole_edited_contig(toy_world, people, locus):
    individuals, written = people
    for sample in SAMPLES[:2]:
        found = predict_haplotypes(
            individuals.individual(sample), locus, toy_world.reference, toy_world.backbone
        )
        for number in ("1", "2"):
            slow = slow_haplotype(toy_world, written, f"{sample}.{number}", locus)
            np.testing.assert_allclose(found["activity"].sel(haplotype=number), slow, rtol=2e-5, atol=1e-5)


def test_the_reference_stands_beside_both_haplotypes(toy_world, people):
    individuals, _ = people
    locus = Locus("20", 2_000, 9_000)
    found = predict_haplotypes(individuals.individual("ann"), locus, toy_world.reference, toy_world.backbone)
    plain = predict(locus, toy_world.reference, toy_world.backbone)
    assert found["haplotype"].values.tolist() == ["reference", "1", "2"]
    np.testing.assert_array_equal(found["activity"].sel(haplotype="reference"), plain["activity"])
    np.testing.assert_array_equal(found["bin_start"], plain["bin_start"])
    assert found.attrs["sample"] == "ann" and found.attrs["phasing"] == "as in the file"


def test_a_haplotype_equals_the_reference_where_no_variant_is_seen(toy_world, people):
    individuals, written = people
    locus = Locus("20", 300, 45_000)
    found = predict_haplotypes(individuals.individual("bob"), locus, toy_world.reference, toy_world.backbone)
    carried = written[written["bob.1"] == 1]
    starts = found["bin_start"].values
    reach = toy_world.backbone.receptive_field + 128
    begins, ends = carried["position"].to_numpy(), carried["position"].to_numpy() + carried["ref"].str.len()
    far = ((starts[:, None] > ends.to_numpy() + reach) | (starts[:, None] + 128 < begins - reach)).all(axis=1)
    assert far.any() and not far.all()
    values = found["activity"].values
    np.testing.assert_array_equal(values[1][:, far], values[0][:, far])
    assert (values[1] != values[0]).any()


def test_a_cohort_has_each_individuals_numbers_and_says_what_it_saved(toy_world, people):
    individuals, _ = people
    locus = Locus("20", 300, 30_000)
    cohort = predict_cohort(
        individuals, locus, toy_world.reference, toy_world.backbone, contexts=["B", "Ery"]
    )
    assert cohort["activity"].dims == ("individual", "haplotype", "context", "bin")
    assert cohort["individual"].values.tolist() == list(SAMPLES)
    for sample in SAMPLES:
        one = predict_haplotypes(
            individuals.individual(sample),
            locus,
            toy_world.reference,
            toy_world.backbone,
            contexts=["B", "Ery"],
        )
        both = one["activity"].sel(haplotype=["1", "2"])
        np.testing.assert_allclose(cohort["activity"].sel(individual=sample), both, rtol=1e-5, atol=1e-6)
    attrs = cohort.attrs
    assert attrs["tiles"] == 8 * 8
    assert 0 < attrs["tiles_computed"] <= attrs["tiles_changed"] <= attrs["tiles"]
    assert attrs["saving"] == pytest.approx(1 - attrs["tiles_computed"] / attrs["tiles"])


def test_copies_of_one_person_cost_no_more_than_one(toy_world, people, monkeypatch):
    individuals, _ = people
    locus = Locus("20", 300, 10_000)
    computed = [
        predict_cohort(individuals, locus, toy_world.reference, toy_world.backbone, samples=samples).attrs[
            "tiles_computed"
        ]
        for samples in (["dee"], ["dee"] * 5)
    ]
    assert computed[0] == computed[1]


@pytest.mark.parametrize("locus", [Locus("20", 300, 9_000), Locus("20", 5_003, 5_900)], ids=str)
def test_windows_of_a_global_backbone_give_the_whole_edited_contig(toy_world, people, locus):
    # what it needs lies within the margins of its windows, so that the contig as a whole is the oracle
    individuals, written = people
    person, backbone = individuals.individual("ann"), Global(toy_world.backbone).eval()
    found = predict_haplotypes(person, locus, toy_world.reference, backbone)
    for number in ("1", "2"):
        slow = slow_haplotype(toy_world, written, f"ann.{number}", locus)
        np.testing.assert_allclose(found["activity"].sel(haplotype=number), slow, rtol=2e-5, atol=1e-5)
    cohort = predict_cohort(individuals, locus, toy_world.reference, backbone, samples=["bob", "ann"])
    np.testing.assert_allclose(
        cohort["activity"].sel(individual="ann"), found["activity"][1:], rtol=1e-5, atol=1e-6
    )


def test_a_global_backbone_sees_every_variant_of_its_window(toy_world, tmp_path):
    written = write_people(tmp_path / "people.vcf", toy_world.reference, 4, count=120)
    lines = (tmp_path / "people.vcf").read_text().splitlines(keepends=True)
    head = [line for line in lines if line.startswith("#")]
    alike = written[written["ref"].str.len() == written["alt"].str.len()]
    kept = {str(position) for position in alike["position"]}
    calls = [line for line in lines if line[0] != "#" and line.split("\t")[1] in kept]
    (tmp_path / "snv.vcf").write_text("".join([*head, *calls]))
    sequence = list(whole_contig(toy_world.reference, "20"))
    for row in alike[alike["ann.2"] == 1].itertuples():
        sequence[row.position - 1 : row.position - 1 + len(row.ref)] = row.alt
    (tmp_path / "edited.fa").write_text(">20\n" + "".join(sequence) + "\n")
    edited = ReferenceGenome(tmp_path / "edited.fa", assembly="toy", cache_dir=tmp_path)
    backbone, locus = GlobalToy(toy_world.backbone, window=4_096).eval(), Locus("20", 300, 9_000)
    person = open_individuals(tmp_path / "snv.vcf", toy_world.reference).individual("ann")
    found = predict_haplotypes(person, locus, toy_world.reference, backbone)
    slow = predict(locus, edited, backbone)
    np.testing.assert_allclose(found["activity"].sel(haplotype="2"), slow["activity"], rtol=1e-4, atol=1e-5)
    assert (found["activity"].sel(haplotype="2") != found["activity"].sel(haplotype="reference")).all()
