"""What variants change in the gene tokens of the disease model."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.effects.rows import SCORED, GeneEffects, read_rows
from phenviz.effects.tiles import over_variants
from phenviz.errors import ModelError
from phenviz.genome import ReferenceGenome
from phenviz.inference.embedded_edits import EmbeddedEdits
from phenviz.inference.engines import engine_for
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.double import double_copy, doubled
from phenviz.models.expression import encode_bins
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_tokens import GeneWindow, TokenReader
from phenviz.models.readout import GeneReadout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import text_array

DEFINITION = (
    "gene token with ALT minus with REF, in reference coordinates: mean of the embedding over the window, "
    "and the gene's expression in each context"
)


def score_tokens(
    variants: pd.DataFrame,
    layout: Phenformer,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout | None = None,
    *,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Score what each variant changes in the token of each gene whose window it reaches.

    Parameters
    ----------
    variants
        As for `phenviz.effects.score_variants`.
    layout
        Says which genes and windows, and what a token holds; its weights don't matter.
    reference, backbone, readout
        Models that the tokens come from; the backbone has a finite receptive field.
    progress
        Advances after each tile, in variants.

    Returns
    -------
    xr.Dataset
        ``effect`` (pair, feature), float32; one pair for each variant and reached gene, with coordinates
        ``row`` (number of the variant in the table) and ``gene_index`` (number of the gene in the layout).
        ``reference_token`` (gene, feature), float64: of one haplotype of the reference. Coordinates
        ``feature`` and ``gene``. Rows that can't be scored have no pair; ``skipped`` counts them.

    Raises
    ------
    ModelError
        If the models don't belong together, or the backbone is global.
    """
    if backbone.receptive_field is None:
        raise ModelError(
            f"{backbone.name} sees its whole window at once, so that effects of variants don't add up bin by "
            "bin: use a backbone with a finite receptive field"
        )
    rows = read_rows(variants, reference)
    targets = TokenTargets(layout, reference, backbone, readout)
    size, flank = backbone.bin_size, halo(backbone) // backbone.bin_size
    engine = engine_for(reference, backbone)

    def score(some: NDArray[np.intp]) -> list[GeneEffects]:
        first = rows.start[some] // size - flank
        last = (rows.start[some] + rows.ref_length[some] - 1) // size + flank + 1
        contig = str(rows.contig[some[0]])
        reached = targets.reached(contig, int(first.min()), int(last.max()))
        if not reached:
            return []
        bins = engine.embed(contig, rows.edits(some), first, last)
        _, everywhere = bins.sums(lambda embedding, _: embedding)
        found = []
        for window in reached:
            near = np.flatnonzero((first < window.last_bin) & (last > window.first_bin))
            if len(near):
                effect = targets.effects(window, bins, everywhere, first, last)
                found.append(GeneEffects(window.index, some[near], effect[near]))
        return found

    progress.stage("effects on gene tokens", len(rows))
    progress.advance(len(rows) - int((rows.status == SCORED).sum()))
    found: list[GeneEffects] = []
    for some, parts in over_variants(rows, engine.bins, backbone, score):
        found += parts
        progress.advance(len(some))
    return _as_dataset(found, targets, int((rows.status != SCORED).sum()))


