"""Edits of whole elements, compared with predicting each edited sequence as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from phenviz.attribution import ablate, insert, marginalize, mutagenesis, substitute, swap
from phenviz.attribution.shuffles import replacements
from phenviz.errors import LocusError, ModelError, SequenceError, TargetError
from phenviz.genome import Locus
from phenviz.genome.codes import decode, encode
from phenviz.models.backbone import halo
from phenviz.models.readout import gene_bins
from phenviz.models.windows import one_hot_tensor
from phenviz.progress import Progress
from tests.attribution.oracles import CPU, in_double, toy_readout
from tests.attribution.test_mutagenesis import Wrapped
from tests.toys import CONTIGS, GAP, activity_of_codes

SIZE = 128
LENGTH = CONTIGS["20"]
SPANS = [
    Locus("20", 5_003, 5_023),
    Locus("20", 6_100, 6_500),
    Locus("20", 120, 340),
    Locus("20", LENGTH - 190, LENGTH - 100),
    Locus("20", GAP[0] - 30, GAP[0] + 10),
    Locus("21", 0, 9),
]


def whole(reference, contig):
    """Return a contig with unknown bases on both sides, whole bins, and where it begins within."""
    flank = 8 * SIZE
    end = -(-CONTIGS[contig] // SIZE) * SIZE + flank
    return np.array(reference.fetch_codes(contig, -flank, end)), flank


def sums(codes, flank, first, last, backbone):
    """Sum the activity of a whole edited contig over bins first to last, both included: (contexts,)."""
    begin = max((first * SIZE + flank) - halo(backbone), 0)
    end = (last + 1) * SIZE + flank + halo(backbone)
    activity = activity_of_codes(codes[None, begin:end], backbone)[0].astype(np.float64)
    own = (first * SIZE + flank - begin) // SIZE
    return activity[:, own : own + last - first + 1].sum(-1)


def score(contig, start, end, edited, toy_world):
    """Score an edited contig the slow way: predict it and the unedited one, and sum over the mask."""
    before, flank = whole(toy_world.reference, contig)
    first, last = start // SIZE - 2, (end - 1) // SIZE + 1
    after = sums(edited, flank, first, last, toy_world.backbone)
    return np.log2(1 + after) - np.log2(1 + sums(before, flank, first, last, toy_world.backbone))


def test_ablation_by_unknown_bases_is_that_of_the_edited_contig(toy_world):
    found = ablate(SPANS, toy_world.reference, toy_world.backbone, by="N")
    for row, span in enumerate(SPANS):
        edited, flank = whole(toy_world.reference, span.contig)
        edited[flank + span.start : flank + span.end] = 4
        expected = score(span.contig, span.start, span.end, edited, toy_world)
        np.testing.assert_allclose(found.effect[row], expected, rtol=1e-4, atol=2e-6)
    assert np.isnan(found.effect_std).all()
    assert found.start.values.tolist() == [span.start for span in SPANS]
    assert found.contig.values.tolist() == [span.contig for span in SPANS]


@pytest.mark.parametrize("by", ["dinucleotide", "shuffle"])
def test_ablation_is_the_mean_over_the_shuffles_that_the_generator_draws(toy_world, by):
    found = ablate(
        SPANS, toy_world.reference, toy_world.backbone, by=by, n_shuffles=4, rng=np.random.default_rng(7)
    )
    rng = np.random.default_rng(7)
    for row, span in enumerate(SPANS):
        plain, flank = whole(toy_world.reference, span.contig)
        inside = slice(flank + span.start, flank + span.end)
        scores = []
        for shuffled in replacements(plain[inside], by, 4, rng):
            edited = plain.copy()
            edited[inside] = shuffled
            scores.append(score(span.contig, span.start, span.end, edited, toy_world))
        np.testing.assert_allclose(found.effect[row], np.mean(scores, 0), rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(found.effect_std[row], np.std(scores, 0, ddof=1), rtol=1e-3, atol=2e-6)


def test_shuffles_keep_the_bases_and_the_unknown_ones_in_place():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 200).astype(np.uint8)
    codes[50:60] = 4
    for how in ("dinucleotide", "shuffle"):
        shuffled = replacements(codes, how, 5, rng)
        assert (shuffled[:, 50:60] == 4).all() and not (shuffled == codes).all(1).any()
        for row in shuffled:
            for part in (slice(0, 50), slice(60, 200)):
                assert np.array_equal(np.bincount(row[part]), np.bincount(codes[part]))
                if how == "dinucleotide":
                    pairs = [np.bincount(x[part][:-1] * 4 + x[part][1:], minlength=16) for x in (row, codes)]
                    np.testing.assert_array_equal(*pairs)


@pytest.mark.parametrize("sequence", ["A", "AC", "AAAAAA", "ACT", "N", ""])
def test_short_and_monotonous_sequences_are_shuffled_as_well_as_they_can_be(sequence):
    shuffled = replacements(encode(sequence), "dinucleotide", 3, np.random.default_rng(0))
    assert shuffled.shape == (3, len(sequence))
    assert {"".join(sorted(decode(row))) for row in shuffled} == {"".join(sorted(sequence))}


def test_writing_one_base_over_the_genome_is_mutagenesis(toy_world):
    places = [Locus("20", start, start + 1) for start in (5_000, 5_120, 7_777, GAP[0] - 1)]
    found = substitute(places, list("ACGT"), toy_world.reference, toy_world.backbone)
    for row, place in enumerate(places):
        expected = mutagenesis(place, toy_world.reference, toy_world.backbone).effect[0]
        np.testing.assert_allclose(found.effect[row], expected, rtol=1e-4, atol=2e-6)


def test_writing_a_sequence_is_that_of_the_edited_contig(toy_world):
    words = ["TGACTCA", "ACGT" * 40]
    places = [Locus("20", 5_100, 5_101), Locus("20", 9_999, 10_020), Locus("21", 3, 4)]
    found = substitute(places, words, toy_world.reference, toy_world.backbone, contexts=["B", "Ery"])
    assert found.context.values.tolist() == ["B", "Ery"] and found.sequence.values.tolist() == words
    for row, place in enumerate(places):
        for column, word in enumerate(words):
            edited, flank = whole(toy_world.reference, place.contig)
            edited[flank + place.start : flank + place.start + len(word)] = encode(word)
            expected = score(place.contig, place.start, place.start + len(word), edited, toy_world)
            np.testing.assert_allclose(found.effect[row, column], expected[[2, 0]], rtol=1e-4, atol=2e-6)


def test_insertion_moves_what_follows_to_the_right(toy_world):
    words = ["TGACTCA", "ACGT" * 50]
    places = [
        Locus("20", 5_100, 5_101),
        Locus("20", GAP[1], GAP[1] + 1),
        Locus("21", CONTIGS["21"] - 1, CONTIGS["21"]),
    ]
    found = insert(places, words, toy_world.reference, toy_world.backbone)
    for row, place in enumerate(places):
        for column, word in enumerate(words):
            plain, flank = whole(toy_world.reference, place.contig)
            at = flank + place.start
            edited = np.concatenate([plain[:at], encode(word), plain[at:]])
            expected = score(place.contig, place.start, place.start + len(word), edited, toy_world)
            np.testing.assert_allclose(found.effect[row, column], expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("apart", [40, 300, 5_000])
def test_swapped_spans_hold_each_others_sequence(toy_world, apart):
    first, second = Locus("20", 6_000, 6_030), Locus("20", 6_000 + apart, 6_030 + apart)
    found = swap([(first, second), (second, first)], toy_world.reference, toy_world.backbone)
    edited, flank = whole(toy_world.reference, "20")
    here, there = (slice(flank + locus.start, flank + locus.end) for locus in (first, second))
    edited[here], edited[there] = edited[there].copy(), edited[here].copy()
    for row, order in enumerate([(first, second), (second, first)]):
        for column, locus in enumerate(order):
            expected = score("20", locus.start, locus.end, edited, toy_world)
            np.testing.assert_allclose(found.effect[row, column], expected, rtol=1e-4, atol=2e-6)
            assert int(found.start[row, column]) == locus.start


def test_edits_that_reach_no_base_of_the_gene_are_refused(toy_world):
    world = (toy_world.reference, toy_world.backbone)
    target = (toy_world.annotation.gene("BETA"), toy_readout())
    near = Locus("20", target[0].tss, target[0].tss + 8)
    far, farther = Locus("20", 30_000, 30_008), Locus("20", 31_000, 31_008)
    for ask in (
        lambda: ablate([far, farther], *world, gene_target=target),
        lambda: substitute([far], "ACGT", *world, gene_target=target),
        lambda: swap([(far, farther)], *world, gene_target=target),
    ):
        with pytest.raises(TargetError, match=r"no base of chr20:30,001.* reaches the expression of BETA"):
            ask()
    found = ablate([near, far], *world, by="N", gene_target=target)
    assert (found.effect[0] != 0).any() and (found.effect[1] == 0).all()


@pytest.mark.parametrize("place", [0, -3_072, 3_000])
def test_ablation_changes_a_genes_expression_as_predicting_it_anew_does(toy_world, place):
    gene, readout = toy_world.annotation.gene("BETA"), toy_readout()
    span = Locus("20", gene.tss + place - 40, gene.tss + place + 40)
    found = ablate(
        [span],
        toy_world.reference,
        toy_world.backbone,
        by="N",
        gene_target=(gene, readout),
        contexts=["Mono"],
    )
    backbone, readout = in_double(toy_world.backbone), in_double(readout)
    around, flank = gene_bins(gene, backbone, toy_world.reference, readout.reach), halo(backbone)
    codes = np.array(toy_world.reference.fetch_codes("20", around.start - flank, around.end + flank))
    edited = codes.copy()
    first, last = span.start - around.start + flank, span.end - around.start + flank
    edited[max(first, 0) : max(last, 0)] = 4
    with torch.inference_mode():
        embedding = backbone.encode(one_hot_tensor(np.stack([codes, edited]), CPU, torch.float64))
        inner = flank // SIZE
        expression = readout.expression(
            embedding[:, :, inner:-inner], torch.from_numpy(around.distance).double()
        )
    expected = (expression[1] - expression[0])[1]
    np.testing.assert_allclose(found.effect[0, 0], expected, rtol=1e-4, atol=1e-6)


def test_global_backbones_are_edited_within_their_window(toy_world):
    backbone = Wrapped(toy_world.backbone, receptive_field=None, window=4_096)
    span = Locus("20", 6_100, 6_500)
    found = ablate([span], toy_world.reference, backbone, by="N")
    expected = ablate([span], toy_world.reference, toy_world.backbone, by="N")
    np.testing.assert_allclose(found.effect, expected.effect, rtol=1e-4, atol=2e-6)
    with pytest.raises(ModelError, match="doesn't fit"):
        ablate([Locus("20", 6_000, 12_000)], toy_world.reference, backbone, by="N")


def test_marginalizing_compares_a_motif_with_its_shuffles_in_the_same_backgrounds(toy_world):
    backgrounds = [Locus("20", start, start + 10) for start in range(5_000, 9_000, 400)]
    motif, rng = "TGACTCATT", np.random.default_rng(3)
    found = marginalize(
        {"AP1": motif}, toy_world.reference, toy_world.backbone, backgrounds=backgrounds,
        rng=np.random.default_rng(3),
    )  # fmt: skip
    scores = []
    for locus in backgrounds:
        plain, flank = whole(toy_world.reference, "20")
        middle = (locus.start + locus.end) // 2 // SIZE * SIZE + SIZE // 2
        first = middle - len(motif) // 2
        pair = []
        for written in (encode(motif), rng.permutation(encode(motif))):
            edited = plain.copy()
            edited[flank + first : flank + first + len(motif)] = written
            pair.append(score("20", first, first + len(motif), edited, toy_world))
        scores.append(pair)
    scores = np.array(scores)
    test = stats.ttest_rel(scores[:, 0], scores[:, 1])
    low, high = test.confidence_interval(0.95)
    for name, expected in {
        "effect": scores[:, 0].mean(0),
        "control": scores[:, 1].mean(0),
        "difference": (scores[:, 0] - scores[:, 1]).mean(0),
        "difference_low": low,
        "difference_high": high,
    }.items():
        np.testing.assert_allclose(found[name][0], expected, rtol=1e-3, atol=2e-6, err_msg=name)
    np.testing.assert_allclose(found.p_value[0], test.pvalue, rtol=1e-2)


def test_drawn_backgrounds_are_the_same_for_the_same_generator(toy_world):
    motifs = {"one": np.eye(4)[:, [0, 1, 2, 3]], "two": "GATAAG"}
    first, again = (
        marginalize(motifs, toy_world.reference, toy_world.backbone, backgrounds=6) for _ in range(2)
    )
    assert first.identical(again)
    assert first.sequence.values.tolist() == ["ACGT", "GATAAG"]
    assert (first.difference_low <= first.difference).all() and (
        first.difference <= first.difference_high
    ).all()


def test_progress_ends_at_one_and_results_say_what_they_hold(toy_world):
    seen = []
    found = ablate(
        SPANS, toy_world.reference, toy_world.backbone, by="N",
        progress=Progress(on_change=lambda stage, fraction: seen.append(fraction)),
    )  # fmt: skip
    assert seen[-1] == pytest.approx(1)
    assert found.attrs["units"] == "log2 fold change" and "unknown bases" in found.attrs["definition"]
    assert found.context_label.values.tolist() == ["erythroid", "monocyte", "B cell"]


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (lambda w: ablate([], w.reference, w.backbone), LocusError, "at least one"),
        (lambda w: ablate([Locus("20", 5, 10**6)], w.reference, w.backbone), LocusError, "ends at 50,021"),
        (lambda w: ablate(SPANS, w.reference, w.backbone, by="blur"), ModelError, "blur"),
        (lambda w: ablate(SPANS, w.reference, w.backbone, n_shuffles=0), ModelError, "1 or more"),
        (lambda w: ablate(SPANS, w.reference, w.backbone, contexts=["Liver"]), TargetError, "Liver"),
        (lambda w: insert(SPANS, "ACGX", w.reference, w.backbone), SequenceError, "ACGX"),
        (lambda w: substitute(SPANS, [], w.reference, w.backbone), SequenceError, "at least one"),
        (lambda w: swap([(SPANS[0], SPANS[1])], w.reference, w.backbone), LocusError, "differ in length"),
        (lambda w: swap([(SPANS[0], SPANS[0])], w.reference, w.backbone), LocusError, "overlap"),
        (lambda w: marginalize({"a": "ACN"}, w.reference, w.backbone), SequenceError, "'a'"),
        (lambda w: marginalize({"a": "A"}, w.reference, w.backbone, backgrounds=1), LocusError, "at least 2"),
    ],
)  # fmt: skip
def test_edits_that_make_no_sense_are_refused_in_words(toy_world, edit, error, words):
    with pytest.raises(error, match=words):
        edit(toy_world)
