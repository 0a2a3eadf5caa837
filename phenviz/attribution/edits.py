"""Edits of whole elements: replace them, put motifs in, exchange them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.shuffles import Replacement, replacements
from phenviz.attribution.targets import check_reached, reach_of_gene
from phenviz.errors import LocusError, ModelError, SequenceError
from phenviz.genome.annotation import Gene
from phenviz.genome.codes import decode
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.edited_windows import EditedWindows, edited_windows, score_windows
from phenviz.inference.reductions import GeneExpression, Reduction, WideMask
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.readout import GeneReadout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs

GeneTarget = tuple[Gene, GeneReadout]
SEED = 20_261


def ablate(
    loci: Sequence[Locus],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    by: Replacement = "dinucleotide",
    n_shuffles: int = 20,
    contexts: Sequence[Context | str] | None = None,
    gene_target: GeneTarget | None = None,
    rng: np.random.Generator | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Take the meaning out of loci, one at a time, and score each change.

    Parameters
    ----------
    loci
        What to replace, 0-based half-open, on one contig or several.
    reference
        Genome that the changes are made in.
    backbone
        Sequence model; it stays on its device. Only what a locus can change is computed.
    by
        ``"dinucleotide"`` or ``"shuffle"``: `n_shuffles` shuffles of its own bases; ``"N"``: unknown bases.
    n_shuffles
        Shuffles of each.
    contexts
        Contexts (or names, labels, CURIEs) to score; None for all.
    gene_target
        A gene and the readout of its expression, to score that instead of the activity around the locus.
    rng
        Draws the shuffles; one with a fixed seed by default.
    progress
        Updated after each batch, in loci.

    Returns
    -------
    xr.Dataset
        ``effect`` (span, context), float32: the mean over shuffles of ``log2(1 + sum ALT) - log2(1 + sum
        REF)`` over the bins of the centre mask around each, or of the change of expression; negative where it
        was an activator. ``effect_std`` (span, context): standard deviation over shuffles, NaN with one.
        Coordinates ``contig``, ``start``, ``end`` on ``span``.

    Raises
    ------
    LocusError
        If a locus leaves its contig, or there is none.
    TargetError, ModelError
        If a context isn't predicted, no locus reaches the gene's expression, or the readout or the window
        don't fit.
    """
    rng = np.random.default_rng(SEED) if rng is None else rng
    checked = _checked(loci, reference)
    target = _target(checked, reference, backbone, contexts, gene_target)
    windows = []
    for locus in checked:
        codes = reference.fetch_codes(locus.contig, locus.start, locus.end)
        versions = [
            [_written(locus, codes, decode(by_this))] for by_this in replacements(codes, by, n_shuffles, rng)
        ]
        bins = target.bins_of(locus.start, locus.end)
        windows.append(edited_windows(locus.contig, bins, versions, reference, backbone))
    effects = _scored(windows, backbone, target, progress)
    with np.errstate(invalid="ignore"):
        spread = [each.std(0, ddof=1) if len(each) > 1 else np.full_like(each[0], np.nan) for each in effects]
    kept = "dinucleotide " if by == "dinucleotide" else ""
    what = "unknown bases" if by == "N" else f"{n_shuffles} {kept}shuffles of its own"
    return _dataset(
        {
            "effect": (("span", "context"), np.stack([each.mean(0) for each in effects])),
            "effect_std": (("span", "context"), np.stack(spread)),
        },
        {"span": checked}, reference, backbone, target, f"each locus replaced by {what}: ",
    )  # fmt: skip


