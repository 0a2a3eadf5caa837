"""Gene tokens of people, exactly: from the sequence of both haplotypes, each different surrounding once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.effects.personal import seen_from
from phenviz.effects.token_effects import TokenTargets
from phenviz.errors import ModelError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.genome.intervals import merged
from phenviz.genome.variant import Edit
from phenviz.inference.haplotype_engine import HaplotypeEngine, Saving
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.double import doubled
from phenviz.models.expression import encode_bins
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_tokens import GeneWindow
from phenviz.models.readout import GeneReadout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import text_array

if TYPE_CHECKING:
    from phenviz.variation import Individuals, Unphased

# bins whose haplotypes are compared and read together
_BLOCK_BINS = 1_024


@dataclass(frozen=True, eq=False)
class _Columns:
    """Where the numbers of a bin stand: the embedding first, then the terms of each gene that reads it."""

    windows: tuple[GeneWindow, ...]
    channels: int
    extra: int

    @property
    def width(self) -> int:
        return self.channels + len(self.windows) * self.extra

    def of(self, window: GeneWindow) -> slice | None:
        """Return the columns of a gene's terms; None where it reads none of these bins."""
        for number, own in enumerate(self.windows):
            if own.index == window.index:
                start = self.channels + number * self.extra
                return slice(start, start + self.extra)
        return None


