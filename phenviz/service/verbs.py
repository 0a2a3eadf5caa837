"""What a notebook asks of the model service, and waits for: one method for each kind of result."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from phenviz.service.job_params import find_target

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.attribution import Target
    from phenviz.disease import TraitVariants
    from phenviz.effects.both_alleles import BothAlleles
    from phenviz.genome.locus import Locus


class Verbs(ABC):
    """Methods of `phenviz.ModelService` that submit a job and wait for its result."""

    @abstractmethod
    def _wait(self, kind: str, *, private: bool = False, **params: Any) -> xr.Dataset:
        """Submit a job of a kind, and return its result once it has one."""

    def predict(
        self, locus: str | Locus, contexts: list[str] | None = None, individual: str | None = None
    ) -> xr.Dataset:
        """Predict activity over a locus; see `phenviz.models.predict`. Waits for the result.

        With the name of an individual of the world, along both haplotypes beside the reference; see
        `phenviz.effects.predict_haplotypes`.
        """
        if individual is not None:
            return self.personal(locus, individual, contexts)
        return self._wait("predict", locus=locus, contexts=contexts)

    def predict_sequences(
        self, sequences: Mapping[str, str] | str | os.PathLike[str], contexts: list[str] | None = None
    ) -> xr.Dataset:
        """Predict sequences that lie in no genome; see `phenviz.models.predict_sequences`. Waits.

        ``sequences`` are bases by name, or a FASTA. As they may be a person's, nothing of it is stored.
        """
        return self._wait("predict_sequences", sequences=sequences, contexts=contexts)

    def overview(self, locus: str | Locus) -> xr.Dataset:
        """Predict activity over megabases, summarised to 64 bins per point; waits for the result.

        ``activity`` is the mean of the bins of a point, beside ``minimum`` and ``maximum``. The dashboard
        draws whole chromosomes from it. What was finished is kept, as for all jobs.
        """
        return self._wait("overview", locus=locus)

    def mutagenesis(
        self, locus: str | Locus, contexts: list[str] | None = None, gene: str | None = None
    ) -> xr.Dataset:
        """Score every single-base change; see `phenviz.attribution.mutagenesis`. Waits for the result."""
        return self._wait("mutagenesis", locus=locus, contexts=contexts, gene=gene)

    def attribute(self, locus: str | Locus | None, target: Target | str, **how: Any) -> xr.Dataset:
        """Explain a target by every base; see `phenviz.attribution`. Waits for the result.

        Parameters
        ----------
        locus
            Bases to explain; for a trait also None: all gene windows that its logit depends on.
        target
            What is explained; a text is the name, label or CURIE of a context.
        **how
            ``method`` (``integrated-gradients`` or ``saliency``), ``n_steps`` (32, or ``auto``), ``baseline``
            (``zero`` or ``dinucleotide``), ``n_baselines`` (1; single shuffles to average over).
        """
        target = find_target(target)
        if target.trait is not None:
            return self._wait("trait", locus=locus, target=target, **how)
        return self._wait("attribute", locus=locus, target=target, **how)

    def variant_effects(
        self,
        variants: pd.DataFrame | str | os.PathLike[str],
        contexts: list[str] | None = None,
        gene: str | None = None,
        *,
        quantiles: bool | None = None,
        private: bool = False,
    ) -> xr.Dataset:
        """Score variants in each context; see `phenviz.effects.score_variants`. Waits for the result.

        Parameters
        ----------
        variants
            A table, a file (VCF, BCF, PGEN, VCF Zarr), or lines of text such as ``chr20:1,600,925 G>A`` or an
            rsID of the world's individuals.
        contexts
            As in `predict`.
        gene
            Score the change of this gene's expression instead; see `phenviz.effects.score_gene`.
        quantiles
            Whether each effect gets its rank among those of common variants of the world's individuals, up to
            20,000 of which are scored once for it; None for all models but global ones, which would take
            hours.
        private
            Whether the variants are those of a person, as those of a file with genotypes always are.
        """
        how = {"variants": variants, "contexts": contexts, "gene": gene, "quantiles": quantiles}
        return self._wait("variant_effects", private=private, **how)

    def expression_effects(
        self,
        variants: pd.DataFrame | str | os.PathLike[str],
        contexts: list[str] | None = None,
        genes: str | Sequence[str] | None = None,
        *,
        private: bool = False,
    ) -> xr.Dataset:
        """Score what variants change in the expression of every gene that they reach. Waits for the result.

        See `phenviz.effects.score_expression`.

        Parameters
        ----------
        variants, private
            As in `variant_effects`.
        contexts
            Names, labels, CURIEs or groups of the gene readout's contexts; None for all.
        genes
            Symbols or stable ids of the genes to look at; None for all.
        """
        how = {"variants": variants, "contexts": contexts, "genes": genes}
        return self._wait("expression_effects", private=private, **how)

    def personal(
        self, locus: str | Locus, sample: str, contexts: list[str] | None = None, **how: Any
    ) -> xr.Dataset:
        """Predict both haplotypes of an individual; see `phenviz.effects.predict_haplotypes`. Waits.

        Parameters
        ----------
        locus, contexts
            As in `predict`.
        sample
            Name of the individual.
        **how
            ``individuals`` (a file of genotypes instead of the world's own), ``unphased`` and ``seed``;
            ``mode="sum"`` for what each variant changes by itself, added up.
        """
        return self._wait("personal", locus=locus, sample=sample, contexts=contexts, **how)

    def gene_expression(self, genes: str | Sequence[str], contexts: list[str] | None = None) -> xr.Dataset:
        """Predict genes of the reference; see `phenviz.models.expression.predict_expression`. Waits.

        Parameters
        ----------
        genes
            Symbols or stable ids.
        contexts
            Names, labels or CURIEs of the gene readout's contexts; None for all.
        """
        return self._wait("gene_expression", genes=genes, contexts=contexts)

    def expression(
        self,
        genes: str | Sequence[str],
        samples: str | Sequence[str] | None = None,
        contexts: list[str] | None = None,
        **how: Any,
    ) -> xr.Dataset:
        """Predict genes from individuals' haplotypes; see `phenviz.effects.predict_expression`. Waits.

        Parameters
        ----------
        genes
            Symbols or stable ids.
        samples
            Names of individuals; None for all.
        contexts
            Names, labels or CURIEs of the gene readout's contexts; None for all.
        **how
            ``individuals`` (a file of genotypes instead of the world's own), ``unphased`` and ``seed``.
        """
        return self._wait("expression", genes=genes, samples=samples, contexts=contexts, **how)

    def risk(
        self,
        samples: str | Sequence[str] | None = None,
        traits: str | Sequence[str] | None = None,
        individuals: str | os.PathLike[str] | None = None,
    ) -> xr.Dataset:
        """Score people by the world's risk model, and say where the scores come from. Waits for the result.

        Parameters
        ----------
        samples
            Names of individuals; None for all.
        traits
            Names or labels of the model's traits; None for all.
        individuals
            A file of genotypes instead of the world's own.
        """
        return self._wait("risk", samples=samples, traits=traits, individuals=individuals)

    def both_alleles(
        self,
        contig: str,
        position: int,
        ref: str,
        alt: str,
        contexts: str | list[str] | None = None,
        **how: Any,
    ) -> BothAlleles:
        """Score every single-base change around a variant, with and without it. Waits for the result.

        See `phenviz.effects.both_alleles.mutate_both_alleles`; ``**how`` is ``flank``, and ``private`` for a
        person's variant.
        """
        from phenviz.effects.both_alleles import BothAlleles

        where: dict[str, Any] = {"contig": contig, "position": position, "ref": ref, "alt": alt}
        return BothAlleles.of(self._wait("both_alleles", contexts=contexts, **where, **how))

    def ablate(self, loci: str | Locus | Iterable[str | Locus], **how: Any) -> xr.Dataset:
        """Take the meaning out of loci, one at a time; see `phenviz.attribution.ablate`. Waits.

        Parameters
        ----------
        loci
            As in `predict`, one or several.
        **how
            ``contexts``, ``gene``, ``by``, ``n_shuffles``, ``seed``.
        """
        return self._wait("ablate", loci=loci, **how)

    def marginalize(self, motifs: str | Iterable[str], **how: Any) -> xr.Dataset:
        """Say what motifs do by themselves; see `phenviz.attribution.marginalize`. Waits for the result.

        Parameters
        ----------
        motifs
            Names of the world's motifs, bases, or ``NAME=BASES``.
        **how
            ``contexts``, ``backgrounds`` (their number), ``seed``.
        """
        return self._wait("marginalize", motifs=motifs, **how)

    def hypotheses(self, source: str | os.PathLike[str] | TraitVariants, **how: Any) -> xr.Dataset:
        """Test through which contexts traits act; see `phenviz.disease.hypotheses`. Waits for the result.

        Parameters
        ----------
        source
            ``simulated``, the name of a data pack, the path of a table, or what was read of these.
        **how
            ``method`` (one or several), ``permutations``, ``seed``, ``contexts`` to keep, ``prior``.
        """
        return self._wait("hypotheses", source=source, **how)

    def trait_evidence(
        self, source: str | os.PathLike[str] | TraitVariants, trait: str, **how: Any
    ) -> xr.Dataset:
        """Say which loci and variants of a trait speak for each context. Waits for the result.

        See `phenviz.disease.locus_evidence`; `phenviz.service.variants_of_evidence` lists the variants.

        Parameters
        ----------
        source
            As in `hypotheses`.
        trait
            One of its traits.
        **how
            ``method`` (one that goes by loci), ``permutations``, ``seed``, ``prior``.
        """
        return self._wait("trait_evidence", source=source, trait=trait, **how)
