"""Result objects: what they hold, and the files they are kept in."""

# these also register what they write
from phenviz.results import (  # noqa: F401
    expression,
    expression_effects,
    haplotypes,
    measured,
    risk,
    sequences,
    variants,
)
from phenviz.results.covered import exact_intervals, gaps
from phenviz.results.files import LOADABLE_SUFFIXES, load, save
from phenviz.results.schema import (
    base_starts,
    bin_coord,
    bin_size_of,
    context_coords,
    contribution,
    kind_of,
    locus_of,
    phenviz_version,
    position_coord,
    reference_bases,
    result_attrs,
    text_array,
    validate,
)
from phenviz.results.table import tidy
from phenviz.results.tiles import merge_tiles
from phenviz.results.writing import DATA_SUFFIXES, check_suffix

__all__ = [
    "DATA_SUFFIXES",
    "LOADABLE_SUFFIXES",
    "base_starts",
    "bin_coord",
    "bin_size_of",
    "check_suffix",
    "context_coords",
    "contribution",
    "exact_intervals",
    "gaps",
    "kind_of",
    "load",
    "locus_of",
    "merge_tiles",
    "phenviz_version",
    "position_coord",
    "reference_bases",
    "result_attrs",
    "save",
    "text_array",
    "tidy",
    "validate",
]
