"""Which motif a variant makes or breaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pandas as pd

from phenviz.results.display import MotifMatch

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles

CHANGE_COLUMNS = ["change", "motif", "motif_id", "start", "end", "score", "p_value"]


def changed_motifs(both: BothAlleles, motifs: str | os.PathLike[str], context: str) -> pd.DataFrame:
    """List the motifs over a variant that only one of its alleles has.

    Parameters
    ----------
    both
        Mutagenesis of both alleles around the variant.
    motifs
        Known motifs in MEME format.
    context
        Context whose contributions call the motifs.

    Returns
    -------
    pd.DataFrame
        `CHANGE_COLUMNS`, best match first: change is ``lost`` (REF has it), ``gained`` (ALT has it) or
        ``kept`` (both); start and end (0-based) are those of the allele's own sequence.
    """
    from phenviz.attribution import find_motifs

    hits = []
    for dataset, (first, last) in (
        (both.reference, both.reference_span),
        (both.alternate, both.alternate_span),
    ):
        found = find_motifs(dataset, motifs, contexts=[context])
        # an empty interval stands between two bases: a motif over it has both
        over = (found["start"] < max(last, first + 1)) & (found["end"] > min(first, last - 1))
        hits.append(found[over])
    lost, gained = hits
    both_have = set(lost["motif_id"]) & set(gained["motif_id"])
    tables = [
        lost.assign(change=["kept" if name in both_have else "lost" for name in lost["motif_id"]]),
        gained[~gained["motif_id"].isin(both_have)].assign(change="gained"),
    ]
    return pd.concat(tables).sort_values("p_value", ignore_index=True)[CHANGE_COLUMNS]


def motif_matches(hits: pd.DataFrame) -> list[MotifMatch]:
    """Return where motifs of `changed_motifs` lie, the best match of each name."""
    best = hits.drop_duplicates("motif")
    return [MotifMatch(int(hit.start), int(hit.end), str(hit.motif)) for hit in best.itertuples(index=False)]
