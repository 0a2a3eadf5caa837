"""A cohort on disk: genotypes, a table of people, and a small file that says which is which."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from phenviz.disease.cohort.people import CohortPeople, as_json, read_people
from phenviz.disease.cohort.relatives import check_relatives
from phenviz.errors import DataError
from phenviz.genome import ReferenceGenome
from phenviz.variation import Individuals, open_individuals

CARD = "cohort.yaml"
TOKENS, EFFECTS = "tokens.zarr", "effects.zarr"
TRUTH = "truth.json"
_KEYS = {
    "name", "genotypes", "people", "assembly", "traits", "covariates", "prevalence", "simulated", "seed",
    "relatives", "made_by", "scenario", "labels",
}  # fmt: skip
_GENOTYPES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf", ".pgen", ".vcz", ".zarr")
_TABLES = (".parquet", ".tsv", ".csv", ".txt")


@dataclass(frozen=True, eq=False)
class Cohort:
    """A cohort whose table fits its genotypes.

    Parameters
    ----------
    folder
        Where it lies.
    individuals
        The genotypes.
    people
        Those with genotypes and a line in the table.
    card
        What ``cohort.yaml`` says.
    notes
        What was left out or found odd, in words.
    """

    folder: Path
    individuals: Individuals
    people: CohortPeople
    card: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name to read."""
        return str(self.card.get("name", self.folder.resolve().name))

    @property
    def simulated(self) -> bool:
        """Whether these people were made up."""
        return bool(self.card.get("simulated", False))

    @property
    def genotype_path(self) -> str | None:
        """The file of genotypes, where there is one only."""
        paths = self.individuals.paths
        return str(paths[0]) if len(paths) == 1 else None

    def label(self, trait: str) -> str:
        """Return a trait's name to read; "" where ``cohort.yaml`` has none."""
        labels = self.card.get("labels")
        return str(labels.get(trait, "")) if isinstance(labels, Mapping) else ""

    def prevalence(self, trait: str) -> float | None:
        """Return the stated prevalence of a trait in the population; None where it isn't known."""
        known = self.card.get("prevalence")
        if isinstance(known, Mapping):
            known = known.get(trait)
        return None if known is None else float(known)

    def truth(self) -> dict[str, Any] | None:
        """Return what was planted in simulated people; None where nobody knows."""
        path = self.folder / TRUTH
        if not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def open_cohort(folder: str | Path, reference: ReferenceGenome) -> Cohort:
    """Open a cohort and check that its parts belong together.

    Parameters
    ----------
    folder
        Holds ``cohort.yaml``, whose entries ``genotypes`` (VCF, BCF, PGEN or VCF Zarr) and ``people`` name
        files, relative to the folder; or one of each and no ``cohort.yaml``.
    reference
        The genome that the genotypes were called against.

    Raises
    ------
    DataError
        If a part is missing, damaged or of another assembly, or the people don't fit; it says what to do.
    """
    folder = Path(folder).expanduser()
    card = _read_card(folder)
    if (assembly := card.get("assembly")) is not None and str(assembly) != reference.assembly:
        raise DataError(
            f"cohort {folder} is of {assembly}, and the world's reference is {reference.assembly}: give a "
            "world of that assembly (--world), or lift the genotypes over"
        )
    paths = [_beside(folder, name) for name in _listed(card["genotypes"])]
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} doesn't exist: 'genotypes' of {folder / CARD} names it")
    individuals = open_individuals(paths, reference)
    people = read_people(
        _beside(folder, str(card["people"])),
        individuals.samples["sample"].tolist(),
        traits=_names(card, "traits", folder),
        covariates=_names(card, "covariates", folder),
        seed=int(card.get("seed", 0)),
    )
    notes = [*people.notes, *individuals.notes]
    if not card.get("simulated"):
        notes += check_relatives(individuals, people, keep=card.get("relatives") == "keep")
    return Cohort(folder, individuals, people, card, tuple(notes))


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write ``cohort.yaml``."""
    text = yaml.safe_dump(as_json(dict(card)), sort_keys=False, allow_unicode=True)
    (folder / CARD).write_text(text, encoding="utf-8")


def write_truth(folder: Path, truth: Mapping[str, Any]) -> None:
    """Write ``truth.json``."""
    text = json.dumps(as_json(dict(truth)), indent=1, ensure_ascii=False)
    (folder / TRUTH).write_text(text + "\n", encoding="utf-8")


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no folder: make a cohort with `phenviz cohort simulate -o {folder}`, or name a "
            f"folder with genotypes, a table of people and a {CARD}"
        )
    if not path.is_file():
        return _guessed(folder)
    try:
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} can't be read ({' '.join(str(error).split())[:160]}): mend it") from error
    if not isinstance(card, dict):
        raise DataError(f"{path} holds no entries: it needs genotypes: FILE and people: TABLE")
    if missing := [name for name in ("genotypes", "people") if not card.get(name)]:
        raise DataError(f"{path} lacks the entry {missing[0]}: name the file there")
    if unknown := [str(name) for name in card if name not in _KEYS]:
        raise DataError(f"{path} has an unknown entry {unknown[0]!r}: known are {', '.join(sorted(_KEYS))}")
    _check_prevalence(card.get("prevalence"), path)
    return card


def _check_prevalence(given: Any, path: Path) -> None:
    for value in given.values() if isinstance(given, Mapping) else [given]:
        if value is not None and (not isinstance(value, int | float) or not 0 < value < 1):
            raise DataError(f"{path}: prevalence {value!r} is no share between 0 and 1")


def _guessed(folder: Path) -> dict[str, Any]:
    inside = sorted(folder.iterdir())
    genotypes = [p for p in inside if p.name.endswith(_GENOTYPES) and p.name not in (TOKENS, EFFECTS)]
    tables = [p for p in inside if p.name.endswith(_TABLES)]
    if len(genotypes) != 1 or len(tables) != 1:
        raise DataError(
            f"{folder} has no {CARD}, and {len(genotypes)} files of genotypes and {len(tables)} tables, "
            "where one "
            f"of each would do: write a {CARD} with the entries genotypes and people"
        )
    return {"genotypes": genotypes[0].name, "people": tables[0].name}


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else [
        str(value)]  # fmt: skip


def _names(card: Mapping[str, Any], entry: str, folder: Path) -> list[str] | None:
    value = card.get(entry)
    if value is None:
        return None
    names = _listed(value)
    if not all(names):
        raise DataError(f"{folder / CARD}: {entry} holds an empty name")
    return names


def _beside(folder: Path, name: str) -> Path:
    path = Path(name).expanduser()
    return path if path.is_absolute() else folder / path


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return a source of randomness for one purpose of a seed."""
    return np.random.default_rng([seed, *path])
