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


def section(model: str, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the section."""
    test, validation = metrics["test"], metrics["validation"]
    rows = [[METRICS[name], _measured(test[name]), _measured(validation[name])] for name in METRICS]
    single = [
        [
            name,
            f"{found['peaks']:,}",
            *(_measured(found[key]) for key in ("against_background", "within_sites")),
        ]
        for name, found in test["contexts"].items()
    ]
    return f"""## How good it is

{model} on the test region {_place(test)}: {test["summits"]:,} summit clusters and {test["background"]:,}
background positions over 1 kb from any summit; score of a place: mean activity of the central 256 bp, both
strands averaged; 95 % intervals from a bootstrap over blocks of 250 kb. The correlation is Pearson's over
all summits and contexts, 0 where there is no peak. The validation region {_place(validation)}
({validation["summits"]:,} summits) was used for choosing, so that its figures are optimistic.

{markdown_table(["", "test", "validation"], rows)}

Each context on the test region, AUROC of its own summits:

{markdown_table(["context", "peaks", "against background", "within the sites of all"], single)}
{_of_reporters(test.get("sequences", {}))}"""


def _of_reporters(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    rows = [[name, f"{one['sequences']:,}", _measured(one["pearson"])] for name, one in found.items()]
    return f"""
Reporters, on sequences of the split for testing: correlation with log2 RNA/DNA.

{markdown_table(["reporter", "sequences", "Pearson"], rows)}
"""


def _measured(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{number(found['value'], 3)} ({number(low, 3)} to {number(high, 3)})"


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
