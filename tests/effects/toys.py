"""Variants and people for the tests of effects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.genome import ReferenceGenome
from phenviz.models.readout import save_readout
from phenviz.world import open_world
from tests.attribution.oracles import toy_readout
from tests.effects.oracles import BASES, whole_contig
from tests.toys import CONTIGS, toy_project

SAMPLES = ("ann", "bob", "cem", "dee")


def write_people(
    path: Path, reference: ReferenceGenome, seed: int, *, count: int = 60, contig: str = "20"
) -> pd.DataFrame:
    """Write a phased VCF of four people with variants of all kinds, none touching another one.

    Returns
    -------
    pd.DataFrame
        What was written: position (1-based), ref, alt, and one column per haplotype (``ann.1``).
    """
    rng = np.random.default_rng(seed)
    sequence = whole_contig(reference, contig)
    rows, behind = [], 400
    while len(rows) < count and behind < CONTIGS[contig] - 1_000:
        start = behind + int(rng.choice([2, 20, 150, 900]))
        long = int(rng.choice([1, 1, 1, 4, 150]))
        replaced, added = [(1, 1), (1, 1), (2, 2), (1, 1 + long), (1 + long, 1)][rng.integers(5)]
        ref = sequence[start : start + replaced]
        behind = start + replaced
        if "N" in ref or len(ref) < replaced:
            continue
        alt = "".join(BASES[rng.integers(0, 4, added)])
        alt = "".join(BASES[(list(BASES).index(base) + 1) % 4] for base in ref) if replaced == added else alt
        alt = alt if replaced == added else ref[0] + alt[1:]
        rows.append((start + 1, ref, alt))
    table = pd.DataFrame(rows, columns=["position", "ref", "alt"])
    frequency = rng.choice([0.05, 0.3, 0.8], size=len(table))
    lines = ["##fileformat=VCFv4.2", f"##contig=<ID={contig},length={CONTIGS[contig]}>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append(
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *SAMPLES])
    )
    alleles = (rng.random((len(table), len(SAMPLES), 2)) < frequency[:, None, None]).astype(int)
    for row, one in enumerate(table.itertuples(index=False)):
        calls = [f"{first}|{second}" for first, second in alleles[row]]
        lines.append(
            "\t".join(
                map(str, [contig, one.position, f"v{row}", one.ref, one.alt, ".", "PASS", ".", "GT", *calls])
            )
        )
    path.write_text("\n".join(lines) + "\n")
    for number, sample in enumerate(SAMPLES):
        table[f"{sample}.1"], table[f"{sample}.2"] = alleles[:, number, 0], alleles[:, number, 1]
    return table


def people_project(folder: Path, seed: int = 3) -> Path:
    """Write the toy world with four people and a gene readout as a ``project.yaml``; return its path."""
    project = toy_project(folder)
    save_readout(toy_readout(), folder / "readout.safetensors")
    write_people(folder / "people.vcf", open_world(project).reference, seed)
    with project.open("a") as text:
        text.write("individuals: [people.vcf]\nreadout: readout.safetensors\n")
    return project
