"""The gene readout: expression of a gene from the backbone's bins around its transcription start.

The backbone is local, so what reaches further (an enhancer acting on a promoter) is the readout's job.
Each of ``heads`` attention heads weighs the bins within ``reach`` of the TSS by what they hold and by how far
they are, and averages a few values per bin::

    value_v(bin)  = softplus(value(embedding))                    # V values; begins as log1p of the activity
    score_h(bin)  = S tanh((query_h . value + kernel_h(distance)) / S)
    pooled_h,v    = sum over bins exp(score_h) value_v / (1 + sum over bins exp(score_h))
    expression_c  = output_c . pooled + bias_c                    # ln(1 + counts per million)

The 1 in the denominator is an empty bin that every head may look at: a gene without any active bin pools to
nothing. Bins enter through sums only, so a changed bin changes a gene's expression through
``sums - old terms + new terms`` and nothing else: see `GeneReadout.pooled_terms` and
`GeneReadout.from_pooled`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from phenviz.errors import ModelError
from phenviz.genome import Context, Gene, ReferenceGenome
from phenviz.genome.contexts import choose_contexts, offer_contexts, read_contexts
from phenviz.genome.locus import same_contig
from phenviz.models import weights
from phenviz.models.backbone import SequenceBackbone

UNITS, TPM_UNITS = "ln(1 + CPM)", "ln(1 + TPM)"
NORMALISED_UNITS = "ln(1 + normalised expression)"
CARD_ENTRIES = ("sha256", "backbone_sha256", "config")
# scores stay within +-_SCORE_LIMIT: exp() of them can be summed as it is, without subtracting a maximum
_SCORE_LIMIT = 12.0
# each head begins with another scale of decay with the distance, between these (bp)
_NEAREST, _FARTHEST = 400.0, 30_000.0
_CENTRES = (
    -30_000.0,
    -10_000.0,
    -3_000.0,
    -1_000.0,
    -300.0,
    0.0,
    300.0,
    1_000.0,
    3_000.0,
    10_000.0,
    30_000.0,
)


@dataclass(frozen=True, slots=True)
class GeneBins:
    """Bins around a gene's TSS, on the contig's own grid.

    Parameters
    ----------
    contig
        Name as in the reference.
    start
        0-based start of the first bin: a multiple of ``bin_size``; below 0 where bins overhang the contig.
    bin_size
        Bases per bin.
    distance
        Shape (bins,), float32: from the TSS to the centre of each bin, in bp, positive downstream (in the
        direction of transcription). Bins are in the order of the contig, whatever the gene's strand.
    """

    contig: str
    start: int
    bin_size: int
    distance: NDArray[np.float32]

    @property
    def end(self) -> int:
        """End of the last bin, 0-based exclusive; may overhang the contig."""
        return self.start + len(self.distance) * self.bin_size

    @property
    def first_bin(self) -> int:
        """Number of the first bin on the contig: ``start / bin_size``."""
        return self.start // self.bin_size


def gene_bins(gene: Gene, backbone: SequenceBackbone, reference: ReferenceGenome, reach: int) -> GeneBins:
    """Return the bins that a gene is read out from: the TSS's own and those within ``reach`` on each side.

    Parameters
    ----------
    gene
        Its TSS and strand count.
    backbone
        Gives the size of a bin.
    reference
        Gives the contig's name.
    reach
        bp on each side, a multiple of the bin size.

    Raises
    ------
    LocusError
        If the reference has no such contig.
    """
    size = backbone.bin_size
    flank = reach // size
    first = gene.tss // size - flank
    centres = (first + np.arange(2 * flank + 1)) * size + size / 2
    direction = -1.0 if gene.locus.strand == "-" else 1.0
    distance = (direction * (centres - gene.tss)).astype(np.float32)
    return GeneBins(reference.resolve_contig(gene.locus.contig), first * size, size, distance)


class GeneReadout(nn.Module):
    """Attention pooling of embedding bins around a TSS, to expression in each context.

    Parameters
    ----------
    channels
        Channels D of the backbone's embedding.
    contexts
        What is predicted for: the RNA's contexts, which need not be the backbone's.
    reach
        bp on each side of the TSS that are read.
    heads, values
        Attention heads H, and values V pooled by each.
    name
        Name to read.

    Attributes
    ----------
    backbone_hash
        ``weights_hash`` of the backbone that it was trained on; None as long as it was trained on none.
    weights_hash
        SHA-256 of the weights file, set by `load_readout`; ``"unsaved"`` for one that was never saved.
    units
        Unit of what `expression` returns.
    """

    def __init__(
        self,
        channels: int,
        contexts: Sequence[Context],
        *,
        reach: int = 49_152,
        heads: int = 4,
        values: int = 16,
        name: str = "readout",
    ) -> None:
        super().__init__()
        self.channels, self.reach, self.heads, self.values, self.name = channels, reach, heads, values, name
        self.contexts = tuple(contexts)
        self.weights_hash = "unsaved"
        self.backbone_hash: str | None = None
        self.units = UNITS
        self.value = nn.Conv1d(channels, values, 1)
        self.query = nn.Parameter(torch.full((heads, values), 1 / values))
        scales = torch.logspace(math.log10(_NEAREST), math.log10(_FARTHEST), heads)
        self.log_scale = nn.Parameter(scales.log())
        self.kernel = nn.Parameter(torch.zeros(heads, len(_CENTRES)))
        self.output = nn.Linear(heads * values, len(self.contexts))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> GeneReadout:
        """Build a randomly initialised readout from what `config` returns."""
        options = {key: value for key, value in config.items() if key not in ("channels", "contexts")}
        return cls(config["channels"], read_contexts(config["contexts"]), **options)

    def config(self) -> dict[str, Any]:
        """Return a JSON-able description of the architecture and contexts, without the weights."""
        contexts = [{key: getattr(context, key) for key in Context.__slots__} for context in self.contexts]
        shape = {key: getattr(self, key) for key in ("channels", "reach", "heads", "values", "name")}
        return shape | {"contexts": contexts}

    def expression(self, embedding: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """Predict expression from the bins around a TSS.

        Parameters
        ----------
        embedding
            The backbone's ``encode``, shape (B, D, bins), bins in the order of the contig.
        distance
            Shape (bins,), or (B, bins) for a batch of genes: signed bp from the TSS to each bin's centre,
            positive downstream (`gene_bins`).

        Returns
        -------
        torch.Tensor
            Shape (B, C), in ln(1 + CPM).
        """
        return self.from_pooled(self.pooled_terms(embedding, distance).sum(-1))

    forward = expression

    @property
    def n_terms(self) -> int:
        """Sums that expression is a function of: H * (1 + V)."""
        return self.heads * (1 + self.values)

    @property
    def title(self) -> str:
        """Name and the beginning of the weights hash, as results cite it."""
        return f"{self.name}@{self.weights_hash[:8]}"

    def covering(self, names: Sequence[str]) -> GeneReadout:
        """Return the readout to ask for these contexts: this one; of several, see `JointReadout`."""
        return self

    def pooled_terms(self, embedding: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """Return each bin's terms of the sums that expression is a function of.

        Each bin's terms depend on its own embedding and distance only, so any subset of bins can be given.

        Returns
        -------
        torch.Tensor
            Shape (B, H * (1 + V), bins): for each head its weight, then its weight times each value.
        """
        return self.weighted(self.bin_values(embedding), distance)

    def bin_values(self, embedding: torch.Tensor) -> torch.Tensor:
        """Turn an embedding (B, D, bins) into the values of each bin that are pooled, (B, V, bins)."""
        return F.softplus(self.value(embedding))

    def weighted(self, values: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """Turn the values of bins (B, V, bins) into the terms that `pooled_terms` returns."""
        scores = torch.einsum("hv,bvn->bhn", self.query, values) + self._kernel(distance)
        weights = (_SCORE_LIMIT * torch.tanh(scores / _SCORE_LIMIT)).exp()
        parts = torch.cat([torch.ones_like(values[:, :1]), values], dim=1)
        return (weights.unsqueeze(2) * parts.unsqueeze(1)).flatten(1, 2)

    def from_pooled(self, sums: torch.Tensor) -> torch.Tensor:
        """Turn sums over bins of `pooled_terms`, shape (B, H * (1 + V)), into expression (B, C)."""
        return self.output(self.pooled(sums))

    def pooled(self, sums: torch.Tensor) -> torch.Tensor:
        """Turn sums over bins, shape (B, H * (1 + V)), into each head's averages, shape (B, H * V)."""
        by_head = sums.unflatten(1, (self.heads, 1 + self.values))
        return (by_head[:, :, 1:] / (1 + by_head[:, :, :1])).flatten(1)

    def select(self, names: Sequence[Context | str] | None = None) -> list[int]:
        """Return the rows of contexts by name, label, CURIE or group, each once; all for None.

        Raises
        ------
        TargetError
            If the readout doesn't predict one of them, or there is none.
        """
        if names is None:
            return list(range(len(self.contexts)))

        def unknown(name: str) -> str:
            return (
                f"the gene readout predicts no expression in {name!r} (its RNA data has no such context): "
                f"choose among {offer_contexts(self.contexts, name)}, or explain the activity of a window "
                "instead of a gene"
            )

        return choose_contexts(self.contexts, names, unknown)

    def _kernel(self, distance: torch.Tensor) -> torch.Tensor:
        """Score of the distance alone, ([B,] H, bins): a decay, and bumps on a scale of fold changes."""
        decay = -distance.abs().unsqueeze(-2) / self.log_scale.exp().unsqueeze(1)
        scaled = torch.asinh(distance / 300.0).unsqueeze(-2)
        centres = torch.asinh(distance.new_tensor(_CENTRES) / 300.0).unsqueeze(1)
        return decay + self.kernel @ torch.exp(-((scaled - centres) ** 2))


