"""Variants, individuals and their haplotypes."""

from phenviz.variation.coverage import LONGEST_GAP, Coverage
from phenviz.variation.genotypes import Genotypes
from phenviz.variation.haplotype import Haplotype, apply_variants
from phenviz.variation.individuals import Individual, Individuals, open_individuals
from phenviz.variation.normalise import normalise
from phenviz.variation.parse import parse_variant, parse_variants
from phenviz.variation.phasing import UNPHASED_CHOICES, Phasing, Unphased
from phenviz.variation.read import iter_variants, read_variants
from phenviz.variation.report import VariantReport
from phenviz.variation.table import RECORD_COLUMNS, VARIANT_COLUMNS, VariantSet
from phenviz.variation.unique import UniqueHaplotypes, unique_haplotypes

__all__ = [
    "LONGEST_GAP",
    "RECORD_COLUMNS",
    "UNPHASED_CHOICES",
    "VARIANT_COLUMNS",
    "Coverage",
    "Genotypes",
    "Haplotype",
    "Individual",
    "Individuals",
    "Phasing",
    "UniqueHaplotypes",
    "Unphased",
    "VariantReport",
    "VariantSet",
    "apply_variants",
    "iter_variants",
    "normalise",
    "open_individuals",
    "parse_variant",
    "parse_variants",
    "read_variants",
    "unique_haplotypes",
]
