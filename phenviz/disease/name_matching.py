"""The same trait, cell type or tissue under two names: matched by name, ontology term, or what holds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

NAMES = Path(__file__).with_name("references") / "names"
MATCH_COLUMNS = ["kind", "tested", "reference", "by"]
NAME, TERM, WHOLE, ORGAN, NOTHING = "name", "term", "part of", "organ", ""
_OBO = re.compile(r"^(?:https?://\S+/)?([A-Za-z]+)[:_](\d{4,})$")


def match_traits(tested: Iterable[str], reference: Iterable[str]) -> pd.DataFrame:
    """Find the reference's name of each tested trait.

    Parameters
    ----------
    tested, reference
        Names of traits; synonyms and terms of EFO and MONDO are known for some
        (``references/names/traits.tsv``).

    Returns
    -------
    pd.DataFrame
        `MATCH_COLUMNS`: ``by`` is ``name`` (as written), ``term`` (a synonym or the term of the same trait)
        or "" (no counterpart; then ``tested`` or ``reference`` is ""). A name as written counts before
        others.
    """
    ours, theirs = list(dict.fromkeys(tested)), list(dict.fromkeys(reference))
    by_term: dict[str, str] = {}
    for name in theirs:
        by_term.setdefault(_term_of(name, "traits"), name)
    rows = []
    for name in ours:
        if name in theirs:
            rows.append(("trait", name, name, NAME))
            continue
        found = by_term.get(_term_of(name, "traits"), "")
        rows.append(("trait", name, found, TERM if found else NOTHING))
    return _with_rest(rows, theirs, "trait")


def match_contexts(tested: pd.DataFrame, reference: Iterable[str], *, by_organ: bool = False) -> pd.DataFrame:
    """Find what a reference knows of each tested context.

    A context is matched by its name, label or ontology term as written; else by a synonym or the term of the
    same cell type or tissue; else by the nearest whole or kind that the reference has (a CD4 T cell by T
    cells, then by blood).

    Parameters
    ----------
    tested
        ``context``, ``context_label``, ``curie`` ("" where unknown), one row per context.
    reference
        Names or terms of contexts.
    by_organ
        Whether what is matched by none of these is stood for by all that the reference has of its organ's
        tissues.

    Returns
    -------
    pd.DataFrame
        `MATCH_COLUMNS`, a row for each pair; ``by`` is ``name``, ``term``, ``part of``, ``organ`` or "".
    """
    theirs = list(dict.fromkeys(reference))
    written: dict[str, list[str]] = {}
    terms: dict[str, list[str]] = {}
    for name in theirs:
        written.setdefault(name.strip().lower(), []).append(name)
        terms.setdefault(_term_of(name), []).append(name)
    rows = []
    for row in tested.itertuples():
        own = [str(name).strip() for name in (row.context, row.context_label, row.curie) if name]
        by, found = _one_context(own, written, terms, by_organ)
        rows += [("context", str(row.context), name, by) for name in found] or [
            ("context", str(row.context), "", NOTHING)
        ]
    return _with_rest(rows, theirs, "context")


def plain(name: str) -> str:
    """Bring a name into the form that names are compared in: lower case, words parted by single spaces.

    A term is written ``efo 0004526`` then, whether it came as a CURIE, with an underscore or as an address.
    """
    text = str(name).strip()
    if obo := _OBO.match(text):
        text = f"{obo[1]} {obo[2]}"
    return " ".join(re.sub(r"[^a-z0-9/+]+", " ", text.lower()).split())


def _one_context(
    own: Sequence[str], written: Mapping[str, list[str]], terms: Mapping[str, list[str]], by_organ: bool
) -> tuple[str, list[str]]:
    same = [name for word in own for name in written.get(word.lower(), ())]
    if same:
        return NAME, list(dict.fromkeys(same))
    keys = list(dict.fromkeys(_term_of(name) for name in reversed(own)))
    for key in keys:
        if found := terms.get(key):
            return TERM, found
    for key in keys:
        for whole in _wholes(key):
            if found := terms.get(whole):
                return WHOLE, found
    if not by_organ:
        return NOTHING, []
    organs = {organ for key in keys if (organ := _organs().get(key))}
    # other cells of an organ don't stand for it
    tissues = [term for term in terms if term.startswith("uberon") and _organs().get(term) in organs]
    found = [name for term in tissues for name in terms[term]]
    return (ORGAN, found) if found else (NOTHING, [])


def _with_rest(rows: list[tuple[str, str, str, str]], theirs: list[str], kind: str) -> pd.DataFrame:
    used = {row[2] for row in rows}
    rows = rows + [(kind, "", name, NOTHING) for name in theirs if name not in used]
    return pd.DataFrame(rows, columns=MATCH_COLUMNS)


def _term_of(name: str, table: str = "contexts") -> str:
    """Return the term of a name, in plain form; the plain name itself where it is unknown."""
    return _known(table).get(plain(name), plain(name))


def _wholes(term: str) -> Iterator[str]:
    """Go up from a term to what it is part of, nearest first."""
    parents, ahead, seen = _parents(), [term], {term}
    while ahead:
        ahead = [up for one in ahead for up in parents.get(one, ()) if up not in seen]
        seen |= set(ahead)
        yield from ahead


@cache
def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(NAMES / f"{name}.tsv", sep="\t", comment="#", dtype=str, keep_default_na=False)


@cache
def _known(table: str) -> dict[str, str]:
    """Plain name -> plain term (or label, where there is no term)."""
    known: dict[str, str] = {}
    for row in _table(table).itertuples():
        key = plain(row.term or row.label)
        for name in (row.term, row.label, *row.names.split("|")):
            if name:
                known.setdefault(plain(name), key)
    return known


@cache
def _parents() -> dict[str, tuple[str, ...]]:
    return {
        plain(row.term): tuple(plain(up) for up in row.part_of.split("|") if up)
        for row in _table("contexts").itertuples()
    }


@cache
def _organs() -> dict[str, str]:
    return {plain(row.term): row.organ for row in _table("contexts").itertuples() if row.organ}
