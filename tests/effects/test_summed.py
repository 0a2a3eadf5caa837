"""The sum of what each variant of a person changes by itself."""

from __future__ import annotations

import numpy as np
import pytest

from phenviz.effects import predict_haplotypes
from phenviz.effects.summed import sum_of_variants
from phenviz.genome import Locus
from phenviz.models.predict import predict
from phenviz.variation import open_individuals
from tests.effects.oracles import PAD, Edit, in_reference_coordinates, whole_contig
from tests.effects.toys import write_people

LOCUS = Locus("20", 2_000, 6_500)


@pytest.fixture(scope="module")
def people(toy_world, tmp_path_factory):
    path = tmp_path_factory.mktemp("summed") / "people.vcf"
    written = write_people(path, toy_world.reference, 5, count=60)
    return open_individuals(path, toy_world.reference), written


def test_the_sum_is_that_of_predicting_each_variant_alone(toy_world, people):
    individuals, written = people
    ann = individuals.individual("ann")
    exact = predict_haplotypes(ann, LOCUS, toy_world.reference, toy_world.backbone)
    summed = sum_of_variants(exact, ann, toy_world.reference, toy_world.backbone)
    plain = predict(LOCUS, toy_world.reference, toy_world.backbone)["activity"].to_numpy()
    codes, size = whole_contig(toy_world.reference, "20"), toy_world.backbone.bin_size
    first, last = LOCUS.start // size, -(-LOCUS.end // size)
    for number in ("1", "2"):
        slow = plain.astype(float)
        near = written["position"].between(LOCUS.start - 3_000, LOCUS.end + 3_000)
        for row in written[(written[f"ann.{number}"] == 1) & near].itertuples(index=False):
            edit = Edit(row.position - 1, row.ref, row.alt)
            values = in_reference_coordinates(codes, [edit], toy_world.backbone)
            inside = values[:, PAD + first * size : PAD + last * size]
            slow += inside.reshape(len(values), -1, size).sum(axis=2) - plain
        np.testing.assert_allclose(
            summed["activity"].sel(haplotype=number), np.maximum(slow, 0), rtol=1e-4, atol=1e-4
        )


def test_where_variants_are_far_apart_the_sum_is_exact(toy_world, people, tmp_path):
    _, written = people
    far = written[written["position"].isin([int(written["position"].iloc[9])])]
    path = tmp_path / "one.vcf"
    line = ["20", str(far["position"].iloc[0]), ".", far["ref"].iloc[0], far["alt"].iloc[0]]
    path.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=20,length=50021>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\teve\n"
        + "\t".join([*line, ".", "PASS", ".", "GT", "0|1"])
        + "\n"
    )
    eve = open_individuals(path, toy_world.reference).individual("eve")
    exact = predict_haplotypes(eve, LOCUS, toy_world.reference, toy_world.backbone)
    summed = sum_of_variants(exact, eve, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(summed["activity"], exact["activity"], rtol=1e-4, atol=1e-5)
