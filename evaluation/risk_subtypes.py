"""How well can subtypes be found at all? Two mechanisms whose genes are told apart from all others.

    python -m evaluation.risk_subtypes --write      # ten minutes

People's expression is drawn independent for each gene, and known without error; labels come from the scenario
``subtypes``, and scores from a ridge regression for each trait. So this is more than any model of sequence
can reach. `best` groups cases by the true genetic values of both mechanisms: chance in the liability hides
the rest. T is ill by two mechanisms, its comorbidity C1 by one: groups found there are invented.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import adjusted_rand_score

from evaluation.report import DOCS, markdown_table, number, write_section
from phenviz.disease.cohort.liability import Liability
from phenviz.disease.cohort.scenarios import ScenarioOptions, Setting, draw_labels
from phenviz.disease.cohort.subtypes import LEVEL, find_subtypes

CONTEXTS = {"A": "a", "B": "b", "C": "c"}
GENES = 80
HERITABILITIES = (0.4, 0.6, 0.8)


def run(heritability: float, train: int, test: int, seed: int) -> dict[str, Any]:
    """Return what is found in one draw of people."""
    rng = np.random.default_rng(seed)
    names = tuple(f"G{number}" for number in range(GENES))
    values = rng.normal(size=(train + test, GENES, len(CONTEXTS)))
    people = pd.DataFrame({"sample": [f"S{row}" for row in range(len(values))], "ancestry": "EUR"})
    people = people.assign(sex=rng.integers(2, size=len(values)), age=rng.uniform(40, 70, len(values)))

    def expression(genes: Any) -> Any:
        return values[:, [names.index(name) for name in genes]], tuple(CONTEXTS)

    setting: Any = Setting(people, np.arange(train), None, names, CONTEXTS, expression)  # type: ignore[arg-type]
    drawn = draw_labels("subtypes", setting, Liability(heritability=heritability), ScenarioOptions(), rng)
    judged = people.iloc[train:]
    scores, labels = [], []
    for trait in drawn.labels:
        label = drawn.labels[trait].to_numpy(float)
        flat = values.reshape(len(values), -1)
        fit = Ridge(alpha=0.3 * train).fit(flat[:train], label[:train])
        part = judged[["sample", "ancestry"]].assign(trait=trait)
        scores.append(part.assign(ensemble=fit.predict(flat[train:])))
        labels.append(part.assign(label=label[train:]))
    found = find_subtypes(pd.concat(scores), pd.concat(labels), seed=seed)
    tests = found.tests.set_index("trait")
    true = pd.Series(drawn.hidden["subtype"].to_numpy()[train:], index=judged["sample"])
    genetic = [
        sum(w * values[:, names.index(gene), list(CONTEXTS).index(one["context"])]
            for gene, w in one["genes"].items())
        for one in drawn.truth["traits"]["T"]["mechanisms"]
    ]  # fmt: skip
    first, second = (one / one.std() for one in genetic)
    cases = true.to_numpy() > 0
    own = found.people[found.people["trait"] == "T"].set_index("sample")["group"]
    comorbid = found.comorbidity[found.comorbidity["trait"] == "T"]
    return {
        "heritability": heritability,
        "people": test,
        "best": adjusted_rand_score(true[cases], (first >= second)[train:][cases]),
        "found": adjusted_rand_score(true[own.index], own),
        "told": tests.loc["T", "q_value"] <= LEVEL,
        "two": tests.loc["T", "groups"] == 2,
        "stability": tests.loc["T", "stability"],
        "invented": tests.loc["C1", "p_value"] <= LEVEL,
        "comorbid": bool((comorbid["q_value"] <= LEVEL).any()),
    }


def section(found: pd.DataFrame) -> str:
    """Write what came out."""
    rows = [
        [
            f"{heritability:g}, {people:,}",
            number(own["best"].mean()),
            number(own.loc[own["told"], "found"].mean()) if own["told"].any() else "-",
            *(f"{own[name].mean():.0%}" for name in ("told", "two")),
            number(own["stability"].mean()) if own["told"].any() else "-",
            *(f"{own[name].mean():.0%}" for name in ("comorbid", "invented")),
        ]
        for (heritability, people), own in found.groupby(["heritability", "people"], sort=False)
    ]
    head = ["heritability, people judged", "best possible adjusted Rand", "found, where told",
            "told (q <= 0.05)", "two groups", "stability", "comorbidity differs (q <= 0.05)",
            "one way: told (p <= 0.05)"]  # fmt: skip
    draws = found.groupby(["heritability", "people"]).size().max()
    return (
        f"Two mechanisms, expression known without error, {draws} draws of each; simulated people:\n\n"
        + markdown_table(head, rows)
    )


def main() -> None:
    """Draw, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--write", action="store_true", help="put the table into docs/risk.md")
    options = parser.parse_args()
    sizes = ((500, 240), (1_500, 700))
    found = pd.DataFrame(
        [
            run(heritability, *size, seed)
            for heritability in HERITABILITIES
            for size in sizes
            for seed in range(options.draws)
        ]
    )
    text = section(found)
    print(text)
    if options.write:
        write_section("subtypes", text, DOCS / "risk.md")


if __name__ == "__main__":
    main()
