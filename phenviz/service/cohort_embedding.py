"""Make the gene tokens of a cohort, group by group of genes, by jobs of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from phenviz.disease.cohort.folder import EFFECTS, TOKENS, Cohort
from phenviz.disease.cohort.genotypes import ReadCounts, read_blocks, whole_contigs
from phenviz.errors import DataError
from phenviz.genome import Locus
from phenviz.genome.intervals import merged
from phenviz.models.backbone import halo
from phenviz.models.phenformer import GeneSite, Phenformer
from phenviz.models.token_layout import WINDOW, readout_named, token_layout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import TokenStore
from phenviz.service.cohort import in_order
from phenviz.service.cohort_effects import cached_effects, summed_effects

if TYPE_CHECKING:
    from phenviz.service.service import ModelService
    from phenviz.variation import Individuals
    from phenviz.world import World

HAPLOTYPES = ("sum", "pair")


@dataclass
class Embedded:
    """What became of a cohort's tokens.

    Parameters
    ----------
    people, genes, features
        Of the store.
    resumed
        Genes whose tokens were there already.
    counts
        Of the genotypes that were read.
    skipped
        Variants that can't be scored, such as symbolic ones.
    """

    people: int = 0
    genes: int = 0
    features: int = 0
    resumed: int = 0
    counts: ReadCounts = field(default_factory=ReadCounts)
    skipped: int = 0


def embed_cohort(
    service: ModelService,
    cohort: Cohort,
    path: Path | None = None,
    *,
    genes: Sequence[str] | None = None,
    window: int = WINDOW,
    exact: bool = False,
    haplotypes: str = "sum",
    unphased: str = "refuse",
    readout: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> Embedded:
    """Make everybody's gene tokens.

    Parameters
    ----------
    service
        Whose models make them.
    cohort
        Whose genotypes.
    path
        Store of the tokens; None for ``tokens.zarr`` in the cohort's folder. One that was begun with the same
        models, genes and people is gone on with.
    genes
        Names; None for all with a variant in their windows.
    window
        Bases of each gene's window.
    exact
        Whether every different haplotype is read, instead of adding the effects of its variants up.
    haplotypes
        ``sum`` of both, or a ``pair`` (twice as large).
    unphased
        For exact tokens: what to do about unphased heterozygotes.
    readout
        Name of the gene readout that gives the expression; None for all of the world's together.
    progress
        Updated after each group of genes.

    Raises
    ------
    DataError
        If no gene has a variant, heterozygotes are unphased where their phase counts, or the store is of
        something else.
    """
    if haplotypes not in HAPLOTYPES:
        raise DataError(f"haplotypes {haplotypes!r}: choose sum or pair")
    world = service.world
    sites = sites_of(world, cohort.individuals, genes, window)
    chosen = readout_named(world.readout, readout)
    layout = token_layout(sites, world.assembly, world.backbone, chosen, window=window)
    ordered = [gene for group in in_order(sites) for gene in group]
    path = cohort.folder / TOKENS if path is None else path
    store = open_store(path, cohort, layout, ordered, exact, haplotypes, unphased)
    done = Embedded(len(cohort.people), len(ordered), len(store.features), int(store.done.sum()))
    progress.stage("making gene tokens", len(ordered))
    progress.advance(done.resumed)
    number = {gene: index for index, gene in enumerate(ordered)}
    for group in in_order(sites):
        places = [number[gene] for gene in group]
        if store.done[places].all():
            continue
        difference, plain = tokens_of_genes(
            service, cohort, group, done, window=window, exact=exact, haplotypes=haplotypes,
            unphased=unphased, readout=readout,
        )  # fmt: skip
        store.write(places, difference, plain)
        progress.advance(len(group))
    return done


def tokens_of_genes(
    service: ModelService,
    cohort: Cohort,
    genes: Sequence[GeneSite],
    done: Embedded,
    *,
    window: int,
    exact: bool,
    haplotypes: str,
    unphased: str,
    readout: str | None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Make the tokens of some neighbouring genes, and count in ``done`` what was read.

    Parameters
    ----------
    done
        Counted up.
    service, cohort, genes, window, exact, haplotypes, unphased, readout
        As for `embed_cohort`.

    Returns
    -------
    tuple
        Differences from the reference, (people, [2,] genes, F), and the reference's tokens, (genes, F).
    """
    if exact:
        difference, plain = _exact(service, cohort, genes, window, readout, unphased)
    else:
        difference, plain = _additive(service, cohort, genes, window, readout, haplotypes, done)
    if haplotypes == "sum" and difference.ndim == 4:
        difference = difference.sum(axis=1)
    return difference, plain


