"""What was learnt from a cohort, on disk: a Phenformer, the scores beside it, and how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz import __version__
from phenviz.data.project import PHENFORMER
from phenviz.disease.cohort.config import CohortTraining
from phenviz.disease.cohort.covariates import CovariateModel
from phenviz.disease.cohort.ensemble import Combination
from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.people import as_json
from phenviz.disease.cohort.reference_people import RiskReference, load_reference
from phenviz.disease.cohort.training import CohortFit
from phenviz.errors import DataError, ModelError
from phenviz.genome import Locus
from phenviz.models.phenformer_checkpoint import save_phenformer

if TYPE_CHECKING:
    from phenviz.world import World

FORMAT = "phenviz-risk/2"
CARD = "risk.json"
WEIGHTS, EXPRESSION, DISTANCE = "weights.parquet", "expression.parquet", "distance.parquet"
COMPARED, GENES = "compared.parquet", "genes.parquet"
COMPONENTS, FREQUENCIES = "components.parquet", "frequencies.parquet"
REFERENCE_TOKENS = "reference_tokens.npy"
ASSOCIATIONS, MATCHED = "gwas", "matched"


@dataclass(frozen=True, eq=False)
class RiskModel:
    """What `phenviz cohort train` wrote.

    Parameters
    ----------
    folder
        Where it lies.
    card
        ``risk.json``: cohort, splits, configuration, what was chosen.
    weights
        Of variants: trait, contig, position, ref, alt, weight, frequency.
    expression
        Of predicted expression: trait, gene, context, weight, mean, scale.
    distance
        Variants that genetic distance is measured by.
    components
        Variants that principal components are made of; see `phenviz.disease.cohort.ancestry.fit_components`.
    """

    folder: Path
    card: Mapping[str, Any]
    weights: pd.DataFrame
    expression: pd.DataFrame
    distance: pd.DataFrame
    components: pd.DataFrame

    @property
    def phenformer(self) -> Path:
        """Weights file of the Phenformer."""
        return self.folder / PHENFORMER

    @property
    def traits(self) -> tuple[str, ...]:
        """Names of the traits."""
        return tuple(self.card["traits"])

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates."""
        return tuple(self.card["covariates"])

    @property
    def simulated(self) -> bool:
        """Whether the people that it was trained on were made up."""
        return bool(self.card["simulated"])

    @property
    def card_hash(self) -> str:
        """What tells this training apart from any other."""
        return sha256((self.folder / CARD).read_bytes()).hexdigest()

    @property
    def trained_on(self) -> str:
        """Who it was trained on, in words."""
        people = int(self.card["people"]["train"])
        where = ", ".join(
            f"{name or 'unknown ancestry'} {n:,}" for name, n in self.card["trained_in"].items()
        )
        who = "simulated people" if self.simulated else "people"
        return f"{people:,} {who} of {self.card['cohort']} ({where})"

    @property
    def is_linear(self) -> bool:
        """Whether nothing was learnt beyond the linear score of expression that its Phenformer began at."""
        config = self.card["config"]
        began = config["start"] is None and config["architecture"].get("linear", False)
        return bool(began and self.card["run"]["best_epoch"] == 0)

    def contexts(self, trait: str) -> dict[str, float]:
        """Return how probable each context is, if the trait acts through one; empty where that isn't known.

        Learnt from training people's predicted expression; see `phenviz.disease.cohort.expression_score`.
        """
        return dict(self.card["traits"][trait]["expression"].get("contexts", {}))

    @property
    def component_names(self) -> tuple[str, ...]:
        """Names of the principal components that can be computed for anybody."""
        return tuple(name for name in self.components.columns if name.startswith("PC"))

    @property
    def loci(self) -> tuple[Locus, ...]:
        """Where the training people's variants lie, one locus for each contig."""
        return tuple(Locus(contig, int(start), int(end)) for contig, start, end in self.card["loci"])

    def label(self, trait: str) -> str:
        """Return a trait's name to read."""
        return str(self.card["traits"][trait].get("label") or trait)

    @cached_property
    def reference(self) -> RiskReference | None:
        """People that others are compared with; None where nobody was judged for that."""
        return load_reference(self.folder)

    @cached_property
    def frequencies(self) -> pd.DataFrame:
        """Frequency of every variant among the training people: contig, position, ref, alt."""
        return pd.read_parquet(self.folder / FREQUENCIES)

    @cached_property
    def reference_tokens(self) -> NDArray[np.float32]:
        """Tokens of the reference genome as the training had them, (genes, features)."""
        found: NDArray[np.float32] = np.load(self.folder / REFERENCE_TOKENS, allow_pickle=False)
        return found

    def covariate_model(self, trait: str) -> CovariateModel:
        """Return a trait's baseline."""
        fit = self.card["traits"][trait]["covariates"]
        mean, scale, weights = (np.array(fit[name], dtype=float) for name in ("mean", "scale", "weights"))
        return CovariateModel(mean, scale, weights, float(fit["intercept"]), np.empty(0))

    def combinations(self, trait: str) -> dict[str, Combination]:
        """Return how a trait's scores are put together."""
        fits = self.card["traits"][trait]["combinations"]
        return {name: Combination.from_dict(fit) for name, fit in fits.items()}


