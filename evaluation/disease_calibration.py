"""Measure whether the methods' p-values are true where there is nothing to find.

Real posterior structures are moved to random places of the chromosome, 1,000 sets anywhere and 1,000 near
genes, and every method tests them. A calibrated method calls 5 % of them at p < 0.05 and 1 % at p < 0.01.

    python -m evaluation.disease_calibration            # scores 75,000 variants the first time
    python -m evaluation.disease_calibration --quick    # 200 sets of each, no backbone with random weights
    python -m evaluation.disease_calibration --without-model

What was scored and tested is kept (in `build/evaluation`), so a run that was stopped goes on where it was;
``--again`` tests anew.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from evaluation import disease_sets as sets
from evaluation.report import DOCS, TABLES, markdown_table, number, write_section
from phenviz.disease import hypotheses
from phenviz.disease.calibration import MEASURED
from phenviz.disease.methods import methods
from phenviz.progress import Progress
from phenviz.world import World, open_world

PAGE = DOCS / "hypotheses.md"
SETS = 1_000
LEVELS = (0.05, 0.01)
PERMUTATIONS = 2_000
# sets that are tested at once, and kept
AT_ONCE = 200
_KEPT = DOCS.parent / "build" / "evaluation" / "null_sets"
# this one scores all variants by a second backbone: the first sets will do
RANDOM_WEIGHTS = "control-random-weights"
RANDOM_WEIGHTS_SETS = 400
MODEL_METHODS = (
    "variant", "sequence", "variant-specific", "variant-relative", "variant-signed", "variant-activity",
    "control-shuffled", "control-track-variance",
)  # fmt: skip


def null_sets(world: World, where: str, count: int, seed: int = 0) -> dict[str, list[pd.DataFrame]]:
    """Move the loci of real traits, each set's on their own: name of the set -> its loci."""
    patterns = list(sets.real_patterns(world).values())
    generator = np.random.default_rng([seed, {"anywhere": 1, "near genes": 2}[where]])
    anchors = (sets.anywhere if where == "anywhere" else sets.near_genes)(world)
    names, flat = [], []
    for number_ in range(count):
        own = patterns[number_ % len(patterns)]
        names += [f"set{number_}"] * len(own)
        flat += own
    placed = sets.place(flat, world, anchors, generator)
    members: dict[str, list[pd.DataFrame]] = {}
    for place, locus in placed.groupby("number", sort=True):
        sign = generator.choice([-1.0, 1.0])
        members.setdefault(names[int(place)], []).append(locus.drop(columns="number").assign(sign=sign))
    return members


def null_p_values(
    world: World, names: Sequence[str], where: str, count: int, seed: int = 0, *, again: bool = False
) -> pd.DataFrame:
    """Test sets of moved loci, some at a time: those that are done for these weights are read.

    Returns
    -------
    pd.DataFrame
        ``set``, ``method``, ``context``, ``p_value``: all contexts of each set.
    """
    members, parts = null_sets(world, where, count, seed), []
    kept = _KEPT / world.backbone.weights_hash[:8]
    kept.mkdir(parents=True, exist_ok=True)
    for first in range(0, count, AT_ONCE):
        own = [name for name in names if name != RANDOM_WEIGHTS or first < RANDOM_WEIGHTS_SETS]
        which = f"{where} {count} {seed} {first} {' '.join(own)}"
        path = kept / f"{hashlib.sha256(which.encode()).hexdigest()[:12]}.parquet"
        if again or not path.is_file():
            some = {name: members[name] for name in list(members)[first : first + AT_ONCE]}
            _p_values(some, world, own, seed + first).to_parquet(path)
        parts.append(pd.read_parquet(path))
    return pd.concat(parts, ignore_index=True)


def _p_values(
    members: dict[str, list[pd.DataFrame]], world: World, names: Sequence[str], seed: int
) -> pd.DataFrame:
    result = hypotheses(
        sets.as_traits(members), world, method=names, permutations=PERMUTATIONS, seed=seed,
        progress=Progress(_tell),
    )  # fmt: skip
    frame = result["p_value"].to_dataframe().reset_index().dropna(subset=["p_value"])
    return frame[["trait", "method", "context", "p_value"]].rename(columns={"trait": "set"})


