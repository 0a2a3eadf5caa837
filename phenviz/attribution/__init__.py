"""Which bases matter: exact mutagenesis, edits, integrated gradients, saliency, and the motifs in them."""

from phenviz.attribution.coarse import mutagenesis_coarse_to_fine
from phenviz.attribution.edits import ablate, insert, substitute, swap
from phenviz.attribution.gradients import integrated_gradients, integrated_gradients_each, saliency
from phenviz.attribution.marginal import marginalize
from phenviz.attribution.motifs import control_motifs, count_motifs, find_motifs
from phenviz.attribution.mutagenesis import mutagenesis
from phenviz.attribution.targets import Target

__all__ = [
    "Target",
    "ablate",
    "control_motifs",
    "count_motifs",
    "find_motifs",
    "insert",
    "integrated_gradients",
    "integrated_gradients_each",
    "marginalize",
    "mutagenesis",
    "mutagenesis_coarse_to_fine",
    "saliency",
    "substitute",
    "swap",
]
