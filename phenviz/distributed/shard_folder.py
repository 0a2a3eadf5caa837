"""Finished shards on disk, and the manifest that says which are."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from phenviz.distributed.identity import digest_of
from phenviz.errors import ResultError
from phenviz.results import load, save

if TYPE_CHECKING:
    from phenviz.distributed.shards import Attempt, Shard
    from phenviz.progress import Progress

MANIFEST = "manifest.parquet"
# how many shards there are, for whoever looks on
TOTAL = "total"
_SHARDS, _INPUTS, _JOINED = "shards", "inputs", "joined"
# names of variables and of coordinates, as they were
_ORDER = "phenviz_order"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Parameters
    ----------
    name
        Of what it makes.
    done, total
        Shards; None where it isn't known yet, or any more.
    set_aside
        Shards that failed on every attempt.
    reasons
        Why, each once.
    joined
        Whether all of it is in the output.
    """

    name: str
    done: int | None
    total: int | None
    set_aside: int = 0
    reasons: tuple[str, ...] = ()
    joined: bool = False


class ShardFolder:
    """Where the shards of one task are kept, whoever computes them.

    Below the given place lies one folder for each identity, so that what another model or another version
    made is never taken for this one's. In it are ``shards``, one Zarr store for each that is finished,
    ``manifest.parquet``, a Parquet data set with one file and one row per shard, and ``identity.json``. As
    no two processes write the same file, any number of them may work at the same time.

    Parameters
    ----------
    place
        A folder, or a URL of a file system that fsspec knows (``s3://bucket/run``).
    identity
        What the results depend on; see `phenviz.distributed.identity_of`.
    """

    def __init__(self, place: str | os.PathLike[str], identity: Mapping[str, str]) -> None:
        self.place, self.identity = os.fspath(place), dict(identity)
        self._fs, root = _file_system(self.place)
        self._local = "://" not in self.place
        self.root = f"{root}/{digest_of(identity)}"

    def prepare(self) -> None:
        """Make the folder.

        Raises
        ------
        ResultError
            If it can't be written to.
        """
        with told(self.place):
            for name in (_SHARDS, _INPUTS, MANIFEST):
                self._fs.makedirs(f"{self.root}/{name}", exist_ok=True)
            self._write("identity.json", json.dumps(self.identity, indent=1).encode())

    def settled(self, name: str, value: Any) -> Any:
        """Return what was settled about the shards at first, such as their size; this value if nothing was.

        What is learnt about the speed of a machine changes from day to day, and shards mustn't.
        """
        path = f"{self.root}/{name}.json"
        with told(self.place):
            if self._local:
                # of several processes that begin together, one settles it
                beside = self._aside(name.rsplit("/", 1)[-1])
                Path(beside).write_bytes(json.dumps(value).encode())
                try:
                    os.link(beside, path)
                except FileExistsError:
                    pass
                finally:
                    os.unlink(beside)
            elif not self._fs.exists(path):
                self._write(f"{name}.json", json.dumps(value).encode())
            return json.loads(self._fs.cat_file(path))

    def known(self, name: str) -> Any:
        """Return what was settled; None if nothing was."""
        path = f"{self.root}/{name}.json"
        with told(self.place):
            return json.loads(self._fs.cat_file(path)) if self._fs.exists(path) else None

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Keep a table that shards are computed from."""
        content = io.BytesIO()
        table.to_parquet(content, index=False)
        with told(self.place):
            self._write(f"{_INPUTS}/{name}.parquet", content.getvalue())

    def read_table(self, name: str) -> pd.DataFrame:
        """Read what `write_table` kept."""
        with told(self.place):
            return pd.read_parquet(io.BytesIO(self._fs.cat_file(f"{self.root}/{_INPUTS}/{name}.parquet")))

    def done(self) -> set[str]:
        """Return the names of the shards that are finished and there."""
        with told(self.place):
            there = self._stored()
        table = self.manifest()
        return there & set(table.loc[table["state"] == "done", "shard"])

    def manifest(self) -> pd.DataFrame:
        """Return one row per shard that was finished or set aside, in the order of their names."""
        columns = ["shard", "units", "state", "seconds", "worker", "error", "attempts", "finished"]
        with told(self.place):
            self._fs.invalidate_cache()
            return pd.DataFrame(self._rows_but(()), columns=columns)

    def record(self, outcome: Attempt) -> None:
        """Write the row of a shard."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        row = {**asdict(outcome), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.Table.from_pylist([row]), sink)
        with told(self.place):
            self._write(f"{MANIFEST}/{outcome.shard}.parquet", sink.getvalue().to_pybytes())

    def save(self, name: str, dataset: xr.Dataset) -> None:
        """Write a shard under a temporary name, and then under its own.

        Raises
        ------
        ResultError
            If the disk refuses.
        """
        target = f"{self.root}/{_SHARDS}/{name}.zarr"
        dataset = dataset.assign_attrs({_ORDER: json.dumps([list(dataset.data_vars), list(dataset.coords)])})
        if self._local:
            save(dataset, target)
            return
        with tempfile.TemporaryDirectory() as folder, told(self.place):
            store = Path(folder) / f"{name}.zarr"
            save(dataset, store)
            beside = self._aside(f"{name}.zarr")
            self._fs.put(f"{store}/", f"{beside}/", recursive=True)
            if self._fs.exists(target):
                self._fs.rm(target, recursive=True)
            self._fs.mv(beside, target, recursive=True)

    def load(self, name: str) -> xr.Dataset:
        """Read a finished shard into memory."""
        path = f"{self.root}/{_SHARDS}/{name}.zarr"
        if self._local:
            return _in_order(load(path))
        with tempfile.TemporaryDirectory() as folder, told(self.place):
            store = Path(folder) / f"{name}.zarr"
            self._fs.get(f"{path}/", f"{store}/", recursive=True)
            return _in_order(load(store))

    def load_all(self, shards: Sequence[Shard], progress: Progress) -> Iterator[xr.Dataset]:
        """Read finished shards one by one, in their order, and say how many are read."""
        progress.stage("joining shards", len(shards))
        for shard in shards:
            part = self.load(shard.name)
            progress.advance()
            yield part

    def state(self) -> RunState:
        """Return how far the work is, for whoever looks on: of what is finished, nothing is read."""
        name, total = Path(self.place).name.removesuffix(".shards"), self.known(TOTAL)
        if self.known(_JOINED) is not None:
            return RunState(name, total, total, joined=True)
        with told(self.place):
            there = self._stored()
            rows = self._rows_but(there)
        failed = [row for row in rows if row["state"] != "done"]
        return RunState(
            name, len(there), total, len(failed), tuple(dict.fromkeys(row["error"] for row in failed))
        )

    def joined(self, output: Path) -> bool:
        """Tell whether an output is what the shards were joined into."""
        if (kept := self.known(_JOINED)) is None:
            return False
        files = [_state_of(output.with_name(state[0])) for state in kept["files"]]
        return kept["output"] == output.name and files == kept["files"]

    def join_into(self, output: Path, files: Sequence[Path] = ()) -> None:
        """Remember that an output holds all shards, which are then removed; the manifest stays.

        Parameters
        ----------
        output
            What was asked for.
        files
            What was written, where that isn't the output itself (one bigWig for each context).
        """
        states = [_state_of(path) for path in files or [output]]
        with told(self.place):
            self._write(f"{_JOINED}.json", json.dumps({"output": output.name, "files": states}).encode())
            for name in (_SHARDS, _INPUTS):
                self._fs.rm(f"{self.root}/{name}", recursive=True)
                self._fs.makedirs(f"{self.root}/{name}", exist_ok=True)

    def _stored(self) -> set[str]:
        """Return the names of the shards that are there, apart from what is being written."""
        self._fs.invalidate_cache()
        names = {_stem(path) for path in self._fs.ls(f"{self.root}/{_SHARDS}", detail=False)}
        return {name for name in names if name[0] != "."}

    def _rows_but(self, names: Collection[str]) -> list[dict[str, Any]]:
        """Read the rows of all shards but some."""
        import pyarrow.parquet as parquet

        rows = []
        for path in sorted(self._fs.glob(f"{self.root}/{MANIFEST}/*.parquet")):
            if _stem(path) not in names:
                with self._fs.open(path, "rb") as file:
                    rows += parquet.read_table(file).to_pylist()
        return rows

    def _write(self, name: str, content: bytes) -> None:
        beside = self._aside(name.rsplit("/", 1)[-1])
        self._fs.pipe_file(beside, content)
        self._fs.mv(beside, f"{self.root}/{name}")

    def _aside(self, name: str) -> str:
        return f"{self.root}/.{name}.{uuid.uuid4().hex[:8]}.part"


