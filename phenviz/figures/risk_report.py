"""The report on risk scores: one HTML file with everything in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from phenviz.disease.cohort.subtypes import Subtypes, in_words
from phenviz.figures.report import Block, Drawing, Figures, Notice, Report, Section, Table, Words
from phenviz.figures.report import render_report as render
from phenviz.figures.risk import (
    area_figure,
    calibration_figure,
    decision_figure,
    roc_figure,
    subtypes_figure,
)
from phenviz.results.risk_scores import SCORE_NAMES

_METRICS = {
    "auroc": "AUROC (DeLong)",
    "auprc": "AUPRC",
    "liability_r2": "liability R²",
    "calibration_slope": "calibration slope",
    "odds_ratio_per_sd": "odds ratio per SD",
}


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
    subtypes
        Groups of each trait's cases.
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
    subtypes: Subtypes | None = None


def render_report(report: RiskReport) -> str:
    """Write the report as HTML that needs no other file."""
    traits = list(dict.fromkeys(report.metrics["trait"])) if len(report.metrics) else []
    told = [
        Words(lines, head)
        for head, lines in (
            ("What was left out or filled in", report.notes),
            ("Too few to show", report.suppressed),
        )
        if lines
    ]
    asked = "The reporting standard for polygenic risk scores (Wand 2021)."
    checklist = Table(["item", "asks for", "here"], report.checklist)
    sections = [
        Section("What was judged", [Table.of_facts(report.facts), *told]),
        *(_trait(report, str(trait)) for trait in traits),
        Section("PRS-RS checklist", [Words([asked]), checklist], small=True),
    ]
    notices = [_notice(report.simulated)]
    return render(Report("Risk scores", report.title, warnings=notices, sections=sections))


def _notice(simulated: bool) -> Notice:
    clinical = "For research on methods. Not for clinical use."
    if not simulated:
        return Notice("", clinical)
    made_up = (
        "nobody's genotype or disease was measured; the numbers say how the methods do on a known truth, not "
        "who falls ill."
    )
    return Notice("Simulated people:", f"{made_up} {clinical}")


def _trait(report: RiskReport, trait: str) -> Section:
    metrics = report.metrics[report.metrics["trait"] == trait]
    groups = [name for name in dict.fromkeys(metrics["ancestry"]) if not name.startswith("distance")]
    distances = [name for name in dict.fromkeys(metrics["ancestry"]) if name.startswith("distance")]
    shown = [name for name in groups if metrics.loc[metrics["ancestry"] == name, "value"].notna().any()]
    areas = metrics[metrics["metric"] == "auroc"]
    blocks: list[Block] = []
    if shown:
        caption = "Discrimination in each ancestry."
        drawings = [_drawing(area_figure(areas, groups, "people"), caption, trait)]
        if distances:
            far = area_figure(areas, distances, "genetic distance from the training people (1: as they)")
            caption = "Discrimination along genetic distance, a fifth of the people each."
            drawings.append(_drawing(far, caption, trait))
        blocks.append(Figures(drawings))
    for name in shown:
        blocks += _group(report, trait, name)
    return Section(trait, [*blocks, _differences(metrics, [*groups, *distances]), *_cases(report, trait)])


def _drawing(svg: str, caption: str, trait: str) -> Drawing:
    return Drawing(svg, caption, f"{trait}: {caption} The tables below have the numbers.", narrow=True)


def _group(report: RiskReport, trait: str, name: str) -> list[Block]:
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
        rows.append([label, *(_estimate(values, metric) for metric in _METRICS)])
    figures = [
        (roc_figure(people), "ROC curves."),
        (calibration_figure(own(report.deciles)), "Calibration in tenths, Wilson's intervals."),
        (decision_figure(own(report.decisions)), "Decision curves."),
    ]
    return [
        Words([], f"{name}: {cases:,} cases, {controls:,} controls"),
        Table(["score", *_METRICS.values()], rows),
        Figures([_drawing(svg, caption, trait) for svg, caption in figures]),
    ]


def _cases(report: RiskReport, trait: str) -> list[Block]:
    """Say whether a trait's cases fall into groups, and what each has more often."""
    if report.subtypes is None:
        return []
    tests, people, other = (
        table[table["trait"] == trait]
        for table in (report.subtypes.tests, report.subtypes.people, report.subtypes.comorbidity)
    )
    blocks: list[Block] = [Words([in_words(row) for _, row in tests.iterrows()], "Groups of cases")]
    if len(people):
        caption = "Each dot is a case, at what the model says of the case's other traits."
        blocks.append(Figures([_drawing(subtypes_figure(people), caption, trait)]))
    if len(other):
        rows = [
            [str(row.group), str(row.other), f"{row.cases:,}", *_comorbid(row)] for row in other.itertuples()
        ]
        head = ["group", "other trait", "cases", "share", "in other groups", "odds ratio", "p", "q"]
        blocks.append(Table(head, rows, numbers=frozenset(range(2, len(head))), caption="Comorbidity"))
    return blocks


def _comorbid(row: Any) -> list[str]:
    if pd.isna(row.p_value):
        return ["-"] * 5
    ratio = f"{row.odds_ratio:.2f} ({row.low:.2f} to {row.high:.2f})".replace("inf", "∞")
    return [
        f"{row.share:.1%}",
        f"{row.share_elsewhere:.1%}",
        ratio,
        f"{row.p_value:.2g}",
        f"{row.q_value:.2g}",
    ]


def _differences(metrics: pd.DataFrame, groups: Sequence[str]) -> Block:
    title = "Differences of AUROC, paired bootstrap"
    own = metrics[metrics["metric"] == "auroc_difference"]
    names = list(dict.fromkeys(own["score"]))
    rows = []
    for group in groups:
        values = own[own["ancestry"] == group].set_index("score")
        if len(values):
            rows.append([group, *(_estimate(values, name) for name in names)])
    return Table(["people", *names], rows, caption=title) if rows else Words(["None: too few cases."], title)


def _estimate(values: pd.DataFrame, name: str) -> str:
    if name not in values.index or pd.isna(values.loc[name, "value"]):
        return "-"
    value, low, high = (float(values.loc[name, column]) for column in ("value", "low", "high"))
    return f"{value:.3f}" if pd.isna(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"
