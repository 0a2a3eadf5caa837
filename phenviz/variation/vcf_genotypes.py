"""Genotypes of a VCF's records, from their text: alleles, phase and phase sets of chosen samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.variation.phase_sets import phase_set_number
from phenviz.variation.records import ABSENT, MISSING, NO_PHASE_SET, Calls

_TAB, _COLON, _ZERO, _DOT, _PHASED, _UNPHASED = b"\t:0.|/"
# an allele, or several with what stands between them; since VCF 4.4 also before the first
_CALL = re.compile(rb"[|/]?(?:\.|\d+)(?:[|/](?:\.|\d+))*")
_ALLELE = re.compile(rb"\.|\d+")
_MOST_ALLELES = np.iinfo(np.int16).max

Fail = Callable[[int, str], DataError]


def read_calls(
    forms: Sequence[bytes], texts: Sequence[bytes], n_samples: int, chosen: NDArray[np.intp], fail: Fail
) -> Calls:
    """Read the genotypes of records.

    Parameters
    ----------
    forms, texts
        FORMAT of each record, and the columns of all samples behind it.
    n_samples
        Samples of the file.
    chosen
        Indices of those that are wanted, (S,).
    fail
        Makes the error about a call: index of the record, and what is wrong.

    Returns
    -------
    Calls
        Of S samples.

    Raises
    ------
    DataError
        If a genotype is none, or has more than two alleles.
    """
    shape = (len(forms), len(chosen))
    calls = Calls(
        alleles=np.full((*shape, 2), MISSING, dtype=np.int16),
        phased=np.zeros(shape, dtype=bool),
        phase_set=np.full(shape, NO_PHASE_SET, dtype=np.int64),
        has_genotype=np.array([b"GT" in form.split(b":") for form in forms], dtype=bool),
    )
    if not len(chosen):
        return calls
    left = calls.has_genotype.copy()
    plain = [
        form == b"GT" and len(text) == 4 * n_samples - 1 for form, text in zip(forms, texts, strict=True)
    ]
    rows = np.flatnonzero(plain)
    if len(rows):
        left[rows] = ~_read_plain(calls, rows, [texts[row] for row in rows.tolist()], n_samples, chosen)
    for row in np.flatnonzero(left).tolist():
        _read_record(calls, row, forms[row].split(b":"), texts[row], chosen, fail)
    return calls


def _read_plain(
    calls: Calls, rows: NDArray[np.intp], texts: list[bytes], n_samples: int, chosen: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Read records of nothing but calls such as 0|1, all at once; tell which of them were."""
    letters = np.frombuffer(b"\t".join([*texts, b""]), dtype=np.uint8).reshape(len(rows), n_samples, 4)
    letters = letters[:, chosen]
    done = (_are_short(letters) & (letters[..., 3] == _TAB)).all(axis=1)
    calls.alleles[rows[done]], calls.phased[rows[done]] = _short_calls(letters[done])
    return done


def _read_record(
    calls: Calls, row: int, keys: list[bytes], text: bytes, chosen: NDArray[np.intp], fail: Fail
) -> None:
    letters = np.frombuffer(text + b"\t\t\t\t", dtype=np.uint8)
    ends = np.flatnonzero(letters[: len(text) + 1] == _TAB)
    starts = np.concatenate([[0], ends[:-1] + 1])[chosen]
    place = keys.index(b"GT")
    short = np.zeros(len(chosen), dtype=bool)
    if place == 0:
        four = letters[starts[:, None] + np.arange(4)]
        short = _are_short(four) & ((four[:, 3] == _TAB) | (four[:, 3] == _COLON))
        calls.alleles[row, short], calls.phased[row, short] = _short_calls(four[short])
    sets = [keys.index(key) for key in (b"PS", b"PSL") if key in keys]
    for column in range(len(chosen)) if sets else np.flatnonzero(~short).tolist():
        fields = text[starts[column] : ends[chosen[column]]].split(b":")
        if not short[column]:
            genotype = fields[place] if place < len(fields) else b"."
            read = _call_of(genotype)
            if read is None:
                shown = repr(genotype[:20].decode("latin-1"))
                raise fail(row, f": column {chosen[column] + 10}: {shown} is no genotype (0/1, 0|1, ./. ...)")
            if len(read[0]) > 2:
                raise fail(row, " has a genotype of more than two alleles: give diploid calls")
            calls.alleles[row, column], calls.phased[row, column] = read
        named = [fields[at].decode("latin-1") for at in sets if at < len(fields)]
        calls.phase_set[row, column] = phase_set_number(*named)


def _are_short(four: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which are two alleles of one letter each and what stands between them: (..., 4) -> (...)."""
    first, between, second = four[..., 0], four[..., 1], four[..., 2]
    return (
        ((first - _ZERO < 10) | (first == _DOT))
        & ((between == _PHASED) | (between == _UNPHASED))
        & ((second - _ZERO < 10) | (second == _DOT))
    )


def _short_calls(four: NDArray[np.uint8]) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    letters = four[..., [0, 2]]
    alleles = np.where(letters == _DOT, MISSING, letters.astype(np.int16) - _ZERO).astype(np.int16)
    return alleles, four[..., 1] == _PHASED


@lru_cache(maxsize=10_000)
def _call_of(text: bytes) -> tuple[tuple[int, ...], bool] | None:
    """Read one call: its alleles, two of them if it is diploid or haploid, and whether they are phased."""
    if not _CALL.fullmatch(text):
        return None
    alleles = tuple(MISSING if one == b"." else min(int(one), _MOST_ALLELES) for one in _ALLELE.findall(text))
    if len(alleles) == 1:
        # "." stands for a call of which nothing is known, its ploidy included
        alleles = (*alleles, MISSING if alleles[0] == MISSING else ABSENT)
    return alleles, b"/" not in text
