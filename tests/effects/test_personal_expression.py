from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from phenviz.effects import predict_expression, score_expression
from phenviz.errors import DataError, LocusError, ModelError, TargetError
from phenviz.genome import Annotation, ReferenceGenome, decode, encode, one_hot
from phenviz.models.expression import predict_expression as of_reference
from phenviz.models.joint_readout import JointReadout
from phenviz.models.readout import gene_bins
from phenviz.results import load, save, tidy
from phenviz.variation import open_individuals
from tests.attribution.oracles import in_double, toy_readout
from tests.effects.oracles import Edit, canonical, whole_contig
from tests.effects.test_score import Global
from tests.effects.toys import SAMPLES, write_people
from tests.models.test_joint_readout import tissue_readout
from tests.phenformer_toys import GlobalToy
from tests.toys import CONTIGS
from tests.variation.oracles import write_vcf

# N on both sides of every sequence, more than any window overhangs its contig
PAD = 8_192
# at both ends of the contig, beside the gap, and in the midst; on both strands
TSS = {
    "FIRST": (310, "+"),
    "LOW": (2_500, "-"),
    "MID": (9_000, "+"),
    "BACK": (15_001, "-"),
    "GAP": (21_000, "+"),
}
LAST = {"LAST": (CONTIGS["21"] - 1, "-"), "NEAR_END": (CONTIGS["21"] - 400, "+")}


def base_at(reference: ReferenceGenome, position: int) -> str:
    return decode(reference.codes("20")[position - 1 : position])


def annotate() -> Annotation:
    rows = [
        (contig, tss, tss + 1, strand, name, f"ID{name}", np.array([tss]), np.array([tss + 1]))
        for contig, genes in (("20", TSS), ("21", LAST))
        for name, (tss, strand) in genes.items()
    ]
    columns = ["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"]
    return Annotation(pd.DataFrame(rows, columns=columns))


@pytest.fixture(scope="module")
def annotation():
    return annotate()


@pytest.fixture(scope="module")
def readout():
    return toy_readout(reach=4_096)


@pytest.fixture(scope="module", params=[("20", 1), ("20", 2), ("21", 3)], ids=str)
def people(request, toy_world, tmp_path_factory):
    contig, seed = request.param
    path = tmp_path_factory.mktemp("people") / "people.vcf"
    written = write_people(path, toy_world.reference, seed, count=100, contig=contig)
    return contig, open_individuals(path, toy_world.reference), written


