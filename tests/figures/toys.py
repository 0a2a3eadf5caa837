"""A made-up annotation with more genes than have room."""

from __future__ import annotations

import numpy as np
import pandas as pd

from phenviz.genome import Annotation

ELEMENTS = pd.DataFrame(
    {
        "contig": "20",
        "start": [1_000, 3_000, 60_000],
        "end": [1_400, 3_600, 60_500],
        "name": ["e1", "e2", "e3"],
        "cell_types": ["erythroid|neuron", "neuron", "hematopoietic stem cell"],
    }
)
BANDS = pd.DataFrame(
    {
        "contig": "20",
        "start": [0, 40_000_000, 42_000_000],
        "end": [40_000_000, 42_000_000, 63_025_520],
        "name": ["p1", "q11", "q12"],
        "stain": ["gneg", "acen", "gpos50"],
    }
)


def make_genes(count: int = 12, spread: int = 100_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, spread, count))
    lengths = rng.integers(300, spread // 4, count)
    return pd.DataFrame(
        {
            "contig": "20",
            "start": starts,
            "end": starts + lengths,
            "strand": rng.choice(["+", "-"], count),
            "gene_name": [f"GENE{index}" for index in range(count)],
            "gene_id": [f"ENSG{index}" for index in range(count)],
            "exon_starts": [
                [start, start + length - 100] for start, length in zip(starts, lengths, strict=True)
            ],
            "exon_ends": [
                [start + 100, start + length] for start, length in zip(starts, lengths, strict=True)
            ],
        }
    )


def make_annotation(count: int = 12, spread: int = 100_000) -> Annotation:
    return Annotation(make_genes(count, spread), BANDS, ELEMENTS)
