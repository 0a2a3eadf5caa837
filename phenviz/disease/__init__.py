"""From fine-mapped variants to hypotheses about the contexts that a trait acts through."""

from phenviz.disease.comparison import Comparison, compare
from phenviz.disease.evidence import locus_evidence, variant_evidence
from phenviz.disease.files import table_to_keep
from phenviz.disease.hypotheses import hypotheses, method_names, table_of
from phenviz.disease.known_pairs import Reference, read_hypotheses, read_reference, reference_names
from phenviz.disease.prose import methods_paragraph, reservations
from phenviz.disease.reading import join_trait_variants, read_trait_pack, read_trait_variants, recognise_table
from phenviz.disease.traits import TraitReport, TraitVariants

__all__ = [
    "Comparison",
    "Reference",
    "TraitReport",
    "TraitVariants",
    "compare",
    "hypotheses",
    "join_trait_variants",
    "locus_evidence",
    "method_names",
    "methods_paragraph",
    "read_hypotheses",
    "read_reference",
    "read_trait_pack",
    "read_trait_variants",
    "recognise_table",
    "reference_names",
    "reservations",
    "table_of",
    "table_to_keep",
    "variant_evidence",
]
