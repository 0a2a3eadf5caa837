"""Which genes and contexts a trained model looks at, over many people: to hold against what was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_training import scaled
from phenviz.results.tokens import Tokens


def token_importance(phenformer: Phenformer, tokens: Tokens, trait: str, *, batch: int = 64) -> pd.DataFrame:
    """Attribute a trait's logit to the numbers of the gene tokens, by gradient times scaled number.

    Parameters
    ----------
    phenformer
        Trained on these tokens.
    tokens
        Of people.
    trait
        Name.
    batch
        CohortPeople at a time.

    Returns
    -------
    pd.DataFrame
        One row for each gene and context: ``importance``, the mean over people of the size of what that
        number adds to the logit, and ``gene_importance``, the same for the whole token (the embedding, too).
    """
    column, channels = phenformer.trait_index(trait), phenformer.channels
    size = np.zeros((len(phenformer.genes), phenformer.features))
    whole = np.zeros(len(phenformer.genes))
    for start in range(0, len(tokens), batch):
        x = scaled(phenformer, tokens, slice(start, start + batch)).requires_grad_()
        with torch.enable_grad():
            phenformer.from_scaled(x)[:, column].sum().backward()
        assert x.grad is not None
        added = (x * x.grad).detach().cpu().double().numpy()
        added = added if added.ndim == 3 else added.sum(axis=1)
        size += np.abs(added).sum(axis=0)
        whole += np.abs(added.sum(axis=2)).sum(axis=0)
    size, whole = size / max(len(tokens), 1), whole / max(len(tokens), 1)
    contexts = len(phenformer.expression)
    return pd.DataFrame(
        {
            "gene": np.repeat([gene.name for gene in phenformer.genes], contexts),
            "context": np.tile(phenformer.expression, len(phenformer.genes)),
            "importance": size[:, channels:].ravel(),
            "gene_importance": np.repeat(whole, contexts),
        }
    )
