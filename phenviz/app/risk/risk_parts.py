"""What the Risk page takes from a result: one trait's scores, genes, cell types and variants, and words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.results.risk_scores import SCORE_NAMES
from phenviz.tracks.risk_chain import signed

if TYPE_CHECKING:
    from phenviz.disease.cohort.saved import RiskModel

ALL = "all"
# the columns of the chain, from bases to the person
CHAIN = (
    ("variant", "Changed bases"),
    ("gene", "Genes"),
    ("context", "Cell types"),
    ("trait", "Trait"),
    ("person", "Person"),
)
OTHERS, REST = "other cell types", "not through expression"
_GENES, _VARIANTS, _CONTEXTS = 6, 8, 5
_OF_CHOSEN = 3
MAP_GENES, MAP_CONTEXTS = 12, 24
# thinner lines than this share of the widest are clutter
_LEAST_LINK = 0.02


@dataclass(frozen=True, eq=False)
class Leading:
    """Leading genes by leading contexts: rows from the top, columns in the model's order.

    Parameters
    ----------
    genes
        Names of the rows.
    contexts
        name, label, group and colour of the columns.
    values
        Contributions, shape (genes, contexts).
    """

    genes: list[str]
    contexts: pd.DataFrame
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """Boxes and links of `phenviz.tracks.risk_chain.RiskChain`."""

    boxes: pd.DataFrame
    links: pd.DataFrame


def of_trait(result: xr.Dataset, trait: str) -> xr.Dataset | None:
    """Return one trait of the one person of a result; None where it hasn't the trait."""
    if trait not in result["trait"].values:
        return None
    own = np.flatnonzero(result["variant_trait"].values.astype(str) == trait)
    return result.isel(person=0, variant=own).sel(trait=trait)


def score_rows(part: xr.Dataset) -> pd.DataFrame:
    """List a person's scores: method, score, percentile among all and in the own group, adjusted one."""
    group = own_group(part)
    rows = []
    for method in part["method"].values.astype(str):
        # by a dict: sel has an argument of its own called method
        one = part.sel({"method": method})
        known = one["percentile"].sel
        against = part["against"].values.astype(str)
        rows.append(
            {
                "method": method,
                "score": float(one["score"]),
                "all": float(known(against=ALL)) if ALL in against else math.nan,
                "group": float(known(against=group)) if group in against else math.nan,
                "adjusted": float(one["percentile_adjusted"]),
                "z": float(one["z"]),
            }
        )
    return pd.DataFrame(rows)


def own_group(part: xr.Dataset) -> str:
    """Return the group of reference people who are most like the person; "" where there is none."""
    return str(part["ancestry"].values)


def gene_table(part: xr.Dataset) -> pd.DataFrame:
    """List genes by what they add, the largest first: gene, contig, tss, total, expression."""
    total = part["gene_contribution"].values.astype(float)
    through = np.nansum(part["contribution"].transpose("gene", "context").values, axis=1)
    order = np.argsort(-np.abs(np.nan_to_num(total)), kind="stable")
    table = pd.DataFrame(
        {
            "gene": part["gene"].values.astype(str),
            "contig": part["contig"].values.astype(str),
            "tss": part["tss"].values.astype(int),
            "total": total,
            "expression": through,
        }
    )
    return table.iloc[order].reset_index(drop=True)


def variant_table(part: xr.Dataset, gene: str = "") -> pd.DataFrame:
    """List the leading variants of a gene, or of all: what is known of each, the largest first."""
    adds = part["variant_contribution"].values.astype(float)
    frame = pd.DataFrame(
        {
            "gene": part["variant_gene"].values.astype(str),
            "contig": part["variant_contig"].values.astype(str),
            "position": part["position"].values.astype(int),
            "ref": part["ref"].values.astype(str),
            "alt": part["alt"].values.astype(str),
            "id": part["id"].values.astype(str),
            "dosage": part["dosage"].values.astype(float),
            "frequency": part["frequency"].values.astype(float),
            "adds": adds,
        }
    )
    keys = frame["contig"] + ":" + frame["position"].astype(str) + ":" + frame["ref"] + ":" + frame["alt"]
    frame.insert(0, "key", keys)
    frame = frame[frame["gene"] == gene] if gene else frame
    return frame.iloc[np.argsort(-np.abs(np.nan_to_num(frame["adds"])), kind="stable")].reset_index(drop=True)


def leading(part: xr.Dataset, gene: str, context: str) -> Leading:
    """Return the genes that add most, by the cell types through which they do; the chosen ones are there."""
    genes = _with(gene_table(part)["gene"].tolist(), MAP_GENES, gene)
    values = part["contribution"].sel(gene=genes).transpose("gene", "context").values.astype(float)
    names = part["context"].values.astype(str)
    strongest = np.argsort(-np.nansum(np.abs(values), axis=0), kind="stable")
    chosen = set(_with(names[strongest].tolist(), MAP_CONTEXTS, context))
    columns = [place for place, name in enumerate(names) if name in chosen]
    contexts = _contexts(part).iloc[columns].reset_index(drop=True)
    return Leading(genes, contexts, values[:, columns])


