"""Cohorts: gene tokens of many people once the effects of variants are known, and training on them."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from benchmarks.child import forget_peak, peak
from benchmarks.measure import Series
from benchmarks.report import Section
from benchmarks.world import open_bench
from phenviz.disease.cohort.folder import open_cohort, write_card
from phenviz.disease.cohort.simulate import genes_within
from phenviz.disease.cohort.vcf_zarr import VcfZarrWriter
from phenviz.genome import Locus
from phenviz.genome.codes import LETTERS, N_CODE
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_training import Examples, TrainingOptions, set_scales, train_phenformer
from phenviz.results.tokens import TokenStore
from phenviz.service import ModelService, ResultStore
from phenviz.service.cohort_embedding import embed_cohort

# as simulated people have them: variants for each kb in 5,000 people
_VARIANTS_PER_KB = 23
_FIRST = 1_000_000


def run(repeats: int, quick: bool) -> Section:
    people, genes = (200, 4) if quick else (2_000, 32)
    reading, training = Series(), Series()
    with TemporaryDirectory() as folder:
        cohort = write_cohort(Path(folder) / "cohort", people, genes)
        world = open_bench().world
        with ModelService(world, store=ResultStore(Path(folder) / "store")) as service:
            opened = open_cohort(cohort, world.reference)
            names = first_genes(genes)
            embed_cohort(service, opened, Path(folder) / "first.zarr", genes=names)
            for turn in range(repeats):
                store = Path(folder) / f"{turn}.zarr"
                before, began = forget_peak(), time.perf_counter()
                embed_cohort(service, opened, store, genes=names)
                reading.values.append(time.perf_counter() - began)
                reading.peak.append(peak() - before)
        for turn in range(repeats):
            seconds = one_epoch(TokenStore(Path(folder) / "first.zarr"), Path(folder) / f"run{turn}")
            training.values.append(seconds)
    rows = [
        ["additive tokens", reading.spread(), f"{people * genes / reading.median:,.0f} tokens",
         f"{np.median(reading.peak) / 1e6:,.0f} MB"],
        ["one epoch of training", training.spread(), f"{people / training.median:,.0f} people", ""],
    ]  # fmt: skip
    notes = [
        f"{people:,} people, {genes} genes at the beginning of chromosome 20, {_VARIANTS_PER_KB} variants in "
        "each kb, most of them rare, as simulated people have them; genotypes are read from VCF Zarr, and "
        "the "
        "effects of variants on tokens are there already. The Phenformer is the default one."
    ]
    header = ["", "seconds: median (range)", "in a second", "peak memory"]
    return Section(f"Cohort, {people:,} people x {genes} genes", header, rows, notes)


def write_cohort(folder: Path, people: int, genes: int) -> Path:
    """Write people with random genotypes around the first genes of the contig; return the folder."""
    bench, rng = open_bench(), np.random.default_rng(0)
    locus = _locus(genes)
    count = locus.length * _VARIANTS_PER_KB // 1_000
    places = np.sort(rng.choice(locus.length, count, replace=False)) + locus.start
    codes = np.asarray(bench.reference.fetch_codes(locus.contig, locus.start, locus.end))[
        places - locus.start
    ]
    places, codes = places[codes != N_CODE], codes[codes != N_CODE]
    samples = [f"s{number}" for number in range(people)]
    folder.mkdir(parents=True)
    writer = VcfZarrWriter(folder / "genotypes.vcz", samples, bench.reference.contigs, "benchmark")
    for start in range(0, len(places), 2_000):
        some = slice(start, start + 2_000)
        table = pd.DataFrame(
            {
                "contig": locus.contig,
                "position": places[some] + 1,
                "ref": LETTERS[codes[some]],
                "alt": LETTERS[(codes[some] + 2) % 4],
            }
        )
        # as many variants with twice the frequency as half of them
        frequency = np.exp(rng.uniform(np.log(0.5 / people), np.log(0.5), len(table)))
        alleles = (rng.random((len(table), people, 2)) < frequency[:, None, None]).astype(np.int8)
        writer.add(table, alleles)
    writer.close()
    split = np.where(
        np.arange(people) % 5 < 3, "train", np.where(np.arange(people) % 5 == 3, "validation", "test")
    )
    labels = rng.integers(0, 2, people)
    pd.DataFrame({"sample": samples, "split": split, "T": labels}).to_parquet(folder / "people.parquet")
    card = {"genotypes": "genotypes.vcz", "people": "people.parquet", "simulated": True}
    write_card(folder, {**card, "assembly": bench.reference.assembly, "traits": ["T"]})
    return folder


def one_epoch(store: TokenStore, folder: Path) -> float:
    """Train for an epoch; return the seconds."""
    from phenviz.models.phenformer import GeneSite

    tokens = store.read()
    people = np.arange(len(tokens))
    labels = (people % 2).astype(np.float32)[:, None]
    none = np.empty((len(tokens), 0), np.float32)
    torch.manual_seed(0)
    phenformer = Phenformer(
        [GeneSite(*site) for site in store.attrs["sites"]],
        ["T"],
        assembly=store.attrs["assembly"],
        channels=store.attrs["channels"],
        expression=store.attrs["expression"],
    )
    every = Examples(tokens, labels, none)
    few = Examples(tokens.select(people[:64]), labels[:64], none[:64])
    began = time.perf_counter()
    set_scales(phenformer, every)
    train_phenformer(phenformer, every, few, TrainingOptions(epochs=1), folder)
    return time.perf_counter() - began


def first_genes(count: int) -> tuple[str, ...]:
    """Return the names of the first genes from 1 Mb on."""
    world = open_bench().world
    contig = next(iter(world.reference.contigs))
    return genes_within(world.annotation, Locus(contig, _FIRST, 2**31))[:count]


def _locus(genes: int) -> Locus:
    """Return where the first genes begin, with half a window on each side."""
    world, names = open_bench().world, first_genes(genes)
    contig = next(iter(world.reference.contigs))
    last = max(world.annotation.gene(name).tss for name in names)
    return Locus(contig, _FIRST - 98_304, last + 98_304)
