"""What every result holds: its attributes, its contexts, and which kind it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phenviz import __version__
from phenviz.errors import ResultError
from phenviz.genome.locus import Locus

REQUIRED_ATTRS = ("assembly", "contig", "start", "end", "model", "definition", "units", "phenviz_version")

_DIMS_OF_KIND: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "prediction": {"activity": ("context", "bin")},
    "mutagenesis": {"effect": ("position", "allele", "context"), "reference": ("position",)},
    "attribution": {"attribution": ("position",)},
    "variant effects": {"effect": ("variant", "context")},
    "gene expression": {"expression": ("gene", "context")},
    "effects on expression": {"expression_effect": ("pair", "context")},
    "risk": {"score": ("person", "trait", "method")},
    "measured": {"correlation": ("gene", "context", "method"), "people": ("gene", "context", "method")},
    "sequences": {"activity": ("context", "bin")},
}
_COORDS_OF_KIND = {
    "prediction": ("bin_start", "context"),
    "mutagenesis": ("position", "allele", "context"),
    "attribution": ("position",),
    "variant effects": ("contig", "position", "ref", "alt", "context"),
    "gene expression": ("gene", "context"),
    "effects on expression": ("contig", "position", "ref", "alt", "gene", "context"),
    "risk": ("person", "trait", "method"),
    "measured": ("gene", "feature", "context", "method"),
    "sequences": ("sequence", "start", "end", "context"),
}
CONVENTION = "position is 1-based; start, end and bin_start are 0-based, half-open"
_POSITION = {"long_name": "position, 1-based (as in VCF)", "first_base": 1}
_BIN_START = {"long_name": "start of the bin, 0-based, half-open (as in BED)", "first_base": 0}
# bytes of text that may be held in arrays of one width
_WIDE_TEXT = 2**24


class _Model(Protocol):
    """The part of a backbone that a result remembers."""

    name: str
    weights_hash: str
    bin_size: int


class _Reference(Protocol):
    """The part of a reference genome that a result remembers."""

    assembly: str

    @property
    def contigs(self) -> Mapping[str, int]: ...


class _Context(Protocol):
    """The part of a context that a result remembers."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def curie(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def colour(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def units(self) -> str: ...


def result_attrs(
    locus: Locus,
    backbone: _Model | None = None,
    reference: _Reference | None = None,
    *,
    definition: str,
    units: str,
    **extra: Any,
) -> dict[str, Any]:
    """Collect the attributes that every result carries.

    Parameters
    ----------
    locus
        What the result is about; ``start`` and ``end`` are kept 0-based, half-open.
    backbone
        Model that made the result; gives ``model`` (``name@hash8``), ``model_hash`` and ``bin_size``.
    reference
        Genome it was made on; gives ``assembly`` and ``contig_length`` (bases).
    definition
        The formula in words, so that the number can be read without the code.
    units
        Unit of the main variable.
    **extra
        More attributes (``sample``, ``haplotype``, ``target``, ``baseline``, ``n_steps``, ...); None is left
        out, and what netCDF can't hold is written as text. They win over the ones above.

    Returns
    -------
    dict[str, Any]
        Only text, whole numbers, numbers, and lists of these.
    """
    attrs: dict[str, Any] = {"assembly": "unknown"}
    attrs |= {"contig": locus.contig, "start": int(locus.start), "end": int(locus.end)}
    if locus.strand != ".":
        attrs["strand"] = locus.strand
    if reference is not None:
        attrs["assembly"] = reference.assembly
        if locus.contig in reference.contigs:
            attrs["contig_length"] = int(reference.contigs[locus.contig])
    attrs["model"] = "none"
    if backbone is not None:
        attrs["model"] = f"{backbone.name}@{backbone.weights_hash[:8]}"
        attrs["model_hash"] = backbone.weights_hash
        attrs["bin_size"] = int(backbone.bin_size)
    attrs |= {"definition": definition, "units": units, "coordinate_convention": CONVENTION}
    attrs["phenviz_version"] = phenviz_version()
    return attrs | {name: plain_value(value) for name, value in extra.items() if value is not None}