def check_backbone(readout: GeneReadout, backbone: SequenceBackbone) -> None:
    """Raise `ModelError` unless the readout was trained on this very backbone."""
    if readout.backbone_hash is not None and readout.backbone_hash != backbone.weights_hash:
        raise ModelError(
            f"readout {readout.name} was trained on a backbone with the hash {readout.backbone_hash[:8]}, "
            f"but {backbone.name} has {backbone.weights_hash[:8]}: train it again with "
            "`phenviz train readout`, or give the backbone that it belongs to"
        )


def save_readout(
    readout: GeneReadout, path: str | os.PathLike[str], card: Mapping[str, Any] | None = None
) -> str:
    """Write a readout as ``.safetensors``, and its card as ``.json`` beside it.

    Parameters
    ----------
    readout
        What to write; it gets the hash as its ``weights_hash``.
    path
        Ends in ``.safetensors``.
    card
        What is to be known about it: training data, metrics, licence.

    Returns
    -------
    str
        SHA-256 of the weights file.
    """
    path = Path(path)
    readout.weights_hash = weights.write_weights(path, readout.state_dict())
    fixed = {
        "kind": "readout",
        "sha256": readout.weights_hash,
        "backbone_sha256": readout.backbone_hash,
        "units": readout.units,
        "config": readout.config(),
    }
    weights.write_card(path, {**fixed, **(card or {})})
    return readout.weights_hash


