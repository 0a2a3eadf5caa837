"""Where things are: loci, the reference sequence, and what is annotated on it."""

from phenviz.genome.annotation import Annotation, Gene
from phenviz.genome.annotation_files import read_bands, read_elements, read_genes, read_transcripts
from phenviz.genome.codes import ALPHABET, N_CODE, decode, encode, one_hot, reverse_complement
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus, bare_contig, exported_contig, shown_contig
from phenviz.genome.reference import ReferenceGenome

__all__ = [
    "ALPHABET",
    "N_CODE",
    "Annotation",
    "Context",
    "Gene",
    "Locus",
    "ReferenceGenome",
    "bare_contig",
    "decode",
    "encode",
    "exported_contig",
    "one_hot",
    "read_bands",
    "read_elements",
    "read_genes",
    "read_transcripts",
    "reverse_complement",
    "shown_contig",
]
