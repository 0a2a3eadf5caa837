"""Tables and links of what stands behind a hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.app.disease.disease_state import SIMULATED, DiseaseState
from phenviz.app.shell.links import link_to
from phenviz.data.manifests import list_packs
from phenviz.disease.prose import is_of_people
from phenviz.disease.simulated import is_simulated
from phenviz.genome.contexts import Context
from phenviz.genome.locus import shown_contig
from phenviz.genome.variant import Variant

if TYPE_CHECKING:
    from phenviz.world import World

# methods that need observed peaks
OF_PEAKS = ("accessibility", "gchromvar", "overlap", "accessibility-rank")
# loci that the leave-one-out plot has room for
KEPT = 30
_PACK = "data pack "
_FLANK = 2_000
_MOST_LINES = 40


def method_of_loci(method: str) -> str:
    """Return the method itself, or the nearest one that goes by loci."""
    from phenviz.disease.methods import MATCHED

    if method in MATCHED:
        return method
    return "accessibility" if method in OF_PEAKS else "variant"


def source_of(dataset: xr.Dataset) -> str | None:
    """Return the source of hypotheses as jobs take it; None where the result doesn't tell where it lies."""
    told = str(dataset.attrs["source"])
    if is_of_people(dataset):
        return None
    if is_simulated(told):
        return SIMULATED
    name = told.removeprefix(_PACK)
    return name if told.startswith(_PACK) and name in {pack.name for pack in list_packs()} else None


def why_no_loci(dataset: xr.Dataset, source: object, world: World, context: str) -> str:
    """Say why nothing can be shown of the loci behind hypotheses in a context; "" where they can be seen.

    Parameters
    ----------
    dataset
        Hypotheses.
    source
        Where their fine-mapped variants are; None where they aren't here.
    """
    told, made_by = str(dataset.attrs["source"]), str(dataset.attrs["model"])
    if is_of_people(dataset):
        return (
            "These tests compare people: single genes stand behind them. Loci and variants are looked at in "
            "hypotheses from fine-mapped variants."
        )
    if source is None:
        return (
            f"Loci, variants and motifs behind the tests need the fine-mapped variants ({told}), which the "
            "result doesn't hold: with their table they can be tested, and looked at, here."
        )
    if context not in {one.name for one in world.contexts}:
        return f"The model has no context {context}, so that nothing can be said of loci in it."
    own = f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"
    if made_by not in ("none", own):
        return (
            f"These tests were made with the model {made_by}, and this world has {own}, whose loci would be "
            "those of other tests: test the variants anew to look at them."
        )
    return ""


def locus_table(evidence: xr.Dataset, context: str) -> pd.DataFrame:
    """Return the loci of a trait, those that speak most for a context first.

    Returns
    -------
    pd.DataFrame
        ``key`` (row among the evidence's loci, as text), ``lead``, ``short`` (its position), ``gene``,
        ``posterior``, ``variants``, ``excess``, ``z_without``, ``p_without``.
    """
    own = evidence.sel(context=context)
    leads = own["lead"].values.astype(str)
    table = pd.DataFrame(
        {
            "key": [str(row) for row in range(own.sizes["locus"])],
            "lead": leads,
            "short": [f"{int(lead.split(':')[1]):,}" for lead in leads],
            **{name: own[name].values for name in ("gene", "posterior", "variants")},
            **{name: own[name].values.astype(float) for name in ("excess", "z_without", "p_without")},
        }
    )
    return table.sort_values("excess", ascending=False, kind="stable", ignore_index=True)


def variant_table(evidence: xr.Dataset, context: str) -> pd.DataFrame:
    """Return the variants of a trait with their effect in a context, largest posterior first.

    Returns
    -------
    pd.DataFrame
        The columns of `phenviz.service.disease.variants_of_evidence`, and ``key``, ``name``, ``effect`` (in
        the context), ``strongest`` (the context of the largest effect, "" for none) and ``strongest_effect``.
    """
    from phenviz.service.disease import variants_of_evidence

    table = variants_of_evidence(evidence)
    effects = evidence["variant_effect"].transpose("variant", "context").values
    names = evidence["context"].values.astype(str)
    best = np.nan_to_num(np.abs(effects), nan=-1.0).argmax(1)
    strongest = effects[np.arange(len(table)), best]
    keys = [Variant(*row).key for row in table[["contig", "position", "ref", "alt"]].itertuples(index=False)]
    rsids = table["id"].astype(str)
    return table.assign(
        key=keys,
        name=[f"{key} {rsid}" if rsid else key for key, rsid in zip(keys, rsids, strict=True)],
        effect=effects[:, names.tolist().index(context)],
        strongest=np.where(np.isfinite(strongest), names[best], ""),
        strongest_effect=strongest,
    )


def opened_variants(variants: pd.DataFrame) -> pd.DataFrame:
    """Return those of a trait's variants that fit into an address and can be scored, as they come."""
    return variants[variants["alt"] != "N"].head(_MOST_LINES)


def locus_links(
    state: DiseaseState,
    contexts: tuple[Context, ...],
    evidence: xr.Dataset,
    locus: int,
    variants: pd.DataFrame,
    variant: str,
) -> tuple[str, str]:
    """Return the addresses of Explore and Variants at a locus, with the context of the evidence ticked.

    Parameters
    ----------
    state
        Theme and ticked contexts go along.
    contexts
        Contexts of the model.
    evidence
        From the service's ``trait_evidence``.
    locus
        Row of the locus; negative: the one that speaks most for the context.
    variants
        Variants to open, largest posterior first; those without an alternate are left out.
    variant
        Key of the variant that is looked at; "" for none.
    """
    context = state.evidence
    if locus < 0:
        locus = int(np.argmax(evidence["excess"].sel(context=context).values))
    where = evidence.isel(locus=locus)
    contig = shown_contig(str(where["contig"].values))
    start, end = int(where["start"]), int(where["end"])
    if variant:
        position = Variant.of_key(variant).position
        start, end = position - 1, position
    length = end - start
    flank = max(_FLANK, length // 10)
    names = {name for name in state.contexts if name} | {context}
    chosen = ",".join(c.name for c in contexts if c.name in names)
    shared = {"locus": f"{contig}:{max(start - flank, 0) + 1}-{end + flank}", "focus": context}
    if len(names) < len(contexts):
        shared["contexts"] = chosen
    wanted = variants[variants["key"] == variant] if variant else variants
    known = opened_variants(wanted)
    lines = ";".join(known["key"])
    more = {"variant": variant} if variant else {}
    # where the other allele isn't known, there is a place but no variant to mark
    marked = {"mark": variant} if variant and len(known) else {}
    return (
        link_to("explore", state, contexts, **shared, **marked),
        link_to("variants", state, contexts, **shared, origin="pasted", lines=lines, **more),
    )
