"""A small world with genes, peaks and a scorer whose answers are known: no model is run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.disease.traits import TraitReport, TraitVariants, make_trait_variants
from phenviz.genome import Annotation, Context, ReferenceGenome

LENGTH = 400_000
CONTEXTS = tuple(
    Context(name, f"{name} cell", f"CL:000000{number}", group, "#27496d")
    for number, (name, group) in enumerate(
        [("Ery", "red"), ("Mega", "red"), ("Mono", "white"), ("B", "white"), ("T", "white")]
    )
)
NAMES = [context.name for context in CONTEXTS]
# each context has elements of its own: element number i belongs to context i % 5
ELEMENT_EVERY = 4_000
ELEMENT_WIDTH = 500


def element_context(position):
    """Return the number of the context that is open at each 1-based position, -1 for none."""
    place = np.asarray(position) - 1
    number, offset = place // ELEMENT_EVERY, place % ELEMENT_EVERY
    return np.where(offset < ELEMENT_WIDTH, number % len(NAMES), -1)


def known_scores(variants, reference, backbone, *, contexts=None, progress=None):
    """Score variants by a rule: effects where an element of the context lies, a little noise elsewhere."""
    position = variants["position"].to_numpy(np.int64)
    own = element_context(position)
    # a number that depends on the variant alone
    noise = np.abs(np.sin(position * 12.9898)) + 0.01
    open_here = own[:, None] == np.arange(len(NAMES))[None, :]
    sign = np.where(variants["alt"].isin(["A", "C"]), 1.0, -1.0)[:, None]
    effect = sign * np.where(open_here, noise[:, None], 0.02 * noise[:, None])
    active = np.where(open_here, 6.0, 0.2) * np.ones_like(effect)
    dataset = xr.Dataset(
        {"effect": (("variant", "context"), effect), "active": (("variant", "context"), active)},
        coords={"context": NAMES},
    )
    return dataset.sel(context=list(contexts)) if contexts is not None else dataset


def small_world(folder, seed=0):
    """Build reference, genes and peaks of one contig of 400 kb."""
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("ACGT"), LENGTH))
    (folder / "small.fa").write_text(f">20\n{sequence}\n")
    tss = np.arange(5_000, LENGTH - 5_000, 9_000)
    genes = pd.DataFrame(
        {
            "contig": "20",
            "start": tss,
            "end": tss + 2_000,
            "strand": "+",
            "gene_name": [f"G{number}" for number in range(len(tss))],
            "gene_id": "",
            "exon_starts": [np.array([start]) for start in tss],
            "exon_ends": [np.array([start + 300]) for start in tss],
        }
    )
    starts = np.arange(0, LENGTH - ELEMENT_WIDTH, ELEMENT_EVERY)
    own = (starts // ELEMENT_EVERY) % len(NAMES)
    peaks = pd.DataFrame(
        {
            "contig": "20",
            "start": starts,
            "end": starts + ELEMENT_WIDTH,
            "context": np.array(NAMES)[own],
            "fold_enrichment": 6.0,
            "summit": starts + ELEMENT_WIDTH // 2,
        }
    )
    elements = pd.DataFrame(
        {
            "contig": "20",
            "start": starts,
            "end": starts + ELEMENT_WIDTH,
            "name": "e",
            "cell_types": [f"{NAMES[number]} kind|any" for number in own],
        }
    )
    reference = ReferenceGenome(folder / "small.fa", assembly="small1", cache_dir=folder / "cache")
    backbone = SimpleNamespace(name="known", weights_hash="unsaved", bin_size=128, contexts=CONTEXTS)
    return SimpleNamespace(
        name="small",
        assembly="small1",
        reference=reference,
        annotation=Annotation(genes, elements=elements),
        contexts=CONTEXTS,
        backbone=backbone,
        peaks=peaks,
        project=SimpleNamespace(peaks={}, peak_packs=()),
    )


def trait_at(world, positions, *, trait="T", posterior=0.9, seed=0, extra=2):
    """Make a trait with one locus at each position, ``extra`` light variants beside each lead."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, position in enumerate(positions):
        places = [int(position), *(int(position) + rng.integers(1_000, 9_000, extra))]
        for place, weight in zip(
            places, [posterior, *[(1 - posterior) / max(extra, 1)] * extra], strict=True
        ):
            place = int(np.clip(place, 1, LENGTH))
            ref = world.reference.fetch_codes("20", place - 1, place)[0]
            alt = (ref + rng.integers(1, 4)) % 4
            rows.append((trait, f"r{number}", "20", place, "ACGT"[ref], "ACGT"[alt], weight, 1.0, 0.1))
    columns = ["trait", "region", "contig", "position", "ref", "alt", "posterior", "beta", "se"]
    return pd.DataFrame(rows, columns=columns)


def red_and_white(world, rng) -> list[pd.DataFrame]:
    """Make a trait that acts in erythroid cells, and one that acts in B cells."""
    return [
        trait_at(world, elements_of("Ery", 8, rng), trait="red"),
        trait_at(world, elements_of("B", 8, rng), trait="white", seed=1),
    ]


def variants_of(*tables) -> TraitVariants:
    return make_trait_variants(pd.concat(tables, ignore_index=True), TraitReport("made up"))


def elements_of(context, count, rng):
    """Draw positions inside elements of a context."""
    numbers = np.arange(NAMES.index(context), LENGTH // ELEMENT_EVERY - 3, len(NAMES))
    return rng.choice(numbers, count, replace=False) * ELEMENT_EVERY + rng.integers(50, 450, count) + 1
