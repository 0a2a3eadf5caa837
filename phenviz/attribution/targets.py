"""What is explained: the activity of a context over a window, or a gene's expression in a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from phenviz.errors import TargetError
from phenviz.genome.annotation import Gene
from phenviz.genome.contexts import Context, refuse_several
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.readout import GeneReadout, check_backbone, gene_bins
from phenviz.models.windows import select_contexts


@dataclass(frozen=True, slots=True)
class Target:
    """One number that attribution explains.

    Parameters
    ----------
    gene
        Name of a gene whose expression is explained; None for the activity of the whole window.
    context
        Context (name, label or CURIE) that is meant.
    trait
        Trait whose logit is explained, by the disease model.
    """

    gene: str | None = None
    context: str | None = None
    trait: str | None = None

    def __str__(self) -> str:
        if self.trait is not None:
            return self.trait
        return f"{self.gene} in {self.context}" if self.gene else f"activity in {self.context}"


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """A target with the parts of the world that it names.

    Parameters
    ----------
    channels
        Channels of the contexts in the backbone's activity, or of the readout's expression.
    contexts
        The contexts.
    several
        Whether several contexts were asked for (be it one), so that results have a dimension ``context``.
    gene, readout
        For a gene's expression; otherwise None.
    """

    channels: tuple[int, ...]
    contexts: tuple[Context, ...]
    several: bool = False
    gene: Gene | None = None
    readout: GeneReadout | None = None

    @property
    def context(self) -> str:
        """Names of the contexts, separated by commas."""
        return ", ".join(context.name for context in self.contexts)

    def __str__(self) -> str:
        return str(Target(gene=self.gene.name if self.gene else None, context=self.context))

    @property
    def definition(self) -> str:
        """What the number is, in words."""
        if self.gene is None or self.readout is None:
            return f"activity in {self.context}, summed over the bins of the window"
        reach = f"{self.readout.reach:,} bp"
        return f"expression of {self.gene.name} in {self.context}, from the bins within {reach}"


def resolve(
    target: Target,
    backbone: SequenceBackbone,
    gene_target: tuple[Gene, GeneReadout] | None,
    contexts: Sequence[str] | None = None,
) -> ResolvedTarget:
    """Find a target's context and gene; several contexts take the place of the target's own.

    Raises
    ------
    TargetError
        If the target names no context, a trait, a context that isn't predicted, or a gene that isn't given.
    ModelError
        If the readout belongs to another backbone.
    """
    if target.trait is not None:
        raise TargetError(
            f"target {target.trait!r} is a trait, and {backbone.name} predicts none: choose a context, or a "
            "gene and a context"
        )
    if contexts is not None and target.context is not None:
        raise TargetError(f"both the target ({target}) and 'contexts' name contexts: leave one of them out")
    asked = [target.context] if target.context is not None else list(contexts or ())
    if not asked:
        known = ", ".join(context.name for context in backbone.contexts[:20])
        raise TargetError(f"the target names no context: choose one of {known}")
    several = contexts is not None
    if target.gene is None:
        found, channels = select_contexts(backbone, asked)
        if not several:
            refuse_several([context.name for context in found], asked[0])
        return ResolvedTarget(tuple(channels), found, several)
    if gene_target is None:
        raise TargetError(
            f"target {target.gene} needs the gene and its readout: pass gene_target=(gene, readout)"
        )
    gene, readout = gene_target
    if target.gene.casefold() not in (gene.name.casefold(), gene.gene_id.casefold()):
        raise TargetError(
            f"the target is {target.gene}, but gene_target holds {gene.name}: pass the same gene"
        )
    check_backbone(readout, backbone)
    rows = tuple(readout.select(asked))
    found = tuple(readout.contexts[row] for row in rows)
    if not several:
        refuse_several([context.name for context in found], asked[0])
    return ResolvedTarget(rows, found, several, gene, readout)


def reach_of_gene(
    gene: Gene, readout: GeneReadout, reference: ReferenceGenome, backbone: SequenceBackbone
) -> Locus:
    """Return the bases that a gene's expression, read from a local backbone, depends on."""
    around, flank = gene_bins(gene, backbone, reference, readout.reach), halo(backbone)
    return Locus(around.contig, max(around.start - flank, 0), around.end + flank)


def check_reached(loci: Sequence[Locus], gene: Gene, reach: Locus) -> None:
    """Check that some base of some locus reaches a gene's expression.

    Raises
    ------
    TargetError
        If none does.
    """
    if not any(locus.overlaps(reach) for locus in loci):
        asked = ", ".join(map(str, loci[:3])) + (" ..." if len(loci) > 3 else "")
        raise TargetError(
            f"no base of {asked} reaches the expression of {gene.name}, which depends on {reach}: choose a "
            "locus that overlaps it"
        )


def is_count(value: object, least: int = 1) -> bool:
    """Tell whether a value, such as a number of steps, is a whole number and large enough."""
    return isinstance(value, Integral) and int(value) >= least
