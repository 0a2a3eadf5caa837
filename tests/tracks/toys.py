"""Small annotation, contexts and results that the tests of the tracks draw."""

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.genome import Annotation, Context, Locus
from phenviz.results import context_coords, position_coord, result_attrs
from phenviz.tracks import Browser, Pyramid

LENGTH = 1_000_000
N_BINS = -(-LENGTH // 128)
CONTEXTS = (
    Context("Ery", "erythroid", "CL:0000764", "erythroid", "#9c3440"),
    Context("Mono", "monocyte", "CL:0000576", "myeloid", "#039164"),
    Context("B", "B cell", "CL:0000236", "lymphoid", "#553cc1"),
)
LOCUS = Locus("20", 100_000, 150_000)
MUTATED = Locus("20", 120_000, 120_400)
ATTRIBUTED = Locus("20", 110_000, 130_000)


def annotation(n_genes=60, seed=0):
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, LENGTH - 40_000, n_genes))
    ends = starts + rng.integers(500, 40_000, n_genes)
    genes = pd.DataFrame(
        {
            "contig": "20",
            "start": starts,
            "end": ends,
            "strand": rng.choice(["+", "-"], n_genes),
            "gene_name": [f"GENE{number}" for number in range(n_genes)],
            "gene_id": [f"ENSG{number}" for number in range(n_genes)],
            "exon_starts": [np.array([start, end - 100]) for start, end in zip(starts, ends, strict=True)],
            "exon_ends": [np.array([start + 100, end]) for start, end in zip(starts, ends, strict=True)],
        }
    )
    bands = pd.DataFrame(
        [
            ("20", 0, 400_000, "p1", "gneg"),
            ("20", 400_000, 450_000, "p11", "acen"),
            ("20", 450_000, 500_000, "q11", "acen"),
            ("20", 500_000, LENGTH, "q1", "gpos75"),
        ],
        columns=["contig", "start", "end", "name", "stain"],
    )
    places = np.sort(rng.integers(0, LENGTH - 500, 5_000))
    kinds = ["naive B cell", "classical monocyte|fibroblast", "hepatocyte", "T cell|natural killer cell"]
    elements = pd.DataFrame(
        {
            "contig": "20",
            "start": places,
            "end": places + 300,
            "name": [f"E{number}" for number in range(len(places))],
            "cell_types": rng.choice(kinds, len(places)),
        }
    )
    return Annotation(genes, bands, elements)


def sequence(locus):
    return ("ACGTN" * (locus.end // 5 + 1))[locus.start : locus.end]


def browser(locus=LOCUS, **settings):
    return Browser(annotation(), LENGTH, locus=locus, sequence=sequence, contexts=CONTEXTS, **settings)


def mutagenesis(locus=MUTATED, seed=0):
    rng = np.random.default_rng(seed)
    bases = np.array(list(sequence(locus)))
    effect = rng.normal(size=(locus.length, 4, 2)).astype(np.float32)
    for index, base in enumerate("ACGT"):
        effect[bases == base, index] = 0
    effect[bases == "N"] = np.nan
    return xr.Dataset(
        {"effect": (("position", "allele", "context"), effect), "reference": ("position", bases)},
        coords={
            "position": position_coord(np.arange(locus.start, locus.end)),
            "allele": list("ACGT"),
            **context_coords(CONTEXTS[:2]),
        },
        attrs=result_attrs(locus, definition="toy", units="log2 fold change"),
    )


def attribution(locus=ATTRIBUTED, seed=0):
    values = np.random.default_rng(seed).normal(size=locus.length).astype(np.float32)
    return xr.Dataset(
        {"attribution": ("position", values)},
        coords={"position": position_coord(np.arange(locus.start, locus.end))},
        attrs=result_attrs(locus, definition="toy", units="toy", target="toy target", n_steps=32),
    )


def prediction(locus=LOCUS, bin_size=128, seed=0):
    first, last = locus.start // bin_size, locus.end // bin_size
    values = np.random.default_rng(seed).random((len(CONTEXTS), last - first)).astype(np.float32)
    return xr.Dataset(
        {"activity": (("context", "bin"), values)},
        coords={"bin_start": ("bin", np.arange(first, last) * bin_size), **context_coords(CONTEXTS)},
        attrs=result_attrs(locus, definition="toy", units="toy") | {"bin_size": bin_size},
    )


def track(shown, name):
    """Return a track of a browser by the name of its figure, made now if nobody has looked at it."""
    wanted = "mutagenesis" if name in ("contribution", "effects") else name
    return next(track for track in shown._stack.need(wanted) if track.name == name)


def names(shown):
    """Names of the figures on the page, from the top."""
    return [figure.name for figure in shown.layout.children]


def activity(seed=0):
    return Pyramid.of(np.random.default_rng(seed).random((3, N_BINS)).astype(np.float32), 128)


def peaks():
    return pd.DataFrame(
        [("chr20", 110_000, 110_400, "Ery", 5.0), ("chr20", 110_100, 110_300, "Mono", 9.0)],
        columns=["contig", "start", "end", "context", "fold_enrichment"],
    )


def far_out():
    """Browser of a contig so long that a pixel holds far more bins than can be told apart."""
    length = 64_000 * 128
    shown = Browser(annotation(), length, locus=Locus("20", 0, length), contexts=CONTEXTS)
    values = np.ones((3, 64_000), dtype=np.float32)
    values[:, ::50] = 40
    values[1] *= 2
    shown.set_activity(Pyramid.of(values, 128))
    shown.set_observed(peaks())
    return shown, values


def full(**settings):
    shown = browser(**settings)
    shown.set_activity(activity())
    shown.set_observed(peaks())
    shown.set_mutagenesis(mutagenesis())
    shown.set_attribution(attribution())
    return shown
