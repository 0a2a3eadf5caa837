"""Files written beside their target, looked at, and only then put in its place."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from phenviz.errors import ResultError
from phenviz.formats import suffix_of
from phenviz.results.counting import count_entries

DATA_SUFFIXES = (".nc", ".zarr", ".parquet", ".bed", ".bw")
# tells a Zarr store of ours, which a newer one may replace, from any other folder
SAVED_BY = "saved_by"
_TRIES, _SECONDS_BETWEEN_TRIES = 50, 0.1


def check_suffix(path: str | os.PathLike[str], suffixes: Iterable[str] = DATA_SUFFIXES) -> str:
    """Check that a result can go where the user says; call it before a long computation.

    Parameters
    ----------
    path
        File to be written.
    suffixes
        Suffixes that make sense here.

    Returns
    -------
    str
        The path's suffix in lower case.

    Raises
    ------
    ResultError
        If the suffix is none of these, the folder doesn't exist or can't be written to, or something that
        isn't PhenViz' own stands in the way (a folder, above all).
    """
    path, known = Path(path), tuple(suffixes)
    suffix = suffix_of(path, known)
    if suffix is None:
        said = f"suffix {path.suffix.lower()!r}" if path.suffix else "no suffix"
        raise ResultError(f"{path} has {said}: end its name with {' '.join(known)}")
    if not path.parent.is_dir():
        raise ResultError(f"folder {path.parent} for {path.name} doesn't exist: make it, or choose another")
    if not os.access(path.parent, os.W_OK):
        raise ResultError(f"folder {path.parent} for {path.name} can't be written to: choose another")
    check_replaceable(path)
    return suffix


def check_replaceable(path: Path) -> None:
    """Check that what is there by the name of an output, if anything, may give way to it.

    Raises
    ------
    ResultError
        If it is a folder that is no Zarr store of PhenViz, or a file where a store is wanted.
    """
    if not path.is_dir():
        if path.suffix.lower() == ".zarr" and path.exists():
            raise ResultError(f"{path} is a file, and a Zarr store is a folder: choose another name")
    elif path.suffix.lower() != ".zarr":
        raise ResultError(f"{path} is a folder: choose another name")
    elif not _is_our_store(path):
        raise ResultError(
            f"{path} is a folder that PhenViz didn't write, and isn't replaced: choose another name, or "
            "remove it yourself"
        )


def _is_our_store(path: Path) -> bool:
    try:
        attrs = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        return SAVED_BY in attrs or "phenviz_version" in attrs
    except (OSError, ValueError, LookupError, TypeError):
        return False


@dataclass
class FileAside:
    """A file that is being written beside its target.

    Attributes
    ----------
    path
        Where to write.
    entries
        How many entries it is meant to hold, as `phenviz.results.counting.count_entries` counts them; to be
        said before the file takes its target's place.
    """

    path: Path
    entries: int = -1


@contextmanager
def aside(targets: Sequence[Path]) -> Iterator[list[FileAside]]:
    """Give a file beside each target; those that were written whole take the targets' places at the end.

    So no reader ever meets half a file, and an older file stays until there is a newer one that can be read
    and holds as many entries as were meant.

    Parameters
    ----------
    targets
        Files (or Zarr folders) that are wanted.

    Yields
    ------
    list[FileAside]
        One for each target.

    Raises
    ------
    ResultError
        If a file can't be read again, holds another number of entries, or the disk refuses to replace the
        older one. What is raised inside passes through; see `refusals`.
    """
    token = uuid.uuid4().hex[:8]
    names = [target.with_name(f".{target.stem}.{token}.part{target.suffix}") for target in targets]
    files = [FileAside(name) for name in names]
    try:
        yield files
        with refusals(targets[0]):
            for file, target in zip(files, targets, strict=True):
                _check(file, target)
            for file, target in zip(files, targets, strict=True):
                _replace(file.path, target, token)
    finally:
        for file in files:
            _remove(file.path)


@contextmanager
def refusals(target: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `ResultError` about the file that was to be written."""
    try:
        yield
    except OSError as error:
        raise ResultError(
            f"can't write {target} ({error}): free some room or choose another folder"
        ) from error


def write_aside(targets: Sequence[Path], write: Callable[[list[Path]], Sequence[int]]) -> tuple[Path, ...]:
    """Write files by `aside`.

    Parameters
    ----------
    targets
        Files (or Zarr folders) that are wanted.
    write
        Given as many paths in the same folder, writes these and returns the number of entries of each.

    Returns
    -------
    tuple[Path, ...]
        The targets.

    Raises
    ------
    ResultError
        If the disk refuses, or a file turns out not to be whole; older files are then as they were.
    """
    with aside(targets) as files:
        with refusals(targets[0]):
            counts = write([file.path for file in files])
        for file, count in zip(files, counts, strict=True):
            file.entries = count
    return tuple(targets)


def write_content(target: Path, content: bytes) -> Path:
    """Write bytes that are in memory, such as a figure or sequences, as `write_aside` does."""

    def write(paths: list[Path]) -> list[int]:
        paths[0].write_bytes(content)
        return [len(content)]

    return write_aside([target], write)[0]


def write_private_content(target: Path, content: bytes) -> Path:
    """Write bytes as `write_content` does, into a file that only its owner can read: they are a person's."""

    def write(paths: list[Path]) -> list[int]:
        paths[0].touch(mode=0o600)
        paths[0].write_bytes(content)
        return [len(content)]

    return write_aside([target], write)[0]


def write_table(
    target: Path, table: pd.DataFrame, comments: Sequence[str] = (), *, float_format: str | None = None
) -> Path:
    """Write a table as ``.tsv``, after lines that begin with ``#``, as `write_aside` does."""

    def write(paths: list[Path]) -> list[int]:
        with paths[0].open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"# {line}\n" for line in comments)
            table.to_csv(file, sep="\t", index=False, float_format=float_format, lineterminator="\n")
        return [len(table)]

    return write_aside([target], write)[0]


def _check(written: FileAside, target: Path) -> None:
    if written.path.is_file():
        # what the system took but can't put on the disk (quota, network) is only told here
        with written.path.open("rb+") as file:
            os.fsync(file.fileno())
    try:
        found = count_entries(written.path, target.name)
    except ImportError:  # a library that fails says nothing about the file
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise ResultError(_not_whole(target, str(error))) from error
    except Exception as error:  # each library has errors of its own for a damaged file
        raise ResultError(_not_whole(target, str(error))) from error
    if found != written.entries:
        raise ResultError(_not_whole(target, f"{found:,} entries instead of {written.entries:,}"))


def _not_whole(target: Path, why: str) -> str:
    return f"{target} wasn't written whole ({why}), so an older file was kept: check the disk, then try again"


def _replace(written: Path, target: Path, token: str) -> None:
    check_replaceable(target)
    if target.is_dir():  # a Zarr store is a folder, which os.replace doesn't put over another
        old = target.with_name(f".{target.stem}.{token}.old")
        os.replace(target, old)
        os.replace(written, target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(written, target)


def _remove(written: Path) -> None:
    if written.is_file():
        written.unlink()
    for _ in range(_TRIES):
        if not written.exists():
            return
        # Zarr writes in threads, which may still be at other chunks when one has failed
        shutil.rmtree(written, ignore_errors=True)
        time.sleep(_SECONDS_BETWEEN_TRIES)
