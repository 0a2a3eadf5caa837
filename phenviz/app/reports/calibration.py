"""How far tests of hypotheses can be trusted: their errors on null traits and their power, as measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.disease.calibration import measured_calibration, measured_power
from phenviz.disease.cohort_methods import described
from phenviz.figures.report import Block, Section, Table, Words


def calibration_section(dataset: xr.Dataset, names: Sequence[str]) -> Section:
    """Say of the methods of a result how often they err where there is nothing, and find what was planted.

    Parameters
    ----------
    names
        The methods.
    """
    model = str(dataset.attrs["model"])
    size = measured_calibration()
    size = size[size["method"].isin(names)]
    power = measured_power()
    power = power[power["method"].isin(names)]
    blocks: list[Block] = [Words(_told(model, size, power, names))]
    if len(size):
        blocks.append(_size_table(size))
    if len(power):
        blocks.append(_power_table(power))
    return Section("Calibration", blocks)


def _told(model: str, size: pd.DataFrame, power: pd.DataFrame, names: Sequence[str]) -> list[str]:
    told = [
        "Size: of traits with nothing to find (loci moved to random places, or simulated studies), the share "
        "that is called; a test that holds its size calls 5 % at p 0.05 and 1 % at p 0.01, within the "
        "interval."
    ]
    if len(power):
        told.append(
            "Power: of traits planted in one context (SIMULATED, on real sequence), how often that one comes "
            "first, by the number of loci and the share of them that act."
        )
    if model != "none" and {*size["model"], *power["model"]} - {model}:
        told.append(f"The tables say with what each was measured; this result was made with {model}.")
    if missing := [name for name in names if name not in set(size["method"])]:
        told.append(f"Not measured: {', '.join(missing)}. Take their p-values as unchecked.")
    return told


def _size_table(size: pd.DataFrame) -> Table:
    rows = size.assign(
        label=[_label(name) for name in size["method"]],
        at_05=_rates(size, "0.05"),
        at_01=_rates(size, "0.01"),
    )
    columns = {
        "label": ("Method", ""), "where": ("Loci moved, or studies", ""), "sets": ("Sets", "{:,}"),
        "at_05": ("Called at p 0.05", ""), "at_01": ("Called at p 0.01", ""), "verdict": ("Verdict", ""),
        "model": ("Measured with", ""),
    }  # fmt: skip
    return Table.of(rows, columns, caption="Size: errors where there is nothing to find (95 % interval)")


def _power_table(power: pd.DataFrame) -> Table:
    rows = power.assign(
        label=[_label(name) for name in power["method"]],
        share=[f"{share:.0%}" for share in power["share"]],
        first=[_interval(*row) for row in power[["top_1", "top_1_low", "top_1_high"]].to_numpy()],
        called=[_interval(*row) for row in power[["called", "called_low", "called_high"]].to_numpy()],
    )
    columns = {
        "label": ("Method", ""), "planted": ("Planted in", ""), "loci": ("Loci", "{:,}"),
        "share": ("of which act", ""), "first": ("Truth comes first", ""), "called": ("Truth is called", ""),
        "model": ("Measured with", ""),
    }  # fmt: skip
    return Table.of(
        rows, columns, caption="Power: how often a planted context is found (95 % interval)", most=60
    )


def _rates(size: pd.DataFrame, level: str) -> list[str]:
    return [
        _interval(*row) for row in size[[f"{part}_{level}" for part in ("rate", "low", "high")]].to_numpy()
    ]


def _interval(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return "not measured"
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _label(name: str) -> str:
    known = described()
    return f"{name}: {known[name].label}" if name in known else name
