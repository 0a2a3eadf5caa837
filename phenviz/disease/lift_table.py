"""Lift a table of variants, of any of the formats that are read, over to another assembly."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd

from phenviz.disease.formats import Format
from phenviz.disease.formats.synonyms import SYNONYMS
from phenviz.disease.raw_tables import read_raw
from phenviz.errors import DataError
from phenviz.genome import ReferenceGenome
from phenviz.genome.chains import Chains
from phenviz.genome.locus import bare_contig
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.writing import aside, refusals
from phenviz.variation.lift import LiftedAlleles, LiftReport, check_target, complemented, lift_alleles

_REJECTED, _LINE = "lift_rejected", "lift_line"
_ALLELES = ("ref", "alt", "effect_allele", "other_allele", "first_allele", "second_allele")
_NAME = re.compile(
    r"(?P<contig>(?:chr)?[0-9XYMT]{1,2})(?P<a>[:_-])(?P<position>[0-9]+)"
    r"(?:(?P<b>[:_-])(?P<ref>[ACGT]+)(?P<c>[:_/>-])(?P<alt>[ACGT]+))?",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"[0-9]{1,15}(\.0*)?")


def lift_table(
    source: Path,
    target: Path,
    rejects: Path,
    chains: Chains,
    reference: ReferenceGenome,
    *,
    progress: Progress = NO_PROGRESS,
    chunk: int = 100_000,
) -> LiftReport:
    """Write a table of variants again, with contig, position, alleles and names of another assembly.

    Where the table says which allele is the reference's (columns ``ref`` and ``alt``), that is compared with
    the reference of the other assembly (see `phenviz.variation.lift.lift_alleles`); other pairs of alleles
    are only turned over where they lie on the other strand. Names such as ``20:1600925_G_A`` that say the
    row's own position follow it. All other columns stay as they are; missing values become empty cells.

    Parameters
    ----------
    source
        See `phenviz.disease.raw_tables.read_raw`.
    target, rejects
        ``.tsv``, ``.csv`` (both also ``.gz``) or ``.parquet``. The rejects are rows as they were, with
        the columns ``lift_line`` (its line in the file) and ``lift_rejected``.
    chains, reference
        Lead to the assembly of the reference; rows with ``ref`` on contigs that it lacks can't be checked,
        and are rejected.
    progress
        Looked at for a cancel.
    chunk
        Rows at once.

    Returns
    -------
    LiftReport
        What became of the rows; its notes name the columns that were rewritten, and those that may still be
        of the old assembly.

    Raises
    ------
    DataError
        If the table can't be read, or has neither a position nor names that say it.
    """
    check_target(chains, reference)
    report = LiftReport(str(source))
    progress.stage(f"lifting {source.name}")
    with aside([target, rejects]) as files, refusals(target):
        with _writer(files[0].path, target) as keep, _writer(files[1].path, rejects) as leave:
            for table, form in read_raw(source, chunk=chunk):
                roles = _roles(form, table, source)
                lifted, reasons = _lift_rows(table, roles, chains, reference, report)
                keep(lifted)
                left = table.loc[reasons.index]
                leave(left.assign(**{_LINE: left.index, _REJECTED: reasons.to_numpy()}))
                progress.check()
        files[0].entries = _entries(files[0].path, target, report.lifted)
        files[1].entries = _entries(files[1].path, rejects, report.read - report.lifted)
    report.notes += _notes(roles, list(table))
    return report


def _entries(path: Path, name: Path, rows: int) -> int:
    # of a CSV, bytes are counted
    return path.stat().st_size if ".csv" in name.name.lower() else rows


@contextmanager
def _writer(path: Path, name: Path) -> Iterator[_Appender]:
    appender = _Appender(path, name)
    try:
        yield appender
    finally:
        appender.close()


class _Appender:
    """Appends tables to a file."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path, self._name = path, name.name.lower()
        self._parts: list[pd.DataFrame] = []
        zipped = self._name.endswith(".gz")
        opener = gzip.open if zipped else open
        self._text = None
        self._begun = False
        if not self._name.endswith(".parquet"):
            self._text = cast(IO[str], opener(path, "wt", encoding="utf-8", newline="\n"))

    def __call__(self, table: pd.DataFrame) -> None:
        if self._text is None:
            self._parts.append(table)
            return
        separator = "," if ".csv" in self._name else "\t"
        table.to_csv(self._text, sep=separator, index=False, header=not self._begun, lineterminator="\n")
        self._begun = True

    def close(self) -> None:
        """Finish the file."""
        if self._text is not None:
            self._text.close()
        elif self._parts:
            whole = pd.concat(self._parts, ignore_index=True).infer_objects()
            mixed = [name for name in whole if whole[name].dtype == object]
            # 20 and X in one column: Parquet wants one type
            whole[mixed] = whole[mixed].map(lambda cell: None if _is_missing(cell) else str(cell))
            whole.to_parquet(self._path, index=False)


def _roles(form: Format, table: pd.DataFrame, source: Path) -> dict[str, str]:
    """Return which of the file's columns hold places and alleles."""
    wanted = ("contig", "position", "variant", "id", *_ALLELES)
    roles = {role: column for role, column in form.columns.items() if role in wanted and column in table}
    if form.pattern or ("position" not in roles and {"start", "end"} <= set(form.columns)):
        raise DataError(
            f"{source} holds intervals (read as {form.name}): lift it as .bed (0-based, half-open), or give "
            "a column position (from 1)"
        )
    named = any(_names_places(table[roles[role]]) for role in ("variant", "id") if role in roles)
    if not ({"contig", "position"} <= set(roles) or named):
        raise DataError(
            f"{source} has no columns contig and position, nor names of variants such as 20:1600925_G_A: "
            f"read as {form.name}, it has {', '.join(map(str, list(table)[:12]))}"
        )
    return roles


