"""Files that a user hands over: kept in a private folder of the session, and gone with it."""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from phenviz.app.formatting import readable_bytes
from phenviz.errors import DataError

SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
_STORES = (".vcz", ".zarr")
LARGEST = 512 * 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
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


class PrivateFolder:
    """Folder that only this account can read; removed when the session ends, or the process.

    Parameters
    ----------
    largest
        Bytes of one file at most.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._folder: Path | None = None
        self._incoming: dict[str, _Incoming] = {}
        self._remove: weakref.finalize | None = None

    @property
    def path(self) -> Path:
        """The folder, made with mode 0700 when it is needed first."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="phenviz-upload-"))
            os.chmod(self._folder, 0o700)
            # runs at the end of the process, too, if no session ends before that
            self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
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
        if not 0 < size <= self._largest:
            raise DataError(
                f"{name} has {readable_bytes(max(size, 0))}, and at most {readable_bytes(self._largest)} are "
                "taken from a browser: put larger ones into the server's folder (`phenviz serve --files`), "
                "or use `phenviz personal`"
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


def check_name(name: str) -> None:
    """Raise a `DataError` unless a file name is plain and that of a VCF or BCF."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise DataError(
            f"{name[:100]!r} isn't taken as a file name: letters, digits, dots, dashes and underscores are"
        )
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
