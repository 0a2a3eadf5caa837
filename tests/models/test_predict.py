from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from phenviz.errors import Cancelled, LocusError, MemoryLimitError, TargetError
from phenviz.genome import Locus
from phenviz.models.predict import central_bins, predict
from phenviz.models.windows import select_contexts
from phenviz.progress import Progress
from phenviz.results import merge_tiles, validate
from tests.toys import CONTEXTS, CONTIGS, GAP, predict_whole

LENGTH = CONTIGS["20"]


def random_loci(count: int, longest: int = 6_000) -> list[Locus]:
    rng = np.random.default_rng(7)
    loci = []
    while len(loci) < count:
        start = int(rng.integers(400, LENGTH - 600))
        if not GAP[0] <= start < GAP[1]:
            loci.append(Locus("20", start, min(start + int(rng.integers(1, longest)), LENGTH)))
    return loci


EDGES = [
    Locus("20", 0, 1_000),
    Locus("20", LENGTH - 1_001, LENGTH),
    Locus("20", GAP[0] - 300, GAP[0] + 10),
    Locus("20", GAP[0] - 300, GAP[1] + 300),
    Locus("21", 0, CONTIGS["21"]),
]


@pytest.mark.parametrize("locus", random_loci(12) + EDGES, ids=str)
@pytest.mark.parametrize("tile_bins", [1, 3, 16, None])
def test_tiled_prediction_equals_one_untiled_window(toy_world, locus, tile_bins):
    tiled = predict(locus, toy_world.reference, toy_world.backbone, tile_bins=tile_bins)
    whole = predict_whole(locus, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(tiled.activity, whole, rtol=1e-5, atol=1e-5)


def test_bins_lie_on_the_contigs_own_grid(toy_world):
    dataset = predict(Locus("20", 1_000, 1_300), toy_world.reference, toy_world.backbone)
    np.testing.assert_array_equal(dataset.bin_start, [896, 1024, 1152, 1280])
    assert validate(dataset) == "prediction"
    assert dataset.activity.dtype == np.float32


def test_overlapping_windows_agree_where_they_overlap(toy_world):
    left = predict(Locus("20", 3_000, 5_001), toy_world.reference, toy_world.backbone)
    right = predict(Locus("20", 4_097, 7_000), toy_world.reference, toy_world.backbone)
    left, right = (dataset.set_index(bin="bin_start") for dataset in (left, right))
    shared = sorted(set(left.bin.values) & set(right.bin.values))
    np.testing.assert_allclose(left.activity.sel(bin=shared), right.activity.sel(bin=shared), rtol=1e-5)


def test_partial_tiles_add_up_to_the_result(toy_world):
    tiles = []
    locus = Locus("20", 2_005, 9_999)
    whole = predict(
        locus,
        toy_world.reference,
        toy_world.backbone,
        tile_bins=7,
        progress=Progress(on_partial=tiles.append),
    )
    merged = merge_tiles(tiles)
    np.testing.assert_array_equal(merged.activity, whole.activity)
    np.testing.assert_array_equal(merged.bin_start, whole.bin_start)
    assert (merged.attrs["start"], merged.attrs["end"]) == (locus.start, locus.end)


def test_chosen_contexts_come_in_the_order_asked_for(toy_world):
    locus = Locus("20", 2_000, 3_000)
    everything = predict(locus, toy_world.reference, toy_world.backbone)
    some = predict(locus, toy_world.reference, toy_world.backbone, contexts=["CL:0000236", CONTEXTS[0]])
    assert list(some.context.values) == ["B", "Ery"]
    np.testing.assert_array_equal(some.activity, everything.activity[[2, 0]])


@pytest.mark.parametrize("asked", ["mono", "Monocyte", "cl:0000576", CONTEXTS[1]])
def test_a_context_is_found_by_name_label_or_curie(toy_world, asked):
    assert select_contexts(toy_world.backbone, [asked]) == ((CONTEXTS[1],), [1])


@pytest.mark.parametrize("asked", [["liver"], []])
def test_an_unknown_or_empty_choice_of_contexts_is_refused(toy_world, asked):
    with pytest.raises(TargetError, match="choose"):
        predict(Locus("20", 2_000, 3_000), toy_world.reference, toy_world.backbone, contexts=asked)


def test_a_locus_beyond_the_contig_is_refused(toy_world):
    with pytest.raises(LocusError, match="leaves the contig"):
        predict(Locus("20", 2_000, LENGTH + 1), toy_world.reference, toy_world.backbone)


def test_prediction_stops_within_one_tile_of_cancel(toy_world):
    cancel, tiles = threading.Event(), []

    def stop_after_first(tile):
        tiles.append(tile)
        cancel.set()

    with pytest.raises(Cancelled):
        predict(
            Locus("20", 1_000, 9_000), toy_world.reference, toy_world.backbone, tile_bins=4,
            progress=Progress(on_partial=stop_after_first, cancel_event=cancel),
        )  # fmt: skip
    assert len(tiles) == 1


class ShortOfMemory(torch.nn.Module):
    """A backbone whose windows must not be longer than a limit."""

    def __init__(self, backbone: torch.nn.Module, limit: int) -> None:
        super().__init__()
        self.inner, self.limit = backbone, limit

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)

    def encode(self, one_hot):
        if one_hot.shape[2] > self.limit:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")
        return self.inner.encode(one_hot)


def test_a_tile_that_does_not_fit_is_halved(toy_world):
    locus = Locus("20", 1_000, 9_000)
    limited = predict(locus, toy_world.reference, ShortOfMemory(toy_world.backbone, 4_000), tile_bins=64)
    whole = predict(locus, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(limited.activity, whole.activity, rtol=1e-5)


def test_memory_that_never_suffices_is_an_error_in_words(toy_world):
    with pytest.raises(MemoryLimitError, match="shorter locus"):
        predict(Locus("20", 1_000, 9_000), toy_world.reference, ShortOfMemory(toy_world.backbone, 10))


class GlobalBackbone(ShortOfMemory):
    """The toy backbone, as if it had no finite receptive field."""

    receptive_field = None
    window = 4_096

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__(backbone, limit=4_096)


def test_a_global_backbone_predicts_each_bin_from_the_centre_of_a_window(toy_world):
    backbone = GlobalBackbone(toy_world.backbone)
    locus = Locus("20", 1_000, 9_000)
    got = predict(locus, toy_world.reference, backbone)
    # the toy sees less than a quarter of the window, so that windows must agree with tiles
    local = predict(locus, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(got.activity, local.activity, rtol=1e-5)
    start, kept = central_bins(backbone, 100)
    assert (start, kept) == ((100 - 8) * 128, slice(8, 24))