def _names_places(column: pd.Series) -> bool:
    return bool(column.astype(str).str.fullmatch(_NAME).any())


def _lift_rows(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    chains: Chains,
    reference: ReferenceGenome,
    report: LiftReport,
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the rows that were lifted, and the reasons of the others by their line."""
    cells = {role: table[column].astype(object).tolist() for role, column in roles.items()}
    kept, reasons = [], {}
    for row, line in enumerate(table.index):
        old = {
            role: "" if _is_missing(values[row]) else str(values[row]).strip()
            for role, values in cells.items()
        }
        found = _lift_row(old, chains, reference)
        report.count(found if isinstance(found, str) else found[0])
        if isinstance(found, str):
            reasons[line] = found
            continue
        kept.append(row)
        for role, text in found[1].items():
            before = cells[role][row]
            cells[role][row] = text if isinstance(before, str) or not text.isdigit() else int(text)
    lifted = table.assign(
        **{column: pd.Series(cells[role], table.index, dtype=object) for role, column in roles.items()}
    )
    return lifted.iloc[kept], pd.Series(reasons, dtype=object)


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell))


def _lift_row(
    old: Mapping[str, str], chains: Chains, reference: ReferenceGenome
) -> tuple[LiftedAlleles, dict[str, str]] | str:
    """Return where a row lies, and its new cells by role."""
    names = {role: _NAME.fullmatch(old[role]) for role in ("variant", "id") if role in old}
    contig, position = old.get("contig", ""), old.get("position", "")
    if not ("contig" in old and "position" in old):
        name = next(filter(None, names.values()), None)
        contig, position = (name["contig"], name["position"]) if name else ("", "")
    if not contig or not _WHOLE.fullmatch(position):
        return "no_position"
    # pandas and Excel write whole numbers with a decimal point
    contig, start = contig.removesuffix(".0"), int(position.split(".")[0])
    alleles = {role: old[role].upper() for role in _ALLELES if old.get(role)}
    found = _lift_pair(contig, start, alleles, names, chains, reference)
    if isinstance(found, str):
        return found
    place, alleles = found
    new = {role: text for role, text in alleles.items() if role in old}
    if "contig" in old and "position" in old:
        new |= {"contig": _styled(place.contig, contig), "position": str(place.position)}
    for role, name in names.items():
        if name and int(name["position"]) == start:
            new[role] = _renamed(name, place, alleles)
    return place, new


def _lift_pair(
    contig: str,
    position: int,
    alleles: Mapping[str, str],
    names: Mapping[str, re.Match[str] | None],
    chains: Chains,
    reference: ReferenceGenome,
) -> tuple[LiftedAlleles, dict[str, str]] | str:
    """Lift the alleles of a row: checked where one is called the reference's, else only turned over."""
    if {"ref", "alt"} <= set(alleles):
        alternates = alleles["alt"].split(",")
        found = lift_alleles(chains, contig, position, [alleles["ref"], *alternates], reference)
        if isinstance(found, str):
            return found
        ref, *alts = found.alleles
        new = {"ref": ref, "alt": ",".join(alts)}
        known = dict(zip([alleles["ref"], *alternates], found.alleles, strict=True))
        # in GWAS-SSF, ref says EA or OA: which of the other columns it is
        return found, new | {role: known.get(one, one) for role, one in alleles.items() if role not in new}
    bases = {role: one for role, one in alleles.items() if set(one) <= set("ACGTN")}
    named = [
        one.upper() for name in names.values() if name and name["ref"] for one in (name["ref"], name["alt"])
    ]
    lengths = {len(one) for one in (*bases.values(), *named)} or {1}
    indel = len(lengths) > 1
    place = chains.bases(contig, position - 1, position - 1 + max(lengths) + indel)
    if isinstance(place, str):
        return place
    if place.reverse and indel:
        return "indel_reversed"
    turned = {role: complemented(one) for role, one in bases.items()} if place.reverse else {}
    lifted = LiftedAlleles(place.contig, place.start + 1, (), place.reverse)
    return lifted, {**alleles, **turned}


def _styled(contig: str, asked: str) -> str:
    """Keep a contig's name with or without ``chr``, as the table has it."""
    bare = bare_contig(contig)
    return bare if bare_contig(asked) == asked else f"chr{bare}"


def _renamed(name: re.Match[str], place: LiftedAlleles, alleles: Mapping[str, str]) -> str:
    text = f"{_styled(place.contig, name['contig'])}{name['a']}{place.position}"
    if not name["ref"]:
        return text
    if place.alleles:
        ref, alt = place.alleles[0], ",".join(place.alleles[1:])
    else:
        ref, alt = (complemented(one.upper()) if place.reverse else one for one in (name["ref"], name["alt"]))
    return f"{text}{name['b']}{ref}{name['c']}{alt}"


def _notes(roles: Mapping[str, str], columns: list[str]) -> list[str]:
    places = {name for role in ("contig", "position", "start", "end", "region") for name in SYNONYMS[role]}
    stale = [str(name) for name in columns if str(name).lower() in places and name not in roles.values()]
    notes = [f"columns rewritten: {', '.join(roles.values())}"]
    if stale:
        notes.append(f"columns that may still be of the old assembly: {', '.join(stale)}")
    return notes
