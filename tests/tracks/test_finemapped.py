"""Fine-mapped variants on the tracks and in figures."""

import numpy as np
import pandas as pd

from phenviz.figures.finemapped import FineMapped as Figure
from phenviz.genome import Locus
from phenviz.tracks.finemapped import seen
from tests.tracks.toys import browser, names, track


def variants(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "contig": "chr20", "position": np.sort(rng.integers(100_000, 160_000, n)), "ref": "A", "alt": "G",
            "id": [f"rs{number}" if number % 2 else "" for number in range(n)],
            "trait": rng.choice(["platelets", "red cells"], n), "posterior": rng.random(n),
        }
    )  # fmt: skip


def test_each_variant_stands_at_its_base_as_high_as_its_posterior():
    shown = browser(locus=Locus("20", 110_000, 120_000))
    assert "finemapped" not in names(shown)
    shown.set_finemapped(variants())
    data = track(shown, "finemapped")._dots.data
    table = variants().set_index("position")
    middle = np.asarray(data["x"])
    # a base counted from 1 is centred on its own number
    np.testing.assert_allclose(table.loc[middle.astype(int), "posterior"], data["y"])
    inside = (table.index > 110_000) & (table.index <= 120_000)
    assert set(table.index[inside]) <= set(middle.astype(int))


def test_where_none_is_in_view_the_track_takes_hardly_any_room():
    shown = browser(locus=Locus("20", 110_000, 120_000))
    shown.set_finemapped(variants())
    tall = track(shown, "finemapped").figure.height
    shown.set_locus(Locus("20", 800_000, 801_000))
    low = track(shown, "finemapped")
    assert low.figure.height < tall / 2
    assert low.texts.description == "none here"


def test_screen_and_file_show_the_same_variants_up_to_the_borders():
    table = variants()
    here = table[table["position"] == table["position"].iloc[50]].iloc[0]
    at = int(here["position"])
    for locus in (Locus("20", at - 1, at + 10), Locus("20", at - 10, at), Locus("20", at, at + 9)):
        of_file = Figure(table).inside(locus)
        assert list(seen(table, locus)["position"]) == list(of_file["position"])
