"""Files that a user hands over: kept in a private folder of the session, and gone with it.

A process holds a lock on each of its folders, which the system lets go with the process, however that ended:
what killed servers have left behind, the next one finds unlocked and removes.
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows, where nobody can tell whose a folder is
    fcntl = None  # type: ignore[assignment]

from phenviz.app.shell.formatting import readable_bytes
from phenviz.app.shell.limits import KEEPER
from phenviz.errors import DataError

SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
_STORES = (".vcz", ".zarr")
_LONGEST_NAME, _MOST_BYTES = 104, 200
# "##idx##" would name an index to htslib
_NOT_IN_NAMES = ("/", "\\", "..", "##idx##")
_PREFIX = "phenviz-upload-"
_GZIP, _BCF, _VCF = b"\x1f\x8b", b"BCF", b"##fileformat=VCF"
# a page that is cut off in the middle of a file must not fill the disk with pieces of others
_MOST_FILES = 8


@dataclass
class _Incoming:
    path: Path
    # where it comes in: a file of the same name may be in use until this one is whole
    part: Path
    size: int
    received: int = 0
    next_piece: int = field(default=0)


_folders: weakref.WeakSet[PrivateFolder] = weakref.WeakSet()


class PrivateFolder:
    """Folder that only this account can read; removed when the session ends, or the process.

    Parameters
    ----------
    largest
        Bytes of one file at most, if that is less than the server takes (`Limits.upload`).
    """

    def __init__(self, largest: int | None = None) -> None:
        upload = KEEPER.limits.upload
        self.largest = upload if largest is None else min(largest, upload)
        self._folder: Path | None = None
        self._incoming: dict[str, _Incoming] = {}
        self._remove: weakref.finalize | None = None

    @property
    def path(self) -> Path:
        """The folder, made with mode 0700 when it is needed first."""
        if self._folder is None:
            self._folder, lock = _locked_folder()
            # runs at the end of the process, too, if no session ends before that
            self._remove = weakref.finalize(self, _remove, self._folder, lock)
            _folders.add(self)
        return self._folder

    def check_name(self, name: str) -> None:
        """Raise a `DataError` unless files of this name are taken; others than VCFs override it."""
        check_name(name)

    def check_head(self, name: str, content: bytes) -> None:
        """Raise a `DataError` unless the first bytes are those of a file that is taken."""
        check_head(name, content)

    def begin(self, name: str, size: int) -> None:
        """Get ready for a file; nothing that a browser says about it is believed.

        Raises
        ------
        DataError
            If its name or size isn't that of a VCF that is taken here.
        """
        self.check_name(name)
        most = readable_bytes(self.largest)
        if size <= 0:
            raise DataError(f"{name} is empty: choose a file with something in it (at most {most})")
        if size > self.largest:
            raise DataError(
                f"{name} has {readable_bytes(size)}, and at most {most} are taken from a browser: have it "
                "put into the server's folder of files"
            )
        if len(self._incoming) >= _MOST_FILES:
            raise DataError(f"{name}: too many uploads at once: wait for the others, or open the page anew")
        # no name that is taken begins with a dot
        part = self.path / f".{name}"
        part.touch(mode=0o600)
        part.write_bytes(b"")
        self._incoming[name] = _Incoming(self.path / name, part, size)

    def add(self, name: str, number: int, piece: str) -> Path | None:
        """Append a piece; return the file once it is whole, in the place of an earlier one of its name.

        Parameters
        ----------
        name
            As in `begin`.
        number
            Counts the pieces, from 0.
        piece
            Base64.

        Raises
        ------
        DataError
            If pieces are missing, more comes than was announced, or the file isn't a VCF; it is removed then.
        """
        incoming = self._incoming.get(name)
        if incoming is None:
            raise DataError(f"{name[:100]} was not announced: choose the file again")
        try:
            if number != incoming.next_piece:
                raise DataError(f"{name}: a piece was lost on the way: choose the file again")
            content = base64.b64decode(piece, validate=True)
            incoming.received += len(content)
            if incoming.received > incoming.size:
                raise DataError(f"{name} is larger than was announced: choose the file again")
            if number == 0:
                self.check_head(name, content)
        except (DataError, binascii.Error) as error:
            self.discard(name)
            if isinstance(error, DataError):
                raise
            raise DataError(f"{name} arrived damaged: choose the file again") from error
        with incoming.part.open("ab") as file:
            file.write(content)
        incoming.next_piece += 1
        if incoming.received < incoming.size:
            return None
        del self._incoming[name]
        return incoming.part.replace(incoming.path)

    def discard(self, name: str) -> None:
        """Remove a file that is still coming in."""
        incoming = self._incoming.pop(name, None)
        if incoming is not None:
            incoming.part.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        self._incoming.clear()
        if self._remove is not None:
            self._remove()
        self._folder = self._remove = None


@contextmanager
def private_directory() -> Iterator[Path]:
    """Give a folder for files about a person while they are written; nobody else reads them."""
    folder = PrivateFolder()
    try:
        yield folder.path
    finally:
        folder.close()


def remove_all() -> None:
    """Remove all folders of this process, because it is about to be ended."""
    for folder in list(_folders):
        folder.close()


def remove_stale() -> int:
    """Remove folders that processes left behind which are gone; those of others that run are kept.

    Returns
    -------
    int
        How many.
    """
    if fcntl is None:
        return 0
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            _remove(folder, lock)
            removed += not folder.exists()
    return removed


def _locked_folder() -> tuple[Path, int | None]:
    while True:
        # with mode 0700
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _lock(folder)
        # another server that starts may have taken it for one that was left behind
        if folder.is_dir() and (lock is not None or fcntl is None):
            return folder, lock


def _lock(folder: Path) -> int | None:
    """Lock a folder, as long as the process lives; None where another process has."""
    if fcntl is None or folder.is_symlink() or not folder.is_dir():
        return None
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        return None
    return opened


def _remove(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        with suppress(OSError):
            os.close(lock)


def check_plain_name(name: str) -> None:
    """Raise a `DataError` unless a name can only be that of a file in the folder it is put into."""
    wrong = next((text for text in _NOT_IN_NAMES if text in name), "")
    if wrong or not name.isprintable() or not name.strip() or name.startswith((".", " ")):
        what = f"with {wrong!r} in it" if wrong else "like this"
        raise DataError(f"{name[:100]!r}: a file name {what} isn't taken: give the file another name")
    if len(name) > _LONGEST_NAME or len(name.encode()) > _MOST_BYTES:
        raise DataError(f"{name[:60]!r}...: so long a file name isn't taken: give the file a shorter one")


def check_name(name: str) -> None:
    """Raise a `DataError` unless a file name is plain and that of a VCF or BCF."""
    check_plain_name(name)
    if not name.lower().endswith(SUFFIXES):
        raise DataError(f"{name} isn't a VCF by its name: {', '.join(SUFFIXES)} are taken")


def check_head(name: str, content: bytes) -> None:
    """Raise a `DataError` unless the first bytes are those of a VCF or BCF, compressed or not."""
    if not content.startswith((_GZIP, _BCF, _VCF)):
        raise DataError(f"{name} doesn't begin like a VCF (##fileformat=VCF) or BCF: choose another file")


def files_of(folder: Path | None) -> list[Path]:
    """Return the files of variants that lie in the folder which the server was given, by name.

    Beside VCFs these are PLINK 2 filesets (``.pgen``) and VCF Zarr stores (folders ``.vcz`` or ``.zarr``).
    """
    if folder is None or not folder.is_dir():
        return []
    inside = (path for path in folder.iterdir() if path.resolve().parent == folder.resolve())
    return sorted(
        path
        for path in inside
        if path.name.lower().endswith(_STORES if path.is_dir() else (*SUFFIXES, ".pgen"))
    )
