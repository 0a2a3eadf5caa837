"""Result objects: what they hold, and the files they are kept in."""

from phenviz.results.schema import (
    bin_size_of,
    context_coords,
    contribution,
    kind_of,
    locus_of,
    phenviz_version,
    reference_bases,
    result_attrs,
    validate,
)
from phenviz.results.tiles import merge_tiles

__all__ = [
    "bin_size_of",
    "context_coords",
    "contribution",
    "kind_of",
    "locus_of",
    "merge_tiles",
    "phenviz_version",
    "reference_bases",
    "result_attrs",
    "validate",
]
