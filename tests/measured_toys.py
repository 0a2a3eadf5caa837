"""Many made-up people of the toy world, and a table of what was measured in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.genome import Locus, ReferenceGenome

COUNT = 48
SAMPLES = [f"P{number:03}" for number in range(COUNT)]
# the fifth variant acts on ALPHA
ACTING = 4


def write_many(path: Path, reference: ReferenceGenome, seed: int = 0) -> np.ndarray:
    """Write a phased VCF of `SAMPLES`; return the dosages, shape (people, variants)."""
    random = np.random.default_rng(seed)
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20,length=50021>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append(
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *SAMPLES])
    )
    places = range(1_500, 47_000, 1_300)
    alleles = (
        random.random((len(places), COUNT, 2)) < random.uniform(0.2, 0.8, len(places))[:, None, None]
    ).astype(int)
    for number, at in enumerate(places):
        ref = reference.sequence(Locus("20", at - 1, at)).upper()
        alt = "ACGT"[("ACGT".find(ref) + 1) % 4]
        calls = [f"{one}|{two}" for one, two in alleles[number]]
        lines.append("\t".join(["20", str(at), f"v{number}", ref, alt, ".", "PASS", ".", "GT", *calls]))
    path.write_text("\n".join(lines) + "\n")
    return alleles.sum(2).T


def write_measured(path: Path, dosages: np.ndarray, seed: int = 0) -> Path:
    """Write a table, people x genes, of two populations: ALPHA follows a variant, BETA nothing."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"population": np.repeat(["A", "B"], COUNT // 2)}, index=pd.Index(SAMPLES, name="sample")
    )
    table["ALPHA"] = 5 + dosages[:, ACTING] + 0.4 * random.normal(size=COUNT)
    table["BETA"] = 5 + random.normal(size=COUNT)
    table.to_csv(path, sep="\t")
    return path
