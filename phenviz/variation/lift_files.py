"""Lift a VCF or a BED file over to another assembly; what has no place there is kept in another file."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

import numpy as np

from phenviz.errors import DataError
from phenviz.genome import ReferenceGenome
from phenviz.genome.chains import LEAST_MAPPED, Chains
from phenviz.genome.text_lines import is_remark, text_lines, whole_number
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.writing import aside, refusals
from phenviz.variation.lift import REASONS, LiftedAlleles, LiftReport, check_target, lift_alleles
from phenviz.variation.vcf_text import BYTES, vcf_writer, whole_lines

_EVERY = 4_096
_OF_THE_ASSEMBLY = re.compile(r"##(contig=|reference=|assembly=)")
_HEADER = (
    '##INFO=<ID=LIFTED_FROM,Number=1,Type=String,Description="Place, REF and ALT before the lift-over">\n',
    '##INFO=<ID=LIFTED_REVERSE,Number=0,Type=Flag,Description="On the other strand than before it">\n',
)
_REJECTED = (
    '##INFO=<ID=LIFT_REJECTED,Number=1,Type=String,Description="Why the record was not lifted over">\n'
)
_TURNED = "REF and ALT were turned over, entries of INFO that name bases, such as AA, were not"


def lift_vcf(
    source: Path,
    target: Path,
    rejects: Path,
    chains: Chains,
    reference: ReferenceGenome,
    *,
    progress: Progress = NO_PROGRESS,
) -> LiftReport:
    """Write a VCF again on another assembly, in its order; genotypes and INFO are kept as they are.

    Parameters
    ----------
    source
        VCF, plain, gzip or bgzip, or BCF.
    target, rejects
        ``.vcf``, or ``.vcf.gz`` (bgzip). The rejects are records as they were, with ``LIFT_REJECTED`` in
        INFO.
    chains, reference
        See `phenviz.variation.lift.lift_alleles`.
    progress
        Counts records.

    Returns
    -------
    LiftReport
        What became of the records.

    Raises
    ------
    DataError
        If the file is no VCF, or a line is no record (names it).
    SequenceError
        If the chains don't lead to the reference's assembly.
    """
    check_target(chains, reference)
    report = LiftReport(str(source), turned=_TURNED)
    header, lines = whole_lines(source)
    with aside([target, rejects]) as files, refusals(target):
        drafts = files[0].path.with_suffix(".draft")
        try:
            with drafts.open("wb") as draft, _vcf(files[1].path, rejects) as left:
                left.write("".join([*header[:-1], _REJECTED, header[-1]]).encode(BYTES))
                ranks = {name: rank for rank, name in enumerate(reference.contigs)}
                places = _lift_records(
                    lines, len(header), source, draft, left, chains, reference, ranks, report, progress
                )
            with drafts.open("rb") as draft, _vcf(files[0].path, target) as out:
                out.write("".join(_lifted_header(header, reference)).encode(BYTES))
                _write_in_order(draft, places, out)
        finally:
            drafts.unlink(missing_ok=True)
        files[0].entries, files[1].entries = report.lifted, report.read - report.lifted
    return report


def _vcf(path: Path, name: Path) -> AbstractContextManager[IO[bytes]]:
    return vcf_writer(path, zipped=not name.name.lower().endswith(".vcf"))


def _lift_records(
    lines: Iterable[str],
    before: int,
    source: Path,
    draft: IO[bytes],
    left: IO[bytes],
    chains: Chains,
    reference: ReferenceGenome,
    ranks: dict[str, int],
    report: LiftReport,
    progress: Progress,
) -> tuple[array[int], array[int], array[int]]:
    """Write the lifted records as they come; return rank of the contig, position, and place in that file."""
    places = array("q"), array("q"), array("q")
    progress.stage(f"lifting {source.name}")
    for number, line in enumerate(lines, before + 1):
        fields = line.rstrip("\r\n").split("\t", 8)
        if len(fields) < 8 or whole_number(fields[1]) is None:
            raise DataError(f"{source}, line {number:,}: it is no record of a VCF: write the file again")
        found = _lifted_record(fields, chains, reference)
        report.count(found)
        if isinstance(found, str):
            rejected = _with_info(fields, [f"LIFT_REJECTED={found}"])
            left.write("\t".join(rejected).encode(BYTES) + b"\n")
        else:
            for column, value in zip(
                places, (ranks[found.contig], found.position, draft.tell()), strict=True
            ):
                column.append(value)
            draft.write("\t".join(_moved(fields, found)).encode(BYTES) + b"\n")
        if not report.read % _EVERY:
            progress.check()
    return places


def _lifted_record(fields: list[str], chains: Chains, reference: ReferenceGenome) -> LiftedAlleles | str:
    alternates = [] if fields[4] == "." else fields[4].upper().split(",")
    end = _info_of(fields[7], "END")
    if end not in ("", str(int(fields[1]) + len(fields[3]) - 1)):
        return "symbolic"
    return lift_alleles(chains, fields[0], int(fields[1]), [fields[3].upper(), *alternates], reference)


def _info_of(info: str, key: str) -> str:
    return next((one.partition("=")[2] for one in info.split(";") if one.partition("=")[0] == key), "")


def _moved(fields: list[str], found: LiftedAlleles) -> list[str]:
    before = ":".join((fields[0], fields[1], fields[3], fields[4].replace(",", "/")))
    fields = _with_info(fields, [f"LIFTED_FROM={before}"] + ["LIFTED_REVERSE"] * found.reverse)
    ref, *alternates = found.alleles
    fields[0], fields[1], fields[3] = found.contig, str(found.position), ref
    fields[4] = ",".join(alternates) or "."
    end = str(found.position + len(ref) - 1)
    fields[7] = ";".join(f"END={end}" if one.startswith("END=") else one for one in fields[7].split(";"))
    return fields


def _with_info(fields: list[str], entries: list[str]) -> list[str]:
    ours = {entry.partition("=")[0] for entry in entries}
    kept = [one for one in fields[7].split(";") if one not in ("", ".") and one.partition("=")[0] not in ours]
    return [*fields[:7], ";".join(kept + entries), *fields[8:]]


def _lifted_header(header: list[str], reference: ReferenceGenome) -> Iterator[str]:
    ours = ("##INFO=<ID=LIFTED_FROM,", "##INFO=<ID=LIFTED_REVERSE,")
    kept = [line for line in header[:-1] if not _OF_THE_ASSEMBLY.match(line) and not line.startswith(ours)]
    yield from kept
    yield f"##reference={reference.path.name}\n"
    for name, length in reference.contigs.items():
        yield f"##contig=<ID={name},length={length},assembly={reference.assembly}>\n"
    yield from _HEADER
    yield header[-1]


def _write_in_order(
    draft: IO[bytes], places: tuple[array[int], array[int], array[int]], out: IO[bytes]
) -> None:
    """Copy lines in the order of the other assembly, which inversions and other contigs change."""
    ranks, positions, offsets = (
        np.frombuffer(column, dtype=np.int64) if column else np.zeros(0) for column in places
    )
    for place in np.lexsort((offsets, positions, ranks)):
        if draft.tell() != offsets[place]:
            draft.seek(int(offsets[place]))
        out.write(draft.readline())


def lift_bed(
    source: Path,
    target: Path,
    rejects: Path,
    chains: Chains,
    *,
    least: float = LEAST_MAPPED,
    progress: Progress = NO_PROGRESS,
) -> LiftReport:
    """Write a BED file again on another assembly.

    The strand (column 6) is turned over with an interval that lies on the other strand; thickStart and
    thickEnd (columns 7 and 8) of files of up to nine columns become start and end, and a peak's summit
    (column 10 of a narrowPeak, an offset from start) is lifted as a base, or -1 where it has no place. The
    blocks of a BED12 (columns 10 to 12) can't be lifted so: such files are refused.

    Parameters
    ----------
    source
        BED of three to ten columns, plain or gzip: 0-based half-open.
    target, rejects
        ``.bed``. The rejects are lines as they were, each below a comment with the reason.
    least
        See `phenviz.genome.chains.Chains.interval`.
    progress
        Looked at for a cancel.

    Returns
    -------
    LiftReport
        What became of the lines.

    Raises
    ------
    DataError
        If a line is no BED interval (names it), or the file is a BED12.
    """
    report = LiftReport(str(source), turned="the strand in column 6, if there is one, was turned over")
    progress.stage(f"lifting {source.name}")
    with aside([target, rejects]) as files, refusals(target):
        with (
            files[0].path.open("w", encoding="utf-8", newline="\n") as out,
            files[1].path.open("w", encoding="utf-8", newline="\n") as left,
        ):
            for number, line in text_lines(source):
                if is_remark(line):
                    out.write(f"{line}\n" if line.startswith("#") else "")
                    continue
                fields = _bed_fields(line, f"{source}, line {number:,}")
                start, end = int(fields[1]), int(fields[2])
                found = chains.interval(fields[0], start, end, least)
                report.count(found)
                if isinstance(found, str):
                    left.write(f"# {found}: {REASONS[found]}\n{line}\n")
                else:
                    summit = _summit(fields, chains, found.contig, found.start, found.end)
                    moved = [found.contig, str(found.start), str(found.end), *fields[3:]]
                    if _has_thick(fields):
                        moved[6:8] = moved[1:3]
                    out.write("\t".join(_turned(moved, found.reverse, summit)) + "\n")
                if not report.read % _EVERY:
                    progress.check()
        files[0].entries, files[1].entries = report.lifted, report.read - report.lifted
    return report


def _bed_fields(line: str, where: str) -> list[str]:
    fields = line.split("\t") if "\t" in line else line.split()
    numbers = [whole_number(text) for text in fields[1:3]]
    if len(numbers) < 2 or numbers[0] is None or numbers[1] is None or numbers[0] >= numbers[1]:
        raise DataError(
            f"{where}: {line[:80]!r} is no interval of a BED file: contig, start (from 0) and a larger end"
        )
    if len(fields) == 12:
        raise DataError(f"{where}: the blocks of a BED12 can't be lifted over: leave columns 7 to 12 out")
    return fields


def _is_peak(fields: list[str]) -> bool:
    return len(fields) == 10


def _has_thick(fields: list[str]) -> bool:
    """Tell thickStart and thickEnd from the numbers of a broadPeak, which stand in the same columns."""
    thick = [whole_number(text) for text in fields[6:8]] if 8 <= len(fields) <= 9 else []
    return len(thick) == 2 and all(
        one is not None and int(fields[1]) <= one <= int(fields[2]) for one in thick
    )


def _summit(fields: list[str], chains: Chains, contig: str, start: int, end: int) -> str:
    if not _is_peak(fields) or (offset := whole_number(fields[9])) is None:
        return "-1"
    base = chains.bases(fields[0], int(fields[1]) + offset, int(fields[1]) + offset + 1)
    inside = not isinstance(base, str) and base.contig == contig and start <= base.start < end
    return str(base.start - start) if inside and not isinstance(base, str) else "-1"


def _turned(fields: list[str], reverse: bool, summit: str) -> list[str]:
    if len(fields) > 5 and reverse:
        fields[5] = {"+": "-", "-": "+"}.get(fields[5], fields[5])
    if _is_peak(fields):
        fields[9] = summit
    return fields
