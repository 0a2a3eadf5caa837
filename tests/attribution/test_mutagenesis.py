from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from phenviz.attribution import mutagenesis
from phenviz.attribution import mutagenesis as public_verb
from phenviz.attribution.targets import reach_of_gene
from phenviz.errors import Cancelled, MemoryLimitError, ModelError, TargetError
from phenviz.genome import Context, Gene, Locus, ReferenceGenome
from phenviz.genome.codes import decode, reverse_complement
from phenviz.inference.receptive_cones import Interval, changed_outputs
from phenviz.inference.reductions import mask_bins
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.local import LocalBackbone
from phenviz.progress import Progress
from phenviz.results import contribution, merge_tiles, validate
from tests.attribution.oracles import express_each_mutant, in_double, toy_readout
from tests.toys import CONTEXTS, CONTIGS, GAP, cancelled_after, predict_each_mutant

LENGTH = CONTIGS["20"]
LOCI = [
    Locus("20", 1_000, 1_040),
    Locus("20", 1_151, 1_153),  # both sides of a bin's edge
    Locus("20", 0, 320),  # from the contig's first base into the sequence
    Locus("20", LENGTH - 300, LENGTH),
    Locus("20", GAP[0] - 40, GAP[0] + 3),
    Locus("20", GAP[1] - 3, GAP[1] + 40),
    Locus("21", 0, 130),
    Locus("21", CONTIGS["21"] - 130, CONTIGS["21"]),
]


def assert_same_effects(fast: np.ndarray, slow: np.ndarray, rtol: float, atol: float) -> None:
    np.testing.assert_array_equal(np.isnan(fast), np.isnan(slow))
    np.testing.assert_allclose(np.nan_to_num(fast), np.nan_to_num(slow), rtol=rtol, atol=atol)


@pytest.mark.parametrize("locus", LOCI, ids=str)
def test_mutagenesis_equals_predicting_each_mutant(toy_world, locus):
    fast = mutagenesis(locus, toy_world.reference, toy_world.backbone)
    slow = predict_each_mutant(locus, toy_world.reference, toy_world.backbone)
    # the slow way itself is right to 1e-6 in single precision
    assert_same_effects(fast.effect.values, slow, rtol=1e-4, atol=2e-6)


def random_shape(rng: np.random.Generator) -> list[dict]:
    """Draw stages with kernels, dilations and pools of many sizes, 128 bases per bin."""
    pools = [[8, 4, 4], [4, 8, 4], [16, 8, 1], [2, 4, 16], [1, 32, 4], [128, 1, 1]][rng.integers(6)]
    channels = int(rng.integers(3, 7))
    stages = [
        {
            "channels": channels,
            "kernel": int(rng.choice([1, 5, 11, 19])),
            "pool": pools[0],
            "both_strands": True,
        }
    ]
    for pool in pools[1:]:
        stages.append({"channels": channels, "kernel": int(rng.choice([1, 3, 5])), "pool": pool})
    for dilation in rng.choice([1, 2, 3], size=rng.integers(0, 3)):
        stages.append({"channels": channels, "kernel": 3, "dilation": int(dilation), "residual": True})
    for stage in stages:
        stage["activation"] = str(rng.choice(["softplus", "relu"]))
    return stages


def double_backbone(stages: list[dict], seed: int) -> LocalBackbone:
    torch.manual_seed(seed)
    backbone = LocalBackbone(stages, CONTEXTS).double().eval()
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return backbone


