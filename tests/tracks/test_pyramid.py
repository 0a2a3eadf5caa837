import itertools
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from phenviz.errors import ResultError
from phenviz.tracks import Pyramid


def random_track(rng):
    n_bins, n_rows = int(rng.integers(1, 700)), int(rng.integers(1, 4))
    values = rng.normal(size=(n_rows, n_bins)).astype(np.float32)
    values[:, rng.random(n_bins) < rng.choice([0.0, 0.3, 0.95])] = np.nan
    values[rng.random(values.shape) < 0.05] = np.nan
    return values


def written_in_pieces(values, rng, bin_size):
    pyramid = Pyramid(values.shape[1], values.shape[0], bin_size)
    cuts = np.unique(np.concatenate(([0, values.shape[1]], rng.integers(0, values.shape[1], 6))))
    pieces = list(itertools.pairwise(cuts))
    rng.shuffle(pieces)
    for start, end in pieces:
        pyramid.write(int(start), values[:, start:end])
    return pyramid


def summarised_bin_by_bin(values, edges, bin_size, function):
    with np.errstate(all="ignore"):
        columns = []
        for left, right in zip(edges[:-1] // bin_size, -(-edges[1:] // bin_size), strict=True):
            part = values[:, left:right].astype(float)
            known = [row[np.isfinite(row)] for row in part]
            columns.append([function(row) if len(row) else np.nan for row in known])
    return np.array(columns).T


@pytest.mark.parametrize("seed", range(40))
def test_every_zoom_level_equals_a_plain_summary_of_its_bins(seed):
    rng = np.random.default_rng(seed)
    values, bin_size = random_track(rng), int(rng.choice([1, 128]))
    pyramid = written_in_pieces(values, rng, bin_size)
    start = int(rng.integers(0, values.shape[1]))
    end = int(rng.integers(start, values.shape[1])) + 1
    for max_points in (1, 3, 10, 100, 5_000):
        summary = pyramid.summary(start, end, max_points)
        for name, function in (("minimum", np.min), ("mean", np.mean), ("maximum", np.max)):
            slow = summarised_bin_by_bin(values, summary.edges, bin_size, function)
            np.testing.assert_allclose(getattr(summary, name), slow, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_points_cover_the_window_and_are_few(seed):
    rng = np.random.default_rng(seed)
    values = random_track(rng)
    pyramid = Pyramid.of(values, bin_size=10)
    start = int(rng.integers(0, values.shape[1]))
    end = int(rng.integers(start, values.shape[1])) + 1
    max_points = int(rng.integers(1, 50))
    edges, mean, maximum = pyramid.read(start, end, max_points)
    assert edges[0] <= start * 10 and edges[-1] >= end * 10
    assert mean.shape == maximum.shape == (values.shape[0], len(edges) - 1)
    assert len(edges) - 1 <= max_points + 2


def test_points_stay_where_they_are_when_the_window_moves():
    pyramid = Pyramid.of(np.random.default_rng(0).random((1, 10_000)))
    edges, mean, _ = pyramid.read(1_000, 3_000, 100)
    moved_edges, moved_mean, _ = pyramid.read(1_333, 3_333, 100)
    shared = np.intersect1d(edges[:-1], moved_edges[:-1])
    assert len(shared) > 50
    np.testing.assert_array_equal(
        mean[0, np.searchsorted(edges, shared)], moved_mean[0, np.searchsorted(moved_edges, shared)]
    )


def test_missing_and_covered_tell_what_was_written():
    pyramid = Pyramid(1_000, 2, 128)
    assert pyramid.missing(0, 1_000) == [(0, 1_000)]
    pyramid.write(100, np.ones((2, 50)))
    pyramid.write(150, np.zeros((2, 50)))
    pyramid.write(900, np.full((2, 100), np.nan))
    assert pyramid.missing(50, 1_200) == [(50, 100), (200, 1_000)]
    assert pyramid.covered(0, 400) == 0.25
    assert pyramid.covered(100, 200) == 1.0
    assert pyramid.covered(2_000, 3_000) == 1.0


def test_nothing_is_read_outside_the_track():
    edges, mean, _ = Pyramid(10, 3, 128).read(20, 30, 100)
    assert mean.shape == (3, 0) and len(edges) == 1


@pytest.mark.parametrize(("start", "shape"), [(-1, (2, 5)), (8, (2, 5)), (0, (3, 5))])
def test_writing_what_does_not_fit_is_refused(start, shape):
    with pytest.raises(ResultError):
        Pyramid(10, 2, 1).write(start, np.zeros(shape))


def test_writes_from_several_threads_all_arrive():
    pyramid = Pyramid(4_096, 2, 1)
    values = np.random.default_rng(1).random((2, 4_096)).astype(np.float32)

    def write(part):
        for start in range(part * 64, 4_096, 512):
            pyramid.write(start, values[:, start : start + 64])

    threads = [threading.Thread(target=write, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, mean, maximum = pyramid.read(0, 4_096, 1)
    np.testing.assert_allclose(maximum[:, 0], values.max(axis=1))
    np.testing.assert_allclose(mean[:, 0], values.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_long_intervals_are_read_from_the_overview_where_bins_are_not_known(seed, monkeypatch):
    monkeypatch.setattr("phenviz.tracks.pyramid.OVERVIEW_FROM", 500)
    rng = np.random.default_rng(seed)
    n_bins = int(rng.integers(1_000, 3_000))
    values = rng.normal(size=(2, n_bins)).astype(np.float32)
    starts = np.arange(0, n_bins, 64)
    plain = [ufunc.reduceat(values, starts, axis=1) for ufunc in (np.minimum, np.add, np.maximum)]
    plain[1] /= np.diff(np.append(starts, n_bins))
    pyramid = Pyramid(n_bins, 2, 128)
    first, last = sorted(rng.choice(n_bins, 2, replace=False).tolist())
    cut = int(rng.integers(1, len(starts)))
    pyramid.write(first, values[:, first:last])
    assert pyramid.lacks_overview(0, n_bins)
    for begin, end in ((cut, len(starts)), (0, cut)):
        pyramid.write_overview(begin * 64, *(summary[:, begin:end] for summary in plain))
    assert not pyramid.lacks_overview(0, n_bins)
    assert pyramid.missing(0, n_bins) == [] and pyramid.covered(0, n_bins) == 1
    # short views are told what there is of single bins
    left = max(first - 10, 0)
    assert pyramid.missing(left, first) == ([(left, first)] if left < first else [])
    for points in (n_bins // 64 + 1, n_bins // 200 + 1):
        seen = pyramid.summary(0, n_bins, points)
        for found, function in ((seen.minimum, np.min), (seen.mean, np.mean), (seen.maximum, np.max)):
            slow = summarised_bin_by_bin(values, seen.edges, 128, function)
            np.testing.assert_allclose(found, slow, rtol=1e-4, atol=1e-5)
    fine = pyramid.summary(0, n_bins, n_bins)
    np.testing.assert_array_equal(fine.mean[:, first:last], values[:, first:last])
    outside = np.r_[0:first, last:n_bins]
    np.testing.assert_array_equal(fine.maximum[:, outside], plain[2][:, outside // 64])
    np.testing.assert_array_equal(fine.minimum[:, outside], plain[0][:, outside // 64])


def test_an_overview_that_does_not_fit_its_contig_is_refused():
    pyramid, point = Pyramid(1_000, 2, 128), np.zeros((2, 1))
    for start, array in ((3, point), (64 * 16, point), (64, np.zeros((3, 1)))):
        with pytest.raises(ResultError):
            pyramid.write_overview(start, array, array, array)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_pyramid_takes_memory_for_what_is_known_only():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    pyramid = Pyramid(2_000_000, 200, 32)
    values = np.random.default_rng(0).random((200, 4_096), dtype=np.float32)
    pyramid.write(1_000_000, values)
    np.testing.assert_array_equal(pyramid.read(1_000_000, 1_004_096, 4_096)[1], values)
    assert np.isnan(pyramid.read(0, 4_096, 4_096)[1]).all()
    assert np.isnan(pyramid.read(0, 900_000, 1_000)[1]).all()
    # 3.7 GB if all of it were
    assert resident() - before < 400e6
    assert pyramid.nbytes < 60e6
