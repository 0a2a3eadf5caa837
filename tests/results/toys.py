"""Small results as the computations return them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.results import bin_coord, context_coords, position_coord, result_attrs

CONTEXTS = (
    Context("HSC", "haematopoietic stem cell", "CL:0000037", "progenitors", "#7f7f7f"),
    Context("GMP-A", "granulocyte-monocyte progenitor A", "CL:0000557", "progenitors", "#7f7f7f"),
    Context("Ery", "erythroid", "CL:0000764", "erythroid", "#d62728"),
)
LOCUS = Locus("20", 42_984_160, 42_984_460)


class ToyBackbone:
    name, weights_hash, bin_size = "toy", "0123456789abcdef", 128


class ToyReference:
    assembly = "GRCh37"
    contigs = {"20": 63_025_520}  # noqa: RUF012


def make_prediction(locus: Locus = LOCUS, contexts=CONTEXTS, seed: int = 0) -> xr.Dataset:
    bin_start = np.arange(locus.start // 128 * 128, locus.end, 128)
    values = np.random.default_rng(seed).gamma(0.7, 2.0, (len(contexts), len(bin_start))).astype(np.float32)
    return xr.Dataset(
        {"activity": (("context", "bin"), values)},
        coords={"bin_start": bin_coord(bin_start), **context_coords(contexts)},
        attrs=result_attrs(
            locus, ToyBackbone(), ToyReference(), definition="fold change", units="fold change"
        ),
    )


def make_mutagenesis(locus: Locus = LOCUS, contexts=CONTEXTS, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, locus.length)
    effect = rng.normal(0, 0.1, (locus.length, 4, len(contexts))).astype(np.float32)
    effect[np.arange(locus.length), codes] = 0.0
    unknown = locus.length // 2
    codes[unknown], effect[unknown] = 4, np.nan
    return xr.Dataset(
        {
            "effect": (("position", "allele", "context"), effect),
            "reference": ("position", np.array(list("ACGTN"))[codes]),
        },
        coords={
            "position": position_coord(np.arange(locus.start, locus.end)),
            "allele": ("allele", list("ACGT")),
            **context_coords(contexts),
        },
        attrs=result_attrs(
            locus, ToyBackbone(), ToyReference(),
            definition="log2(1 + sum ALT) - log2(1 + sum REF) over 501 bp", units="log2 fold change",
        ),
    )  # fmt: skip


def make_attribution(locus: Locus = LOCUS, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    values = rng.standard_t(2.0, locus.length).astype(np.float32) * 0.01
    return xr.Dataset(
        {
            "attribution": ("position", values),
            "reference": ("position", np.array(list("ACGT"))[rng.integers(0, 4, locus.length)]),
        },
        coords={"position": position_coord(np.arange(locus.start, locus.end))},
        attrs=result_attrs(
            locus, ToyBackbone(), ToyReference(),
            definition="integrated gradients of Ery activity", units="activity", target="Ery activity",
            baseline="zero", n_steps=32,
        ),
    )  # fmt: skip
