"""A synthetic world as large as a human genome: how long it takes to open, to find a gene, and its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import psutil

from benchmarks.measure import Series
from benchmarks.report import Section
from phenviz.data.cache import CACHE_VARIABLE

CONTIGS, GENES = 24, 60_000
TRANSCRIPTS, EXONS = 3, 5
_WIDTH = 60
_ROWS = 2**20


def run(repeats: int, quick: bool) -> Section:
    bases = 124_000_000 if quick else 3_100_000_000
    genes = GENES // 25 if quick else GENES
    with TemporaryDirectory() as folder:
        project = write_world(Path(folder), bases, genes)
        series: dict[str, Series] = {}
        for turn in range(repeats):
            # a cache of its own, and no index beside the reference: as on the first day
            cache = {CACHE_VARIABLE: f"{folder}/cache-{turn}"}
            for index in Path(folder).glob("genome.fa.*"):
                index.unlink()
            with patch.dict(os.environ, cache):
                for when in ("the first time", "later"):
                    for what, value in _in_a_process(project, genes).items():
                        series.setdefault(f"{what}, {when}", Series()).values.append(value)
    rows = [[name, found.spread()] for name, found in series.items()]
    notes = [
        f"{bases / 1e9:.2g} Gbp of random bases in {CONTIGS} contigs, plain FASTA; {genes:,} genes with "
        f"{TRANSCRIPTS} transcripts of {EXONS} exons each, GTF. *Opened* is until the bases around a gene "
        "are there, by the clock and by the processor's time; each time in a process of its own, in which "
        "PhenViz is imported beforehand. *Near names* are what a mistyped gene is answered with."
    ]
    return Section("A world as large as a human genome", ["", "median (range)"], rows, notes)


def write_world(folder: Path, bases: int, genes: int) -> Path:
    """Write the world; return its project.yaml."""
    from phenviz.world import open_world

    rng = np.random.default_rng(0)
    lines = bases // CONTIGS // _WIDTH
    with (folder / "genome.fa").open("wb") as file:
        for number in range(CONTIGS):
            file.write(f">chr{number + 1}\n".encode())
            for start in range(0, lines, _ROWS):
                letters = np.full((min(_ROWS, lines - start), _WIDTH + 1), ord("\n"), np.uint8)
                codes = rng.integers(0, 4, letters[:, :_WIDTH].shape, dtype=np.uint8)
                letters[:, :_WIDTH] = np.frombuffer(b"ACGT", np.uint8)[codes]
                file.write(letters.tobytes())
    with (folder / "genes.gtf").open("w", encoding="utf-8") as file:
        file.writelines(_records(rng, lines * _WIDTH, genes))
    project = folder / "project.yaml"
    checkpoint = open_world().project.checkpoint
    project.write_text(
        f"assembly: GRCh38\nreference: genome.fa\nannotation: genes.gtf\ncheckpoint: {checkpoint}\n"
    )
    return project


def _records(rng: np.random.Generator, length: int, genes: int) -> Iterator[str]:
    for number in range(genes):
        contig = f"chr{number % CONTIGS + 1}"
        start = int(rng.integers(1, length - 50_000))
        end, strand = start + int(rng.integers(2_000, 40_000)), "+-"[number % 2]
        named = f'gene_id "ENSG{number:011d}"; gene_name "GENE{number}"; gene_type "protein_coding";'
        yield f"{contig}\tbench\tgene\t{start}\t{end}\t.\t{strand}\t.\t{named}\n"
        for one in range(TRANSCRIPTS):
            whole = f'{named} transcript_id "ENST{number:09d}{one}";'
            yield f"{contig}\tbench\ttranscript\t{start}\t{end}\t.\t{strand}\t.\t{whole}\n"
            for exon in np.linspace(start, end - 200, EXONS).astype(int):
                yield f"{contig}\tbench\texon\t{exon}\t{exon + 150}\t.\t{strand}\t.\t{whole}\n"


def _in_a_process(project: Path, genes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.large_world", str(project), str(genes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {found}", file=sys.stderr, flush=True)
    return found


def opened(project: Path, genes: int) -> dict[str, float]:
    """Open it in this process, and look for genes."""
    from phenviz.world import open_world

    wall, cpu = time.perf_counter(), time.process_time()
    world = open_world(project)
    locus = world.locus("GENE0")
    world.reference.fetch_codes(locus.contig, locus.start, locus.end)
    found = {"opened, s": time.perf_counter() - wall, "opened, s of the processor": time.process_time() - cpu}
    began = time.process_time()
    # on the same contig: the first look at another one unpacks it
    for number in range(1, 21):
        world.locus(f"GENE{number * CONTIGS}")
    found["a gene found, ms"] = 1e3 * (time.process_time() - began) / 20
    began = time.process_time()
    for number in range(20):
        world.annotation.nearest_names(f"GENF{number * genes // 21}")
    found["near names, ms"] = 1e3 * (time.process_time() - began) / 20
    # without pages of files, which the system takes back when it needs them
    found["memory, MB"] = psutil.Process().memory_full_info().uss / 1e6
    return found


if __name__ == "__main__":
    print(json.dumps(opened(Path(sys.argv[1]), int(sys.argv[2]))))
