"""A small world of two contigs to train on: peaks with and without a signal, coverage, and sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from phenviz.genome import decode

LENGTH = 150_000
MOTIFS = {
    "Ery": np.array([2, 0, 3, 0, 0, 2, 1]),  # GATAAGC
    "Neuron": np.array([1, 0, 2, 1, 3, 2, 1]),  # CAGCTGC
    "Cov": np.array([3, 2, 0, 1, 3, 1, 0]),  # TGACTCA
}
MEME = "MEME version 4\n\n" + "".join(
    f"MOTIF MA000{number}.1 {name}\nletter-probability matrix: alength= 4 w= 7 nsites= 20 E= 0\n"
    + "".join(" ".join("01"[int(base == column)] for column in range(4)) + "\n" for base in motif)
    + "\n"
    for number, (name, motif) in enumerate(MOTIFS.items())
)


def write_world(folder: Path, seed: int = 0) -> Path:
    """Write a project whose contexts are active where their motif was planted; return its project.yaml."""
    import pybigtools

    rng = np.random.default_rng(seed)
    peaks: dict[str, list[tuple[str, int]]] = {name: [] for name in MOTIFS}
    coverage = []
    with (folder / "toy.fa").open("w") as fasta:
        for contig in ("chr1", "chr2"):
            codes = rng.integers(0, 4, LENGTH).astype(np.uint8)
            places = np.sort(rng.choice(np.arange(3_000, LENGTH - 3_000, 900), 90, replace=False))
            for number, place in enumerate(places):
                name = list(MOTIFS)[number % 3]
                plant(codes, place, MOTIFS[name], rng)
                peaks[name].append((contig, int(place)))
                if name == "Cov":
                    coverage.append((contig, int(place) - 100, int(place) + 100, 20.0))
            fasta.write(f">{contig}\n{decode(codes)}\n")
    with (folder / "Ery.narrowPeak").open("w") as file:
        for contig, at in peaks["Ery"]:
            file.write(f"{contig}\t{at - 150}\t{at + 150}\tp\t1\t.\t{rng.uniform(4, 9):.3f}\t5\t5\t-1\n")
    lines = [f"{contig}\t{at - 90}\t{at + 90}" for contig, at in peaks["Neuron"]]
    # as Windows writes it
    (folder / "Neuron.bed").write_bytes("\r\n".join(lines).encode())
    chroms = {"chr1": LENGTH, "chr2": LENGTH}
    pybigtools.open(str(folder / "Cov.bw"), "w").write(chroms, sorted(coverage))
    write_sequences(folder / "sequences.tsv", rng)
    (folder / "motifs.meme").write_text(MEME)
    (folder / "genes.tsv").write_text(
        "contig\tgene_name\tgene_id\tstrand\ttx_start\ttx_end\texon_starts\texon_ends\n"
        "chr1\tA\tENSG01\t+\t6000\t9000\t6000,\t9000,\n"
    )
    project = folder / "project.yaml"
    project.write_text(
        "name: toy\nassembly: toy1\nreference: toy.fa\nannotation: genes.tsv\nmotifs: motifs.meme\n"
        "peaks: {Ery: Ery.narrowPeak, Neuron: Neuron.bed}\ncoverage: {Cov: Cov.bw}\n"
        "sequences: {table: sequences.tsv, adaptors: [ACGTACGT, TTTTCCCC]}\n"
    )
    return project


def plant(codes: np.ndarray, place: int, motif: np.ndarray, rng: np.random.Generator) -> None:
    """Write a motif four times near a place."""
    for offset in rng.integers(-60, 60, 4):
        codes[place + offset : place + offset + len(motif)] = motif


def write_sequences(path: Path, rng: np.random.Generator, n: int = 120) -> None:
    """Write reporter sequences whose activity is the number of GATAAGC in them."""
    lines = ["sequence\tcontext\tvalue\tsplit"]
    for number in range(n):
        codes = rng.integers(0, 4, 200).astype(np.uint8)
        copies = number % 3
        for start in rng.choice(np.arange(10, 180, 10), copies, replace=False):
            codes[start : start + 7] = MOTIFS["Ery"]
        split = ("train", "train", "val", "test")[number // 3 % 4]
        lines.append(f"ACGTACGT{decode(codes)}TTTTCCCC\tLiver|Kidney\t{copies - 1}\t{split}")
    path.write_text("\n".join(lines) + "\n")
