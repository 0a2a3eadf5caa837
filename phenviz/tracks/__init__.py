"""Interactive plots: a genome browser of linked tracks, drawn with Bokeh."""

from phenviz.tracks.added_tracks import TrackSources, add_track
from phenviz.tracks.browser import TRACKS, Browser
from phenviz.tracks.effect_map import EffectMap, Forest
from phenviz.tracks.expression_map import ExpressionMap
from phenviz.tracks.haplotypes import PersonalActivity
from phenviz.tracks.ideogram import Ideogram
from phenviz.tracks.logos import AlleleLogos
from phenviz.tracks.people_scatter import PeopleScatter
from phenviz.tracks.personal import PERSONAL_TRACKS, PersonalBrowser
from phenviz.tracks.pyramid import Pyramid, Summary
from phenviz.tracks.volcano import Volcano

__all__ = [
    "PERSONAL_TRACKS",
    "TRACKS",
    "AlleleLogos",
    "Browser",
    "EffectMap",
    "ExpressionMap",
    "Forest",
    "Ideogram",
    "PeopleScatter",
    "PersonalActivity",
    "PersonalBrowser",
    "Pyramid",
    "Summary",
    "TrackSources",
    "Volcano",
    "add_track",
]
