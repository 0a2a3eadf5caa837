"""bcftools as the oracle, and random VCF files for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from phenviz.genome import Locus, ReferenceGenome

needs_bcftools = pytest.mark.skipif(
    not all(map(shutil.which, ("bcftools", "bgzip"))),
    reason="bcftools or bgzip is not installed: make bcftools (apt-get install bcftools tabix)",
)
HEADER = (
    "##fileformat=VCFv4.2\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">\n'
    "##contig=<ID=20>\n##contig=<ID=21>\n"
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def run(*command: str | Path, stdin: str | None = None) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, input=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_vcf(path: Path, records: list[str], samples: tuple[str, ...] = (), header: str = HEADER) -> Path:
    """Write a plain VCF; a record is CHROM POS ID REF ALT and calls, separated by blanks."""
    columns = COLUMNS + "".join(f"\t{name}" for name in ("FORMAT", *samples) if samples)
    lines = []
    for record in records:
        contig, position, name, ref, alt, *calls = record.split()
        form = ["GT:PS" if any(":" in call for call in calls) else "GT", *calls] if samples else []
        lines.append("\t".join([contig, position, name, ref, alt, ".", ".", ".", *form]))
    path.write_text(header + columns + "\n" + "".join(line + "\n" for line in lines))
    return path


def bgzip(path: Path) -> Path:
    """Compress and index a VCF for random access."""
    run("bgzip", "-f", "-k", path)
    zipped = path.with_name(path.name + ".gz")
    run("bcftools", "index", "-f", zipped)
    return zipped


def consensus(vcf: Path, reference: ReferenceGenome, locus: Locus, sample: str, number: int) -> str:
    """Return what ``bcftools consensus -H`` makes of a locus, without header and line ends."""
    sequence = reference.sequence(locus)
    lines = "\n".join(sequence[start : start + 60] for start in range(0, len(sequence), 60))
    fasta = f">{locus.contig}:{locus.start + 1}-{locus.end}\n{lines}\n"
    made = run("bcftools", "consensus", "-s", sample, "-H", str(number), vcf, stdin=fasta)
    return "".join(made.splitlines()[1:])


def random_records(
    reference: ReferenceGenome, locus: Locus, rng: np.random.Generator, n: int, n_samples: int
) -> list[str]:
    """Draw n sorted records over a locus, rich in indels that touch one another."""
    positions = np.sort(rng.integers(locus.start, locus.end, n))
    sequence = reference.sequence(locus)
    return [
        _random_record(locus, sequence, int(position), f"v{number}", rng, n_samples)
        for number, position in enumerate(positions)
    ]


def _random_record(
    locus: Locus, sequence: str, position: int, name: str, rng: np.random.Generator, n_samples: int
) -> str:
    offset = position - locus.start
    ref = sequence[offset : offset + int(rng.choice([1, 1, 1, 2, 3, 5, 12]))]
    alternates: list[str] = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        made = _random_alternate(ref, rng)
        if made != ref and made not in alternates:
            alternates.append(made)
    alternates = alternates or [{"A": "C", "C": "G", "G": "T", "T": "A"}.get(ref[0], "A") + ref[1:]]
    calls = [_random_call(len(alternates), rng) for _ in range(n_samples)]
    return " ".join([locus.contig, str(position + 1), name, ref, ",".join(alternates), *calls])


def _random_alternate(ref: str, rng: np.random.Generator) -> str:
    kind = rng.choice(["snv", "insertion", "deletion", "mnv", "complex", "repeat"])
    letters = "".join(rng.choice(list("ACGT"), int(rng.integers(1, 8))))
    if kind == "snv":
        place = int(rng.integers(len(ref)))
        return ref[:place] + letters[0] + ref[place + 1 :]
    if kind == "insertion":
        return ref[0] + letters + ref[1:]
    if kind == "deletion":
        return ref[: int(rng.integers(1, len(ref) + 1))]
    if kind == "mnv":
        return "".join(rng.choice(list("ACGT"), len(ref)))
    # an insertion that could as well stand further left
    return ref + ref if kind == "repeat" else letters


def _random_call(n_alternates: int, rng: np.random.Generator) -> str:
    first, second = (str(allele) for allele in rng.integers(0, n_alternates + 1, 2))
    return str(rng.choice([f"{first}|{second}"] * 12 + [f"{first}|.", f".|{second}", ".|.", ".", first]))
