"""The alleles that say most about people's logits, gene by gene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.disease.cohort.personal_genotypes import CarriedAlleles
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring import KEY, keyed
from phenviz.results.schema import position_coord, text_array

# of each person and trait; of each of these genes
LEADING_GENES, LEADING_ALLELES = 10, 10


class LeadingAlleles:
    """Collects alleles of people, one person after the other.

    Parameters
    ----------
    genes
        Names, as in the effects.
    model
        Says how frequent alleles are among the training people.
    carried
        What people carry.
    effects
        As from `phenviz.effects.token_effects.score_tokens`, of these alleles.
    samples, traits
        Names.
    """

    def __init__(
        self,
        genes: Sequence[str],
        model: RiskModel,
        carried: CarriedAlleles,
        effects: xr.Dataset,
        samples: Sequence[str],
        traits: Sequence[str],
    ) -> None:
        self._genes, self._samples, self._traits = list(genes), samples, traits
        self._pair = carried.pair
        self._variants, self._copies = carried.variants, carried.copies.tocsc()
        self._row, self._effect = effects["row"].values, effects["effect"].values
        gene = effects["gene_index"].values
        self._pairs = [np.flatnonzero(gene == number) for number in range(len(self._genes))]
        self._frequency = frequency_of(carried.variants, model)
        self._found: list[pd.DataFrame] = []

    def add(self, person: int, by_gene: NDArray[np.float32], slope: NDArray[np.float32]) -> None:
        """Note what a person's alleles add to each trait's logit through its leading genes.

        Parameters
        ----------
        person
            Number.
        by_gene
            What each gene adds, (traits, genes).
        slope
            As `phenviz.disease.cohort.explaining.Explained` has it.
        """
        columns = [2 * person, 2 * person + 1] if self._pair else [person]
        copies = self._copies[:, columns].toarray().astype(np.float32)
        dosage = copies.sum(axis=1)
        for trait, name in enumerate(self._traits):
            for gene in np.argsort(-np.abs(by_gene[trait]), kind="stable")[:LEADING_GENES]:
                pairs = self._pairs[gene]
                rows = self._row[pairs]
                pairs, rows = pairs[dosage[rows] > 0], rows[dosage[rows] > 0]
                each = self._effect[pairs] @ slope[trait, :, gene].T
                usual = self._frequency[rows, None] * (1 if self._pair else 2)
                added = ((copies[rows] - usual) * each).sum(axis=1)
                kept = np.argsort(-np.abs(added), kind="stable")[:LEADING_ALLELES]
                table = self._variants.iloc[rows[kept]]
                self._found.append(
                    table.assign(
                        person=self._samples[person],
                        trait=name,
                        gene=self._genes[gene],
                        contribution=added[kept],
                        dosage=dosage[rows[kept]].astype(np.int8),
                        frequency=self._frequency[rows[kept]],
                    )
                )

    def columns(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return variables and coordinates along ``variant``."""
        names = ["contig", "position", "ref", "alt", "id", "person", "trait", "gene"]
        numbers = ["contribution", "dosage", "frequency"]
        table = (
            pd.concat(self._found, ignore_index=True)
            if self._found
            else pd.DataFrame({name: [] for name in [*names, *numbers]})
        )
        values = {"variant_contribution": table["contribution"].to_numpy(np.float32)}
        values |= {"dosage": table["dosage"].to_numpy(np.int8)}
        values |= {"frequency": table["frequency"].to_numpy(np.float32)}
        texts = {"ref": "ref", "alt": "alt", "id": "id"}
        texts |= {f"variant_{name}": name for name in ("contig", "person", "trait", "gene")}
        coords: dict[str, Any] = {new: ("variant", text_array(table[old])) for new, old in texts.items()}
        coords["position"] = position_coord(table["position"].to_numpy(np.int64) - 1, "variant")
        return {name: ("variant", one) for name, one in values.items()}, coords


def frequency_of(variants: pd.DataFrame, model: RiskModel) -> NDArray[np.float64]:
    """Return how frequent alleles are among the training people; 0 for those that they don't have."""
    known = keyed(model.frequencies).assign(frequency=model.frequencies["frequency"].to_numpy())
    both = (
        keyed(variants).astype({"position": np.int64}).merge(known.drop_duplicates(KEY), on=KEY, how="left")
    )
    return both["frequency"].fillna(0.0).to_numpy(dtype=np.float64)
