"""Interactive plots: a genome browser of linked tracks, drawn with Bokeh."""

from phenviz.tracks.pyramid import Pyramid, Summary

__all__ = ["Pyramid", "Summary"]
