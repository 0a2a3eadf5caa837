"""Contexts beside the blood populations: cell types of the brain, the gut, stem cells, and reporter assays.

Names are those that training takes from the packs ``nott2019-brain``, ``fetal-intestine-dnase``,
``h1esc-chromhmm`` and ``lentimpra`` (``scripts/build_training_project.py``). Terms are of the Cell
Ontology, Uberon and the Experimental Factor Ontology. Colours have one hue for each group; they were chosen
like those of the blood populations, and as far from them as so many groups allow.
"""

from __future__ import annotations

from phenviz.data.blood16 import BLOOD16
from phenviz.genome.contexts import REPORTER_UNIT, Context

REPORTER_GROUP = "reporter"

_PRESENCE = (
    "learnt from peaks without a signal: each counts as the median fold enrichment of the blood populations"
)
_REPORTER = "activity of a sequence in a reporter assay, not accessibility; log2 RNA/DNA was learnt"

BRAIN: tuple[Context, ...] = (
    Context("Neuron", "neuron of the cortex", "CL:0000540", "brain", "#157ec0", description=_PRESENCE),
    Context(
        "Oligodendrocyte",
        "oligodendrocyte of the cortex",
        "CL:0000128",
        "brain",
        "#178dd7",
        description=_PRESENCE,
    ),
    Context("Astrocyte", "astrocyte of the cortex", "CL:0000127", "brain", "#219be7", description=_PRESENCE),
    Context(
        "Microglia", "microglial cell of the cortex", "CL:0000129", "brain", "#38a5ea", description=_PRESENCE
    ),
)
GUT: tuple[Context, ...] = (
    Context("Intestine", "fetal small intestine", "UBERON:0002108", "gut", "#9a8944", description=_PRESENCE),
)
STEM_CELLS: tuple[Context, ...] = (
    Context("ESC", "embryonic stem cell (H1)", "CL:0002322", "stem cells", "#cc8eae", description=_PRESENCE),
)
REPORTERS: tuple[Context, ...] = (
    Context("HepG2", "reporter in HepG2", "EFO:0001187", REPORTER_GROUP, "#715c6e", REPORTER_UNIT, _REPORTER),
    Context("WTC11", "reporter in WTC11", "EFO:0009747", REPORTER_GROUP, "#886e84", REPORTER_UNIT, _REPORTER),
)
SITES22: tuple[Context, ...] = (*BLOOD16, *BRAIN, *GUT, *STEM_CELLS)
