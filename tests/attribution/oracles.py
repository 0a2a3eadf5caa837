"""The slow obvious ways that attribution is compared with."""

from __future__ import annotations

import copy

import numpy as np
import torch
from captum.attr import IntegratedGradients

from phenviz.attribution.baselines import BaselineSource
from phenviz.genome import Gene, Locus, ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.predict import bin_range
from phenviz.models.readout import GeneReadout, gene_bins
from phenviz.models.windows import one_hot_tensor, one_hot_window
from tests.toys import CONTEXTS

CPU = torch.device("cpu")


def toy_readout(reach: int = 3_072, seed: int = 1) -> GeneReadout:
    """Build a small random readout that reacts clearly to the toy backbone."""
    torch.manual_seed(seed)
    readout = GeneReadout(8, CONTEXTS, reach=reach, heads=2, values=4)
    with torch.no_grad():
        readout.value.weight.mul_(3)
        readout.output.weight.mul_(3)
    return readout.eval()


def in_double(module: torch.nn.Module) -> torch.nn.Module:
    return copy.deepcopy(module).double()


def express_each_mutant(
    locus: Locus, reference: ReferenceGenome, backbone: SequenceBackbone, gene: Gene, readout: GeneReadout
) -> np.ndarray:
    """Score every change by predicting the gene's expression anew: (position, allele, context)."""
    around = gene_bins(gene, backbone, reference, readout.reach)
    flank = halo(backbone)
    start, end, inner = around.start - flank, around.end + flank, flank // backbone.bin_size
    codes = reference.fetch_codes(locus.contig, start, end)
    dtype = next(readout.parameters()).dtype
    distance = torch.from_numpy(around.distance).to(dtype)

    def expression(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            embedding = backbone.encode(one_hot_tensor(batch, CPU, dtype))[:, :, inner:-inner]
            return readout.expression(embedding, distance).numpy()

    before = expression(codes[None])
    effects = np.zeros((locus.length, 4, len(readout.contexts)))
    for row, position in enumerate(range(locus.start, locus.end)):
        if reference.fetch_codes(locus.contig, position, position + 1)[0] == 4:
            effects[row] = np.nan
        elif start <= position < end:
            mutants = np.repeat(codes[None], 4, axis=0)
            mutants[:, position - start] = range(4)
            effects[row] = expression(mutants) - before
    return effects


def integrate_whole_window(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    channel: int,
    *,
    baseline: str | np.ndarray = "zero",
    n_steps: int = 16,
) -> tuple[np.ndarray, float]:
    """Call Captum once on the whole window with its flanks: values of the locus, and the sum of all."""
    size, flank = backbone.bin_size, halo(backbone)
    first, last = bin_range(locus, size)
    start, end, inner = first * size - flank, last * size + flank, flank // size

    def forward(one_hot: torch.Tensor) -> torch.Tensor:
        return backbone(one_hot)[:, channel, inner:-inner].sum(-1)

    return _integrate(forward, locus, reference, backbone, start, end, baseline, n_steps)


def integrate_whole_gene(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    gene: Gene,
    readout: GeneReadout,
    channel: int,
    *,
    baseline: str | np.ndarray = "zero",
    n_steps: int = 16,
) -> tuple[np.ndarray, float]:
    """Call Captum once on all bases that a gene's readout sees."""
    around = gene_bins(gene, backbone, reference, readout.reach)
    flank = halo(backbone)
    inner = flank // backbone.bin_size

    def forward(one_hot: torch.Tensor) -> torch.Tensor:
        embedding = backbone.encode(one_hot)[:, :, inner:-inner]
        return readout.expression(embedding, torch.from_numpy(around.distance).to(embedding))[:, channel]

    start, end = around.start - flank, around.end + flank
    return _integrate(forward, locus, reference, backbone, start, end, baseline, n_steps)


def _integrate(forward, locus, reference, backbone, start, end, baseline, n_steps):
    bases = one_hot_window(reference, locus.contig, start, end, backbone)
    source = BaselineSource(baseline, reference, locus)
    begin = torch.from_numpy(source.window(start, end)).to(bases)[None]
    method = IntegratedGradients(forward)
    values = method.attribute(bases, begin, n_steps=n_steps, internal_batch_size=1).sum(1)[0].numpy()
    inside = np.zeros(locus.length)
    first, last = max(start, locus.start), min(end, locus.end)
    inside[first - locus.start : last - locus.start] = values[first - start : last - start]
    return inside, float(values.sum(dtype=np.float64))


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2 error."""
    return float(np.linalg.norm(np.asarray(found, dtype=np.float64) - expected) / np.linalg.norm(expected))
