"""Result objects: what they hold, and the files they are kept in."""

from phenviz.results.files import DATA_SUFFIXES, LOADABLE_SUFFIXES, check_suffix, load, save
from phenviz.results.schema import (
    bin_size_of,
    context_coords,
    contribution,
    kind_of,
    locus_of,
    phenviz_version,
    reference_bases,
    result_attrs,
    text_array,
    validate,
)
from phenviz.results.stretches import exact_stretches, gaps
from phenviz.results.table import tidy
from phenviz.results.tiles import merge_tiles

__all__ = [
    "DATA_SUFFIXES",
    "LOADABLE_SUFFIXES",
    "bin_size_of",
    "check_suffix",
    "context_coords",
    "contribution",
    "exact_stretches",
    "gaps",
    "kind_of",
    "load",
    "locus_of",
    "merge_tiles",
    "phenviz_version",
    "reference_bases",
    "result_attrs",
    "save",
    "text_array",
    "tidy",
    "validate",
]
