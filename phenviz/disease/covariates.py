"""What background variants are matched on: distance to the nearest TSS, GC content, activity, frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.genome import Annotation, ReferenceGenome
from phenviz.genome.codes import N_CODE
from phenviz.genome.intervals import nearest_place
from phenviz.genome.locus import on_contig

GC_WINDOW = 501
# a difference of one of these counts as much as one of another: activity decides, the others steer
SCALES = {"activity": 0.35, "tss_distance": 0.8, "gc": 0.1, "allele_frequency": 0.5}
NO_TSS = 8.0


def covariates(
    variants: pd.DataFrame,
    reference: ReferenceGenome,
    annotation: Annotation,
    activity: NDArray[np.floating],
) -> pd.DataFrame:
    """Describe variants by what could make them differ from others for reasons other than the trait.

    Parameters
    ----------
    variants
        ``contig``, ``position`` (1-based) and, where known, ``allele_frequency``.
    reference, annotation
        Give GC content and transcription starts.
    activity
        Mean over contexts of log2(1 + activity) at each variant, shape (n,).

    Returns
    -------
    pd.DataFrame
        ``activity``; ``tss_distance`` (log10 of 1 + bases to the nearest TSS; 8 where the contig has
        none); ``gc`` (share of G and C among the known bases of 501); ``allele_frequency`` (log10 of the
        minor allele's), only where the variants have that column without gaps.
    """
    found = {
        "activity": np.asarray(activity, dtype=float),
        "tss_distance": tss_distance(variants, annotation),
        "gc": gc_content(variants, reference),
    }
    if "allele_frequency" in variants and variants["allele_frequency"].notna().all() and len(variants):
        frequency = variants["allele_frequency"].to_numpy(float)
        found["allele_frequency"] = np.log10(np.clip(np.minimum(frequency, 1 - frequency), 1e-4, 0.5))
    return pd.DataFrame(found, index=variants.index)


def tss_distance(variants: pd.DataFrame, annotation: Annotation) -> NDArray[np.float64]:
    """Return log10(1 + bases to the nearest TSS) of each variant, shape (n,)."""
    result = np.full(len(variants), NO_TSS)
    for contig, rows in variants.groupby("contig", sort=False).indices.items():
        tss = _starts(annotation, str(contig))
        if len(tss):
            place = variants["position"].to_numpy(np.int64)[rows] - 1
            result[rows] = np.log10(1 + np.abs(place - tss[nearest_place(tss, place)]))
    return result


def nearest_genes(variants: pd.DataFrame, annotation: Annotation) -> NDArray[np.str_]:
    """Return the symbol of the gene with the nearest TSS of each variant ("" where the contig has none)."""
    result = np.full(len(variants), "", dtype=object)
    genes = annotation.genes
    for contig, rows in variants.groupby("contig", sort=False).indices.items():
        own = genes[on_contig(genes["contig"], str(contig))].sort_values("tss", kind="stable")
        if len(own):
            place = variants["position"].to_numpy(np.int64)[rows] - 1
            nearest = nearest_place(own["tss"].to_numpy(np.int64), place)
            result[rows] = own["gene_name"].to_numpy(str)[nearest]
    return result.astype(str)


def gc_content(variants: pd.DataFrame, reference: ReferenceGenome) -> NDArray[np.float64]:
    """Return the share of G and C among the known bases of 501 around each variant, shape (n,)."""
    result = np.full(len(variants), np.nan)
    half = GC_WINDOW // 2
    for contig, rows in variants.groupby("contig", sort=False).indices.items():
        codes = reference.codes(str(contig))
        place = variants["position"].to_numpy(np.int64)[rows] - 1
        columns = place[:, None] + np.arange(-half, half + 1)
        inside = (columns >= 0) & (columns < len(codes))
        window = np.where(inside, codes[np.clip(columns, 0, len(codes) - 1)], N_CODE)
        known = np.maximum((window != N_CODE).sum(1), 1)
        result[rows] = np.isin(window, (1, 2)).sum(1) / known
    return result


def standardise(table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    """Bring covariates onto the scales on which differences are compared, shape (n, columns)."""
    return np.column_stack([table[column].to_numpy(float) / SCALES[column] for column in columns])


def _starts(annotation: Annotation, contig: str) -> NDArray[np.int64]:
    genes = annotation.genes
    own = on_contig(genes["contig"], contig)
    return np.sort(genes.loc[own, "tss"].to_numpy(np.int64))
