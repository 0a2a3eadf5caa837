"""Measure the headline test `sequence` beside its parts: errors where there is nothing, power where there is.

The sets are those of `disease_calibration` and `disease_power`; fewer of them, so that a change of the test
can be measured within the hour. The whole runs measure it with all other methods.

    python -m evaluation.disease_sequence            # 300 null sets of each kind, all planted sets
    python -m evaluation.disease_sequence --sets 1000
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial

import pandas as pd

from evaluation.disease_calibration import PAGE, null_p_values, rates, shown_by_the_page, verdict
from evaluation.disease_power import PLACES, power, run
from evaluation.report import TABLES, markdown_table, number, write_section
from phenviz.disease.calibration import MEASURED
from phenviz.disease.combined import Combined
from phenviz.disease.gene_activity import GeneActivity
from phenviz.disease.methods import Method, add_method, run_matched
from phenviz.world import World, open_world

GENE = "gene part alone"
PARTS = ("variant", "variant-activity", GENE)
_SHOWN = ((10, 0.5), (20, 0.5), (20, 1.0), (40, 1.0))


def add_gene_part() -> None:
    """Make the third part a method of its own, which the package doesn't offer."""
    alone = Combined((GeneActivity(),))
    text = "The specificity of the activity around the nearest genes was compared with that of matched loci."
    method = Method(GENE, text, "standard deviations of the null", partial(run_matched, alone))
    add_method(GENE, method, alone)


def calibration(world: World, sets: int) -> dict[str, pd.DataFrame]:
    """Test null sets, and keep the tables."""
    found = {}
    for where in ("anywhere", "near genes"):
        found[where] = rates(null_p_values(world, [*PARTS, "sequence"], where, sets))
        name = f"disease_sequence_null_{where.replace(' ', '_')}.tsv"
        found[where].round(5).to_csv(TABLES / name, sep="\t", index=False)
    return found


def tell_the_page(found: dict[str, pd.DataFrame], model: str) -> None:
    """Put the errors of `sequence` into the table that the Disease page reads."""
    own = {where: table[table["method"] == "sequence"] for where, table in found.items()}
    others = pd.read_csv(MEASURED, sep="\t")
    others = others[others["method"] != "sequence"]
    pd.concat([others, shown_by_the_page(own, model)]).to_csv(MEASURED, sep="\t", index=False)


def laid_out(found: dict[str, pd.DataFrame]) -> str:
    """Lay out the errors."""
    tables = []
    for where, table in found.items():
        rows = [
            [
                row["method"],
                row["sets"],
                *(_rate(row, level) for level in (0.05, 0.01)),
                *(number(100 * row[f"all_{level}"], 1) for level in (0.05, 0.01)),
                verdict(row),
            ]
            for _, row in table.iterrows()
        ]
        header = ["method", "sets", "% p <= 0.05", "% p <= 0.01", "all contexts: 0.05", "0.01", "verdict"]
        tables.append(f"Loci moved {where}:\n\n{markdown_table(header, rows)}\n")
    return "\n".join(tables)


def planted(world: World) -> str:
    """Test planted sets, keep the tables, and lay them out."""
    tables = []
    for where in ("peaks", "motifs"):
        table = power(run(world, [*PARTS, "sequence", "overlap", "accessibility"], where, PLACES))
        table.round(4).to_csv(TABLES / f"disease_sequence_power_{where}.tsv", sep="\t", index=False)
        chosen = table[table[["loci", "share"]].apply(tuple, axis=1).isin(_SHOWN)]
        rows = []
        for method, own in table.groupby("method", sort=False):
            shown = chosen[chosen["method"] == method].set_index(["loci", "share"])
            cells = [_settings(shown.loc[setting]) for setting in _SHOWN]
            means = own[["top_1", "auprc", "called"]].mean()
            rows.append([method, *cells, *map(number, means)])
        header = ["method", *(f"{loci} loci, {100 * share:.0f} %" for loci, share in _SHOWN)]
        header += ["mean top-1", "mean AUPRC", "mean p <= 0.05"]
        tables.append(f"Planted in {where}:\n\n{markdown_table(header, rows)}\n")
    return "\n".join(tables)


def _rate(row: pd.Series, level: float) -> str:
    rate, low, high = (100 * row[f"{name}_{level}"] for name in ("rate", "low", "high"))
    return f"{number(rate, 1)} ({number(low, 1)} to {number(high, 1)})"


def _settings(row: pd.Series) -> str:
    return " / ".join(number(row[name]) for name in ("top_1", "auprc", "called"))


def main() -> None:
    """Test, and write tables and the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=300, help="null sets of each kind")
    options = parser.parse_args()
    began, world = time.perf_counter(), open_world()
    add_gene_part()
    TABLES.mkdir(parents=True, exist_ok=True)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    found = calibration(world, options.sets)
    tell_the_page(found, model)
    errors = laid_out(found)
    print(errors, file=sys.stderr)
    power_ = planted(world)
    print(power_, file=sys.stderr)
    minutes = (time.perf_counter() - began) / 60
    text = f"""Measured with {model}; {minutes:.0f} minutes, scores cached. {options.sets:,} null sets of each
kind, made as under Calibration; in brackets 95 % binomial intervals of one context a set.

{errors}
Simulated on real sequence, as under Power: top-1 / AUPRC / share of p <= 0.05 of the planted context among 22
(chance: 0.05 each), by number of loci and share of true ones; the means are over all twelve settings.
`overlap` and `accessibility` read the observed peaks that the variants were planted in.

{power_}
"""
    write_section("disease sequence", text, PAGE)


if __name__ == "__main__":
    main()