def score_plainly_in_double(locus, reference, backbone):
    """The plain loop of the toys, in double precision."""

    class AsDouble(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bin_size, self.receptive_field, self.contexts = (
                backbone.bin_size,
                backbone.receptive_field,
                CONTEXTS,
            )

        def forward(self, one_hot):
            return backbone(one_hot.double())

    return predict_each_mutant(locus, reference, AsDouble())


@pytest.mark.parametrize("seed", range(10))
def test_stages_of_any_shape_give_the_plain_loops_effects_in_double_precision(toy_world, seed):
    rng = np.random.default_rng(seed)
    backbone = double_backbone(random_shape(rng), seed)
    start = int(rng.integers(400, 19_000))
    locus = Locus("20", start, start + int(rng.integers(1, 150)))
    fast = mutagenesis(locus, toy_world.reference, backbone)
    slow = score_plainly_in_double(locus, toy_world.reference, backbone)
    # results are kept in single precision
    assert_same_effects(fast.effect.values, slow, rtol=1e-6, atol=1e-9)


def test_tiles_and_small_batches_do_not_change_the_result(toy_world, monkeypatch):
    locus = Locus("20", 19_500, 21_100)
    whole = mutagenesis(locus, toy_world.reference, toy_world.backbone)
    module = __import__("sys").modules["phenviz.attribution.mutagenesis"]
    monkeypatch.setattr(module, "TILE_BASES", 384)
    tiles = []
    tiled = mutagenesis(
        locus,
        toy_world.reference,
        toy_world.backbone,
        batch_size=1,
        progress=Progress(on_partial=tiles.append),
    )
    np.testing.assert_allclose(tiled.effect, whole.effect, rtol=1e-4, atol=2e-6)
    assert len(tiles) > 3
    np.testing.assert_array_equal(merge_tiles(tiles).effect, tiled.effect)


def test_the_result_says_what_it_holds(toy_world):
    locus = Locus("20", 19_990, 20_010)
    dataset = mutagenesis(locus, toy_world.reference, toy_world.backbone, contexts=["B", "CL:0000764"])
    assert validate(dataset) == "mutagenesis"
    assert list(dataset.context.values) == ["B", "Ery"]
    assert "".join(dataset.reference.values[10:]) == "N" * 10
    assert np.isnan(dataset.effect[10:]).all()
    at_reference = dataset.effect.values[
        np.arange(10), ["ACGT".index(base) for base in dataset.reference.values[:10]]
    ]
    assert (at_reference == 0).all()
    assert "log2(1 + sum ALT)" in dataset.attrs["definition"]
    everything = mutagenesis(locus, toy_world.reference, toy_world.backbone)
    np.testing.assert_array_equal(dataset.effect[:10], everything.effect[:10, :, [2, 0]])


def test_contribution_is_minus_the_mean_effect_of_the_three_alternates(toy_world):
    dataset = mutagenesis(Locus("20", 1_000, 1_050), toy_world.reference, toy_world.backbone)
    # the effect at the reference allele is 0, so that the sum over alleles is that over the alternates
    np.testing.assert_allclose(contribution(dataset), -dataset.effect.sum("allele") / 3, rtol=1e-5, atol=1e-7)


class Wrapped(torch.nn.Module):
    """The toy backbone as a model of which only the protocol is known."""

    def __init__(self, backbone: LocalBackbone, **attributes) -> None:
        super().__init__()
        self.inner = backbone
        for name in ("name", "weights_hash", "window", "bin_size", "receptive_field", "contexts"):
            setattr(self, name, attributes.get(name, getattr(backbone, name)))
        self.seen: list[int] = []

    def encode(self, one_hot):
        self.seen.append(len(one_hot))
        return self.inner.encode(one_hot)

    def activity(self, embedding):
        return self.inner.activity(embedding)

    def forward(self, one_hot):
        return self.activity(self.encode(one_hot))


@pytest.mark.parametrize(
    "attributes", [{}, {"receptive_field": None, "window": 4_096}], ids=["crops", "windows"]
)
@pytest.mark.parametrize(
    "locus", [Locus("20", 19_990, 20_003), Locus("20", LENGTH - 160, LENGTH - 145)], ids=str
)
def test_any_backbone_goes_through_the_protocol_alone(toy_world, attributes, locus):
    backbone = Wrapped(toy_world.backbone, **attributes)
    assert isinstance(backbone, SequenceBackbone)
    got = mutagenesis(locus, toy_world.reference, backbone)
    slow = predict_each_mutant(locus, toy_world.reference, toy_world.backbone)
    assert_same_effects(got.effect.values, slow, rtol=1e-4, atol=2e-6)


def test_edits_to_the_base_that_is_there_are_not_computed(toy_world):
    backbone = Wrapped(toy_world.backbone)
    mutagenesis(Locus("20", 1_000, 1_010), toy_world.reference, backbone)
    # one run of the tile; then, for each of 10 phases, one crop of the reference and three mutants
    assert sorted(backbone.seen) == [1] * 11 + [3] * 10


@pytest.mark.parametrize("wrap", [lambda backbone: backbone, Wrapped], ids=["stages", "crops"])
@pytest.mark.parametrize("place", [0, -3_072, 3_072], ids=["at the TSS", "upstream edge", "downstream edge"])
def test_effects_on_a_genes_expression_equal_predicting_it_anew(toy_world, wrap, place):
    gene, readout = toy_world.annotation.gene("BETA"), toy_readout()
    locus = Locus("20", gene.tss + place - 60, gene.tss + place + 60)
    fast = mutagenesis(locus, toy_world.reference, wrap(toy_world.backbone), gene_target=(gene, readout))
    slow = express_each_mutant(
        locus, toy_world.reference, in_double(toy_world.backbone), gene, in_double(readout)
    )
    assert_same_effects(fast.effect.values, slow, rtol=1e-4, atol=1e-6)
    assert fast.attrs["units"] == "change of ln(1 + CPM)"


def gene_at(tss: int, strand: str, contig: str = "20") -> Gene:
    """Make a gene that begins somewhere: 0-based position of its first transcribed base."""
    first = tss if strand == "+" else tss - 400
    locus = Locus(contig, first, first + 401, strand)
    return Gene("EDGE", "ENSG1", locus, tss, ((locus.start, locus.end),))


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(
    ("tss", "start", "end"),
    [
        (GAP[0] - 200, GAP[0] - 30, GAP[0] + 5),  # the gap lies within the gene's bins
        (GAP[1] + 700, GAP[1] - 5, GAP[1] + 30),
        (900, 290, 330),  # the reach overhangs the contig's start, and N run into it
        (LENGTH - 700, LENGTH - 180, LENGTH - 140),
        (30_000, 29_995, 30_006),  # both sides of the TSS
        (30_000, 30_000 + 3_072, 30_000 + 3_072 + 140),  # beyond the last bin that is read
    ],
)
def test_effects_on_genes_of_both_strands_hold_beside_n_runs_and_at_edges(toy_world, strand, tss, start, end):
    gene, readout, locus = gene_at(tss, strand), toy_readout(), Locus("20", start, end)
    fast = mutagenesis(locus, toy_world.reference, toy_world.backbone, gene_target=(gene, readout))
    slow = express_each_mutant(
        locus, toy_world.reference, in_double(toy_world.backbone), gene, in_double(readout)
    )
    assert_same_effects(fast.effect.values, slow, rtol=1e-4, atol=1e-6)


def test_a_gene_on_the_reverse_complement_of_a_contig_has_the_same_effects(toy_world, tmp_path):
    # bins lie on the contig's grid, so that only a contig of whole bins has them at the mirrored places
    codes = np.random.default_rng(5).integers(0, 4, 48 * 128).astype(np.uint8)
    codes[3_000:3_100] = 4
    paths = [tmp_path / "forward.fa", tmp_path / "reverse.fa"]
    for path, own in zip(paths, (codes, reverse_complement(codes)), strict=True):
        path.write_text(f">20\n{decode(own)}\n")
    forward, reverse = (ReferenceGenome(path, assembly="toy", cache_dir=tmp_path / "cache") for path in paths)
    locus = Locus("20", 2_900, 3_200)
    mirrored = Locus("20", len(codes) - locus.end, len(codes) - locus.start)
    backbone, readout, tss = in_double(toy_world.backbone), in_double(toy_readout(reach=1_024)), 3_300
    one = mutagenesis(locus, forward, backbone, gene_target=(gene_at(tss, "+"), readout))
    # distances are from the TSS's coordinate to the middle of a bin: that coordinate is what is mirrored
    gene = gene_at(len(codes) - tss, "-")
    other = mutagenesis(mirrored, reverse, backbone, gene_target=(gene, readout))
    # T stands where A stood, from right to left
    turned = other.effect.values[::-1, ::-1]
    assert np.nanmax(np.abs(turned)) > 1e-3
    assert_same_effects(one.effect.values, turned, rtol=1e-4, atol=1e-7)


def test_bases_out_of_a_genes_reach_have_no_effect(toy_world):
    gene, readout = toy_world.annotation.gene("BETA"), toy_readout()
    end = reach_of_gene(gene, readout, toy_world.reference, toy_world.backbone).end
    partly = mutagenesis(
        Locus("20", end - 128, end + 50),
        toy_world.reference,
        toy_world.backbone,
        gene_target=(gene, readout),
    )
    assert (partly.effect.sel(position=slice(end + 1, None)) == 0).all() and (partly.effect != 0).any()


@pytest.mark.parametrize(("gene", "start"), [("BETA", 30_000), ("DELTA", 3_000)])
def test_a_locus_that_reaches_no_base_of_the_gene_is_refused(toy_world, gene, start):
    with pytest.raises(TargetError, match=f"no base of chr20:.* reaches the expression of {gene}, which"):
        mutagenesis(
            Locus("20", start, start + 50),
            toy_world.reference,
            toy_world.backbone,
            gene_target=(toy_world.annotation.gene(gene), toy_readout()),
        )


def test_a_global_backbone_takes_one_position_at_a_time_and_fewer_windows_where_memory_is_short(toy_world):
    class Short(Wrapped):
        def encode(self, one_hot):
            if len(one_hot) > 1:
                raise MemoryError
            return super().encode(one_hot)

    how = {"receptive_field": None, "window": 4_096}
    locus, cancel = Locus("20", 14_000, 14_010), threading.Event()
    expected = mutagenesis(locus, toy_world.reference, Wrapped(toy_world.backbone, **how))
    short = Short(toy_world.backbone, **how)
    found = mutagenesis(locus, toy_world.reference, short)
    np.testing.assert_allclose(found["effect"], expected["effect"], rtol=1e-4, atol=1e-6)
    assert short.seen == [1] * (1 + 3 * locus.length)

    def stop(stage, fraction):
        if fraction:
            cancel.set()

    heard = Wrapped(toy_world.backbone, **how)
    with pytest.raises(Cancelled):
        mutagenesis(locus, toy_world.reference, heard, progress=Progress(on_change=stop, cancel_event=cancel))
    assert heard.seen == [1, 3]


def test_a_global_backbone_refuses_a_genes_expression(toy_world):
    backbone = Wrapped(toy_world.backbone, receptive_field=None, window=4_096)
    gene = toy_world.annotation.gene("BETA")
    with pytest.raises(ModelError, match="integrated gradients"):
        mutagenesis(
            Locus("20", 14_000, 14_050), toy_world.reference, backbone, gene_target=(gene, toy_readout())
        )


def test_mutagenesis_stops_within_one_batch_of_cancel(toy_world):
    progress, batches = cancelled_after(3)

    with pytest.raises(Cancelled):
        mutagenesis(
            Locus("20", 1_000, 3_000), toy_world.reference, toy_world.backbone,
            progress=progress,
        )  # fmt: skip
    assert len(batches) == 3


def test_progress_ends_at_one(toy_world):
    seen = []
    mutagenesis(
        Locus("20", 19_900, 20_100), toy_world.reference, toy_world.backbone,
        progress=Progress(on_change=lambda stage, fraction: seen.append(fraction)),
    )  # fmt: skip
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


class ShortOfMemory(Wrapped):
    """Fails as the CPU allocator does, above a number of windows at once."""

    limit = 4

    def encode(self, one_hot):
        if len(one_hot) > self.limit:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: not enough memory")
        return super().encode(one_hot)


def test_a_batch_that_does_not_fit_is_halved(toy_world):
    locus = Locus("20", 1_000, 1_600)
    got = mutagenesis(locus, toy_world.reference, ShortOfMemory(toy_world.backbone))
    whole = mutagenesis(locus, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(got.effect, whole.effect, rtol=1e-4, atol=2e-6)


def test_memory_that_never_suffices_is_an_error_in_words(toy_world):
    backbone = ShortOfMemory(toy_world.backbone)
    backbone.limit = 1
    with pytest.raises(MemoryLimitError, match="shorter locus"):
        mutagenesis(Locus("20", 1_000, 1_010), toy_world.reference, backbone)


def test_the_centre_mask_is_four_bins_of_128_bases():
    assert mask_bins(128) == Interval(-2, 1)
    assert len(mask_bins(32)) == 16


def test_cells_that_the_target_does_not_see_are_not_recomputed(toy_world):
    stages = list(toy_world.backbone.stages)
    all_cells = changed_outputs(stages, 5, None)
    needed = changed_outputs(stages, 5, Interval(0, 0))
    assert all(len(some) <= len(every) for some, every in zip(needed, all_cells, strict=True))
    assert needed[-1] == Interval(0, 0)


def test_an_unknown_context_is_refused(toy_world):
    liver = Context("Liver", "liver", "UBERON:0002107", "organ", "#000000")
    with pytest.raises(TargetError, match="Liver"):
        public_verb(Locus("20", 1_000, 1_010), toy_world.reference, toy_world.backbone, contexts=[liver])
