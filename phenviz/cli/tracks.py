"""The tracks of a person's two haplotypes, for ``phenviz personal``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.cli.common import wait_for
from phenviz.errors import ResultError

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.world import World

TRACK_SUFFIXES = (".bw", ".bed", ".nc", ".zarr", ".parquet")


def write_tracks(
    world: World,
    locus: str,
    sample: str,
    output: Path,
    *,
    vcf: str | None = None,
    contexts: Sequence[str] = (),
    unphased: str = "refuse",
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
    sample
        Whose haplotypes.
    output
        ``.nc``, ``.zarr`` and ``.parquet`` hold all three; of ``.bw`` and ``.bed`` there is one each
        (``out.reference.Ery.bw``, ``out.1.Ery.bw``, ``out.2.Ery.bw``), all in the reference's coordinates.
    vcf
        File of genotypes; None for the world's own individuals.
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
    from phenviz.results import save
    from phenviz.service import ModelService

    if output.suffix.lower() not in TRACK_SUFFIXES:
        raise ResultError(f"{output} is no file of tracks: end its name with {' '.join(TRACK_SUFFIXES)}")
    with ModelService(world, device=device) as service:
        job = service.submit(
            "personal", locus=locus, sample=sample, individuals=vcf, contexts=list(contexts) or None,
            unphased=unphased, seed=seed,
        )  # fmt: skip
        dataset = wait_for(job)
    if output.suffix.lower() not in (".bw", ".bed"):
        return save(dataset, output)
    return tuple(
        path
        for name in dataset["haplotype"].values.tolist()
        for path in save(_one(dataset, name), output.with_name(f"{output.stem}.{name}{output.suffix}"))
    )


def _one(dataset: xr.Dataset, haplotype: str) -> xr.Dataset:
    """Return one haplotype as a prediction of its own."""
    return dataset.sel(haplotype=haplotype, drop=True).assign_attrs(haplotype=haplotype)
