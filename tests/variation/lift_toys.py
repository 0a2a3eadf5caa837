"""Two small assemblies and the chain file between them, in which every place can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from phenviz.genome import ReferenceGenome
from phenviz.genome.chains import Chains

# chr20 of 200 bases to chr20 of 300; source -> target, 0-based half-open:
#   10-40 -> 15-45, 45-80 -> 48-83 (5 bases lost and 3 new between them)
#   100-140 -> 200-240 on the other strand: base s lies at 339 - s
#   150-170 -> 250-270, and also 21:0-20
CHAIN = """chain 1000 chr20 200 + 10 80 chr20 300 + 15 83 1
30\t5\t3
35

chain 900 chr20 200 + 100 140 chr20 300 - 60 100 2
40

chain 800 chr20 200 + 150 170 chr20 300 + 250 270 3
20

chain 700 chr20 200 + 150 170 chr21 50 + 0 20 4
20
"""
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def reversed_strand(bases: str) -> str:
    return bases.translate(_COMPLEMENT)[::-1]


def toy_sequences(seed: int = 0) -> tuple[str, dict[str, str]]:
    """Return chr20 of the source, and the contigs of the target, with many repeats."""
    rng = np.random.default_rng(seed)

    def draw(length: int) -> str:
        return "".join(rng.choice(list("ACGT"), length, p=[0.4, 0.4, 0.1, 0.1]))

    old, new, other = draw(200), draw(300), draw(50)
    new = (
        new[:15]
        + old[10:40]
        + new[45:48]
        + old[45:80]
        + new[83:200]
        + reversed_strand(old[100:140])
        + new[240:]
    )
    new = new[:250] + old[150:170] + new[270:]
    return old, {"20": new, "21": old[150:170] + other[20:]}


def toy_lift(folder: Path, seed: int = 0) -> tuple[Chains, ReferenceGenome, str, dict[str, str]]:
    """Write chain file and target; return both opened, and the sequences."""
    old, new = toy_sequences(seed)
    folder.mkdir(exist_ok=True)
    (folder / "toy.over.chain").write_text(CHAIN)
    fasta = folder / "new.fa"
    fasta.write_text("".join(f">{name}\n{bases}\n" for name, bases in new.items()))
    reference = ReferenceGenome(fasta, assembly="new", cache_dir=folder / "cache")
    return Chains(folder / "toy.over.chain"), reference, old, new
