import numpy as np

from phenviz.genome import Locus
from phenviz.genome.lineages import lineage_of
from tests.tracks.toys import browser, track


def test_an_element_is_drawn_once_in_each_lineage_that_it_is_active_in():
    shown = browser(locus=Locus("20", 300_000, 320_000))
    elements = track(shown, "elements")
    table = elements._annotation.elements_in(elements.loaded.locus)
    expected = sum(len({lineage_of(name) for name in names.split("|")}) for names in table["cell_types"])
    assert len(elements._boxes.data["left"]) == expected


def test_a_whole_contig_is_drawn_as_density_that_counts_every_element():
    shown = browser(locus=Locus("20", 0, 1_000_000))
    data = track(shown, "elements")._boxes.data
    drawn = sum(int(text.split()[0]) for text in data["name"])
    table = track(shown, "elements")._annotation.elements
    assert drawn == sum(len({lineage_of(n) for n in names.split("|")}) for names in table["cell_types"])
    assert "density" in track(shown, "elements").texts.note
    assert np.all(np.asarray(data["alpha"]) <= 1)
