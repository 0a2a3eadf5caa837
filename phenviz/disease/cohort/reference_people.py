"""The people that a score is held against: its distribution, and how well it tells cases apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.ancestry import AncestryFit, fit_ancestry, most_similar, percentiles
from phenviz.disease.cohort.ensemble import COMBINATIONS
from phenviz.disease.cohort.judging import ALL, FEWEST_CASES, Judged
from phenviz.disease.cohort.subtypes import Subtypes

# covariates alone say nothing of a genome
METHODS = tuple(name for name, parts in COMBINATIONS.items() if parts)
_CURVE_POINTS = 101
_FOLDER = "reference"
_TABLES = ("scores", "metrics", "roc", "calibration")
_SUBTYPES = {name: f"subtypes_{name}" for name in ("tests", "people", "comorbidity")}


@dataclass(frozen=True, eq=False)
class RiskReference:
    """People who taught a model nothing, and what it says of them.

    Parameters
    ----------
    scores
        One row for each person and trait: sample, trait, ancestry, a column for each of `METHODS` (log odds
        at average covariates), and the components PC1, PC2, ...
    metrics
        As from `phenviz.disease.cohort.judging.judge`, in COLUMNS.
    roc
        trait, ancestry, score, false_positive, true_positive: at most 101 points of each curve.
    calibration
        trait, ancestry, score, and the columns of `phenviz.disease.cohort.metrics.deciles`.
    subtypes
        Groups of each trait's cases, without their names; None where nobody looked for them.
    """

    scores: pd.DataFrame
    metrics: pd.DataFrame
    roc: pd.DataFrame
    calibration: pd.DataFrame
    subtypes: Subtypes | None = None

    @property
    def ancestries(self) -> tuple[str, ...]:
        """Groups of people, sorted; none where it isn't known of anybody."""
        return tuple(sorted(name for name in self.scores["ancestry"].unique() if name))

    @property
    def people(self) -> dict[str, int]:
        """Number of people, ``all`` and in each group."""
        each = self._of(self.scores["trait"].iloc[0])
        counts = each["ancestry"].value_counts()
        return {ALL: len(each), **{name: int(counts[name]) for name in self.ancestries}}

    @property
    def component_names(self) -> tuple[str, ...]:
        """Names of the columns of components."""
        return tuple(name for name in self.scores.columns if name.startswith("PC"))

    @cached_property
    def adjusted(self) -> pd.DataFrame:
        """The scores without what ancestry explains of their mean and spread (z_norm2), laid out alike."""
        # files hold them in single precision
        table = self.scores.astype(dict.fromkeys(METHODS, np.float64))
        for trait in table["trait"].unique():
            rows = table["trait"] == trait
            for method in METHODS:
                table.loc[rows, method] = self.adjust(trait, method, *self._given(trait, method))[
                    "z_norm2"
                ].to_numpy()
        return table

    def adjust(
        self, trait: str, method: str, score: NDArray[np.float64], components: NDArray[np.float64]
    ) -> pd.DataFrame:
        """Take out of people's scores what ancestry explains; see `normalise_by_ancestry`."""
        return self._fit(trait, method).apply(score, components)

    def percentile(
        self, trait: str, method: str, score: NDArray[np.float64], against: str
    ) -> NDArray[np.float64]:
        """Return where scores lie among everybody (``all``) or a group, 0 to 100."""
        own = self._of(trait)
        chosen = own if against == ALL else own[own["ancestry"] == against]
        return percentiles(np.sort(chosen[method].to_numpy(dtype=float)), score)

    def most_similar(self, components: NDArray[np.float64]) -> NDArray[np.object_]:
        """Return the group whose people are nearest, (people,)."""
        own = self._of(self.scores["trait"].iloc[0])
        own = own[own["ancestry"] != ""]
        known = own[list(self.component_names)].to_numpy(dtype=float)
        return most_similar(components, known, own["ancestry"].to_numpy(dtype=object))

    def _of(self, trait: str) -> pd.DataFrame:
        return self.scores[self.scores["trait"] == trait]

    def _given(self, trait: str, method: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own = self._of(trait)
        components = own[list(self.component_names)].to_numpy(dtype=float)
        return own[method].to_numpy(dtype=float), components

    @cached_property
    def _fits(self) -> dict[tuple[str, str], AncestryFit]:
        return {}

    def _fit(self, trait: str, method: str) -> AncestryFit:
        if (trait, method) not in self._fits:
            self._fits[trait, method] = fit_ancestry(*self._given(trait, method))
        return self._fits[trait, method]


def save_reference(reference: RiskReference, model: Path) -> Path:
    """Write reference people into a model's folder, and return theirs."""
    folder = model / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: getattr(reference, name) for name in _TABLES}
    for name, file in _SUBTYPES.items():
        (folder / f"{file}.parquet").unlink(missing_ok=True)
        if reference.subtypes is not None:
            tables[file] = getattr(reference.subtypes, name).drop(columns="sample", errors="ignore")
    for name, table in tables.items():
        narrow = {column: np.float32 for column in table.select_dtypes(np.float64).columns}
        table.astype(narrow).to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    return folder


