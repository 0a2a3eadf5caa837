"""A VCF with the effects of its variants in INFO, all else as it was."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.errors import DataError, ResultError
from phenviz.genome import ReferenceGenome
from phenviz.results import phenviz_version
from phenviz.results.writing import write_aside
from phenviz.variation.normalise import Rows, split_records
from phenviz.variation.read import check_assembly
from phenviz.variation.records import Records
from phenviz.variation.report import Tally, VariantReport
from phenviz.variation.sources import open_source
from phenviz.variation.vcf_text import BYTES, VCF_SUFFIXES, vcf_writer, whole_lines

# records that are scored together; the store keeps them together, too
CHUNK = 8_192
_PREFIXES = {"effect": "PV", "quantile": "PVQ"}
_STATUS = "PV_STATUS"
_NOT_READ = "not_scored"
_INFO_ID = re.compile(r"##INFO=<ID=([^,>]+)")


def annotate_vcf(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    reference: ReferenceGenome,
    score: Callable[[pd.DataFrame], xr.Dataset],
    *,
    chunk: int = CHUNK,
) -> VariantReport:
    """Write a VCF again, with the effect of each alternate allele.

    Every line is kept as it is, byte for byte, but for INFO, which gets ``PV_<context>`` (effect),
    ``PVQ_<context>`` (quantile, where there is one) and, where an allele can't be scored, ``PV_STATUS``: one
    value per alternate allele each. What a key can't hold of a context's name is written in hexadecimal:
    ``CD8+ T`` is ``PV_CD8.2B.20T``. Entries of these names, and all that an earlier run wrote, are replaced.
    The file is read and written record by record.

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

    def write(parts: list[Path]) -> list[int]:
        zipped = not target.name.lower().endswith(".vcf")
        with vcf_writer(parts[0], zipped=zipped) as out:
            return [_annotate(source, reference, score, chunk, tally, out)]

    write_aside([target], write)
    return tally.report()


def _annotate(
    source: Path,
    reference: ReferenceGenome,
    score: Callable[[pd.DataFrame], xr.Dataset],
    chunk: int,
    tally: Tally,
    out: IO[bytes],
) -> int:
    """Write the annotated file, and count its records."""
    opened = open_source(source)
    header, lines = whole_lines(source)
    again = any(line.startswith("##phenviz=") for line in header)
    written, count = False, 0
    for records in _or_nothing(opened.records(None, None, chunk)):
        rows = split_records(records, reference, tally)
        check_assembly(tally, reference, opened)
        scores = score(rows.table())
        if not written:
            out.write("".join(_header(header, scores, again)).encode(BYTES))
            written = True
        for line in _annotated(records, rows, scores, islice(lines, len(records)), source, again):
            out.write(line.encode(BYTES))
            count += 1
    if next(lines, None) is not None:
        raise DataError(f"{source} changed while it was read: annotate it again")
    return count


def _or_nothing(chunks: Iterator[Records]) -> Iterator[Records]:
    """Yield the chunks; of a file without records, one chunk without records."""
    first = next(chunks, None)
    yield (
        first if first is not None else Records([], np.zeros(0, np.int64), [], [], [], np.zeros(0, np.int64))
    )
    yield from chunks


def _annotated(
    records: Records, rows: Rows, scores: xr.Dataset, lines: Iterable[str], source: Path, again: bool
) -> Iterator[str]:
    """Yield the lines of some records with their new INFO."""
    numbers = {
        info_key(prefix, str(name)): scores[variable].values[:, column]
        for variable, prefix in _PREFIXES.items()
        if variable in scores
        for column, name in enumerate(scores["context"].values)
    }
    ours = {*numbers, _STATUS}
    status = [str(one).replace(" ", "_") for one in scores["status"].values]
    row_of = {place: row for row, place in enumerate(zip(rows.record, rows.allele, strict=True))}
    found = 0
    for index, line in enumerate(lines):
        record = line.rstrip("\r\n")
        fields = record.split("\t", 8)
        if len(fields) < 8 or fields[1] != str(records.position[index]):
            raise DataError(f"{source} changed while it was read: annotate it again")
        own = [row_of.get((index, allele)) for allele in range(1, len(records.alternates[index]) + 1)]
        kept = [
            entry
            for entry in fields[7].split(";")
            if entry not in ("", ".") and not _is_ours(entry.partition("=")[0], ours, again)
        ]
        fields[7] = _info(kept, own, numbers, status)
        yield "\t".join(fields) + line[len(record) :]
        found += 1
    if found != len(records):
        raise DataError(f"{source} changed while it was read: annotate it again")


