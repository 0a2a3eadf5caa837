"""Expression of genes from the two haplotypes of a person, and of many persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.effects.kept_haplotypes import KeptHaplotypes, key_of
from phenviz.effects.personal import REFERENCE, seen_from
from phenviz.errors import DataError, LocusError
from phenviz.genome import Annotation, Context, Gene, Locus, ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.haplotype_engine import TILE_BINS, HaplotypeEngine, Saving
from phenviz.inference.reductions import GeneExpression
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.double import double_copy
from phenviz.models.expression import gene_coords, locus_of_genes
from phenviz.models.readout import GeneBins, GeneReadout, check_backbone
from phenviz.models.windows import units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs, text_array

if TYPE_CHECKING:
    from phenviz.variation import Individual, Individuals, Unphased
    from phenviz.variation.unique import UniqueHaplotypes

HAPLOTYPES = [REFERENCE, "1", "2"]
DEFINITION = (
    "expression of each gene from each haplotype by itself, as the gene readout predicts it by attention "
    "pooling of the bins within {reach:,} bp of the TSS; bins in reference coordinates: between two "
    "insertions or deletions bases are read on the reference's own grid, deleted bases count 0, the base "
    "before an insertion counts the maximum over itself and the inserted bases; insertions and deletions lie "
    "as far left as they go without meeting the variant before them"
)


def predict_expression(
    individuals: Individual | Individuals,
    genes: str | Sequence[str],
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout,
    *,
    samples: Sequence[str] | None = None,
    contexts: Sequence[Context | str] | None = None,
    unphased: Unphased = "refuse",
    seed: int = 0,
    kept: KeptHaplotypes | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Predict the expression of genes from both haplotypes of individuals, beside the reference's.

    Each haplotype is predicted as if both copies of the gene were like it. Haplotypes with the same bases are
    predicted once, and of different ones only the bins that see a variant, each different surrounding once.

    Parameters
    ----------
    individuals
        One individual, or several: see ``samples``.
    genes
        Symbols or stable ids; a gene that is named twice counts once.
    annotation
        Where genes begin, and on which strand.
    reference, backbone
        As for `phenviz.effects.predict_haplotypes`.
    readout
        Turns embeddings around a TSS into expression; trained on this backbone.
    samples
        Names among several individuals; None for all.
    contexts
        Contexts of the readout (or names, labels, CURIEs) to keep; None for all.
    unphased, seed
        What to do about unphased heterozygotes; see `phenviz.variation.Individual.haplotype`.
    kept
        Where haplotypes are kept; those that are there aren't predicted again. Of this very model and
        reference.
    progress
        Updated after each tile of 4 kb.

    Returns
    -------
    xr.Dataset
        ``expression`` (individual, haplotype, gene, context), float32, in the readout's units, ln(1 + CPM);
        haplotypes ``"reference"`` (the same for everybody), ``"1"`` and ``"2"``. ``variants`` (individual,
        haplotype, gene), int32: variants of the haplotype that the gene's bins see; where it is 0, the
        expression is the reference's. Coordinates on ``gene``: ``gene_id``, ``contig``, ``tss`` (0-based),
        ``strand`` and ``unique_haplotypes`` (with different bases). Attributes ``phasing``,
        ``variants_skipped`` (carried, but overlapping another one), ``records_left_out`` (what of the file
        can't be put into a sequence, in words), ``not_covered`` (where in a gene's window genotypes aren't
        known, in words; the haplotypes are the reference's there, and NaN where that is all of it), and,
        counted as in `phenviz.effects.predict_cohort` over all genes, ``tiles``, ``tiles_changed``,
        ``tiles_computed`` and ``saving``; ``sample`` where there is one individual.

    Raises
    ------
    LocusError
        If the annotation doesn't have a gene, or the reference lacks its place.
    DataError
        If no gene or no individual is given, a name is unknown, heterozygotes are unphased and that is
        refused, or the file can't be read.
    ModelError
        If the readout was trained on another backbone, or reads more bins than a global backbone's window.
    TargetError
        If the readout doesn't predict a context.
    """
    cohort, names = _cohort(individuals, samples)
    chosen = find_genes(genes, annotation)
    check_backbone(readout, backbone)
    wanted = [readout.contexts[row] for row in readout.select(contexts)]
    model = _Model(reference, backbone, readout, wanted)
    sites = [model.site(gene) for gene in chosen]
    progress.stage("predicting expression", sum(site.tiles for site in sites))
    found = [
        model.predict(site, cohort, names, unphased=unphased, seed=seed, kept=kept, progress=progress)
        for site in sites
    ]
    phasings = dict.fromkeys(phasing for one in found for phasing in one.phasing)
    return xr.Dataset(
        {
            "expression": (
                ("individual", "haplotype", "gene", "context"),
                np.stack([one.expression for one in found], axis=2).astype(np.float32),
            ),
            "variants": (
                ("individual", "haplotype", "gene"),
                np.stack([one.variants for one in found], axis=2).astype(np.int32),
            ),
        },
        coords={
            "individual": ("individual", text_array(names)),
            "haplotype": ("haplotype", HAPLOTYPES),
            **gene_coords(chosen),
            "unique_haplotypes": ("gene", [one.unique for one in found]),
            **context_coords(wanted),
        },
        attrs=result_attrs(
            locus_of_genes(chosen),
            backbone,
            reference,
            definition=DEFINITION.format(reach=readout.reach),
            units=units_in(readout, wanted),
            readout=readout.title,
            sample=names[0] if len(names) == 1 else None,
            phasing="; ".join(phasings),
            variants_skipped=sum(one.skipped for one in found),
            records_left_out="; ".join(filter(None, (one.left_out for one in found))),
            not_covered="; ".join(filter(None, (one.not_covered for one in found))),
            **sum((one.saving for one in found), Saving()).attrs(),
        ),
    )


