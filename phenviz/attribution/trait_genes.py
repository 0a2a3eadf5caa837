"""Which genes, and which contexts in them, matter for a trait: attribution to the tokens themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import xarray as xr

from phenviz.attribution.gradients import IntegratedGradients
from phenviz.attribution.trait import cohort_of, convergence
from phenviz.errors import ModelError
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_tokens import BaseSource, Tile, TokenReader, predict_tokens
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import placement
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords
from phenviz.results.schema import phenviz_version

METHODS = ("integrated-gradients", "saliency")


def trait_genes(
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    phenformer: Phenformer,
    *,
    trait: str,
    readout: GeneReadout | None = None,
    haplotypes: tuple[BaseSource, BaseSource] | None = None,
    method: str = "integrated-gradients",
    n_steps: int = 32,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a trait's logit to each gene's token, and to the expression in each context within it.

    Parameters
    ----------
    reference, backbone, phenformer, trait, readout, haplotypes
        As in `phenviz.attribution.trait.trait_integrated_gradients`.
    method
        ``"integrated-gradients"`` (Captum) on the straight path from the tokens of windows without any base,
        or ``"saliency"``: gradient times the difference from these tokens.
    n_steps
        Points on the path.
    progress
        Advances after each tile that tokens are read from.

    Returns
    -------
    xr.Dataset
        In logits, both haplotypes together: ``importance`` (gene), the sum of ``embedding`` (gene), the share
        of the mean embedding, and of ``expression`` (gene, context). Coordinates ``gene_id``, ``contig``,
        ``tss`` (0-based) and ``strand`` on gene. Attributes ``target_value``, ``baseline_value`` and
        ``convergence_delta``. The path differs from that through the bases, so sums over bases may too.

    Raises
    ------
    TargetError, ModelError
        As in `phenviz.attribution.trait.trait_integrated_gradients`.
    """
    if method not in METHODS:
        raise ModelError(f"method {method!r} is unknown: use one of {', '.join(METHODS)}")
    index = phenformer.trait_index(trait)
    reader = TokenReader(phenformer, reference, backbone, readout)
    tokens = predict_tokens(
        phenformer, reference, backbone, readout, haplotypes=haplotypes, progress=progress
    )
    begin = tokens_without_bases(reader).expand_as(tokens)
    values = _attribute(phenformer, index, tokens, begin, None if method == "saliency" else n_steps)
    with torch.no_grad():
        value, baseline_value = (float(phenformer(end[None])[0, index]) for end in (tokens, begin))
    numbers = values.sum(0).cpu().double().numpy()
    attrs: dict[str, Any] = {
        "assembly": reference.assembly,
        "model": f"{phenformer.name}@{phenformer.weights_hash[:8]}",
        "model_hash": phenformer.weights_hash,
        "definition": f"{method} of the logit of {phenformer.traits[index].name} with respect to gene "
        "tokens, from the tokens of windows without bases",
        "units": "logit",
        "phenviz_version": phenviz_version(),
        "target": phenformer.traits[index].name,
        "method": method,
        "haplotype_mode": phenformer.haplotypes,
        "target_value": value,
        "baseline_value": baseline_value,
    }
    if method != "saliency":
        attrs |= {"n_steps": n_steps, **convergence(float(numbers.sum()), attrs)}
    if (cohort := cohort_of(phenformer)) is not None:
        attrs["cohort"] = cohort
    return _as_dataset(reader, numbers, attrs)


def tokens_without_bases(reader: TokenReader) -> torch.Tensor:
    """Return the tokens of windows that hold no known base, (G, F)."""
    backbone = reader.backbone
    device, dtype = placement(backbone)
    bins = reader.phenformer.window // backbone.bin_size
    with torch.inference_mode():
        if backbone.receptive_field is None:
            embedding = backbone.encode(torch.zeros(1, 4, backbone.window, device=device, dtype=dtype))
        else:
            # without bases all bins of a local backbone are alike
            flank = halo(backbone)
            empty = torch.zeros(1, 4, 2 * flank + backbone.bin_size, device=device, dtype=dtype)
            inner = flank // backbone.bin_size
            embedding = backbone.encode(empty)[:, :, inner : inner + 1].expand(-1, -1, bins)
        rows = [
            reader.sums(embedding, Tile(window.contig, window.first_bin, window.last_bin, (window,)))[0, 0]
            for window in reader.windows
        ]
        return reader.tokens(torch.stack(rows)).clone()


def _attribute(
    phenformer: Phenformer, index: int, end: torch.Tensor, begin: torch.Tensor, n_steps: int | None
) -> torch.Tensor:
    """Attribute a logit to one person's tokens, (2, G, F)."""

    def forward(tokens: torch.Tensor) -> torch.Tensor:
        return phenformer(tokens)[:, index]

    if n_steps is None:
        leaf = end[None].clone().requires_grad_()
        (grad,) = torch.autograd.grad(forward(leaf)[0], leaf)
        return (end - begin) * grad[0]
    method = IntegratedGradients(forward)
    # one point at a time: attention over all genes takes memory
    found = method.attribute(end[None], baselines=begin[None], n_steps=n_steps, internal_batch_size=1)
    return found.detach()[0]


def _as_dataset(reader: TokenReader, values: np.ndarray, attrs: dict[str, Any]) -> xr.Dataset:
    genes, channels = reader.phenformer.genes, reader.phenformer.channels
    contexts = reader.backbone.contexts if reader.readout is None else reader.readout.contexts
    return xr.Dataset(
        {
            "importance": ("gene", values.sum(1)),
            "embedding": ("gene", values[:, :channels].sum(1)),
            "expression": (("gene", "context"), values[:, channels:]),
        },
        coords={
            "gene": ("gene", [gene.name for gene in genes]),
            "gene_id": ("gene", [gene.gene_id for gene in genes]),
            "contig": ("gene", [window.contig for window in reader.windows]),
            "tss": ("gene", [gene.tss for gene in genes]),
            "strand": ("gene", [gene.strand for gene in genes]),
            **context_coords(contexts),
        },
        attrs=attrs,
    )
