"""Interactive plots: a genome browser of linked tracks, drawn with Bokeh."""

from phenviz.tracks.browser import TRACKS, Browser
from phenviz.tracks.ideogram import Ideogram
from phenviz.tracks.pyramid import Pyramid, Summary

__all__ = ["TRACKS", "Browser", "Ideogram", "Pyramid", "Summary"]
