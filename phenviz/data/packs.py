"""Data packs: public files that are fetched when wanted, and checked by checksum.

A pack comes from its public address, or from a mirror (``MIRROR/<pack>/<file>``, a directory or an address)
where that can't be reached: the argument ``mirror``, or the environment variable ``PHENVIZ_MIRROR``. Of some
the package carries a copy.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from phenviz.data.cache import cache_root, only_one
from phenviz.data.downloads import download, reason, require_space
from phenviz.data.embedded import EMBEDDED_DIR
from phenviz.data.locks import lock, locked
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
from phenviz.data.terms import require_terms
from phenviz.errors import DataError
from phenviz.progress import NO_PROGRESS, Progress

__all__ = [
    "MIRROR_VARIABLE",
    "OFFLINE_VARIABLE",
    "PackMissing",
    "fetch_pack",
    "find_pack",
    "has_pack",
    "list_packs",
    "pack_path",
    "remove_pack",
    "require_pack",
    "verify_embedded",
    "verify_packs",
]

MIRROR_VARIABLE = "PHENVIZ_MIRROR"
OFFLINE_VARIABLE = "PHENVIZ_OFFLINE"
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
    name: str,
    *,
    mirror: str | os.PathLike[str] | None = None,
    progress: Progress = NO_PROGRESS,
    offline: bool | None = None,
) -> Path:
    """Bring a pack into the cache; files that are there and whole are kept.

    A file whose checksum isn't published is trusted when it first comes: its checksum is kept in the pack's
    ``lock.json``, and verified from then on. Several processes and users may share a cache: one fetches a
    pack, and the others wait for it.

    Parameters
    ----------
    name
        Name of the pack.
    mirror
        Directory to copy from, or address (``https://...``) to fetch from, instead of the public one;
        ``PHENVIZ_MIRROR`` where not given.
    progress
        Counts bytes; a cancel leaves finished files, and what was downloaded of the next one aside for later.
    offline
        Whether to fetch nothing from the web; by ``PHENVIZ_OFFLINE`` where not given.

    Returns
    -------
    Path
        Folder of the pack's files.

    Raises
    ------
    TermsNotAccepted
        If the pack comes under terms that this user hasn't accepted.
    DataError
        If there is no such pack, a file can't be had, or isn't the one that the manifest names, the disk
        hasn't room, or the cache can't be written to.
    """
    pack = find_pack(name)
    require_terms(pack)
    folder = cache_root() / "packs" / pack.name
    progress.stage(f"fetching {pack.name}", pack.bytes)
    source = _mirror_of(mirror)
    lacking = _lacking(locked(pack, folder), folder, progress)
    if not lacking:
        return folder
    offline = bool(os.environ.get(OFFLINE_VARIABLE)) if offline is None else offline
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(cache_root() / "packs" / ".locks" / f"{pack.name}.lock", progress):
            # another process may have brought some of them meanwhile
            lacking = _lacking(locked(pack, folder), folder)
            require_space(folder, sum(file.size for file in lacking), f"data pack {pack.name}")
            for file in lacking:
                _fetch_file(pack, file, folder, source, progress, offline=offline)
    except PermissionError as error:
        raise DataError(
            f"data pack {pack.name} can't be written to {folder}: the cache is read-only for you. Ask "
            "whoever keeps it to fetch the pack, or set PHENVIZ_CACHE to a folder of your own and "
            f"{MIRROR_VARIABLE} to {cache_root() / 'packs'}"
        ) from error
    return folder


def _lacking(pack: Pack, folder: Path, progress: Progress = NO_PROGRESS) -> list[DataFile]:
    """Return the files that aren't there, or aren't what they should be."""
    lacking = []
    for file in pack.files:
        path = folder / file.name
        if file.sha256 and path.is_file() and sha256_of(path) == file.sha256:
            progress.advance(file.size)
        else:
            lacking.append(file)
    return lacking


def _fetch_file(
    pack: Pack, file: DataFile, folder: Path, source: Path | str | None, progress: Progress, *, offline: bool
) -> None:
    """Bring one file, from the first place that has it."""
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if (_CARRIED / pack.name / file.name).is_file():
        _copy(pack, file, folder, _CARRIED, progress)
    elif isinstance(source, Path):
        _copy(pack, file, folder, source, progress)
    elif offline:
        raise DataError(
            f"{file.name} of data pack {pack.name} isn't here, and {OFFLINE_VARIABLE} forbids to fetch it "
            f"from the web: unset it, or name a directory that has the pack in {MIRROR_VARIABLE}"
        )
    else:
        own = () if source is None else (f"{source.rstrip('/')}/{pack.name}/{file.name}",)
        _download(pack, file, folder, own or (file.url, *file.mirrors), progress)


def _download(pack: Pack, file: DataFile, folder: Path, urls: tuple[str, ...], progress: Progress) -> None:
    part = folder / f".{Path(file.name).name}.part"
    for place, url in enumerate(urls):
        try:
            bring = partial(download, url, part=part, progress=progress, size=file.bytes)
            _retrieve(file, folder, url, bring)
            return
        except PermissionError:
            raise
        except (OSError, DataError) as error:
            if place + 1 < len(urls):
                continue
            if isinstance(error, DataError):
                raise
            kept = " What came is kept, and the next try goes on from there." * part.exists()
            raise DataError(
                f"{file.name} of data pack {pack.name} can't be fetched from {url}: {reason(error)}.{kept} "
                f"Check the network and the free space in {folder}, or name a directory that has it in "
                f"{MIRROR_VARIABLE}"
            ) from error


def _copy(pack: Pack, file: DataFile, folder: Path, mirror: Path, progress: Progress) -> None:
    origin = mirror / pack.name / file.name
    if not origin.is_file():
        raise DataError(
            f"the mirror has no {origin}: copy the pack there, or fetch it from its public address, "
            f"with no mirror given and {MIRROR_VARIABLE} unset"
        )
    # a lock that came with the mirror tells what the file was when that was made
    known = locked(Pack(pack.name, "", "", "", "", "", (file,)), mirror / pack.name).files[0]

    def copy(target: Path) -> None:
        shutil.copyfile(origin, target)
        progress.advance(known.size)

    try:
        _retrieve(known, folder, str(origin), copy)
    except PermissionError:
        raise
    except OSError as error:
        raise DataError(
            f"{origin} can't be copied to {folder}: {error.strerror or error}. Check the free space there"
        ) from error


def _retrieve(file: DataFile, folder: Path, origin: str, bring: Callable[[Path], None]) -> None:
    """Have pooch put what ``bring`` writes in its place, if it is the file that is meant."""
    import pooch

    # pooch tells of every download on stderr; progress is reported by us
    pooch.get_logger().setLevel(logging.WARNING)
    came = False

    def come(url: str, target: str, manager: object) -> None:
        nonlocal came
        path = Path(target)
        bring(path)
        came = True
        # before the file is in its place, so that none is there without
        if not _published(file, folder) and (found := sha256_of(path)) and file.sha256 in ("", found):
            lock(file, folder, found, path.stat().st_size, origin)

    known = f"sha256:{file.sha256}" if file.sha256 else None
    try:
        pooch.retrieve(origin, known, file.name, path=folder, downloader=come)
    except ValueError as error:
        # an address that can't be one is such an error, too
        if not came:
            raise
        got = str(error).rpartition("but got ")[2].partition(".")[0]
        raise DataError(
            f"{origin} isn't the file that the manifest names: expected sha256 {file.sha256}, got {got}; "
            "nothing was kept. Try again later, or from another mirror; if it stays so, the file was changed "
            "at its source: please report it"
        ) from error


def _published(file: DataFile, folder: Path) -> bool:
    """Tell whether a file's checksum is the manifest's own, so that no lock is needed."""
    return bool(next(one for one in find_pack(folder.name).files if one.name == file.name).sha256)


def remove_pack(name: str) -> int:
    """Remove a pack from the cache, with what was left of cut downloads; return the bytes that this frees.

    Raises
    ------
    DataError
        If there is no such pack, or it can't be removed.
    """
    folder = cache_root() / "packs" / find_pack(name).name
    freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise DataError(
            f"data pack {name} can't be removed from {folder}: {error.strerror or error}"
        ) from error
    return freed


def pack_path(name: str, file: str) -> Path | None:
    """Return where a pack's file lies, or None where it isn't here.

    The cache is looked at first, then the mirror directory of ``PHENVIZ_MIRROR``. A file of another
    size than the manifest's, or its lock's, doesn't count.

    Raises
    ------
    DataError
        If there is no such pack, or it has no such file.
    """
    pack = find_pack(name)
    pack.file(file)
    for folder in _folders(pack):
        path = folder / file
        # what isn't known of a file that the user put there can't be compared
        wanted = locked(pack, folder).file(file).bytes if path.is_file() else 0
        if path.is_file() and wanted in (0, path.stat().st_size):
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
            if folder.is_dir() and any(folder.iterdir()):
                yield from check_files(locked(pack, folder), folder)


def verify_embedded() -> Iterator[Check]:
    """Check every file that the package carries."""
    return check_files(embedded_manifest(), EMBEDDED_DIR)


def _folders(pack: Pack) -> list[Path]:
    mirror = os.environ.get(MIRROR_VARIABLE, "")
    mirror = "" if _is_address(mirror) else mirror
    folders = [cache_root() / "packs" / pack.name, _CARRIED / pack.name]
    return [*folders, Path(mirror).expanduser() / pack.name] if mirror else folders


def _mirror_of(mirror: str | os.PathLike[str] | None) -> Path | str | None:
    chosen = mirror if mirror is not None else os.environ.get(MIRROR_VARIABLE)
    if not chosen:
        return None
    if _is_address(os.fspath(chosen)):
        return os.fspath(chosen)
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"mirror directory {folder} isn't there: give the folder that holds the packs' folders"
        )
    return folder


def _is_address(mirror: str) -> bool:
    return mirror.startswith(("https://", "http://"))
