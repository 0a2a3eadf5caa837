"""Peaks: reading narrowPeak, clustering summits and spreading the signal."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from phenviz.errors import DataError
from phenviz.models.peaks import cluster_summits, peak_signal, read_narrow_peaks

ROWS = {
    "Ery": "chr20\t100\t500\ta\t49\t.\t4.5\t7.2\t4.9\t148\nchr1\t1\t9\tb\t1\t.\t2\t2\t2\t3\n",
    "Mono": "chr20\t300\t700\ta\t49\t.\t9.0\t7.2\t4.9\t100\n",
}


@pytest.fixture
def files(tmp_path):
    paths = {context: tmp_path / f"{context}_peaks.narrowPeak.gz" for context in ROWS}
    for context, path in paths.items():
        with gzip.open(path, "wt") as file:
            file.write(ROWS[context])
    return paths


def test_narrow_peaks_are_read_with_absolute_summits(files):
    peaks = read_narrow_peaks(files, contig="chr20")
    assert peaks["contig"].tolist() == ["20", "20"]
    assert peaks["summit"].tolist() == [248, 400]
    assert peaks["fold_enrichment"].tolist() == [4.5, 9.0]
    assert len(read_narrow_peaks(files)) == 3


def test_missing_and_wrong_files_are_named(files, tmp_path):
    with pytest.raises(DataError, match=r"NK.*fetch blood16-atac"):
        read_narrow_peaks({"NK": tmp_path / "NK_peaks.narrowPeak.gz"})
    wrong = tmp_path / "wrong.bed"
    wrong.write_text("chr20\t1\n")
    with pytest.raises(DataError, match=r"wrong\.bed is no narrowPeak"):
        read_narrow_peaks({"Ery": wrong})


def test_summits_within_the_distance_join_in_a_chain():
    peaks = pd.DataFrame(
        {
            "context": ["A", "B", "A", "A"],
            "summit": [1000, 1250, 1500, 1751],
            "fold_enrichment": [3.0, 5.0, 7.0, 2.0],
        }
    )
    clusters = cluster_summits(peaks, "AB")
    np.testing.assert_array_equal(clusters.position, [1250, 1751])
    np.testing.assert_array_equal(clusters.enrichment, [[7, 5], [2, 0]])
    np.testing.assert_array_equal(clusters.within(1500, 2000).position, [1751])


def test_signal_is_the_enrichment_at_the_summit_and_zero_off_the_peak(files):
    signal = peak_signal(read_narrow_peaks(files, contig="20"), ROWS, 1_000)
    assert signal.shape == (2, 63)
    assert signal[0, 248 // 16] == pytest.approx(4.5, rel=0.02)
    assert signal[1, 400 // 16] == pytest.approx(9.0, rel=0.02)
    assert (signal[0, : 100 // 16] == 0).all()
    assert (signal[0, 512 // 16 :] == 0).all()
    assert signal[1, 400 // 16] == signal[1].max()
