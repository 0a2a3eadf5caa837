"""Results as BED and bigWig, for genome browsers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.errors import ResultError
from phenviz.genome.locus import exported_contig
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.bigwig import written_bigwigs
from phenviz.results.comments import comments
from phenviz.results.long_results import in_tiles
from phenviz.results.schema import (
    base_starts,
    contribution,
    kind_of,
    locus_of,
    places,
    reference_bases,
    validate,
)

_LINES_AT_ONCE = 200_000
_NUMBER = {"prediction": "activity", "mutagenesis": "effect", "attribution": "attribution"}
_BED_COLUMNS = {
    "prediction": "chrom start end context score strand value",
    "mutagenesis": "chrom start end context:ref>alt score strand effect ref alt",
    "attribution": "chrom start end target score strand value",
}


def write_bed(dataset: xr.Dataset, path: Path, progress: Progress = NO_PROGRESS) -> int:
    """Write scored intervals, 0-based half-open, by position; contigs as `exported_contig` names them.

    One line per bin and context (prediction), base and target (attribution), or base and context with the
    strongest of its three alternates (mutagenesis). The first six columns are BED; score is the number's
    size, scaled to 0-1000 over the file; the number itself stands in column seven, and reference and
    strongest alternate follow it in mutagenesis. Comment lines name columns, definition, units, model and all
    other attributes. Positions without a number (reference N) have no line.

    Returns
    -------
    int
        Lines written, without comments.
    """
    kind = _check_kind(dataset)
    _check_inside(dataset)
    lines = {
        "prediction": _prediction_lines,
        "mutagenesis": _mutagenesis_lines,
        "attribution": _attribution_lines,
    }
    # scores are scaled to the largest number of all, so that a long result is read twice
    largest = max(
        (_largest(tile[_NUMBER[kind]].values) for tile in in_tiles(dataset, progress, "scaling")), default=0.0
    )
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"# {line}\n" for line in (*comments(dataset), f"columns: {_BED_COLUMNS[kind]}"))
        for tile in in_tiles(dataset, progress):
            for frame in lines[kind](tile, largest or 1.0):
                kept = frame[np.isfinite(frame["value"])]
                kept.to_csv(
                    file, sep="\t", header=False, index=False, float_format="%.6g", lineterminator="\n"
                )
                written += len(kept)
    return written


def _check_kind(dataset: xr.Dataset) -> str:
    kind = validate(dataset)
    if kind not in _BED_COLUMNS:
        others = ".vcf.gz, .parquet" if kind == "variant effects" else ".parquet"
        raise ResultError(
            f"{kind}: this is no track, save it as {others}, .tsv or .nc, instead of .bed and .bw"
        )
    if "haplotype" in dataset.dims:
        raise ResultError(
            "this prediction holds several haplotypes: choose one for .bed and .bw, as in "
            "dataset.sel(haplotype='1')"
        )
    return kind


def _check_inside(dataset: xr.Dataset) -> None:
    """Raise unless a result whose places ascend lies on its contig."""
    dim = "bin" if "bin" in dataset.dims else "position"
    if not dataset.sizes[dim]:
        return
    (first, last), _ = places(dataset.isel({dim: [0, -1]}))
    length = int(dataset.attrs.get("contig_length", np.iinfo(np.int64).max))
    if first < 0 or last >= length:
        raise ResultError(
            f"this {kind_of(dataset)} holds positions {first + 1:,} to {last + 1:,}, and contig "
            f"{dataset.attrs['contig']} has those from 1 to {length:,}: give the result as it was computed"
        )


def bigwig_paths(dataset: xr.Dataset, path: Path) -> dict[str | None, Path]:
    """Files that a result becomes: ``foo.Ery.bw`` for each context, ``foo.bw`` where there is none.

    Returns
    -------
    dict
        Context (None where the result has none) to path.
    """
    _check_kind(dataset)
    if "context" not in dataset.dims:
        return {None: path}
    names = [str(name) for name in dataset["context"].values]
    return {name: path.with_name(f"{path.stem}.{file_name(name)}{path.suffix}") for name in names}


def write_bigwigs(
    dataset: xr.Dataset, paths: Mapping[str | None, Path], progress: Progress = NO_PROGRESS
) -> list[int]:
    """Write one bigWig per context: activity per bin, contribution per base (mutagenesis), or attribution.

    Returns
    -------
    list[int]
        Intervals of each file.

    Raises
    ------
    ResultError
        If the attribute ``contig_length`` is missing, which a bigWig needs, a context has no number, or
        pybigtools can't write.
    """
    if "contig_length" not in dataset.attrs:
        raise ResultError(
            "a bigWig needs the contig's length: this result misses the attribute 'contig_length'"
        )
    _check_inside(dataset)
    chrom, length = _chrom(dataset), int(dataset.attrs["contig_length"])
    # the result is read once; its columns, which the files want one by one, wait on disk
    with tempfile.TemporaryDirectory(dir=next(iter(paths.values())).parent, prefix=".phenviz-") as folder:
        starts = Path(folder, "starts")
        columns = [Path(folder, str(number)) for number in range(len(paths))]
        step, counts = _write_columns(dataset, starts, columns, progress)
        for context, count in zip(paths, counts, strict=True):
            if not count:
                raise ResultError(
                    f"{context or 'this result'} has no number at {locus_of(dataset)}: nothing to write"
                )
        progress.stage("writing bigWigs", len(paths))
        files = list(zip(columns, paths.values(), strict=True))
        for _ in written_bigwigs(starts, files, contig=chrom, length=length, step=step):
            progress.advance()
    return counts.tolist()


def _write_columns(
    dataset: xr.Dataset, starts: Path, columns: Sequence[Path], progress: Progress
) -> tuple[int, NDArray[np.int64]]:
    """Write starts (int64) and the numbers of each context (float32) as they are into files.

    Returns
    -------
    tuple
        Width of a place, and how many numbers each context has.
    """
    step, counts = 1, np.zeros(len(columns), dtype=np.int64)
    with ExitStack() as opened:
        into = [opened.enter_context(path.open("wb")) for path in (starts, *columns)]
        for tile in in_tiles(dataset, progress, "reading"):
            begins, step, values = _signal(tile)
            numbers = values.transpose(..., "context") if "context" in values.dims else values
            table = numbers.values.astype(np.float32).reshape(len(begins), len(columns))
            counts += np.isfinite(table).sum(0)
            into[0].write(begins.astype(np.int64).tobytes())
            for file, column in zip(into[1:], table.T, strict=True):
                file.write(column.tobytes())
    return step, counts


def _signal(dataset: xr.Dataset) -> tuple[NDArray[np.int64], int, xr.DataArray]:
    """Return starts, width, and one number for each bin or base."""
    kind = validate(dataset)
    values = contribution(dataset) if kind == "mutagenesis" else dataset[_NUMBER[kind]]
    return *places(dataset), values


def _prediction_lines(dataset: xr.Dataset, largest: float) -> Iterator[pd.DataFrame]:
    starts, step, values = _signal(dataset)
    names = dataset["context"].values.astype(str)
    yield from _lines(dataset, starts, step, values.transpose("bin", "context").values, names, largest)


def _attribution_lines(dataset: xr.Dataset, largest: float) -> Iterator[pd.DataFrame]:
    starts, step, values = _signal(dataset)
    if "context" in values.dims:
        names, numbers = dataset["context"].values.astype(str), values.transpose("position", "context").values
    else:
        names, numbers = np.array([str(dataset.attrs.get("target", "attribution"))]), values.values[:, None]
    yield from _lines(dataset, starts, step, numbers, names, largest)


def _lines(
    dataset: xr.Dataset,
    starts: np.ndarray,
    step: int,
    values: np.ndarray,
    names: np.ndarray,
    largest: float,
) -> Iterator[pd.DataFrame]:
    """Yield lines of ``values`` (place, name) in chunks, place by place."""
    chrom = _chrom(dataset)
    last = int(dataset.attrs.get("contig_length", np.iinfo(np.int64).max))
    rows = max(_LINES_AT_ONCE // len(names), 1)
    for begin in range(0, len(starts), rows):
        chunk, begins = values[begin : begin + rows], np.repeat(starts[begin : begin + rows], len(names))
        numbers = chunk.reshape(-1)
        yield pd.DataFrame(
            {
                "chrom": chrom,
                "start": begins,
                "end": np.minimum(begins + step, last),
                "name": np.tile(names, len(chunk)),
                "score": _score(numbers, largest),
                "strand": ".",
                "value": numbers,
            }
        )


def _mutagenesis_lines(dataset: xr.Dataset, largest: float) -> Iterator[pd.DataFrame]:
    effect = dataset["effect"].transpose("position", "context", "allele").values
    alleles, bases = dataset["allele"].values.astype(str), reference_bases(dataset)
    size = np.where(
        alleles[None, None, :] == bases[:, None, None], -1.0, np.nan_to_num(np.abs(effect), nan=-1.0)
    )
    strongest = size.argmax(axis=-1)
    values = np.take_along_axis(effect, strongest[..., None], axis=-1)[..., 0]
    contexts = dataset["context"].values.astype(str)
    rows = 0
    for frame in _lines(dataset, base_starts(dataset), 1, values, contexts, largest):
        here = slice(rows // len(contexts), (rows + len(frame)) // len(contexts))
        rows += len(frame)
        ref, alt = np.repeat(bases[here], len(contexts)), alleles[strongest[here].reshape(-1)]
        name = frame["name"] + ":" + ref + ">" + alt
        yield frame.assign(name=name, ref=ref, alt=alt)


def _score(numbers: np.ndarray, largest: float) -> np.ndarray:
    share = np.nan_to_num(np.abs(numbers) / largest, nan=0.0)
    return np.rint(1000 * share).astype(np.int64)


def _largest(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))


def _chrom(dataset: xr.Dataset) -> str:
    return exported_contig(str(dataset.attrs["contig"]), str(dataset.attrs["assembly"]))


def file_name(text: str) -> str:
    """Write the name of a context or sample so that it can be part of a file's name, and no other is alike.

    Letters, digits and ``_.+-`` stay; other characters become ``%`` and their hexadecimal UTF-8, as in
    addresses: ``GMP A`` is ``GMP%20A``, ``GMP/A`` is ``GMP%2FA``.
    """
    return re.sub(r"[^\w.+-]", lambda found: quote(found[0], safe=""), text)
