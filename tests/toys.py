"""One toy backbone and one toy world for all fast tests, and the slow obvious ways to be compared with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from phenviz.disease.background import random_background
from phenviz.genome import Annotation, Context, Locus, ReferenceGenome, one_hot, read_genes
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.local import LocalBackbone
from phenviz.progress import Progress

CONTEXTS = (
    Context("Ery", "erythroid", "CL:0000764", "erythroid", "#c0392b"),
    Context("Mono", "monocyte", "CL:0000576", "myeloid", "#e08a1e"),
    Context("B", "B cell", "CL:0000236", "lymphoid", "#2a6fbb"),
)
# chr20 is odd in length, begins and ends with N, and has a gap inside
CONTIGS = {"20": 50_021, "21": 9_000}
GAP = (20_000, 20_700)
GENES = """contig\tgene_name\tgene_id\tstrand\ttx_start\ttx_end\texon_starts\texon_ends
20\tALPHA\tENSG00000000001\t+\t6000\t9000\t6000,8000,\t6300,9000,
20\tBETA\tENSG00000000002\t-\t8500\t15000\t8500,14000,\t9100,15000,
20\tGAMMA1\tENSG00000000003\t+\t30000\t30500\t30000,\t30500,
21\tDELTA\tENSG00000000004\t-\t100\t5000\t100,4000,\t900,5000,
"""


@dataclass
class ToyWorld:
    """The parts that the rooms below the service take."""

    reference: ReferenceGenome
    annotation: Annotation
    backbone: LocalBackbone


def tiny_config(contexts: Sequence[Context], *, name: str = "tiny") -> dict[str, Any]:
    """Return the config of a backbone for tests: all kinds of stages, computed in an instant."""
    shape = [
        {"channels": 8, "kernel": 7, "pool": 8, "both_strands": True, "activation": "softplus"},
        {"channels": 8, "kernel": 5, "pool": 4, "activation": "softplus"},
        {"channels": 8, "kernel": 3, "pool": 4, "activation": "relu"},
        {"channels": 8, "kernel": 3, "dilation": 2, "residual": True, "activation": "relu"},
    ]
    described = [{key: getattr(context, key) for key in Context.__slots__} for context in contexts]
    return {"name": name, "window": 1024, "stages": shape, "contexts": described}


def toy_backbone(seed: int = 0) -> LocalBackbone:
    """Build a tiny random backbone whose activity differs clearly between bins."""
    torch.manual_seed(seed)
    backbone = LocalBackbone.from_config(tiny_config(CONTEXTS))
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for stage in backbone.stages[1:]:
            # kernels after the stem are symmetric: that makes the model equivariant to reverse complement
            stage.weight.copy_((stage.weight + stage.weight.flip(2)) / 2)
    return backbone.eval()


def write_fasta(path: Path, seed: int = 0) -> Path:
    """Write random contigs with N at both ends and a gap inside."""
    rng = np.random.default_rng(seed)
    with path.open("w") as fasta:
        for contig, length in CONTIGS.items():
            bases = rng.choice(list("ACGT"), size=length, p=[0.3, 0.2, 0.2, 0.3])
            if contig == "20":
                bases[:300] = bases[-150:] = "N"
                bases[GAP[0] : GAP[1]] = "N"
            text = "".join(bases)
            lines = "\n".join(text[i : i + 60] for i in range(0, length, 60))
            fasta.write(f">{contig}\n{lines}\n")
    return path


def toy_world(folder: Path) -> ToyWorld:
    """Build the toy world's parts in a folder."""
    (folder / "genes.tsv").write_text(GENES)
    reference = ReferenceGenome(write_fasta(folder / "toy.fa"), assembly="toy1", cache_dir=folder / "cache")
    return ToyWorld(reference, Annotation(read_genes(folder / "genes.tsv")), toy_backbone())


def toy_project(folder: Path) -> Path:
    """Write the toy world as a ``project.yaml`` with all its files; return its path."""
    from phenviz.models.checkpoint import save_backbone

    write_fasta(folder / "toy.fa")
    (folder / "genes.tsv").write_text(GENES)
    save_backbone(toy_backbone(), folder / "toy.safetensors")
    project = folder / "project.yaml"
    project.write_text(
        "name: toy\nassembly: toy1\nreference: toy.fa\nannotation: genes.tsv\ncheckpoint: toy.safetensors\n"
    )
    return project


def activity_of_codes(codes: np.ndarray, backbone: SequenceBackbone) -> np.ndarray:
    """Predict a batch of sequences, shape (B, L), in one go: (B, C, bins)."""
    with torch.inference_mode():
        return backbone(torch.from_numpy(one_hot(codes))).numpy()


def predict_whole(locus: Locus, reference: ReferenceGenome, backbone: SequenceBackbone) -> np.ndarray:
    """Predict the bins that a locus touches in one untiled window with real flanks: (C, bins)."""
    first = locus.start // backbone.bin_size * backbone.bin_size
    last = -(-locus.end // backbone.bin_size) * backbone.bin_size
    flank = halo(backbone)
    codes = reference.fetch_codes(locus.contig, first - flank, last + flank)
    bins = flank // backbone.bin_size
    return activity_of_codes(codes[None], backbone)[0, :, bins : -bins or None]


def predict_each_mutant(locus: Locus, reference: ReferenceGenome, backbone: SequenceBackbone) -> np.ndarray:
    """Score every change the plain way, one whole prediction a mutant: effect (position, allele, context)."""
    effects = np.zeros((locus.length, 4, len(backbone.contexts)))
    size, flank = backbone.bin_size, halo(backbone)
    for row, position in enumerate(range(locus.start, locus.end)):
        first = (position // size - 2) * size
        codes = reference.fetch_codes(locus.contig, first - flank, first + 4 * size + flank)
        offset = position - (first - flank)
        if codes[offset] == 4:
            effects[row] = np.nan
            continue
        alleles = [allele for allele in range(4) if allele != codes[offset]]
        mutants = np.repeat(codes[None], 4, axis=0)
        for copy, allele in enumerate(alleles, start=1):
            mutants[copy, offset] = allele
        bins = flank // size
        sums = activity_of_codes(mutants, backbone)[:, :, bins : bins + 4].astype(np.float64).sum(axis=-1)
        effects[row, alleles] = np.log2(1 + sums[1:]) - np.log2(1 + sums[:1])
    return effects


def cancelled_after(count: int) -> tuple[Progress, list[float]]:
    """Return progress that asks to stop after some batches, and the fractions that it has heard of."""
    cancel, heard = threading.Event(), []

    def stop(stage: str, fraction: float) -> None:
        heard.append(fraction)
        if len(heard) == count:
            cancel.set()

    return Progress(on_change=stop, cancel_event=cancel), heard


def draw_few(patch: pytest.MonkeyPatch, singles: int, deep: int) -> None:
    """Make random backgrounds small, as suits short contigs."""
    patch.setitem(random_background.__kwdefaults__, "singles", singles)
    patch.setitem(random_background.__kwdefaults__, "deep", deep)
