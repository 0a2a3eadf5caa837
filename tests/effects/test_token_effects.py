"""Effects on gene tokens, and tokens of haplotypes, against the tokens of the whole edited sequence."""

import copy

import numpy as np
import pandas as pd
import pytest

from phenviz.effects.haplotype_tokens import predict_haplotype_tokens
from phenviz.effects.token_effects import score_tokens
from phenviz.errors import ModelError
from phenviz.genome import Locus
from phenviz.genome.codes import encode
from phenviz.models.phenformer_tokens import predict_tokens
from phenviz.models.token_layout import token_layout
from phenviz.variation import open_individuals
from tests.attribution.oracles import toy_readout
from tests.effects.toys import SAMPLES, write_people
from tests.phenformer_toys import OTHER_CONTIG, SITES, WINDOW, GlobalToy
from tests.toys import CONTIGS

GENES = (*SITES, OTHER_CONTIG)


class Edited:
    """A reference with some bases replaced, as a source of codes."""

    def __init__(self, reference, edits):
        self._reference = reference
        self._codes = {
            contig: reference.fetch_codes(contig, 0, length).copy() for contig, length in CONTIGS.items()
        }
        for contig, position, alt in edits:
            self._codes[contig][position - 1] = encode(alt)[0]

    def fetch_codes(self, contig, start, end):
        known = self._codes[self._reference.resolve_contig(contig)]
        codes = np.full(end - start, 4, dtype=np.uint8)
        low, high = max(start, 0), min(end, len(known))
        if low < high:
            codes[low - start : high - start] = known[low:high]
        return codes


def models(toy_world, with_readout, double=False):
    readout = toy_readout() if with_readout else None
    backbone = copy.deepcopy(toy_world.backbone)
    if double:
        backbone, readout = backbone.double(), None if readout is None else readout.double()
    return backbone, readout


def layout_of(toy_world, backbone, readout, genes=GENES):
    return token_layout(genes, toy_world.reference.assembly, backbone, readout, window=WINDOW)


def slow_token(toy_world, with_readout, source=None):
    """Return the tokens of one haplotype, in double precision, from whole windows."""
    backbone, readout = models(toy_world, with_readout, double=True)
    layout = layout_of(toy_world, backbone, readout).double()
    pair = None if source is None else (source, source)
    return predict_tokens(layout, toy_world.reference, backbone, readout, haplotypes=pair)[0].numpy()


def random_variants(toy_world, seed, count=40):
    rng = np.random.default_rng(seed)
    rows = []
    while len(rows) < count:
        contig = "20" if rng.random() < 0.8 else "21"
        position = int(rng.integers(1, CONTIGS[contig] + 1))
        ref = toy_world.reference.sequence(Locus(contig, position - 1, position)).upper()
        if ref != "N":
            rows.append((contig, position, ref, rng.choice([base for base in "ACGT" if base != ref])))
    return pd.DataFrame(rows, columns=["contig", "position", "ref", "alt"])


@pytest.mark.parametrize("with_readout", [True, False], ids=["readout", "activity"])
@pytest.mark.parametrize("seed", [0, 1])
def test_effects_are_those_of_reading_the_whole_changed_sequence(toy_world, with_readout, seed):
    backbone, readout = models(toy_world, with_readout)
    table = random_variants(toy_world, seed)
    found = score_tokens(
        table, layout_of(toy_world, backbone, readout), toy_world.reference, backbone, readout
    )
    plain = slow_token(toy_world, with_readout)
    np.testing.assert_allclose(found["reference_token"], plain, rtol=1e-4, atol=1e-6)
    dense = np.zeros((len(table), *plain.shape))
    dense[found["row"], found["gene_index"]] = found["effect"]
    for row, one in enumerate(table.itertuples(index=False)):
        source = Edited(toy_world.reference, [(one.contig, one.position, one.alt)])
        wanted = slow_token(toy_world, with_readout, source) - plain
        np.testing.assert_allclose(dense[row], wanted, rtol=1e-3, atol=2e-7, err_msg=str(one))


def test_rows_that_can_t_be_scored_are_counted(toy_world):
    backbone, readout = models(toy_world, True)
    table = random_variants(toy_world, 2, 5)
    table.loc[1, "alt"] = "<DEL>"
    table.loc[3, "ref"] = "A" if table.loc[3, "ref"] != "A" else "C"
    found = score_tokens(
        table, layout_of(toy_world, backbone, readout), toy_world.reference, backbone, readout
    )
    assert found.attrs["skipped"] == 2 and not {1, 3} & set(found["row"].values.tolist())


