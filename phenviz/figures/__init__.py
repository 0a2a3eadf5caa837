"""Publication figures: components over a locus, as SVG, PDF or PNG."""

from phenviz.figures.activity import ActivityAreas, ActivityHeatmap
from phenviz.figures.bases import Attribution, BaseTrack, Contribution, Logo, MutagenesisHeatmap
from phenviz.figures.chart import Chart
from phenviz.figures.component import Component
from phenviz.figures.disease import bars_figure, forest_figure, heatmap_figure
from phenviz.figures.disease_slide import slide_figure
from phenviz.figures.elements import Elements, ObservedHeatmap, ObservedPeaks
from phenviz.figures.explore import explore_figure, figure_of, personal_figure
from phenviz.figures.expression import expression_effects_figure, expression_figure
from phenviz.figures.figure import LocusFigure
from phenviz.figures.genes import Genes
from phenviz.figures.haplotypes import CarriedVariants, HaplotypeDifference, HaplotypeTracks
from phenviz.figures.marks import Highlights, Overlay, VariantMarks
from phenviz.figures.measured import measured_figure
from phenviz.figures.paper import FIGURE_SUFFIXES, ONE_COLUMN_MM, TWO_COLUMNS_MM
from phenviz.figures.position import Ideogram, Ruler
from phenviz.figures.screen import personal_screen_figure, screen_figure
from phenviz.figures.variants import variant_forest, variants_figure, variants_heatmap

__all__ = [
    "FIGURE_SUFFIXES",
    "ONE_COLUMN_MM",
    "TWO_COLUMNS_MM",
    "ActivityAreas",
    "ActivityHeatmap",
    "Attribution",
    "BaseTrack",
    "CarriedVariants",
    "Chart",
    "Component",
    "Contribution",
    "Elements",
    "Genes",
    "HaplotypeDifference",
    "HaplotypeTracks",
    "Highlights",
    "Ideogram",
    "LocusFigure",
    "Logo",
    "MutagenesisHeatmap",
    "ObservedHeatmap",
    "ObservedPeaks",
    "Overlay",
    "Ruler",
    "VariantMarks",
    "bars_figure",
    "explore_figure",
    "expression_effects_figure",
    "expression_figure",
    "figure_of",
    "forest_figure",
    "heatmap_figure",
    "measured_figure",
    "personal_figure",
    "personal_screen_figure",
    "screen_figure",
    "slide_figure",
    "variant_forest",
    "variants_figure",
    "variants_heatmap",
]
