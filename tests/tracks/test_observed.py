import numpy as np
import pandas as pd

from phenviz.genome import Locus
from phenviz.tracks.observed import average_peaks


def test_the_average_of_peaks_equals_that_of_single_bases():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 9_000, 60)
    peaks = pd.DataFrame(
        {
            "start": starts,
            "end": starts + rng.integers(1, 700, 60),
            "context": rng.choice(["Ery", "Mono"], 60),
            "fold_enrichment": rng.random(60) * 20,
        }
    )
    bases = np.zeros((2, 10_240))
    for peak in peaks.itertuples():
        bases[["Ery", "Mono"].index(peak.context), peak.start : peak.end] += peak.fold_enrichment
    edges, means = average_peaks(peaks, ["Ery", "Mono"], Locus("20", 1_000, 9_900), 512)
    assert (edges[0], edges[-1]) == (512, 10_240)
    expected = bases[:, 512:].reshape(2, -1, 512).mean(axis=2)
    np.testing.assert_allclose(means, expected, rtol=1e-5, atol=1e-5)
