"""Write genotypes as VCF Zarr, stretch by stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

VARIANTS_PER_CHUNK, PEOPLE_PER_CHUNK = 10_000, 1_000
_VERSION = "0.4"


class VcfZarrWriter:
    """A VCF Zarr store that grows: chunks of 10,000 variants by 1,000 people.

    Parameters
    ----------
    path
        Folder of the store; replaced if it is there.
    samples
        Names, in the order of the genotypes.
    contigs
        Names and lengths.
    source
        What made the genotypes; goes into the store's attributes.
    """

    def __init__(
        self, path: str | Path, samples: Sequence[str], contigs: Mapping[str, int], source: str
    ) -> None:
        import zarr

        self.count = 0
        self._contigs = list(contigs)
        self._tables: list[pd.DataFrame] = []
        self._alleles: list[NDArray[np.int8]] = []
        self._index: list[list[int]] = []
        self._root: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
        self._root.attrs.update({"vcf_zarr_version": _VERSION, "source": source})
        self._whole("contig_id", np.array(self._contigs, dtype=object), ["contigs"])
        self._whole("contig_length", np.array(list(contigs.values()), dtype=np.int64), ["contigs"])
        self._whole("filter_id", np.array(["PASS"], dtype=object), ["filters"])
        self._whole("sample_id", np.array(list(samples), dtype=object), ["samples"])
        n = len(samples)
        self._growing("variant_contig", (), np.int16, ["variants"])
        self._growing("variant_position", (), np.int32, ["variants"])
        self._growing("variant_length", (), np.int32, ["variants"])
        self._growing("variant_allele", (2,), str, ["variants", "alleles"])
        self._growing("variant_id", (), str, ["variants"])
        self._growing("call_genotype", (n, 2), np.int8, ["variants", "samples", "ploidy"])
        self._growing("call_genotype_phased", (n,), np.bool_, ["variants", "samples"], fill_value=True)

    def add(self, variants: pd.DataFrame, alleles: NDArray[np.int8]) -> None:
        """Append variants (contig, position, ref, alt, and id if there) with their alleles (V, people, 2)."""
        self._tables.append(variants)
        self._alleles.append(alleles)
        while sum(map(len, self._tables)) >= VARIANTS_PER_CHUNK:
            table, values = pd.concat(self._tables, ignore_index=True), np.concatenate(self._alleles)
            self._tables, self._alleles = [table.iloc[VARIANTS_PER_CHUNK:]], [values[VARIANTS_PER_CHUNK:]]
            self._write(table.iloc[:VARIANTS_PER_CHUNK], values[:VARIANTS_PER_CHUNK])

    def close(self) -> None:
        """Write what is left, and the index of regions."""
        if sum(map(len, self._tables)):
            self._write(pd.concat(self._tables, ignore_index=True), np.concatenate(self._alleles))
        index = np.array(self._index, dtype=np.int32).reshape(-1, 6)
        self._whole("region_index", index, ["region_index_values", "region_index_fields"])

    def _write(self, table: pd.DataFrame, alleles: NDArray[np.int8]) -> None:
        start, self.count = self.count, self.count + len(table)
        ids = table["id"] if "id" in table else pd.Series([""] * len(table))
        numbers = {name: number for number, name in enumerate(self._contigs)}
        contig = table["contig"].map(numbers).to_numpy(dtype=np.int16)
        position = table["position"].to_numpy(dtype=np.int32)
        columns: dict[str, NDArray[Any]] = {
            "variant_contig": contig,
            "variant_position": position,
            "variant_length": table["ref"].str.len().to_numpy(dtype=np.int32),
            "variant_allele": table[["ref", "alt"]].to_numpy(dtype=object),
            "variant_id": ids.replace("", ".").to_numpy(dtype=object),
            "call_genotype": alleles,
        }
        for name in self._root.array_keys():
            array = self._root[name]
            if name in columns or name == "call_genotype_phased":
                array.resize((self.count, *array.shape[1:]))
            if name in columns:
                array[start : self.count] = columns[name]
        chunk = start // VARIANTS_PER_CHUNK
        for number in np.unique(contig):
            here = position[contig == number]
            last = (here + columns["variant_length"][contig == number] - 1).max()
            self._index.append([chunk, int(number), int(here[0]), int(here[-1]), int(last), len(here)])

    def _growing(
        self, name: str, shape: tuple[int, ...], kind: Any, dimensions: list[str], fill_value: Any = None
    ) -> None:
        chunks = (VARIANTS_PER_CHUNK, *(min(size, PEOPLE_PER_CHUNK) for size in shape))
        default = "" if kind is str else 0
        array = self._root.create_array(
            name,
            shape=(0, *shape),
            dtype=kind,
            chunks=chunks,
            fill_value=default if fill_value is None else fill_value,
            # where all is 0 a reader may take it for a chunk that got lost
            config={"write_empty_chunks": fill_value is None},
        )
        array.attrs["_ARRAY_DIMENSIONS"] = dimensions

    def _whole(self, name: str, values: NDArray[Any], dimensions: list[str]) -> None:
        kind: Any = str if values.dtype == object else values.dtype
        chunks = tuple(max(size, 1) for size in values.shape)
        array = self._root.create_array(name, shape=values.shape, dtype=kind, chunks=chunks)
        array[...] = values
        array.attrs["_ARRAY_DIMENSIONS"] = dimensions
