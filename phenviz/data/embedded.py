"""Where the parts of the embedded world lie: human chromosome 20 of GRCh37, in the package itself."""

from __future__ import annotations

from pathlib import Path

EMBEDDED_DIR = Path(__file__).resolve().parent / "embedded"
ASSEMBLY = "GRCh37"
CONTIG = "20"

REFERENCE = EMBEDDED_DIR / "GRCh37.chr20.fa.gz"
GENES = EMBEDDED_DIR / "genes.tsv.gz"
TRANSCRIPTS = EMBEDDED_DIR / "transcripts.tsv.gz"
CYTOBANDS = EMBEDDED_DIR / "cytobands.tsv"
ELEMENTS = EMBEDDED_DIR / "remo.tsv.gz"
ELEMENT_CELL_TYPES = EMBEDDED_DIR / "remo.cell_types.tsv"
MOTIFS = EMBEDDED_DIR / "jaspar2026.human.meme"
INDIVIDUALS = EMBEDDED_DIR / "individuals.vcf.gz"
MORE_INDIVIDUALS = "1000g-eur203-chr20"
WEIGHTS_DIR = EMBEDDED_DIR / "weights"
BACKBONE = WEIGHTS_DIR / "tissues24.safetensors"
READOUT = WEIGHTS_DIR / "blood16-readout.safetensors"
# in a file of its own: what it learned from has a licence of its own
TISSUE_READOUT = WEIGHTS_DIR / "tissues-readout.safetensors"
# trained on simulated people (scripts/build_phenformer.py)
RISK = WEIGHTS_DIR / "risk"
# tests of real traits with the embedded model (scripts/build_embedded_hypotheses.py)
HYPOTHESES = EMBEDDED_DIR / "hypotheses.nc"
PEAK_PACKS = ("blood16-atac", "nott2019-brain", "fetal-intestine-dnase")
