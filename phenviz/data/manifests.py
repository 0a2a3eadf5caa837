"""What a data manifest says: the files of a pack, where they come from, and how to know them."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from phenviz.errors import DataError

MANIFEST_DIR = Path(__file__).resolve().parent / "manifests"
EMBEDDED_NAME = "embedded"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a pack or of the embedded world.

    Parameters
    ----------
    name
        Path inside its pack's folder.
    bytes
        Size; 0 where it isn't published.
    sha256
        Checksum, as hexadecimal digits; empty where none is published: the file is trusted when it first
        comes, and verified from then on (`phenviz.data.locks`).
    url
        Public address; empty for files that the package carries.
    description, source, licence, assembly
        Where they differ from the pack's.
    context
        Whose peaks it holds; empty for other files.
    about
        Roughly how many bytes it has, where that isn't known exactly.
    mirrors
        Other public addresses of the same file.
    """

    name: str
    bytes: int = 0
    sha256: str = ""
    url: str = ""
    description: str = ""
    source: str = ""
    licence: str = ""
    assembly: str = ""
    context: str = ""
    about: int = 0
    mirrors: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Its bytes, as exactly as they are known; 0 for not at all."""
        return self.bytes or self.about


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever uses data or weights agrees to.

    Parameters
    ----------
    summary
        In a sentence.
    url
        Where they stand in full.
    commercial
        Whether commercial use is allowed.
    training
        Whether results may train other models.
    """

    summary: str
    url: str
    commercial: bool = True
    training: bool = True

    def __str__(self) -> str:
        """Return the summary, and where to read more."""
        return f"{self.summary} ({self.url})"


@dataclass(frozen=True, slots=True)
class Pack:
    """A set of files that belong together: what ``phenviz data fetch NAME`` brings.

    Parameters
    ----------
    name, title, description
        Short name for commands, title for screens, and what it holds.
    assembly
        Genome assembly of its coordinates; empty where it has none.
    licence, citation
        Under what terms, and whom to cite.
    files
        Its files.
    terms
        What has to be agreed to before it is fetched; None for nothing.
    """

    name: str
    title: str
    description: str
    assembly: str
    licence: str
    citation: str
    files: tuple[DataFile, ...]
    terms: Terms | None = None

    @property
    def bytes(self) -> int:
        """Size of all files together, as exactly as it is known."""
        return sum(file.size for file in self.files)

    def file(self, name: str) -> DataFile:
        """Return one file by its name; `DataError` if the pack has none such."""
        for file in self.files:
            if file.name == name:
                return file
        names = [file.name for file in self.files]
        raise DataError(f"data pack {self.name} has no file {name!r}{_nearest(name, names)}")


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a file is there and is the one that the manifest names; ``problem`` is empty if so."""

    pack: str
    path: Path
    problem: str = ""


@lru_cache(maxsize=1)
def list_packs() -> tuple[Pack, ...]:
    """Return every data pack that can be fetched, by name."""
    names = sorted(path.stem for path in MANIFEST_DIR.glob("*.yaml"))
    return tuple(read_manifest(MANIFEST_DIR / f"{name}.yaml") for name in names if name != EMBEDDED_NAME)


def find_pack(name: str) -> Pack:
    """Return a pack by its name.

    Raises
    ------
    DataError
        If there is none, with the nearest names.
    """
    packs = {pack.name: pack for pack in list_packs()}
    if name not in packs:
        near = _nearest(name, list(packs))
        raise DataError(f"there is no data pack {name!r}{near}: `phenviz data list` shows them all")
    return packs[name]


def embedded_manifest() -> Pack:
    """Return the manifest of the embedded world."""
    return read_manifest(MANIFEST_DIR / f"{EMBEDDED_NAME}.yaml")


def read_manifest(path: Path) -> Pack:
    """Read one manifest file.

    Raises
    ------
    DataError
        If it isn't YAML, or a field is missing or unknown.
    """
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        files = tuple(
            DataFile(**{**entry, "mirrors": tuple(entry.get("mirrors", ()))}) for entry in fields.pop("files")
        )
        if "terms" in fields:
            fields["terms"] = Terms(**fields["terms"])
        optional = {"assembly": "", "licence": "", "citation": ""}
        return Pack(**{**optional, **fields}, files=files)
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise DataError(f"data manifest {path} can't be read ({error}): reinstall PhenViz") from error


def check_files(pack: Pack, folder: Path) -> Iterator[Check]:
    """Compare size and checksum of every file of a pack with its manifest.

    Parameters
    ----------
    pack
        What should be there.
    folder
        Where its files lie.

    Yields
    ------
    Check
        One per file, as soon as it was read.
    """
    for file in pack.files:
        path = folder / file.name
        if not path.is_file():
            yield Check(pack.name, path, "missing")
        elif not file.sha256:
            yield Check(pack.name, path, "not fetched by PhenViz, so that its checksum isn't known")
        elif path.stat().st_size != file.bytes:
            yield Check(pack.name, path, f"{path.stat().st_size:,} bytes instead of {file.bytes:,}")
        elif (found := sha256_of(path)) != file.sha256:
            yield Check(pack.name, path, f"sha256 {found} instead of {file.sha256}")
        else:
            yield Check(pack.name, path)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
