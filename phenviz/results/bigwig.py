"""BigWig files, written by pybigtools in a process of its own.

Where the disk refuses, pybigtools panics or prints a line and returns as if all were well (0.3): neither may
end the server or pass for a written file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from phenviz.errors import ResultError

# more than pybigtools leaves unwritten when a disk is full
_PROBE_BYTES = 2**20
_SCRIPT = """
import json
import sys
import numpy as np
import pybigtools

def entries(contig, starts, column, step, length):
    with open(starts, "rb") as places, open(column, "rb") as numbers:
        while len(begins := np.fromfile(places, np.int64, 200_000)):
            values = np.fromfile(numbers, np.float32, 200_000).astype(np.float64)
            kept = np.isfinite(values)
            ends = np.minimum(begins[kept] + step, length)
            for begin, end, value in zip(begins[kept].tolist(), ends.tolist(), values[kept].tolist()):
                yield contig, begin, end, value

contig, length, step, starts, files = json.load(sys.stdin)
for column, path in files:
    # write() also closes the file
    pybigtools.open(path, "w").write({contig: length}, entries(contig, starts, column, step, length))
    print("written", flush=True)
"""


def written_bigwigs(
    starts: Path, files: Sequence[tuple[Path, Path]], *, contig: str, length: int, step: int
) -> Iterator[Path]:
    """Write bigWigs of one contig, and yield each when it is there.

    Parameters
    ----------
    starts
        Raw int64: 0-based starts of the intervals, ascending.
    files
        Of each bigWig, the raw float32 (as many as starts; what isn't finite is left out), and where it goes.
    contig, length
        Its name and bases.
    step
        Bases of an interval.

    Raises
    ------
    OSError
        If the disk is full.
    ResultError
        If pybigtools says or does anything else than write.
    """
    asked = [contig, length, step, str(starts), [[str(column), str(path)] for column, path in files]]
    left = [path for _, path in files]
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _SCRIPT],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        said: list[str] = []
        process.stdin.write(json.dumps(asked))
        process.stdin.close()
        try:
            for line in process.stdout:
                if line == "written\n" and left and not said:
                    yield left.pop(0)
                elif line.strip():
                    said.append(line.strip())
        finally:
            process.kill()
    if left or said:
        _refuse((left or [files[-1][1]])[0], said)


def _refuse(path: Path, said: Sequence[str]) -> None:
    # a disk that is full says so itself
    with path.open("ab") as file:
        file.write(bytes(_PROBE_BYTES))
    why = next((line for line in said if "error" in line.lower()), said[0] if said else "it ended early")
    raise ResultError(f"pybigtools couldn't write a bigWig ({why}): check the disk, then try again")