class TokenTargets:
    """Gene windows with the sums that tokens are functions of, in double precision.

    Parameters
    ----------
    layout, reference, backbone, readout
        As for `score_tokens`.
    """

    def __init__(
        self,
        layout: Phenformer,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        readout: GeneReadout | None,
    ) -> None:
        # of a global backbone and of models that don't belong together it says what is wrong
        self.reader = TokenReader(layout, reference, backbone, readout)
        self.layout, self.reference, self.backbone = layout, reference, backbone
        self.features = (*(f"embedding {number}" for number in range(layout.channels)), *layout.expression)
        # in double precision: a change in one of hundreds of bins must not drown in the rounding of their sum
        self._readout = double_copy(self.reader.readout) if self.reader.readout is not None else None
        self._sums: dict[int, torch.Tensor] = {}
        self._lock = threading.Lock()

    @property
    def extra(self) -> int:
        """Number of sums beside those of the embedding."""
        return self.reader.terms - self.layout.channels

    def reached(self, contig: str, first: int, last: int) -> list[GeneWindow]:
        """Return the windows of which a bin lies between two bins of a contig."""
        return [
            window
            for window in self.reader.windows
            if window.contig == contig and window.first_bin < last and window.last_bin > first
        ]

    def near_terms(self, window: GeneWindow, embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """Return what bins (rows, D) add to a gene's sums beside the embedding's: (rows, extra), double."""
        values = doubled(embedding)
        number = bins.to(values.device) - window.first_bin
        inside = (number >= window.near.start) & (number < window.near.stop)
        terms = values.new_zeros(len(number), self.extra)
        if inside.any():
            own = values[inside].T[None]
            if self._readout is not None:
                distance = torch.from_numpy(window.distance).to(values)[number[inside]]
                terms[inside] = self._on(values.device).pooled_terms(own, distance)[0].T
            else:
                activity = self.backbone.activity(embedding[inside].T[None])[0].T
                terms[inside] = doubled(activity)
        return terms

    def expression(self, sums: torch.Tensor) -> torch.Tensor:
        """Turn sums beside the embedding's, (rows, extra), into expression, (rows, E), double."""
        if self._readout is not None:
            return self._on(sums.device).from_pooled(sums)
        near = self.reader.windows[0].near
        return torch.log1p((sums / (near.stop - near.start)).clamp(min=0))

    def reference_sums(self, window: GeneWindow) -> torch.Tensor:
        """Return the sums of a window of the reference, (K,), double."""
        with self._lock:
            if window.index not in self._sums:
                with torch.inference_mode():
                    first, last = window.first_bin, window.last_bin
                    embedding = encode_bins(window.contig, first, last, self.reference, self.backbone)[0].T
                    bins = torch.arange(first, last, device=embedding.device)
                    terms = self.near_terms(window, embedding, bins).sum(0)
                    self._sums[window.index] = torch.cat([doubled(embedding).sum(0), terms])
            return self._sums[window.index]

    def token(self, window: GeneWindow, sums: torch.Tensor) -> torch.Tensor:
        """Turn sums of a window, (rows, K), into tokens, (rows, F), double."""
        channels = self.layout.channels
        mean = sums[:, :channels] / len(window.distance)
        return torch.cat([mean, self.expression(sums[:, channels:])], dim=1)

    def effects(
        self,
        window: GeneWindow,
        bins: EmbeddedEdits,
        everywhere: torch.Tensor,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return the change of a gene's token by each variant, (variants, F)."""
        moved = everywhere
        if (first < window.first_bin).any() or (last > window.last_bin).any():
            moved = bins.sums(lambda embedding, number: _within(window, embedding, number))[1]
        change = torch.zeros(len(moved), len(self.features), dtype=moved.dtype, device=moved.device)
        change[:, : self.layout.channels] = moved / len(window.distance)
        begin, end = window.first_bin + window.near.start, window.first_bin + window.near.stop
        if ((first < end) & (last > begin)).any():
            before = self.reference_sums(window)[self.layout.channels :].to(moved)
            _, terms = bins.sums(lambda embedding, number: self.near_terms(window, embedding, number))
            after = self.expression(before + terms) - self.expression(before[None])
            change[:, self.layout.channels :] = after
        return change.float().cpu().numpy()

    def _on(self, device: torch.device) -> GeneReadout:
        assert self._readout is not None
        return self._readout.to(device)


def _within(window: GeneWindow, embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
    number = bins.to(embedding.device) - window.first_bin
    return embedding * ((number >= 0) & (number < len(window.distance))).to(embedding)[:, None]


def _as_dataset(found: list[GeneEffects], targets: TokenTargets, skipped: int) -> xr.Dataset:
    layout = targets.layout
    effect = [np.empty((0, len(targets.features)), np.float32), *(one.effect for one in found)]
    rows = [np.empty(0, np.int64), *(one.rows.astype(np.int64) for one in found)]
    gene = [np.empty(0, np.int64), *(np.full(len(one.rows), one.gene) for one in found)]
    with torch.inference_mode():
        plain = torch.cat(
            [targets.token(window, targets.reference_sums(window)[None]) for window in targets.reader.windows]
        )
    return xr.Dataset(
        {
            "effect": (("pair", "feature"), np.concatenate(effect)),
            "reference_token": (("gene", "feature"), plain.cpu().numpy()),
        },
        coords={
            "row": ("pair", np.concatenate(rows)),
            "gene_index": ("pair", np.concatenate(gene)),
            "gene": ("gene", text_array([site.name for site in layout.genes])),
            "feature": ("feature", text_array(list(targets.features))),
        },
        attrs={"definition": DEFINITION, "skipped": skipped, "channels": layout.channels},
    )
