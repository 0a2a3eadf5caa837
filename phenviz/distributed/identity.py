"""What results depend on: versions, code, models and inputs, to be the same on every worker."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import phenviz
from phenviz.errors import JobError
from phenviz.models.identity import model_identity

if TYPE_CHECKING:
    from phenviz.world import World

_LIBRARIES = ("numpy", "pandas", "scipy", "torch", "xarray", "zarr")
# files up to this size are read whole; of larger ones, as reading a cohort's genotypes on every worker would
# take hours, these bytes at both ends
_WHOLE_BYTES, _END_BYTES = 2**28, 2**20
_DIGITS = 16


def identity_of(world: World, inputs: Iterable[Path] = (), **options: object) -> dict[str, str]:
    """Name all that the results of a task depend on.

    Parameters
    ----------
    world
        Its models and its reference.
    inputs
        Files and folders that the task reads, under whatever path. Small files count by their content, large
        ones and stores of many files by size, time, and what describes them.
    **options
        What the user chose.
    """
    from phenviz import __version__

    readout = world.readout
    found = {
        "phenviz": __version__,
        "code": _code(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: version(name).split("+")[0] for name in _LIBRARIES},
        "assembly": world.assembly,
        "reference": _file(world.reference.path),
        "annotation": _file(world.project.annotation),
        "backbone": model_identity(world.backbone)[:_DIGITS],
        "readout": "none" if readout is None else model_identity(readout)[:_DIGITS],
    }
    for number, path in enumerate(inputs):
        found[f"input {number + 1}"] = _content(path)
    options_text = json.dumps(options, sort_keys=True, default=str)
    return {**found, "options": hashlib.sha256(options_text.encode()).hexdigest()[:_DIGITS]}


def digest_of(identity: Mapping[str, str]) -> str:
    """Return a short name of an identity."""
    return hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:12]


def check_same(here: Mapping[str, str], wanted: Mapping[str, str], worker: str) -> None:
    """Check that a worker has what the process has that gave it the work.

    Raises
    ------
    JobError
        Naming what differs.
    """
    other = [name for name in wanted if here.get(name) != wanted[name]]
    if other:
        name = other[0]
        more = f" (also {', '.join(other[1:])})" if other[1:] else ""
        raise JobError(
            f"worker {worker} has {name} {here.get(name, 'none')}, and the process that gave it work has "
            f"{wanted[name]}{more}: give all of them the same installation and the same files"
        )


@cache
def _code() -> str:
    digest = hashlib.sha256()
    folder = Path(phenviz.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:_DIGITS]


def _content(path: Path) -> str:
    from phenviz.variation.sources import files_of

    files = sorted(file for file in files_of(path) if file.is_file())
    if len(files) == 1:
        return _file(files[0])
    # a store of thousands of files: its own description, how large each is, and the last change
    digest = hashlib.sha256()
    for file in files:
        described = file.name == "zarr.json" or file.name.startswith(".z")
        own = _file(file) if described else file.stat().st_size
        digest.update(f"{file.relative_to(path.parent).as_posix()} {own}\n".encode())
    digest.update(str(max((file.stat().st_mtime_ns for file in files), default=0)).encode())
    return digest.hexdigest()[:_DIGITS]


def _file(path: Path) -> str:
    stat = path.stat()
    digest = hashlib.sha256(str(stat.st_size).encode())
    with path.open("rb") as file:
        if stat.st_size <= _WHOLE_BYTES:
            digest.update(file.read())
        else:
            # a change in the middle shows in the file's time, as does copying it
            digest.update(str(stat.st_mtime_ns).encode() + file.read(_END_BYTES))
            file.seek(stat.st_size - _END_BYTES)
            digest.update(file.read())
    return digest.hexdigest()[:_DIGITS]
