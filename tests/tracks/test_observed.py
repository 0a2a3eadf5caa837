import numpy as np
import pandas as pd

from phenviz.genome import Locus
from phenviz.tracks.observed import average_peaks
from tests.tracks.toys import browser, far_out, names, peaks, track


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


def test_observed_peaks_appear_only_where_there_are_some():
    shown = browser()
    assert "observed" not in names(shown)
    shown.set_observed(peaks())
    assert "observed" in names(shown)
    shown.set_observed(None)
    assert "observed" not in names(shown)


def test_the_strongest_of_the_peaks_that_share_a_point_is_painted():
    shown = browser(locus=Locus("20", 109_900, 110_600))
    shown.set_observed(peaks())
    image = np.expm1(track(shown, "observed")._heat.source.data["image"][0][::-1])
    np.testing.assert_allclose(image.max(axis=1), [5, 9, 0], rtol=1e-5)
    edges = track(shown, "observed")._heat.source.data
    per_point = edges["dw"][0] / image.shape[1]
    assert abs((image[0] > 0).sum() * per_point - 400) <= 2 * per_point


def test_contexts_whose_peaks_have_no_signal_are_named():
    shown = browser(locus=Locus("20", 109_900, 110_600))
    table = peaks()
    measured = pd.concat([table, table.assign(fold_enrichment=table["fold_enrichment"] * 2)])
    shown.set_observed(measured[measured["context"] == "Ery"])
    assert "presence only" not in track(shown, "observed").texts.description
    shown.set_observed(pd.concat([measured, table.assign(context="B", fold_enrichment=7.0)]))
    assert "presence only, at the median, in B" in track(shown, "observed").texts.description


def test_far_out_observed_peaks_are_averaged_too():
    shown, _ = far_out()
    observed = track(shown, "observed")
    source = observed._heat.source.data
    total = np.expm1(source["image"][0][::-1].astype(float)).sum(axis=1)
    per_point = source["dw"][0] / source["image"][0].shape[1]
    np.testing.assert_allclose(total * per_point, [5.0 * 400, 9.0 * 200, 0], rtol=1e-4)
    assert "mean over each 8.19 kb" in observed.texts.description


def test_contexts_that_nothing_was_measured_in_are_named():
    shown = browser(locus=Locus("20", 109_900, 110_600))
    shown.set_observed(peaks())
    assert track(shown, "observed").texts.note == "not measured in B"
    shown.set_contexts(["Ery", "Mono"])
    assert track(shown, "observed").texts.note == ""
