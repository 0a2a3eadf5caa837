"""Measure the headline test `sequence` beside its parts: errors where there is nothing, power where there is.

The sets are made as those of `disease_calibration` and `disease_power`; fewer of them, so that a change of
the test can be measured within the hour. The whole runs measure it with all other methods.

    python -m evaluation.disease_sequence
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial

import pandas as pd
from scipy.stats import binomtest

from evaluation import disease_sets as sets
from evaluation.disease_calibration import (
    LEVELS,
    PAGE,
    PERMUTATIONS,
    errors_table,
    null_sets,
    rates,
    tell_the_page,
)
from evaluation.disease_power import PLACES, REPORTED, power, run, tell_reports
from evaluation.report import TABLES, markdown_table, number, write_section
from phenviz.disease import hypotheses
from phenviz.disease.combined import Combined
from phenviz.disease.gene_activity import GeneActivity
from phenviz.disease.methods import Method, add_method, run_matched
from phenviz.world import World, open_world

GENE = "gene part alone"
PARTS = ("variant", "variant-activity", GENE)
# number of null sets and the seed that they are drawn with
NULLS = {"anywhere": ((300, 0),), "near genes": ((300, 0), (500, 1))}
_SHOWN = REPORTED
# these hold every planted and every other locus, so that scores are those of the whole run
SETTINGS = (*_SHOWN, (40, 0.25), (40, 0.5))


def add_gene_part() -> None:
    """Make the third part a method of its own, which the package doesn't offer."""
    alone = Combined((GeneActivity(),))
    text = "The specificity of the activity around the nearest genes was compared with that of matched loci."
    method = Method(GENE, text, "standard deviations of the null", partial(run_matched, alone))
    add_method(GENE, method, alone)


def calibration(world: World) -> dict[str, pd.DataFrame]:
    """Test null sets, and keep the tables."""
    found = {}
    for where, draws in NULLS.items():
        found[where] = pooled([_rates(world, where, count, seed) for count, seed in draws])
        found[where].round(5).to_csv(TABLES / _null_file(where), sep="\t", index=False)
    return found


def _rates(world: World, where: str, count: int, seed: int) -> pd.DataFrame:
    traits = sets.as_traits(null_sets(world, where, count, seed))
    # the background is that of the other evaluations, so that it is scored once
    result = hypotheses(traits, world, method=[*PARTS, "sequence"], permutations=PERMUTATIONS, seed=0)
    frame = result["p_value"].to_dataframe().reset_index().dropna(subset=["p_value"])
    return rates(frame.rename(columns={"trait": "set"}))


def pooled(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the rates of several draws of sets together."""
    rows = []
    for method, own in pd.concat(tables).groupby("method", sort=False):
        count = int(own["sets"].sum())
        row: dict[str, object] = {"method": method, "sets": count}
        for level in LEVELS:
            hits = round(float((own[f"rate_{level}"] * own["sets"]).sum()))
            interval = binomtest(hits, count).proportion_ci(method="wilson")
            row |= {
                f"rate_{level}": hits / count,
                f"low_{level}": interval.low,
                f"high_{level}": interval.high,
                f"all_{level}": float((own[f"all_{level}"] * own["sets"]).sum() / count),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _headline(found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {where: table[table["method"] == "sequence"] for where, table in found.items()}


def planted(world: World) -> dict[str, pd.DataFrame]:
    """Test planted sets, and keep the tables."""
    found = {}
    for where in ("peaks", "motifs"):
        names = [*PARTS, "sequence", "overlap"]
        found[where] = power(run(world, names, where, PLACES, settings=SETTINGS))
        found[where].round(4).to_csv(TABLES / _power_file(where), sep="\t", index=False)
    return found


def section(errors: dict[str, pd.DataFrame], found: dict[str, pd.DataFrame], model: str) -> str:
    """Write the section of the page."""
    return f"""Measured with {model}. Null sets made as under Calibration; in brackets 95 % binomial intervals
of one context a set.

{chr(10).join(errors_table(f"Loci moved {where}", table) for where, table in errors.items())}
Simulated on real sequence, as under Power: top-1 / AUPRC / share of p <= 0.05 of the planted context among 22
(chance: 0.05 each), by number of loci and share of true ones; the means are over these settings and those of
40 loci with 25 and 50 %. `overlap` reads the observed peaks that the variants were planted in.

{chr(10).join(_power(where, table) for where, table in found.items())}
"""


def _power(where: str, table: pd.DataFrame) -> str:
    rows = []
    for method, own in table.groupby("method", sort=False):
        settings = own.set_index(["loci", "share"])
        cells = [_setting(settings.loc[setting]) for setting in _SHOWN]
        rows.append([method, *cells, *map(number, own[["rank", "top_1", "auprc", "called"]].mean())])
    header = ["method", *(f"{loci} loci, {100 * share:.0f} %" for loci, share in _SHOWN)]
    header += ["mean rank", "top-1", "AUPRC", "p <= 0.05"]
    return f"Planted in {where}:\n\n{markdown_table(header, rows)}\n"


def _null_file(where: str) -> str:
    return f"disease_sequence_null_{where.replace(' ', '_')}.tsv"


def _power_file(where: str) -> str:
    return f"disease_sequence_power_{where}.tsv"


def _setting(row: pd.Series) -> str:
    return " / ".join(number(row[name]) for name in ("top_1", "auprc", "called"))


def main() -> None:
    """Test, and write tables and the page's section."""
    began, world = time.perf_counter(), open_world()
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    add_gene_part()
    TABLES.mkdir(parents=True, exist_ok=True)
    errors = calibration(world)
    tell_the_page(_headline(errors), model)
    found = planted(world)
    tell_reports(_headline(found), model)
    write_section("disease sequence", section(errors, found, model), PAGE)
    print(f"{(time.perf_counter() - began) / 60:.0f} minutes", file=sys.stderr)


if __name__ == "__main__":
    main()
