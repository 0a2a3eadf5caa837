"""The tracks of a person's two haplotypes, for ``phenviz personal``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.cli.common import FIGURE_SUFFIXES, wait_for
from phenviz.cli.people import tell_about
from phenviz.errors import ResultError
from phenviz.formats import suffixes_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from phenviz.service import ModelService
    from phenviz.variation import Haplotype, Individual, Unphased
    from phenviz.world import World

TRACK_SUFFIXES = suffixes_of("haplotypes")


def write_tracks(
    world: World,
    locus: str,
    individual: Individual,
    output: Path,
    *,
    contexts: Sequence[str] = (),
    unphased: Unphased = "refuse",
    seed: int = 0,
    device: str = "auto",
) -> tuple[Path, ...]:
    """Predict activity along both haplotypes, beside the reference, and write it.

    Parameters
    ----------
    world
        Reference and model.
    locus
        As a user types it.
    individual
        Whose haplotypes.
    output
        ``.nc``, ``.zarr`` and ``.parquet`` hold all three; of ``.bw`` and ``.bed`` there is one each
        (``out.reference.Ery.bw``, ``out.1.Ery.bw``, ``out.2.Ery.bw``), all in the reference's coordinates.
        ``.svg``, ``.pdf`` and ``.png`` are a figure of them, with the variants that the person carries.
    contexts
        Names, labels, CURIEs or groups; none for all.
    unphased, seed
        What to do about unphased heterozygotes.
    device
        Where the model runs.

    Returns
    -------
    tuple[Path, ...]
        Files written.

    Raises
    ------
    PhenvizError
        What the computation or the disk refused.
    """
    from phenviz.results import locus_of
    from phenviz.results.haplotypes import save_haplotypes
    from phenviz.service import ModelService

    if output.suffix.lower() not in TRACK_SUFFIXES:
        raise ResultError(f"{output} is no file of tracks: end its name with {' '.join(TRACK_SUFFIXES)}")
    with ModelService(world, device=device) as service:
        job = service.submit(
            "personal", locus=locus, sample=individual,
            contexts=list(contexts) or None, unphased=unphased, seed=seed,
        )  # fmt: skip
        dataset, pair = wait_for(job), job.params["haplotypes"]
        tell_about(pair, locus_of(dataset))
        if output.suffix.lower() in FIGURE_SUFFIXES:
            return (_draw(dataset, pair, service, output),)
    return save_haplotypes(dataset, output)


def _draw(dataset: xr.Dataset, pair: Sequence[Haplotype], service: ModelService, output: Path) -> Path:
    from phenviz.figures import personal_figure

    variants = _with_effects(carried_variants([one.variants for one in pair]), dataset, service)
    return personal_figure(dataset, annotation=service.world.annotation, variants=variants).save(output)


def carried_variants(applied: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the variants of both haplotypes, as they were applied: on which of the two each is carried.

    Parameters
    ----------
    applied
        `phenviz.variation.Haplotype.variants` of haplotype 1 and 2.

    Returns
    -------
    pd.DataFrame
        Columns contig, position, ref, alt, haplotype_1, haplotype_2 (1 or 0); sorted.
    """
    import pandas as pd

    key = ["contig", "position", "ref", "alt"]
    listed = [table[key].assign(**{f"haplotype_{n}": 1}) for n, table in enumerate(applied, start=1)]
    joined = pd.concat(listed).groupby(key, as_index=False)[["haplotype_1", "haplotype_2"]].max()
    return joined.fillna(0).astype({"haplotype_1": int, "haplotype_2": int})


def _with_effects(variants: pd.DataFrame, dataset: xr.Dataset, service: ModelService) -> pd.DataFrame:
    """Add the effect in the context where it is largest, of those that are drawn."""
    import numpy as np

    if variants.empty:
        return variants
    contexts = dataset["context"].values.astype(str).tolist()
    how = {"contexts": contexts, "quantiles": False, "private": True}
    scores = wait_for(service.submit("variant_effects", variants=variants, **how))["effect"].values
    largest = np.argmax(np.abs(np.nan_to_num(scores)), axis=1)
    return variants.assign(effect=scores[np.arange(len(scores)), largest])
