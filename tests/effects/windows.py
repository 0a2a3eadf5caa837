"""People with deletions longer than everything that a window reads, and what they are on the whole contig."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.genome import Locus, ReferenceGenome
from phenviz.variation import Individuals, apply_variants, open_individuals
from tests.effects.oracles import PAD, Edit, canonical, in_reference_coordinates
from tests.toys import ToyWorld

CONTIG, LENGTH = "7", 320_000
PEOPLE = ("ann", "bob")


@dataclass
class Wide:
    """A random contig, two people, and a plain loop over what they carry."""

    reference: ReferenceGenome
    individuals: Individuals
    rows: pd.DataFrame
    world: ToyWorld

    @property
    def whole(self) -> Locus:
        return Locus(CONTIG, 0, LENGTH)

    @cached_property
    def sequence(self) -> str:
        return self.reference.sequence(self.whole)

    def edits(self, sample: str, number: int) -> list[Edit]:
        """Return what a haplotype has on the whole contig, as bcftools consensus applies it, in one form."""
        carried = self.rows[self.rows[f"{sample}.{number}"] == 1]
        applied = apply_variants(self.reference, self.whole, carried).variants
        written = [Edit(row.position - 1, row.ref, row.alt) for row in applied.itertuples(index=False)]
        return canonical(self.sequence, written)

    @cached_property
    def bins(self) -> dict[tuple[str, int], np.ndarray]:
        """The whole edited contig of each haplotype in the reference's bins: (context, bin)."""
        return {(sample, number): self._bins(sample, number) for sample in PEOPLE for number in (1, 2)}

    def edges(self) -> np.ndarray:
        """Return where records begin and end."""
        starts = self.rows["position"].to_numpy() - 1
        return np.concatenate([starts, starts + self.rows["ref"].str.len().to_numpy()])

    def _bins(self, sample: str, number: int) -> np.ndarray:
        backbone = self.world.backbone
        values = in_reference_coordinates(self.sequence, self.edits(sample, number), backbone)
        inside = values[:, PAD : PAD + LENGTH // backbone.bin_size * backbone.bin_size]
        return inside.reshape(len(values), -1, backbone.bin_size).sum(axis=2)


def draw_record(rng: np.random.Generator, sequence: str, start: int) -> tuple[str, str]:
    """Draw REF and ALT at a place: substitutions, insertions, deletions up to 200 kb, replacements."""
    kind = rng.choice(["snv", "insertion", "deletion", "long", "replaced"], p=[0.35, 0.15, 0.2, 0.2, 0.1])
    longest = {"deletion": 300, "long": 200_000, "replaced": 2_000}.get(kind, 1)
    length = int(np.exp(rng.uniform(0, np.log(longest)))) + (kind != "snv")
    ref = sequence[start : start + min(length, LENGTH - start)]
    bases = "".join(rng.choice(list("ACGT"), int(np.exp(rng.uniform(0, 6)))))
    other = "ACGT"[("ACGT".index(ref[0]) + int(rng.integers(1, 4))) % 4]
    return ref, {"snv": other + ref[1:], "insertion": ref[0] + bases, "replaced": other + bases}.get(
        kind, ref[0]
    )


def wide_world(
    folder: Path, world: ToyWorld, seed: int, count: int = 40, borders: tuple[int, ...] = ()
) -> Wide:
    """Draw a contig and two phased people; many records begin or end at or near the given borders."""
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("ACGT"), LENGTH))
    (folder / "wide.fa").write_text(f">{CONTIG}\n{sequence}\n")
    reference = ReferenceGenome(folder / "wide.fa", assembly="wide1", cache_dir=folder / "cache")
    records = {}
    while len(records) < count:
        start = int(rng.integers(1, LENGTH - 1_000))
        if borders and rng.random() < 0.5:
            start = int(rng.choice(borders)) + int(rng.integers(-3, 3))
        ref, alt = draw_record(rng, sequence, start)
        if borders and len(ref) > 50 and rng.random() < 0.5:
            # it ends at a border
            end = int(rng.choice(borders)) + int(rng.integers(-3, 3))
            start = max(end - len(ref), 1)
            ref, alt = sequence[start:end], sequence[start] + alt[1:]
        if ref != alt:
            records[start] = (ref, alt)
    rows = pd.DataFrame(
        [(CONTIG, start + 1, ref, alt) for start, (ref, alt) in sorted(records.items())],
        columns=["contig", "position", "ref", "alt"],
    )
    calls = (
        rng.random((count, len(PEOPLE), 2)) < np.where(rows["ref"].str.len() > 1_000, 0.3, 0.6)[:, None, None]
    )
    for column, sample in enumerate(PEOPLE):
        rows[f"{sample}.1"], rows[f"{sample}.2"] = calls[:, column].astype(int).T
    lines = ["##fileformat=VCFv4.2", f"##contig=<ID={CONTIG},length={LENGTH}>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + list(PEOPLE)))
    for row, own in zip(rows.itertuples(index=False), calls.astype(int), strict=True):
        fields = [CONTIG, row.position, ".", row.ref, row.alt, ".", ".", ".", "GT"]
        lines.append("\t".join(map(str, [*fields, *(f"{first}|{second}" for first, second in own)])))
    (folder / "people.vcf").write_text("\n".join(lines) + "\n")
    return Wide(reference, open_individuals(folder / "people.vcf", reference), rows, world)
