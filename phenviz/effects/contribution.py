"""ISM-style contribution of the bases that variants replace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.effects.dataset import variants_dataset
from phenviz.effects.rows import SCORED, VariantRows, read_rows
from phenviz.effects.score import score_variants
from phenviz.genome.codes import ALPHABET, N_CODE
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.windows import select_contexts
from phenviz.progress import NO_PROGRESS, Progress


def score_contribution(
    variants: pd.DataFrame,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Score how much the reference bases that each variant replaces contribute, whatever replaces them.

    Parameters
    ----------
    variants, reference, backbone, contexts, progress
        As for `phenviz.effects.score_variants`.

    Returns
    -------
    xr.Dataset
        ``contribution`` (variant, context), float32: minus the mean effect of the three alternates of a
        base, summed over the bases that the variant replaces or deletes (what both alleles share doesn't
        count); positive where they support the activity. NaN where nothing is replaced (an insertion), where
        it is all N, and in rows that can't be scored.

    Raises
    ------
    DataError, TargetError, MemoryLimitError
        As `phenviz.effects.score_variants`.
    """
    chosen, _ = select_contexts(backbone, contexts)
    rows = read_rows(variants, reference)
    of, places = _replaced(rows, reference)
    table, number = places.drop_duplicates(ignore_index=True), np.zeros(0, dtype=np.intp)
    if len(places):
        number = pd.MultiIndex.from_frame(table).get_indexer(pd.MultiIndex.from_frame(places))
    changes = score_variants(
        _every_change(table, reference), reference, backbone, contexts=contexts, progress=progress
    )
    per_base = -changes["effect"].values.reshape(len(table), 3, len(chosen)).mean(axis=1)
    contribution = np.zeros((len(rows), len(chosen)), dtype=np.float64)
    np.add.at(contribution, of, per_base[number])
    contribution[~np.isin(np.arange(len(rows)), of)] = np.nan
    return variants_dataset(
        {"contribution": contribution.astype(np.float32)},
        rows,
        chosen,
        reference,
        backbone,
        definition="minus the mean effect of the three alternates of each replaced base, summed over these; "
        f"effect: {changes.attrs['definition']}",
        units=str(changes.attrs["units"]),
    )


def _replaced(rows: VariantRows, reference: ReferenceGenome) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the rows and places (contig, 1-based position) of all known bases that are replaced."""
    of, contigs, positions = [], [], []
    for row in np.flatnonzero(rows.status == SCORED).tolist():
        edit = rows.edits([row])[0].trimmed()
        here = np.arange(edit.start, edit.end)
        here = here[reference.codes(rows.contig[row])[edit.start : edit.end] != N_CODE]
        of.append(np.full(len(here), row))
        contigs += [rows.contig[row]] * len(here)
        positions.append(here + 1)
    none = np.zeros(0, dtype=np.int64)
    table = pd.DataFrame({"contig": contigs, "position": np.concatenate([none, *positions])})
    return np.concatenate([none, *of]), table


def _every_change(places: pd.DataFrame, reference: ReferenceGenome) -> pd.DataFrame:
    letters = np.array(list(ALPHABET))
    ref = [reference.codes(contig)[position - 1] for contig, position in places.itertuples(index=False)]
    codes = np.array(ref, dtype=np.int64)
    others = np.array([[other for other in range(4) if other != code] for code in range(4)])[codes]
    table = places.loc[places.index.repeat(3)].reset_index(drop=True)
    return table.assign(ref=letters[codes].repeat(3), alt=letters[others].reshape(-1))
