"""Score every method on the real blood traits, by the rule that was written down before any run.

    python -m evaluation.disease_traits

The rule and the expected lineages stand in `evaluation.disease_expected`. A few minutes where variants have
not been scored yet; half a minute from the cache.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from evaluation.disease_expected import EXPECTED, LEAST_POSTERIOR, score
from evaluation.disease_sets import loci_methods
from evaluation.report import DOCS, TABLES, markdown_table, number, with_interval, write_section
from phenviz.disease import compare, hypotheses, read_trait_pack, table_of
from phenviz.progress import Progress
from phenviz.world import open_world

PAGE = DOCS / "hypotheses.md"
PACK = "ukbb-blood-finemap"
# z-scores of g-chromVAR on the whole genome, Ulirsch 2019
PUBLISHED = Path(__file__).with_name("published_gchromvar.tsv")
# a reference of a data pack, see `phenviz.disease.published_references`
COLOCALISED = "coloc-tissues"
# of fewer expected causal variants here, chr20 can't show the ranking of the whole genome
STRONG = 5.0
# its contexts are REMO's 144 cell types, not those that the rule names
_LEFT_OUT = ("overlap-remo",)


def scores_of(dataset: xr.Dataset) -> pd.DataFrame:
    """Score each trait and method.

    Returns
    -------
    pd.DataFrame
        ``trait``, ``lineage``, ``counted``, ``method``, ``best`` (context with the largest z), ``p_value``
        (of that), ``rank``, ``top_1``, ``top_3``, ``chance_top1``, ``chance_top3``, ``auroc``.
    """
    rows = []
    for method in dataset["method"].values:
        for trait in dataset["trait"].values:
            own = dataset.sel({"method": method, "trait": trait})
            z, expected = own["z"].values, EXPECTED[str(trait)]
            if not np.isfinite(z).any():
                continue
            found = score(own["context"].values.astype(str), z, expected)
            best = int(np.nanargmax(z))
            counted = expected.counted and float(own["posterior"]) >= LEAST_POSTERIOR
            rows.append(
                {
                    "trait": str(trait),
                    "lineage": expected.lineage,
                    "counted": counted,
                    "method": str(method),
                    "best": str(own["context"].values[best]),
                    "p_value": float(own["p_value"].values[best]),
                    "rank": found.rank,
                    "top_1": float(found.rank <= 1),
                    "top_3": float(found.rank <= 3),
                    "chance_top1": found.chance_top1,
                    "chance_top3": found.chance_top3,
                    "auroc": found.auroc,
                }
            )
    return pd.DataFrame(rows)


def summary_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Average each method over the traits that count, and over their lineages."""
    counted = scores[scores["counted"]]
    columns = ["auroc", "top_1", "top_3", "chance_top1", "chance_top3", "rank"]
    by_trait = counted.groupby("method", sort=False)[columns].mean()
    by_lineage = counted.groupby(["method", "lineage"], sort=False)["auroc"].mean().groupby("method").mean()
    by_trait["auroc_by_lineage"] = by_lineage
    by_trait["traits"] = counted.groupby("method", sort=False)["trait"].nunique()
    return by_trait.reset_index()


def published(dataset: xr.Dataset, seed: int = 0) -> pd.DataFrame:
    """Correlate each method's ranking of contexts with the published one of the whole genome.

    Returns
    -------
    pd.DataFrame
        ``method``; ``strong`` and ``all``: mean Spearman over the traits with a posterior of at least 5, and
        of at least 1; ``low`` and ``high``: 95 % interval of ``strong`` by bootstrap of traits; ``p``: of
        renaming the contexts.
    """
    posterior = dataset["posterior"].to_series()
    tests = table_of(dataset)
    found = {
        least: compare(tests[tests["trait"].isin(posterior.index[posterior >= least])], PUBLISHED)
        for least in (STRONG, LEAST_POSTERIOR)
    }
    generator, rows = np.random.default_rng(seed), []
    for method, own in found[STRONG].traits.groupby("method", sort=False):
        values = own["spearman"].dropna().to_numpy()
        means = values[generator.integers(0, len(values), (2_000, len(values)))].mean(1)
        low, high = np.quantile(means, [0.025, 0.975])
        rows.append({"method": method, "strong": values.mean(), "low": low, "high": high})
    summaries = {least: one.methods.set_index("method") for least, one in found.items()}
    table = pd.DataFrame(rows).set_index("method")
    table["p"] = summaries[STRONG]["p_spearman"]
    table["all"] = summaries[LEAST_POSTERIOR]["spearman"]
    return table.reset_index()


def colocalised(dataset: xr.Dataset, seed: int = 0) -> pd.DataFrame:
    """Compare each method's ranking with the tissues and cells of colocalised eQTLs of the whole genome.

    Returns
    -------
    pd.DataFrame
        ``method``, ``traits``, ``contexts`` (that the reference tells apart); means over traits of ``auroc``
        and ``spearman``, each with ``_low`` and ``_high`` (95 %, bootstrap of traits) and ``p_...``.
    """
    posterior = dataset["posterior"].to_series()
    tests = table_of(dataset)
    kept = tests["trait"].isin(posterior.index[posterior >= LEAST_POSTERIOR])
    found = compare(tests[kept], COLOCALISED)
    generator, rows = np.random.default_rng(seed), []
    p_values = found.methods.set_index("method")
    for method, own in found.traits.groupby("method", sort=False):
        row = {"method": method, "traits": own["spearman"].notna().sum(), "contexts": own["contexts"].max()}
        for name in ("auroc", "spearman"):
            values = own[name].dropna().to_numpy()
            means = values[generator.integers(0, len(values), (2_000, len(values)))].mean(1)
            low, high = np.quantile(means, [0.025, 0.975])
            p = p_values.loc[method, f"p_{name}"]
            row |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high, f"p_{name}": p}
        rows.append(row)
    return pd.DataFrame(rows)