def test_no_variant_gives_the_reference_s_tokens(toy_world):
    backbone, readout = models(toy_world, True)
    table = random_variants(toy_world, 0).iloc[:0]
    found = score_tokens(
        table, layout_of(toy_world, backbone, readout), toy_world.reference, backbone, readout
    )
    assert found.sizes["pair"] == 0
    np.testing.assert_allclose(found["reference_token"], slow_token(toy_world, True), rtol=1e-4, atol=1e-6)


def test_a_global_backbone_is_refused(toy_world):
    backbone, readout = models(toy_world, True)
    layout = layout_of(toy_world, backbone, readout)
    table = random_variants(toy_world, 0, 2)
    with pytest.raises(ModelError, match="sees its whole window"):
        score_tokens(table, layout, toy_world.reference, GlobalToy(backbone), readout)


def write_singles(toy_world, path, seed):
    """Write a phased VCF of four people with single-base variants only; return whose alleles they are."""
    rng = np.random.default_rng(seed)
    table = random_variants(toy_world, seed, 120)
    table = table.drop_duplicates(["contig", "position"]).sort_values(
        ["contig", "position"], ignore_index=True
    )
    alleles = (rng.random((len(table), len(SAMPLES), 2)) < 0.4).astype(int)
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={name},length={n}>" for name, n in CONTIGS.items())]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    head = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *SAMPLES]
    lines.append("\t".join(head))
    for row, one in enumerate(table.itertuples(index=False)):
        calls = [f"{first}|{second}" for first, second in alleles[row]]
        place = [one.contig, one.position, ".", one.ref, one.alt, ".", "PASS", ".", "GT"]
        lines.append("\t".join(map(str, [*place, *calls])))
    path.write_text("\n".join(lines) + "\n")
    return table, alleles


@pytest.mark.parametrize("with_readout", [True, False], ids=["readout", "activity"])
def test_haplotypes_are_read_as_whole_sequences_are(toy_world, tmp_path, with_readout):
    table, alleles = write_singles(toy_world, tmp_path / "people.vcf", 4)
    people = open_individuals(tmp_path / "people.vcf", toy_world.reference)
    backbone, readout = models(toy_world, with_readout)
    layout = layout_of(toy_world, backbone, readout)
    found = predict_haplotype_tokens(people, layout, toy_world.reference, backbone, readout)
    plain = slow_token(toy_world, with_readout)
    for number in range(len(SAMPLES)):
        for side in (0, 1):
            carried = table[alleles[:, number, side] == 1]
            source = Edited(
                toy_world.reference,
                list(zip(carried["contig"], carried["position"], carried["alt"], strict=True)),
            )
            wanted = slow_token(toy_world, with_readout, source) - plain
            own = found["difference"].values[number, side]
            np.testing.assert_allclose(own, wanted, rtol=1e-3, atol=1e-6)


def test_a_single_variant_does_by_haplotypes_what_it_does_by_itself(toy_world, tmp_path):
    # insertions and deletions, too, which no plain sequence in the reference's coordinates has
    written = write_people(tmp_path / "people.vcf", toy_world.reference, 7, count=25)
    backbone, readout = models(toy_world, True)
    layout = layout_of(toy_world, backbone, readout, SITES)
    for row, one in written.iloc[::6].iterrows():
        lines = (tmp_path / "people.vcf").read_text().splitlines()
        kept = [line for line in lines if line.startswith("#") or f"\tv{row}\t" in line]
        alone = [
            line if line.startswith("#") else "\t".join([*line.split("\t")[:9], "1|0", "0|0", "0|1", "1|1"])
            for line in kept
        ]
        (tmp_path / "one.vcf").write_text("\n".join(alone) + "\n")
        people = open_individuals(tmp_path / "one.vcf", toy_world.reference)
        found = predict_haplotype_tokens(people, layout, toy_world.reference, backbone, readout)
        table = pd.DataFrame([{"contig": "20", **one[["position", "ref", "alt"]]}])
        effect = score_tokens(table, layout, toy_world.reference, backbone, readout)
        dense = np.zeros(found["difference"].shape[2:])
        dense[effect["gene_index"]] = effect["effect"]
        values = found["difference"].values
        np.testing.assert_allclose(values[0, 0], dense, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(values[1], 0, atol=1e-12)
        np.testing.assert_allclose(values[2, 1], values[0, 0], atol=1e-12)


def test_equal_surroundings_are_read_once(toy_world, tmp_path):
    write_singles(toy_world, tmp_path / "people.vcf", 5)
    people = open_individuals(tmp_path / "people.vcf", toy_world.reference)
    backbone, readout = models(toy_world, True)
    layout = layout_of(toy_world, backbone, readout, SITES)
    found = predict_haplotype_tokens(
        people, layout, toy_world.reference, backbone, readout, samples=["ann", "bob"]
    )
    assert found.attrs["tiles_computed"] <= found.attrs["tiles_changed"] <= found.attrs["tiles"]
