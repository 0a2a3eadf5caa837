"""Tissues and blood cells of the Human Protein Atlas (pack ``hpa-expression``) that a readout can learn.

They stand in an anatomical order, by organ systems; terms are of Uberon and the Cell Ontology. All contexts
of an organ system have its colour.
"""

from __future__ import annotations

import pandas as pd

from phenviz.data.packs import require_pack
from phenviz.genome.contexts import Context

PACK = "hpa-expression"
TISSUE_FILE, BLOOD_FILE = "RNAtableTissue.tsv.gz", "RNAtableBlood.tsv.gz"

# organ system, its colour, and its tissues: name in the pack, term
_SYSTEMS: dict[str, tuple[str, dict[str, str]]] = {
    "brain": (
        "#157ec0",
        {
            "cerebral_cortex": "UBERON:0000956",
            "olfactory_region": "UBERON:0003112",
            "hippocampal_formation": "UBERON:0002421",
            "amygdala": "UBERON:0001876",
            "basal_ganglia": "UBERON:0002420",
            "thalamus": "UBERON:0001897",
            "hypothalamus": "UBERON:0001898",
            "midbrain": "UBERON:0001891",
            "pons_and_medulla": "UBERON:0000988",
            "cerebellum": "UBERON:0002037",
            "corpus_callosum": "UBERON:0002336",
            "spinal_cord": "UBERON:0002240",
        },
    ),
    "eye": ("#4b93a8", {"retina": "UBERON:0000966"}),
    "endocrine": (
        "#7a5cc0",
        {
            "pituitary_gland": "UBERON:0000007",
            "thyroid_gland": "UBERON:0002046",
            "parathyroid_gland": "UBERON:0001132",
            "adrenal_gland": "UBERON:0002369",
        },
    ),
    "lung": ("#5c8f3f", {"lung": "UBERON:0002048"}),
    "upper digestive": (
        "#a0762c",
        {"tongue": "UBERON:0001723", "salivary_gland": "UBERON:0001044", "esophagus": "UBERON:0001043"},
    ),
    "gut": (
        "#9a8944",
        {
            "stomach": "UBERON:0000945",
            "duodenum": "UBERON:0002114",
            "small_intestine": "UBERON:0002108",
            "colon": "UBERON:0001155",
            "rectum": "UBERON:0001052",
        },
    ),
    "liver and gallbladder": (
        "#8c4a2f",
        {"liver": "UBERON:0002107", "gallbladder": "UBERON:0002110"},
    ),
    "pancreas": ("#4f8a72", {"pancreas": "UBERON:0001264"}),
    "kidney and bladder": (
        "#b75410",
        {"kidney": "UBERON:0002113", "urinary_bladder": "UBERON:0001255"},
    ),
    "male organs": (
        "#3f6fb5",
        {
            "testis": "UBERON:0000473",
            "epididymis": "UBERON:0001301",
            "ductus_deferens": "UBERON:0001000",
            "seminal_vesicle": "UBERON:0000998",
            "prostate": "UBERON:0002367",
        },
    ),
    "female organs": (
        "#b0487e",
        {
            "ovary": "UBERON:0000992",
            "fallopian_tube": "UBERON:0003889",
            "endometrium": "UBERON:0001295",
            "cervix_uterine": "UBERON:0000002",
            "vagina": "UBERON:0000996",
            "placenta": "UBERON:0001987",
            "breast": "UBERON:0000310",
        },
    ),
    "muscle": (
        "#9c3440",
        {
            "heart_muscle": "UBERON:0001133",
            "skeletal_muscle": "UBERON:0001134",
            "smooth_muscle": "UBERON:0001135",
        },
    ),
    "fat and skin": ("#80726a", {"adipose_tissue": "UBERON:0001013", "skin": "UBERON:0002097"}),
    "marrow and lymph": (
        "#6a5782",
        {
            "bone_marrow": "UBERON:0002371",
            "thymus": "UBERON:0002370",
            "spleen": "UBERON:0002106",
            "lymph_node": "UBERON:0000029",
            "tonsil": "UBERON:0002372",
            "appendix": "UBERON:0001154",
        },
    ),
}
_BLOOD_CELLS = {
    "neutrophil": "CL:0000775",
    "eosinophil": "CL:0000771",
    "basophil": "CL:0000767",
    "classical_monocyte": "CL:0000860",
    "intermediate_monocyte": "CL:0002393",
    "non_classical_monocyte": "CL:0000875",
    "myeloid_DC": "CL:0000782",
    "plasmacytoid_DC": "CL:0000784",
    "naive_B_cell": "CL:0000788",
    "memory_B_cell": "CL:0000787",
    "naive_CD4_T_cell": "CL:0000895",
    "memory_CD4_T_cell": "CL:0000897",
    "T_reg": "CL:0000815",
    "naive_CD8_T_cell": "CL:0000900",
    "memory_CD8_T_cell": "CL:0000909",
    "gdT_cell": "CL:0000798",
    "MAIT_T_cell": "CL:0000940",
    "NK_cell": "CL:0000623",
}

TISSUES: tuple[Context, ...] = tuple(
    Context(name, name.replace("_", " "), term, system, colour)
    for system, (colour, terms) in _SYSTEMS.items()
    for name, term in terms.items()
)
BLOOD_CELLS: tuple[Context, ...] = tuple(
    Context(name, name.replace("_", " "), term, "blood cells", "#5c6b7a")
    for name, term in _BLOOD_CELLS.items()
)
# whoever learns from the atlas hands on its licence
HPA_SOURCE = {
    "data": (
        "Human Protein Atlas, normalised expression (NX) of tissues and blood cells, proteinatlas.org, data "
        "pack hpa-expression"
    ),
    "licence": "CC BY-SA 3.0, as the data that it was trained on",
    "citation": "Uhlen 2015, doi:10.1126/science.1260419; Uhlen 2019, doi:10.1126/science.aax9198",
}
HPA_CONTEXTS: tuple[Context, ...] = (*TISSUES, *BLOOD_CELLS)


def read_hpa() -> pd.DataFrame:
    """Read the normalised expression (the atlas's NX) of all genes in `HPA_CONTEXTS`.

    Cells of blood are taken from the table of sorted cells, not from that of tissues.

    Returns
    -------
    pd.DataFrame
        One row for each Ensembl id that both tables have a number of in every context, which are the columns.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    """
    tissues, blood = (
        pd.read_csv(require_pack(PACK, file), sep="\t", index_col=0)[[context.name for context in contexts]]
        for file, contexts in ((TISSUE_FILE, TISSUES), (BLOOD_FILE, BLOOD_CELLS))
    )
    return tissues.join(blood, how="inner").dropna()