@torch.no_grad()
def slow_expression(world, gene, readout, edits: list[Edit]) -> np.ndarray:
    """Build the haplotype's whole contig and read the whole window out of it, base by base: (context,).

    Each base of the reference has the term of the bin that covers it on the grid of its run, in the share of
    one base.
    """
    size = world.backbone.bin_size
    sequence = whole_contig(world.reference, gene.locus.contig)
    around = gene_bins(gene, world.backbone, world.reference, readout.reach)
    backbone, double = in_double(world.backbone), in_double(readout)
    bases = np.arange(around.start, around.end)
    distance = np.repeat(around.distance, size)
    shifts, deleted, inserted = np.zeros(len(bases), int), np.zeros(len(bases), bool), []
    edited, shift, done = "", 0, 0
    for edit in canonical(sequence, edits):
        assert sequence[edit.start : edit.start + len(edit.ref)] == edit.ref
        paired = min(len(edit.ref), len(edit.alt))
        edited += sequence[done : edit.start] + edit.alt
        begin, end = edit.start + paired, edit.start + len(edit.ref)
        deleted |= (begin <= bases) & (bases < end)
        if len(edit.alt) > paired:
            inserted.append((begin - 1, shift, begin + shift, edit.start + shift + len(edit.alt)))
        shift += len(edit.alt) - len(edit.ref)
        shifts[bases >= begin] = shift
        done = end
    padded = "N" * PAD + edited + sequence[done:] + "N" * (3 * PAD)

    def terms(shift: int, places: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Terms of bases (places on the edited contig) on a grid that is moved by shift: (K, bases)."""
        flank = 1_024
        first, last = (int(end - shift) // size for end in (places.min(), places.max()))
        left, right = (bin_ * size + shift + PAD for bin_ in (first, last + 1))
        codes = encode(padded[left - flank : right + flank]).astype(int)
        one_hot = torch.eye(5, 4, dtype=torch.float64)[torch.from_numpy(codes)].T[None]
        bins = backbone.encode(one_hot)[:, :, flank // size : -flank // size]
        own = bins[:, :, (places - shift) // size - first]
        return double.pooled_terms(own, torch.from_numpy(distance).double())[0].numpy() / size

    sums = np.zeros(readout.heads * (1 + readout.values))
    for own in np.unique(shifts):
        here = (shifts == own) & ~deleted
        if here.any():
            sums += terms(own, bases[here] + own, distance[here]).sum(axis=1)
    for base, own, begin, end in inserted:
        if around.start <= base < around.end:
            places = np.arange(begin - 1, end)
            found = terms(own, places, np.full(len(places), distance[base - around.start]))
            sums += found.max(axis=1) - found[:, 0]
    return double.from_pooled(torch.from_numpy(sums)[None]).numpy()[0]


def carried(written: pd.DataFrame, column: str) -> list[Edit]:
    rows = written[written[column] == 1]
    return [Edit(row.position - 1, row.ref, row.alt) for row in rows.itertuples(index=False)]


def express(world, individuals, genes, annotation, readout, **how):
    return predict_expression(individuals, genes, annotation, world.reference, world.backbone, readout, **how)


def test_expression_is_that_of_reading_each_haplotypes_whole_window(toy_world, annotation, readout, people):
    contig, individuals, written = people
    genes = list(TSS if contig == "20" else LAST)
    found = express(toy_world, individuals, genes, annotation, readout, samples=SAMPLES[:2])
    moved = []
    for sample in SAMPLES[:2]:
        for number in ("1", "2"):
            edits = carried(written, f"{sample}.{number}")
            for name in genes:
                one = found.sel(individual=sample, haplotype=number, gene=name)
                slow = slow_expression(toy_world, annotation.gene(name), readout, edits)
                np.testing.assert_allclose(one["expression"].values, slow, rtol=1e-6, atol=2e-6)
                plain = found["expression"].sel(individual=sample, haplotype="reference", gene=name)
                moved.append(np.abs(plain.values - slow).max())
    # the changes are far larger than what is tolerated
    assert np.median(moved) > 1e-4


def test_the_reference_beside_them_is_the_readouts_own_and_the_same_for_all(
    toy_world, annotation, readout, people
):
    contig, individuals, _ = people
    genes = list(TSS if contig == "20" else LAST)
    found = express(toy_world, individuals, genes, annotation, readout)
    chosen = [annotation.gene(name) for name in genes]
    plain = of_reference(chosen, toy_world.reference, toy_world.backbone, readout)
    assert found["expression"].dims == ("individual", "haplotype", "gene", "context")
    assert found["haplotype"].values.tolist() == ["reference", "1", "2"]
    for sample in SAMPLES:
        own = found["expression"].sel(individual=sample, haplotype="reference")
        np.testing.assert_allclose(own, plain["expression"], rtol=1e-5, atol=1e-6)
    for name in ("gene_id", "contig", "tss", "strand"):
        np.testing.assert_array_equal(found[name], plain[name])
    assert found.attrs["units"] == "ln(1 + CPM)" and "4,096 bp of the TSS" in found.attrs["definition"]


def test_substitutions_alone_are_a_reference_that_has_them(toy_world, annotation, readout, tmp_path):
    path = tmp_path / "people.vcf"
    written = write_people(path, toy_world.reference, 4, count=80)
    lines = path.read_text().splitlines()
    same = [line for line in lines if line[0] == "#" or len(line.split("\t")[3]) == len(line.split("\t")[4])]
    path.write_text("\n".join(same) + "\n")
    individuals = open_individuals(path, toy_world.reference)
    found = express(toy_world, individuals.individual("bob"), list(TSS), annotation, readout)
    assert found.attrs["sample"] == "bob" and found["individual"].values.tolist() == ["bob"]
    for number in ("1", "2"):
        bases = list(whole_contig(toy_world.reference, "20"))
        for edit in carried(written, f"bob.{number}"):
            if len(edit.ref) == len(edit.alt):
                bases[edit.start : edit.start + len(edit.ref)] = edit.alt
        (tmp_path / f"{number}.fa").write_text(">20\n" + "".join(bases) + "\n")
        edited = ReferenceGenome(tmp_path / f"{number}.fa", assembly="own", cache_dir=tmp_path / "cache")
        slow = of_reference([annotation.gene(name) for name in TSS], edited, toy_world.backbone, readout)
        one = found["expression"].sel(individual="bob", haplotype=number)
        np.testing.assert_allclose(one, slow["expression"], rtol=1e-6, atol=2e-6)


def test_one_variant_changes_expression_by_what_it_is_scored(toy_world, annotation, readout, tmp_path):
    sequence = whole_contig(toy_world.reference, "20")
    rows = [
        (9_050, sequence[9_049], "T" if sequence[9_049] != "T" else "G"),
        (8_700, sequence[8_699:8_900], "A"),
    ]
    rows.append((9_300, sequence[9_299], sequence[9_299] + "GATTACA" * 40))
    for number, (position, ref, alt) in enumerate(rows):
        alt = ref[0] if len(alt) < len(ref) else alt
        path = tmp_path / f"{number}.vcf"
        path.write_text(
            "##fileformat=VCFv4.2\n##contig=<ID=20>\n"
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann\n"
            f"20\t{position}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT\t0|1\n"
        )
        person = open_individuals(path, toy_world.reference).individual("ann")
        found = express(toy_world, person, "mid", annotation, readout)
        table = pd.DataFrame(
            {"contig": ["20"], "position": [position], "ref": [ref], "alt": [alt], "id": [""]}
        )
        scored = score_expression(
            table, annotation, toy_world.reference, toy_world.backbone, readout, genes=["MID"]
        )
        reference, first, second = found["expression"].values[0, :, 0].astype(float)
        np.testing.assert_array_equal(first, reference)
        np.testing.assert_allclose(second - reference, scored["expression_effect"][0], rtol=1e-3, atol=1e-6)
        assert np.abs(second - reference).max() > 1e-4
        assert found["variants"].values[0, :, 0].tolist() == [0, 0, 1]


def test_equal_haplotypes_are_predicted_once_and_the_saving_is_told(toy_world, annotation, readout, people):
    contig, individuals, _ = people
    gene = "MID" if contig == "20" else "LAST"
    once = express(toy_world, individuals, gene, annotation, readout, samples=["dee"])
    again = express(toy_world, individuals, gene, annotation, readout, samples=["dee"] * 5)
    assert again.attrs["tiles_computed"] == once.attrs["tiles_computed"]
    assert again.attrs["tiles"] == 5 * once.attrs["tiles"]
    assert again.attrs["saving"] == 1 - again.attrs["tiles_computed"] / again.attrs["tiles"]
    assert again["unique_haplotypes"].item() == once["unique_haplotypes"].item() <= 2
    np.testing.assert_array_equal(again["expression"][3], once["expression"][0])


def test_a_gene_without_variants_has_the_references_expression_and_says_so(
    toy_world, annotation, readout, tmp_path
):
    # covered from one end to the other, and nobody has anything between
    calls = " ".join(["0|0"] * len(SAMPLES))
    records = [f"20 {at} . {base_at(toy_world.reference, at)} <DEL> {calls}" for at in (2_000, 40_000)]
    individuals = open_individuals(write_vcf(tmp_path / "ends.vcf", records, SAMPLES), toy_world.reference)
    found = express(toy_world, individuals, ["MID", "BACK"], annotation, readout)
    assert not found["variants"].any() and (found["unique_haplotypes"] == 1).all()
    assert found.attrs["not_covered"] == ""
    np.testing.assert_array_equal(
        found["expression"].sel(haplotype="1"), found["expression"].sel(haplotype="reference")
    )
    assert found.attrs["tiles_computed"] == 0 and found.attrs["saving"] == 1


def test_a_gene_of_a_contig_that_the_file_does_not_cover_has_no_expression(
    toy_world, annotation, readout, people
):
    contig, individuals, _ = people
    other = list(LAST if contig == "20" else TSS)
    found = express(toy_world, individuals, other, annotation, readout)
    assert found["expression"].sel(haplotype=["1", "2"]).isnull().all()
    assert found["expression"].sel(haplotype="reference").notnull().all()
    assert found.attrs["not_covered"].count("nothing is known") == len(other)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
def test_expression_comes_back_as_it_was_saved(toy_world, annotation, readout, people, tmp_path, suffix):
    _, individuals, _ = people
    found = express(toy_world, individuals, ["LOW", "LAST"], annotation, readout, contexts=["B", "Ery"])
    (path,) = save(found, tmp_path / f"expression{suffix}")
    back = load(path)
    assert back["context"].values.tolist() == ["B", "Ery"] and back.attrs == found.attrs
    np.testing.assert_array_equal(back["expression"], found["expression"])
    rows = tidy(back)
    assert len(rows) == len(SAMPLES) * 3 * 2 * 2
    assert {"individual", "haplotype", "gene", "context", "expression", "variants"} <= set(rows.columns)


def test_unphased_heterozygotes_are_put_as_chosen(toy_world, annotation, readout, tmp_path):
    path = tmp_path / "people.vcf"
    write_people(path, toy_world.reference, 5)
    path.write_text(path.read_text().replace("|", "/"))
    people = open_individuals(path, toy_world.reference)
    with pytest.raises(DataError, match="unphased"):
        express(toy_world, people, "MID", annotation, readout)
    found = express(toy_world, people, "MID", annotation, readout, unphased="as listed")
    assert "put as listed" in found.attrs["phasing"]


def test_what_cannot_be_expressed_is_told_in_words(toy_world, annotation, readout, people):
    _, individuals, _ = people
    with pytest.raises(LocusError, match="no gene 'NOBODY'"):
        express(toy_world, individuals, ["MID", "NOBODY"], annotation, readout)
    with pytest.raises(DataError, match="no gene"):
        express(toy_world, individuals, [], annotation, readout)
    with pytest.raises(DataError, match="no individual"):
        express(toy_world, individuals, "MID", annotation, readout, samples=[])
    with pytest.raises(DataError, match="one individual"):
        express(toy_world, individuals.individual("ann"), "MID", annotation, readout, samples=["ann"])
    with pytest.raises(DataError, match="no sample 'eve'"):
        express(toy_world, individuals, "MID", annotation, readout, samples=["eve"])
    with pytest.raises(TargetError, match="no expression in 'liver'"):
        express(toy_world, individuals, "MID", annotation, readout, contexts=["liver"])
    with pytest.raises(ModelError, match="sees 4,096 bp"):
        predict_expression(
            individuals, "MID", annotation, toy_world.reference, Global(toy_world.backbone), readout
        )


@pytest.mark.parametrize("seed", [0, 1])
def test_with_a_global_model_only_the_bases_differ_from_the_reference(toy_world, annotation, tmp_path, seed):
    # the window, too, would change all bins, as it lies elsewhere where tracks are predicted
    backbone, readout = GlobalToy(toy_world.backbone, window=16_384).eval(), toy_readout(reach=2_048)
    gene, reference = annotation.gene("MID"), toy_world.reference
    around = gene_bins(gene, backbone, reference, readout.reach)
    n_bins, size = len(around.distance), backbone.bin_size
    skipped = (backbone.window // size - n_bins) // 2
    left = (around.first_bin - skipped) * size
    places = np.random.default_rng(seed).choice(np.arange(left + 1, left + backbone.window), 6, replace=False)
    bases = [base_at(reference, int(place)) for place in places]
    known = [(int(place), base) for place, base in zip(places, bases, strict=True) if base != "N"]
    others = ["ACGT"["ACGT".index(base) - 1] for _, base in known]
    write_vcf(
        tmp_path / "ann.vcf",
        [f"20 {place} . {ref} {alt} 0|1" for (place, ref), alt in sorted(zip(known, others, strict=True))],
        ("ann",),
    )
    found = predict_expression(
        open_individuals(tmp_path / "ann.vcf", reference), "MID", annotation, reference, backbone, readout
    )
    codes = reference.fetch_codes("20", left, left + backbone.window).copy()

    def slow() -> np.ndarray:
        with torch.no_grad():
            window = torch.from_numpy(one_hot(codes))[None]
            bins = in_double(backbone).encode(window.double())[:, :, skipped : skipped + n_bins]
            distance = torch.from_numpy(around.distance).double()
            return in_double(readout).expression(bins, distance)[0].numpy()

    reference_only = slow()
    for (place, _), alt in zip(known, others, strict=True):
        codes[place - 1 - left] = encode(alt)[0]
    values = found["expression"].values[0, :, 0]
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_allclose(values[2] - values[0], slow() - reference_only, rtol=1e-2, atol=3e-7)


def test_two_readouts_together_say_of_a_person_what_each_says_alone(toy_world, annotation, readout, people):
    contig, individuals, _written = people
    members = readout, tissue_readout(1_024)
    joint = JointReadout(members, toy_world.backbone.bin_size)
    genes = list(TSS if contig == "20" else LAST)[:2]
    found = express(toy_world, individuals, genes, annotation, joint)
    alone = [express(toy_world, individuals, genes, annotation, one) for one in members]
    slow = np.concatenate([one["expression"].values for one in alone], axis=-1)
    np.testing.assert_allclose(found["expression"].values, slow, rtol=1e-4, atol=1e-6)
    assert found["context"].values.tolist() == [name for one in alone for name in one["context"].values]


def test_expression_where_nothing_is_known_of_a_person_is_not_the_references(
    toy_world, annotation, readout, tmp_path
):
    reference = toy_world.reference
    for name, position in (("one", 9_000), ("two", 15_000)):
        ref = base_at(reference, position)
        alt = "A" if ref != "A" else "C"
        write_vcf(tmp_path / f"{name}.vcf", [f"20 {position} . {ref} {alt} 0|1"], (name,))
    people = open_individuals([tmp_path / "one.vcf", tmp_path / "two.vcf"], reference)
    found = predict_expression(people, ["MID", "GAP"], annotation, reference, toy_world.backbone, readout)
    unknown = found["expression"].isnull().all("context")
    expected = {("one", "MID"): False, ("one", "GAP"): True, ("two", "MID"): True, ("two", "GAP"): True}
    for (person, gene), nothing in expected.items():
        here = unknown.sel(individual=person, gene=gene)
        assert not here.sel(haplotype="reference")
        assert here.sel(haplotype=["1", "2"]).values.tolist() == [nothing, nothing], (person, gene)
