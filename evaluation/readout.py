"""Write the gene readouts' sections of the model card from the cards that `phenviz train readout` wrote."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from textwrap import fill
from typing import Any

from evaluation.report import markdown_table, number, write_section
from phenviz.world import open_world

_NAMES = {
    "across_genes": "across genes, in one context (mean over contexts)",
    "across_genes_mean": "across genes, mean of all contexts",
    "within_gene": "across contexts, in one gene, as expression is (mean over genes that vary)",
    "across_contexts": "across contexts, in one gene, without each context's mean over the training genes",
    "specific": "context-specific part, all genes and contexts",
}
_PREDICTIONS = {
    "readout": "readout",
    "tss_window_baseline": "TSS-window baseline",
    "training_mean": "mean over training genes",
}
_WIDTH = 110
_BLOOD_RNA = "read counts of the data pack `blood16-rna` (Corces 2016)"
_OF_BLOOD = """
Readouts of two other backbones gave 0.70 and 0.67 across genes and 0.25 and 0.20 across contexts on the
same test genes; nothing was chosen by these figures, but they show how much they move with the backbone.
"""
READING = """\
Read it so: the readout tells expressed from silent genes moderately well, from the promoter and its
surroundings, and says little about which {what} expresses a gene more. With some 400 genes to learn from,
one chromosome can't teach which enhancer acts on which gene. Between people, models of this kind explain
little of a gene's expression and often get the sign of a personal variant's effect wrong (Huang 2023, Sasse
2023); nothing here was tested on personal genomes."""


def section(card: dict[str, Any], title: str = "Gene readout") -> str:
    """Write the section of one readout for the model card."""
    training, test = card["training"], card["metrics"]["test"]
    chosen, genes = training["chosen"], training["genes"]
    best = max(training["cross_validation"], key=_sum)
    shown = {name: label for name, label in _PREDICTIONS.items() if name in test}
    rows = [
        [label, *(_cell(test[one].get(name)) for one in shown), _cross(best, name)]
        for name, label in _NAMES.items()
        if name in test["readout"]
    ]
    # cards of old hold start and end alone, of chromosome 20
    region = training["held_out"]["test"]
    contig, start, end = ("20", *region) if isinstance(region[0], int) else region[0]
    columns = ["Pearson correlation", *shown.values(), "readout, cross-validation"]
    reaches, penalties = _tried(training, "reach"), _tried(training, "penalty")
    about = f"Predicts expression, {card.get('units', 'ln(1 + CPM)')}, in {_contexts(card)}"
    source = f"Learned from {card.get('data', _BLOOD_RNA)}.{_terms(card)}"
    return f"""## {title}

{fill(about, _WIDTH)}
from the backbone's embedding of the bins within {chosen["reach"]:,} bp of the TSS.
{fill(source, _WIDTH)}
Pooling in {card["config"]["heads"]} attention heads that decay with the distance over 400 bp to 30 kb; the
output is a ridge regression. The reach (of {reaches} bp) and the penalty
({chosen["penalty"]:g} of {penalties}) were chosen by cross-validation over stretches of neighbouring training
genes: the validation region has {genes["validation"]} genes only, too few to choose by.
{_attention(training, chosen)} Learned from {genes["training"]} genes of
chromosome {contig}; tested on the {genes["test"]} genes with their TSS in
chr{contig}:{start + 1:,}-{end:,}, which neither the backbone nor the readout ever saw. The baselines are a
ridge regression on the mean predicted log1p activity within about 1 kb of the TSS, and the mean over the
training genes in each context, which is the same for every gene.

{markdown_table(columns, rows)}

In brackets: 95 % intervals, bootstrap over blocks of 250 kb. {test["readout"]["varying_genes"]} test genes
vary between contexts (standard deviation of 0.3 or more). Cross-validation runs on the training genes,
whose surroundings the backbone has seen, and on other genes than the test: compare within a column.
{_against(test)}{_by_group(card, test)}{_OF_BLOOD if "data" not in card else ""}
{READING.format(what="tissue" if "data" in card else "cell type")}
"""


def _contexts(card: dict[str, Any]) -> str:
    """Count the contexts, by their groups."""
    contexts = card["config"].get("contexts", [])
    groups = Counter(context["group"] for context in contexts)
    return f"{len(contexts)} contexts ({', '.join(f'{name} {count}' for name, count in groups.items())})"


def _terms(card: dict[str, Any]) -> str:
    if "licence" not in card:
        return ""
    return f" {card.get('citation', '')}. Licence of the weights: {card['licence']}."


def _against(test: dict[str, Any]) -> str:
    """Say in what the readout can't be told apart from a baseline: the intervals hold each other's values."""
    lines = []
    for one, label in list(_PREDICTIONS.items())[1:]:
        alike = []
        for name, meaning in _NAMES.items():
            own, other = test["readout"].get(name), test.get(one, {}).get(name)
            if own and other and None not in (other["value"], own["value"], *other["interval"]):
                apart = own["interval"][0] > other["value"] and other["interval"][1] < own["value"]
                alike += [] if apart or other["interval"] == [0, 0] else [meaning]
        if alike:
            lines.append(fill(f"Not told apart from the {label}: {'; '.join(alike)}.", _WIDTH))
    return "".join(f"{line}\n" for line in lines)


def _by_group(card: dict[str, Any], test: dict[str, Any]) -> str:
    """Tabulate the correlation across genes by groups of contexts, which a mean over all hides."""
    found = test["readout"].get("contexts")
    if not found:
        return ""
    groups: dict[str, list[float]] = {}
    for context in card["config"]["contexts"]:
        if (value := found.get(context["name"])) is not None:
            groups.setdefault(context["group"], []).append(value)
    rows = [
        [name, len(values), number(sum(values) / len(values)), number(min(values))]
        for name, values in groups.items()
    ]
    table = markdown_table(["across genes, by group", "contexts", "mean", "lowest"], rows)
    return f"\n{table}\n"


def _cell(metric: dict[str, Any] | None) -> str:
    if metric is None or metric["value"] is None or None in metric["interval"]:
        return "-"
    low, high = metric["interval"]
    # of a prediction that is the same for all genes, rounding is all that varies
    return "-" if low == high == 0 else f"{number(metric['value'])} [{number(low)}, {number(high)}]"


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
    """Write the section of each readout of the embedded world."""
    for path in open_world().project.readouts:
        card = json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))
        of_tissues = "data" in card
        name = "readout of tissues" if of_tissues else "readout"
        write_section(name, section(card, "Tissue readout" if of_tissues else "Gene readout"))


if __name__ == "__main__":
    main()
