"""The people of a cohort: a table of who they are and what they have, checked against their genotypes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.plan import SPLITS, split_by_family
from phenviz.errors import DataError

# how tables call the columns that are needed
_NAMES = {
    "sample": ("sample", "sample_id", "iid", "#iid", "individual", "id", "eid"),
    "family": ("family", "family_id", "fid", "#fid"),
    "ancestry": ("ancestry", "superpopulation", "super_pop", "superpop"),
    "split": ("split", "set", "fold"),
}
_COVARIATE = re.compile(r"sex|age|pc_?\d+", re.IGNORECASE)
# of what simulations know, and nobody else does
_HIDDEN = re.compile(r".*_liability|mechanism_\d+|ill_by_\d+|subtype|distance|population", re.IGNORECASE)
_SPLIT_NAMES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
                "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip
_MISSING = {"", "na", "nan", "none", "null", ".", "-9", "n/a"}


@dataclass(frozen=True, eq=False)
class CohortPeople:
    """People with genotypes and labels.

    Parameters
    ----------
    table
        One row each: sample, family, ancestry, split, the covariates as numbers (NaN where missing), the
        traits as 1, 0 or NaN, and whatever else the file has.
    traits, covariates
        Names of columns.
    notes
        What was left out, or filled in, in words and counted.
    """

    table: pd.DataFrame
    traits: tuple[str, ...]
    covariates: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.table)

    @property
    def samples(self) -> list[str]:
        """Names, in order."""
        return self.table["sample"].tolist()

    def rows(self, split: str) -> NDArray[np.intp]:
        """Return the rows of a split."""
        return np.flatnonzero(self.table["split"].to_numpy() == split)

    def labels(self) -> NDArray[np.float32]:
        """Return all labels, (people, traits)."""
        return self.table[list(self.traits)].to_numpy(dtype=np.float32).reshape(len(self), len(self.traits))

    def covariate_values(self) -> NDArray[np.float32]:
        """Return all covariates, (people, covariates)."""
        values = self.table[list(self.covariates)].to_numpy(dtype=np.float32)
        return values.reshape(len(self), len(self.covariates))


def read_people(
    path: Path,
    genotyped: Sequence[str],
    *,
    traits: Sequence[str] | None = None,
    covariates: Sequence[str] | None = None,
    seed: int = 0,
) -> CohortPeople:
    """Read the table of a cohort, and keep those who have genotypes.

    Parameters
    ----------
    path
        Parquet, or text with tabs or commas. Column ``sample`` is needed; ``family``, ``ancestry``, ``split``
        (train, validation, test) are used if there.
    genotyped
        Names in the files of genotypes.
    traits
        Columns with 0 and 1; None for all that hold nothing else.
    covariates
        Columns with numbers; None for sex, age and PC1, PC2, ...
    seed
        Of the split, where the table has none: whole families, 60, 20 and 20 % of the people.

    Raises
    ------
    DataError
        If the table can't be read, names somebody twice, has nobody with genotypes, no usable trait or a
        value that is none, or a family lies across splits.
    """
    raw = _read_table(path)
    columns = {str(name).strip(): name for name in raw.columns}
    raw.columns = pd.Index(list(columns))
    found = {role: _column(raw, names) for role, names in _NAMES.items()}
    if found["sample"] is None:
        raise DataError(
            f"{path} has no column of samples (it has {', '.join(list(columns)[:8])}): call it sample, as in "
            "the genotypes"
        )
    notes: list[str] = []
    table = _with_genotypes(raw, str(found["sample"]), genotyped, path, notes)
    used = {str(name) for name in found.values() if name is not None}
    frame = pd.DataFrame({"sample": table[str(found["sample"])].to_numpy(dtype=object)})
    for role in ("family", "ancestry"):
        values = _texts(table[str(found[role])]) if found[role] is not None else np.full(len(table), "")
        frame[role] = values
    # somebody without a family is one
    alone = frame["family"] == ""
    frame.loc[alone, "family"] = "alone-" + frame.loc[alone, "sample"].astype(str)
    frame["split"] = _splits(table, found["split"], frame["family"], path, seed, notes)
    others = [str(name) for name in table.columns if str(name) not in used]
    chosen = _chosen(covariates, [name for name in others if _COVARIATE.fullmatch(name)], table, path)
    numbers = {name: numbers_of(table[name], name, path) for name in chosen}
    named = _chosen(traits, [n for n in others if n not in chosen and _binary(table[n])], table, path)
    labels = {name: _labels(table[name], name, path) for name in named}
    rest = {name: table[name].to_numpy() for name in others if name not in {*numbers, *labels}}
    frame = pd.concat([frame, pd.DataFrame({**numbers, **labels, **rest}, index=frame.index)], axis=1)
    kept = _usable(frame, list(labels), path, notes)
    _tell_missing(frame, [*numbers, *kept], notes)
    return CohortPeople(frame, tuple(kept), tuple(numbers), tuple(notes))


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} doesn't exist: give the table of the cohort's people (TSV, CSV or Parquet)")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        table = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False)
    except (OSError, ValueError, UnicodeError) as error:
        raise DataError(
            f"{path} can't be read as a table ({' '.join(str(error).split())[:160]}): give TSV, CSV or "
            "Parquet"
        ) from error
    return table


def _column(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    lower = {str(name).lower(): str(name) for name in reversed(table.columns.tolist())}
    return next((lower[name] for name in names if name in lower), None)


def _with_genotypes(
    table: pd.DataFrame, column: str, genotyped: Sequence[str], path: Path, notes: list[str]
) -> pd.DataFrame:
    samples = pd.Series(_texts(table[column]), index=table.index)
    table = table.assign(**{column: samples.to_numpy()})
    if (empty := samples == "").any():
        line = int(np.flatnonzero(empty)[0]) + 2
        raise DataError(f"{path}, line {line:,} has no {column}: give every person a name")
    if (twice := samples.duplicated()).any():
        name = samples[twice].iloc[0]
        lines = [int(row) + 2 for row in np.flatnonzero(samples == name)]
        raise DataError(
            f"{path} names {name!r} twice (lines {lines[0]:,} and {lines[1]:,}), and "
            f"{int(twice.sum()):,} {'lines repeat' if twice.sum() > 1 else 'line repeats'} a name: keep one "
            "line for each person"
        )
    known = samples.isin(list(genotyped))
    if not known.any():
        raise DataError(
            f"nobody of {path} ({', '.join(samples.head(3))} ...) has genotypes, whose samples are "
            f"{', '.join(list(genotyped)[:3])} ...: use the same names in both"
        )
    if not known.all():
        lost = samples[~known]
        notes.append(
            f"{len(lost):,} of {len(samples):,} people of {path.name} have no genotypes and are left out "
            f"({', '.join(lost.head(3))}{' ...' if len(lost) > 3 else ''})"
        )
    if without := len(set(genotyped) - set(samples)):
        notes.append(f"{without:,} people with genotypes aren't in {path.name} and are left out")
    return table[known.to_numpy()].reset_index(drop=True)


def _splits(
    table: pd.DataFrame, column: str | None, family: pd.Series, path: Path, seed: int, notes: list[str]
) -> NDArray[np.object_]:
    if column is None:
        notes.append(
            "there is no column split: families were dealt out to train (60 %), validation and test (20 % "
            "each)"
        )
        return split_by_family(family, np.random.default_rng(seed))
    texts = pd.Series(_texts(table[column])).str.lower()
    split = texts.map(_SPLIT_NAMES)
    if split.isna().any():
        row = int(np.flatnonzero(split.isna())[0])
        raise DataError(f"{path}: split of {table.iloc[row, 0]} is {texts[row]!r}: use {', '.join(SPLITS)}")
    for name in SPLITS:
        if not (split == name).any():
            raise DataError(f"{path} has nobody in the split {name}: all of {', '.join(SPLITS)} are needed")
    across = pd.DataFrame({"family": family.to_numpy(), "split": split.to_numpy()}).groupby("family")["split"]
    if (several := across.nunique()[lambda counts: counts > 1]).size:
        raise DataError(
            f"{path}: {several.size:,} {'families lie' if several.size > 1 else 'family lies'} across splits "
            f"(family {several.index[0]!r}), so what is learnt from one member would be tested on another: "
            "put each family into one split"
        )
    return split.to_numpy(dtype=object)


def _chosen(
    asked: Sequence[str] | None, default: Sequence[str], table: pd.DataFrame, path: Path
) -> list[str]:
    if asked is None:
        return list(default)
    if missing := [name for name in asked if name not in table.columns]:
        raise DataError(f"{path} has no column {missing[0]!r}: it has {', '.join(map(str, table.columns))}")
    return list(dict.fromkeys(asked))


def _texts(column: pd.Series) -> NDArray[np.object_]:
    """Return text as written; a whole number without the fraction that a missing one elsewhere gave it."""
    values = [
        "" if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA else value
        for value in column.tolist()
    ]
    texts = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip() for v in values]
    return np.array(["" if text.lower() in _MISSING - {"-9"} else text for text in texts], dtype=object)


def numbers_of(column: pd.Series, name: str, path: Path) -> NDArray[np.float64]:
    """Read a column of numbers of people; NaN where it is empty or -9.

    Raises
    ------
    DataError
        If a cell holds something else.
    """
    texts = pd.Series(_texts(column))
    if name.lower() == "sex":
        texts = texts.str.lower().replace({"female": "0", "f": "0", "male": "1", "m": "1"})
    numbers = pd.to_numeric(texts.where(~texts.isin(["", "-9"])), errors="coerce")
    wrong = numbers.isna() & ~texts.isin(["", "-9"])
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{path}, person {row + 1:,}: {name} is {texts[row]!r}, no number: code it as numbers"
        )
    return numbers.to_numpy(dtype=np.float64)


def _binary(column: pd.Series) -> bool:
    if _HIDDEN.fullmatch(str(column.name)):
        return False
    texts = {text.lower() for text in _texts(column)} - {"", "-9"}
    return bool(texts) and texts <= {"0", "1", "true", "false"}


def _labels(column: pd.Series, name: str, path: Path) -> NDArray[np.float64]:
    texts = pd.Series(_texts(column)).str.lower().replace({"true": "1", "false": "0"})
    known = ~texts.isin(["", "-9"])
    found = set(texts[known])
    if found and not found <= {"0", "1"}:
        odd = sorted(found - {"0", "1"})[0]
        why = (
            "PLINK's 1 and 2 say otherwise what is a case: write 0 for controls and 1 for cases"
            if found <= {"1", "2"}
            else "a trait has 0 (control), 1 (case) or nothing: for a measure, choose a threshold"
        )
        raise DataError(f"{path}: trait {name} holds {odd!r}; {why}")
    return pd.to_numeric(texts.where(known), errors="coerce").to_numpy(dtype=np.float64)


def _usable(table: pd.DataFrame, traits: Sequence[str], path: Path, notes: list[str]) -> list[str]:
    """Return the traits with cases and controls to learn from and to choose by."""
    kept = []
    for trait in traits:
        counts = {
            split: tuple(int((table.loc[table["split"] == split, trait] == value).sum()) for value in (1, 0))
            for split in SPLITS[:2]
        }
        poor = [split for split, (cases, controls) in counts.items() if not cases or not controls]
        if poor:
            cases, controls = counts[poor[0]]
            notes.append(
                f"trait {trait} is left out: the {poor[0]} split has {cases:,} cases and {controls:,} "
                "controls"
            )
        else:
            kept.append(trait)
    if not kept:
        told = "; ".join(note for note in notes if note.startswith("trait")) or "no column holds 0 and 1"
        raise DataError(f"{path} has no trait to learn ({told}): give cases and controls in every split")
    return kept


def _tell_missing(table: pd.DataFrame, names: Sequence[str], notes: list[str]) -> None:
    for name in names:
        if missing := int(table[name].isna().sum()):
            notes.append(f"{name} is missing in {missing:,} of {len(table):,} people")


def as_json(value: Any) -> Any:
    """Turn numbers of NumPy into those that JSON has."""
    if isinstance(value, dict):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [as_json(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