def context_coords(contexts: Iterable[_Context]) -> dict[str, tuple[str, list[str]]]:
    """Make the coordinates on dimension ``context``: short name, label, ontology term, group and colour.

    Returns
    -------
    dict
        ``context``, ``context_label``, ``curie``, ``group``, ``colour``, and ``units`` where contexts have
        units of their own: what ``xr.Dataset`` takes as coords.
    """
    listed = tuple(contexts)
    # where contexts differ in it; else the attribute of the same name says it for all
    own = {"units": ("context", [c.units for c in listed])} if any(c.unit for c in listed) else {}
    return own | {
        "context": ("context", [context.name for context in listed]),
        "context_label": ("context", [context.label for context in listed]),
        "curie": ("context", [context.curie for context in listed]),
        "group": ("context", [context.group for context in listed]),
        "colour": ("context", [context.colour for context in listed]),
    }


def position_coord(starts: ArrayLike, dim: str = "position") -> tuple[str, NDArray[np.int64], dict[str, Any]]:
    """Make the coordinate ``position`` of bases from their 0-based starts: it counts from 1, and says so."""
    return dim, np.asarray(starts, dtype=np.int64) + 1, dict(_POSITION)


def bin_coord(starts: ArrayLike) -> tuple[str, NDArray[np.int64], dict[str, Any]]:
    """Make the coordinate ``bin_start`` of bins from their 0-based starts, and say in it that they are."""
    return "bin", np.asarray(starts, dtype=np.int64), dict(_BIN_START)


def base_starts(dataset: xr.Dataset) -> NDArray[np.int64]:
    """Return the 0-based start of each base of a mutagenesis or attribution, shape (position,)."""
    return dataset["position"].to_numpy().astype(np.int64) - 1


def places(dataset: xr.Dataset) -> tuple[NDArray[np.int64], int]:
    """Return the 0-based starts of a result's bins or bases, and how many bases each of them has."""
    if "bin" in dataset.dims:
        return dataset["bin_start"].to_numpy().astype(np.int64), bin_size_of(dataset)
    return base_starts(dataset), 1


def counted_from_one(dataset: xr.Dataset) -> xr.Dataset:
    """Return a result of a file; where an older PhenViz counted its positions from 0, they count from 1."""
    if kind_of(dataset) not in ("mutagenesis", "attribution") or not dataset.sizes.get("position"):
        return dataset
    if "coordinate_convention" in dataset.attrs or dataset["position"].values[0] != dataset.attrs.get(
        "start"
    ):
        return dataset
    renewed = dataset.assign_coords(position=position_coord(dataset["position"].values))
    return renewed.assign_attrs(coordinate_convention=CONVENTION)


def phenviz_version() -> str:
    """Version of the installed package."""
    return __version__


