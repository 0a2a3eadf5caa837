"""Which bases of a genome matter for a trait: saliency and integrated gradients through the disease model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from phenviz.attribution.baselines import Baseline
from phenviz.attribution.trait_canvas import Canvas, bases_of, clipped
from phenviz.attribution.trait_engine import TokenWeights, TraitEngine
from phenviz.errors import TargetError
from phenviz.genome.codes import LETTERS
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_tokens import (
    BaseSource,
    Tile,
    TokenReader,
    distinct,
    plan_tiles,
    reached,
)
from phenviz.models.readout import GeneReadout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import position_coord, result_attrs

UNITS = "logit"


def trait_integrated_gradients(
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    phenformer: Phenformer,
    *,
    trait: str,
    readout: GeneReadout | None = None,
    haplotypes: tuple[BaseSource, BaseSource] | None = None,
    locus: Locus | None = None,
    baseline: Baseline = "zero",
    n_steps: int = 32,
    share_tiles: bool = True,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a trait's logit to every base of all gene windows by integrated gradients.

    The path runs from the baseline to the sequence in all windows at once. Memory holds one tile of a local
    backbone, or one window of a global one, however many windows there are; the result is that of one
    autograd graph over all of them.

    Parameters
    ----------
    reference
        Genome; beyond a contig's ends it is taken as N.
    backbone, readout
        Models that the tokens come from; no readout for a model that takes activity instead.
    phenformer
        The disease model, on the backbone's device and in its precision.
    trait
        Name or label.
    haplotypes
        Where the bases of both haplotypes come from, in the reference's coordinates (single-base variants
        only); None for the reference twice.
    locus
        Bases to explain: others count for the logit, but aren't reported, and take no time in the second
        pass. None for all, if all windows lie on one contig.
    baseline
        ``"zero"``, ``"dinucleotide"`` (mean of shuffles), or a base composition, shape (4,).
    n_steps
        Points on the path (Gauss-Legendre).
    share_tiles
        Whether a local backbone computes what lies in several windows once. The result is the same.
    progress
        Updated after each step of a tile; gets each finished interval as a partial result.

    Returns
    -------
    xr.Dataset
        ``attribution`` (position), in logits: the value at the observed base, and ``reference`` (position),
        its letter. ``position`` counts from 1, ascending, and holds the bases that the logit depends on (all
        windows, with the flanks that their bins see), so it may have gaps. Both haplotypes together: what
        changes the base on both copies. With two different ``haplotypes``, both variables have a dimension
        ``haplotype`` (``1``, ``2``) before position.
        Attributes: ``target`` (the trait), ``target_value`` and ``baseline_value`` (logits), where all bases
        are reported ``convergence_delta`` and ``converged``; ``genes``, ``window_starts`` and ``window_ends``
        (may overhang the contig), ``window_bases`` (of all windows) and ``encoded_bases`` (less, where
        windows share).

    Raises
    ------
    TargetError
        If the trait isn't predicted, no window reaches the locus, or windows lie on several contigs and no
        locus says which is meant.
    ModelError
        If the models don't belong together, or the baseline has another shape.
    MemoryLimitError
        If not even one tile fits into memory.
    """
    reader = TokenReader(phenformer, reference, backbone, readout)
    sequences, which = distinct(haplotypes or (reference, reference))
    engine = TraitEngine(reader, phenformer.trait_index(trait), sequences, which, n_steps, baseline)
    return explain(engine, locus, share_tiles, progress)


