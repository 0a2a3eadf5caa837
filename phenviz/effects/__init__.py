"""What variants change: in the activity of every context, in genes' expression, in a person's two genomes."""

from phenviz.effects.score import iter_scores, score_variants

__all__ = ["iter_scores", "score_variants"]
