"""Whatever the locus, people have in it what they have on the whole contig."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.effects import predict_cohort, predict_expression, predict_haplotypes
from phenviz.effects.personal import seen_haplotypes
from phenviz.effects.summed import sum_of_variants
from phenviz.errors import DataError
from phenviz.genome import Annotation, Locus
from phenviz.models.predict import predict
from phenviz.variation import open_individuals
from tests.attribution.oracles import toy_readout
from tests.effects.oracles import PAD, in_reference_coordinates
from tests.effects.test_personal_expression import slow_expression
from tests.effects.windows import CONTIG, LENGTH, PEOPLE, Wide, wide_world
from tests.toys import ToyWorld
from tests.variation.oracles import bgzip, consensus, needs_bcftools

CHUNK = 16_384
BORDERS = tuple(range(CHUNK, LENGTH, CHUNK))
CLOSE = {"rtol": 2e-5, "atol": 1e-5}


@pytest.fixture(scope="module", params=range(3))
def wide(request, toy_world, tmp_path_factory) -> Wide:
    return wide_world(tmp_path_factory.mktemp("wide"), toy_world, request.param, borders=BORDERS)


@pytest.fixture(scope="module")
def plain(toy_world, tmp_path_factory) -> Wide:
    return wide_world(tmp_path_factory.mktemp("plain"), toy_world, 7, count=1)


def haplotypes(wide: Wide, sample: str, locus: Locus):
    return predict_haplotypes(wide.individuals.individual(sample), locus, wide.reference, wide.world.backbone)


def test_the_bins_of_every_cell_are_those_of_the_whole_edited_contig(wide):
    for sample in PEOPLE:
        for start in range(0, LENGTH, CHUNK):
            found = haplotypes(wide, sample, Locus(CONTIG, start, min(start + CHUNK, LENGTH)))
            first = start // 128
            for number in (1, 2):
                own = found["activity"].sel(haplotype=str(number)).values
                np.testing.assert_allclose(
                    own, wide.bins[sample, number][:, first : first + own.shape[1]], **CLOSE
                )


def test_loci_that_overlap_share_their_bins(wide):
    rng = np.random.default_rng(9)
    for edge in rng.choice([*wide.edges(), *BORDERS], 12):
        start = int(np.clip(edge + rng.integers(-900, 900), 0, LENGTH - 2))
        locus = Locus(CONTIG, start, min(start + int(rng.choice([1, 130, 5_000])), LENGTH))
        cohort = predict_cohort(wide.individuals, locus, wide.reference, wide.world.backbone)
        first = locus.start // 128
        for sample in PEOPLE:
            one = haplotypes(wide, sample, locus)["activity"]
            for number in (1, 2):
                expected = wide.bins[sample, number][:, first : first + one.sizes["bin"]]
                # the contig's last bin is no whole one
                own = one.sel(haplotype=str(number)).values[:, : expected.shape[1]]
                np.testing.assert_allclose(own, expected, **CLOSE)
                shared = cohort["activity"].sel(individual=sample, haplotype=str(number)).values
                np.testing.assert_allclose(shared[:, : expected.shape[1]], expected, **CLOSE)


@needs_bcftools
def test_whole_contigs_are_those_of_bcftools(wide):
    path = bgzip(wide.individuals.paths[0])
    for sample in PEOPLE:
        for haplotype in wide.individuals.individual(sample).haplotypes(wide.whole):
            expected = consensus(path, wide.reference, wide.whole, sample, haplotype.number)
            assert haplotype.sequence == expected


def test_sequences_of_a_locus_are_cut_out_of_the_whole_contigs(wide):
    rng = np.random.default_rng(8)
    for sample in PEOPLE:
        person = wide.individuals.individual(sample)
        both = person.haplotypes(wide.whole)
        for edge in rng.choice([*wide.edges(), *BORDERS], 40):
            first = int(np.clip(edge + rng.integers(-2, 3), 0, LENGTH - 2))
            locus = Locus(CONTIG, first, min(first + int(rng.choice([1, 40, 3_000])), LENGTH))
            for whole, own in zip(both, person.haplotypes(locus), strict=True):
                left, right = whole.coordinates.cuts([locus.start, locus.end])
                np.testing.assert_array_equal(own.codes, whole.codes[left:right])
                cuts = own.coordinates.cuts([locus.start, locus.end])
                assert cuts.tolist() == [0, len(own)]


def genes_of(wide: Wide) -> Annotation:
    """Genes at the edges of the records, and within them."""
    rng = np.random.default_rng(4)
    starts, ends = np.split(wide.edges(), 2)
    tss = np.clip(
        rng.choice([*starts, *ends, *((starts + ends) // 2)], 6) + rng.integers(-2_000, 2_000, 6),
        10,
        LENGTH - 10,
    )
    rows = [
        (CONTIG, at, at + 1, "+-"[number % 2], f"G{number}", f"I{number}", np.array([at]), np.array([at + 1]))
        for number, at in enumerate(tss.tolist())
    ]
    columns = ["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"]
    return Annotation(pd.DataFrame(rows, columns=columns))


def test_genes_are_those_of_the_whole_edited_contig_alone_and_together(wide):
    annotation, readout = genes_of(wide), toy_readout(reach=4_096)
    model = (annotation, wide.reference, wide.world.backbone, readout)
    names = [f"G{number}" for number in range(6)]
    together = predict_expression(wide.individuals, names, *model)
    world = ToyWorld(wide.reference, annotation, wide.world.backbone)
    for sample in PEOPLE:
        alone = predict_expression(wide.individuals.individual(sample), names, *model)
        np.testing.assert_allclose(
            alone["expression"][0], together["expression"].sel(individual=sample), rtol=1e-6, atol=1e-6
        )
        np.testing.assert_array_equal(alone["variants"][0], together["variants"].sel(individual=sample))
        for number in (1, 2):
            edits = wide.edits(sample, number)
            for name in names:
                slow = slow_expression(world, annotation.gene(name), readout, edits)
                own = alone["expression"].sel(haplotype=str(number), gene=name).values[0]
                np.testing.assert_allclose(own, slow, rtol=1e-6, atol=3e-6)


def test_the_sum_of_variants_has_those_that_begin_far_before_the_locus(wide):
    locus = Locus(CONTIG, BORDERS[9] - 700, BORDERS[9] + 900)
    backbone = wide.world.backbone
    before = predict(locus, wide.reference, backbone)["activity"].values.astype(float)
    first = locus.start // 128
    for sample in PEOPLE:
        exact = haplotypes(wide, sample, locus)
        person = wide.individuals.individual(sample)
        summed = sum_of_variants(exact, person, wide.reference, backbone)
        for number in (1, 2):
            slow = before.copy()
            near = [edit for edit in wide.edits(sample, number) if edit.start < locus.end + 2_000]
            for edit in (edit for edit in near if edit.start + len(edit.ref) > locus.start - 2_000):
                values = in_reference_coordinates(wide.sequence, [edit], backbone)
                inside = values[:, PAD + first * 128 : PAD + (first + before.shape[1]) * 128]
                slow += inside.reshape(len(values), -1, 128).sum(axis=2) - before
            own = summed["activity"].sel(haplotype=str(number))
            np.testing.assert_allclose(own, np.maximum(slow, 0), rtol=1e-4, atol=1e-4)


def write_one(plain: Wide, path, *records: tuple[int, int, str, str]):
    """Write a person with SNVs and deletions: first base (from 0), bases deleted, call, phase set."""
    lines = ["##fileformat=VCFv4.2", f"##contig=<ID={CONTIG},length={LENGTH}>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += ['##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">']
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT eve".split()))
    for start, deleted, call, phase_set in records:
        ref = plain.sequence[start : start + deleted + 1]
        alt = ref[0] if deleted else "A" if ref != "A" else "C"
        fields = [CONTIG, start + 1, ".", ref, alt, ".", ".", ".", "GT:PS", f"{call}:{phase_set}"]
        lines.append("\t".join(map(str, fields)))
    path.write_text("\n".join(lines) + "\n")
    return open_individuals(path, plain.reference).individual("eve")


SEEN = Locus(CONTIG, 40_960, 43_008)
# the toy backbone's bins see so many bases on each side
FLANK = 384


@pytest.mark.parametrize(
    ("far", "refused"),
    [
        ((SEEN.start - FLANK - 1, 0, "0/1", "."), False),
        ((SEEN.start - FLANK, 0, "0/1", "."), True),
        ((SEEN.end + FLANK - 1, 0, "0/1", "."), True),
        ((SEEN.end + FLANK, 0, "0/1", "."), False),
        ((SEEN.end + FLANK, 0, "0|1", "9"), False),
        ((SEEN.end + FLANK - 1, 0, "0|1", "9"), True),
        ((SEEN.start - 30_000, 30_100, "0/1", "."), True),
        ((SEEN.start - 30_000, 29_000, "0/1", "."), False),
    ],
)
def test_heterozygotes_that_no_bin_sees_need_no_phase(plain, tmp_path, far, refused):
    near = (SEEN.start + 1_000, 0, "0|1", "4")
    person = write_one(plain, tmp_path / "eve.vcf", *sorted([near, far]))
    if refused:
        with pytest.raises(DataError, match=r"unphased|phase sets"):
            predict_haplotypes(person, SEEN, plain.reference, plain.world.backbone)
        return
    found = predict_haplotypes(person, SEEN, plain.reference, plain.world.backbone)
    assert found.attrs["phasing"] == "as in the file" and found.attrs["variants"] == [0, 1]


def test_a_deletion_brings_heterozygotes_behind_it_into_view(plain, tmp_path):
    hidden = (SEEN.end + 20_300, 0, "0/1", ".")
    alone = write_one(plain, tmp_path / "alone.vcf", hidden)
    assert seen_variants(plain, alone) == [0, 0]
    deletion = (SEEN.end + 100, 20_050, "1|1", ".")
    both = write_one(plain, tmp_path / "both.vcf", deletion, hidden)
    with pytest.raises(DataError, match="unphased"):
        predict_haplotypes(both, SEEN, plain.reference, plain.world.backbone)
    within = write_one(plain, tmp_path / "within.vcf", deletion, (SEEN.end + 300, 0, "0/1", "."))
    assert seen_variants(plain, within) == [1, 1]


def seen_variants(plain: Wide, person) -> list[int]:
    found = predict_haplotypes(person, SEEN, plain.reference, plain.world.backbone)
    both = seen_haplotypes(person, SEEN, plain.reference, plain.world.backbone)
    assert found.attrs["variants"] == [len(haplotype.applied) for haplotype in both]
    return found.attrs["variants"]


def test_a_gene_asks_for_the_phase_of_what_its_bins_see_and_tells_what_it_lacks(plain, tmp_path):
    readout, at = toy_readout(reach=4_096), 160_000
    columns = ["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"]
    row = (CONTIG, at, at + 1, "+", "G", "I", np.array([at]), np.array([at + 1]))
    model = (Annotation(pd.DataFrame([row], columns=columns)), plain.reference, plain.world.backbone, readout)
    first, last = at // 128 * 128 - 4_096 - FLANK, at // 128 * 128 + 128 + 4_096 + FLANK
    beyond = ((first - 1, 0, "0/1", "."), (last, 0, "0/1", "."))
    inside = [(at - 900, 1_000, "1|1", "."), (at - 500, 0, "0|1", ".")]
    person = write_one(plain, tmp_path / "eve.vcf", beyond[0], *inside, beyond[1])
    found = predict_expression(person, "G", *model)
    assert found["variants"].values.ravel().tolist() == [0, 1, 1]
    assert found.attrs["phasing"] == "as in the file" and found.attrs["variants_skipped"] == 1
    for start in (first, last - 1):
        person = write_one(plain, tmp_path / "eve.vcf", *sorted([(start, 0, "0/1", "."), *inside]))
        with pytest.raises(DataError, match="unphased"):
            predict_expression(person, "G", *model)
    path = tmp_path / "eve.vcf"
    path.write_text(path.read_text() + f"{CONTIG}\t{last + 9}\t.\tA\t<DEL>\t.\t.\t.\tGT:PS\t1|1:.\n")
    listed = predict_expression(open_individuals(path, plain.reference), "G", *model, unphased="as listed")
    assert listed.attrs["records_left_out"] == ""
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([*lines[:5], f"{CONTIG}\t{at - 950}\t.\tA\t<DEL>\t.\t.\t.\tGT:PS\t1|1:.", *lines[5:]])
        + "\n"
    )
    listed = predict_expression(open_individuals(path, plain.reference), "G", *model, unphased="as listed")
    assert listed.attrs["records_left_out"].startswith("G: 1 skipped: symbolic alleles")