def section(dataset: xr.Dataset, scores: pd.DataFrame, shares: pd.DataFrame, seconds: float) -> str:
    """Write the section of the page."""
    summary = summary_of(scores)
    counted = scores[scores["counted"]]
    red = counted.loc[counted["lineage"] == "red cells", "trait"].nunique()
    names = [str(name) for name in dataset["method"].values]
    rows = [
        [
            row["method"],
            int(row["traits"]),
            number(row["auroc"]),
            number(row["auroc_by_lineage"]),
            f"{number(row['top_1'])} ({number(row['chance_top1'])})",
            f"{number(row['top_3'])} ({number(row['chance_top3'])})",
            number(row["rank"], 1),
        ]
        for _, row in summary.iterrows()
    ]
    header = [
        "method",
        "traits",
        "AUROC",
        "mean of lineages",
        "top-1 (chance)",
        "top-3 (chance)",
        "mean rank",
    ]
    per_trait = [
        [
            trait,
            EXPECTED[trait].lineage,
            f"{own['variants'].iloc[0]:,} / {own['loci'].iloc[0]}",
            number(float(own["posterior"].iloc[0])),
            number(100 * float(own["share"].iloc[0]), 1),
            *(_cell(scores, trait, name) for name in names),
        ]
        for trait, own in shares.groupby("trait", sort=False)
        if trait in EXPECTED
    ]
    columns = ["trait", "expected", "variants / loci", "posterior here", "% of the genome's", *names]
    return f"""Model {dataset.attrs["model"]}, {dataset.attrs["permutations"]:,} permutations, seed
{dataset.attrs["seed"]}; {seconds / 60:.1f} minutes. AUROC is the main figure (0.5 is chance): the
probability that an expected context has a larger z than one of another lineage. Means are over the traits
with a posterior of at least {LEAST_POSTERIOR:g} on chr20, but for white cells as a whole, which have no
one lineage. Of the counted ones {red} measure red cells, so the mean of lineages stands beside.

{markdown_table(header, rows)}

{_published_words(dataset)}

{_colocalised_words(dataset)}

Best context of each trait and its p-value; **bold** where it is an expected one. Posterior: expected number
of causal variants on chr20, and its share of the file's.

{markdown_table(columns, per_trait)}
"""


def _published_words(dataset: xr.Dataset) -> str:
    table = published(dataset)
    strong = int((dataset["posterior"] >= STRONG).sum())
    counted = int((dataset["posterior"] >= LEAST_POSTERIOR).sum())
    rows = [
        [
            row["method"],
            f"{number(row['strong'])} ({number(row['low'])} to {number(row['high'])})",
            f"{row['p']:.2g}",
            number(row["all"]),
        ]
        for _, row in table.iterrows()
    ]
    header = ["method", f"{strong} traits, posterior >= {STRONG:g}", "p", f"{counted} traits, >= 1"]
    return f"""Mean Spearman correlation over traits of z (here, of chr20) with the published z of g-chromVAR
on the whole genome (Ulirsch 2019; `evaluation/published_gchromvar.tsv`), over the blood populations
that both have. In brackets a 95 % interval by bootstrap of traits; p by renaming the contexts in all traits
at once.

{markdown_table(header, rows)}"""


def _colocalised_words(dataset: xr.Dataset) -> str:
    rows = [
        [
            row["method"],
            row["traits"],
            row["contexts"],
            *(f"{with_interval(row, name)}; {row[f'p_{name}']:.2g}" for name in ("auroc", "spearman")),
        ]
        for _, row in colocalised(dataset).iterrows()
    ]
    header = ["method", "traits", "contexts", "AUROC; p", "Spearman; p"]
    return f"""Agreement with `{COLOCALISED}`: cells and tissues in which fine-mapped variants of the trait
are fine-mapped eQTLs, on the whole genome (Kanai 2021). Contexts that it can't tell apart count as one.
Tissues of more people have more eQTLs, so that a method that likes blood agrees with it whatever the trait,
and neither these numbers nor p (by renaming the contexts in all traits at once) tell that apart.

{markdown_table(header, rows)}"""


def _cell(scores: pd.DataFrame, trait: str, method: str) -> str:
    own = scores[(scores["trait"] == trait) & (scores["method"] == method)]
    if own.empty:
        return "-"
    row = own.iloc[0]
    text = f"{row['best']} {row['p_value']:.2g}"
    return f"**{text}**" if row["best"] in EXPECTED[trait].cells else text


def main() -> None:
    """Test, score, and write tables and the page's section."""
    began, world = time.perf_counter(), open_world()
    traits = read_trait_pack(PACK, world.reference)
    names = [name for name in loci_methods() if name not in _LEFT_OUT]
    dataset = hypotheses(traits, world, method=names, progress=Progress(_tell))
    scores = scores_of(dataset)
    TABLES.mkdir(parents=True, exist_ok=True)
    scores.round(4).to_csv(TABLES / "disease_traits_scores.tsv", sep="\t", index=False)
    table_of(dataset).round(5).to_csv(TABLES / "disease_traits.tsv", sep="\t", index=False)
    print(summary_of(scores).round(3).to_string(), file=sys.stderr)
    seconds = time.perf_counter() - began
    write_section("disease traits", section(dataset, scores, traits.summary(), seconds), PAGE)


def _tell(stage: str, fraction: float) -> None:
    if fraction == 0.0:
        print(f"{time.strftime('%H:%M:%S')} {stage}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
