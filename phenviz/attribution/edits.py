"""Edits of whole elements: replace them, put motifs in, exchange them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.edited_windows import (
    ActivityRound,
    Crop,
    EditTarget,
    ExpressionOf,
    score_crops,
    window_of,
)
from phenviz.attribution.shuffles import Replacement, replacements
from phenviz.attribution.targets import check_reached, reach_of_gene
from phenviz.errors import LocusError, SequenceError
from phenviz.genome.annotation import Gene
from phenviz.genome.codes import encode
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.readout import GeneReadout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs

GeneTarget = tuple[Gene, GeneReadout]
SEED = 20_261


def ablate(
    spans: Sequence[Locus],
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
    """Take the meaning out of spans of sequence, one at a time, and score each change.

    Parameters
    ----------
    spans
        What to replace, 0-based half-open, on one contig or several.
    reference
        Genome that the changes are made in.
    backbone
        Sequence model; it stays on its device. Only what a span can change is computed.
    by
        ``"dinucleotide"`` or ``"shuffle"``: `n_shuffles` shuffles of the span itself; ``"N"``: unknown bases.
    n_shuffles
        Shuffles of each span.
    contexts
        Contexts (or names, labels, CURIEs) to score; None for all.
    gene_target
        A gene and the readout of its expression, to score that instead of the activity round the span.
    rng
        Draws the shuffles; one with a fixed seed by default.
    progress
        Told after each batch, in spans.

    Returns
    -------
    xr.Dataset
        ``effect`` (span, context), float32: the mean over shuffles of ``log2(1 + sum ALT) - log2(1 + sum
        REF)`` over the bins of the centre mask round the span, or of the change of expression; negative where
        the span was an activator. ``effect_std`` (span, context): standard deviation over shuffles, NaN with
        one. Coordinates ``contig``, ``start``, ``end`` on ``span``.

    Raises
    ------
    LocusError
        If a span leaves its contig, or there is none.
    TargetError, ModelError
        If a context isn't predicted, no span reaches the gene's expression, or the readout or the window
        don't fit.
    """
    rng = np.random.default_rng(SEED) if rng is None else rng
    checked = _checked(spans, reference)
    target = _target(checked, reference, backbone, contexts, gene_target)
    crops = []
    for span in checked:
        crop, inside = _unedited(span, reference, backbone, target)
        edited = replacements(crop.codes[0, inside], by, n_shuffles, rng)
        crops.append(_with_rows(crop, inside, edited))
    effects = [*_scored(crops, backbone, target, progress)]
    with np.errstate(invalid="ignore"):
        spread = [each.std(0, ddof=1) if len(each) > 1 else np.full_like(each[0], np.nan) for each in effects]
    kept = "dinucleotide " if by == "dinucleotide" else ""
    what = "unknown bases" if by == "N" else f"{n_shuffles} {kept}shuffles of its own"
    return _dataset(
        {
            "effect": (("span", "context"), np.stack([each.mean(0) for each in effects])),
            "effect_std": (("span", "context"), np.stack(spread)),
        },
        {"span": checked}, reference, backbone, target, f"each span replaced by {what}: ",
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
    words, codes = _read(sequences)
    checked = _checked(places, reference)
    longest = max(map(len, words))
    written_over = [Locus(place.contig, place.start, place.start + longest) for place in checked]
    spans = _checked(written_over, reference)
    target = _target(spans, reference, backbone, contexts, gene_target)
    crops = []
    for place in checked:
        for written in codes:
            span = Locus(place.contig, place.start, place.start + len(written))
            crop, inside = _unedited(span, reference, backbone, target)
            crops.append(_with_rows(crop, inside, written[None]))
    return _by_place(crops, checked, words, reference, backbone, target, progress, "sequence written over: ")


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

    What follows an insertion moves to the right. Both sums run over the same bins: the centre mask round the
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
    target = ActivityRound(backbone, contexts)
    words, codes = _read(sequences)
    checked = _checked(places, reference)
    crops = []
    for place in checked:
        for inserted in codes:
            span = Locus(place.contig, place.start, place.start + len(inserted))
            crop, inside = _unedited(span, reference, backbone, target)
            before = crop.codes[0]
            longer = np.concatenate([before[: inside.start], inserted, before[inside.start :]])
            crops.append(_with_rows(crop, slice(0, len(before)), longer[None, : len(before)]))
    return _by_place(
        crops, checked, words, reference, backbone, target, progress,
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
    crops = []
    for first, second in checked:
        if first.length != second.length:
            raise LocusError(f"{first} and {second} differ in length, so they can't change places: cut one")
        if first.contig == second.contig and first.start < second.end and second.start < first.end:
            raise LocusError(f"{first} and {second} overlap, so they can't change places")
        sequence = {
            locus: reference.fetch_codes(locus.contig, locus.start, locus.end) for locus in (first, second)
        }
        for here, there in ((first, second), (second, first)):
            crop, inside = _unedited(here, reference, backbone, target)
            edited = crop.codes[0].copy()
            edited[inside] = sequence[there]
            # the other change, too, as far as this window sees it
            window = inside.start - here.start
            left, right = max(there.start + window, 0), min(there.end + window, len(edited))
            if here.contig == there.contig and left < right:
                edited[left:right] = sequence[here][
                    left - there.start - window : right - there.start - window
                ]
            crops.append(_with_rows(crop, slice(0, len(edited)), edited[None]))
    effects = np.stack([*_scored(crops, backbone, target, progress)])[:, 0]
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
) -> EditTarget:
    if gene_target is None:
        return ActivityRound(backbone, contexts)
    target = ExpressionOf(*gene_target, reference, backbone, contexts)
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


def _read(sequences: str | Sequence[str]) -> tuple[list[str], list[NDArray[np.uint8]]]:
    words = [sequences] if isinstance(sequences, str) else list(sequences)
    for word in words:
        if not word or set(word.upper()) - set("ACGTN"):
            raise SequenceError(f"{word!r} is no sequence to put in: use the letters A, C, G, T and N")
    if not words:
        raise SequenceError("there is no sequence to put in: give at least one")
    return [word.upper() for word in words], [encode(word) for word in words]


def _unedited(
    span: Locus, reference: ReferenceGenome, backbone: SequenceBackbone, target: EditTarget
) -> tuple[Crop, slice]:
    """Return the window round a span with only the reference in it, and where the span is within."""
    bins = target.bins(span.start, span.end)
    start, end, own = window_of(bins, backbone)
    codes = reference.fetch_codes(span.contig, start, end)
    return Crop(np.array(codes)[None], bins.first, own), slice(span.start - start, span.end - start)


def _with_rows(crop: Crop, inside: slice, edited: NDArray[np.uint8]) -> Crop:
    rows = np.repeat(crop.codes, len(edited), axis=0)
    rows[:, inside] = edited
    return Crop(np.concatenate([crop.codes, rows]), crop.first_bin, crop.bins)


def _scored(
    crops: Sequence[Crop], backbone: SequenceBackbone, target: EditTarget, progress: Progress
) -> list[NDArray[np.float32]]:
    progress.stage("editing", len(crops))
    return list(score_crops(crops, backbone, target, progress))


def _by_place(
    crops: Sequence[Crop],
    places: Sequence[Locus],
    words: Sequence[str],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: EditTarget,
    progress: Progress,
    what: str,
) -> xr.Dataset:
    effects = np.concatenate(_scored(crops, backbone, target, progress))
    shaped = effects.reshape(len(places), len(words), -1)
    variables = {"effect": (("place", "sequence", "context"), shaped)}
    dataset = _dataset(variables, {"place": places}, reference, backbone, target, what)
    return dataset.assign_coords(sequence=list(words))


def _dataset(
    variables: dict[str, Any],
    along: dict[str, Sequence[Locus]],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: EditTarget,
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
