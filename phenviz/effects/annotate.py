"""A VCF with the effects of its variants in INFO, all else as it was."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from Bio.bgzf import BgzfWriter

from phenviz.errors import DataError, ResultError
from phenviz.genome import ReferenceGenome
from phenviz.results import phenviz_version
from phenviz.results.files import write_aside
from phenviz.variation.normalise import Rows, split_records
from phenviz.variation.read import check_assembly
from phenviz.variation.records import Records
from phenviz.variation.report import Tally, VariantReport
from phenviz.variation.sources import open_source

VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz")
# records that are scored together; the store keeps them together, too
CHUNK = 8_192
_PREFIXES = {"effect": "PV", "quantile": "PVQ"}
_STATUS = "PV_STATUS"
_NOT_READ = "not_scored"
# bytes that aren't UTF-8 come out as they went in
_BYTES = "surrogateescape"


def annotate_vcf(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    reference: ReferenceGenome,
    score: Callable[[pd.DataFrame], xr.Dataset],
    *,
    chunk: int = CHUNK,
) -> VariantReport:
    """Write a VCF again, with the effect of each alternate allele.

    Every line is kept as it is but for INFO, which gets ``PV_<context>`` (effect), ``PVQ_<context>``
    (quantile, where there is one) and, where an allele can't be scored, ``PV_STATUS``: one value an
    alternate allele each. Entries of these names from an earlier run are replaced. The file is read and
    written record by record.

    Parameters
    ----------
    source
        VCF, plain, gzip or bgzip, or BCF.
    target
        ``.vcf``, or ``.vcf.gz`` (bgzip).
    reference
        Genome that the file was called against.
    score
        Scores a table of normalised variants, as `phenviz.effects.score_variants` does.
    chunk
        Records scored together.

    Returns
    -------
    VariantReport
        What was left out, and why.

    Raises
    ------
    DataError
        If the file can't be read, is no VCF, or is of another assembly.
    ResultError
        If the target's name has another suffix, or the disk refuses.
    """
    source, target = Path(source), Path(target)
    if not target.name.lower().endswith(VCF_SUFFIXES):
        raise ResultError(f"{target} is no VCF: end its name with {' '.join(VCF_SUFFIXES)}")
    if source.exists() and target.exists() and source.samefile(target):
        raise ResultError(f"{target} is the file to be read: choose another name for the annotated one")
    tally = Tally(str(source))

    def write(parts: list[Path]) -> None:
        zipped = not target.name.lower().endswith(".vcf")
        with _writer(parts[0], zipped=zipped) as out:
            _annotate(source, reference, score, chunk, tally, out)

    write_aside([target], write)
    return tally.report()


def _annotate(
    source: Path,
    reference: ReferenceGenome,
    score: Callable[[pd.DataFrame], xr.Dataset],
    chunk: int,
    tally: Tally,
    out: IO[bytes],
) -> None:
    opened = open_source(source)
    header, lines = _lines(source)
    written = False
    for records in _or_nothing(opened.records(None, None, chunk)):
        rows = split_records(records, reference, tally)
        check_assembly(tally, reference, opened)
        scores = score(rows.table())
        if not written:
            out.write("".join(_header(header, scores)).encode(errors=_BYTES))
            written = True
        for line in _annotated(records, rows, scores, islice(lines, len(records)), source):
            out.write(line.encode(errors=_BYTES))
    if next(lines, None) is not None:
        raise DataError(f"{source} changed while it was read: annotate it again")


def _or_nothing(pieces: Iterator[Records]) -> Iterator[Records]:
    """Yield the pieces; of a file without records, one piece without records."""
    first = next(pieces, None)
    yield (
        first if first is not None else Records([], np.zeros(0, np.int64), [], [], [], np.zeros(0, np.int64))
    )
    yield from pieces


def _annotated(
    records: Records, rows: Rows, scores: xr.Dataset, lines: Iterable[str], source: Path
) -> Iterator[str]:
    """Yield the lines of some records with their new INFO."""
    names = [_key(str(name)) for name in scores["context"].values]
    numbers = {
        f"{prefix}_{name}": scores[variable].values[:, column]
        for variable, prefix in _PREFIXES.items()
        if variable in scores
        for column, name in enumerate(names)
    }
    status = [str(one).replace(" ", "_") for one in scores["status"].values]
    row_of = {place: row for row, place in enumerate(zip(rows.record, rows.allele, strict=True))}
    found = 0
    for index, line in enumerate(lines):
        record = line.rstrip("\r\n")
        fields = record.split("\t", 8)
        if len(fields) < 8 or fields[1] != str(records.position[index]):
            raise DataError(f"{source} changed while it was read: annotate it again")
        own = [row_of.get((index, allele)) for allele in range(1, len(records.alternates[index]) + 1)]
        fields[7] = _info(fields[7], own, numbers, status)
        yield "\t".join(fields) + line[len(record) :]
        found += 1
    if found != len(records):
        raise DataError(f"{source} changed while it was read: annotate it again")


def _info(before: str, own: list[int | None], numbers: dict[str, np.ndarray], status: list[str]) -> str:
    kept = [entry for entry in before.split(";") if entry not in ("", ".") and not _is_ours(entry)]
    said = [_NOT_READ if row is None else status[row] for row in own]
    if any(one == "scored" for one in said):
        kept += [f"{key}={','.join(_number(values, row) for row in own)}" for key, values in numbers.items()]
    if any(one != "scored" for one in said):
        kept.append(f"{_STATUS}={','.join(said)}")
    return ";".join(kept) or "."


def _number(values: np.ndarray, row: int | None) -> str:
    return "." if row is None or not np.isfinite(values[row]) else f"{values[row]:.5g}"


def _header(lines: list[str], scores: xr.Dataset) -> Iterator[str]:
    ours = [f"##INFO=<ID={prefix}_" for prefix in _PREFIXES.values()]
    for line in lines[:-1]:
        if not line.startswith((*ours, "##phenviz")):
            yield line
    attrs = scores.attrs
    yield f"##phenviz=<Version={phenviz_version()},Model={attrs['model']},Assembly={attrs['assembly']}>\n"
    units, definition = str(attrs["units"]), _quoted(str(attrs["definition"]))
    labels = scores["context_label"].values if "context_label" in scores.coords else scores["context"].values
    for name, label in zip(scores["context"].values, labels, strict=True):
        about = f"{units} in {_quoted(str(label))}: {definition}"
        yield f'##INFO=<ID=PV_{_key(str(name))},Number=A,Type=Float,Description="{about}">\n'
    if "quantile" in scores:
        ranked = _quoted(str(scores["quantile"].attrs.get("definition", "quantile among common variants")))
        for name, label in zip(scores["context"].values, labels, strict=True):
            about = f"PV_{_key(str(name))} ({_quoted(str(label))}) as {ranked}"
            yield f'##INFO=<ID=PVQ_{_key(str(name))},Number=A,Type=Float,Description="{about}">\n'
    yield f'##INFO=<ID={_STATUS},Number=A,Type=String,Description="Why an allele has no effect">\n'
    yield lines[-1]


def _is_ours(entry: str) -> bool:
    return entry.startswith(tuple(f"{prefix}_" for prefix in _PREFIXES.values()))


def _key(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z_]", "_", name)


def _quoted(text: str) -> str:
    return " ".join(text.replace("\\", "").replace('"', "'").split())


def _lines(path: Path) -> tuple[list[str], Iterator[str]]:
    """Return the header's lines, and the lines of the records."""
    with path.open("rb") as raw:
        begin = raw.read(5)
    unzipped = begin
    if begin[:2] == b"\x1f\x8b":
        with gzip.open(path) as zipped:
            unzipped = zipped.read(5)
    texts = _bcf_lines(path) if unzipped[:3] == b"BCF" else _text_lines(path, zipped=begin[:2] == b"\x1f\x8b")
    header: list[str] = []
    for line in texts:
        header.append(line)
        if line.startswith("#CHROM"):
            return header, texts
    raise DataError(f"{path} has no line that begins with #CHROM: give a VCF")


def _text_lines(path: Path, *, zipped: bool) -> Iterator[str]:
    # lines end where a VCF's do, whatever else other software takes for the end of a line
    how = {"mode": "rt", "encoding": "utf-8", "errors": _BYTES, "newline": "\n"}
    opened = gzip.open(path, **how) if zipped else open(path, **how)  # type: ignore[call-overload]
    with cast(IO[str], opened) as file:
        for line in file:
            if line.strip():
                yield line if line.endswith("\n") else f"{line}\n"


def _bcf_lines(path: Path) -> Iterator[str]:
    from phenviz.variation.htslib import quiet_pysam

    with quiet_pysam().VariantFile(str(path)) as opened:
        yield from str(opened.header).splitlines(keepends=True)
        try:
            yield from map(str, opened)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} holds text that isn't UTF-8 ({error.reason}): write it as text first (bcftools view "
                "-Oz -o calls.vcf.gz), where every byte stays as it is"
            ) from error


def _writer(path: Path, *, zipped: bool) -> Any:
    # Biopython's writer makes the blocks that tabix and bcftools want
    return BgzfWriter(str(path), "wb") if zipped else path.open("wb")
