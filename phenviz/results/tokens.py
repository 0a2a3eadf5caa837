"""Gene tokens of many people on disk: differences from the reference, in half precision."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError, ModelError

FORMAT = "phenviz-tokens/1"
PEOPLE_PER_CHUNK, GENES_PER_CHUNK = 1_000, 4
# a number near 1 keeps 11 binary digits
HALF_ERROR = 2.0**-11


class _Phenformer(Protocol):
    """The part of a disease model that says what its tokens are."""

    name: str
    assembly: str
    window: int
    channels: int
    expression: tuple[str, ...]
    expression_from: str
    haplotypes: str
    backbone_hash: str | None
    readout_hash: str | None
    genes: Any


class TokenStore:
    """A store of tokens that is open for reading.

    A token is ``reference + difference * scale``, where the difference is held in half precision and the
    scale is the largest difference of anybody; so each number is within 2^-11 of its own size.

    Parameters
    ----------
    path
        Folder, as `create` made it.

    Attributes
    ----------
    samples, genes, features
        Names, in the order of the arrays.
    pair
        Whether both haplotypes stand apart.
    attrs
        What the store says about itself.

    Raises
    ------
    DataError
        If it is missing, of another format, or not finished.
    """

    def __init__(self, path: str | os.PathLike[str], *, unfinished: bool = False) -> None:
        import zarr

        self.path = Path(path)
        if not (self.path / "zarr.json").is_file():
            raise DataError(f"{self.path} holds no gene tokens: make them with `phenviz cohort embed`")
        self._root: Any = zarr.open_group(str(self.path), mode="r+" if unfinished else "r")
        self.attrs: dict[str, Any] = dict(self._root.attrs)
        if self.attrs.get("format") != FORMAT:
            raise DataError(f"{self.path} is no store of gene tokens ({FORMAT}): make one with "
                            "`phenviz cohort embed`")  # fmt: skip
        self.samples, self.genes, self.features = map(self._names, ("sample", "gene", "feature"))
        self.pair = len(self._shape()) == 4
        if not unfinished and not self.done.all():
            raise DataError(
                f"{self.path} lacks the tokens of {int((~self.done).sum()):,} of {len(self.genes):,} genes: "
                "go on with the same `phenviz cohort embed` command"
            )

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        samples: Sequence[str],
        genes: Sequence[str],
        features: Sequence[str],
        pair: bool,
        attrs: dict[str, Any],
    ) -> TokenStore:
        """Make an empty store for everybody's tokens; replaces what is there."""
        import zarr

        root: Any = zarr.open_group(str(path), mode="w")
        root.attrs.update({"format": FORMAT, **attrs})
        shape = (len(samples), 2, len(genes), len(features)) if pair else (
            len(samples), len(genes), len(features))  # fmt: skip
        chunks = (min(PEOPLE_PER_CHUNK, len(samples)), *((2,) if pair else ()),
                  min(GENES_PER_CHUNK, len(genes)), len(features))  # fmt: skip
        root.create_array("difference", shape=shape, chunks=chunks, dtype=np.float16)
        square = (len(genes), len(features))
        for name in ("scale", "reference"):
            root.create_array(name, shape=square, chunks=square, dtype=np.float32)
        root.create_array("done", shape=(len(genes),), dtype=np.bool_)
        for name, values in (("sample", samples), ("gene", genes), ("feature", features)):
            root.create_array(name, shape=(len(values),), dtype=str)[:] = np.array(list(values), dtype=object)
        return cls(path, unfinished=True)

    def _names(self, array: str) -> tuple[str, ...]:
        return tuple(map(str, self._root[array][:]))

    def _shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._root["difference"].shape
        return shape

    @property
    def done(self) -> NDArray[np.bool_]:
        """Whether each gene's tokens are there, (genes,)."""
        return np.asarray(self._root["done"][:], dtype=bool)

    @property
    def reference(self) -> NDArray[np.float32]:
        """Token of one haplotype of the reference, (genes, features)."""
        return np.asarray(self._root["reference"][:])

    def write(
        self, genes: Sequence[int], difference: NDArray[np.floating], reference: NDArray[np.floating]
    ) -> None:
        """Write everybody's tokens of some genes.

        Parameters
        ----------
        genes
            Neighbouring numbers of genes.
        difference
            Token minus that of the reference (of both haplotypes together where they aren't kept apart),
            (people, [2,] genes, features).
        reference
            Shape (genes, features).
        """
        # before they become half precision, so that no number is too small for it
        where = slice(genes[0], genes[-1] + 1)
        axes = tuple(range(difference.ndim - 2))
        scale = np.abs(difference).max(axis=axes, initial=0).astype(np.float32)
        scale[scale == 0] = 1
        self._root["difference"][..., where, :] = (difference / scale).astype(np.float16)
        self._root["scale"][where], self._root["reference"][where] = scale, reference.astype(np.float32)
        self._root["done"][where] = True

    def read(self, samples: Iterable[str] | None = None) -> Tokens:
        """Read the tokens of people into memory, as they are on disk.

        Raises
        ------
        DataError
            If somebody isn't in the store.
        """
        names = list(self.samples if samples is None else samples)
        place = {name: row for row, name in enumerate(self.samples)}
        if unknown := [name for name in names if name not in place]:
            raise DataError(
                f"{self.path} has no tokens of {unknown[0]!r} ({len(unknown):,} of {len(names):,} people are "
                "missing): run `phenviz cohort embed` again"
            )
        rows = np.array([place[name] for name in names], dtype=np.intp)
        values = self._root["difference"]
        everybody = len(rows) == len(self.samples) and bool((rows == np.arange(len(rows))).all())
        held = np.asarray(values[:]) if everybody else np.asarray(values.oindex[rows])
        return Tokens(held, np.asarray(self._root["scale"][:]), self.reference)

    def check(self, phenformer: _Phenformer) -> None:
        """Raise `ModelError` unless a disease model takes these very tokens."""
        wanted = {
            "genes": tuple(gene.name for gene in phenformer.genes),
            "assembly": phenformer.assembly,
            "window": phenformer.window,
            "channels": phenformer.channels,
            "expression": tuple(phenformer.expression),
            "expression_from": phenformer.expression_from,
        }
        found = {name: self.attrs.get(name) for name in wanted} | {"genes": self.genes}
        found["expression"] = tuple(self.attrs.get("expression", ()))
        for name, value in wanted.items():
            if found[name] != value:
                raise ModelError(
                    f"the tokens in {self.path} were made for other {name} than {phenformer.name} was "
                    "trained on: make them again with `phenviz cohort embed`"
                )
        for name in ("backbone", "readout"):
            known = getattr(phenformer, f"{name}_hash")
            if known is not None and self.attrs.get(name) != known:
                raise ModelError(
                    f"the tokens in {self.path} come from a {name} with the hash "
                    f"{self.attrs.get(name)!s:.8}, {phenformer.name} was trained on one with {known[:8]}: "
                    "make them again"
                )
        if phenformer.haplotypes == "pair" and not self.pair:
            raise ModelError(
                f"{phenformer.name} looks at both haplotypes, and {self.path} holds their sum: make the "
                "tokens again with --haplotypes pair"
            )


