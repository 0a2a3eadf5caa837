"""What a motif does by itself: its mean effect over many backgrounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.edits import SEED
from phenviz.attribution.shuffles import replacements
from phenviz.data.motifs import Motif
from phenviz.errors import LocusError, SequenceError
from phenviz.genome.codes import N_CODE, decode, encode
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.inference.edited_windows import EditedWindows, edited_windows, score_windows
from phenviz.inference.reductions import WideMask
from phenviz.models.backbone import SequenceBackbone
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs

_CONFIDENCE = 0.95
_TRIES = 1_000


def marginalize(
    motifs: Mapping[str, str | NDArray[np.floating] | Motif],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    backgrounds: Sequence[Locus] | int = 100,
    contig: str | None = None,
    contexts: Sequence[Context | str] | None = None,
    rng: np.random.Generator | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Write motifs into the middle of many backgrounds and compare them with their own shuffles there.

    Parameters
    ----------
    motifs
        By name: bases, or a known motif or base frequencies (4, width), of which the most frequent base is
        taken.
    reference
        Genome that the backgrounds are taken from.
    backbone
        Sequence model; it stays on its device.
    backgrounds
        Loci in whose middle a motif is written; or how many to draw at random, from sequence without N, each
        of which is then shuffled (keeping dinucleotides), so that it holds nothing of its own.
    contig
        Where to draw backgrounds; the longest contig by default.
    contexts
        Contexts (or names, labels, CURIEs) to score; None for all.
    rng
        Draws backgrounds and shuffles; one with a fixed seed by default.
    progress
        Updated after each batch, in backgrounds.

    Returns
    -------
    xr.Dataset
        Dimensions (motif, context), over the backgrounds: ``effect``, the mean of ``log2(1 + sum
        with) - log2(1 + sum without)`` the motif over the centre mask; ``control``, the same of a base
        shuffle of the motif, another one in each background; ``difference`` of the two with
        ``difference_low`` and ``difference_high``, its 95 % confidence interval, and ``p_value`` (paired
        t-test, two-sided). Coordinates ``sequence`` (motif): the bases that were written, and ``motif_id``:
        the accession of a known motif, else empty.

    Raises
    ------
    SequenceError
        If a motif is empty or holds other letters than A, C, G, T.
    LocusError
        If there are fewer than two backgrounds, or no sequence without N is found.
    TargetError
        If a context isn't predicted.
    """
    rng = np.random.default_rng(SEED) if rng is None else rng
    target = WideMask(backbone, contexts)
    codes = {
        name: _bases(name, motif.frequencies if isinstance(motif, Motif) else motif)
        for name, motif in motifs.items()
    }
    ids = [motif.motif_id if isinstance(motif, Motif) else "" for motif in motifs.values()]
    if not codes:
        raise SequenceError("there is no motif to write: give at least one")
    width = max(len(written) for written in codes.values())
    places = _backgrounds(backgrounds, contig, width, reference, backbone, target, rng)
    if len(places) < 2:
        raise LocusError(f"{len(places)} background(s) have no spread: use at least 2")
    windows = [_embedded(*place, codes, rng) for place in places]
    progress.stage("marginalizing", len(windows))
    scored = np.stack(list(score_windows(windows, backbone, target, progress)))
    # (background, motif, with or control, context)
    paired = scored.reshape(len(windows), len(codes), 2, -1).astype(np.float64)
    found = _summary(paired, codes, reference, backbone, target, shuffled=isinstance(backgrounds, int))
    return found.assign_coords(motif_id=("motif", ids))


def _bases(name: str, motif: str | NDArray[np.floating]) -> NDArray[np.uint8]:
    if isinstance(motif, str):
        codes = encode(motif)
    else:
        if np.ndim(motif) != 2 or len(motif) != 4:
            raise SequenceError(f"motif {name!r} has shape {np.shape(motif)}: give bases, or (4, width)")
        codes = np.argmax(motif, axis=0).astype(np.uint8)
    if not len(codes) or (codes == N_CODE).any():
        raise SequenceError(f"motif {name!r} is {motif!r}: use the letters A, C, G and T")
    return codes


