"""Expression of haplotypes that were read before, by their edits: one person more costs little."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Gene
from phenviz.genome.variant import Edit

_KEY_BYTES = 16


@dataclass(frozen=True)
class KeptHaplotypes:
    """A folder with one file per gene, in which haplotypes stand under a hash of their edits.

    Parameters
    ----------
    folder
        Of one model, readout and reference: another one takes another folder.
    """

    folder: Path

    def read(self, gene: Gene) -> dict[bytes, NDArray[np.float64]]:
        """Return what is known of a gene: hash of a haplotype -> expression in each context."""
        try:
            with np.load(self._path(gene), allow_pickle=False) as held:
                keys, values = held["key"], held["expression"]
        except (OSError, ValueError, KeyError, EOFError):
            # not there, or cut off by a crash: it is predicted again
            return {}
        return {key.tobytes(): value for key, value in zip(keys, values, strict=True)}

    def write(self, gene: Gene, known: Mapping[bytes, NDArray[np.float64]]) -> None:
        """Keep what is known of a gene."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(gene)
        beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.npz")
        keys = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(-1, _KEY_BYTES)
        try:
            np.savez(beside, key=keys, expression=np.array(list(known.values())))
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def _path(self, gene: Gene) -> Path:
        site = f"{gene.gene_id}|{gene.name}|{gene.locus}|{gene.tss}"
        return self.folder / f"{hashlib.sha256(site.encode()).hexdigest()[:24]}.npz"


def key_of(edits: Sequence[Edit]) -> bytes:
    """Hash what a haplotype changes of the reference."""
    return hashlib.sha256(repr(tuple(edits)).encode()).digest()[:_KEY_BYTES]
