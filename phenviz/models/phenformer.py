"""Phenformer: the disease model, from gene tokens to one logit a trait.

For each of its genes the model gets a token vector that describes one window of one haplotype (made by
`phenviz.models.phenformer_tokens`): the backbone's embedding averaged over the window, and the gene's
expression in each context. Then::

    x = (token - mean) / scale                    # for each gene and feature, over the training cohort
    x = embed(x) + gene                           # a learnt vector says which gene it is
    z = transformer over all gene tokens          # self-attention, no order: genes are a set
    p = PMA(z)                                    # k learnt seeds attend to all genes [1]_
    logit = linear(expression) + head(p)          # one number per trait

Everything that the paper on Phenformer (arXiv 2501.07737) leaves open is our choice, among it:

- ``haplotypes="sum"`` (default) adds the tokens of both haplotypes before they are embedded: as many tokens
  as genes, and dosage is additive, as in polygenic scores. ``"pair"`` keeps them apart: twice as many tokens,
  both marked with the same gene vector, so that attention can tell one damaged copy from two half-damaged
  ones. Neither knows which haplotype is the first: swapping both gives the same logit.
- ``linear`` is what each gene's expression in each context adds by itself: the linear score of expression
  that any disease model has to beat. It is fitted first and stays; the transformer begins at 0 and learns
  what genes do beyond it. Some thousand people can teach the first, and seldom the second.
- All traits share everything but the last layer and the linear part, and a missing label adds nothing to
  the loss.
- Covariates (age, sex, principal components) join after pooling, so that attention looks at genes only; one
  that isn't known, or a model that is asked without them, takes the training cohort's mean, and one beyond
  three standard deviations of that cohort counts as three.

References
----------
.. [1] Lee et al. (2019), Set Transformer: pooling by multihead attention (PMA).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from phenviz.errors import ModelError, TargetError
from phenviz.genome.annotation import Gene

HAPLOTYPE_MODES = ("sum", "pair")
EXPRESSION_SOURCES = ("readout", "activity")
# nobody counts as more extreme than the training people were, be it by another ancestry's components
COVARIATE_LIMIT = 3.0


@dataclass(frozen=True, slots=True)
class Trait:
    """A disease or measure that a Phenformer predicts.

    Parameters
    ----------
    name
        Short name, as in its data pack (``MCV``).
    label
        Name to read.
    """

    name: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class GeneSite:
    """Where a gene's window lies: what the model has to know of an annotation.

    Parameters
    ----------
    name, gene_id
        Symbol and stable id.
    contig
        As in the annotation; ``chr20`` and ``20`` are the same.
    tss
        0-based position of the first transcribed base; the window is centred on its bin.
    strand
        ``+``, ``-`` or ``.``.
    """

    name: str
    gene_id: str
    contig: str
    tss: int
    strand: str

    @classmethod
    def of(cls, gene: Gene) -> GeneSite:
        """Take the site of an annotated gene."""
        return cls(gene.name, gene.gene_id, gene.locus.contig, gene.tss, gene.locus.strand)


class Phenformer(nn.Module):
    """Turns the gene tokens of both haplotypes into one logit a trait.

    Parameters
    ----------
    genes
        Genes (or their sites) in the order of the tokens; a cohort's tokens and the model must agree on it.
    traits
        What the logits stand for.
    assembly
        Genome assembly of the genes' coordinates.
    window
        Bases of each gene's window.
    channels
        Channels D of the backbone's embedding.
    expression
        Names of the E contexts of the expression features.
    expression_from
        ``"readout"``: the gene readout's expression; ``"activity"``: ``log1p`` of the mean activity of the
        bins within ``reach`` of the TSS, where a world has no readout.
    reach
        bp on each side of the TSS whose activity counts; only for ``"activity"``.
    haplotypes
        ``"sum"`` or ``"pair"``; see the module's docstring.
    width, layers, heads, feedforward
        Of the transformer over gene tokens.
    seeds
        Learnt vectors of the pooling.
    dropout
        In training.
    covariates
        Names of the numbers about a person that join after pooling.
    linear
        Whether the expression of each gene counts by itself, too.
    name
        Name to read.

    Attributes
    ----------
    token_mean, token_scale
        Buffers (G, F): what tokens are centred and divided by; 0 and 1 until training sets them.
    covariate_mean, covariate_scale
        Buffers (covariates,): the same of covariates.
    linear_weights
        Buffer (T, G, E): of scaled expression, both haplotypes added; 0 until `start_from_linear`. None
        without a linear part.
    backbone_hash, readout_hash
        Weights of the models that its tokens come from; None as long as it was trained on none.
    weights_hash
        SHA-256 of the weights file; ``"unsaved"`` for a model that was never saved.
    card
        What was read beside the weights.

    Raises
    ------
    ModelError
        If a size is impossible, or no gene or trait is given.
    """

    token_mean: torch.Tensor
    token_scale: torch.Tensor
    covariate_mean: torch.Tensor
    covariate_scale: torch.Tensor
    linear_weights: torch.Tensor | None

    def __init__(
        self,
        genes: Sequence[Gene | GeneSite],
        traits: Sequence[Trait | str],
        *,
        assembly: str,
        window: int = 196_608,
        channels: int,
        expression: Sequence[str],
        expression_from: str = "readout",
        reach: int = 1_024,
        haplotypes: str = "sum",
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        feedforward: int = 128,
        seeds: int = 4,
        dropout: float = 0.1,
        covariates: Sequence[str] = (),
        linear: bool = True,
        name: str = "phenformer",
    ) -> None:
        super().__init__()
        self.genes = tuple(GeneSite.of(gene) if isinstance(gene, Gene) else gene for gene in genes)
        self.traits = tuple(Trait(trait) if isinstance(trait, str) else trait for trait in traits)
        self.assembly, self.window, self.channels, self.reach = assembly, window, channels, reach
        self.expression, self.expression_from = tuple(expression), expression_from
        self.haplotypes, self.name = haplotypes, name
        self.width, self.layers, self.heads, self.feedforward = width, layers, heads, feedforward
        self.seeds, self.dropout, self.covariates = seeds, dropout, tuple(covariates)
        self.linear = linear
        self._check()
        self.weights_hash = "unsaved"
        self.backbone_hash: str | None = None
        self.readout_hash: str | None = None
        self.card: dict[str, Any] = {}
        self.register_buffer("token_mean", torch.zeros(len(self.genes), self.features))
        self.register_buffer("token_scale", torch.ones(len(self.genes), self.features))
        if self.covariates:
            self.register_buffer("covariate_mean", torch.zeros(len(self.covariates)))
            self.register_buffer("covariate_scale", torch.ones(len(self.covariates)))
        shape = (len(self.traits), len(self.genes), len(self.expression))
        self.register_buffer("linear_weights", torch.zeros(shape) if linear else None)
        self.embed = nn.Linear(self.features, width)
        self.gene = nn.Parameter(torch.randn(len(self.genes), width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, feedforward, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.pool = PoolingByAttention(width, heads, seeds, feedforward, dropout)
        self.head = nn.Linear(seeds * width + len(self.covariates), len(self.traits))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Phenformer:
        """Build a randomly initialised model from what `config` returns."""
        options = {key: value for key, value in config.items() if key not in ("genes", "traits")}
        options.setdefault("linear", False)  # cards from before there was one
        genes = [GeneSite(**gene) for gene in config["genes"]]
        return cls(genes, [Trait(**trait) for trait in config["traits"]], **options)

    def config(self) -> dict[str, Any]:
        """Return a JSON-able description of the architecture, genes and traits, without the weights."""
        keys = (
            *("name", "assembly", "window", "channels", "expression_from", "reach", "haplotypes"),
            *("width", "layers", "heads", "feedforward", "seeds", "dropout", "linear"),
        )
        return {key: getattr(self, key) for key in keys} | {
            "expression": list(self.expression),
            "covariates": list(self.covariates),
            "traits": [asdict(trait) for trait in self.traits],
            "genes": [asdict(gene) for gene in self.genes],
        }

    @property
    def features(self) -> int:
        """Length F of a token: embedding channels, then expression in each context."""
        return self.channels + len(self.expression)

    def forward(self, tokens: torch.Tensor, covariates: torch.Tensor | None = None) -> torch.Tensor:
        """Turn tokens of both haplotypes, (B, 2, G, F), into logits, (B, T).

        Parameters
        ----------
        tokens
            See `phenviz.models.phenformer_tokens`.
        covariates
            Shape (B, covariates); NaN where one isn't known. None for none.

        Raises
        ------
        ModelError
            If the tokens have another shape.
        """
        expected = (2, len(self.genes), self.features)
        if tokens.ndim != 4 or tuple(tokens.shape[1:]) != expected:
            raise ModelError(
                f"{self.name} got tokens of shape {tuple(tokens.shape)}; it takes (people, haplotypes, "
                f"genes, features) = (any, {', '.join(map(str, expected))})"
            )
        x = (tokens - self.token_mean) / self.token_scale
        if self.haplotypes == "sum":
            x = x.sum(1)
        return self.from_scaled(x, covariates)

    def from_scaled(self, x: torch.Tensor, covariates: torch.Tensor | None = None) -> torch.Tensor:
        """Turn scaled tokens into logits: (B, G, F), both haplotypes added, or (B, 2, G, F) for a pair."""
        alone = self._linear(x) if self.linear_weights is not None else 0.0
        x = self.embed(x) + self.gene
        pooled = self.pool(self.transformer(x if x.ndim == 3 else x.flatten(1, 2))).flatten(1)
        if self.covariates:
            known = pooled.new_zeros(len(pooled), len(self.covariates))
            if covariates is not None:
                scaled = (covariates.to(pooled) - self.covariate_mean) / self.covariate_scale
                known = scaled.nan_to_num(0.0).clamp(-COVARIATE_LIMIT, COVARIATE_LIMIT)
            pooled = torch.cat([pooled, known], dim=1)
        logits: torch.Tensor = self.head(pooled) + alone
        return logits

    def _linear(self, x: torch.Tensor) -> torch.Tensor:
        assert self.linear_weights is not None
        expression = x[..., self.channels :]
        both = expression if x.ndim == 3 else expression.sum(1)
        return both.flatten(1) @ self.linear_weights.flatten(1).T

    def start_from_linear(
        self, weights: torch.Tensor, covariates: torch.Tensor, intercept: torch.Tensor
    ) -> None:
        """Begin training at a linear score: genes one by one, and covariates.

        The transformer adds nothing then, until it has learnt something.

        Parameters
        ----------
        weights
            Shape (T, G, E): of expression as it is scaled, both haplotypes added, so that scales must be set.
        covariates
            Shape (T, covariates): the same of covariates.
        intercept
            Shape (T,): logit of an average person.
        """
        assert self.linear_weights is not None
        with torch.no_grad():
            self.linear_weights.copy_(weights)
            self.head.weight.zero_()
            self.head.weight[:, self.seeds * self.width :] = covariates
            self.head.bias.copy_(intercept)

    def trait_index(self, name: str) -> int:
        """Return the number of a trait's logit, by name or label, whatever the case.

        Raises
        ------
        TargetError
            If the model doesn't predict it; the message lists what it does.
        """
        wanted = name.strip().casefold()
        for index, trait in enumerate(self.traits):
            if wanted and wanted in (trait.name.casefold(), trait.label.casefold()):
                return index
        known = ", ".join(trait.name for trait in self.traits[:20])
        raise TargetError(f"{self.name} doesn't predict trait {name!r}: choose among {known}")

    def _check(self) -> None:
        if not self.genes or not self.traits:
            raise ModelError(f"{self.name} needs at least one gene and one trait")
        names = [trait.name.casefold() for trait in self.traits]
        if len(set(names)) < len(names):
            raise ModelError(f"two traits of {self.name} share a name: names of traits are unique")
        for what, value, known in (
            ("haplotypes", self.haplotypes, HAPLOTYPE_MODES),
            ("expression_from", self.expression_from, EXPRESSION_SOURCES),
        ):
            if value not in known:
                raise ModelError(f"{what} of {self.name} is {value!r}: use {' or '.join(known)}")
        if self.width % self.heads:
            raise ModelError(f"width {self.width} of {self.name} is no multiple of its {self.heads} heads")


class PoolingByAttention(nn.Module):
    """Pool a set by multihead attention of learnt seeds (PMA of the Set Transformer).

    ``h = norm(seed + attention(seed, rff(z), rff(z)))``, ``pooled = norm(h + rff(h))``: a multihead attention
    block between the seeds and the set, rff being a row-wise feed-forward layer.

    Parameters
    ----------
    width, heads
        Of the attention.
    seeds
        Number k of vectors that come out.
    feedforward
        Hidden width of the row-wise layers.
    dropout
        In training.
    """

    def __init__(self, width: int, heads: int, seeds: int, feedforward: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.randn(seeds, width) * width**-0.5)
        self.before = _row_wise(width, feedforward)
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.after = _row_wise(width, feedforward)
        self.norm_after = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn a set (B, n, width), in any order, into (B, seeds, width)."""
        seeds = self.seed.expand(len(x), -1, -1)
        rows = self.before(x)
        pooled, _ = self.attention(seeds, rows, rows, need_weights=False)
        pooled = self.norm(seeds + pooled)
        return self.norm_after(pooled + self.after(pooled))


def masked_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy over the labels that are known.

    Parameters
    ----------
    logits
        Shape (B, T).
    labels
        Shape (B, T): 1 (case), 0 (control), NaN where a person's status isn't known.

    Returns
    -------
    torch.Tensor
        A number; 0, with a gradient of 0, where no label of the batch is known.
    """
    known = ~labels.isnan()
    losses = F.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    # what is unknown is multiplied by zero, not left out, so that an empty batch still has a gradient
    return (losses * known).sum() / known.sum().clamp(min=1)


def _row_wise(width: int, feedforward: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, feedforward), nn.GELU(), nn.Linear(feedforward, width))
