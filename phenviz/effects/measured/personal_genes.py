"""What a gene readout's last layer gets of people, beside what was measured in them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from phenviz.data.measured_expression import INCLUSION
from phenviz.effects.measured.folds import residuals
from phenviz.effects.measured.people import MeasuredPeople, elsewhere_of
from phenviz.effects.measured.personal import GeneOfPeople, LastLayer
from phenviz.effects.personal_expression import pool_haplotypes
from phenviz.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from phenviz.genome import Annotation, ReferenceGenome
    from phenviz.models.backbone import SequenceBackbone
    from phenviz.models.readout import GeneReadout
    from phenviz.variation import Unphased

# the packs' logarithms are to base 2, those of readouts natural
_TO_NATURAL = float(np.log(2.0))


def genes_of_people(
    people: MeasuredPeople,
    genes: Sequence[str],
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout,
    *,
    unphased: Unphased = "as listed",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> list[GeneOfPeople]:
    """Pool each gene's bins along both haplotypes of each person, and take what was measured of it.

    Parameters
    ----------
    people
        Measured, with genotypes; what isn't expression (inclusion of an exon) is left out.
    genes
        As in the annotation.
    annotation, reference, backbone, readout
        As for `phenviz.effects.predict_expression`; a single readout.
    unphased, seed, progress
        As there.

    Returns
    -------
    list
        One for each gene whose expression was measured. Covariates (population, depth of sequencing,
        components of the expression of other contigs) are regressed out over everybody; the mean stays.
    """
    found = []
    progress.stage("pooling", len(genes))
    for name in genes:
        gene = annotation.gene(name)
        features = [
            feature
            for feature in people.features_of(gene)
            if not people.measured.features[feature].startswith(INCLUSION)
        ]
        if features:
            pooled = pool_haplotypes(
                people.individuals, gene, reference, backbone, readout, samples=people.names,
                unphased=unphased, seed=seed,
            )  # fmt: skip
            found.append(
                GeneOfPeople(
                    name, pooled.mean(axis=1), _left(people, features[0], annotation, gene.locus.contig)
                )
            )
        progress.advance(1)
    return found


def last_layer_of(readout: GeneReadout, context: str) -> LastLayer:
    """Return the weights and the bias of one context's output."""
    row, output = readout.select([context])[0], readout.output
    return LastLayer(output.weight[row].detach().cpu().double().numpy(), float(output.bias[row].detach()))


def with_last_layer(readout: GeneReadout, context: str, layer: LastLayer) -> GeneReadout:
    """Return a copy of a readout, on the CPU, with other weights of one context's output."""
    tuned = copy.deepcopy(readout).cpu()
    row = tuned.select([context])[0]
    with torch.no_grad():
        tuned.output.weight[row] = torch.from_numpy(layer.weight).to(tuned.output.weight)
        tuned.output.bias[row] = layer.bias
    tuned.name = f"{readout.name}, fine-tuned on people"
    return tuned


def _left(people: MeasuredPeople, feature: int, annotation: Annotation, contig: str) -> np.ndarray:
    values = people.measured.values[:, feature]
    known = np.flatnonzero(np.isfinite(values))
    covariates = people.covariates(feature, elsewhere_of(people.measured, annotation, contig), known)
    everybody = np.arange(len(known))
    left = np.full(len(values), np.nan)
    left[known] = residuals(values[known], covariates.design(everybody), everybody) + values[known].mean()
    scale = _TO_NATURAL if people.measured.units.startswith("log2") else 1.0
    return left * scale
