"""Put the accuracy of the embedded backbone, as its card holds it, into the model card.

The numbers were measured at the end of training (`phenviz.models.evaluation`); nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.report import markdown_table, number, write_section
from phenviz.genome import shown_contig
from phenviz.models.evaluation import METRICS
from phenviz.world import open_world

# Same test region and protocol: motif scores with logistic regression, a first network with 160
# motifs and 312,000 weights, and what was aimed at. NaN: not measured.
COMPARED = {
    "any_summit": (0.822, 0.843, 0.86),
    "context_summit": (0.894, 0.912, 0.92),
    "within_summits": (0.723, 0.743, 0.77),
    "context_correlation": (float("nan"), 0.39, 0.45),
}


def section(model: str, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the section."""
    test, validation = metrics["test"], metrics["validation"]
    rows = [
        [METRICS[name], *(number(value, 3) for value in COMPARED[name]), f"**{_measured(test, name)}**"]
        for name in METRICS
    ]
    chosen_on = "; ".join(f"{METRICS[name]} {_measured(validation, name)}" for name in METRICS)
    return f"""## How good it is

{model} on the test region {_place(test)}: {test["summits"]:,} summit clusters and {test["background"]:,}
background positions over 1 kb from any summit; score of a place: mean activity of the central 256 bp, both
strands averaged; 95 % intervals from a bootstrap over blocks of 250 kb.

{markdown_table(["", "motif scores, logistic regression", "first CNN", "target", f"**{model}**"], rows)}

The columns beside were measured before this network was designed, on the same peaks and test region: motif
scores with logistic regression, and a first network (160 JASPAR motifs on both strands, 312,000 weights,
1 kb windows, 12 epochs). The targets were set from them. The correlation is Pearson's over all summits and
contexts, 0 where there is no peak; whether the first CNN's was computed just so isn't known to us.
{_verdict(test)}

Validation region {_place(validation)} ({validation["summits"]:,} summits; used for choosing, so optimistic):
{chosen_on}.
"""


def _verdict(test: Mapping[str, Any]) -> str:
    missed = [name for name in METRICS if test[name]["value"] < COMPARED[name][-1]]
    if not missed:
        return "All targets are reached."
    within = [name for name in missed if test[name]["interval"][1] >= COMPARED[name][-1]]
    words = f"{len(METRICS) - len(missed)} of {len(METRICS)} targets are reached"
    if within:
        words += f"; of the others, {len(within)} inside the interval"
    return f"{words}."


def _measured(report: Mapping[str, Any], name: str) -> str:
    low, high = report[name]["interval"]
    return f"{number(report[name]['value'], 3)} ({number(low, 3)} to {number(high, 3)})"


def _place(report: Mapping[str, Any]) -> str:
    region = report["region"]
    # cards of old hold start and end alone, of chromosome 20
    regions = [("20", *region)] if isinstance(region[0], int) else region
    return ", ".join(f"{shown_contig(contig)}:{start + 1:,}-{end:,}" for contig, start, end in regions)


def main() -> None:
    """Write the section."""
    backbone = open_world().backbone
    model = f"{backbone.name}@{backbone.weights_hash[:8]}"
    write_section("accuracy", section(model, backbone.card["metrics"]))


if __name__ == "__main__":
    main()
