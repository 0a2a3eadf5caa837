"""Data packs: public files that are fetched when wanted, and checked by checksum.

A pack comes from its public address, or from a mirror directory (``MIRROR/<pack>/<file>``) where
there is no network: the argument ``mirror``, or the environment variable ``PHENVIZ_MIRROR``. Of some the
package carries a copy.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from phenviz.data.cache import cache_dir, cache_root
from phenviz.data.embedded import EMBEDDED_DIR
from phenviz.data.manifests import (
    Check,
    DataFile,
    Pack,
    check_files,
    embedded_manifest,
    find_pack,
    list_packs,
    sha256_of,
)
from phenviz.errors import DataError
from phenviz.progress import NO_PROGRESS, Progress

__all__ = [
    "MIRROR_VARIABLE",
    "PackMissing",
    "fetch_pack",
    "find_pack",
    "has_pack",
    "list_packs",
    "pack_path",
    "require_pack",
    "verify_embedded",
    "verify_packs",
]

MIRROR_VARIABLE = "PHENVIZ_MIRROR"
_TIMEOUT_SECONDS = 30
# small ones that the package carries, so that they are there without a network
_CARRIED = Path(__file__).resolve().parent / "carried_packs"


class PackMissing(DataError):
    """A computation or screen needs a data pack that isn't here.

    Parameters
    ----------
    pack
        The pack that is missing; screens read its name and size from here.
    """

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        super().__init__(
            f"data pack {pack.name} ({pack.title}, {pack.bytes / 1e6:.1f} MB) isn't here: "
            f"fetch it with `phenviz data fetch {pack.name}`"
        )


def fetch_pack(
    name: str, *, mirror: str | os.PathLike[str] | None = None, progress: Progress = NO_PROGRESS
) -> Path:
    """Bring a pack into the cache; files that are there and whole are kept.

    Parameters
    ----------
    name
        Name of the pack.
    mirror
        Directory to copy from instead of downloading; ``PHENVIZ_MIRROR`` where not given.
    progress
        Counts bytes; a cancel leaves finished files, and nothing half-written.

    Returns
    -------
    Path
        Folder of the pack's files.

    Raises
    ------
    DataError
        If there is no such pack, a file can't be had, or isn't the one that the manifest names.
    """
    import pooch

    pack = find_pack(name)
    folder = cache_dir("packs", pack.name)
    # pooch tells of every download on stderr; progress is reported by us
    pooch.get_logger().setLevel(logging.WARNING)
    progress.stage(f"fetching {pack.name}", pack.bytes)
    source = _mirror_folder(mirror)
    for file in pack.files:
        if (folder / file.name).is_file() and sha256_of(folder / file.name) == file.sha256:
            progress.advance(file.bytes)
            continue
        here = _CARRIED if (_CARRIED / pack.name / file.name).is_file() else source
        get = _downloader(file, progress) if here is None else _copier(pack, file, here, progress)
        try:
            pooch.retrieve(file.url, f"sha256:{file.sha256}", file.name, path=folder, downloader=get)
        except OSError as error:
            raise DataError(
                f"{file.name} of data pack {pack.name} can't be fetched from {file.url}: {_reason(error)}. "
                f"Check the network and the free space in {folder}, or name a directory that has it in "
                f"{MIRROR_VARIABLE}"
            ) from error
    return folder


def _reason(error: OSError) -> str:
    """Say in words why a file couldn't be fetched; requests' errors, OSErrors too, tell of its own inside."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.Timeout):
        return f"the server didn't answer within {_TIMEOUT_SECONDS} seconds"
    if isinstance(error, exceptions.ConnectionError):
        return "there is no connection to the server"
    return error.strerror or str(error)


def _downloader(file: DataFile, progress: Progress) -> Callable[[str, str, object], None]:
    import pooch

    def download(url: str, output_file: str, manager: object) -> None:
        get = pooch.HTTPDownloader(progressbar=_Bar(progress), timeout=_TIMEOUT_SECONDS, chunk_size=1 << 16)
        get(url, output_file, manager)
        _require_checksum(Path(output_file), file, url)

    return download


def _copier(
    pack: Pack, file: DataFile, mirror: Path, progress: Progress
) -> Callable[[str, str, object], None]:
    origin = mirror / pack.name / file.name

    def copy(url: str, output_file: str, manager: object) -> None:
        if not origin.is_file():
            raise DataError(
                f"the mirror has no {origin}: copy the pack there, or fetch it from its public address, "
                f"with no mirror given and {MIRROR_VARIABLE} unset"
            )
        shutil.copyfile(origin, output_file)
        _require_checksum(Path(output_file), file, str(origin))
        progress.advance(file.bytes)

    return copy


def _require_checksum(path: Path, file: DataFile, origin: str) -> None:
    found = sha256_of(path)
    if found != file.sha256:
        raise DataError(
            f"{origin} isn't the file that the manifest names: expected sha256 {file.sha256}, got {found}; "
            "nothing was kept. Try again later, or from another mirror; if it stays so, the file was changed "
            "at its source: please report it"
        )


class _Bar:
    """What pooch takes for a progress bar, passed on to our Progress."""

    def __init__(self, progress: Progress) -> None:
        self.total = 0
        self._progress = progress

    def update(self, amount: int) -> None:
        self._progress.advance(amount)

    def reset(self) -> None:
        """Do nothing: pooch ends a download by a reset and a last full update."""
        self._progress = NO_PROGRESS

    def close(self) -> None:
        """Do nothing: the bar belongs to the caller."""


def pack_path(name: str, file: str) -> Path | None:
    """Return where a pack's file lies, or None where it isn't here.

    The cache is looked at first, then the mirror directory of ``PHENVIZ_MIRROR``. A file of another
    size than the manifest's doesn't count.

    Raises
    ------
    DataError
        If there is no such pack, or it has no such file.
    """
    pack = find_pack(name)
    wanted = pack.file(file)
    for folder in _folders(pack):
        path = folder / wanted.name
        if path.is_file() and path.stat().st_size == wanted.bytes:
            return path
    return None


def require_pack(name: str, file: str) -> Path:
    """Return where a pack's file lies; raise `PackMissing` where it isn't here."""
    path = pack_path(name, file)
    if path is None:
        raise PackMissing(find_pack(name))
    return path


def has_pack(name: str) -> bool:
    """Tell whether every file of a pack is here."""
    return all(pack_path(name, file.name) is not None for file in find_pack(name).files)


def verify_packs() -> Iterator[Check]:
    """Check every file of every pack that was fetched into the cache, or that the package carries."""
    for pack in list_packs():
        for folder in (cache_root() / "packs" / pack.name, _CARRIED / pack.name):
            if folder.is_dir():
                yield from check_files(pack, folder)


def verify_embedded() -> Iterator[Check]:
    """Check every file that the package carries."""
    return check_files(embedded_manifest(), EMBEDDED_DIR)


def _folders(pack: Pack) -> list[Path]:
    mirror = os.environ.get(MIRROR_VARIABLE)
    folders = [cache_root() / "packs" / pack.name, _CARRIED / pack.name]
    return [*folders, Path(mirror).expanduser() / pack.name] if mirror else folders


def _mirror_folder(mirror: str | os.PathLike[str] | None) -> Path | None:
    chosen = mirror if mirror is not None else os.environ.get(MIRROR_VARIABLE)
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"mirror directory {folder} isn't there: give the folder that holds the packs' folders"
        )
    return folder
