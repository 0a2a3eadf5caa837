"""Measure the functional prior: what it does to posteriors, to errors where there is nothing, and to power.

How the weight of a variant was chosen, written down before any of it was run. Candidates are

    w = (1 + e / 0.02) ** power ,   power 0.5, 1 or 2,   e the mean or the max over contexts ,

and the one is taken that gives the causal variant of planted loci the largest share of its locus' posterior:
40 loci for each of 8 contexts, planted in peaks and in motifs, seed 1, the mean of the two ways of planting.
Of candidates within 0.002 of the best the smaller power counts, then the mean. No real trait is looked at.
What is measured is measured on loci of seed 0, and the prior stays only if tests hold their size with it.

    python -m evaluation.disease_prior --choose   # the candidates
    python -m evaluation.disease_prior            # all else
    python -m evaluation.disease_prior --only power   # one part of it; the others' tables are read
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation import disease_sets as sets
from evaluation.disease_calibration import PAGE, PERMUTATIONS, errors_table, null_sets, rates
from evaluation.disease_power import PERMUTATIONS as POWER_PERMUTATIONS
from evaluation.disease_power import PLACES, PLANTED, planted_loci, planted_sets, power
from evaluation.report import TABLES, markdown_table, number, with_interval, write_section
from phenviz.disease.functional_prior import (
    NO_EFFECT,
    OVER,
    POWER,
    PRIORS,
    effect_size,
    prior_weight,
    reweighted,
)
from phenviz.disease.hypotheses import run_methods
from phenviz.disease.inputs import EFFECT, FLAT, Inputs, Settings
from phenviz.world import World, open_world

WAYS = {"peaks": 11, "motifs": 12}
POWERS, OVERS = (0.5, 1.0, 2.0), ("mean", "max")
CHOICE_PLACES, CHOICE_SEED = 40, 1
TIE = 0.002
NULLS = 200
METHODS = ("variant", "variant-activity", "sequence", "accessibility")
SETTINGS = ((10, 0.5), (20, 1.0))
SURE = 0.95
NULL_PLACES = ("anywhere", "near genes")
PARTS = ("loci", "nulls", "power")
_BOOTSTRAPS = 1_000
# context -> its loci
TraitLoci = dict[str, list[pd.DataFrame]]


def causal_loci(world: World, where: str, places: int, seed: int) -> TraitLoci:
    """Plant loci as `evaluation.disease_power` does."""
    generator = np.random.default_rng([seed, WAYS[where]])
    return {context: planted_loci(world, context, where, places, generator) for context in PLANTED}


def sized(world: World, members: TraitLoci) -> pd.DataFrame:
    """Score planted loci: ``locus`` (number), ``posterior``, ``causal``, ``mean`` and ``max`` of effects."""
    inputs = Inputs(sets.as_traits(members), world, Settings())
    magnitude = inputs.score(inputs.variants, world.backbone).magnitude
    loci = [locus for own in members.values() for locus in own]
    table = pd.concat([locus.assign(locus=n) for n, locus in enumerate(loci)], ignore_index=True)
    key = ["contig", "position", "ref", "alt"]
    sizes = inputs.variants[key].assign(**{over: effect_size(magnitude, over) for over in OVERS})
    return table.merge(sizes, on=key, how="left", validate="many_to_one")


def by_locus(table: pd.DataFrame, weight: np.ndarray) -> pd.DataFrame:
    """Reweight each locus.

    Returns
    -------
    pd.DataFrame
        One row per locus: ``variants``, ``share`` of the causal one, whether it comes ``first``, ``size`` of
        the 95 % credible set, and whether that ``holds`` it.
    """
    groups = table.groupby("locus", sort=False).indices.values()
    return pd.DataFrame([_one_locus(table.iloc[rows], weight[rows]) for rows in groups])


def _one_locus(own: pd.DataFrame, weight: np.ndarray) -> dict[str, float]:
    posterior = reweighted(own["posterior"].to_numpy(float), weight)
    share, causal = posterior / posterior.sum(), own["causal"].to_numpy(bool)
    order = np.argsort(-share, kind="stable")
    size = int(np.searchsorted(np.cumsum(share[order]), SURE - 1e-9)) + 1
    return {
        "variants": len(own), "share": float(share[causal].sum()), "size": size,
        "holds": float(causal[order[:size]].any()), "first": float(causal[order[0]]),
    }  # fmt: skip


def choose(world: World) -> pd.DataFrame:
    """Measure all candidates, and posteriors as given (power 0)."""
    tables = {where: sized(world, causal_loci(world, where, CHOICE_PLACES, CHOICE_SEED)) for where in WAYS}
    rows = []
    for power_, over in [(0.0, OVERS[0]), *product(POWERS, OVERS)]:
        shares = {
            where: by_locus(table, prior_weight(table[over].to_numpy(), power_))["share"].mean()
            for where, table in tables.items()
        }
        rows.append({"over": over, "power": power_, **shares, "both": np.mean(list(shares.values()))})
    return pd.DataFrame(rows)


def chosen(candidates: pd.DataFrame) -> tuple[str, float]:
    """Apply the rule: the best share; within 0.002 of it the smaller power, then the mean over contexts."""
    own = candidates[candidates["power"] > 0]
    near = own[own["both"] >= own["both"].max() - TIE].assign(first=own["over"] != OVERS[0])
    best = near.sort_values(["power", "first"]).iloc[0]
    return str(best["over"]), float(best["power"])


def fine_mapping(world: World) -> pd.DataFrame:
    """Compare posteriors with and without the prior on the planted loci that the power is measured on."""
    rows, generator = [], np.random.default_rng(0)
    for where in WAYS:
        table = sized(world, causal_loci(world, where, PLACES, 0))
        weights = {FLAT: np.ones(len(table)), EFFECT: prior_weight(table[OVER].to_numpy())}
        for prior, weight in weights.items():
            found = by_locus(table, weight)
            several = found[found["variants"] > 1]
            row: dict[str, object] = {"planted": where, "prior": prior, "loci": len(several)}
            drawn = generator.integers(0, len(several), (_BOOTSTRAPS, len(several)))
            for name in ("share", "first", "size", "holds"):
                values = several[name].to_numpy(float)
                low, high = np.quantile(values[drawn].mean(1), [0.025, 0.975])
                row |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def with_both(world: World, members: TraitLoci, permutations: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Test sets with each prior, on the same background, replicas and draws."""
    inputs = Inputs(sets.as_traits(members), world, Settings(permutations, 0))
    for prior in PRIORS:
        inputs.settings = replace(inputs.settings, prior=prior)
        _tell(f"{len(members)} sets, {prior}")
        frame = run_methods(inputs, METHODS)[["z", "p_value"]].to_dataframe().reset_index()
        frame = frame.dropna(subset=["p_value"]).rename(columns={"trait": "set"})
        yield prior, frame[["set", "method", "context", "z", "p_value"]]


