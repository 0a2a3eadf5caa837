"""Files of the Disease page: figures, tidy tables, and the methods paragraph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import xarray as xr

from phenviz.app.disease.disease_parts import method_part, named_p_values
from phenviz.app.shell.exports import FIGURE_FORMATS, File, figure_file, packed, saved_file
from phenviz.app.shell.uploads import private_directory
from phenviz.disease import methods_paragraph, table_to_keep
from phenviz.disease.files import gene_table
from phenviz.disease.prose import is_of_people
from phenviz.disease.simulated import is_simulated, simulated_title
from phenviz.errors import ResultError
from phenviz.formats import menu_of

FIGURES = {
    "heatmap": "Heat map",
    "bars": "Bars of −log10 p",
    "forest": "Forest of effects",
    "methods": "Methods side by side",
    "qq": "QQ plots",
    "leave-one-out": "Leave one locus out",
    "slide": "Slide of one hypothesis, 16:9",
}
FORMATS = menu_of("hypotheses")


def disease_file(
    dataset: xr.Dataset,
    suffix: str,
    *,
    figure: str,
    method: str,
    trait: str,
    context: str,
    shown: xr.Dataset | None = None,
    methods: Sequence[str] = (),
    evidence: xr.Dataset | None = None,
) -> Callable[[], File]:
    """Return what makes a file of hypotheses.

    Parameters
    ----------
    dataset
        Hypotheses.
    suffix
        One of `FORMATS`.
    figure
        One of `FIGURES`, for figure formats.
    method, trait, context
        What is looked at.
    shown
        The part on screen: its traits and contexts, in their order, are those of the figures.
    methods
        Methods for the figures that show several; all by default.
    evidence
        Evidence behind the trait, for the leave-one-out figure.

    Raises
    ------
    ResultError
        If there is nothing to draw.
    """
    mark = "SIMULATED_" if is_simulated(str(dataset.attrs["source"])) else ""
    name = f"phenviz_{mark}hypotheses"
    if suffix in FIGURE_FORMATS.values():
        drawn = dataset
        if shown is not None:
            # the same rows and columns, in the same order, as on screen
            drawn = dataset.sel({"trait": shown["trait"].values, "context": shown["context"].values})
        if figure == "leave-one-out" and is_of_people(dataset):
            raise ResultError("people were tested, not loci: choose another figure")
        if figure == "leave-one-out" and evidence is None:
            raise ResultError(
                "choose a cell and look at what stands behind it first: then its loci can be drawn"
            )
        return lambda: figure_file(
            _drawing(drawn, figure, method, trait, context, methods, evidence), f"{name}_{figure}", suffix
        )
    if suffix == ".parquet":
        return lambda: _table(dataset, name)
    if suffix == ".nc":
        return lambda: saved_file(dataset.assign_attrs(methods=methods_paragraph(dataset)), name, suffix)
    return lambda: saved_file(dataset, name, suffix)


def _drawing(
    dataset: xr.Dataset,
    figure: str,
    method: str,
    trait: str,
    context: str,
    methods: Sequence[str],
    evidence: xr.Dataset | None,
) -> Any:
    from phenviz.figures import disease as draw
    from phenviz.figures.disease_qq import leave_one_out_figure, qq_figure
    from phenviz.figures.disease_slide import slide_figure as draw_slide

    several = list(methods) or dataset["method"].values.astype(str).tolist()
    title = simulated_title(str(dataset.attrs["source"]))
    if figure in ("heatmap", "methods"):
        chosen = [method] if figure == "heatmap" else several
        return draw.heatmap_figure(dataset, methods=chosen, title=title or "Hypotheses: traits by contexts")
    if figure == "bars":
        return draw.bars_figure(dataset, method=method, traits=[trait] if trait else None)
    if figure == "forest":
        return draw.forest_figure(dataset, method=method, traits=[trait] if trait else None)
    if figure == "qq":
        values = named_p_values(dataset, several)
        return qq_figure(values, title=title or "Observed and expected p-values")
    if figure == "slide":
        known = context if context in method_part(dataset, method)["context"].values else None
        return draw_slide(dataset, method=method, trait=trait or None, context=known, evidence=evidence)
    assert evidence is not None
    return leave_one_out_figure(evidence, context)


def _table(dataset: xr.Dataset, name: str) -> File:
    tables, genes = {f"{name}.parquet": table_to_keep(dataset)}, gene_table(dataset)
    if genes is not None:
        tables[f"{name}.genes.parquet"] = genes
    with private_directory() as folder:
        for file, table in tables.items():
            table.to_parquet(folder / file, index=False)
        return packed([folder / file for file in tables], f"{name}.parquet")
