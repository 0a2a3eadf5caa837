"""Where the motif stem starts from: known binding motifs that differ from each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.data.motifs import read_motifs

# Factors that decide blood fates, and those that mark open chromatin everywhere; taken before any other.
BLOOD_FACTORS = tuple(
    """
    GATA1 GATA2 SPI1 SPIB CEBPA CEBPB RUNX1 RUNX3 EBF1 PAX5 NFE2 TCF7 LEF1 ETS1 ERG FLI1 ELF1 ELK4 GABPA
    IRF1 IRF4 IRF8 IRF2 STAT1 STAT3 KLF1 KLF4 SP1 CTCF NRF1 NFYA NFYB JUN FOS BATF BATF3 JUNB MAFK BACH2
    TAL1::TCF3 MEF2C MEF2A POU2F2 POU2F1 EOMES TBX21 GATA1::TAL1 TCF3 TCF12 ID4 ZEB1 MYB RELA REL NFKB1
    EGR1 RORA RARA RXRA NR4A1 HOXA9 MEIS1 HLF NFIL3 ATF4 DDIT3::CEBPA CREB1 YY1 ZNF143 REST MYC USF1
    GFI1 GFI1B IKZF1 BCL6 TFAP2A FOXO1 FOXP3 PRDM1 SREBF1 BCL11A NFATC2 SRF ZBTB7A TFEC MITF HIF1A PPARG
    RREB1 ZBTB33 E2F1 E2F6 MAF MAFB STAT5A STAT6 VDR
    """.split()
)

# largest similarity to a chosen motif that a blood factor, or another motif, may have
_NEAR, _FAR = 0.93, 0.8

Matrix = NDArray[np.float64]


def starting_filters(path: str | Path, n: int, width: int) -> NDArray[np.float32]:
    """Choose up to ``n`` motifs that differ, those of blood first, and write them as filters of unit norm.

    Parameters
    ----------
    path
        MEME file.
    n
        Filters wanted.
    width
        Bases in a filter; a longer motif keeps its most informative interval.

    Returns
    -------
    NDArray[np.float32]
        Log odds against equal bases, centred, shape (chosen, 4, width); fewer than ``n`` where the file
        holds fewer different motifs.
    """
    motifs = read_motifs(path)
    matrices = [motif.frequencies for motif in motifs]
    chosen = choose_motifs([motif.name for motif in motifs], matrices, n, width)
    filters = np.stack([_log_odds(matrices[index], width) for index in chosen])
    return (filters / np.sqrt((filters**2).sum((1, 2), keepdims=True))).astype(np.float32)


def choose_motifs(names: list[str], matrices: list[Matrix], n: int, width: int) -> list[int]:
    """Choose motifs: blood factors unless nearly the same as one before, then ever the most different one.

    Parameters
    ----------
    names, matrices
        Of all motifs.
    n, width
        As in `starting_filters`.
    """
    similarity = motif_similarity(matrices, width)
    chosen: list[int] = []
    for factor in BLOOD_FACTORS:
        for index in (i for i, name in enumerate(names) if name == factor):
            if all(similarity[index, other] < _NEAR for other in chosen):
                chosen.append(index)
                break
    rest = [index for index in range(len(names)) if index not in chosen]
    while rest and len(chosen) < n:
        nearest = similarity[np.ix_(rest, chosen)].max(1) if chosen else np.zeros(len(rest))
        if nearest.min() > _FAR:
            break
        chosen.append(rest.pop(int(nearest.argmin())))
    return chosen[:n]


def motif_similarity(matrices: list[Matrix], width: int) -> Matrix:
    """Correlate every two motifs at their best offset and strand, shape (motifs, motifs)."""
    centred = np.zeros((len(matrices), 4, 3 * width))
    for row, matrix in zip(centred, matrices, strict=True):
        bases = min(width, matrix.shape[1])
        row[:, width : width + bases] = matrix[:, :bases] - 0.25
    norm = np.sqrt((centred**2).sum((1, 2)))
    flat = centred.reshape(len(matrices), -1)
    best = np.full((len(matrices), len(matrices)), -np.inf)
    for strand in (centred, centred[:, ::-1, ::-1]):
        for shift in range(-2 * width, 2 * width + 1):
            best = np.maximum(best, flat @ np.roll(strand, shift, axis=2).reshape(len(matrices), -1).T)
    return best / norm[:, None] / norm[None]


def _log_odds(matrix: Matrix, width: int) -> Matrix:
    odds = np.log2((matrix + 0.01) / 1.04 / 0.25)
    if odds.shape[1] > width:
        frequencies = (matrix + 1e-3) / (matrix + 1e-3).sum(0)
        information = 2 + (frequencies * np.log2(frequencies)).sum(0)
        sums = np.convolve(information, np.ones(width), "valid")
        odds = odds[:, int(sums.argmax()) :][:, :width]
    filled = np.zeros((4, width))
    left = (width - odds.shape[1]) // 2
    filled[:, left : left + odds.shape[1]] = odds
    return filled
