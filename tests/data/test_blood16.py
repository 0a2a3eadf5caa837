from itertools import combinations

import numpy as np
import pytest

from phenviz.data.blood16 import BLOOD16

# simulation of complete colour vision deficiencies: Machado 2009, severity 1
_VISION = {
    "normal": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}
_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def _linear_rgb(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _seen(colour, vision):
    seen = np.clip(np.asarray(_VISION[vision]) @ _linear_rgb(colour), 0, 1)
    return np.asarray(_OKLAB) @ np.cbrt(np.asarray(_LMS) @ seen)


def test_there_are_16_populations_with_distinct_names_labels_and_colours():
    assert len(BLOOD16) == 16
    for field in ("name", "label", "colour"):
        assert len({getattr(context, field) for context in BLOOD16}) == 16


def test_only_the_gmp_populations_share_an_ontology_term():
    shared = {a.curie for a, b in combinations(BLOOD16, 2) if a.curie == b.curie}
    assert shared == {"CL:0000557"}
    assert all(context.curie.startswith("CL:") for context in BLOOD16)


@pytest.mark.parametrize("vision", _VISION)
def test_colours_of_different_lineages_stay_apart(vision):
    distances = {
        (a.name, b.name): np.linalg.norm(_seen(a.colour, vision) - _seen(b.colour, vision))
        for a, b in combinations(BLOOD16, 2)
        if a.group != b.group
    }
    closest = min(distances, key=distances.get)
    assert distances[closest] > 0.06, closest


@pytest.mark.parametrize("context", BLOOD16, ids=lambda context: context.name)
def test_colours_stand_out_from_a_white_and_a_dark_page(context):
    luminance = np.dot([0.2126, 0.7152, 0.0722], _linear_rgb(context.colour))
    assert 1.05 / (luminance + 0.05) > 2.4
    assert (luminance + 0.05) / (0.006 + 0.05) > 2.4
