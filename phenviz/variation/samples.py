"""Where the individuals come from, as far as a panel file says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from phenviz.errors import DataError
from phenviz.variation.table import text_column

# as in the panels of the 1000 Genomes Project and of others
_NAMES = {
    "sample": ("sample", "sample_id", "#iid", "iid", "individual", "sample name"),
    "population": ("population", "pop", "population code"),
    "superpopulation": ("superpopulation", "super_pop", "superpop", "superpopulation code"),
}


def sample_table(
    samples: Sequence[str], panel: str | os.PathLike[str] | None = None, superpopulation: str = ""
) -> pd.DataFrame:
    """Return what is known about samples.

    Parameters
    ----------
    samples
        Names.
    panel
        Tab-separated table with a header; None for nothing known.
    superpopulation
        Of samples that the panel doesn't name.

    Returns
    -------
    pd.DataFrame
        Columns sample, population, superpopulation; one row per sample, in the order given; "" where unknown.

    Raises
    ------
    DataError
        If the panel can't be read or names none of the samples.
    """
    table = pd.DataFrame({"sample": text_column(samples)})
    known = {} if panel is None else _read_panel(Path(panel).expanduser())
    if panel is not None and not known.keys() & set(samples):
        raise DataError(
            f"panel {panel} names none of the {len(samples):,} samples ({', '.join(samples[:3])} ...): "
            "give the panel of this file"
        )
    rows = [known.get(sample, ("", superpopulation)) for sample in samples]
    table["population"] = text_column([population for population, _ in rows])
    table["superpopulation"] = text_column([wider for _, wider in rows])
    return table


def _read_panel(path: Path) -> dict[str, tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"panel {path} can't be read ({error}): give a tab-separated table") from error
    header = [name.strip().lower() for name in lines[0].split("\t")] if lines else []
    columns = {
        wanted: next((place for place, name in enumerate(header) if name in names), None)
        for wanted, names in _NAMES.items()
    }
    sample = columns["sample"]
    if sample is None or (columns["population"] is None and columns["superpopulation"] is None):
        raise DataError(
            f"panel {path}, line 1: the columns sample, population (or pop) and superpopulation (or "
            "super_pop) are needed, separated by tabs"
        )
    return {
        _cell(cells, sample): (_cell(cells, columns["population"]), _cell(cells, columns["superpopulation"]))
        for cells in (line.split("\t") for line in lines[1:] if line.strip())
    }


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""