class Tokens:
    """Tokens of some people in memory, in half precision.

    Parameters
    ----------
    difference
        Shape (people, [2,] genes, features), float16.
    scale, reference
        Shape (genes, features).
    """

    def __init__(
        self,
        difference: NDArray[np.float16],
        scale: NDArray[np.float32],
        reference: NDArray[np.float32],
    ) -> None:
        self.difference, self.scale, self.reference = difference, scale, reference

    def __len__(self) -> int:
        return len(self.difference)

    @property
    def pair(self) -> bool:
        """Whether both haplotypes stand apart."""
        return self.difference.ndim == 4

    def select(self, rows: NDArray[np.intp]) -> Tokens:
        """Return the tokens of some people."""
        return Tokens(self.difference[rows], self.scale, self.reference)

    def sums(self, rows: slice | NDArray[np.intp] = slice(None)) -> NDArray[np.float32]:
        """Return differences of both haplotypes together, (people, genes, features), in the token's unit."""
        values = self.difference[rows].astype(np.float32) * self.scale
        return values.sum(axis=1) if self.pair else values

    def apart(self, rows: slice | NDArray[np.intp] = slice(None)) -> NDArray[np.float32]:
        """Return differences of each haplotype, (people, 2, genes, features); halves of a sum if need be."""
        values = self.difference[rows].astype(np.float32) * self.scale
        return values if self.pair else np.stack([values / 2, values / 2], axis=1)
