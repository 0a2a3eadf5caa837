"""Which bases matter: exact mutagenesis, integrated gradients, saliency, and the motifs in them."""

from phenviz.attribution.gradients import integrated_gradients, integrated_gradients_each, saliency
from phenviz.attribution.motifs import control_motifs, count_motifs, find_motifs, read_motifs
from phenviz.attribution.mutagenesis import mutagenesis
from phenviz.attribution.targets import Target

__all__ = [
    "Target",
    "control_motifs",
    "count_motifs",
    "find_motifs",
    "integrated_gradients",
    "integrated_gradients_each",
    "mutagenesis",
    "read_motifs",
    "saliency",
]