def rates(p_values: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Count false positives of each method.

    Contexts of one set aren't independent, so the interval (Wilson, 95 %) is that of one context drawn from
    each set; the rate over all contexts stands beside it.
    """
    rows = []
    for name, own in p_values.groupby("method", sort=False):
        one = own.sample(frac=1, random_state=seed).drop_duplicates("set")["p_value"].to_numpy()
        row = {"method": name, "sets": len(one)}
        for level in LEVELS:
            hits = int((one <= level).sum())
            interval = binomtest(hits, len(one)).proportion_ci(method="wilson")
            row |= {
                f"rate_{level}": hits / len(one),
                f"low_{level}": interval.low,
                f"high_{level}": interval.high,
                f"all_{level}": float((own["p_value"] <= level).mean()),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def section(found: dict[str, pd.DataFrame], model: str) -> str:
    """Write the section of the page."""
    return f"""Measured with {model}. Each set has the posterior structure of a real trait (loci with a
posterior of at least {sets.LEAST_LOCUS}, variants of at least {sets.LEAST_POSTERIOR}), moved to places where
there is nothing to find; no two sets share a locus. In brackets: 95 % binomial intervals of one context a
set. A method is called off where the interval leaves out the nominal level. Sets of which a method has
nothing to test (no variant in a peak) don't count.

{chr(10).join(errors_table(f"Loci moved {where}", table) for where, table in found.items())}
"""


def errors_table(what: str, table: pd.DataFrame, sets: str = "sets") -> str:
    """Lay out the false positives of each method on sets of one kind."""
    rows = [
        [
            row["method"],
            row["sets"],
            *(_cell(row, level) for level in LEVELS),
            *(number(100 * row[f"all_{level}"], 1) for level in LEVELS),
            verdict(row),
        ]
        for _, row in table.iterrows()
    ]
    header = ["method", sets, "% p <= 0.05", "% p <= 0.01", "all contexts: 0.05", "0.01", "verdict"]
    return f"{what}:\n\n{markdown_table(header, rows)}\n"


def _cell(row: pd.Series, level: float) -> str:
    rate, low, high = (100 * row[f"{name}_{level}"] for name in ("rate", "low", "high"))
    return f"{number(rate, 1)} ({number(low, 1)} to {number(high, 1)})"


def verdict(row: pd.Series) -> str:
    """Say whether the interval of a method's false positives holds the nominal levels."""
    words = []
    for level in LEVELS:
        if row[f"low_{level}"] > level:
            words.append(f"too many at {level}")
        elif row[f"high_{level}"] < level:
            words.append(f"too few at {level}")
    return "; ".join(words) or "holds"


def _tell(stage: str, fraction: float) -> None:
    if fraction in (0.0, 1.0) or round(1000 * fraction) % 100 == 0:
        print(f"{time.strftime('%H:%M:%S')} {stage} {100 * fraction:.0f} %", file=sys.stderr, flush=True)


def main() -> None:
    """Test, and write tables, the QQ figure and the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 sets instead of 1,000")
    parser.add_argument(
        "--without-model", action="store_true", help="leave out what needs the sequence model"
    )
    parser.add_argument("--again", action="store_true", help="also sets that are tested already")
    options = parser.parse_args()
    world = open_world()
    names = sets.loci_methods()
    if options.without_model:
        names = [name for name in names if name not in (*MODEL_METHODS, RANDOM_WEIGHTS)]
    elif options.quick:
        names.remove(RANDOM_WEIGHTS)
    count = 200 if options.quick else SETS
    p_values = {
        where: null_p_values(world, names, where, count, again=options.again)
        for where in ("anywhere", "near genes")
    }
    found = {where: rates(table) for where, table in p_values.items()}
    TABLES.mkdir(parents=True, exist_ok=True)
    for where, table in found.items():
        print(table.round(4).to_string(), file=sys.stderr)
        table.round(5).to_csv(TABLES / f"disease_null_{where.replace(' ', '_')}.tsv", sep="\t", index=False)
    if not options.quick and not options.without_model:
        _write(p_values, found, world)


def _write(p_values: dict[str, pd.DataFrame], found: dict[str, pd.DataFrame], world: World) -> None:
    from phenviz.figures.disease_qq import qq_figure

    for where, table in p_values.items():
        named = {
            methods()[str(name)].label: own.drop_duplicates("set")["p_value"].to_numpy()
            for name, own in table.sample(frac=1, random_state=0).groupby("method", sort=False)
        }
        qq_figure(named, title=f"Loci moved {where}").save(
            TABLES / f"disease_qq_{where.replace(' ', '_')}.png"
        )
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    write_section("disease calibration", section(found, model), PAGE)
    tell_the_page(found, model)


def tell_the_page(found: Mapping[str, pd.DataFrame], model: str) -> None:
    """Put the errors of methods into the table that the Disease page reads; others there stay as they are."""
    own, known = shown_by_the_page(found, model), pd.read_csv(MEASURED, sep="\t")
    others = known[~known["method"].isin(own["method"])]
    pd.concat([others, own]).to_csv(MEASURED, sep="\t", index=False)


def shown_by_the_page(found: Mapping[str, pd.DataFrame], model: str) -> pd.DataFrame:
    """Make the table that the package carries, so that the Disease page can say how often a method errs."""
    parts = []
    for where, table in found.items():
        rates = table.drop(columns=[f"all_{level}" for level in LEVELS]).round(4)
        verdicts = [verdict(row) for _, row in table.iterrows()]
        rates.insert(0, "where", where)
        parts.append(rates.assign(verdict=verdicts, model=model))
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    main()
