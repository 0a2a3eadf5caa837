from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phenviz.attribution import mutagenesis
from phenviz.effects import score_variants
from phenviz.errors import Cancelled, DataError, TargetError
from phenviz.genome import Locus
from phenviz.models.local import LocalBackbone
from phenviz.progress import Progress
from tests.attribution.test_mutagenesis import double_backbone, random_shape
from tests.effects.oracles import BASES, random_variants, slow_scores
from tests.toys import CONTEXTS, CONTIGS, GAP


def table(*rows: tuple[str, int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["contig", "position", "ref", "alt"]).assign(id="")


def every_change(world, contig: str, start: int, end: int) -> pd.DataFrame:
    """All single-base changes of some bases."""
    codes = world.reference.codes(contig)[start:end]
    rows = [
        (contig, start + offset + 1, BASES[code], alt)
        for offset, code in enumerate(codes)
        if code < 4
        for alt in BASES
        if alt != BASES[code]
    ]
    return table(*rows)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_every_kind_of_variant_scores_as_predicting_both_alleles_of_the_whole_contig(toy_world, seed):
    variants = random_variants(np.random.default_rng(seed), toy_world.reference, 12)
    fast = score_variants(variants, toy_world.reference, toy_world.backbone)
    effect, active = slow_scores(variants, toy_world.reference, toy_world.backbone)
    assert (fast.status == "scored").all()
    np.testing.assert_allclose(fast.effect, effect, rtol=1e-4, atol=4e-6)
    np.testing.assert_allclose(fast.active, active, rtol=1e-5)


def test_a_deletion_that_can_be_written_beside_unknown_bases_is_scored(toy_world):
    sequence = toy_world.reference.sequence(Locus("20", GAP[1], GAP[1] + 40)).upper()
    # without its first base as long as without its last: aligned to the left, it stands beside the gap
    long = sequence.index(sequence[0], 1) + 1
    variants = table(
        ("20", GAP[1] + 1, sequence[:long], sequence[0]), ("20", GAP[1], "N" + sequence[: long - 1], "N")
    )
    fast = score_variants(variants, toy_world.reference, toy_world.backbone)
    effect, _ = slow_scores(variants, toy_world.reference, toy_world.backbone)
    assert (fast.status == "scored").all()
    np.testing.assert_allclose(fast.effect, effect, rtol=1e-4, atol=4e-6)
    np.testing.assert_allclose(fast.effect[0], fast.effect[1], rtol=1e-5)
    unknown = score_variants(table(("20", GAP[1] - 9, "NN", "N")), toy_world.reference, toy_world.backbone)
    assert unknown.status.values.tolist() == ["unknown sequence"]


@pytest.mark.parametrize(
    ("start", "end"),
    [(1_000, 1_300), (0, 320), (GAP[0] - 20, GAP[1] + 20), (CONTIGS["20"] - 170, CONTIGS["20"])],
)
def test_single_base_variants_score_as_in_mutagenesis(toy_world, start, end):
    variants = every_change(toy_world, "20", start, end)
    scores = score_variants(variants, toy_world.reference, toy_world.backbone)
    ism = mutagenesis(Locus("20", start, end), toy_world.reference, toy_world.backbone)
    alleles = ["ACGT".index(alt) for alt in variants["alt"]]
    expected = ism["effect"].values[variants["position"].to_numpy() - 1 - start, alleles]
    np.testing.assert_allclose(scores.effect, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("seed", range(8))
def test_stages_of_any_shape_give_the_effects_of_mutagenesis_in_double_precision(toy_world, seed):
    rng = np.random.default_rng(seed)
    backbone = double_backbone(random_shape(rng), seed)
    start = int(rng.integers(400, 19_000))
    variants = every_change(toy_world, "20", start, start + int(rng.integers(1, 140)))
    scores = score_variants(variants, toy_world.reference, backbone)
    locus = Locus("20", start, int(variants["position"].max()))
    ism = mutagenesis(locus, toy_world.reference, backbone)
    alleles = ["ACGT".index(alt) for alt in variants["alt"]]
    expected = ism["effect"].values[variants["position"].to_numpy() - 1 - start, alleles]
    np.testing.assert_allclose(scores.effect, expected, rtol=1e-6, atol=1e-9)


class Crops(LocalBackbone):
    """The same model, of a kind that the engine knows nothing about."""


class Global(torch.nn.Module):
    """A model that must be given its whole window."""

    name, weights_hash, window, bin_size, receptive_field = "global", "unsaved", 4_096, 128, None
    contexts = CONTEXTS

    def __init__(self, local: LocalBackbone) -> None:
        super().__init__()
        self.local = local

    def encode(self, one_hot):
        assert one_hot.shape[2] == self.window
        return self.local.encode(one_hot)

    def activity(self, embedding):
        return self.local.activity(embedding)

    def forward(self, one_hot):
        return self.activity(self.encode(one_hot))


def as_crops(backbone: LocalBackbone) -> Crops:
    crops = Crops.from_config(backbone.config())
    crops.load_state_dict(backbone.state_dict())
    return crops.eval()


@pytest.mark.parametrize("kind", [as_crops, Global])
def test_crops_and_whole_windows_give_the_numbers_of_the_fast_engine(toy_world, kind):
    variants = random_variants(np.random.default_rng(5), toy_world.reference, 40)
    fast = score_variants(variants, toy_world.reference, toy_world.backbone)
    slow = score_variants(variants, toy_world.reference, kind(toy_world.backbone))
    np.testing.assert_allclose(fast.effect, slow.effect, rtol=1e-4, atol=4e-6)
    np.testing.assert_allclose(fast.active, slow.active, rtol=1e-5)


def test_results_come_in_the_order_of_the_table_with_repeated_rows_repeated(toy_world):
    variants = random_variants(np.random.default_rng(6), toy_world.reference, 60)
    shuffled = variants.sample(150, replace=True, random_state=1)
    whole = score_variants(variants, toy_world.reference, toy_world.backbone)
    scores = score_variants(shuffled, toy_world.reference, toy_world.backbone)
    assert scores["id"].values.tolist() == shuffled["id"].tolist()
    expected = whole.effect.values[shuffled.index]
    np.testing.assert_allclose(scores.effect, expected, rtol=1e-4, atol=2e-6)


def test_tiles_and_their_size_do_not_change_the_scores(toy_world, monkeypatch):
    variants = random_variants(np.random.default_rng(7), toy_world.reference, 80)
    whole = score_variants(variants, toy_world.reference, toy_world.backbone)
    monkeypatch.setattr("phenviz.effects.tiles.CPU_TILE_BASES", 512)
    monkeypatch.setattr("phenviz.effects.tiles._TILE_ROWS", 3)
    monkeypatch.setattr("phenviz.inference.local_engine.SINGLES_AT_ONCE", 2)
    monkeypatch.setattr("phenviz.inference.embedded_edits._CPU_CROP_BASES", 1)
    tiled = score_variants(variants, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(whole.effect, tiled.effect, rtol=1e-4, atol=2e-6)


def test_rows_that_cannot_be_scored_are_nan_and_say_why(toy_world):
    codes = toy_world.reference.codes("20")
    base = "ACGT"[codes[1_000]]
    other = "ACGT"[(codes[1_000] + 1) % 4]
    variants = table(
        ("chr20", 1_001, base.lower(), other.lower()),
        ("20", 1_001, other, base),
        ("20", 1_001, base, "<DEL>"),
        ("20", 1_001, base, "*"),
        ("20", 1_001, base, "N"),
        ("20", CONTIGS["20"] + 1, "A", "C"),
        ("20", 0, "A", "C"),
        ("20", GAP[0] + 5, "N", "C"),
        ("20", CONTIGS["20"], "NN", "N"),
        ("7", 1_001, base, other),
        ("20", 1_001, "", "A"),
    )
    scores = score_variants(variants, toy_world.reference, toy_world.backbone)
    assert scores["status"].values.tolist() == [
        "scored", "reference mismatch", *["unsupported allele"] * 3, *["outside the contig"] * 2,
        "unknown sequence", "unsupported allele", "unknown contig", "reference mismatch",
    ]  # fmt: skip
    assert np.isfinite(scores.effect[0]).all() and scores["contig"].values[0] == "20"
    assert scores.effect[1:].isnull().all() and scores.active[1:].isnull().all()
    assert scores.attrs["skipped"].startswith("2 reference mismatch, 2 outside the contig")


def test_an_allele_that_is_the_reference_changes_nothing(toy_world):
    sequence = "".join("ACGT"[code] for code in toy_world.reference.codes("20")[1_000:1_040])
    variants = table(("20", 1_001, sequence[0], sequence[0]), ("20", 1_001, sequence, sequence))
    scores = score_variants(variants, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(scores.effect, 0, atol=1e-6)


def test_what_an_indel_does_not_reach_keeps_the_references_numbers(toy_world):
    # an insertion in the first bin of a mask, too far from the last bin to be seen there
    base = "ACGT"[toy_world.reference.codes("20")[5_000]]
    variants = table(("20", 5_001, base, base + "ACG"))
    scores = score_variants(variants, toy_world.reference, toy_world.backbone)
    effect, _ = slow_scores(variants, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(scores.effect, effect, rtol=1e-4, atol=2e-6)


def test_a_deletion_longer_than_any_tile_is_scored(toy_world):
    reference = toy_world.reference
    ref = "".join("ACGTN"[code] for code in reference.codes("20")[5_000:45_000])
    variants = table(("20", 5_001, ref, ref[0]))
    scores = score_variants(variants, reference, toy_world.backbone)
    effect, _ = slow_scores(variants, reference, toy_world.backbone)
    np.testing.assert_allclose(scores.effect, effect, rtol=1e-4, atol=2e-6)


def test_no_variants_give_an_empty_result(toy_world):
    scores = score_variants(table(), toy_world.reference, toy_world.backbone)
    assert scores.effect.shape == (0, len(CONTEXTS)) and scores.attrs["assembly"] == "toy1"


def test_contexts_are_chosen_in_the_order_asked_for(toy_world):
    variants = random_variants(np.random.default_rng(8), toy_world.reference, 10)
    all_of_them = score_variants(variants, toy_world.reference, toy_world.backbone)
    chosen = score_variants(variants, toy_world.reference, toy_world.backbone, contexts=["B", "CL:0000764"])
    assert chosen["context"].values.tolist() == ["B", "Ery"]
    np.testing.assert_allclose(chosen.effect, all_of_them.effect.sel(context=["B", "Ery"]), rtol=1e-6)
    with pytest.raises(TargetError):
        score_variants(variants, toy_world.reference, toy_world.backbone, contexts=["liver"])


def test_a_table_without_alleles_or_with_half_positions_is_refused(toy_world):
    with pytest.raises(DataError, match="lacks the column ref, alt"):
        score_variants(table()[["contig", "position"]], toy_world.reference, toy_world.backbone)
    with pytest.raises(DataError, match="position"):
        score_variants(table(("20", 1.5, "A", "C")), toy_world.reference, toy_world.backbone)


def test_chunks_have_the_scores_of_the_whole_table(toy_world):
    variants = random_variants(np.random.default_rng(9), toy_world.reference, 50)
    whole = score_variants(variants, toy_world.reference, toy_world.backbone)
    chunks = (variants.iloc[start : start + 20] for start in range(0, 50, 20))
    parts = [score_variants(chunk, toy_world.reference, toy_world.backbone) for chunk in chunks]
    assert [part.sizes["variant"] for part in parts] == [20, 20, 10]
    joined = np.concatenate([part.effect for part in parts])
    np.testing.assert_allclose(joined, whole.effect, rtol=1e-4, atol=2e-6)


def test_progress_counts_every_variant_and_a_cancel_stops_at_once(toy_world):
    variants = random_variants(np.random.default_rng(10), toy_world.reference, 30)
    seen: list[float] = []
    score_variants(
        variants, toy_world.reference, toy_world.backbone,
        progress=Progress(on_change=lambda stage, done: seen.append(done)),
    )  # fmt: skip
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1.0)
    cancel = threading.Event()
    cancel.set()
    start = time.perf_counter()
    with pytest.raises(Cancelled):
        score_variants(
            variants, toy_world.reference, toy_world.backbone, progress=Progress(cancel_event=cancel)
        )
    assert time.perf_counter() - start < 2