def predict_haplotype_tokens(
    individuals: Individuals,
    layout: Phenformer,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout | None = None,
    *,
    samples: Sequence[str] | None = None,
    unphased: Unphased = "refuse",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Read the gene tokens of both haplotypes of people.

    Parameters
    ----------
    individuals, samples
        Whose; all for None.
    layout, reference, backbone, readout
        As for `phenviz.effects.token_effects.score_tokens`.
    unphased, seed
        What to do about unphased heterozygotes; see `phenviz.variation.Individual.haplotype`.
    progress
        Advances after each tile of 4 kb.

    Returns
    -------
    xr.Dataset
        ``difference`` (individual, haplotype, gene, feature), float32: token minus that of the reference;
        ``reference_token`` (gene, feature), float64. Attributes count what comparing surroundings saved.

    Raises
    ------
    ModelError, DataError
        As `phenviz.effects.predict_expression`.
    """
    if backbone.receptive_field is None:
        raise ModelError(
            f"{backbone.name} sees its whole window at once, so people's gene tokens aren't sums of what "
            "their variants reach: use a backbone with a finite receptive field"
        )
    names = individuals.samples["sample"].tolist() if samples is None else list(samples)
    targets = TokenTargets(layout, reference, backbone, readout)
    windows = targets.reader.windows
    moved = np.zeros((len(names), 2, len(windows), targets.reader.terms))
    blocks = list(_blocks(windows, reference, backbone))
    progress.stage("reading gene tokens", sum(last - first for _, first, last in blocks) / 32)
    saving = Saving()
    for contig, first, last in blocks:
        size = backbone.bin_size
        locus = Locus(contig, max(first * size, 0), min(last * size, reference.contigs[contig]))
        around, view = seen_from(locus, reference, backbone)
        from phenviz.variation import unique_haplotypes

        unique = unique_haplotypes(individuals, around, names, view=view, unphased=unphased, seed=seed)
        edits = [haplotype.edits for haplotype in unique.haplotypes]
        engine = _block_engine(targets, contig, first, last)
        copies = np.bincount(unique.index.ravel(), minlength=len(edits))
        _add_changes(moved, engine, targets, edits, unique.index, (contig, first, last), copies, progress)
        saving += engine[0].saving
    return _as_dataset(moved, targets, names, saving)


def _blocks(
    windows: Sequence[GeneWindow], reference: ReferenceGenome, backbone: SequenceBackbone
) -> list[tuple[str, int, int]]:
    """Cut the bins that lie in any window into blocks: (contig, first, last); what overhangs is left out."""
    found = []
    for contig in dict.fromkeys(window.contig for window in windows):
        end = -(-reference.contigs[contig] // backbone.bin_size)
        own = [(max(w.first_bin, 0), min(w.last_bin, end)) for w in windows if w.contig == contig]
        for first, last in merged(own):
            found += [
                (contig, start, min(start + _BLOCK_BINS, last)) for start in range(first, last, _BLOCK_BINS)
            ]
    return found


def _block_engine(
    targets: TokenTargets, contig: str, first: int, last: int
) -> tuple[HaplotypeEngine, _Columns]:
    reading = tuple(
        window
        for window in targets.reached(contig, first, last)
        if window.first_bin + window.near.start < last and window.first_bin + window.near.stop > first
    )
    columns = _Columns(reading, targets.layout.channels, targets.extra)

    def values(embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        terms = [targets.near_terms(window, embedding, bins) for window in columns.windows]
        return torch.cat([doubled(embedding), *terms], dim=1)

    engine = HaplotypeEngine(targets.reference, contig, targets.backbone, values, columns.width)
    return engine, columns


def _add_changes(
    moved: NDArray[np.float64],
    engine: tuple[HaplotypeEngine, _Columns],
    targets: TokenTargets,
    edits: Sequence[Sequence[Edit]],
    index: NDArray[np.int64],
    block: tuple[str, int, int],
    copies: NDArray[np.int64],
    progress: Progress,
) -> None:
    """Add what the different haplotypes of a block change in the sums of each window, to their carriers."""
    (haplotypes, columns), (contig, first, last) = engine, block
    windows, channels = targets.reached(contig, first, last), targets.layout.channels
    with torch.inference_mode():
        embedding = encode_bins(contig, first, last, targets.reference, targets.backbone)[0].T
        bins = torch.arange(first, last, device=embedding.device)
        terms = [targets.near_terms(window, embedding, bins) for window in columns.windows]
        plain = torch.cat([doubled(embedding), *terms], dim=1).cpu().numpy().T
    changes = np.zeros((len(edits), len(windows), targets.reader.terms))
    for owners, numbers, values in haplotypes.changes(edits, first, last, progress.advance, copies):
        difference = values - plain[:, numbers - first]
        for place, window in enumerate(windows):
            inside = (numbers >= window.first_bin) & (numbers < window.last_bin)
            if not inside.any():
                continue
            whole = inside.all()
            own = difference if whole else difference[:, inside]
            changes[owners, place, :channels] += own[:channels].sum(axis=1)
            if (at := columns.of(window)) is not None:
                changes[owners, place, channels:] += own[at].sum(axis=1)
    for place, window in enumerate(windows):
        moved[:, :, window.index] += changes[index, place]


def _as_dataset(
    moved: NDArray[np.float64], targets: TokenTargets, names: Sequence[str], saving: Saving
) -> xr.Dataset:
    difference = np.empty((*moved.shape[:3], len(targets.features)), dtype=np.float32)
    plain = np.empty((moved.shape[2], len(targets.features)))
    for window in targets.reader.windows:
        before = targets.reference_sums(window)[None]
        with torch.inference_mode():
            token = targets.token(window, before)
            sums = before + torch.from_numpy(moved[:, :, window.index].reshape(-1, moved.shape[3])).to(before)
            change = targets.token(window, sums) - token
        difference[:, :, window.index] = change.cpu().numpy().reshape(*moved.shape[:2], -1)
        plain[window.index] = token[0].cpu().numpy()
    return xr.Dataset(
        {
            "difference": (("individual", "haplotype", "gene", "feature"), difference),
            "reference_token": (("gene", "feature"), plain),
        },
        coords={
            "individual": ("individual", text_array(names)),
            "haplotype": ["1", "2"],
            "gene": ("gene", text_array([site.name for site in targets.layout.genes])),
            "feature": ("feature", text_array(list(targets.features))),
        },
        attrs={"channels": targets.layout.channels, **saving.attrs()},
    )
