"""How large an effect is beside those of common variants."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.data.cache import cache_dir, write_whole
from phenviz.effects.score import score_variants
from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.identity import model_identity
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.sources import content_of

if TYPE_CHECKING:
    from phenviz.variation import Individuals
    from phenviz.world import World

# as the field does it: common variants are mostly harmless
COMMON_FREQUENCY = 0.01
# quantiles down to 1 in 10,000 need no more, and a genome of them would take minutes
MOST_VARIANTS = 20_000
_TILE_BASES = 1_000_000
_SEED = 20_260
# counts up when the same world gives another background than before
_VERSION = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Background:
    """Effects of common variants, to rank others among.

    Parameters
    ----------
    contexts
        Names of the contexts, C.
    effects
        Effects of the variants in each, sorted: (C, variants), float32; without NaN.
    source
        What the variants are, in words.
    """

    contexts: tuple[str, ...]
    effects: NDArray[np.float32]
    source: str

    def quantile(self, effect: NDArray[np.floating], contexts: Sequence[str]) -> NDArray[np.float32]:
        """Return where effects stand among those of the background.

        Parameters
        ----------
        effect
            Shape (..., contexts).
        contexts
            Names of the contexts on the last axis.

        Returns
        -------
        NDArray[np.float32]
            Same shape: ``2 q - 1``, where ``q`` is the share of the background below the effect, and half
            the share that equals it. -1 is below all, 1 above all, 0 in the middle; NaN of NaN.

        Raises
        ------
        DataError
            If the background has no such context.
        """
        if missing := [name for name in contexts if name not in self.contexts]:
            raise DataError(f"the background of common variants has no context {', '.join(missing)}")
        values = np.asarray(effect, dtype=np.float32)
        quantiles = np.full(values.shape, np.nan, dtype=np.float32)
        count = self.effects.shape[1]
        for column, name in enumerate(contexts):
            known = np.isfinite(values[..., column])
            own, row = values[..., column][known], self.effects[self.contexts.index(name)]
            # below and equal count once and half, twice below + equal makes it whole numbers
            twice = np.searchsorted(row, own, "left") + np.searchsorted(row, own, "right")
            quantiles[known, column] = twice / count - 1 if count else np.nan
        return quantiles


def with_quantiles(scores: xr.Dataset, background: Background) -> xr.Dataset:
    """Add ``quantile`` (variant, context) to the result of `phenviz.effects.score_variants`."""
    names = [str(name) for name in scores["context"].values]
    added = scores.assign(
        quantile=(("variant", "context"), background.quantile(scores["effect"].values, names))
    )
    added["quantile"].attrs["definition"] = (
        f"2 q - 1, q = rank of the effect (ties in the middle) among {background.source}"
    )
    return added


def background_of(scores: xr.Dataset, source: str) -> Background:
    """Make a background of scored variants; those that couldn't be scored are left out."""
    effects = scores["effect"].values
    kept = np.isfinite(effects).all(axis=1)
    names = tuple(str(name) for name in scores["context"].values)
    return Background(names, np.sort(effects[kept].T, axis=1), source)


def world_background(
    world: World,
    *,
    score: Callable[[pd.DataFrame], xr.Dataset] | None = None,
    progress: Progress = NO_PROGRESS,
) -> Background | None:
    """Return the background of a world: the common variants of its individuals, scored in all contexts.

    It is computed once and kept in the cache, under the hash of the model, the reference and the file of
    individuals.

    Parameters
    ----------
    world
        Gives individuals, reference and backbone.
    score
        Scores the variants; `phenviz.effects.score_variants` with the world's backbone by default.
    progress
        Of the first time.

    Returns
    -------
    Background or None
        None where the world has no individuals, or they have no common variant.
    """
    key = background_key(world, world.backbone)
    if world.individuals is None or key is None:
        return None
    path = cache_dir("quantiles") / f"{key}.npz"
    known = _read(path)
    if known is None:
        variants = common_variants(world.individuals, world.reference, progress=progress)
        if score is None:
            scores = score_variants(variants, world.reference, world.backbone, progress=progress)
        else:
            scores = score(variants)
        source = (
            f"{len(variants):,} variants with a minor allele frequency above {COMMON_FREQUENCY:.0%} among "
            f"{len(world.individuals.samples):,} individuals of world {world.name!r}"
        )
        known = background_of(scores, source)
        write_whole(path, _packed(known))
    return known if known.effects.shape[1] else None


def background_work(key: str | None) -> int:
    """Return how many variants are scored for a background at most; 0 if it is kept, or there is none."""
    here = key is None or (cache_dir("quantiles") / f"{key}.npz").is_file()
    return 0 if here else MOST_VARIANTS


def common_variants(
    individuals: Individuals,
    reference: ReferenceGenome,
    *,
    frequency: float = COMMON_FREQUENCY,
    most: int = MOST_VARIANTS,
    progress: Progress = NO_PROGRESS,
) -> pd.DataFrame:
    """Collect variants whose minor allele is more frequent than a limit.

    Intervals of the genome are read in a fixed random order until enough variants are found, so that a few
    thousand variants stand for all of them.

    Parameters
    ----------
    individuals
        Whose alleles count.
    reference
        Gives the contigs.
    frequency
        Lower limit, exclusive.
    most
        Reading stops when there are so many.
    progress
        Updated after each interval.

    Returns
    -------
    pd.DataFrame
        Variants with ``allele_frequency`` (of ALT), sorted.
    """
    intervals = [
        Locus(contig, start, min(start + _TILE_BASES, length))
        for contig, length in reference.contigs.items()
        for start in range(0, length, _TILE_BASES)
    ]
    found, count = [], 0
    progress.stage("looking for common variants", len(intervals))
    for index in np.random.default_rng(_SEED).permutation(len(intervals)):
        table = individuals.allele_counts(intervals[index], by=None)
        if len(table):
            alternate = table["allele_frequency"]
            begins = table["position"] - 1 >= intervals[index].start
            common = np.minimum(alternate, 1 - alternate) > frequency
            found.append(table[common & begins])
            count += len(found[-1])
        progress.advance()
        if count >= most:
            break
    columns = ["contig", "position", "ref", "alt", "id", "allele_frequency"]
    if not found:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns}).astype({"position": int})
    joined = pd.concat(found, ignore_index=True)[columns]
    return joined.sort_values(["contig", "position", "ref", "alt"], ignore_index=True)


def background_key(world: World, backbone: SequenceBackbone) -> str | None:
    """Name the background of a world and a backbone: another model or file of individuals has another one.

    Returns
    -------
    str or None
        None where the world has no individuals.
    """
    if world.individuals is None:
        return None
    files = [content_of(path) for path in world.project.individuals]
    parts = [
        _VERSION, COMMON_FREQUENCY, MOST_VARIANTS, model_identity(backbone),
        world.reference.fingerprint, files,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _packed(background: Background) -> bytes:
    content = io.BytesIO()
    np.savez(
        content,
        contexts=np.array(background.contexts, dtype=str),
        effects=background.effects,
        source=np.array(background.source, dtype=str),
    )
    return content.getvalue()


def _read(path: Path) -> Background | None:
    """Read a kept background; None if there is none, or it is damaged."""
    try:
        # read whole: NumPy leaves the file of a damaged archive open
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            contexts = tuple(str(name) for name in kept["contexts"])
            background = Background(contexts, kept["effects"], str(kept["source"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("background %s is damaged (%s): it is computed again", path.name, error)
        return None
    if background.effects.ndim != 2 or len(contexts) != len(background.effects):
        logger.warning("background %s has an odd shape: it is computed again", path.name)
        return None
    return background
