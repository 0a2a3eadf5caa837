"""How a cohort is trained on: the numbers of ``--config``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from phenviz.errors import DataError, ModelError
from phenviz.models.phenformer_training import TrainingOptions


@dataclass(frozen=True, slots=True)
class Architecture:
    """Of the Phenformer; see `phenviz.models.phenformer.Phenformer`.

    Parameters
    ----------
    haplotypes
        ``sum`` or ``pair``.
    width, layers, heads, feedforward, seeds, dropout
        Of the transformer and the pooling.
    covariates
        Whether age, sex and principal components join after pooling.
    linear
        Whether it begins at the linear score of expression, and learns what that leaves.
    """

    haplotypes: str = "sum"
    width: int = 64
    layers: int = 2
    heads: int = 4
    feedforward: int = 128
    seeds: int = 4
    dropout: float = 0.1
    covariates: bool = True
    linear: bool = True


@dataclass(frozen=True, slots=True)
class CohortTraining:
    """All that a training may be told.

    Parameters
    ----------
    architecture
        Of the Phenformer.
    training
        Of its loop.
    start
        Folder or weights of a model to fine-tune, of the same genes and traits; None for a new one.
    min_frequency
        Least frequency, among the training people, of a variant in the polygenic scores.
    scoring_files
        Weights from elsewhere (PGS Catalog, PRS-CS, VIPRS, LDpred2) that compete as polygenic scores.
    min_overlap
        Least share of a scoring file's variants that must be found.
    """

    architecture: Architecture = field(default_factory=Architecture)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    start: str | None = None
    min_frequency: float = 0.01
    scoring_files: tuple[str, ...] = ()
    min_overlap: float = 0.75

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers by name."""
        return asdict(self)


def read_config(path: Path | None, **given: Any) -> CohortTraining:
    """Read a configuration; what it doesn't say has its default.

    Parameters
    ----------
    path
        YAML with the entries of `CohortTraining`; None for the defaults.
    **given
        Entries of ``training`` from the command line, where they aren't None.

    Raises
    ------
    DataError
        If the file can't be read, or an entry is unknown or of the wrong kind; names it.
    """
    entries = {} if path is None else _read(path)
    where = "the configuration" if path is None else str(path)
    training = {**_mapping(entries.pop("training", None), "training", where)}
    training |= {name: value for name, value in given.items() if value is not None}
    architecture = _mapping(entries.pop("architecture", None), "architecture", where)
    files = entries.pop("scoring_files", ())
    files = [files] if isinstance(files, str) else files or ()
    base = Path() if path is None else path.parent
    try:
        return CohortTraining(
            architecture=_made(Architecture, architecture, f"{where}, architecture"),
            training=_made(TrainingOptions, training, f"{where}, training"),
            scoring_files=tuple(str(base / str(name)) for name in files),
            **_checked(CohortTraining, entries, where),
        )
    except ModelError as error:
        raise DataError(f"{where}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} can't be read ({' '.join(str(error).split())[:160]}): mend it") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no entries: it may have architecture, training, min_frequency, ...")
    return {str(name): value for name, value in found.items()}


def _mapping(value: Any, name: str, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: {name} holds entries of its own, as in {name}:\\n  seed: 1")
    return value


def _made(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    return kind(**_checked(kind, values, where))


def _checked(kind: Any, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {one.name: one for one in fields(kind)}
    found = {}
    for name, value in values.items():
        if name not in known:
            raise DataError(f"{where} has an unknown entry {name!r}: known are {', '.join(known)}")
        wanted = str(known[name].type)
        found[name] = _converted(value, wanted, f"{where}: {name}")
    return found


def _converted(value: Any, wanted: str, where: str) -> Any:
    if wanted == "bool":
        if isinstance(value, bool):
            return value
    elif wanted == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif wanted == "float":
        # YAML takes 1e-3 for text
        try:
            if not isinstance(value, bool):
                return float(value)
        except (TypeError, ValueError):
            pass
    elif isinstance(value, str) or (value is None and "None" in wanted):
        return value
    kind = {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(wanted, "text")
    raise DataError(f"{where} is {value!r}: give {kind}")
