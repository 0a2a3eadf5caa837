"""The project of the embedded world: what it is made of."""

from __future__ import annotations

from phenviz.data.embedded import (
    ASSEMBLY,
    BACKBONE,
    CONTIG,
    CYTOBANDS,
    ELEMENTS,
    GENES,
    INDIVIDUALS,
    MORE_INDIVIDUALS,
    MOTIFS,
    PEAK_PACKS,
    READOUT,
    REFERENCE,
    RISK,
    TISSUE_READOUT,
    TRANSCRIPTS,
)
from phenviz.data.project import PHENFORMER, Project
from phenviz.data.tissues import REPORTERS, SITES22


def embedded_project() -> Project:
    """Return the project of the embedded world: its parts are files of the package."""
    return Project(
        name="embedded",
        assembly=ASSEMBLY,
        reference=REFERENCE,
        annotation=GENES,
        transcripts=TRANSCRIPTS,
        bands=CYTOBANDS,
        elements=ELEMENTS,
        checkpoint=BACKBONE if BACKBONE.is_file() else None,
        readouts=tuple(path for path in (READOUT, TISSUE_READOUT) if path.is_file()),
        risk=RISK if (RISK / PHENFORMER).is_file() else None,
        motifs=MOTIFS,
        contexts=(*SITES22, *REPORTERS),
        individuals=(INDIVIDUALS,),
        more_individuals=MORE_INDIVIDUALS,
        # the source (shapeit4's example) took them from the European part of the 1000 Genomes Project
        superpopulation="EUR",
        peaks=PEAK_PACKS,
        peak_contig=CONTIG,
    )