def substitute(
    places: Sequence[Locus],
    sequences: str | Sequence[str],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    gene_target: GeneTarget | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Write sequences over the genome, each at each place, and score each change.

    Parameters
    ----------
    places
        Where each sequence begins (the start of each locus counts).
    sequences
        Bases to write; of any length.
    reference, backbone, contexts, gene_target, progress
        As in `ablate`.

    Returns
    -------
    xr.Dataset
        ``effect`` (place, sequence, context), as in `ablate`.

    Raises
    ------
    LocusError, TargetError, ModelError
        As in `ablate`.
    SequenceError
        If a sequence is empty or holds other letters than A, C, G, T, N.
    """
    words = _read(sequences)
    checked = _checked(places, reference)
    longest = max(map(len, words))
    written_over = [Locus(place.contig, place.start, place.start + longest) for place in checked]
    target = _target(_checked(written_over, reference), reference, backbone, contexts, gene_target)
    windows = []
    for place in checked:
        for word in words:
            end = place.start + len(word)
            edit = _written(place, reference.fetch_codes(place.contig, place.start, end), word)
            bins = target.bins_of(place.start, end)
            windows.append(edited_windows(place.contig, bins, [[edit]], reference, backbone))
    return _by_place(
        windows, checked, words, reference, backbone, target, progress, "sequence written over: "
    )


def insert(
    places: Sequence[Locus],
    sequences: str | Sequence[str],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Put sequences between the bases of the genome, each at each place, and score each change.

    What follows an insertion moves to the right. Both sums run over the same bins: the centre mask around the
    inserted bases.

    Parameters
    ----------
    places
        Each sequence is put before the first base of each of these loci.
    sequences
        Bases to insert.
    reference, backbone, contexts, progress
        As in `ablate`.

    Returns
    -------
    xr.Dataset
        ``effect`` (place, sequence, context), as in `ablate`, of the activity.

    Raises
    ------
    LocusError, TargetError, ModelError, SequenceError
        As in `substitute`.
    """
    target = WideMask(backbone, contexts)
    words = _read(sequences)
    checked = _checked(places, reference)
    windows = []
    for place in checked:
        for word in words:
            bins = target.bins_of(place.start, place.start + len(word))
            versions = [[Edit(place.start, "", word)]]
            windows.append(edited_windows(place.contig, bins, versions, reference, backbone))
    return _by_place(
        windows, checked, words, reference, backbone, target, progress,
        "sequence inserted, what follows it moved to the right: ",
    )  # fmt: skip


def swap(
    pairs: Sequence[tuple[Locus, Locus]],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    gene_target: GeneTarget | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Write the sequence of each of two equally long loci over the other, and score what changes at each.

    Parameters
    ----------
    pairs
        Two loci each, as long as each other and apart.
    reference, backbone, contexts, gene_target, progress
        As in `ablate`.

    Returns
    -------
    xr.Dataset
        ``effect`` (pair, place, context), as in `ablate`; ``place`` is ``first`` or ``second``, each scored
        with both changes made. Coordinates ``contig``, ``start``, ``end`` on (pair, place).

    Raises
    ------
    LocusError
        If a locus leaves its contig, or the two of a pair overlap or differ in length.
    TargetError, ModelError
        As in `ablate`.
    """
    if not pairs:
        raise LocusError("there is no pair to swap: give at least one")
    checked = [_checked(pair, reference) for pair in pairs]
    loci = [locus for pair in checked for locus in pair]
    target = _target(loci, reference, backbone, contexts, gene_target)
    windows = []
    for first, second in checked:
        if first.length != second.length:
            raise LocusError(f"{first} and {second} differ in length, so they can't change places: cut one")
        if first.contig == second.contig and first.start < second.end and second.start < first.end:
            raise LocusError(f"{first} and {second} overlap, so they can't change places")
        codes = [reference.fetch_codes(locus.contig, locus.start, locus.end) for locus in (first, second)]
        edits = [_written(first, codes[0], decode(codes[1])), _written(second, codes[1], decode(codes[0]))]
        for here, own in zip((first, second), edits, strict=True):
            # the other change, too, as far as this window sees it
            made = sorted(edits) if first.contig == second.contig else [own]
            bins = target.bins_of(here.start, here.end)
            windows.append(edited_windows(here.contig, bins, [made], reference, backbone))
    effects = np.stack(_scored(windows, backbone, target, progress))[:, 0]
    shaped = np.array([[locus.contig, locus.start, locus.end] for locus in loci], dtype=object).reshape(
        -1, 2, 3
    )
    dataset = _dataset(
        {"effect": (("pair", "place", "context"), effects.reshape(len(pairs), 2, -1))},
        {}, reference, backbone, target, "both sequences exchanged: ", loci,
    )  # fmt: skip
    return dataset.assign_coords(
        place=["first", "second"],
        contig=(("pair", "place"), shaped[..., 0].astype(str)),
        start=(("pair", "place"), shaped[..., 1].astype(np.int64)),
        end=(("pair", "place"), shaped[..., 2].astype(np.int64)),
    )


def _target(
    loci: Sequence[Locus],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context | str] | None,
    gene_target: GeneTarget | None,
) -> Reduction:
    if gene_target is None:
        return WideMask(backbone, contexts)
    if backbone.receptive_field is None:
        raise ModelError(
            f"{backbone.name} sees its whole window at once, so an edit of one part changes all bins that "
            f"the expression of {gene_target[0].name} is read from: score its activity instead"
        )
    target = GeneExpression(*gene_target, reference, backbone, contexts)
    check_reached(loci, gene_target[0], reach_of_gene(*gene_target, reference, backbone))
    return target


def _checked(loci: Sequence[Locus], reference: ReferenceGenome) -> list[Locus]:
    if not loci:
        raise LocusError("there is nothing to edit: give at least one locus")
    checked = []
    for locus in loci:
        contig = reference.resolve_contig(locus.contig)
        if locus.end > reference.contigs[contig]:
            raise LocusError(f"{locus} leaves the contig, which ends at {reference.contigs[contig]:,}")
        checked.append(Locus(contig, locus.start, locus.end))
    return checked


def _read(sequences: str | Sequence[str]) -> list[str]:
    words = [sequences] if isinstance(sequences, str) else list(sequences)
    for word in words:
        if not word or set(word.upper()) - set("ACGTN"):
            raise SequenceError(f"{word!r} is no sequence to put in: use the letters A, C, G, T and N")
    if not words:
        raise SequenceError("there is no sequence to put in: give at least one")
    return [word.upper() for word in words]


def _written(locus: Locus, codes: NDArray[np.uint8], word: str) -> Edit:
    """Return the edit that writes a word over as many bases, which are ``codes``."""
    return Edit(locus.start, decode(codes), word)


def _scored(
    windows: Sequence[EditedWindows], backbone: SequenceBackbone, target: Reduction, progress: Progress
) -> list[NDArray[np.float32]]:
    progress.stage("editing", len(windows))
    return list(score_windows(windows, backbone, target, progress))


def _by_place(
    windows: Sequence[EditedWindows],
    places: Sequence[Locus],
    words: Sequence[str],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: Reduction,
    progress: Progress,
    what: str,
) -> xr.Dataset:
    effects = np.concatenate(_scored(windows, backbone, target, progress))
    shaped = effects.reshape(len(places), len(words), -1)
    variables = {"effect": (("place", "sequence", "context"), shaped)}
    dataset = _dataset(variables, {"place": places}, reference, backbone, target, what)
    return dataset.assign_coords(sequence=list(words))


def _dataset(
    variables: dict[str, Any],
    along: dict[str, Sequence[Locus]],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: Reduction,
    what: str,
    loci: Sequence[Locus] = (),
) -> xr.Dataset:
    coords: dict[str, Any] = dict(context_coords(target.contexts))
    for dim, places in along.items():
        coords["contig"] = (dim, [place.contig for place in places])
        coords["start"] = (dim, np.array([place.start for place in places], dtype=np.int64))
        coords["end"] = (dim, np.array([place.end for place in places], dtype=np.int64))
        loci = places
    own = [locus for locus in loci if locus.contig == loci[0].contig]
    around = Locus(own[0].contig, min(locus.start for locus in own), max(locus.end for locus in own))
    attrs = result_attrs(around, backbone, reference, definition=what + target.definition, units=target.units)
    return xr.Dataset(variables, coords=coords, attrs=attrs)
