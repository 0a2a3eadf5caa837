"""Write the gene readout's section of the model card from its card; `phenviz train readout` measured it."""

from __future__ import annotations

import json
from typing import Any

from evaluation.report import markdown_table, number, write_section
from phenviz.data.embedded import READOUT

_NAMES = {
    "across_genes": "across genes, in one context (mean over contexts)",
    "across_genes_mean": "across genes, mean of all contexts",
    "across_contexts": "across contexts, in one gene (mean over genes that vary)",
    "specific": "context-specific part, all genes and contexts",
}
READING = """\
Readouts of two other backbones gave 0.70 and 0.67 across genes and 0.25 and 0.20 across contexts on the
same test genes; nothing was chosen by these figures, but they show how much they move with the backbone.

Read it so: the readout tells expressed from silent genes moderately well, from the promoter and its
surroundings, and says little about which cell type expresses a gene more. With some 400 genes to learn from,
one chromosome can't teach which enhancer acts on which gene. Between people, models of this kind explain
little of a gene's expression and often get the sign of a personal variant's effect wrong (Huang 2023, Sasse
2023); nothing here was tested on personal genomes."""


def section(card: dict[str, Any]) -> str:
    """Write the section of the model card."""
    training, test = card["training"], card["metrics"]["test"]
    chosen, genes = training["chosen"], training["genes"]
    best = max(training["cross_validation"], key=_sum)
    rows = [
        [label, _cell(test["readout"][name]), _cell(test["tss_window_baseline"][name]), _cross(best, name)]
        for name, label in _NAMES.items()
    ]
    # cards of old hold start and end alone, of chromosome 20
    region = training["held_out"]["test"]
    region = region if isinstance(region[0], int) else region[0][1:]
    columns = ["Pearson correlation", "readout", "TSS-window baseline", "readout, cross-validation"]
    reaches, penalties = _tried(training, "reach"), _tried(training, "penalty")
    return f"""## Gene readout

Predicts expression, ln(1 + CPM) of the gene's reads, in the sixteen populations of the data pack
`blood16-rna` (Corces 2016; fourteen are contexts of the backbone, CMP and MEP are the RNA's own, and there is
no RNA of Mega and mDC) from the backbone's embedding of the bins within {chosen["reach"]:,} bp of the TSS.
Pooling in {card["config"]["heads"]} attention heads that decay with the distance over 400 bp to 30 kb; the
output is a ridge regression. The reach (of {reaches} bp) and the penalty
({chosen["penalty"]:g} of {penalties}) were chosen by cross-validation over stretches of neighbouring training
genes: the validation region has {genes["validation"]} genes only, too few to choose by.
{_attention(training, chosen)} Learned from {genes["training"]} genes of
chromosome 20; tested on the {genes["test"]} genes with their TSS in
chr20:{region[0] + 1:,}-{region[1]:,}, which neither the backbone nor the readout ever saw. The baseline is a
ridge regression on the mean predicted log1p activity within about 1 kb of the TSS.

{markdown_table(columns, rows)}

In brackets: 95 % intervals, bootstrap over blocks of 250 kb. {test["readout"]["varying_genes"]} test genes
vary between populations (standard deviation of 0.3 or more). Cross-validation runs on the training genes,
whose surroundings the backbone has seen, and on other genes than the test: compare within a column.

{READING}
"""


def _cell(metric: dict[str, Any]) -> str:
    low, high = metric["interval"]
    return f"{number(metric['value'])} [{number(low)}, {number(high)}]"


def _cross(best: dict[str, float], name: str) -> str:
    return number(best[name]) if name in best else "-"


def _attention(training: dict[str, Any], chosen: dict[str, Any]) -> str:
    """Say what learning the attention from the bins' content brought in cross-validation."""
    same = [
        one
        for one in training["cross_validation"]
        if one["reach"] == chosen["reach"] and one["penalty"] == chosen["penalty"]
    ]
    by_distance, learned = (
        next((one for one in same if bool(one["passes"]) == learns), None) for learns in (False, True)
    )
    if by_distance is None or learned is None:
        return ""
    kept = "was kept" if chosen["passes"] else "was not kept: bins are weighed by their distance alone"
    return (
        "Attention learned from what the bins hold (sum of the correlations across genes and of the\n"
        f"context-specific part {number(_sum(learned))}, against {number(_sum(by_distance))} with weights\n"
        f"by the distance alone) {kept}."
    )


def _sum(one: dict[str, float]) -> float:
    return one["across_genes"] + one["specific"]


def _tried(training: dict[str, Any], name: str) -> str:
    return ", ".join(f"{value:,g}" for value in sorted({one[name] for one in training["cross_validation"]}))


def main() -> None:
    """Write the section of the model card."""
    write_section("readout", section(json.loads(READOUT.with_suffix(".json").read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