def find_genes(genes: str | Sequence[str], annotation: Annotation) -> list[Gene]:
    """Return genes by symbol or stable id, each once, in the order asked for.

    Raises
    ------
    LocusError
        If the annotation doesn't have one of them.
    DataError
        If none is given.
    """
    asked = [genes] if isinstance(genes, str) else list(genes)
    if not asked:
        raise DataError("no gene to predict the expression of: name at least one")
    found = (annotation.gene(name) for name in asked)
    return list({(gene.name, gene.gene_id): gene for gene in found}.values())


def pool_haplotypes(
    individuals: Individuals,
    gene: Gene,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout,
    *,
    samples: Sequence[str],
    unphased: Unphased = "refuse",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> NDArray[np.float64]:
    """Return what the readout's last layer gets for a gene: (individuals, 2 haplotypes, heads * values).

    Parameters
    ----------
    individuals, reference, backbone, readout, samples, unphased, seed, progress
        As for `predict_expression`; the readout is a single one.
    gene
        Whose bins are pooled.

    Raises
    ------
    ModelError, DataError, LocusError
        As `predict_expression`.
    """
    model = _Model(reference, backbone, readout, readout.contexts)
    site = model.site(gene)
    unique, sums, _ = model.haplotype_sums(site, individuals, samples, unphased, seed, progress)
    with torch.inference_mode():
        pooled = readout.pooled(sums.to(torch.float64)).cpu().numpy()
    found: NDArray[np.float64] = pooled[unique.index + 1]
    return found


@dataclass(frozen=True, eq=False)
class _Site:
    """A gene, what predicts its expression, and the bases of the contig that this is read from."""

    gene: Gene
    target: GeneExpression
    locus: Locus
    tiles: int

    @property
    def bins(self) -> GeneBins:
        return self.target.around

    @property
    def last_bin(self) -> int:
        return self.bins.first_bin + len(self.bins.distance)


@dataclass(frozen=True, eq=False)
class _Found:
    """One gene's numbers, (individuals, 3, contexts) and (individuals, 3), what they lack, what they took."""

    expression: NDArray[np.float64]
    variants: NDArray[np.int64]
    unique: int
    phasing: tuple[str, ...]
    skipped: int
    left_out: str
    not_covered: str
    saving: Saving


class _Model:
    """A backbone and its readout, the latter in double precision."""

    def __init__(
        self,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        readout: GeneReadout,
        contexts: Sequence[Context],
    ) -> None:
        self._reference, self._backbone = reference, backbone
        self._how = readout, reference, backbone, contexts, double_copy(readout)

    def site(self, gene: Gene) -> _Site:
        target = GeneExpression(gene, *self._how)
        bins = target.around
        length = self._reference.contigs[bins.contig]
        if gene.tss >= length:
            raise LocusError(
                f"{gene.name} begins at {gene.locus.contig}:{gene.tss + 1:,}, behind the contig's end at "
                f"{length:,}: give the annotation of this assembly"
            )
        last = bins.first_bin + len(bins.distance)
        local = self._backbone.receptive_field is not None
        tiles = -(-last // TILE_BINS) - bins.first_bin // TILE_BINS if local else 1
        return _Site(gene, target, Locus(bins.contig, max(bins.start, 0), min(bins.end, length)), tiles)

    def predict(
        self,
        site: _Site,
        individuals: Individuals,
        names: Sequence[str],
        *,
        unphased: Unphased,
        seed: int,
        kept: KeptHaplotypes | None,
        progress: Progress,
    ) -> _Found:
        unique, edits, copies = self._haplotypes(site, individuals, names, unphased, seed)
        if kept is None:
            expression, saving = self._expression(site, edits, copies, progress)
        else:
            expression, saving = self._with_kept(site, edits, copies, kept, progress)
        seen_variants = np.array([0, *map(len, edits)], dtype=np.int64)
        which = np.concatenate([np.zeros((len(names), 1), dtype=np.int64), unique.index + 1], axis=1)
        found = expression[which]
        found[_unknown(individuals, site.locus, names), 1:] = np.nan
        return _Found(
            found,
            seen_variants[which],
            len(edits),
            tuple(phasing.describe() for phasing in unique.phasing),
            int(unique.skipped.sum()),
            "; ".join(f"{site.gene.name}: {line}" for line in unique.report.left_out()),
            _of_gene(site.gene, individuals.uncovered(site.locus, names)),
            saving,
        )

    def haplotype_sums(
        self,
        site: _Site,
        individuals: Individuals,
        names: Sequence[str],
        unphased: Unphased,
        seed: int,
        progress: Progress,
    ) -> tuple[UniqueHaplotypes, torch.Tensor, Saving]:
        """Return who has which haplotype, and what the readout sums of each: the reference first."""
        unique, edits, copies = self._haplotypes(site, individuals, names, unphased, seed)
        sums, saving = self._sums(site, edits, copies, progress)
        return unique, sums, saving

    def _haplotypes(
        self, site: _Site, individuals: Individuals, names: Sequence[str], unphased: Unphased, seed: int
    ) -> tuple[UniqueHaplotypes, list[tuple[Edit, ...]], NDArray[np.int64]]:
        """Return who has which haplotype, the edits of each, and how often it is carried."""
        from phenviz.variation import unique_haplotypes

        bins = site.bins.first_bin, site.last_bin
        around, view = seen_from(site.locus, self._reference, self._backbone, held=bins)
        unique = unique_haplotypes(individuals, around, names, view=view, unphased=unphased, seed=seed)
        edits = [haplotype.edits for haplotype in unique.haplotypes]
        return unique, edits, np.bincount(unique.index.ravel(), minlength=len(edits))

    def _with_kept(
        self,
        site: _Site,
        edits: Sequence[Sequence[Edit]],
        copies: NDArray[np.int64],
        kept: KeptHaplotypes,
        progress: Progress,
    ) -> tuple[NDArray[np.float64], Saving]:
        """Predict only haplotypes that aren't kept yet."""
        known, keys = kept.read(site.gene), [key_of(one) for one in edits]
        new = [row for row, key in enumerate(keys) if key not in known]
        saving, plain = Saving(), key_of(())
        if new or plain not in known:
            found, saving = self._expression(site, [edits[row] for row in new], copies[new], progress)
            known |= dict(zip([plain, *(keys[row] for row in new)], found, strict=True))
            kept.write(site.gene, known)
        else:
            progress.advance(site.tiles)
        return np.array([known[plain], *(known[key] for key in keys)]), saving

    def _expression(
        self, site: _Site, edits: Sequence[Sequence[Edit]], copies: NDArray[np.int64], progress: Progress
    ) -> tuple[NDArray[np.float64], Saving]:
        """Return the expression of haplotypes in each context, the reference first."""
        sums, saving = self._sums(site, edits, copies, progress)
        with torch.inference_mode():
            found: NDArray[np.float64] = site.target.expression(sums).cpu().numpy()
        return found, saving

    def _sums(
        self, site: _Site, edits: Sequence[Sequence[Edit]], copies: NDArray[np.int64], progress: Progress
    ) -> tuple[torch.Tensor, Saving]:
        """Return the sums that expression is a function of: (1 + haplotypes, K), the reference first."""
        first, terms = site.bins.first_bin, site.target.terms()
        plain = terms.cpu().numpy()
        engine = HaplotypeEngine(
            self._reference, site.bins.contig, self._backbone, site.target.values, plain.shape[1],
            around=(first, site.last_bin),
        )  # fmt: skip
        sums = np.repeat(plain.sum(axis=0)[None], 1 + len(edits), axis=0)
        for owners, bins, values in engine.changes(edits, first, site.last_bin, progress.advance, copies):
            moved = values.sum(axis=1) - plain[bins - first].sum(axis=0)
            sums[1 + np.array(owners)] += moved
        return torch.from_numpy(sums).to(terms.device), engine.saving


def _of_gene(gene: Gene, said: str) -> str:
    return f"{gene.name}: {said}" if said else ""


def _unknown(individuals: Individuals, locus: Locus, names: Sequence[str]) -> NDArray[np.bool_]:
    """Tell of which individuals nothing at all is known in a locus: the reference is nobody's genome."""
    unknown: set[str] = set()
    for source in individuals.sources:
        own = set(source.samples).intersection(names)
        if own and not individuals.coverage(locus.contig, next(iter(own))).share(locus):
            unknown |= own
    return np.array([name in unknown for name in names], dtype=bool)


def _cohort(
    individuals: Individual | Individuals, samples: Sequence[str] | None
) -> tuple[Individuals, list[str]]:
    from phenviz.variation import Individual

    if isinstance(individuals, Individual):
        if samples is not None:
            raise DataError(f"{individuals.sample} is one individual: leave samples out, or give several")
        return individuals.individuals, [individuals.sample]
    names = individuals.samples["sample"].tolist() if samples is None else list(samples)
    if not names:
        raise DataError("no individual was chosen: name at least one, or leave samples out for all")
    return individuals, names
