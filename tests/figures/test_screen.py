"""A figure of the screen is drawn with what the screen draws with."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from phenviz.figures import screen_figure
from phenviz.figures.activity import ActivityAreas, ActivityHeatmap
from phenviz.figures.bases import BaseTrack, MutagenesisHeatmap
from phenviz.figures.elements import ObservedHeatmap
from phenviz.genome import Locus
from phenviz.results import context_coords, result_attrs
from phenviz.tracks import Pyramid
from tests.tracks import toys

RNG = np.random.default_rng(5)
ACTIVITY = RNG.gamma(0.4, 4.0, (3, toys.N_BINS)).astype(np.float32)
VIEWS = [
    Locus("20", 120_000, 120_400),
    Locus("20", 99_900, 103_000),
    Locus("20", 77_777, 333_333),
    Locus("20", 1_234, 999_000),
]


def peaks() -> pd.DataFrame:
    starts = np.sort(RNG.integers(0, toys.LENGTH - 2_000, 300))
    names = [context.name for context in toys.CONTEXTS]
    return pd.DataFrame(
        {
            "contig": "20", "start": starts, "end": starts + 600, "context": RNG.choice(names, 300),
            "fold_enrichment": RNG.gamma(2.0, 5.0, 300),
        }
    )  # fmt: skip


PEAKS = peaks()


def predicted() -> xr.Dataset:
    whole = Locus("20", 0, toys.LENGTH)
    return xr.Dataset(
        {"activity": (("context", "bin"), ACTIVITY)},
        coords={"bin_start": ("bin", np.arange(toys.N_BINS) * 128), **context_coords(toys.CONTEXTS)},
        attrs=result_attrs(whole, definition="toy", units="toy") | {"bin_size": 128},
    )


def shown(locus: Locus, **settings):
    browser = toys.browser(locus=locus, **settings)
    browser.set_activity(Pyramid.of(ACTIVITY, 128))
    browser.set_observed(PEAKS)
    browser.set_mutagenesis(toys.mutagenesis())
    return browser


def drawn(browser):
    return screen_figure(
        browser.display(), toys.annotation(), prediction=predicted(), observed=PEAKS,
        mutagenesis=toys.mutagenesis(),
    )  # fmt: skip


def component(figure, kind):
    return next((part for part in figure.components if isinstance(part, kind)), None)


def image_of(figure, part):
    """Colours and their limits as matplotlib holds them."""
    place = [one for one in figure.components if one.shares_axis and one.height(figure.locus, 140) > 0].index(
        part
    )
    above = len([one for one in figure.components if not one.shares_axis])
    return figure.figure.axes[above + place].images[0]


@pytest.mark.parametrize("locus", VIEWS)
def test_the_file_has_the_numbers_and_the_scale_of_the_screen(locus):
    browser = shown(locus)
    figure = drawn(browser)
    heat = toys.track(browser, "activity")._heat
    image = image_of(figure, component(figure, ActivityHeatmap))
    assert image.norm.vmax == pytest.approx(np.expm1(heat.mapper.high))
    data = heat.source.data
    bases = data["dw"][0] / data["image"][0].shape[1]
    left, right, *_ = image.get_extent()
    first = round((left + 0.5 - data["x"][0]) / bases)
    on_screen = np.expm1(data["image"][0][::-1][:, first : first + round((right - left) / bases)])
    np.testing.assert_allclose(np.asarray(image.get_array()), on_screen, rtol=1e-4)


@pytest.mark.parametrize("locus", VIEWS)
def test_peaks_have_their_fold_enrichment_on_the_same_scale(locus):
    browser = shown(locus)
    part = component(drawn(browser), ObservedHeatmap)
    assert part.drawn.high == pytest.approx(np.expm1(toys.track(browser, "observed")._heat.mapper.high))
    assert part.row_names == ("Ery", "Mono", "B")


@pytest.mark.parametrize("hidden", [("elements",), ("observed", "genes"), ("activity",), ("mutagenesis",)])
def test_hidden_tracks_and_contexts_are_in_no_file(hidden):
    browser = shown(VIEWS[0], hidden=hidden)
    browser.set_contexts(["Ery", "B"])
    names = {type(part).__name__ for part in drawn(browser).components}
    of_track = {
        "elements": {"Elements"}, "observed": {"ObservedHeatmap"}, "genes": {"Genes"},
        "activity": {"ActivityHeatmap"}, "mutagenesis": {"Logo", "MutagenesisHeatmap"},
    }  # fmt: skip
    for track, made in of_track.items():
        assert bool(names & made) == (track not in hidden)
    rows = component(drawn(browser), ObservedHeatmap | ActivityHeatmap).row_names
    assert rows == ("Ery", "B")


def test_bases_have_the_axes_the_motifs_and_the_contexts_of_the_screen():
    browser = shown(VIEWS[0])
    browser.set_activity_style("areas")
    for logo, count in (("focus", 1), ("stacked", 2), ("difference", 1)):
        browser.set_logo(logo)
        figure = drawn(browser)
        logos = [part for part in figure.components if isinstance(part, BaseTrack)]
        assert len(logos) == count
        assert {part.limits for part in logos} == {browser.display().contribution}
    assert component(figure, ActivityAreas) is not None
    assert component(figure, MutagenesisHeatmap).limit == browser.display().effect
    held = toys.mutagenesis()["effect"].mean("allele") * -4 / 3
    expected = held.sel(context="Ery") - held.sel(context="Mono")
    np.testing.assert_allclose(logos[0].values, expected, rtol=1e-4, atol=1e-6)


def test_lines_and_strips_stand_at_the_same_bases():
    browser = shown(VIEWS[1])
    browser.set_marks([100_500])
    browser.set_highlight([Locus("20", 101_000, 101_300)])
    display = browser.display()
    assert (display.lines, display.strips) == ((100_500,), ((101_000, 101_300),))
    line, strip = drawn(browser).overlays
    assert line.positions == (100_500,)
    assert strip.intervals == ((101_000, 101_300),)
