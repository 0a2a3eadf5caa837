"""Do covariates tell cases from controls where chance alone makes people ill? Many draws of the same people.

    python -m evaluation.risk_null --draws 200 --write      # a few minutes

One seed of the table of scenarios showed an AUROC of 0.62 for covariates in Europeans under ``null``. If
something leaked, it would be high in every draw of the labels; if that was chance, it is one of many.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from evaluation.report import DOCS, markdown_table, number, write_section
from evaluation.risk import SHARES
from phenviz.disease.cohort.coalescent import simulate_unlinked
from phenviz.disease.cohort.covariates import fit_covariates
from phenviz.disease.cohort.dosages import principal_components
from phenviz.disease.cohort.folder import generator
from phenviz.disease.cohort.metrics import auroc_delong
from phenviz.disease.cohort.plan import plan_people, read_shares
from phenviz.disease.cohort.simulate import COMPONENTS, SPLIT_STREAM, UNLINKED_STREAM

SEEN = 0.62


def areas(people: int, draws: int, prevalence: float = 0.25, seed: int = 0) -> pd.DataFrame:
    """Return the AUROC of covariates among test people, for each draw of labels and ancestry."""
    plan = plan_people(people, read_shares(SHARES), generator(seed, SPLIT_STREAM), relatives=0.05)
    table = plan.people
    train = np.flatnonzero(table["split"].to_numpy() == "train")
    unlinked = simulate_unlinked(plan, generator(seed, UNLINKED_STREAM))
    components = principal_components(unlinked, train, COMPONENTS, seed)
    covariates = np.column_stack([table[["sex", "age"]].to_numpy(float), components])
    rng, rows = np.random.default_rng(seed), []
    for draw in range(draws):
        labels = (rng.random(len(table)) < prevalence).astype(float)
        logits = fit_covariates(covariates, labels, train).logits
        for name, own in table[table["split"] == "test"].groupby("ancestry"):
            found = auroc_delong(labels[own.index], logits[own.index])
            rows.append((draw, name, found.value, found.low <= 0.5 <= found.high))
    return pd.DataFrame(rows, columns=["draw", "ancestry", "auroc", "covers"])


def section(found: pd.DataFrame, people: int) -> str:
    """Write what came out."""
    rows = [
        [
            str(name),
            number(own["auroc"].mean(), 3),
            number(own["auroc"].std(ddof=1), 3),
            f"{(np.abs(own['auroc'] - 0.5) >= SEEN - 0.5).mean():.1%}",
            f"{own['covers'].mean():.1%}",
        ]
        for name, own in found.groupby("ancestry")
    ]
    head = [
        "test people",
        "mean AUROC",
        "standard deviation",
        f"as far from 0.5 as {SEEN}",
        "interval holds 0.5",
    ]
    draws = found["draw"].nunique()
    return (
        f"Covariates only, labels by chance, {draws} draws for the same {people:,} people:\n\n"
        + markdown_table(head, rows)
    )


def main() -> None:
    """Draw, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_200)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="put the table into docs/risk.md")
    options = parser.parse_args()
    text = section(areas(options.people, options.draws), options.people)
    print(text)
    if options.write:
        write_section("null", text, DOCS / "risk.md")


if __name__ == "__main__":
    main()
