"""Files of effects of variants: what a table shows, with every context."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from phenviz.app.shell.exports import FIGURE_FORMATS, File, figure_file, packed
from phenviz.app.shell.uploads import private_directory
from phenviz.errors import ResultError
from phenviz.formats import menu_of
from phenviz.results.display import VariantDisplay, VariantsDisplay

FORMATS = menu_of("variant effects")
# what a table knows beyond the effects
_ALSO = ("allele_frequency", "carried", "gene", "distance")


def variants_file(
    table: pd.DataFrame,
    effects: xr.Dataset,
    suffix: str,
    name: str,
    display: VariantsDisplay | VariantDisplay | None = None,
) -> File:
    """Write variants with their effect in every context, in the order of a table.

    Parameters
    ----------
    table
        `phenviz.app.variants.ranking.ranked`, with ``row``: where each lies in the effects.
    effects
        ``effect`` (variant, context).
    suffix
        ``.tsv`` (one row per variant), ``.parquet`` (one row per variant and context), ``.nc``, or one of
        `FIGURE_FORMATS`: what is on screen.
    name
        Of the file, without its suffix.
    display
        What is on screen, for a figure.

    Raises
    ------
    ResultError
        If the table has no rows.
    """
    if table.empty:
        raise ResultError("the table shows no variant: change the filter, then export")
    chosen = effects.isel(variant=table["row"].to_numpy())
    if suffix in FIGURE_FORMATS.values():
        from phenviz.figures.variants_screen import variant_screen_figure, variants_screen_figure

        if isinstance(display, VariantDisplay):
            return figure_file(variant_screen_figure(display, chosen), name, suffix)
        if display is None or not display.rows:
            raise ResultError("no variant is drawn: tick a context on the left, then export")
        return figure_file(variants_screen_figure(display, effects), name, suffix)
    from phenviz.effects import join_scores
    from phenviz.results.variants import variants_file as written_to

    also = {column: ("variant", table[column].to_numpy()) for column in _ALSO if column in table}
    with private_directory() as folder:
        path = folder / f"{name}{suffix}"
        with written_to(path, join_scores) as append:
            append(chosen.assign_coords(also))
        return packed([path], name)