def save_risk_model(folder: Path, cohort: Cohort, fit: CohortFit, config: CohortTraining) -> Path:
    """Write all that was learnt, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made_up = {"cohort": "simulated" if cohort.simulated else cohort.name}
    card = {
        "training": {
            **made_up, "name": cohort.name, "people": len(cohort.people), **fit.run,
            "config": config.as_dict(),
        },
        "intended_use": "research on methods; not for clinical use",
    }  # fmt: skip
    save_phenformer(fit.phenformer, folder / PHENFORMER, card=as_json(card))
    weights, expression, compared, genes = [], [], [], []
    (folder / ASSOCIATIONS).mkdir(exist_ok=True)
    for name, trait in fit.traits.items():
        used = np.flatnonzero(trait.prs.weights)
        own = fit.dosages.variants.iloc[used][["contig", "position", "ref", "alt"]]
        weights.append(
            own.assign(trait=name, weight=trait.prs.weights[used], frequency=fit.dosages.frequency[used])
        )
        expression.append(_expression(fit, name))
        compared.append(trait.compared.assign(trait=name))
        genes.append(trait.genes.assign(trait=name))
        # as PRS-CS, LDpred2 and VIPRS take it: the effect allele is ALT
        trait.association.to_csv(folder / ASSOCIATIONS / f"{_file(name)}.tsv.gz", sep="\t", index=False)
    for name, table in fit.matched.items():
        (folder / MATCHED).mkdir(exist_ok=True)
        table.to_csv(folder / MATCHED / f"{_file(name)}.tsv.gz", sep="\t", index=False)
    pd.concat(weights, ignore_index=True).to_parquet(folder / WEIGHTS, index=False)
    pd.concat(expression, ignore_index=True).to_parquet(folder / EXPRESSION, index=False)
    pd.concat(compared, ignore_index=True).to_parquet(folder / COMPARED, index=False)
    pd.concat(genes, ignore_index=True).to_parquet(folder / GENES, index=False)
    fit.distance[0].to_parquet(folder / DISTANCE, index=False)
    fit.components.to_parquet(folder / COMPONENTS, index=False)
    # another machine's rounding would move everybody's tokens by the same
    np.save(folder / REFERENCE_TOKENS, fit.reference_tokens)
    fit.frequencies.to_parquet(folder / FREQUENCIES, index=False)
    text = json.dumps(as_json(_card(cohort, fit, config)), indent=1, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
    return folder


def load_risk_model(folder: str | Path) -> RiskModel:
    """Read what `save_risk_model` wrote; what hasn't changed since is what was read before.

    Raises
    ------
    DataError
        If a file is missing, damaged or of another format.
    """
    folder = Path(folder).expanduser()
    path = folder / CARD
    if not path.is_file():
        raise DataError(f"{folder} holds no trained model ({CARD}): make one with `phenviz cohort train`")
    return _loaded(folder.resolve(), max(one.stat().st_mtime_ns for one in folder.rglob("*")))


@lru_cache(4)
def _loaded(folder: Path, changed: int) -> RiskModel:
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        tables = [pd.read_parquet(folder / name) for name in (WEIGHTS, EXPRESSION, DISTANCE, COMPONENTS)]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} is damaged ({' '.join(str(error).split())[:160]}): train it again"
        ) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise DataError(f"{path} is of another format than {FORMAT}: train it again with this version")
    return RiskModel(folder, card, *tables)


def open_risk_model(world: World) -> RiskModel:
    """Open the risk model of a world.

    Raises
    ------
    ModelError
        If the world has none, or it belongs to another backbone, readout or assembly.
    DataError
        If a file is missing or damaged.
    """
    folder = world.project.risk
    if folder is None:
        raise ModelError(
            f"world {world.name!r} has no risk model: make one with `phenviz cohort train`, and set 'risk' "
            "in its project.yaml"
        )
    # of another backbone it is refused here
    phenformer = world.phenformer
    with world.project.naming("risk"):
        model = load_risk_model(folder)
        if model.card["assembly"] != world.assembly:
            raise ModelError(
                f"{folder} was trained on {model.card['assembly']}, and world {world.name!r} is of "
                f"{world.assembly}: give the model of this assembly"
            )
        if phenformer is not None and [one.name for one in phenformer.traits] != list(model.traits):
            raise DataError(f"{folder} holds a Phenformer of other traits than its {CARD}: train it again")
    return model


def _card(cohort: Cohort, fit: CohortFit, config: CohortTraining) -> dict[str, Any]:
    people = cohort.people
    traits = {}
    for name, trait in fit.traits.items():
        cases = {
            split: int((people.table.loc[people.table["split"] == split, name] == 1).sum())
            for split in ("train", "validation")
        }
        traits[name] = {
            "label": cohort.label(name),
            "cases": cases,
            "prevalence": cohort.prevalence(name),
            "prs": {"method": trait.prs.method, **trait.prs.settings},
            "expression": {"method": trait.expression.method, **trait.expression.settings},
            "covariates": trait.covariates.as_dict(),
            "combinations": {column: one.as_dict() for column, one in fit.combinations[name].items()},
        }
    ancestry = people.table.loc[people.table["split"] == "train", "ancestry"]
    return {
        "format": FORMAT,
        "code_version": __version__,
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        "assembly": cohort.individuals.reference.assembly,
        "people": {split: len(people.rows(split)) for split in ("train", "validation", "test")},
        "trained_in": ancestry.value_counts().to_dict(),
        "covariates": list(people.covariates),
        "variants": len(fit.dosages),
        "loci": [
            [contig, int(own["position"].min()) - 1, int(own["position"].max())]
            for contig, own in fit.dosages.variants.groupby("contig", sort=False)
        ],
        "distance_mean": fit.distance[1],
        "config": config.as_dict(),
        "run": fit.run,
        "traits": traits,
    }


def _expression(fit: CohortFit, name: str) -> pd.DataFrame:
    trait = fit.traits[name]
    table = trait.genes[["gene", "context"]].assign(
        trait=name, weight=trait.expression.weights, mean=fit.expression.mean, scale=fit.expression.scale
    )
    return table


def _file(trait: str) -> str:
    """Return a trait's name as that of a file."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in trait)