def last_begun(place: str | os.PathLike[str]) -> ShardFolder | None:
    """Open the folder of shards that the last run at a place works on, or worked; None if none was begun.

    Raises
    ------
    ResultError
        If it can't be read.
    """
    fs, root = _file_system(os.fspath(place))
    with told(os.fspath(place)):
        fs.invalidate_cache()
        # written anew whenever a run begins
        begun = fs.glob(f"{root}/*/identity.json")
        if not begun:
            return None
        return ShardFolder(place, json.loads(fs.cat_file(max(begun, key=fs.modified))))


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turn what a disk refuses into a `ResultError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise ResultError(
            f"{place} can't be read or written ({error}): free some room or mend its permissions; finished "
            "shards are kept, and the same command goes on"
        ) from error


def _file_system(place: str) -> tuple[Any, str]:
    """Return the file system of a place, and the place's path in it."""
    from fsspec.core import url_to_fs

    try:
        fs, root = url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise ResultError(
            f"{place} can't be opened ({error}): give a folder, or a URL whose file system fsspec has here"
        ) from error
    return fs, root.rstrip("/")


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error comes from a full disk or quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_order(dataset: xr.Dataset) -> xr.Dataset:
    """Put variables into the order in which they were: Zarr sorts them, and tables have columns by it."""
    attrs = dict(dataset.attrs)
    names, coords = json.loads(attrs.pop(_ORDER))
    variables = {name: dataset[name].variable for name in (*names, *coords)}
    ordered = xr.Dataset(
        {name: variables[name] for name in names}, {name: variables[name] for name in coords}
    )
    return ordered.assign_attrs(attrs)


def _stem(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _state_of(output: Path) -> list[Any]:
    """Tell one state of an output from another; a folder by its description."""
    path = output / "zarr.json" if output.is_dir() else output
    if not path.exists():
        return [output.name]
    stat = path.stat()
    return [output.name, stat.st_size, stat.st_mtime_ns]
