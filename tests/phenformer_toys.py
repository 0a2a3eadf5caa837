"""A small random Phenformer for fast tests, and its logits the slow obvious way: one graph over all bases."""

from __future__ import annotations

import copy

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import nn

from phenviz.genome.codes import one_hot
from phenviz.models.backbone import halo
from phenviz.models.phenformer import GeneSite, Phenformer
from tests.toys import CONTEXTS, CONTIGS, GAP

WINDOW = 4_096
# windows that overlap, overhang both ends of the contig, lie in a gap, or on another contig
SITES = (
    GeneSite("ALPHA", "ENSG01", "20", 6_000, "+"),
    GeneSite("BETA", "ENSG02", "20", 8_014, "-"),
    GeneSite("START", "ENSG03", "chr20", 40, "-"),
    GeneSite("GAP", "ENSG04", "20", GAP[0] + 300, "+"),
    GeneSite("END", "ENSG05", "20", CONTIGS["20"] - 3, "."),
    GeneSite("TWICE", "ENSG06", "20", 6_050, "-"),
)
OTHER_CONTIG = GeneSite("DELTA", "ENSG07", "21", 4_999, "-")
TRAITS = ("MCV", "PLT_COUNT")


def toy_phenformer(
    haplotypes: str = "sum", *, expression_from: str = "readout", genes=SITES, seed: int = 3, **changes
) -> Phenformer:
    """Build a random Phenformer whose logits react clearly to the toy backbone's embedding."""
    torch.manual_seed(seed)
    options = {
        "assembly": "toy1",
        "window": WINDOW,
        "channels": 8,
        "expression": [context.name for context in CONTEXTS],
        "expression_from": expression_from,
        "reach": 512,
        "width": 16,
        "heads": 2,
        "feedforward": 16,
        "seeds": 2,
    } | changes
    phenformer = Phenformer(genes, TRAITS, haplotypes=haplotypes, **options)
    with torch.no_grad():
        phenformer.gene.normal_()
        phenformer.token_mean.normal_(0, 0.1)
        phenformer.token_scale.uniform_(0.05, 0.2)
        if phenformer.linear_weights is not None:
            phenformer.linear_weights.normal_()
    return phenformer.eval()


class GlobalToy(nn.Module):
    """A global model of the toy backbone's shape: each bin also sees the mean of all."""

    def __init__(self, backbone, window=WINDOW):
        super().__init__()
        self.inner, self.window = copy.deepcopy(backbone), window
        self.name, self.weights_hash, self.bin_size = "global toy", "g" * 64, backbone.bin_size
        self.receptive_field, self.contexts = None, backbone.contexts

    def encode(self, one_hot):
        assert one_hot.shape[2] == self.window
        embedding = self.inner.encode(one_hot)
        return embedding + torch.tanh(embedding.mean(-1, keepdim=True))

    def activity(self, embedding):
        return self.inner.activity(embedding)

    def forward(self, one_hot):
        return self.activity(self.encode(one_hot))


class Slow:
    """The logit as one function of the bases of whole contigs, (1, 4, bases) for each."""

    def __init__(self, phenformer, reference, backbone, readout, haplotypes=None):
        self.phenformer, self.backbone, self.readout = phenformer, backbone, readout
        self.dtype = next(backbone.parameters()).dtype
        self.haplotypes = haplotypes or (reference,)
        self.reference = reference
        self.contigs = list(dict.fromkeys(gene.contig.removeprefix("chr") for gene in phenformer.genes))
        self.pad = 2 * phenformer.window

    def bases(self):
        """Return the bases of each contig of each haplotype, padded with N."""
        return tuple(
            torch.from_numpy(one_hot(sequence.fetch_codes(contig, -self.pad, self._end(contig)))).to(
                self.dtype
            )[None]
            for sequence in self.haplotypes
            for contig in self.contigs
        )

    def _end(self, contig):
        return CONTIGS[contig] + self.pad + -CONTIGS[contig] % self.backbone.bin_size

    def logits(self, *bases):
        """Encode everything in one go, cut out each window, and put the tokens into the model."""
        by_haplotype = [
            bases[first : first + len(self.contigs)] for first in range(0, len(bases), len(self.contigs))
        ]
        tokens = [self._tokens(dict(zip(self.contigs, each, strict=True))) for each in by_haplotype]
        tokens = tokens * 2 if len(tokens) == 1 else tokens
        return self.phenformer(torch.stack(tokens, dim=1))

    def _tokens(self, bases):
        size, window = self.backbone.bin_size, self.phenformer.window
        whole = {}
        if self.backbone.receptive_field is not None:
            whole = {contig: self.backbone.encode(x) for contig, x in bases.items()}
        tokens = []
        for gene in self.phenformer.genes:
            contig = gene.contig.removeprefix("chr")
            start = (gene.tss // size - window // size // 2) * size
            if whole:
                first = (start + self.pad) // size
                embedding = whole[contig][:, :, first : first + window // size]
            else:
                embedding = self.backbone.encode(bases[contig][:, :, start + self.pad :][:, :, :window])
            tokens.append(self._token(gene, start, embedding))
        return torch.stack(tokens, dim=1)

    def _token(self, gene, start, embedding):
        size = self.backbone.bin_size
        centres = start + (np.arange(embedding.shape[2]) + 0.5) * size
        distance = torch.from_numpy((-1 if gene.strand == "-" else 1) * (centres - gene.tss)).to(self.dtype)
        from_own_bin = abs(centres // size - gene.tss // size) * size
        if self.readout is not None:
            near = from_own_bin <= self.readout.reach
            expression = self.readout.expression(embedding[:, :, near], distance[near])
        else:
            near = from_own_bin <= self.phenformer.reach
            expression = torch.log1p(self.backbone.activity(embedding[:, :, near]).mean(-1))
        return torch.cat([embedding.mean(-1), expression], dim=1)

    def attribution(self, trait, *, n_steps=None, baseline=0.0):
        """Attribute a logit to all bases in one graph: one array (bases of the contig) for each input."""
        ends = self.bases()
        begins = tuple(torch.zeros_like(end) + torch.as_tensor(baseline, dtype=self.dtype) for end in ends)

        def forward(*bases):
            return self.logits(*bases)[:, trait]

        if n_steps is None:
            ends = tuple(end.requires_grad_() for end in ends)
            found = torch.autograd.grad(forward(*ends)[0], ends)
            found = [grad * end for grad, end in zip(found, ends, strict=True)]
        else:
            method = IntegratedGradients(forward)
            found = method.attribute(ends, baselines=begins, n_steps=n_steps, internal_batch_size=1)
        return [part.detach().sum(1)[0, self.pad :].numpy() for part in found]

    def value(self, trait):
        with torch.no_grad():
            return float(self.logits(*self.bases())[0, trait])


def flank_of(backbone) -> int:
    return 0 if backbone.receptive_field is None else halo(backbone)


def fit_scale(phenformer: Phenformer, tokens: torch.Tensor) -> None:
    """Set what tokens (people, 2, G, F) are centred and divided by to a cohort's, from whole tokens."""
    values = tokens.flatten(0, 1)
    deviation = values.std(0, correction=0)
    # below rounding, what looks like variation is noise
    steady = deviation <= 1e-6 * (1 + values.abs().amax(0))
    phenformer.token_mean.copy_(values.mean(0))
    phenformer.token_scale.copy_(torch.where(steady, torch.ones_like(deviation), deviation))
