"""Results on MPS, which has no double precision, are those of the CPU; MPS is played, see `tests.mps`."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import xarray as xr

from phenviz.attribution import (
    Target,
    ablate,
    integrated_gradients,
    mutagenesis,
    mutagenesis_coarse_to_fine,
    saliency,
)
from phenviz.attribution.trait import trait_integrated_gradients, trait_saliency
from phenviz.attribution.trait_genes import trait_genes
from phenviz.effects import score_expression, score_variants
from phenviz.genome import Locus, decode
from phenviz.genome.variant import Edit
from phenviz.inference.haplotype_engine import activity_engine
from phenviz.models.double import double_copy, doubled
from phenviz.models.phenformer_tokens import predict_tokens
from tests.attribution.oracles import toy_readout
from tests.effects.oracles import random_variants
from tests.mps import MPS, played_mps
from tests.phenformer_toys import toy_phenformer

LOCUS = Locus("20", 5_900, 6_100)
MONO = Target(context="Mono")
EXPRESSION = Target(context="Mono", gene="ALPHA")


class Here:
    """What computations need, on one device."""

    def __init__(self, world, device) -> None:
        self.reference, self.annotation = world.reference, world.annotation
        self.backbone = copy.deepcopy(world.backbone).to(device)
        self.readout = toy_readout().to(device)
        self.phenformer = toy_phenformer().to(device)
        self.alpha = (world.annotation.gene("ALPHA"), self.readout)
        self.sequence = (self.reference, self.backbone)
        self.variants = random_variants(np.random.default_rng(11), world.reference, 40)


def haplotypes(here: Here) -> xr.Dataset:
    edits = [Edit(6_000, decode(here.reference.fetch_codes("20", 6_000, 6_001)), "ACGTACGT")]
    engine = activity_engine(here.reference, "20", here.backbone, [0, 2])
    return xr.Dataset({"activity": (("h", "k", "bin"), engine.along([edits], 40, np.zeros((2, 20))))})


def tokens(here: Here) -> xr.Dataset:
    found = predict_tokens(here.phenformer, *here.sequence, here.readout)
    return xr.Dataset({"tokens": (("h", "gene", "k"), found.detach().cpu().numpy())})


COMPUTATIONS = {
    "saliency": lambda here: saliency(LOCUS, *here.sequence, target=MONO),
    "integrated gradients": lambda here: integrated_gradients(
        LOCUS, *here.sequence, target=EXPRESSION, gene_target=here.alpha, n_steps=4
    ),
    "coarse": lambda here: mutagenesis_coarse_to_fine(LOCUS, *here.sequence, target=MONO, n_windows=1),
    "ablation": lambda here: ablate([LOCUS], *here.sequence, by="N"),
    "ablation of expression": lambda here: ablate([LOCUS], *here.sequence, by="N", gene_target=here.alpha),
    "mutagenesis of expression": lambda here: mutagenesis(LOCUS, *here.sequence, gene_target=here.alpha),
    "variants": lambda here: score_variants(here.variants, *here.sequence),
    "variants and expression": lambda here: score_expression(
        here.variants, here.annotation, *here.sequence, here.readout
    ),
    "haplotypes": haplotypes,
    "tokens": tokens,
    "trait saliency": lambda here: trait_saliency(
        *here.sequence, here.phenformer, trait="MCV", readout=here.readout, locus=Locus("20", 0, 50_021)
    ),
    "trait gradients": lambda here: trait_integrated_gradients(
        *here.sequence, here.phenformer, trait="MCV", readout=here.readout, n_steps=2,
        locus=Locus("20", 0, 50_021),
    ),
    "trait genes": lambda here: trait_genes(
        *here.sequence, here.phenformer, trait="MCV", readout=here.readout, n_steps=2
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_a_result_on_mps_is_that_of_the_cpu(toy_world, name):
    expected = COMPUTATIONS[name](Here(toy_world, torch.device("cpu")))
    with played_mps() as device:
        found = COMPUTATIONS[name](Here(toy_world, device))
    for variable, values in expected.data_vars.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[variable], values, rtol=1e-4, atol=1e-6)


def test_double_precision_stays_on_its_device_or_moves_to_the_cpu():
    tensor, module = torch.ones(3), torch.nn.Linear(2, 2)
    assert doubled(tensor).dtype == torch.float64
    with played_mps():
        there, on_cpu = doubled(tensor.to(MPS)), double_copy(copy.deepcopy(module).to(MPS))
    for found in (there, on_cpu.weight):
        assert (found.device.type, found.dtype) == ("cpu", torch.float64)
    assert double_copy(module.to("meta")).weight.device.type == "meta"


def test_what_is_played_refuses_what_mps_refuses():
    with played_mps():
        tensor = torch.ones(3).to(MPS)
        assert tensor.device == MPS and tensor.cpu().double().numpy().sum() == 3
        assert (tensor * 2 + torch.zeros(3, device=MPS)).device == MPS
        for refused in (
            lambda: tensor.double(),
            lambda: tensor.to("cpu", torch.float64),
            lambda: torch.zeros(3, dtype=torch.float64, device=MPS),
            lambda: torch.ones(3, dtype=torch.float64).to(MPS),
            tensor.numpy,
        ):
            with pytest.raises(TypeError):
                refused()
        for mixed in (lambda: tensor + torch.ones(3), lambda: torch.ones(3)[tensor.long()]):
            with pytest.raises(RuntimeError, match="same device"):
                mixed()