def chain(part: xr.Dataset, trait: str, person: str, gene: str, context: str) -> Chain:
    """Return what leads from changed bases over genes and cell types to the trait of the person."""
    table = gene_table(part)
    genes = _with(table["gene"].tolist(), _GENES, gene)
    totals = table.set_index("gene")["total"]
    by_context = part["contribution"].transpose("gene", "context")
    shown = by_context.sel(gene=genes).values.astype(float)
    names = part["context"].values.astype(str)
    order = names[np.argsort(-np.nansum(np.abs(shown), axis=0), kind="stable")].tolist()
    contexts = _with(order, _CONTEXTS, context if context in names else "")
    variants = _chain_variants(part, genes, gene)
    labels = _contexts(part).set_index("name")["label"]

    columns = [by_context.sel(context=name).values.astype(float) for name in contexts]
    expressed = np.nansum(by_context.values.astype(float), axis=1)
    columns.append(expressed - np.nansum(columns, axis=0))
    columns.append(part["gene_contribution"].values.astype(float) - expressed)
    added = np.stack(columns, axis=1)
    keys = [*contexts, OTHERS, REST]
    whole = float(np.nansum(added))

    boxes = [
        ("variant", row.key, f"{row.position:,} {_cut(row.ref)}>{_cut(row.alt)}", signed(row.adds))
        for row in variants.drop_duplicates("key").itertuples()
    ]
    boxes += [("gene", name, name, signed(float(totals[name]))) for name in genes]
    boxes += [
        ("context", key, str(labels.get(key, key)), signed(float(np.nansum(added[:, place]))))
        for place, key in enumerate(keys)
    ]
    boxes.append(("trait", trait, trait, f"{signed(whole)} logit"))
    boxes.append(("person", person, person, _place(part)))
    rows = part["gene"].values.astype(str).tolist()
    links = [("variant", row.key, row.gene, row.adds) for row in variants.itertuples()]
    links += [
        ("gene", name, key, added[rows.index(name), place])
        for name in genes
        for place, key in enumerate(keys)
    ]
    links += [("context", key, trait, float(np.nansum(added[:, place]))) for place, key in enumerate(keys)]
    links.append(("trait", trait, person, whole))
    return Chain(
        pd.DataFrame(boxes, columns=["column", "key", "name", "note"]),
        _visible(pd.DataFrame(links, columns=["column", "source", "target", "value"])),
    )


def reference_groups(model: RiskModel, trait: str, method: str, scale: str) -> dict[str, NDArray[np.float64]]:
    """Return a score of the reference people, by group, as it is or adjusted for ancestry."""
    reference = model.reference
    if reference is None:
        return {}
    table = reference.adjusted if scale == "adjusted" else reference.scores
    own = table[table["trait"] == trait]
    groups = {name: own[own["ancestry"] == name] for name in reference.ancestries} or {ALL: own}
    return {name: rows[method].to_numpy(dtype=float) for name, rows in groups.items()}


def simulated_words(model: RiskModel) -> str:
    """Say what has to stand on every screen, figure and file of a model."""
    linear = (
        " The Phenformer found nothing beyond the linear score of expression: both say the same."
        if model.is_linear
        else ""
    )
    return f"Trained on {model.trained_on}. Not for clinical use.{linear}"


def ordinal(number: float) -> str:
    """Write a percentile: ``71st``, ``2nd``; at both ends that there is nobody beyond."""
    if not math.isfinite(number):
        return "not known"
    whole = int(min(max(round(number), 0), 100))
    ending = "th" if 10 <= whole % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
    return f"{whole}{ending}"


def line_chip(colour: str) -> str:
    """Return a short piece of a line, as HTML, to stand before what lines of this colour mean."""
    return (
        "<span style='display:inline-block;width:14px;height:4px;margin-right:8px;vertical-align:middle;"
        f"background:{colour}'></span>"
    )


def score_name(method: str) -> str:
    """Return what a score is called, with a capital letter."""
    name = SCORE_NAMES.get(method, method)
    return name[:1].upper() + name[1:]


def _place(part: xr.Dataset) -> str:
    """Say where the Phenformer puts a person, in the own group if there is one."""
    rows = score_rows(part).set_index("method")
    if "phenformer" not in rows.index:
        return ""
    group = own_group(part)
    number = float(rows.loc["phenformer", "group" if group else "all"])
    return f"{ordinal(number)} percentile, {group or ALL}" if math.isfinite(number) else ""


def _contexts(part: xr.Dataset) -> pd.DataFrame:
    names = {"name": "context", "label": "context_label", "group": "group", "colour": "colour"}
    return pd.DataFrame({name: part[of].values.astype(str) for name, of in names.items()})


def _chain_variants(part: xr.Dataset, genes: list[str], gene: str) -> pd.DataFrame:
    table = variant_table(part)
    table = table[table["gene"].isin(genes)]
    # those of the gene that is looked at come first, the others by size
    chosen = table[table["gene"] == gene].head(_OF_CHOSEN)
    others = table.drop(chosen.index).head(_VARIANTS - len(chosen))
    shown = pd.concat([chosen, others])
    place = shown["gene"].map({name: row for row, name in enumerate(genes)})
    return shown.assign(place=place).sort_values("place", kind="stable")


def _visible(links: pd.DataFrame) -> pd.DataFrame:
    links = links[np.isfinite(links["value"])]
    most = links["value"].abs().max() if len(links) else 0.0
    return links[links["value"].abs() >= _LEAST_LINK * most].reset_index(drop=True)


def _with(names: list[str], count: int, chosen: str) -> list[str]:
    """Return the first few names, with the chosen one among them."""
    few = names[:count]
    return few if chosen not in names or chosen in few else [*few[:-1], chosen]


def _cut(allele: str) -> str:
    return allele if len(allele) <= 4 else f"{allele[:3]}…"
