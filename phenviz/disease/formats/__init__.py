"""What each tool's columns mean: one declaration per tool (the .yaml files here), and which one a file fits.

A declaration says by which ``header`` columns (or, without a header, ``fields``) a file is known, which
column is what, and which rows count. ``A|B`` stands for the first of A and B that the file has. Roles that
say which allele is which: ``ref`` and ``alt`` (effects are of ``alt``), ``effect_allele`` and
``other_allele``, ``first_allele`` and ``second_allele`` (the file doesn't say which of them effects are of).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from phenviz.disease.formats.synonyms import FILLED_IN, ONE_OF, SYNONYMS
from phenviz.errors import DataError

_IN_WORDS = {
    "position": "position (from 1)",
    "effect_allele": "effect allele (beta and z are of it)",
    "alt": "alternate allele",
    "ref": "reference allele",
    "first_allele": "first allele",
    "second_allele": "second allele (the file doesn't say which of the two beta is of)",
    "neg_log_10_p_value": "-log10 p",
    "p_value": "p",
    "se": "standard error",
    "z": "z",
}
PLAIN = "a table with columns of known names"


@dataclass(frozen=True)
class Format:
    """How one file is read.

    Parameters
    ----------
    name
        The tool, or `PLAIN`.
    columns
        Role -> the file's own column.
    rows
        The file's own column -> values of the rows that count.
    names
        ``ref:alt`` where variant names are sure to hold the reference's allele first.
    unplaced_left_out
        Whether rows without a position are part of such files.
    pattern, shape
        How ``variant`` holds trait, position, alleles and region (pack BED only), and that in words.
    """

    name: str
    columns: Mapping[str, str]
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: str = ""
    unplaced_left_out: bool = False
    pattern: str = ""
    shape: str = ""

    def in_words(self) -> list[tuple[str, str]]:
        """Return each column of the file that is read, and what it is read as."""
        words = []
        for role, column in self.columns.items():
            of_it = " (beta and z are of it)" * (role == "alt" and "effect_allele" not in self.columns)
            words.append((column, f"{_IN_WORDS.get(role, role.replace('_', ' '))}{of_it}"))
        return words + [
            (column, f"rows with {' or '.join(values)} count") for column, values in self.rows.items()
        ]

    def describe(self, source: str) -> str:
        """Say what a file was recognised as, and what each of its columns is, in a few lines."""
        words = self.in_words()
        width = max(len(column) for column, _ in words)
        return "\n".join(
            [
                f"{source}: recognised as {self.name}",
                *(f"  {column:{width}}  {what}" for column, what in words),
            ]
        )

    @property
    def meaning(self) -> tuple[object, ...]:
        """What has to be the same for two declarations to read a file alike."""
        return sorted(self.columns.items()), sorted(self.rows.items()), self.names


@cache
def declarations() -> tuple[dict[str, Any], ...]:
    """Return all declarations, by name."""
    found = [
        yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in files(__name__).iterdir()
        if file.name.endswith(".yaml")
    ]
    return tuple(sorted(found, key=lambda declared: str(declared["name"])))


def recognise(header: Sequence[str], source: str) -> Format:
    """Find out which tool wrote a table, or read it by the usual names of columns.

    Parameters
    ----------
    header
        The file's own columns.
    source
        Name of the file, for errors.

    Raises
    ------
    DataError
        If it fits two declarations with different meaning, a column could mean two things, or none is known.
    """
    own = {name.strip().lower(): name for name in header}
    fitting = [(declared, keys) for declared in declarations() if (keys := _fits(declared, own))]
    # a declaration that asks for all columns of another one, and more, knows better
    best = [declared for declared, keys in fitting if not any(keys < others for _, others in fitting)]
    formats = [_declared(declared, own) for declared in best]
    if len({repr(found.meaning) for found in formats}) > 1:
        raise DataError(
            f"{source} fits {' and '.join(found.name for found in formats)}, which mean different things by "
            "their columns: leave out the columns that it doesn't need"
        )
    found = formats[0] if formats else _plain(own, source)
    counts = Counter(name.strip().lower() for name in header)
    if twice := [name for name in found.columns.values() if counts[name.strip().lower()] > 1]:
        raise DataError(f"{source} has column {twice[0]!r} more than once: keep one of them")
    return found


def recognise_fields(fields: Sequence[str]) -> Format | None:
    """Find out what a table without a header is, by its first line; None if it is none of ours.

    Columns are numbered from 1, in words: ``column 1``.
    """
    if len(fields) < 5 or not (fields[1].isdigit() and fields[2].isdigit()):
        return None
    fitting = [
        declared
        for declared in declarations()
        if len(fields) == len(declared.get("fields", ())) and ("pattern" in declared) == ("-" in fields[3])
    ]
    if not fitting:
        return None
    declared = fitting[0]
    columns = {role: f"column {place}" for place, role in enumerate(declared["fields"], 1)}
    return Format(
        declared["name"], columns, pattern=declared.get("pattern", ""), shape=declared.get("shape", "")
    )


def _fits(declared: dict[str, Any], own: Mapping[str, str]) -> frozenset[str]:
    """Return the columns by which a declaration knows a file; empty if it doesn't."""
    if any(name.lower() in own for name in declared.get("unless", ())):
        return frozenset()
    keys = [_first(names, own) for names in declared.get("header", ())]
    return frozenset(filter(None, keys)) if all(keys) else frozenset()


def _first(names: str, own: Mapping[str, str]) -> str | None:
    return next((own[name.lower()] for name in names.split("|") if name.lower() in own), None)


def _declared(declared: dict[str, Any], own: Mapping[str, str]) -> Format:
    columns = {role: found for role, names in declared["columns"].items() if (found := _first(names, own))}
    rows = {
        found: tuple(values)
        for names, values in declared.get("rows", {}).items()
        if (found := _first(names, own))
    }
    for role in FILLED_IN:
        # what people add to a tool's table: a trait, a locus, posteriors
        free = [own[n] for n in SYNONYMS[role] if n in own and own[n] not in columns.values()]
        if role not in columns and free:
            columns[role] = free[0]
    return Format(
        declared["name"], columns, rows, declared.get("names", ""), declared.get("unplaced") == "left out"
    )


def _plain(own: Mapping[str, str], source: str) -> Format:
    columns: dict[str, str] = {}
    for role, names in SYNONYMS.items():
        there = [own[name] for name in names if name in own and own[name] not in columns.values()]
        if role in ONE_OF and len(there) > 1:
            raise DataError(
                f"{source}: columns {' and '.join(map(repr, there))} may each be the "
                f"{role.replace('_', ' ')}: keep the one that is meant"
            )
        if there:
            columns[role] = there[0]
    if not columns:
        raise DataError(
            f"{source}: no column of its header is known ({', '.join(list(own.values())[:8])}): "
            "the first line names the columns; call them trait, contig, position, ref, alt, posterior"
        )
    if columns.get("other_allele", "").lower() == "allele0" and "first_allele" in columns:
        columns["effect_allele"] = columns.pop("first_allele")
    rows = {own["test"]: ("ADD",)} if "test" in own else {}
    return Format(PLAIN, columns, rows)