def trait_saliency(
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    phenformer: Phenformer,
    *,
    trait: str,
    readout: GeneReadout | None = None,
    haplotypes: tuple[BaseSource, BaseSource] | None = None,
    locus: Locus | None = None,
    share_tiles: bool = True,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a trait's logit to every base of all gene windows by its gradient (first order).

    Parameters
    ----------
    reference, backbone, phenformer, trait, readout, haplotypes, locus, share_tiles, progress
        As in `trait_integrated_gradients`.

    Returns
    -------
    xr.Dataset
        As from `trait_integrated_gradients`; ``attribution`` is the signed gradient with respect to the
        observed base's channel, 0 where it is N.

    Raises
    ------
    TargetError, ModelError, MemoryLimitError
        As in `trait_integrated_gradients`.
    """
    reader = TokenReader(phenformer, reference, backbone, readout)
    sequences, which = distinct(haplotypes or (reference, reference))
    engine = TraitEngine(reader, phenformer.trait_index(trait), sequences, which)
    return explain(engine, locus, share_tiles, progress)


def explain(
    engine: TraitEngine, locus: Locus | None, share_tiles: bool = True, progress: Progress = NO_PROGRESS
) -> xr.Dataset:
    """Run both passes over all tiles, and put the result together."""
    where = explained(engine.reader, locus)
    tiles = plan_tiles(engine.reader, share_tiles=share_tiles)
    weights = engine.weights(engine.sums(tiles, progress))
    everything = where == explained(engine.reader, None) if _on_one_contig(engine.reader) else False
    # the delta counts what overhangs the contig, too
    asked = tiles if everything else tiles_at(engine, tiles, where)
    intervals = clipped(reached(engine.reader, where.contig), where.start, where.end)
    canvas = Canvas(intervals, len(engine.sequences), engine.dtype)
    attrs = attributes(engine, where, tiles)
    summed, done = 0.0, where.start
    for number, (start, values) in enumerate(engine.attribute(asked, weights, progress)):
        canvas.add(start, values)
        summed += float(values.sum(dtype=float))
        # later tiles begin further to the right: what lies before the next one is finished
        ready = engine.target_tile(asked[number + 1]).start if number + 1 < len(asked) else where.end
        if (finished := canvas.part(done, ready)) is not None:
            progress.partial(as_dataset(engine, where.contig, finished, attrs))
        done = max(done, ready)
    return as_dataset(engine, where.contig, canvas, attrs | ends(weights, summed if everything else None))


def explained(reader: TokenReader, locus: Locus | None) -> Locus:
    """Return the interval of the bases that are reported: what of a locus (None: of the contig) is reached.

    Raises
    ------
    TargetError
        If nothing is, or windows lie on several contigs and there is no locus.
    LocusError
        If the reference has no such contig.
    """
    contigs = list(dict.fromkeys(window.contig for window in reader.windows))
    if locus is None and len(contigs) > 1:
        raise TargetError(
            f"the gene windows of {reader.phenformer.name} lie on {len(contigs)} contigs "
            f"({', '.join(contigs[:5])}...), and a result holds one: give a locus, for example a whole contig"
        )
    contig = contigs[0] if locus is None else reader.reference.resolve_contig(locus.contig)
    asked = Locus(contig, 0, 2**62) if locus is None else Locus(contig, locus.start, locus.end)
    inside = clipped(reached(reader, contig), asked.start, asked.end)
    if not inside:
        where = asked if locus is not None else f"contig {contig}"
        raise TargetError(
            f"no base of {where} lies in a gene window of {reader.phenformer.name}: choose a locus near one "
            f"of its genes ({', '.join(gene.name for gene in reader.phenformer.genes[:5])}, ...)"
        )
    return Locus(contig, inside[0][0], inside[-1][1])


def tiles_at(engine: TraitEngine, tiles: Sequence[Tile], where: Locus) -> list[Tile]:
    """Return the tiles that see a base of a locus."""
    return [
        tile
        for tile in tiles
        if tile.contig == where.contig
        and engine.target_tile(tile).start < where.end
        and where.start < engine.target_tile(tile).end
    ]


def attributes(engine: TraitEngine, where: Locus, tiles: Sequence[Tile]) -> dict[str, Any]:
    """Collect what a result says about how it was made."""
    reader, phenformer = engine.reader, engine.reader.phenformer
    backbone, readout = reader.backbone, reader.readout
    trait = phenformer.traits[engine.trait]
    formula = (
        "gradient at the observed base"
        if engine.n_steps is None
        else "integrated gradients at the observed base: sum over channels of (input - baseline) * mean "
        "gradient"
    )
    here = [window for window in reader.windows if window.contig == where.contig]
    encoded = sum(tile.last_bin - tile.first_bin for tile in tiles) * backbone.bin_size
    return result_attrs(
        where,
        backbone,
        reader.reference,
        definition=f"{formula} of the logit of {trait.label or trait.name}, through {len(reader.windows)} "
        "gene windows",
        units=UNITS,
        model=f"{phenformer.name}@{phenformer.weights_hash[:8]}",
        model_hash=phenformer.weights_hash,
        backbone_model=f"{backbone.name}@{backbone.weights_hash[:8]}",
        readout=readout.title if readout is not None else None,
        target=trait.name,
        target_trait=trait.name,
        haplotype_mode=phenformer.haplotypes,
        method="saliency" if engine.n_steps is None else "integrated-gradients",
        baseline=None if engine.n_steps is None else engine.baseline_name,
        n_steps=engine.n_steps,
        genes=[phenformer.genes[window.index].name for window in here],
        window_starts=[window.start for window in here],
        window_ends=[window.end for window in here],
        window_bases=reader.window_bases,
        encoded_bases=encoded,
        cohort=cohort_of(phenformer),
    )


def cohort_of(phenformer: Phenformer) -> str | None:
    """Return what the card says about the cohort: a model of a simulated one must say so in its results."""
    training = phenformer.card.get("training")
    return training.get("cohort") if isinstance(training, dict) else None


def ends(weights: TokenWeights, summed: float | None) -> dict[str, float]:
    """Collect the logits at both ends of the path; with the sum of all attributions, also the delta."""
    if len(weights.logits) == 1:
        return {"target_value": float(weights.logits[0])}
    value, baseline_value = map(float, weights.logits[-2:])
    found = {"target_value": value, "baseline_value": baseline_value}
    return found if summed is None else found | convergence(summed, found)


def convergence(summed: float, values: Mapping[str, float]) -> dict[str, float]:
    """Say how far the sum of all attributions is from the change of the logit, and whether that will do."""
    from phenviz.attribution.gradients import small_enough

    value, baseline_value = values["target_value"], values["baseline_value"]
    delta = summed - value + baseline_value
    return {"convergence_delta": delta, "converged": int(small_enough(delta, value, baseline_value))}


def as_dataset(engine: TraitEngine, contig: str, canvas: Canvas, attrs: dict[str, Any]) -> xr.Dataset:
    """Make the result of what was painted on a canvas."""
    bases = LETTERS[bases_of(engine.sequences, contig, canvas)]
    positions = canvas.positions
    borders = {"start": int(positions[0]), "end": int(positions[-1]) + 1}
    if len(engine.sequences) == 1:
        variables: dict[str, Any] = {"attribution": ("position", canvas.values[0])}
        variables["reference"] = ("position", bases[0])
        coords: dict[str, Any] = {"position": position_coord(positions)}
    else:
        dims = ("haplotype", "position")
        variables = {"attribution": (dims, canvas.values), "reference": (dims, bases)}
        coords = {"position": position_coord(positions), "haplotype": ["1", "2"]}
    return xr.Dataset(variables, coords=coords, attrs=attrs | borders)


def _on_one_contig(reader: TokenReader) -> bool:
    return len({window.contig for window in reader.windows}) == 1
