"""Where the parts of the embedded world lie: human chromosome 20 of GRCh37, in the package itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phenviz.data.project import Project

EMBEDDED_DIR = Path(__file__).resolve().parent / "embedded"
ASSEMBLY = "GRCh37"
CONTIG = "20"

REFERENCE = EMBEDDED_DIR / "GRCh37.chr20.fa.gz"
GENES = EMBEDDED_DIR / "genes.tsv.gz"
CYTOBANDS = EMBEDDED_DIR / "cytobands.tsv"
ELEMENTS = EMBEDDED_DIR / "remo.tsv.gz"
ELEMENT_CELL_TYPES = EMBEDDED_DIR / "remo.cell_types.tsv"
MOTIFS = EMBEDDED_DIR / "jaspar2026.human.meme"
INDIVIDUALS = EMBEDDED_DIR / "individuals.vcf.gz"
WEIGHTS_DIR = EMBEDDED_DIR / "weights"
BACKBONE = WEIGHTS_DIR / "blood16.safetensors"
READOUT = WEIGHTS_DIR / "blood16-readout.safetensors"
PEAKS_PACK = "blood16-atac"


def embedded_project() -> Project:
    """Return the project of the embedded world: its parts are files of the package."""
    from phenviz.data.blood16 import BLOOD16
    from phenviz.data.project import Project

    return Project(
        name="embedded",
        assembly=ASSEMBLY,
        reference=REFERENCE,
        annotation=GENES,
        bands=CYTOBANDS,
        elements=ELEMENTS,
        checkpoint=BACKBONE if BACKBONE.is_file() else None,
        readout=READOUT if READOUT.is_file() else None,
        motifs=MOTIFS,
        contexts=BLOOD16,
        individuals=(INDIVIDUALS,),
        # the source (shapeit4's example) took them from the European part of the 1000 Genomes Project
        superpopulation="EUR",
        peaks=PEAKS_PACK,
        peak_contig=CONTIG,
    )
