"""Files of what the pages show of expression: each gene and context, as a table or a figure."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from phenviz.app.shell.exports import File, figure_file, packed
from phenviz.app.shell.uploads import private_directory
from phenviz.errors import ResultError
from phenviz.results.schema import kind_of

TABLE, FIGURE = ".expression.tsv", ".expression.svg"
FORMATS = {"Expression by tissue, TSV": TABLE, "Expression by tissue, SVG": FIGURE}


def expression_file(found: xr.Dataset | None, suffix: str, name: str) -> Callable[[], File]:
    """Return what makes a file of changes of expression that are on screen.

    Parameters
    ----------
    found
        Effects on expression, or the expression of a person's haplotypes; None where there is neither yet.
    suffix
        One of `FORMATS`.
    name
        Of the file, without its suffix.

    Raises
    ------
    ResultError
        If nothing is there yet.
    """
    if found is None:
        raise ResultError("no expression has been predicted yet: open it on the page, then export again")

    def make() -> File:
        from phenviz.figures import figure_of
        from phenviz.results.expression import write_expression_table
        from phenviz.results.expression_effects import write_expression_effects

        if suffix == FIGURE:
            return figure_file(figure_of(found), f"{name}.expression", ".svg")
        write = write_expression_table if kind_of(found) == "gene expression" else write_expression_effects
        with private_directory() as folder:
            return packed([write(found, folder / f"{name}{suffix}")], name)

    return make