def sites_of(
    world: World, individuals: Individuals, genes: Sequence[str] | None, window: int
) -> list[GeneSite]:
    """Return the genes to make tokens of: the named ones, or all with a variant in their windows.

    Raises
    ------
    DataError
        If there is none.
    """
    if genes is not None:
        return list(dict.fromkeys(GeneSite.of(world.annotation.gene(name)) for name in genes))
    positions = {locus.contig: variant_positions(individuals, locus) for locus in whole_contigs(individuals)}
    table = world.annotation.genes
    names = table["gene_name"].astype(str)
    found = []
    for name in names[names != ""].drop_duplicates():
        site = GeneSite.of(world.annotation.gene(name))
        for contig, places in positions.items():
            if contig.removeprefix("chr") == site.contig.removeprefix("chr"):
                near = np.searchsorted(places, [site.tss - window // 2, site.tss + window // 2])
                if near[1] > near[0]:
                    found.append(site)
    if not found:
        raise DataError(
            "no gene of the annotation has a variant of these genotypes in its window: is this the right "
            "world?"
        )
    return found


def variant_positions(individuals: Individuals, locus: Locus) -> NDArray[np.int64]:
    """Return the sorted 0-based positions of the variants of a contig."""
    from phenviz.variation.vcf_zarr import ZarrSource
    from phenviz.variation.zarr_cohort import positions_of

    stores = [source for source in individuals.sources if isinstance(source, ZarrSource)]
    if len(stores) < len(individuals.sources):
        return np.sort(individuals.variants(locus)["position"].to_numpy() - 1)
    return np.sort(np.concatenate([positions_of(store, locus) for store in stores]))


def open_store(
    path: Path,
    cohort: Cohort,
    layout: Phenformer,
    genes: Sequence[GeneSite],
    exact: bool,
    haplotypes: str,
    unphased: str,
) -> TokenStore:
    """Open the store of a cohort's tokens that was begun with the same models, genes and people, or make one.

    Raises
    ------
    DataError
        If something else has the name.
    """
    features = (*(f"embedding {number}" for number in range(layout.channels)), *layout.expression)
    attrs: dict[str, Any] = {
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        "assembly": layout.assembly,
        "window": layout.window,
        "channels": layout.channels,
        "expression": list(layout.expression),
        "expression_from": layout.expression_from,
        "backbone": layout.backbone_hash,
        "readout": layout.readout_hash,
        "haplotypes": haplotypes,
        "definition": "exact: every different haplotype is read"
        if exact
        else "additive: effects of single variants, added up",
        "unphased": unphased if exact else "as listed",
        "sites": [[gene.name, gene.gene_id, gene.contig, gene.tss, gene.strand] for gene in genes],
        "genotypes": _content(cohort),
    }
    if (path / "zarr.json").is_file():
        begun = TokenStore(path, unfinished=True)
        same = all(begun.attrs.get(name) == value for name, value in attrs.items())
        if same and begun.samples == tuple(cohort.people.samples):
            return begun
        if begun.attrs.get("cohort") != attrs["cohort"]:
            raise DataError(f"{path} holds the tokens of {begun.attrs.get('cohort')}: choose another name")
    elif path.exists():
        raise DataError(f"{path} is there and holds no gene tokens: choose another name")
    return TokenStore.create(
        path,
        samples=cohort.people.samples,
        genes=[gene.name for gene in genes],
        features=features,
        pair=haplotypes == "pair",
        attrs=attrs,
    )


def _content(cohort: Cohort) -> list[Any]:
    from phenviz.variation.sources import content_of

    # a copied folder is the same cohort
    return [list(content_of(path)[1:2]) for path in cohort.individuals.paths]


def windows_of(world: World, genes: Sequence[GeneSite], window: int) -> list[Locus]:
    """Return what the windows of some genes see, joined where they overlap."""
    size, flank = world.backbone.bin_size, halo(world.backbone)
    contig = world.reference.resolve_contig(genes[0].contig)
    length, found = world.reference.contigs[contig], []
    for gene in genes:
        start = (gene.tss // size - window // size // 2) * size
        found.append((max(start - flank, 0), min(start + window + flank, length)))
    return [Locus(contig, start, end) for start, end in merged(found) if start < end]


def _additive(
    service: ModelService,
    cohort: Cohort,
    group: Sequence[GeneSite],
    window: int,
    readout: str | None,
    haplotypes: str,
    done: Embedded,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Add up the effects of what everybody carries: (people, [2,] genes, F), and the reference's tokens."""
    tables, matrices = [], []
    by_contig: dict[str, list[GeneSite]] = {}
    for gene in group:
        by_contig.setdefault(gene.contig, []).append(gene)
    for own in by_contig.values():
        loci = windows_of(service.world, own, window)
        counts = ReadCounts()
        for block in read_blocks(cohort.individuals, cohort.people.samples, loci, counts=counts):
            if haplotypes == "pair" and counts.unphased:
                raise DataError(
                    f"{cohort.name} has heterozygotes without a phase, and a pair of haplotypes needs it: "
                    "embed their "
                    "sum (--haplotypes sum), or phase the genotypes"
                )
            if haplotypes == "pair":
                both = (block.alleles == 1).reshape(len(block.alleles), -1)
                matrices.append(sparse.csr_array(both.astype(np.int8)))
            else:
                matrices.append(block.carried())
            tables.append(block.variants)
        _add_counts(done.counts, counts)
    people = len(cohort.people)
    variants = (
        pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame({"contig": [], "position": [], "ref": [], "alt": [], "id": []})
    )
    found = cached_effects(service, cohort.folder / EFFECTS, variants, group, window, readout)
    done.skipped += int(found.attrs["skipped"])
    width = 2 * people if haplotypes == "pair" else people
    carried_by = (
        sparse.vstack(matrices, format="csr") if matrices else sparse.csr_array((0, width), dtype=np.int8)
    )
    # its rows are in one table now
    matrices.clear()
    difference = summed_effects(carried_by, found, len(group))
    plain: NDArray[np.float64] = found["reference_token"].values
    if haplotypes == "pair":
        return difference.reshape(people, 2, len(group), -1), plain
    return difference, plain


def _exact(
    service: ModelService,
    cohort: Cohort,
    group: Sequence[GeneSite],
    window: int,
    readout: str | None,
    unphased: str,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    if cohort.genotype_path is None:
        raise DataError(
            f"{cohort.name} has several files of genotypes, and exact tokens are read from one: join them, "
            "or leave --exact out"
        )
    job = service.submit(
        "haplotype_tokens",
        genes=group,
        samples=cohort.people.samples,
        individuals=cohort.genotype_path,
        window=window,
        readout=readout,
        unphased=unphased,
    )
    found = job.result()
    order = [found["gene"].values.tolist().index(gene.name) for gene in group]
    return found["difference"].values[:, :, order], found["reference_token"].values[order]


def _add_counts(total: ReadCounts, part: ReadCounts) -> None:
    total.variants += part.variants
    total.missing += part.missing
    total.unphased += part.unphased
    total.left_out += [line for line in part.left_out if line not in total.left_out]
