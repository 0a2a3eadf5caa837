"""Do predicted effects have the sign of measured ones? Lead eQTL variants in blood.

``python -m evaluation.eqtl TABLE`` writes a section of ``docs/variants.md`` and its table. TABLE holds GTEx
v8 lead variants of the chromosome on GRCh37 (columns tissue, gene_name, tss_distance, pos37, ref, alt,
ref_ok37, qval, slope); the product doesn't need it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from evaluation.report import DOCS, TABLES, markdown_table, number, write_section
from phenviz.data.embedded import CONTIG
from phenviz.data.tissues import REPORTER_GROUP
from phenviz.effects import score_expression, score_variants
from phenviz.world import World, open_world

BLOOD_TISSUES = ("Whole_Blood", "Cells_EBV-transformed_lymphocytes", "Spleen")
RANGES = {"within 1 kb": (0, 1_000), "1-10 kb": (1_000, 10_000), "10-50 kb": (10_000, 50_000)}
LARGEST_Q = 0.05
PREDICTORS = {"expression of the gene": "predicted", "activity around it": "local"}
BASELINE = "baseline: the more frequent sign"


def eqtl_signs(path: Path, world: World) -> pd.DataFrame:
    """Compare the sign of predicted and measured effects of lead eQTL variants.

    Returns
    -------
    pd.DataFrame
        One row per tissue, range of distances and predictor: ``same``, ``pairs`` and the 95 % interval.
    """
    table = read_leads(path)
    table["predicted"] = _expression_change(table, world)
    table["local"] = local_change(table, world)
    rows = []
    for tissue in BLOOD_TISSUES:
        for name, (low, high) in RANGES.items():
            far = table["tss_distance"].abs()
            part = table[(table["tissue"] == tissue) & (far >= low) & (far < high)]
            rows += [{"tissue": tissue, "distance": name, **row} for row in _agreement(part)]
    return pd.DataFrame(rows)


def read_leads(path: Path) -> pd.DataFrame:
    """Read the significant lead variants of blood tissues."""
    table = pd.read_csv(path, sep="\t", low_memory=False)
    table = table[table["tissue"].isin(BLOOD_TISSUES) & (table["qval"] < LARGEST_Q) & table["pos37"].notna()]
    table = table[table["ref_ok37"].astype(str) == "True"].reset_index(drop=True)
    return table.assign(contig=CONTIG, position=table["pos37"].astype(int))


def local_change(table: pd.DataFrame, world: World) -> np.ndarray:
    """Mean predicted change of activity around each variant, over the contexts that are no reporters."""
    effect = score_variants(table, world.reference, world.backbone)["effect"]
    sites = [context.name for context in world.backbone.contexts if context.group != REPORTER_GROUP]
    return effect.sel(context=sites).mean("context").values


def local_agreement(path: Path, world: World) -> dict[str, float]:
    """Share of all leads within 50 kb of the TSS whose change of activity has the measured sign."""
    table = read_leads(path)
    table = table[table["tss_distance"].abs() < max(high for _, high in RANGES.values())]
    change = local_change(table.reset_index(drop=True), world)
    told = np.isfinite(change) & (change != 0)
    same = ((change > 0) == (table["slope"] > 0).to_numpy())[told]
    return _share(int(same.sum()), int(told.sum()))


def _agreement(part: pd.DataFrame) -> Iterator[dict[str, object]]:
    up = part["slope"] > 0
    for label, column in PREDICTORS.items():
        told = part[column].notna() & (part[column] != 0)
        same = ((part[column] > 0) == up)[told]
        yield {"predictor": label, **_share(int(same.sum()), int(told.sum()))}
    yield {"predictor": BASELINE, **_share(int(max(up.sum(), (~up).sum())), len(part))}


def _expression_change(table: pd.DataFrame, world: World) -> np.ndarray:
    """Mean predicted change of expression of each row's gene, over the contexts; NaN out of reach."""
    assert world.readout is not None
    known = set(world.annotation.genes["gene_name"])
    genes = sorted(known & set(table["gene_name"]))
    scores = score_expression(
        table, world.annotation, world.reference, world.backbone, world.readout, genes=genes
    )
    change = np.full(len(table), np.nan)
    own = scores["gene"].values == table["gene_name"].to_numpy()[scores["row"].values]
    change[scores["row"].values[own]] = scores["expression_effect"].mean("context").values[own]
    return change


def _share(same: int, pairs: int) -> dict[str, float]:
    if not pairs:
        return {"same": 0, "pairs": 0, "share": np.nan, "low": np.nan, "high": np.nan}
    interval = binomtest(same, pairs).proportion_ci(method="wilson")
    return {"same": same, "pairs": pairs, "share": same / pairs, "low": interval.low, "high": interval.high}


def section(table: pd.DataFrame, model: str) -> str:
    """Write the section of the docs."""
    rows = []
    for row in table.itertuples():
        share = f"{number(row.share)} [{number(row.low)}, {number(row.high)}]"
        tissue = row.tissue.replace("_", " ")
        rows.append([tissue, row.distance, row.predictor, f"{row.same} of {row.pairs}", share])
    return f"""## Do effects have the sign of eQTLs?

Lead eQTL variants of GTEx v8 on chromosome 20 (q < {LARGEST_Q}; leads, not fine-mapped: many are bystanders
of the variant that acts) by their distance to the gene's TSS: how often the predicted change, mean of all
contexts, has the sign of the measured slope (model {model}; in brackets 95 % Wilson intervals).
The baseline always tells the sign that is more frequent among the measured ones. The model doesn't know
cultured lymphocytes and spleen as such.

{markdown_table(["tissue", "distance", "told by", "same sign", "share"], rows)}

Made by `python -m evaluation.eqtl TABLE`; the table isn't part of the product.
"""


def main() -> None:
    """Measure, and write the table and the section."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.eqtl", description=__doc__)
    parser.add_argument("table", type=Path, help="GTEx v8 lead variants of the chromosome, on GRCh37")
    path = parser.parse_args().table
    world = open_world()
    TABLES.mkdir(parents=True, exist_ok=True)
    signs = eqtl_signs(path, world)
    signs.round(4).to_csv(TABLES / "variants_eqtl.tsv", sep="\t", index=False)
    model = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    write_section("eqtl", section(signs, model), DOCS / "variants.md")


if __name__ == "__main__":
    main()
