"""What variants change: in the activity of every context, in genes' expression, in a person's two genomes."""

from phenviz.effects.contribution import score_contribution
from phenviz.effects.dataset import join_scores
from phenviz.effects.expression import join_expression, score_expression, score_gene
from phenviz.effects.personal import predict_cohort, predict_haplotypes
from phenviz.effects.personal_expression import predict_expression
from phenviz.effects.quantiles import (
    Background,
    background_of,
    common_variants,
    with_quantiles,
    world_background,
)
from phenviz.effects.score import score_variants

__all__ = [
    "Background",
    "background_of",
    "common_variants",
    "join_expression",
    "join_scores",
    "predict_cohort",
    "predict_expression",
    "predict_haplotypes",
    "score_contribution",
    "score_expression",
    "score_gene",
    "score_variants",
    "with_quantiles",
    "world_background",
]
