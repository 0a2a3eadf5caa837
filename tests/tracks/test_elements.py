import numpy as np
import pytest

from phenviz.genome import Locus
from phenviz.tracks.elements import lineage_of
from tests.tracks.toys import browser, track


@pytest.mark.parametrize(
    ("cell_type", "lineage"),
    [
        ("naive B cell", "B cells"),
        ("plasma cell", "B cells"),
        ("type B pancreatic cell", "other tissues"),
        ("CD4-positive, alpha-beta T cell", "T and NK cells"),
        ("natural killer cell", "T and NK cells"),
        ("classical monocyte", "myeloid"),
        ("plasmacytoid dendritic cell", "myeloid"),
        ("erythroid lineage cell", "erythroid, platelets"),
        ("hematopoietic stem cell", "progenitors"),
        ("hepatocyte", "other tissues"),
        ("basal cell of epidermis", "other tissues"),
        ("mesothelial cell", "other tissues"),
    ],
)
def test_the_lineage_of_a_cell_type_is_read_from_its_name(cell_type, lineage):
    assert lineage_of(cell_type) == lineage


def test_an_element_is_drawn_once_in_each_lineage_that_it_is_active_in():
    shown = browser(locus=Locus("20", 300_000, 320_000))
    elements = track(shown, "elements")
    table = elements._annotation.elements_in(elements.stretch.locus)
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