def plain_value(value: Any) -> Any:
    """Turn a value into one that netCDF, Zarr and JSON all hold: text, number, or a list of these."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (bool, np.bool_, Integral)):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, (str, bytes, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, (Sequence, set, frozenset)):
        return [plain_value(item) for item in value]
    return str(value)


def text_array(values: Iterable[object]) -> np.ndarray:
    """Make an array of text: of one width, or of objects where one long value would widen too many others.

    The allele of a long deletion has as many letters as it has bases.
    """
    texts = [str(value) for value in values]
    widest = max(map(len, texts), default=1)
    if 4 * widest * len(texts) <= max(_WIDE_TEXT, 64 * sum(map(len, texts))):
        return np.array(texts, dtype=str)
    return np.array(texts, dtype=object)


def kind_of(dataset: xr.Dataset) -> str | None:
    """Tell a result's kind from its variables.

    Returns
    -------
    str or None
        ``prediction``, ``mutagenesis``, ``attribution``, ``variant effects``, ``gene expression``,
        ``effects on expression``, ``risk``, ``measured`` or ``sequences`` (a prediction of some that lie in
        no genome); None for any other table of numbers.
    """
    if "activity" in dataset.data_vars:
        return "sequences" if "sequence" in dataset["activity"].coords else "prediction"
    if "attribution" in dataset.data_vars:
        return "attribution"
    if "effect" in dataset.data_vars and "allele" in dataset["effect"].dims:
        return "mutagenesis"
    if "effect" in dataset.data_vars and "variant" in dataset["effect"].dims:
        return "variant effects"
    if "expression" in dataset.data_vars and "gene" in dataset["expression"].dims:
        return "gene expression"
    if "expression_effect" in dataset.data_vars and "pair" in dataset["expression_effect"].dims:
        return "effects on expression"
    if "score" in dataset.data_vars and "person" in dataset["score"].dims:
        return "risk"
    if "correlation" in dataset.data_vars and {"gene", "method"} <= set(dataset["correlation"].dims):
        return "measured"
    return None


def validate(dataset: xr.Dataset) -> str:
    """Check that a result holds what its readers rely on.

    Returns
    -------
    str
        Its kind.

    Raises
    ------
    ResultError
        Naming the variable, dimension, coordinate or attribute that is missing.
    """
    kind = kind_of(dataset)
    if kind is None:
        raise ResultError(
            f"a dataset with {_listing(dataset.data_vars)} is no prediction (activity), mutagenesis (effect "
            "over position, allele, context), attribution (attribution), table of variants (effect over "
            "variant, context), gene expression (expression over gene, context), effects on expression "
            "(expression_effect over pair, context), risk (score over person, trait, method) or agreement "
            "with measured expression (correlation over gene, context, method): pass what one of them "
            "returned"
        )
    for name, dims in _DIMS_OF_KIND[kind].items():
        if name not in dataset.data_vars:
            raise ResultError(f"this {kind} misses the variable {name!r} ({', '.join(dims)})")
        missing = [dim for dim in dims if dim not in dataset[name].dims]
        if missing:
            raise ResultError(
                f"variable {name!r} of this {kind} has dimensions {dataset[name].dims}, not {dims}: "
                f"{_listing(missing)} is missing"
            )
    if missing := [name for name in _COORDS_OF_KIND[kind] if name not in dataset.coords]:
        raise ResultError(f"this {kind} misses the coordinate {_listing(missing)}")
    if missing := [name for name in REQUIRED_ATTRS if name not in dataset.attrs]:
        raise ResultError(f"this {kind} misses the attribute {_listing(missing)}: make it with result_attrs")
    return kind


def locus_of(dataset: xr.Dataset) -> Locus:
    """Locus that a result is about, from its attributes.

    Raises
    ------
    ResultError
        If it has no ``contig``, ``start`` and ``end``.
    """
    attrs = dataset.attrs
    if missing := [name for name in ("contig", "start", "end") if name not in attrs]:
        raise ResultError(f"this result misses the attribute {_listing(missing)}, so its locus isn't known")
    return Locus(str(attrs["contig"]), int(attrs["start"]), int(attrs["end"]), str(attrs.get("strand", ".")))


def bin_size_of(dataset: xr.Dataset) -> int:
    """Bases in one bin of a prediction, from its attribute or the distance of its bins."""
    if "bin_size" in dataset.attrs:
        return int(dataset.attrs["bin_size"])
    starts = dataset["bin_start"].values
    if len(starts) < 2:
        raise ResultError("this prediction has one bin and no attribute 'bin_size': its end isn't known")
    return int(starts[1] - starts[0])


def reference_bases(dataset: xr.Dataset) -> np.ndarray:
    """Return the reference letters of a mutagenesis or attribution, shape (position,).

    The variable ``reference`` may hold letters or codes (A, C, G, T, N are 0 to 4).
    """
    values = dataset["reference"].values
    if np.issubdtype(values.dtype, np.integer):
        return np.array(list("ACGTN"))[np.minimum(values, 4)]
    if values.dtype.kind == "S":
        values = values.astype("U1")
    return np.char.upper(values.astype("U1"))


def contribution(dataset: xr.Dataset) -> xr.DataArray:
    """Contribution of each reference base: minus the mean effect of its three alternates.

    Parameters
    ----------
    dataset
        A mutagenesis.

    Returns
    -------
    xr.DataArray
        Dimensions (position, context); NaN where the reference is N.
    """
    alleles = dataset["allele"].values.astype("U1")
    is_alternate = xr.DataArray(
        reference_bases(dataset)[:, None] != alleles[None, :], dims=("position", "allele")
    )
    return -dataset["effect"].where(is_alternate).mean("allele", skipna=True)


def _listing(names: Iterable[object]) -> str:
    return ", ".join(repr(str(name)) for name in names) or "no variable"
