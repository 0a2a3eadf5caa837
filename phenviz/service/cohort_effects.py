"""Effects of a cohort's variants on gene tokens: computed once by jobs of the service, and kept."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from phenviz.models.phenformer import GeneSite
from phenviz.models.token_layout import WINDOW, readout_named

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.service.service import ModelService

# whose sums are made at a time
_PEOPLE_AT_ONCE = 1_000


def token_effects(
    service: ModelService,
    variants: pd.DataFrame,
    genes: Sequence[GeneSite],
    window: int = WINDOW,
    readout: str | None = None,
) -> xr.Dataset:
    """Return the effects of variants on gene tokens, by a private job."""
    job = service.submit("token_effects", variants=variants, genes=genes, window=window, readout=readout)
    return job.result()


def summed_effects(carried_by: sparse.csr_array, effects: xr.Dataset, genes: int) -> NDArray[np.float32]:
    """Sum the effects of what is carried.

    Parameters
    ----------
    carried_by
        Copies of each variant, (variants, people or haplotypes).
    effects
        As `phenviz.effects.token_effects.score_tokens` returns them, of these variants.
    genes
        How many genes they are on.

    Returns
    -------
    NDArray[np.float32]
        Shape (people or haplotypes, genes, F).
    """
    row, gene, effect = (effects[name].values for name in ("row", "gene_index", "effect"))
    people = carried_by.shape[1]
    summed = np.zeros((people, genes, effect.shape[1]), dtype=np.float32)
    for number in range(genes):
        own = np.flatnonzero(gene == number)
        if len(own):
            # one byte for what is carried, and only some people's as numbers that can be multiplied
            by_person = carried_by[row[own]].T.tocsr()
            for start in range(0, people, _PEOPLE_AT_ONCE):
                some = slice(start, start + _PEOPLE_AT_ONCE)
                summed[some, number] = by_person[some].astype(np.float32) @ effect[own]
    return summed


def cached_effects(
    service: ModelService,
    folder: Path,
    variants: pd.DataFrame,
    group: Sequence[GeneSite],
    window: int,
    readout: str | None,
) -> xr.Dataset:
    """Return the effects of a group's variants from the folder, or compute them once."""
    world = service.world
    digest = hashlib.sha256()
    table = variants[["contig", "position", "ref", "alt"]].astype(str)
    digest.update("\n".join(table.agg("\t".join, axis=1).tolist() if len(table) else []).encode())
    chosen = readout_named(world.readout, readout)
    weights = None if chosen is None else chosen.weights_hash
    digest.update(repr((tuple(group), window, world.backbone.weights_hash, weights)).encode())
    path = folder / digest.hexdigest()[:20]
    if (path / "zarr.json").is_file():
        return _read_effects(path)
    found = token_effects(service, variants, group, window, readout)
    _write_effects(path, found)
    return found


_ARRAYS = {"row": ("pair",), "gene_index": ("pair",), "effect": ("pair", "feature"),
           "reference_token": ("gene", "feature")}  # fmt: skip


def _write_effects(path: Path, found: xr.Dataset) -> None:
    import zarr

    # under its own name only when it is whole; two workers may come to the same variants at once
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    root = zarr.open_group(str(beside), mode="w")
    for name in _ARRAYS:
        values = found[name].values
        root.create_array(name, shape=values.shape, dtype=values.dtype, chunks=_chunks(values.shape))[...] = (
            values
        )
    names = {name: found[name].values.tolist() for name in ("gene", "feature")}
    kept = {name: found.attrs[name] for name in ("definition", "skipped", "channels")}
    root.attrs.update({**names, **kept})
    try:
        beside.rename(path)
    except OSError:
        if not (path / "zarr.json").is_file():
            raise
        shutil.rmtree(beside, ignore_errors=True)


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(min(size, 65_536), 1) for size in shape)


def _read_effects(path: Path) -> xr.Dataset:
    import xarray as xr
    import zarr

    root: Any = zarr.open_group(str(path), mode="r")
    attrs = dict(root.attrs)
    coords = {"gene": attrs.pop("gene"), "feature": attrs.pop("feature")}
    values = {name: (dims, np.asarray(root[name][...])) for name, dims in _ARRAYS.items()}
    return xr.Dataset(values, coords=coords, attrs=attrs)
