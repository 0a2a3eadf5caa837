"""Search an example for motifs once: ``python -m phenviz.attribution.precompile_motif_search MOTIFS.meme``.

The first search on a machine compiles for most of a minute and keeps the result on disk. In a process of its
own, at low priority, that holds up nobody.
"""

from __future__ import annotations

import os
import sys
from functools import cache

import numpy as np
import xarray as xr

from phenviz.attribution.motifs import find_motifs
from phenviz.genome.locus import Locus
from phenviz.results import position_coord, result_attrs


@cache
def search_an_example(motifs: str | os.PathLike[str]) -> None:
    """Search 400 random bases, of which some stand out, for the motifs of a MEME file."""
    rng = np.random.default_rng(0)
    track = rng.normal(size=400).astype("float32")
    track[200:212] += 8
    example = xr.Dataset(
        {
            "attribution": ("position", track),
            "reference": ("position", rng.choice(list("ACGT"), size=400)),
        },
        coords={"position": position_coord(np.arange(400))},
        attrs=result_attrs(Locus("20", 0, 400), definition="an example", units="none"),
    )
    find_motifs(example, motifs)


def has_searched() -> bool:
    """Whether this process has searched an example: there is nothing left to compile."""
    return search_an_example.cache_info().currsize > 0


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(5)
    search_an_example(sys.argv[1])