def read_readout_contexts(path: str | os.PathLike[str]) -> tuple[Context, ...]:
    """Read from a readout's card what it predicts for, without its weights.

    Raises
    ------
    ModelError
        If there is no card, or it isn't one of a readout.
    """
    path = Path(path)
    card = weights.read_card(path, entries=CARD_ENTRIES, of="gene readout")
    return weights.from_card(path, "config", lambda config: read_contexts(config["contexts"]), card)


def part_of_gene(paths: Sequence[str | os.PathLike[str]], gene: Gene) -> str:
    """Tell from the cards of readouts in which part of the genome a gene's TSS lies: seen or held out.

    Returns
    -------
    str
        The name of the held-out part (``validation``, ``test``), ``training`` outside them, and ``unknown``
        where no card says what was held out.
    """
    known = False
    for path in paths:
        training = (
            weights.read_card(Path(path), entries=CARD_ENTRIES, of="gene readout").get("training") or {}
        )
        for part, regions in (training.get("held_out") or {}).items():
            known = True
            # cards of old hold start and end alone, of chromosome 20
            listed = [("20", *regions)] if regions and isinstance(regions[0], int) else regions
            for contig, start, end in listed:
                if same_contig(str(contig), gene.locus.contig) and start <= gene.tss < end:
                    return str(part)
    return "training" if known else "unknown"


def load_readout(path: str | os.PathLike[str], backbone: SequenceBackbone | None = None) -> GeneReadout:
    """Read a readout and its card.

    Parameters
    ----------
    path
        The ``.safetensors`` file; the ``.json`` lies beside it.
    backbone
        Model that it will be used with; None to check nothing.

    Raises
    ------
    ModelError
        If a file is missing or damaged, the hash or a shape doesn't match, or the readout was trained on
        another backbone.
    """
    path = Path(path)
    card = weights.read_card(path, entries=CARD_ENTRIES, of="gene readout")
    tensors = weights.read_weights(path, card["sha256"])
    readout = weights.from_card(path, "config", GeneReadout.from_config, card)
    weights.load_weights(readout, tensors, path, "config")
    readout.weights_hash, readout.backbone_hash = card["sha256"], card["backbone_sha256"]
    readout.units = str(card.get("units", UNITS))
    if backbone is not None:
        check_backbone(readout, backbone)
    return readout.eval()
