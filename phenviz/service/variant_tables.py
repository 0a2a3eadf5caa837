"""Tables of variants as jobs take them: read and checked once, cut into chunks whose content is their key."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from phenviz.world import World

_TEXT = ("contig", "ref", "alt", "id")
_READ_AT_ONCE = 4_096
# what one variant takes beside its numbers: coordinates, alleles
ROW_BYTES = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class VariantTable:
    """A table of variants, checked.

    Parameters
    ----------
    text
        UTF-8 of a TSV, (bytes,) uint8; an array, so that its content goes into the job's key.
    personal
        Whether it came with genotypes of people.
    """

    text: NDArray[np.uint8]
    personal: bool

    @classmethod
    def read(cls, world: World, variants: pd.DataFrame | str | os.PathLike[str]) -> VariantTable:
        """Take a table, a file of variants, or lines such as ``chr20:1,600,925 G>A``.

        Raises
        ------
        DataError
            If they can't be read, or are no table of variants.
        """
        from phenviz.effects.rows import read_rows

        if isinstance(variants, pd.DataFrame):
            # what one person carries has the haplotypes that it lies on
            table, personal = variants, not {"haplotype_1", "haplotype_2"}.isdisjoint(variants.columns)
        else:
            table, personal = _read(world, variants)
        # what the job couldn't work on is refused before it begins
        rows = read_rows(table, world.reference)
        return cls(np.frombuffer(_text_of(rows.given), dtype=np.uint8), personal)

    @property
    def count(self) -> int:
        """Lines: the variants and the header."""
        return int((self.text == ord("\n")).sum())

    def rows(self) -> pd.DataFrame:
        """Return the table, read anew."""
        kinds = dict.fromkeys(_TEXT, "str") | {"position": "int64"}
        return pd.read_csv(io.BytesIO(self.text.tobytes()), sep="\t", dtype=kinds, keep_default_na=False)

    def order(self) -> NDArray[np.intp]:
        """Return the numbers of the rows in the order of the genome, in which neighbours share a tile."""
        return _order(self.rows())

    def chunks(self, size: int, *, sort: bool = True) -> Iterator[tuple[int, pd.DataFrame, str]]:
        """Yield chunks, at least one, with the number of their first row and a digest of their content.

        Parameters
        ----------
        size
            Rows per chunk.
        sort
            Whether they go in the order of the genome, not in that of the table.
        """
        table = self.rows()
        ordered = table.iloc[_order(table)] if sort else table
        for first in range(0, max(len(table), 1), size):
            rows = ordered.iloc[first : first + size]
            yield first, rows, hashlib.sha256(_text_of(rows)).hexdigest()


def _order(table: pd.DataFrame) -> NDArray[np.intp]:
    return np.lexsort((table["position"].to_numpy(), table["contig"].to_numpy().astype(str)))


def _text_of(table: pd.DataFrame) -> bytes:
    """Write a table such that equal ones are equal bytes."""
    return table.to_csv(sep="\t", index=False, lineterminator="\n").encode()


def _read(world: World, variants: str | os.PathLike[str]) -> tuple[pd.DataFrame, bool]:
    from phenviz.variation import read_variants
    from phenviz.variation.rsids import read_pasted
    from phenviz.variation.sources import open_source
    from phenviz.variation.table_file import is_table, iter_table

    # unlike Path.exists, this is False for what is too long for a name
    if isinstance(variants, os.PathLike) or os.path.exists(variants):
        if is_table(variants):
            return pd.concat(iter_table(variants, _READ_AT_ONCE), ignore_index=True), False
        return read_variants(variants, world.reference).table, bool(open_source(variants).samples)
    return read_pasted(variants, world.project.individuals, world.reference).table, False
