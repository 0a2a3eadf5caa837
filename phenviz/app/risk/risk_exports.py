"""Files of the Risk page: figures as the screen shows them, and the numbers of all traits of the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.app.risk.risk_parts import Chain, Leading, simulated_words
from phenviz.app.shell.exports import FIGURE_FORMATS, File, figure_file, saved_file
from phenviz.errors import ResultError
from phenviz.formats import menu_of
from phenviz.results.intervals import file_name

if TYPE_CHECKING:
    from phenviz.disease.cohort.saved import RiskModel

FIGURES = {
    "scores": "Scores among others",
    "chain": "Changed bases to person",
    "contributions": "Genes by cell types",
    "curves": "ROC and calibration",
    "subtypes": "Groups of cases",
}
# figures that need nobody to have been scored, by the view that shows them
OF_MODEL = {"model": "curves", "subtypes": "subtypes"}
FORMATS = FIGURE_FORMATS | menu_of("risk")
_AXES = {"raw": "score, log odds", "adjusted": "score adjusted for ancestry, standard deviations"}


@dataclass(frozen=True, eq=False)
class RiskOnScreen:
    """What the page shows now.

    Parameters
    ----------
    model, trait, sample, group, scale
        What is looked at.
    result
        Scores of the person, if they are there.
    distributions
        Of each score: reference people by group, the group of the person, the person.
    chain, leading
        What is drawn of them.
    roc, calibration
        Curves of the group.
    cases
        Map of the trait's cases.
    chosen
        Gene, context and variant.
    """

    model: RiskModel
    trait: str
    sample: str
    group: str
    scale: str
    result: xr.Dataset | None
    distributions: Mapping[str, tuple[Mapping[str, NDArray[np.float64]], str, float | None]]
    chain: Chain | None
    leading: Leading | None
    roc: pd.DataFrame
    calibration: pd.DataFrame
    cases: pd.DataFrame
    chosen: Mapping[str, str] = field(default_factory=dict)


def risk_file(screen: RiskOnScreen, suffix: str, figure: str) -> Callable[[], File]:
    """Return what makes a file of what is on screen.

    Parameters
    ----------
    screen
        What is.
    suffix
        One of `FORMATS`.
    figure
        One of `FIGURES`, for figure formats.

    Raises
    ------
    ResultError
        If there is nothing of this kind yet.
    """
    of_model = suffix in FIGURE_FORMATS.values() and figure in OF_MODEL.values()
    if screen.result is None and not of_model:
        raise ResultError("nobody has been scored yet: wait until the scores are there, then export")
    mark = "SIMULATED_" if screen.model.simulated else ""
    whose = "cases" if figure == "subtypes" else screen.group
    whose = whose if of_model else screen.sample
    name = f"phenviz_{mark}risk_{file_name(screen.trait)}_{file_name(whose)}"
    if suffix in FIGURE_FORMATS.values():
        return lambda: figure_file(_drawing(screen, figure), f"{name}_{figure}", suffix)
    result = screen.result
    assert result is not None
    return lambda: saved_file(result, f"phenviz_{mark}risk_{file_name(screen.sample)}", suffix)


def _drawing(screen: RiskOnScreen, figure: str) -> Any:
    from phenviz.figures import risk_screen as draw

    label = screen.model.label(screen.trait)
    made_up = "SIMULATED, " if screen.model.simulated else ""
    footer = simulated_words(screen.model)
    if figure == "curves":
        return draw.curves_figure(
            screen.roc, screen.calibration, title=f"{made_up}{label}, judged in {screen.group}", footer=footer
        )
    if figure == "subtypes":
        return draw.subtypes_figure(screen.cases, title=f"{made_up}{label}, groups of cases", footer=footer)
    title = f"{made_up}{screen.sample}, {label}"
    if figure == "scores":
        return draw.scores_figure(screen.distributions, axis=_AXES[screen.scale], title=title, footer=footer)
    if screen.chain is None or screen.leading is None:
        raise ResultError("nothing is known of this trait yet: wait until the scores are there")
    if figure == "chain":
        shown = screen.chain
        return draw.chain_figure(shown.boxes, shown.links, screen.chosen, title=title, footer=footer)
    lead = screen.leading
    return draw.contributions_figure(lead.genes, lead.contexts, lead.values, title=title, footer=footer)
