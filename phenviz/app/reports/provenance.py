"""What every report says: how it was computed, on which data, under which terms, and whom to cite."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import xarray as xr

from phenviz.data.manifests import Pack, embedded_manifest, find_pack, sha256_of
from phenviz.data.model_terms import terms_of_models
from phenviz.disease.simulated import is_simulated
from phenviz.figures.report import Block, Notice, Section, Table, Words
from phenviz.results import phenviz_version

if TYPE_CHECKING:
    from phenviz.data.manifests import DataFile
    from phenviz.service import Job
    from phenviz.world import World

_LIBRARIES = ("torch", "numpy", "xarray", "captum", "tangermeme")
# larger files aren't read once more to name their checksum
_LARGEST_HASHED = 512 * 2**20
NOT_CLINICAL = "For research. Not for clinical use."
SIMULATED = (
    "these data are made up, to show how the methods work: nobody and nothing was measured, and no number "
    "says anything about biology."
)
PREDICTED = (
    "Everything here but what is called measured is predicted from sequence by a model: a hypothesis for an "
    "experiment, not a measurement."
)
OF_THE_MODEL = (
    "The model sees sequence alone. What differs between cells of one type (their state, stimulation, age, "
    "methylation) it can't know, and variants far from what they act on may be missed.",
    "Models of this kind explain differences between genes and between loci much better than those between "
    "people, and often get the direction of a personal effect on expression wrong (Huang 2023, Sasse 2023).",
)


class Ask(Protocol):
    """Has a job of the model service done, and waits for its result."""

    def __call__(self, kind: str, /, **params: Any) -> xr.Dataset:
        """Return the result of a job of a kind."""


def asking(submit: Callable[..., Job]) -> Ask:
    """Return what has a job done by ``submit``, such as a service's, and waits for its result."""

    def ask(kind: str, /, **params: Any) -> xr.Dataset:
        return submit(kind, **params).result()

    return ask


def notices(world: World, results: Iterable[xr.Dataset | None], *more: Notice) -> list[Notice]:
    """Say what a reader has to know first: simulated, private, under terms; and what it isn't for."""
    told = [Notice("SIMULATED:", SIMULATED)] if any(is_made_up(one) for one in results) else []
    terms = [
        Notice("Not for commercial use:" if not terms.commercial else "Terms:", f"{path.name}: {terms}")
        for path, terms in terms_of_models(world.project)
    ]
    return [*told, *more, *terms, Notice("", f"{PREDICTED} {NOT_CLINICAL}")]


def is_made_up(result: xr.Dataset | None) -> bool:
    """Tell whether a result is of simulated people or traits, or of a model that learnt from such."""
    if result is None:
        return False
    told = result.attrs
    of_traits = is_simulated(str(told.get("source", "")))
    return bool(int(told.get("simulated", 0))) or of_traits or "simulated" in str(told.get("cohort", ""))


def footer() -> str:
    """Return the last line: when the report was written."""
    today = datetime.now(UTC)
    return f"Written on {today.day} {today:%B %Y}. {NOT_CLINICAL}"


def provenance(
    world: World,
    results: Sequence[xr.Dataset | None],
    *,
    packs: Iterable[str] = (),
    files: Iterable[tuple[str, Path]] = (),
    people: bool = False,
) -> Section:
    """Name versions and checksums of the package, the models and the data, and what to cite.

    Parameters
    ----------
    world
        Whose reference, annotation and models were used.
    results
        Whose attributes name the models.
    packs
        Names of data packs that were used besides.
    files
        Files that were used besides: what each is, and where.
    people
        Whether the world's individuals were looked at.
    """
    used_files = [*_files_of(world).items(), *files]
    used_files += [("Individuals", path) for path in world.project.individuals] if people else []
    rows = [_row(what, path) for what, path in used_files if path.exists()]
    used = [find_pack(name) for name in dict.fromkeys(packs)]
    rows += [_row_of_pack(pack) for pack in used]
    blocks: list[Block] = [
        Table.of_facts(_versions(world, [one for one in results if one is not None])),
        Table(["Data", "File", "Source", "Licence", "SHA-256"], rows, caption="Data that were used"),
        Words(_citations(used), "To cite"),
    ]
    return Section("Versions, data and citation", blocks, small=True)


def _versions(world: World, results: Sequence[xr.Dataset]) -> dict[str, str]:
    models = dict.fromkeys(
        f"{one.attrs['model']} (weights {one.attrs['model_hash']})"
        for one in results
        if "model_hash" in one.attrs
    )
    readouts = dict.fromkeys(str(one.attrs["readout"]) for one in results if "readout" in one.attrs)
    made_with = dict.fromkeys(str(one.attrs["phenviz_version"]) for one in results)
    libraries = ", ".join(f"{name} {found}" for name in _LIBRARIES if (found := _installed(name)))
    facts = {
        "PhenViz": ", ".join(made_with) or phenviz_version(),
        "Sequence model": "; ".join(models) or "none",
        "Gene readout": "; ".join(readouts),
        "World": f"{world.name}, {world.assembly}",
        "Software": f"Python {platform.python_version()}, {libraries}",
    }
    return {name: value for name, value in facts.items() if value}


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _files_of(world: World) -> dict[str, Path]:
    project = world.project
    listed = {
        "Reference": project.reference,
        "Genes": project.annotation,
        "Regulatory elements": project.elements,
        "Model": project.checkpoint,
        "Motifs": project.motifs,
    }
    return {what: Path(path) for what, path in listed.items() if path is not None}


def _row(what: str, path: Path) -> list[str]:
    known = _embedded().get(path.resolve())
    source, licence = (known.source, known.licence) if known is not None else ("", "")
    return [what, path.name, source, licence, _checksum(path, path.stat().st_mtime_ns)]


@lru_cache(maxsize=1)
def _embedded() -> Mapping[Path, DataFile]:
    from phenviz.data.embedded import EMBEDDED_DIR

    return {(EMBEDDED_DIR / file.name).resolve(): file for file in embedded_manifest().files}


@lru_cache(maxsize=256)
def _checksum(path: Path, changed: int) -> str:
    if path.is_dir():
        return "a folder"
    size = path.stat().st_size
    return sha256_of(path) if size <= _LARGEST_HASHED else f"not computed ({size:,} bytes)"


def _row_of_pack(pack: Pack) -> list[str]:
    sums = [file.sha256 for file in pack.files]
    one = len(sums) == 1
    digest = sums[0] if one else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    files = (
        pack.files[0].name if one else f"{len(sums):,} files; the checksum is that of theirs, one per line"
    )
    return [pack.title, files, f"data pack {pack.name}", pack.licence, digest]


def _citations(packs: Sequence[Pack]) -> list[str]:
    own = f"The PhenViz developers: PhenViz, version {phenviz_version()}. Software, BSD-3-Clause."
    return [own, *dict.fromkeys(f"{pack.title}: {pack.citation}" for pack in packs if pack.citation)]