def load_reference(model: Path) -> RiskReference | None:
    """Read what `save_reference` wrote; None where a model has no reference people."""
    folder = model / _FOLDER
    if not folder.is_dir():
        return None
    subtypes = None
    if all((folder / f"{file}.parquet").is_file() for file in _SUBTYPES.values()):
        subtypes = Subtypes(**{name: _read(folder, file) for name, file in _SUBTYPES.items()})
    return RiskReference(**{name: _read(folder, name) for name in _TABLES}, subtypes=subtypes)


def _read(folder: Path, name: str) -> pd.DataFrame:
    """Return a table in double precision, which is kept in single."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    return table.astype(dict.fromkeys(table.select_dtypes(np.float32).columns, np.float64))


def roc_points(scores: pd.DataFrame) -> pd.DataFrame:
    """Thin ROC curves out to at most 101 points.

    Parameters
    ----------
    scores
        As from `phenviz.disease.cohort.scoring.score_table`, of the people to judge by.

    Returns
    -------
    pd.DataFrame
        trait, ancestry, score, false_positive, true_positive; of everybody and each group of at least 20
        cases and 20 controls.
    """
    from sklearn.metrics import roc_curve

    known = scores[scores["label"].notna()]
    found = []
    for trait, own in known.groupby("trait", sort=False):
        groups: Mapping[str, pd.DataFrame] = {
            ALL: own,
            **dict(iter(own[own["ancestry"] != ""].groupby("ancestry"))),
        }
        for name, group in groups.items():
            cases = int((group["label"] == 1).sum())
            if min(cases, len(group) - cases) < FEWEST_CASES:
                continue
            for score in COMBINATIONS:
                false, true, _ = roc_curve(group["label"], group[score], drop_intermediate=False)
                some = np.unique(np.linspace(0, len(false) - 1, _CURVE_POINTS).astype(int))
                points = {"false_positive": false[some], "true_positive": true[some]}
                found.append(pd.DataFrame({"trait": trait, "ancestry": name, "score": score, **points}))
    columns = ["trait", "ancestry", "score", "false_positive", "true_positive"]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def reference_of(
    judged: Judged, scores: pd.DataFrame, average: pd.DataFrame, subtypes: Subtypes | None = None
) -> RiskReference:
    """Put together what a model's people of comparison are.

    Parameters
    ----------
    judged, scores
        The judging, and the scores that it was about.
    average
        The same people's scores at average covariates, laid out as `RiskReference` has them.
    subtypes
        Groups of their cases.
    """
    first = ["trait", "ancestry", "score"]
    deciles = judged.deciles if len(judged.deciles) else pd.DataFrame(columns=first)
    calibration = deciles[[*first, *(name for name in deciles.columns if name not in first)]]
    return RiskReference(average, judged.metrics, roc_points(scores), calibration, subtypes)
