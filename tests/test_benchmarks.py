"""What benchmarks compare must be equal, or their ratios mean nothing."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import phenformer
from benchmarks.measure import agreeing


def test_results_that_differ_are_not_compared():
    assert agreeing(2.34e-6, 1e-4) == "2.3e-06"
    for error in (2e-4, float("nan")):
        with pytest.raises(AssertionError, match="nothing is compared"):
            agreeing(error, 1e-4)


def test_one_graph_gives_the_saliency_of_windows_that_leave_the_contig_too(monkeypatch):
    monkeypatch.setattr(phenformer, "WINDOW", 147_456)
    ours = phenformer.phenformer_saliency(2 * phenformer.WINDOW, 1).astype(np.float64)
    plain = phenformer.phenformer_one_graph(2 * phenformer.WINDOW, 1).astype(np.float64)
    assert np.linalg.norm(ours - plain) < 1e-4 * np.linalg.norm(plain) and plain.any()
