"""The slow obvious ways that effects of variants are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from phenviz.genome import ReferenceGenome, encode
from phenviz.models.backbone import SequenceBackbone
from tests.toys import CONTIGS, GAP, activity_of_codes

BASES = np.array(list("ACGT"))
# N on both sides of every sequence, more than any bin sees; a multiple of the bin size
PAD = 4_096


@dataclass
class Edit:
    """One variant of a whole contig: 0-based first base, and both alleles."""

    start: int
    ref: str
    alt: str


def whole_contig(reference: ReferenceGenome, contig: str) -> str:
    return "".join("ACGTN"[code] for code in reference.codes(contig))


def per_base(sequence: str, backbone: SequenceBackbone, shift: int) -> np.ndarray:
    """Predict a whole sequence on a grid moved by ``shift``, one value per base: (C, PAD + bases + PAD).

    A base's value is its bin's activity in the share of one base. Index 0 is base -PAD.
    """
    size = backbone.bin_size
    moved = shift % size
    padded = "N" * PAD + sequence + "N" * (2 * PAD)
    kept = padded[moved : moved + (len(sequence) + 2 * PAD) // size * size]
    activity = activity_of_codes(encode(kept)[None], backbone)[0].astype(np.float64)
    values = np.repeat(activity / size, size, axis=1)
    return np.concatenate([values[:, :moved], values], axis=1)


def without_shared_bases(edit: Edit, *, first: bool = False) -> Edit:
    """Leave out shared bases, at the end and then at the beginning, or there ``first``."""
    start, ref, alt = edit.start, edit.ref, edit.alt
    while first and ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    return Edit(start, ref, alt)


def canonical(sequence: str, edits: list[Edit]) -> list[Edit]:
    """Bring the edits of a haplotype into one form, a step at a time, the leftmost that has one to take."""
    edits, at = [without_shared_bases(edit, first=True) for edit in edits], 0
    while at < len(edits):
        edit, behind = edits[at], edits[at - 1].start + len(edits[at - 1].ref) if at else 0
        paired = min(len(edit.ref), len(edit.alt))
        same = [place for place in range(paired) if edit.ref[place] == edit.alt[place]]
        if not edit.ref and not edit.alt:
            edits[at : at + 1] = []
        elif same:
            # parted there: the bases before, and those behind
            cut = same[0]
            head = [Edit(edit.start, edit.ref[:cut], edit.alt[:cut])] if cut else []
            rest = Edit(edit.start + cut + 1, edit.ref[cut + 1 :], edit.alt[cut + 1 :])
            edits[at : at + 1] = [*head, rest]
        elif at and edit.start == behind:
            before = edits[at - 1]
            joined = Edit(before.start, before.ref + edit.ref, before.alt + edit.alt)
            edits[at - 1 : at + 1] = [without_shared_bases(joined, first=True)]
            at -= 1
        elif not paired and edit.start and sequence[edit.start - 1] == (edit.ref or edit.alt)[-1]:
            ref, alt = (bases[-1:] + bases[:-1] for bases in (edit.ref, edit.alt))
            edits[at] = Edit(edit.start - 1, ref, alt)
        else:
            at += 1
    return edits


def left_aligned(sequence: str, edit: Edit) -> Edit:
    """Move an insertion or deletion left base by base, as long as the edited sequence stays the same."""
    edit = without_shared_bases(edit)
    if edit.ref and edit.alt:
        return edit
    start, bases = edit.start, edit.ref or edit.alt
    while bases and start and sequence[start - 1] == bases[-1]:
        start, bases = start - 1, bases[-1] + bases[:-1]
    before, after = sequence[max(start - 1, 0) : start], ""
    if not start:
        after = sequence[len(edit.ref) : len(edit.ref) + 1]
    ref, alt = (bases, "") if edit.ref else ("", bases)
    return Edit(start - len(before), before + ref + after, before + alt + after)


def in_reference_coordinates(sequence: str, edits: list[Edit], backbone: SequenceBackbone) -> np.ndarray:
    """Predict an edited contig and read it base by base in reference coordinates: (C, PAD + bases + PAD).

    As the rule says, of the edits in their one form: each run of bases with one shift is read on its own
    grid, deleted bases have 0, and the last base before an insertion has the maximum over itself and the
    inserted bases.
    """
    length = len(sequence)
    shifts = np.zeros(length + 2 * PAD, dtype=int)  # of each reference base, from -PAD on
    deleted = np.zeros(length + 2 * PAD, dtype=bool)
    inserted, edited, shift, done = [], "", 0, 0
    for edit in canonical(sequence, edits):
        assert sequence[edit.start : edit.start + len(edit.ref)] == edit.ref
        paired = min(len(edit.ref), len(edit.alt))
        deleted[PAD + edit.start + paired : PAD + edit.start + len(edit.ref)] = True
        edited += sequence[done : edit.start] + edit.alt
        begin = edit.start + paired + shift
        inserted.append((edit.start + paired - 1, shift, begin, begin + len(edit.alt) - paired))
        shift += len(edit.alt) - len(edit.ref)
        shifts[PAD + edit.start + paired :] = shift
        done = edit.start + len(edit.ref)
    edited += sequence[done:]
    values = np.zeros((len(backbone.contexts), length + 2 * PAD))
    grids = {}
    for own in np.unique(shifts):
        grids[own] = per_base(edited, backbone, own)
        here = np.flatnonzero((shifts == own) & ~deleted)
        places = here + own
        inside = places < grids[own].shape[1]
        values[:, here[inside]] = grids[own][:, places[inside]]
    for base, own, first, last in inserted:
        if first < last:
            top = grids[own][:, PAD + first : PAD + last].max(axis=1)
            values[:, PAD + base] = np.maximum(values[:, PAD + base], top)
    return values


def slow_scores(
    variants: pd.DataFrame, reference: ReferenceGenome, backbone: SequenceBackbone
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the whole contig with each allele; effect and active, both (variant, context).

    The mask lies around the variant's place once it is left-aligned, however it was written.
    """
    size = backbone.bin_size
    effect, active = [], []
    plain: dict[str, np.ndarray] = {}
    for row in variants.itertuples(index=False):
        sequence = whole_contig(reference, row.contig)
        if row.contig not in plain:
            plain[row.contig] = in_reference_coordinates(sequence, [], backbone)
        edit = Edit(row.position - 1, row.ref, row.alt)
        # what changes nothing has no place to its left that says the same
        if row.ref != row.alt:
            edit = left_aligned(sequence, edit)
        edited = in_reference_coordinates(sequence, [edit], backbone)
        first = PAD + (edit.start // size - 2) * size
        mask = slice(first, first + 4 * size)
        before, after = (values[:, mask].sum(axis=1) for values in (plain[row.contig], edited))
        effect.append(np.log2(1 + after) - np.log2(1 + before))
        active.append(np.maximum(before, after))
    return np.array(effect), np.array(active)


def random_variants(rng: np.random.Generator, reference: ReferenceGenome, count: int) -> pd.DataFrame:
    """Draw variants of every kind, many of them at a contig's end, a bin's edge or beside the gap."""
    rows = []
    while len(rows) < count:
        contig = str(rng.choice(list(CONTIGS)))
        length = CONTIGS[contig]
        edges = [0, 128 * int(rng.integers(length // 128)), length, GAP[0], GAP[1], 300, length - 150]
        start = int(
            rng.choice([int(rng.integers(length)), int(rng.choice(edges)) + int(rng.integers(-4, 4))])
        )
        long = int(rng.choice([1, 1, 2, 3, 8, 130, 700]))
        replaced, added = [(1, 1), (long, long), (1, 1 + long), (1 + long, 1), (long, 3)][rng.integers(5)]
        if start < 0 or start + replaced > length:
            continue
        ref = whole_contig(reference, contig)[start : start + replaced]
        # nobody knows which base an indel is anchored at, and that is refused
        if set(ref) == {"N"} or (replaced != added and ref[0] == "N"):
            continue
        alt = "".join(BASES[rng.integers(0, 4, added)])
        if replaced != added:
            alt = ref[0].replace("N", "A") + alt[1:]
        # written without what both alleles share, it would replace nothing but N
        if set(without_shared_bases(Edit(start, ref, alt)).ref) == {"N"}:
            continue
        rows.append((contig, start + 1, ref, alt, f"v{len(rows)}"))
    return pd.DataFrame(rows, columns=["contig", "position", "ref", "alt", "id"])
