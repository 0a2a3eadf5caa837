"""The report on risk scores: one HTML file with everything in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from phenviz.figures.risk import (
    area_figure,
    calibration_figure,
    decision_figure,
    roc_figure,
)
from phenviz.results.risk_scores import SCORE_NAMES

_METRICS = {
    "auroc": "AUROC (DeLong)",
    "auprc": "AUPRC",
    "liability_r2": "liability R²",
    "calibration_slope": "calibration slope",
    "odds_ratio_per_sd": "odds ratio per SD",
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;background:#fff}
body{max-width:1080px;margin:2em auto;padding:0 1em}
h1{font-size:1.6em}h2{margin-top:2em;border-bottom:1px solid #d5dbe1}h3{margin-top:1.4em}
table{border-collapse:collapse;margin:.6em 0;font-size:.88em;font-variant-numeric:tabular-nums}
th,td{padding:.25em .7em;border-bottom:1px solid #e6e9ec;text-align:left}td.n{text-align:right}
.warn{background:#fff4e0;border-left:4px solid #d9870f;padding:.6em 1em;margin:1em 0}
.figures{display:flex;flex-wrap:wrap;gap:12px}figure{margin:0}figcaption{font-size:.82em;color:#55616d}
svg{max-width:100%;height:auto}
@media (prefers-color-scheme:dark){body{background:#14191f;color:#dfe6ec}svg{background:#fff}
.warn{background:#3a2c10}th,td{border-color:#2c3640}}
"""


@dataclass(frozen=True, eq=False)
class RiskReport:
    """What the report shows.

    Parameters
    ----------
    title
        Heading.
    simulated
        Whether the people were made up.
    facts
        Name and value of what was trained and judged.
    scores
        Of the people judged by: trait, ancestry, label and a column for each score.
    metrics, deciles, decisions
        As from the judging.
    suppressed, notes
        Lines in words.
    checklist
        Item, what it asks, what is reported.
    """

    title: str
    simulated: bool
    facts: Mapping[str, str]
    scores: pd.DataFrame
    metrics: pd.DataFrame
    deciles: pd.DataFrame
    decisions: pd.DataFrame
    suppressed: Sequence[str]
    notes: Sequence[str]
    checklist: Sequence[tuple[str, str, str]]


def render_report(report: RiskReport) -> str:
    """Write the report as HTML that needs no other file."""
    traits = list(dict.fromkeys(report.metrics["trait"])) if len(report.metrics) else []
    body = [
        f"<h1>{escape(report.title)}</h1>",
        _warning(report.simulated),
        _facts(report.facts),
        _list("What was left out or filled in", report.notes),
        _list("Too few to show", report.suppressed),
        *(_trait(report, str(trait)) for trait in traits),
        "<h2>PRS-RS checklist</h2><p>The reporting standard for polygenic risk scores (Wand 2021).</p>",
        _table(["item", "asks for", "here"], [[escape(cell) for cell in row] for row in report.checklist]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _warning(simulated: bool) -> str:
    made_up = (
        "<strong>Simulated people:</strong> nobody's genotype or disease was measured; the numbers say how "
        "the methods do on a known truth, not who falls ill. "
        if simulated
        else ""
    )
    return f'<p class="warn">{made_up}For research on methods. Not for clinical use.</p>'


def _facts(facts: Mapping[str, str]) -> str:
    rows = [[escape(name), escape(value)] for name, value in facts.items()]
    return _table(["", ""], rows)


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h3>{escape(title)}</h3><ul>{items}</ul>"


def _trait(report: RiskReport, trait: str) -> str:
    metrics = report.metrics[report.metrics["trait"] == trait]
    groups = [name for name in dict.fromkeys(metrics["ancestry"]) if not name.startswith("distance")]
    distances = [name for name in dict.fromkeys(metrics["ancestry"]) if name.startswith("distance")]
    shown = [name for name in groups if metrics.loc[metrics["ancestry"] == name, "value"].notna().any()]
    areas = metrics[metrics["metric"] == "auroc"]
    parts = [f"<h2>{escape(trait)}</h2>"]
    if shown:
        drawings = [(area_figure(areas, groups, "people"), "Discrimination in each ancestry.")]
        if distances:
            far = area_figure(areas, distances, "genetic distance from the training people (1: as they)")
            drawings.append((far, "Discrimination along genetic distance, a fifth of the people each."))
        parts.append(_figures(drawings))
    for name in shown:
        parts.append(_group(report, trait, name))
    parts.append("<h3>Differences of AUROC, paired bootstrap</h3>")
    parts.append(_differences(metrics, [*groups, *distances]))
    return "".join(parts)


def _group(report: RiskReport, trait: str, name: str) -> str:
    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table[(table["trait"] == trait) & (table["ancestry"] == name)]

    people = report.scores[(report.scores["trait"] == trait) & report.scores["label"].notna()]
    if name != "all":
        people = people[people["ancestry"].replace("", "unknown") == name]
    metrics = own(report.metrics)
    cases, controls = (int(metrics[column].iloc[0]) for column in ("cases", "controls"))
    rows = []
    for score, label in SCORE_NAMES.items():
        values = metrics[metrics["score"] == score].set_index("metric")
        cells = [_estimate(values, metric) for metric in _METRICS]
        rows.append([escape(label), *cells])
    figures = [
        (roc_figure(people), "ROC curves."),
        (calibration_figure(own(report.deciles)), "Calibration in tenths, Wilson's intervals."),
        (decision_figure(own(report.decisions)), "Decision curves."),
    ]
    return (
        f"<h3>{escape(name)}: {cases:,} cases, {controls:,} controls</h3>"
        + _table(["score", *_METRICS.values()], rows)
        + _figures(figures)
    )


def _differences(metrics: pd.DataFrame, groups: Sequence[str]) -> str:
    own = metrics[metrics["metric"] == "auroc_difference"]
    names = list(dict.fromkeys(own["score"]))
    rows = []
    for group in groups:
        values = own[own["ancestry"] == group].set_index("score")
        if len(values):
            rows.append([escape(group), *(_estimate(values, name) for name in names)])
    return _table(["people", *names], rows) if rows else "<p>None: too few cases.</p>"


def _estimate(values: pd.DataFrame, name: str) -> str:
    if name not in values.index or pd.isna(values.loc[name, "value"]):
        return "-"
    value, low, high = (float(values.loc[name, column]) for column in ("value", "low", "high"))
    return f"{value:.3f}" if pd.isna(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _figures(drawings: Sequence[tuple[str, str]]) -> str:
    shown = "".join(
        f"<figure>{svg}<figcaption>{escape(text)}</figcaption></figure>" for svg, text in drawings
    )
    return f'<div class="figures">{shown}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    top = "".join(f"<th>{escape(str(name))}</th>" for name in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
