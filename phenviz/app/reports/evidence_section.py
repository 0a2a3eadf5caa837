"""What stands behind one hypothesis: its loci, the test without each, variants, genes, and motifs of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from phenviz.app.disease.disease_evidence import KEPT, locus_table, method_of_loci, variant_table
from phenviz.app.reports.alleles_section import ask_both, logos_of, motif_table
from phenviz.app.reports.provenance import Ask
from phenviz.disease.functional_prior import prior_of
from phenviz.effects.motif_change import changed_motifs
from phenviz.errors import PhenvizError
from phenviz.figures.disease_qq import leave_one_out_figure
from phenviz.figures.report import Attachment, Block, Drawing, Figures, Section, Table, Words
from phenviz.genome.locus import Locus
from phenviz.genome.variant import Variant
from phenviz.results.comments import comments

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles
    from phenviz.world import World

_VARIANTS = 25


@dataclass(frozen=True, eq=False)
class Behind:
    """Evidence behind a hypothesis.

    Parameters
    ----------
    evidence
        From the service's ``trait_evidence``.
    loci, variants
        As on the page, see `phenviz.app.disease.disease_evidence`.
    key, both, motifs
        The variant that speaks most for the context, both of its alleles, and the motifs that it changes;
        "" and None where there is none to look at.
    """

    evidence: xr.Dataset
    loci: pd.DataFrame
    variants: pd.DataFrame
    key: str = ""
    both: BothAlleles | None = None
    motifs: pd.DataFrame | None = None

    @property
    def locus(self) -> Locus:
        """The strongest locus."""
        one = self.evidence.isel(locus=int(self.loci["key"].iloc[0]))
        return Locus(str(one["contig"].values), int(one["start"]), int(one["end"]))

    @property
    def in_words(self) -> str:
        """The strongest locus in a sentence."""
        top = self.loci.iloc[0]
        return (
            f"The locus that speaks most for it is {top['lead']} near {top['gene']} (posterior "
            f"{top['posterior']:.2f} in {int(top['variants']):,} variants)."
        )


def ask_behind(
    world: World, ask: Ask, dataset: xr.Dataset, trait: str, context: str, source: Any, method: str
) -> Behind:
    """Compute what stands behind a trait in a context.

    Parameters
    ----------
    dataset
        The hypotheses, whose draws, seed and prior count.
    source
        As for the service's ``trait_evidence``.
    method
        The one that is looked at; loci are by the nearest one that goes by loci.
    """
    how: dict[str, Any] = {name: int(dataset.attrs[name]) for name in ("permutations", "seed")}
    how |= {"method": method_of_loci(method), "prior": prior_of(dataset, method)}
    evidence = ask("trait_evidence", source=source, trait=trait, **how)
    return behind_of(world, ask, evidence, context)


def behind_of(world: World, ask: Ask, evidence: xr.Dataset, context: str) -> Behind:
    """Look at the variant that speaks most for a context: the largest effect, weighted by its posterior."""
    loci, variants = locus_table(evidence, context), variant_table(evidence, context)
    known = variants[variants["effect"].notna() & (variants["alt"] != "N")]
    if known.empty or world.has_global_backbone:
        return Behind(evidence, loci, variants)
    weight = (known["effect"].abs() * known["posterior"]).to_numpy()
    key = str(known["key"].iloc[int(weight.argmax())])
    try:
        both = ask_both(ask, Variant.of_key(key), context)
    except PhenvizError:
        return Behind(evidence, loci, variants)
    motifs = changed_motifs(both, world.project.motifs, context) if both is not None else None
    return Behind(evidence, loci, variants, key, both, motifs)


def behind_section(behind: Behind | str, trait: str, context: str) -> Section:
    """Lay out what stands behind a hypothesis, or say why nothing is shown."""
    title = f"Behind {trait} in {context}"
    if isinstance(behind, str):
        return Section(title, [Words([behind])])
    evidence = behind.evidence
    blocks: list[Block] = []
    if len(behind.loci) > 1:
        blocks.append(Figures([_leave_one_out(evidence, behind.loci, trait, context)]))
    columns = {
        "lead": ("Lead variant", ""), "gene": ("Nearest gene", ""),
        "posterior": ("Sum of posteriors", "{:.2f}"), "variants": ("Variants", "{:,}"),
        "excess": ("Part of the effect", "{:+.2g}"),
        "z_without": ("z without it", "{:.2f}"), "p_without": ("p without it", "{:.2g}"),
    }  # fmt: skip
    note = f"Loci by the method {evidence.attrs['method']}; their parts add up to the effect."
    blocks.append(
        Table.of(
            behind.loci, columns, caption=f"Loci, the one that speaks most for {context} first", note=note
        )
    )
    genes = ", ".join(dict.fromkeys(name for name in behind.loci["gene"].astype(str) if name))
    blocks.append(Words([f"Genes nearest to these loci: {genes or 'none'}."]))
    posterior = {"posterior": ("Posterior", "{:.3f}")}
    if "posterior_given" in behind.variants:
        posterior = {
            "posterior": ("Posterior, reweighted", "{:.3f}"),
            "posterior_given": ("as given", "{:.3f}"),
        }
    listed = {
        "name": ("Variant", ""), "gene": ("Nearest gene", ""), **posterior,
        "effect": (f"Effect in {context}", "{:+.3f}"), "strongest": ("Strongest in", ""),
        "strongest_effect": ("Effect there", "{:+.3f}"), "beta": ("Beta", "{:+.3g}"),
    }  # fmt: skip
    file = Attachment.of("variants.tsv", _variants_wide(evidence, behind.variants), list(comments(evidence)))
    blocks.append(
        Table.of(
            behind.variants,
            listed,
            caption="Variants, the largest posterior first",
            most=_VARIANTS,
            file=file,
        )
    )
    if behind.both is not None and behind.motifs is not None:
        figure = logos_of(behind.both, Variant.of_key(behind.key), behind.motifs, context)
        caption = (
            f"{behind.key}, the variant with the largest effect times posterior: what each base around it "
            f"contributes in {context}, without and with it."
        )
        alt = f"Logos of both alleles of {behind.key} in {context}"
        blocks += [Figures([Drawing.of(figure, caption, alt)]), motif_table(behind.motifs, context)]
    return Section(title, blocks)


def _leave_one_out(evidence: xr.Dataset, loci: pd.DataFrame, trait: str, context: str) -> Drawing:
    kept = evidence.isel(locus=[int(key) for key in loci["key"].head(KEPT)])
    figure = leave_one_out_figure(kept, context)
    more = f"; the first {KEPT} of {len(loci):,}" if len(loci) > KEPT else ""
    caption = f"z of {trait} in {context} without each locus{more}."
    return Drawing.of(figure, caption, f"{caption} The table below lists the loci.", narrow=True)


def _variants_wide(evidence: xr.Dataset, variants: pd.DataFrame) -> pd.DataFrame:
    effects = evidence["variant_effect"].transpose("variant", "context").values
    names = [f"effect.{name}" for name in evidence["context"].values.astype(str)]
    given = ["posterior_given"] if "posterior_given" in variants else []
    own = variants[["contig", "position", "ref", "alt", "id", "posterior", *given, "beta", "se", "gene"]]
    return own.reset_index(drop=True).join(pd.DataFrame(effects, columns=names))
