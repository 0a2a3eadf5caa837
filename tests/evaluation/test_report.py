from __future__ import annotations

from evaluation.report import markdown_table, number, write_section


def test_a_section_is_put_at_the_end_and_replaced_where_it_stands(tmp_path):
    card = tmp_path / "model_card.md"
    card.write_text("# Card\n\nFirst.\n")
    write_section("a", "## A\n\nold", card)
    write_section("b", "## B", card)
    write_section("a", "## A\n\nnew", card)
    assert card.read_text() == (
        "# Card\n\nFirst.\n\n<!-- begin a -->\n## A\n\nnew\n<!-- end a -->\n\n"
        "<!-- begin b -->\n## B\n<!-- end b -->\n"
    )


def test_a_table_has_a_line_a_row():
    assert markdown_table(["name", "n"], [["x", 1]]) == "| name | n |\n| --- | ---: |\n| x | 1 |"


def test_numbers_have_a_minus_sign_and_missing_ones_a_dash():
    assert [number(-0.5), number(float("nan"))] == ["−0.50", "-"]