def _info(kept: list[str], own: list[int | None], numbers: dict[str, np.ndarray], status: list[str]) -> str:
    said = [_NOT_READ if row is None else status[row] for row in own]
    if any(one == "scored" for one in said):
        kept += [f"{key}={','.join(_number(values, row) for row in own)}" for key, values in numbers.items()]
    if any(one != "scored" for one in said):
        kept.append(f"{_STATUS}={','.join(said)}")
    return ";".join(kept) or "."


def _number(values: np.ndarray, row: int | None) -> str:
    return "." if row is None or not np.isfinite(values[row]) else f"{values[row]:.5g}"


def _header(lines: list[str], scores: xr.Dataset, again: bool) -> Iterator[str]:
    names = [str(name) for name in scores["context"].values]
    ours = {_STATUS, *(info_key(prefix, name) for prefix in _PREFIXES.values() for name in names)}
    for line in lines[:-1]:
        declared = _INFO_ID.match(line)
        if not line.startswith("##phenviz") and not (declared and _is_ours(declared[1], ours, again)):
            yield line
    yield from (line.encode().decode(BYTES) for line in _our_lines(scores, names))
    yield lines[-1]


def _our_lines(scores: xr.Dataset, names: list[str]) -> Iterator[str]:
    attrs = scores.attrs
    yield f"##phenviz=<Version={phenviz_version()},Model={attrs['model']},Assembly={attrs['assembly']}>\n"
    units, definition = str(attrs["units"]), _quoted(str(attrs["definition"]))
    labels = scores["context_label"].values if "context_label" in scores.coords else scores["context"].values
    for name, label in zip(names, labels, strict=True):
        about = f"{units} in {_quoted(str(label))}: {definition}"
        yield f'##INFO=<ID={info_key("PV", name)},Number=A,Type=Float,Description="{about}">\n'
    if "quantile" in scores:
        ranked = _quoted(str(scores["quantile"].attrs.get("definition", "quantile among common variants")))
        for name, label in zip(names, labels, strict=True):
            about = f"{info_key('PV', name)} ({_quoted(str(label))}) as {ranked}"
            yield f'##INFO=<ID={info_key("PVQ", name)},Number=A,Type=Float,Description="{about}">\n'
    yield f'##INFO=<ID={_STATUS},Number=A,Type=String,Description="Why an allele has no effect">\n'


def info_key(prefix: str, name: str) -> str:
    """Write a context's name so that it can be part of an INFO key, and no other name is alike.

    Letters, digits and ``_`` stay; other characters become ``.`` and two hexadecimal digits for each byte of
    their UTF-8.
    """
    key = f"{prefix}_" + "".join(
        one if re.fullmatch("[0-9A-Za-z_]", one) else "".join(f".{byte:02X}" for byte in one.encode())
        for one in name
    )
    return key if key != _STATUS else f"{prefix}_.{ord(name[0]):02X}{name[1:]}"


def _is_ours(key: str, ours: Collection[str], again: bool) -> bool:
    """Tell whether a run of ours wrote a key; other programs may have some that begin alike."""
    return key in ours or (again and key.startswith(tuple(f"{prefix}_" for prefix in _PREFIXES.values())))


def _quoted(text: str) -> str:
    return " ".join(text.replace("\\", "").replace('"', "'").split())
