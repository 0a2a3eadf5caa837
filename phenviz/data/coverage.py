"""Coverage of sequencing reads along contigs: reading bigWig files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig

# bases read at once
_CHUNK = 4_000_000


def read_coverage(path: str | Path, contig: str, length: int, step: int) -> NDArray[np.float32]:
    """Read the mean coverage of each step of a contig.

    Parameters
    ----------
    path
        bigWig file.
    contig
        With or without ``chr``.
    length
        Bases of the contig in the reference.
    step
        Bases in a step.

    Returns
    -------
    NDArray[np.float32]
        Shape (ceil(length / step),); 0 where the file has no value.

    Raises
    ------
    DataError
        If the file is no bigWig, lacks the contig, or has it in another length (another assembly).
    """
    import pybigtools

    try:
        with pybigtools.open(str(path)) as file:
            names = {bare_contig(name): name for name in file.chroms()}
            name = names.get(bare_contig(contig))
            if name is None:
                known = ", ".join(list(names.values())[:5])
                raise DataError(f"coverage {path} has no contig {contig!r}: it has {known}")
            if (found := file.chroms(name)) != length:
                raise DataError(
                    f"coverage {path} has {found:,} bases in contig {name}, the reference {length:,}: "
                    "both must be of the same assembly"
                )
            values = np.zeros(-(-length // step) * step, np.float32)
            for start in range(0, length, _CHUNK):
                end = min(start + _CHUNK, length)
                values[start:end] = file.values(name, start, end, fillna=0.0)
    except DataError:
        raise
    except Exception as error:  # pybigtools has no base class of its own errors
        raise DataError(f"coverage {path} can't be read ({error}): give a bigWig file") from error
    if not np.isfinite(values).all() or (values < 0).any():
        raise DataError(f"coverage {path}, contig {contig}: coverage is a number from 0 on; it holds others")
    return values.reshape(-1, step).mean(1)
