"""Tracks of a person's two haplotypes."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bokeh.document import Document

from phenviz.genome import Locus
from phenviz.results import context_coords, result_attrs
from phenviz.tracks import PersonalActivity, PersonalBrowser
from tests.tracks.toys import CONTEXTS, LENGTH, annotation, names, sequence

WINDOW = Locus("20", 128 * 800, 128 * 1_200)


def prediction(seed=0):
    rng = np.random.default_rng(seed)
    bins = WINDOW.length // 128
    reference = rng.random((3, bins)).astype(np.float32) * 5
    activity = np.stack([reference, reference, reference])
    activity[1, 1, 200] += 3
    activity[2, 0, 10] = 0
    return xr.Dataset(
        {"activity": (("haplotype", "context", "bin"), activity)},
        coords={
            "haplotype": ["reference", "1", "2"],
            "bin_start": ("bin", WINDOW.start + 128 * np.arange(bins)),
            **context_coords(CONTEXTS),
        },
        attrs=result_attrs(WINDOW, definition="toy", units="toy") | {"bin_size": 128},
    )


def variants():
    return pd.DataFrame(
        {
            "position": [WINDOW.start + 25_605, WINDOW.start + 1_300],
            "ref": ["A", "C"], "alt": ["T", "CA"],
            "id": ["rs1", ""], "haplotype_1": [1, 1], "haplotype_2": [0, 1], "effect": [0.5, np.nan],
            "context": ["Mono", ""], "carried": ["haplotype 1", "both"],
        }
    )  # fmt: skip


@pytest.fixture
def shown():
    browser = PersonalBrowser(annotation(), LENGTH, locus=WINDOW, contexts=CONTEXTS, sequence=sequence)
    browser.set_activity(PersonalActivity.of(prediction()), "")
    browser.set_variants(variants())
    return browser


def made(browser, name):
    return browser._stack.made(name)


def test_the_difference_is_the_log2_fold_change_and_white_where_nothing_changed(shown):
    dataset = prediction()["activity"].to_numpy()
    expected = np.log2(1 + dataset[1:]) - np.log2(1 + dataset[:1])
    for number, track in enumerate(made(shown, "difference")):
        image = track._heat.source.data["image"][0][::-1]
        assert image.shape == (3, 400)
        np.testing.assert_allclose(image, expected[number], rtol=1e-5)
        assert track._heat.mapper.low == -track._heat.mapper.high
    assert (expected != 0).sum() == 2


def test_rows_are_the_ticked_contexts(shown):
    shown.set_contexts(["B", "Mono"], "Mono")
    assert made(shown, "haplotypes")[0].texts.rows == ("Mono", "B")
    image = made(shown, "difference")[0]._heat.source.data["image"][0]
    assert image.shape[0] == 2
    shown.set_contexts([], "Mono")
    assert "Tick a context" in made(shown, "haplotypes")[0].texts.empty


def test_a_variant_of_unknown_phase_stands_between_the_haplotypes(shown):
    shown.set_variants(variants().assign(carried=["unphased", "both"]))
    dots = made(shown, "variants")[0]._dots.data
    of_first = [y for y, name in zip(dots["y"], dots["name"], strict=True) if name == "rs1"]
    assert of_first == [1.0] and sorted(dots["y"]) == [0.5, 1.0, 1.5]


def test_each_variant_stands_on_the_haplotypes_that_carry_it(shown):
    dots = made(shown, "variants")[0]._dots.data
    first, second = (WINDOW.start + 128 * 200 + 5), WINDOW.start + 1_300
    assert sorted(zip(dots["x"], dots["y"], strict=True)) == [(second, 0.5), (second, 1.5), (first, 1.5)]
    assert dots["by"][0] == "haplotype 1" and "both" in dots["by"]
    assert dots["effect"].count("not computed") == 2


def test_a_line_runs_through_all_tracks_at_the_chosen_variant_only(shown):
    lines = shown._stack.marks.lines
    assert lines.data["x"] == []
    shown.select(WINDOW.start + 1_300)
    assert lines.data["x"] == [WINDOW.start + 1_300]
    shown.select(None)
    assert lines.data["x"] == []


def test_windows_without_prediction_say_so():
    browser = PersonalBrowser(annotation(), LENGTH, locus=WINDOW, contexts=CONTEXTS)
    browser.set_activity(None, "Choose somebody")
    browser.set_variants(None, "Choose somebody")
    assert made(browser, "haplotypes")[0].texts.empty == "Choose somebody"
    browser.set_activity(PersonalActivity.of(prediction()), "")
    browser.set_locus(Locus("20", 500_000, 520_000))
    assert made(browser, "haplotypes")[0]._areas.data["xs"] == []


def test_tracks_can_be_hidden_and_everything_can_be_sent(shown):
    shown.set_tracks(["genes", "difference"])
    assert names(shown) == ["ruler", "elements", "variants", "haplotypes"]
    shown.set_theme("dark")
    Document().add_root(shown.layout)
