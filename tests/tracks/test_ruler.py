import numpy as np
import pytest

from phenviz.genome import Locus
from tests.tracks.toys import LENGTH, browser, sequence, track


@pytest.mark.parametrize("seed", range(30))
def test_ticks_are_few_round_and_numbered_where_they_stand(seed):
    rng = np.random.default_rng(seed)
    length = int(10 ** rng.uniform(1.4, 6))
    start = int(rng.integers(0, max(LENGTH - length, 1)))
    shown = browser(locus=Locus("20", start, start + length))
    places, texts = track(shown, "ruler")._labels.data["x"], track(shown, "ruler")._labels.data["text"]
    assert 1 <= len(places) <= 12
    for place, text in zip(places, texts, strict=True):
        number = float(text.removesuffix(" Mb").replace(",", ""))
        assert round(number * 1e6 if "Mb" in text else number) == place
        assert start < place <= start + length


def test_numbers_stand_on_the_grid_of_all_tracks():
    shown = browser()
    for one in shown._stack.tracks():
        assert one.figure.xgrid[0].ticker is shown._stack.axis.ticker
    assert set(track(shown, "ruler")._labels.data["x"]) <= set(shown._stack.axis.ticker.ticks)


def test_bases_stand_on_their_positions():
    locus = Locus("20", 1_000, 1_050)
    shown = browser(locus=locus)
    letters, begin = track(shown, "ruler")._letters.data, track(shown, "ruler").loaded.locus.start
    bases = sequence(track(shown, "ruler").loaded.locus)
    for index in range(len(bases)):
        x = np.array(letters["xs"][index][0][0])
        assert abs((x.min() + x.max()) / 2 - (begin + index + 1)) < 0.01
        assert letters["colour"][index] == track(shown, "ruler").theme.bases[bases[index]]
