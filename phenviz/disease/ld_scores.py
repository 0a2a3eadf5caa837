"""LD scores: how much variation of a kind each variant speaks for; computed, or read as LDSC writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.project_ld_scores import ldsc_prefix
from phenviz.disease.ld_panel import LdPanel, unbiased_square
from phenviz.errors import DataError

Array = NDArray[np.float64]

# bases to each side that count; LDSC's 1 cM is about 1 Mb
WINDOW = 1_000_000
_BLOCK = 256


@dataclass(frozen=True)
class LdScores:
    """LD scores of variants with respect to some annotations.

    Parameters
    ----------
    variants
        ``contig``, ``position``, ``id`` and, where known, ``ref`` and ``alt``.
    scores
        ``l_jc = sum_k r_jk^2 a_kc``, (V, C).
    names
        Of the annotations.
    sizes
        Sum of each annotation over the common variants, (C,): LDSC's ``M_5_50``.
    """

    variants: pd.DataFrame
    scores: Array
    names: tuple[str, ...]
    sizes: Array


def ld_scores(panel: LdPanel, annotations: Array, *, window: int = WINDOW) -> Array:
    """Compute LD scores of all variants of a panel.

    Parameters
    ----------
    panel
        Genotypes of one contig, by position.
    annotations
        Of the panel's variants, (V, C).
    window
        Bases to each side that are looked at.

    Returns
    -------
    Array
        ``sum_k (r_jk^2 less what chance gives) a_kc``, (V, C).
    """
    place = panel.variants["position"].to_numpy(np.int64)
    result = np.empty((len(place), annotations.shape[1]))
    for start in range(0, len(place), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(place)))
        low = int(np.searchsorted(place, place[rows][0] - window))
        high = int(np.searchsorted(place, place[rows][-1] + window, side="right"))
        r = (panel.genotypes[rows] @ panel.genotypes[low:high].T).astype(float) / panel.people
        square = unbiased_square(np.clip(r, -1, 1), panel.people)
        square[np.abs(place[rows][:, None] - place[None, low:high]) > window] = 0.0
        result[rows] = square @ annotations[low:high]
    return result


def read_ld_scores(prefix: Path, contigs: Sequence[str], *, most: int = 1_000) -> LdScores:
    """Read LD scores as LDSC writes them: ``PREFIX20.l2.ldscore.gz`` and ``PREFIX20.l2.M_5_50``.

    Parameters
    ----------
    prefix
        Path up to the chromosome; an ``@`` in it stands for the chromosome.
    contigs
        Chromosomes to read, as ``20``; those without a file are left out.
    most
        Read no more of them than this.

    Raises
    ------
    DataError
        If no chromosome has a file, or one isn't in that format.
    """
    tables: list[pd.DataFrame] = []
    sizes: list[Array] = []
    names: tuple[str, ...] = ()
    for contig in contigs:
        path = _file(prefix, contig, ".l2.ldscore.gz")
        if path is None or len(tables) >= most:
            continue
        table = _table(path)
        own = tuple(name for name in table if name not in _FIXED)
        if names and own != names:
            raise DataError(f"{path}: its annotations differ from those of the other chromosomes")
        if not own:
            raise DataError(f"{path}: no column of LD scores beside {', '.join(map(str, table))}")
        names = own
        tables.append(table)
        sizes.append(_sizes(prefix, contig, table, own))
    if not tables:
        raise DataError(
            f"no LD scores at {prefix}: files {prefix.name}<chromosome>.l2.ldscore.gz are looked for, as "
            f"LDSC writes them, of the chromosomes {', '.join(contigs)}"
        )
    whole = pd.concat(tables, ignore_index=True)
    variants = pd.DataFrame({"contig": whole["CHR"].astype(str), "position": whole["BP"], "id": whole["SNP"]})
    return LdScores(variants, whole[list(names)].to_numpy(float), names, np.sum(sizes, axis=0))


def read_ldcts(path: Path) -> dict[str, tuple[Path, ...]]:
    """Read LDSC's list of contexts (``.ldcts``): a name, then its LD scores' prefixes, the first its own.

    Raises
    ------
    DataError
        If a line has no prefix, or a name stands there twice.
    """
    found: dict[str, tuple[Path, ...]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        fields = line.split(None, 1)
        if len(fields) < 2:
            raise DataError(
                f"{path}, line {number}: {line.strip()!r} names no LD scores: write 'NAME PREFIX'"
            )
        if fields[0] in found:
            raise DataError(f"{path}, line {number}: {fields[0]!r} stands there twice: keep one")
        found[fields[0]] = tuple(ldsc_prefix(path.parent, one) for one in fields[1].split(","))
    if not found:
        raise DataError(f"{path} names no context: write 'NAME PREFIX' lines")
    return found


_FIXED = ("CHR", "SNP", "BP", "CM", "MAF")


def _file(prefix: Path, contig: str, suffix: str) -> Path | None:
    name = prefix.name.replace("@", contig) if "@" in prefix.name else f"{prefix.name}{contig}"
    path = prefix.with_name(name + suffix)
    plain = path.with_suffix("") if suffix.endswith(".gz") else path
    return next((one for one in (path, plain) if one.is_file()), None)


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep=r"\s+", dtype={"CHR": str, "SNP": str})
    except (OSError, ValueError) as error:
        short = " ".join(str(error).split())[:120]
        raise DataError(f"{path} can't be read as LD scores ({short}): give them as LDSC writes") from error
    missing = [name for name in ("CHR", "SNP", "BP") if name not in table]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}: give LD scores as LDSC writes them")
    wrong = [name for name in table if name not in ("CHR", "SNP") and not _is_number(table[name])]
    if wrong:
        raise DataError(f"{path}, column {wrong[0]!r}: it holds something that is no number")
    return table


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and np.isfinite(column.to_numpy(float)).all())


def _sizes(prefix: Path, contig: str, table: pd.DataFrame, names: tuple[str, ...]) -> Array:
    """Read how many common variants each annotation has; without such a file, those of the table count."""
    path = _file(prefix, contig, ".l2.M_5_50")
    if path is None:
        return np.full(len(names), float(len(table)))
    fields = re.split(r"\s+", path.read_text(encoding="utf-8").strip())
    try:
        found = np.array([float(field) for field in fields])
    except ValueError as error:
        raise DataError(f"{path}: {fields!r} are no numbers of variants") from error
    if len(found) != len(names):
        raise DataError(
            f"{path}: {len(found)} numbers for {len(names)} annotations: it belongs to other LD scores"
        )
    return found


def joined(parts: Mapping[str, LdScores]) -> LdScores:
    """Put LD scores of the same variants side by side, by id; each annotation is named after its part too."""
    sets = list(parts.items())
    first = sets[0][1]
    table = first.variants.reset_index(drop=True).assign(_0=np.arange(len(first.variants)))
    table = table.drop_duplicates("id")
    for number, (_, other) in enumerate(sets[1:], 1):
        theirs = other.variants[["id"]].assign(**{f"_{number}": np.arange(len(other.variants))})
        table = table.merge(theirs.drop_duplicates("id"), on="id", how="inner")
    scores = [part.scores[table[f"_{number}"].to_numpy(np.intp)] for number, (_, part) in enumerate(sets)]
    names = tuple(f"{name}: {one}" for name, part in sets for one in part.names)
    keep = [name for name in first.variants if name in table]
    sizes = np.concatenate([part.sizes for _, part in sets])
    return LdScores(table[keep].reset_index(drop=True), np.column_stack(scores), names, sizes)