def named(method: object, prior: str) -> str:
    """Name a method with its prior."""
    return str(method) if prior == FLAT else f"{method}, prior {prior}"


def calibration(world: World) -> dict[str, pd.DataFrame]:
    """Count false positives with and without the prior, on sets made as those of the whole calibration."""
    found = {}
    for where in NULL_PLACES:
        members = null_sets(world, where, NULLS)
        parts = [
            frame.assign(method=[named(name, prior) for name in frame["method"]])
            for prior, frame in with_both(world, members, PERMUTATIONS)
        ]
        found[where] = rates(pd.concat(parts))
    return found


def gain(world: World) -> pd.DataFrame:
    """Measure power with and without the prior, on the same sets."""
    parts = []
    for where in WAYS:
        members, facts = planted_sets(world, where, PLACES)
        facts = facts[[pair in SETTINGS for pair in zip(facts["loci"], facts["share"], strict=True)]]
        for prior, frame in with_both(
            world, {name: members[name] for name in facts.index}, POWER_PERMUTATIONS
        ):
            table = power(frame.join(facts, on="set"))
            parts.append(table.assign(planted=where, prior=prior))
    return pd.concat(parts, ignore_index=True)


def section(model: str) -> str:
    """Write the section of the page from the tables."""
    mapped, found = _read("loci"), _read("power")
    errors = {where: _read(_null(where)) for where in NULL_PLACES}
    columns = ("share", "first", "size", "holds")
    rows = [
        [f"{r['planted']}, {r['prior']}", r["loci"], *(with_interval(r, name) for name in columns)]
        for _, r in mapped.iterrows()
    ]
    header = ["planted in, prior", "loci", "share of the causal variant", "causal variant first"]
    header += ["variants in the 95 % set", "it holds the causal one"]
    return f"""Simulated on real sequence. Measured with {model}. In brackets 95 % intervals (bootstrap of
loci or of sets, binomial for errors). Planted loci of several variants, of which one, drawn by its posterior,
is causal:

{markdown_table(header, rows)}

{chr(10).join(errors_table(f"Loci moved {where}", table) for where, table in errors.items())}
Power of the same sets with and without, as under Power:

{_power(found)}
"""


def _power(found: pd.DataFrame) -> str:
    rows = []
    order = {name: place for place, name in enumerate(METHODS)}
    keys = {"_m": found["method"].map(order)}
    for _, r in (
        found.assign(**keys).sort_values(["planted", "loci", "_m", "prior"], ascending=False).iterrows()
    ):
        where = f"{r['planted']}, {r['loci']} loci, {100 * r['share']:.0f} %"
        numbers = [with_interval(r, name) for name in ("top_1", "top_3", "called")]
        rows.append(
            [where, named(r["method"], r["prior"]), number(r["rank"], 1), *numbers, number(r["auprc"])]
        )
    header = ["planted in", "method", "mean rank", "top-1", "top-3", "p <= 0.05", "AUPRC"]
    return markdown_table(header, rows)


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _null(where: str) -> str:
    return f"null_{where.replace(' ', '_')}"


def _file(part: str) -> Path:
    return TABLES / f"disease_prior_{part}.tsv"


def _read(part: str) -> pd.DataFrame:
    return pd.read_csv(_file(part), sep="\t")


def _write(part: str, table: pd.DataFrame) -> None:
    table.round(5).to_csv(_file(part), sep="\t", index=False)
    print(table.round(3).to_string(), file=sys.stderr)


def measure(world: World, part: str) -> None:
    """Measure one part, and keep its table."""
    if part == "nulls":
        for where, table in calibration(world).items():
            _write(_null(where), table)
    else:
        _write(part, fine_mapping(world) if part == "loci" else gain(world))


def main(words: Sequence[str] | None = ()) -> None:
    """Measure, and write tables and the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choose", action="store_true", help="compare the candidates, and no more")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part only")
    options = parser.parse_args(words)
    world = open_world()
    TABLES.mkdir(parents=True, exist_ok=True)
    if options.choose:
        candidates = choose(world)
        _write("choice", candidates)
        _tell(f"the rule takes {chosen(candidates)}")
        return
    for part in options.only or PARTS:
        measure(world, part)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    if all(_file(part).is_file() for part in ("loci", "power", *map(_null, NULL_PLACES))):
        write_section("disease prior", section(model), PAGE)
    _tell(f"done; the prior is (1 + {OVER} effect / {NO_EFFECT}) ** {POWER}")


if __name__ == "__main__":
    main(None)
