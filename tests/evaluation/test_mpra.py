from __future__ import annotations

import numpy as np
import pytest

from evaluation.mpra import ASSAYS, compare, read_measurements, rebuilt_reference, section
from phenviz.genome import Locus

HEADER = "Chrom\tPos\tRef\tAlt\tBarcodes\tDNA\tRNA\tCoefficient\tpValue\tElement\tRelease\n"


@pytest.fixture
def measurements(tmp_path, toy_world):
    rng = np.random.default_rng(0)
    lines = []
    for contig, element in (("20", "HNF4A"), ("7", "HBB"), ("7", "PKLR-24h")):
        start = 30_000
        for position, base in enumerate(
            toy_world.reference.sequence(Locus("20", start, start + 40)), start + 1
        ):
            for alternate in sorted(set("ACGT-") - {base}):
                for release in ("GRCh37", "GRCh38"):
                    value = rng.normal()
                    lines.append(
                        f"{contig}\t{position}\t{base}\t{alternate}\t{rng.integers(5, 50)}\t1\t1\t{value}\t1"
                        f"\t{element}\t{release}\n"
                    )
    path = tmp_path / "elements.tsv"
    path.write_text(HEADER + "".join(lines))
    return read_measurements(path)


def test_only_substitutions_of_one_assembly_are_read(measurements):
    assert len(measurements) == 3 * 40 * 3
    assert set(measurements["alternate"]) == set("ACGT")


def test_an_element_is_rebuilt_between_unknown_bases(measurements, toy_world, tmp_path):
    reference = rebuilt_reference(measurements, tmp_path)
    sequence = reference.sequence(Locus("HBB", 2_047, 2_089))
    assert sequence == "N" + toy_world.reference.sequence(Locus("20", 30_000, 30_040)) + "N"


def test_every_assay_is_compared_in_every_context_and_in_their_mean(measurements, toy_world):
    table = compare(measurements, toy_world.backbone, toy_world.reference)
    assert len(table) == 3 * (len(toy_world.backbone.contexts) + 1)
    assert table["pearson"].between(-1, 1).all()
    assert (table["changes"] < 120).all()
    text = section(table, "toy")
    assert "| PKLR-24h | K562" in text and "Spearman correlation" in text


def test_every_assay_of_the_pack_has_its_cell_line():
    assert len(ASSAYS) == 29
