"""What stands behind one hypothesis: its loci, variants and genes, and the test without each locus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.disease.covariates import nearest_genes
from phenviz.disease.engine import leave_one_out
from phenviz.disease.functional_prior import checked_prior, posteriors_of
from phenviz.disease.inputs import FLAT, Inputs, Settings
from phenviz.disease.methods import MATCHED
from phenviz.disease.scores import Scorer
from phenviz.disease.traits import TraitVariants
from phenviz.errors import DataError
from phenviz.genome.locus import Locus
from phenviz.genome.variant import Variant
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs

if TYPE_CHECKING:
    from phenviz.world import World


def locus_evidence(
    traits: TraitVariants,
    trait: str,
    world: World,
    *,
    method: str = "variant",
    permutations: int = 10_000,
    seed: int = 0,
    prior: str = FLAT,
    scorer: Scorer | None = None,
    background: pd.DataFrame | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Say how much each locus of a trait contributes, and what is left without it.

    Parameters
    ----------
    traits, world, permutations, seed, prior, scorer, background, progress
        As `phenviz.disease.hypotheses`; the same seed gives the same replicas.
    trait
        Which.
    method
        A matched-locus method (``variant``, ``variant-signed``, ``accessibility``...).

    Returns
    -------
    xr.Dataset
        On (locus, context): ``excess`` (the locus' weighted sum minus the mean of its replicas, divided by
        the trait's posterior, so that it adds up to the effect), ``z_without`` and ``p_without`` (leave one
        out, NaN with one locus). On (locus,): ``contig``, ``start``, ``end`` (0-based half-open, of its
        variants), ``lead`` (contig:position:ref:alt), ``gene`` (nearest TSS to the lead), ``posterior``,
        ``variants``.

    Raises
    ------
    DataError
        If the method knows no loci, or there is no such trait.
    """
    if method not in MATCHED:
        raise DataError(f"method {method!r} doesn't go by loci: choose from {', '.join(MATCHED)}")
    one = traits.select([trait])
    name = one.traits[0]
    settings = Settings(permutations, seed, prior=checked_prior(prior, [method]))
    inputs = Inputs(traits, world, settings, scorer=scorer, common=background, progress=progress)
    matched = MATCHED[method]
    side = matched.side(inputs)
    sums = matched.sums(inputs, side, matched.prepare(inputs, side), name, method)
    if sums is None:
        raise DataError(f"trait {name!r} has nothing that method {method!r} could test")
    generator = inputs.generator(name, method)
    z, p = leave_one_out(sums, permutations, generator, two_sided=matched.signed)
    table, _ = inputs.trait(name)
    if prior != FLAT:
        table = table.assign(posterior=posteriors_of(inputs, name, inputs.effects(side)[0]))
    facts = _facts(table, inputs)
    two = ("locus", "context")
    place = Locus(str(facts["contig"].iloc[0]), int(facts["start"].min()), int(facts["end"].max()))
    return xr.Dataset(
        {
            "excess": (two, sums.excess / sums.weight.sum()),
            "z_without": (two, z),
            "p_without": (two, p),
            **{column: ("locus", facts[column].to_numpy()) for column in facts if column != "locus"},
        },
        coords={"locus": ("locus", facts["locus"].to_numpy(object)), **context_coords(inputs.contexts)},
        attrs=result_attrs(
            place,
            world.backbone if matched.kind == "model" else None,
            world.reference,
            definition="excess of each locus over its replicas, as a part of the trait's effect",
            units="see method",
            trait=name,
            method=method,
            permutations=permutations,
            seed=seed,
            **({} if prior == FLAT else {"prior": prior}),
        ),
    )


def variant_evidence(
    traits: TraitVariants,
    trait: str,
    world: World,
    *,
    prior: str = FLAT,
    scorer: Scorer | None = None,
    progress: Progress = NO_PROGRESS,
) -> pd.DataFrame:
    """List a trait's variants with their predicted effect in every context, largest posterior first.

    Returns
    -------
    pd.DataFrame
        The columns of the trait's table, ``gene`` (nearest TSS), and one column per context with the signed
        effect (log2 fold change; NaN where the alternate is unknown). With a ``prior`` other than flat,
        ``posterior`` is that under the prior, and ``posterior_given`` the table's.
    """
    inputs = Inputs(traits, world, Settings(prior=prior), scorer=scorer, progress=progress)
    name = traits.select([trait]).traits[0]
    table, rows = inputs.trait(name)
    scores = inputs.score(inputs.variants, world.backbone)
    if prior != FLAT:
        posterior = posteriors_of(inputs, name, scores.magnitude)
        table = table.assign(posterior=posterior, posterior_given=table["posterior"])
    known = (table["alt"] != "N").to_numpy()[:, None]
    effects = pd.DataFrame(
        np.where(known, scores.effect[rows], np.nan), columns=[context.name for context in inputs.contexts]
    )
    table = pd.concat([table.assign(gene=nearest_genes(table, world.annotation)), effects], axis=1)
    return table.sort_values("posterior", ascending=False, kind="stable").reset_index(drop=True)


def _facts(table: pd.DataFrame, inputs: Inputs) -> pd.DataFrame:
    """Describe each locus, in the order in which they are tested."""
    rows = []
    for name, own in table.groupby("locus", sort=False):
        lead = own.loc[own["posterior"].idxmax()]
        rows.append(
            {
                "locus": str(name),
                "contig": str(lead["contig"]),
                "start": int(own["position"].min()) - 1,
                "end": int((own["position"] + own["ref"].str.len()).max()) - 1,
                "position": int(lead["position"]),
                "lead": Variant(*lead[["contig", "position", "ref", "alt"]]).key,
                "posterior": float(own["posterior"].sum()),
                "variants": len(own),
            }
        )
    facts = pd.DataFrame(rows)
    return facts.assign(gene=nearest_genes(facts, inputs.world.annotation)).drop(columns="position")
