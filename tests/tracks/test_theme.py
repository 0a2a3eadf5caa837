import numpy as np
import pytest

from phenviz.errors import ResultError
from phenviz.tracks.theme import DARK, LIGHT, blend, contrast, get_theme, legible, rgb

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@THEMES
def test_texts_can_be_read(theme):
    assert contrast(theme.ink, theme.surface) >= 7
    assert contrast(theme.muted, theme.surface) >= 4.5


@THEMES
def test_any_colour_becomes_legible_and_a_legible_one_stays(theme):
    rng = np.random.default_rng(0)
    for channels in rng.integers(0, 256, (100, 3)):
        colour = "#" + "".join(f"{channel:02x}" for channel in channels)
        assert contrast(legible(colour, theme), theme.surface) >= 4.5
        if contrast(colour, theme.surface) >= 4.5:
            assert legible(colour, theme) == colour


@THEMES
def test_more_activity_contrasts_more_with_the_page(theme):
    contrasts = [contrast(colour, theme.surface) for colour in theme.sequential[::16]]
    assert (np.diff(contrasts) > 0).all()


@THEMES
def test_the_middle_of_the_diverging_map_is_neutral_and_its_ends_are_not(theme):
    middle = rgb(theme.diverging[len(theme.diverging) // 2])
    assert max(middle) - min(middle) <= 12
    assert (
        contrast(theme.diverging[0], theme.surface) > 4 and contrast(theme.diverging[-1], theme.surface) > 4
    )


def test_zero_effect_is_white_on_a_light_page():
    assert min(rgb(LIGHT.diverging[127])) >= 250


@THEMES
def test_bases_are_told_apart(theme):
    assert len({theme.bases[base] for base in "ACGTN"}) == 5


def test_blending_goes_through_its_colours():
    assert blend(["#000000", "#808080", "#ffffff"], 5) == (
        "#000000",
        "#404040",
        "#808080",
        "#c0c0c0",
        "#ffffff",
    )


def test_an_unknown_theme_is_named():
    with pytest.raises(ResultError, match="sepia"):
        get_theme("sepia")