def _backgrounds(
    asked: Sequence[Locus] | int,
    contig: str | None,
    width: int,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: WideMask,
    rng: np.random.Generator,
) -> list[tuple[EditedWindows, int]]:
    """Return windows with one row, and where in them their middle is."""
    if not isinstance(asked, int):
        named = [(reference.resolve_contig(locus.contig), (locus.start + locus.end) // 2) for locus in asked]
        return [_window(name, middle, width, reference, backbone, target) for name, middle in named]
    lengths = reference.contigs
    chosen = reference.resolve_contig(contig) if contig else max(lengths, key=lengths.__getitem__)
    found: list[tuple[EditedWindows, int]] = []
    for _ in range(_TRIES * max(asked, 1)):
        if len(found) == asked:
            return found
        middle = int(rng.integers(lengths[chosen]))
        window, at = _window(chosen, middle, width, reference, backbone, target)
        if (window.codes != N_CODE).all():
            shuffled = replacements(window.codes[0], "dinucleotide", 1, rng)
            found.append((EditedWindows(shuffled, window.first_bin, window.bins), at))
    raise LocusError(
        f"{chosen} has too little sequence without N for {asked} backgrounds of "
        f"{window.codes.shape[1]:,} bp: name another contig"
    )


def _window(
    contig: str,
    middle: int,
    width: int,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: WideMask,
) -> tuple[EditedWindows, int]:
    # on a bin's middle, so that the mask lies around every motif in the same way
    size = backbone.bin_size
    middle = middle // size * size + size // 2
    bins = target.bins_of(middle - width // 2, middle - width // 2 + width)
    plain = edited_windows(contig, bins, [], reference, backbone)
    return plain, middle - (plain.first_bin - plain.bins.start) * size


def _embedded(
    window: EditedWindows, middle: int, codes: Mapping[str, NDArray[np.uint8]], rng: np.random.Generator
) -> EditedWindows:
    """Write each motif, and a shuffle of each, into the middle of a background."""
    rows = [window.codes[0]]
    for written in codes.values():
        first = middle - len(written) // 2
        for sequence in (written, rng.permutation(written)):
            row = window.codes[0].copy()
            row[first : first + len(sequence)] = sequence
            rows.append(row)
    return EditedWindows(np.stack(rows), window.first_bin, window.bins)


def _summary(
    paired: NDArray[np.float64],
    codes: Mapping[str, NDArray[np.uint8]],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: WideMask,
    *,
    shuffled: bool,
) -> xr.Dataset:
    # imported here: it takes a while, and nothing else needs it
    from scipy import stats

    count = len(paired)
    difference = paired[:, :, 0] - paired[:, :, 1]
    mean = difference.mean(0)
    error = difference.std(0, ddof=1) / np.sqrt(count)
    reach = stats.t.ppf(0.5 + _CONFIDENCE / 2, count - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        tested = 2 * stats.t.sf(np.abs(mean) / error, count - 1)
    p_value = np.where(error > 0, tested, (mean == 0).astype(float))
    columns = {
        "effect": paired[:, :, 0].mean(0),
        "control": paired[:, :, 1].mean(0),
        "difference": mean,
        "difference_low": mean - reach,
        "difference_high": mean + reach,
        "p_value": p_value,
    }
    where = "shuffled backgrounds" if shuffled else "backgrounds"
    attrs = result_attrs(
        Locus(next(iter(reference.contigs)), 0, 1), backbone, reference, units=target.units,
        definition=f"motif written into {count} {where}, against its own shuffle there: {target.definition}",
        n_backgrounds=count,
    )  # fmt: skip
    for name in ("contig", "start", "end", "contig_length"):
        # backgrounds lie anywhere
        attrs.pop(name, None)
    return xr.Dataset(
        {name: (("motif", "context"), values) for name, values in columns.items()},
        coords={
            "motif": list(codes),
            "sequence": ("motif", [decode(written) for written in codes.values()]),
            **context_coords(target.contexts),
        },
        attrs=attrs,
    )
