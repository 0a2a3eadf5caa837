"""Scores of variants by a model: computed once, kept in the cache, resumed where they stopped."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.data.cache import cache_dir, write_whole
from phenviz.disease.traits import UNKNOWN_ALTERNATE
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.identity import model_identity
from phenviz.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from phenviz.models import SequenceBackbone

CHUNK = 1_000
_COLUMNS = ["contig", "position", "ref", "alt", "id"]
# (variants, reference, backbone, contexts=, progress=) -> effect and active (variant, context)
Scorer = Callable[..., xr.Dataset]


@dataclass(frozen=True)
class Scores:
    """What a model says about variants.

    Parameters
    ----------
    effect
        Signed log2 fold change of each context, ALT against REF, (n, C); NaN where a variant can't be scored.
    magnitude
        Its size, (n, C). Where the alternate is unknown: the mean of the three alternates' sizes.
    active
        log2(1 + the larger of REF's and ALT's summed activity), (n, C).
    """

    effect: NDArray[np.float32]
    magnitude: NDArray[np.float32]
    active: NDArray[np.float32]


def score_all(
    variants: pd.DataFrame,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context],
    scorer: Scorer,
    progress: Progress = NO_PROGRESS,
) -> Scores:
    """Score variants in contexts; those without a known alternate by all three.

    Parameters
    ----------
    variants
        ``contig``, ``position`` (1-based), ``ref``, ``alt`` (``N`` where unknown).
    scorer
        `phenviz.effects.score_variants`, or something that is called and answers like it.
    """
    expanded, owner = _expanded(variants)
    effect = np.full((len(expanded), len(contexts)), np.nan, np.float32)
    active = effect.copy()
    progress.stage("scoring variants", max(len(expanded), 1))
    for start in range(0, len(expanded), CHUNK):
        some = slice(start, start + CHUNK)
        effect[some], active[some] = _chunk(expanded.iloc[some], reference, backbone, contexts, scorer)
        progress.advance(len(expanded.iloc[some]))
    count = np.bincount(owner, minlength=len(variants)).astype(np.float32)[:, None]

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        total = np.zeros((len(variants), len(contexts)), np.float32)
        np.add.at(total, owner, values)
        return total / count

    return Scores(mean(effect), mean(np.abs(effect)), mean(np.log2(1 + np.maximum(active, 0))))


def _expanded(variants: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Write a variant without a known alternate as three; return the rows and whose they are."""
    table = variants.reindex(columns=_COLUMNS).assign(owner=np.arange(len(variants)))
    unknown = table["alt"] == UNKNOWN_ALTERNATE
    parts = [table[~unknown]]
    for base in "ACGT":
        parts.append(table[unknown & (table["ref"] != base)].assign(alt=base))
    # in the order of the contig, neighbours share a tile
    joined = pd.concat(parts).sort_values(["contig", "position"], kind="stable")
    return joined[_COLUMNS].reset_index(drop=True), joined["owner"].to_numpy(np.intp)


def _chunk(
    table: pd.DataFrame,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context],
    scorer: Scorer,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    names = [context.name for context in contexts]
    if backbone.weights_hash == "unsaved":
        # a model that was never saved has no name of its own to keep scores under
        return _scored(table, reference, backbone, names, scorer)
    text = table[_COLUMNS[:4]].to_csv(index=False, header=False)
    identity = json.dumps([model_identity(backbone), reference.fingerprint, names, _name_of(scorer), text])
    stored = cache_dir("scores") / f"{hashlib.sha256(identity.encode()).hexdigest()[:24]}.npz"
    try:
        with np.load(stored) as kept:
            return kept["effect"], kept["active"]
    except (OSError, ValueError, KeyError, EOFError):
        pass
    effect, active = _scored(table, reference, backbone, names, scorer)
    content = io.BytesIO()
    np.savez_compressed(content, effect=effect, active=active)
    write_whole(stored, content.getvalue())
    return effect, active


def _scored(
    table: pd.DataFrame,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    names: list[str],
    scorer: Scorer,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    found = scorer(table.reset_index(drop=True), reference, backbone, contexts=names)
    effect, active = (
        found[name].transpose("variant", "context").sel(context=names).to_numpy().astype(np.float32)
        for name in ("effect", "active")
    )
    return effect, active


def _name_of(scorer: Scorer) -> str:
    return f"{getattr(scorer, '__module__', '')}.{getattr(scorer, '__qualname__', type(scorer).__name__)}"
