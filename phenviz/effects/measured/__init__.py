"""Predicted expression beside the measured one, over people."""

from phenviz.effects.measured.compare import DEFINITION, compare_gene, join_genes, join_measured
from phenviz.effects.measured.folds import SPLITS
from phenviz.effects.measured.methods import METHODS
from phenviz.effects.measured.people import MeasuredPeople, pair_people

__all__ = [
    "DEFINITION",
    "METHODS",
    "SPLITS",
    "MeasuredPeople",
    "compare_gene",
    "join_genes",
    "join_measured",
    "pair_people",
]
