"""Measure MAGMA, scDRS and S-LDSC, which read whole studies: errors where there is nothing, and power.

Studies are simulated on real genotypes: chi-squares have the LD of 203 people, while the methods take LD from
the 300 embedded ones, as is usual. Only chr20:1-4 Mb has genotypes, so that this is how well they do with
3 Mb, and not how well they are. Beside them stand methods that go by loci, on the same studies.

    python -m evaluation.disease_studies
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.disease_calibration import PAGE, PERMUTATIONS, errors_table, rates, tell_the_page
from evaluation.disease_power import power
from evaluation.report import TABLES, markdown_table, number, with_interval, write_section
from phenviz.disease import TraitVariants, hypotheses
from phenviz.disease.gene_association import gene_windows
from phenviz.disease.gene_methods import expression_of_genes
from phenviz.disease.ld_panel import LdPanel, read_panels
from phenviz.disease.observed import Peaks
from phenviz.disease.summary_statistics import NoLocus, all_statistics, approximate_posteriors
from phenviz.disease.traits import TRAIT_COLUMNS, TraitReport, make_trait_variants
from phenviz.genome.contexts import without_reporters
from phenviz.variation import open_individuals
from phenviz.world import World, open_world

Array = NDArray[np.float64]
METHODS = ("magma", "scdrs", "s-ldsc")
BESIDE = ("sequence", "accessibility", "gchromvar", "overlap", "gene-expression")
NULLS = 200
# studies of each planted context
STUDIES = 8
# planted where both peaks and expression are known
PLANTED = ("Ery", "Mono", "B", "CD4", "NK", "GMP-C")
CAUSAL = 20
# of a causal variant's z, and of the sum of all where every variant has an effect
EFFECT_SD, POLYGENIC = 7.0, 100.0
# standard error of the effects: that of a study of 40,000 people
_SE = 0.005
_SPECIFIC_GENES = 8
_KINDS = {"without any effect": 21, "with polygenic effects": 22, "peaks": 23, "genes": 24}


def study_panel(world: World) -> LdPanel:
    """Read the people that studies are simulated with: others than those whose LD the methods use."""
    (path,) = set(world.project.every_individual()) - set(world.project.individuals)
    contig = next(iter(world.reference.contigs))
    places = pd.DataFrame({"contig": contig, "position": [1_000_001, 4_000_000]})
    (panel,) = read_panels(open_individuals([path], world.reference), places)
    return panel


def simulated_study(panel: LdPanel, effects: Array, generator: np.random.Generator) -> pd.DataFrame:
    """Draw z from a normal distribution with the people's LD: mean ``R effects``, covariance R."""
    g = panel.genotypes.astype(float)
    noise = generator.normal(size=panel.people)
    z = (g @ (noise - noise.mean())) / np.sqrt(panel.people) + g @ (g.T @ effects) / panel.people
    table = panel.variants[["contig", "position", "ref", "alt"]]
    return table.assign(beta=_SE * z, se=_SE, id="", z=z)


def as_traits(studies: Mapping[str, pd.DataFrame]) -> TraitVariants:
    """Make traits of simulated studies, as reading their tables would."""
    report, tables, whole = TraitReport("simulated studies"), [], []
    for name, study in studies.items():
        study = study.assign(trait=name)
        whole.append(all_statistics(study))
        try:
            tables.append(approximate_posteriors(study, name, TraitReport(name)))
        except NoLocus:
            continue
    statistics = pd.concat(whole, ignore_index=True)
    if not tables:
        return TraitVariants(pd.DataFrame(columns=TRAIT_COLUMNS), report, statistics)
    return replace(make_trait_variants(pd.concat(tables), report), statistics=statistics)


def null_effects(kind: str, panel: LdPanel, generator: np.random.Generator) -> Array:
    """Return no effects, or effects of all variants that know no context."""
    count = len(panel.variants)
    if kind == "without any effect":
        return np.zeros(count)
    return np.asarray(generator.normal(size=count) * np.sqrt(POLYGENIC / count))


def planted_effects(
    inside: Mapping[str, NDArray[np.bool_]], context: str, generator: np.random.Generator
) -> Array:
    """Return effects of 20 variants of a context."""
    rows = np.flatnonzero(inside[context])
    chosen = generator.permutation(rows)[:CAUSAL]
    effects = np.zeros(len(inside[context]))
    effects[chosen] = generator.normal(size=len(chosen)) * EFFECT_SD
    return effects


def in_peaks(world: World, panel: LdPanel) -> dict[str, NDArray[np.bool_]]:
    """Tell which variants lie in each planted context's peaks."""
    contexts = without_reporters(world.contexts)
    at = Peaks(world.peaks, contexts).at(panel.variants) > 0
    names = [context.name for context in contexts]
    return {name: at[:, names.index(name)] for name in PLANTED}


