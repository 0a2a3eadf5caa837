"""A file that HDF5 can write to, whatever the disk does."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Any


class DiskFile(io.FileIO):
    """A file for h5py to write into; what the disk refuses is raised by `check`, not while HDF5 writes.

    HDF5 can't close a file when a write fails, and what stays open crashes the process once h5netcdf lets go
    of it (segmentation fault in ``File.__del__``; HDF5 2.0, h5netcdf 1.8). So it never hears of a failure.

    Parameters
    ----------
    path
        Made anew.
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path, "w+b")
        self._refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, unless the disk refused something before; tell how many bytes were given."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and self._refusal is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._refusal = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Make the file as long as that, if the disk lets it."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._refusal = self._refusal or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raise `OSError` if the disk refused anything so far."""
        if self._refusal is not None:
            raise self._refusal

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        # also when HDF5 failed: it may have missed what couldn't be written
        self.check()
