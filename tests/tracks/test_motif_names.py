"""Names of motifs under letters."""

import pytest

from phenviz.genome import Locus
from phenviz.results.display import MotifMatch
from tests.tracks.toys import attribution, browser, mutagenesis, track

MOTIFS = [
    MotifMatch(120_023, 120_035, "GATA1"),
    MotifMatch(120_022, 120_034, "TAL1"),
    MotifMatch(120_020, 120_030, "NFE2"),
    MotifMatch(120_150, 120_160, "SPI1"),
]


@pytest.mark.parametrize("name", ["contribution", "attribution"])
def test_motifs_are_named_below_the_letters_the_best_first(name):
    shown = browser(locus=Locus("20", 120_010, 120_060))
    shown.set_mutagenesis(mutagenesis())
    shown.set_attribution(attribution())
    shown.set_motifs(MOTIFS)
    one = track(shown, name)
    # two rows for the best: the third over the same bases finds no room, the fourth lies out of sight
    assert one._names.source.data["name"] == ["GATA1", "TAL1"]
    low, _ = one._plot.data_limits
    assert one._plot.limits[0] < low
    assert shown.display().motifs == tuple(MOTIFS)
    shown.set_locus(Locus("20", 110_000, 130_000))
    assert one._names.source.data["name"] == []


def test_room_for_the_names_is_there_before_they_are():
    shown = browser(locus=Locus("20", 120_010, 120_060))
    shown.set_mutagenesis(mutagenesis())
    one = track(shown, "contribution")
    before = one.y_range.start, one.y_range.end
    shown.set_motifs(MOTIFS)
    assert (one.y_range.start, one.y_range.end) == before


def test_contexts_are_stacked_on_one_scale_in_their_order():
    shown = browser(locus=Locus("20", 120_010, 120_060))
    shown.set_mutagenesis(mutagenesis())
    shown.set_logo("stacked")
    rows = track(shown, "contribution")
    assert rows.texts.rows == ("Ery", "Mono", "motifs")
    limit = rows._rows.limit
    contributions = -(mutagenesis()["effect"].sum("allele", skipna=False) / 3)
    seen = contributions.sel(position=slice(120_011, 120_060))
    assert float(abs(seen).max()) <= limit
    data, known = rows._rows.letters.data, contributions.sel(context="Ery")
    for xs, ys in list(zip(data["xs"], data["ys"], strict=True))[:40]:
        # letters of the first context come first; a base counted from 1 is centred on its number
        position = round(min(x for ring in xs[0] for x in ring) + 0.5)
        reach = max((y for ring in ys[0] for y in ring), key=lambda y: abs(y - 1.5)) - 1.5
        assert reach == pytest.approx(float(known.sel(position=position)) * 0.48 / limit, abs=1e-3)
    shown.set_contexts(["Mono"])
    assert rows.texts.rows == ("Mono", "motifs")
