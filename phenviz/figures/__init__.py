"""Publication figures: components over a locus, as SVG, PDF or PNG."""

from phenviz.figures.activity import ActivityAreas, ActivityHeatmap
from phenviz.figures.bases import Attribution, BaseTrack, Contribution, Logo, MutagenesisHeatmap
from phenviz.figures.component import Component
from phenviz.figures.elements import Elements, ObservedPeaks
from phenviz.figures.explore import explore_figure, figure_of
from phenviz.figures.figure import FIGURE_SUFFIXES, ONE_COLUMN_MM, TWO_COLUMNS_MM, LocusFigure
from phenviz.figures.genes import Genes
from phenviz.figures.marks import Highlights, Overlay, VariantMarks
from phenviz.figures.position import Ideogram, Ruler

__all__ = [
    "FIGURE_SUFFIXES",
    "ONE_COLUMN_MM",
    "TWO_COLUMNS_MM",
    "ActivityAreas",
    "ActivityHeatmap",
    "Attribution",
    "BaseTrack",
    "Component",
    "Contribution",
    "Elements",
    "Genes",
    "Highlights",
    "Ideogram",
    "LocusFigure",
    "Logo",
    "MutagenesisHeatmap",
    "ObservedPeaks",
    "Overlay",
    "Ruler",
    "VariantMarks",
    "explore_figure",
    "figure_of",
]
