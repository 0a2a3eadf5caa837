import pytest

from phenviz.genome.lineages import lineage_of


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