def at_genes(world: World, panel: LdPanel) -> dict[str, NDArray[np.bool_]]:
    """Tell which variants lie at the eight genes whose expression is most specific to each context."""
    genes, contexts, specificity, _ = expression_of_genes(world)
    windows = gene_windows(world.annotation.genes)
    place = panel.variants["position"].to_numpy(np.int64)
    here = windows[(windows["end"] > place.min()) & (windows["start"] < place.max())]
    rows = [row for row, gene in enumerate(genes) if gene in set(here["gene_name"])]
    found = {}
    for name in PLANTED:
        column = [context.name for context in contexts].index(name)
        best = sorted(rows, key=lambda row: -specificity[row, column])[:_SPECIFIC_GENES]
        own = here[here["gene_name"].isin([genes[row] for row in best])]
        found[name] = np.any(
            [(place > start) & (place <= end) for start, end in zip(own["start"], own["end"], strict=True)],
            axis=0,
        )
    return found


def null_errors(world: World, panel: LdPanel, kind: str, count: int, seed: int = 0) -> pd.DataFrame:
    """Test studies in which no context stands out, and count how often one is called."""
    generator = np.random.default_rng([seed, _KINDS[kind]])
    studies = {
        f"set{place}": simulated_study(panel, null_effects(kind, panel, generator), generator)
        for place in range(count)
    }
    result = hypotheses(as_traits(studies), world, method=METHODS)
    frame = result["p_value"].to_dataframe().reset_index().dropna(subset=["p_value"])
    return rates(frame[["trait", "method", "context", "p_value"]].rename(columns={"trait": "set"}))


def planted_power(
    world: World,
    panel: LdPanel,
    kind: str,
    inside: Callable[[World, LdPanel], dict[str, NDArray[np.bool_]]],
    seed: int = 0,
) -> pd.DataFrame:
    """Test studies with a planted context, by these methods and by those that go by loci."""
    generator = np.random.default_rng([seed, _KINDS[kind]])
    marked, studies, truth = inside(world, panel), {}, {}
    for context in PLANTED:
        for repeat in range(STUDIES):
            name = f"{context}-{repeat}"
            effects = planted_effects(marked, context, generator)
            studies[name], truth[name] = simulated_study(panel, effects, generator), context
    result = hypotheses(as_traits(studies), world, method=(*METHODS, *BESIDE), permutations=PERMUTATIONS)
    frame = result[["z", "p_value"]].to_dataframe().reset_index().dropna(subset=["p_value"])
    frame = frame[["trait", "method", "context", "z", "p_value"]].rename(columns={"trait": "set"})
    found = power(frame.assign(truth=frame["set"].map(truth), loci=CAUSAL, share=1.0))
    return found.drop(columns=["loci", "share"])


def section(
    errors: Mapping[str, pd.DataFrame], found: Mapping[str, pd.DataFrame], model: str, seconds: float
) -> str:
    """Write the section of the page."""
    parts = [errors_table(f"Simulated studies {kind}", table, "studies") for kind, table in errors.items()]
    said = {
        "peaks": "in peaks of the planted context",
        "genes": f"at the {_SPECIFIC_GENES} genes most specific to it",
    }
    parts += [f"{_power(said[kind], table)}\n" for kind, table in found.items()]
    return f"""Simulated studies on real genotypes of chr20:1-4 Mb (203 people; LD for the methods from 300
others); {seconds / 60:.0f} minutes. In brackets 95 % intervals (binomial of one context a study; bootstrap of
studies). Methods that go by loci, with {model}, test the loci of the same studies.
All numbers with intervals: `docs/evaluation/disease_studies_null_any.tsv`,
`disease_studies_null_polygenic.tsv`, `disease_studies_power_peaks.tsv` and `disease_studies_power_genes.tsv`.

{chr(10).join(parts)}
"""


def _power(said: str, table: pd.DataFrame) -> str:
    rows = [
        [
            row["method"],
            row["sets"],
            number(row["rank"], 1),
            *(with_interval(row, c) for c in ("top_1", "top_3", "called")),
        ]
        for _, row in table.iterrows()
    ]
    header = ["method", "studies", "mean rank", "top-1", "top-3", "p <= 0.05"]
    return f"Simulated studies with {CAUSAL} causal variants {said}:\n\n{markdown_table(header, rows)}"


def main() -> None:
    """Test, and write tables and the page's section."""
    began, world = time.perf_counter(), open_world()
    panel = study_panel(world)
    TABLES.mkdir(parents=True, exist_ok=True)
    errors = {
        kind: null_errors(world, panel, kind, NULLS)
        for kind in ("without any effect", "with polygenic effects")
    }
    for kind, table in errors.items():
        print(table.round(4).to_string(), file=sys.stderr)
        table = table.round(5).assign(simulated=True)
        table.to_csv(TABLES / f"disease_studies_null_{kind.split()[1]}.tsv", sep="\t", index=False)
    assert world.individuals is not None
    shown = {f"in simulated studies {kind}": table for kind, table in errors.items()}
    tell_the_page(shown, f"LD of {len(world.individuals)} people on 3 Mb")
    found = {
        kind: planted_power(world, panel, kind, inside)
        for kind, inside in (("peaks", in_peaks), ("genes", at_genes))
    }
    for kind, table in found.items():
        print(table.round(3).to_string(), file=sys.stderr)
        table = table.round(4).assign(simulated=True)
        table.to_csv(TABLES / f"disease_studies_power_{kind}.tsv", sep="\t", index=False)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    seconds = time.perf_counter() - began
    write_section("disease studies", section(errors, found, model, seconds), PAGE)


if __name__ == "__main__":
    main()
