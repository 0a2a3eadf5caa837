"""What others found of traits and contexts, brought into one table: data packs and published results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from phenviz.disease.multiple import benjamini_hochberg
from phenviz.errors import DataError

EXPECTED = "expected"
# a context is called expected where its source calls it significant
FDR = 0.05
# smaller p-values than this have no finite z
_LEAST_P = 1e-300

# what the studies of the Tabula Muris table are of
_STUDIES = {
    "AD": "Alzheimer disease", "ADHD": "attention deficit-hyperactivity disorder", "AN": "anorexia nervosa",
    "ASD": "autism spectrum disorder", "BIP": "bipolar disorder", "CAD": "coronary artery disease",
    "CVD": "cardiovascular disease", "CELIAC": "celiac disease", "CROHNS": "Crohn disease",
    "DEP": "depressive symptoms", "BP_DIA": "diastolic blood pressure", "EA3": "educational attainment",
    "FG_F": "fasting glucose in women", "FI_F": "fasting insulin in women", "HBA1C": "hemoglobin A1c",
    "HEIGHT": "body height", "IBD": "inflammatory bowel disease", "INS": "insomnia", "INT": "intelligence",
    "HDL": "high density lipoprotein cholesterol", "LDL": "low density lipoprotein cholesterol",
    "TG": "triglycerides", "SLE": "systemic lupus erythematosus", "MDD": "major depressive disorder",
    "MS": "multiple sclerosis", "NEU": "neuroticism", "PBC": "primary biliary cholangitis",
    "RA": "rheumatoid arthritis", "RT": "risk tolerance", "SCZ": "schizophrenia",
    "SWB": "subjective well-being", "BP_SYS": "systolic blood pressure", "T1D": "type 1 diabetes mellitus",
    "T2D": "type 2 diabetes mellitus", "UC": "ulcerative colitis", "WHR": "waist-hip ratio",
    "WHRadjBMI": "BMI-adjusted waist-hip ratio", "WORRY": "worry",
}  # fmt: skip

# trait, context, role, score, lineage and counted; what they are; whether what isn't listed counts as wrong
Published = tuple[pd.DataFrame, str, bool]


def published_result(path: Path) -> Published | None:
    """Read a published table, known by its columns; None where it is none of these.

    Raises
    ------
    DataError
        If a number in it is none.
    """
    for separator in ("\t", ","):
        try:
            raw = pd.read_csv(path, sep=separator, dtype=str, encoding_errors="backslashreplace")
        except (ValueError, OSError):
            # whoever reads it as a table of another kind says what is wrong
            continue
        raw.index = pd.RangeIndex(2, len(raw) + 2)
        for needed, read in _PUBLISHED:
            if needed <= set(map(str, raw.columns)):
                return read(raw, path)
    return None


def pack_reference(name: str) -> Published:
    """Read what a data pack knows of traits and contexts; one of `PACKS`.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    """
    return PACKS[name]()


def _tcsc(raw: pd.DataFrame, path: Path) -> Published:
    """Tissue co-regulation score regression: estimate over its jackknife standard error."""
    named = "Trait_Nickname" in raw
    estimate = "TCSC_h2" if named else "TCSC_h2ge(t')"
    fdr = "TCSC_FDRP" if named else "TCSC_FDR"
    raw = raw[~raw["Tissue"].isin(["AllTissues"])]
    if named:
        # two studies of one trait: the one on UK Biobank alone is the larger
        raw = raw.assign(_first=~raw["Trait"].astype(str).str.startswith("UKB_460K"))
        raw = raw.sort_values("_first", kind="stable")
    trait = _names(raw, "Trait_Nickname" if named else "Trait", path)
    score = _numbers(raw, estimate, path) / _numbers(raw, "TCSC_JKSE", path)
    table = _made(trait, _names(raw, "Tissue", path), score, _numbers(raw, fdr, path) <= FDR)
    return (
        table.drop_duplicates(["trait", "context"]).reset_index(drop=True),
        "TCSC of traits and GTEx tissues, whole genome (Amariuta 2023, Nat Genet 55:1461; its repository "
        f"states no licence). score: heritability that expression in the tissue explains, over its standard "
        f"error; expected: false discovery rate of at most {FDR:g} in the trait.",
        True,
    )


def _tabula_muris(raw: pd.DataFrame, path: Path) -> Published:
    """S-LDSC p-values, one column per study, of cell types of the mouse."""
    studies = [name for name in map(str, raw.columns) if name.rstrip().endswith(")") and "(" in name]
    parts, context = [], _names(raw, "Annotation", path)
    for study in studies:
        p = _numbers(raw, study, path)
        if ((p < 0) | (p > 1)).any():
            raise DataError(f"{path}, column {study!r}: {p[(p < 0) | (p > 1)].iloc[0]} is no p-value")
        q = pd.Series(benjamini_hochberg(p.to_numpy(float)), p.index)
        score = pd.Series(norm.isf(np.clip(p.to_numpy(float), _LEAST_P, 1 - 1e-16)), p.index)
        short = study.partition("(")[0].strip()
        # what is short for one thing here is short for another elsewhere
        trait = pd.Series(_STUDIES.get(short, short), raw.index)
        parts.append(_made(trait, context, score, q <= FDR))
    return (
        pd.concat(parts, ignore_index=True),
        "S-LDSC (LDSC-SEG) of traits and cell types of the mouse, Tabula Muris, whole genome; the table "
        "states no licence. score: z of the one-sided p-value; expected: false discovery rate of at most "
        f"{FDR:g} in the trait.",
        True,
    )


def _disease_location() -> Published:
    """MONDO: where in the body a disease is, by definition; by name and by term."""
    from phenviz.data.packs import require_pack

    parts = []
    for file in ("ld-mondo-location.tsv", "ld-mondo-location_top.tsv"):
        table = pd.read_csv(
            require_pack("disease-location", file), sep="\t", dtype=str, keep_default_na=False
        )
        parts.append(table[["iri label", "location"]])
    both = pd.concat(parts, ignore_index=True).drop_duplicates()
    both = both[(both["iri label"] != "") & (both["location"] != "")]
    where = both["location"].str.rsplit("/", n=1).str[-1].str.replace("_", ":")
    none = pd.Series(np.nan, both.index)
    return (
        _made(both["iri label"], where, none, pd.Series(True, both.index)).reset_index(drop=True),
        "MONDO's logical definitions: the anatomical location of a disease (Vasilevsky 2022, CC BY 4.0). "
        "expected: the location, and what is part of it; there is no score, and only diseases that are "
        "defined by their location have one.",
        False,
    )


def _coloc_tissues() -> Published:
    """Tissues in which fine-mapped variants of a trait are fine-mapped eQTLs, too."""
    from phenviz.data.packs import require_pack

    raw = pd.read_csv(require_pack("finemap-three-biobanks", "STable_coloc.tsv"), sep="\t", dtype=str)
    raw = raw.assign(
        shared=pd.to_numeric(raw["max_pip_coloc"], errors="coerce"),
        tissue=raw["tissue_max_pip_coloc"].fillna("").str.split(","),
    ).explode("tissue")
    raw = raw.assign(tissue=raw["tissue"].str.strip()).query("tissue != ''")
    # a variant counts once in a tissue, however many genes and studies name it
    raw = raw.sort_values("shared", ascending=False).drop_duplicates(["trait", "tissue", "variant"])
    total = raw.groupby(["trait", "tissue"])["shared"].sum()
    # a tissue in which nothing of a trait was found was looked at all the same
    grid = pd.MultiIndex.from_product([total.index.unique(level) for level in (0, 1)])
    total = total.reindex(grid, fill_value=0.0).reset_index()
    return (
        _made(total["trait"], total["tissue"], total["shared"], total["shared"] >= 1),
        "eQTL colocalisation in three biobanks, whole genome (Kanai 2021; its repository states no licence). "
        "score: expected number of variants that are causal for the trait and for expression in the tissue "
        "(sum of products of posteriors above 0.1); expected: at least 1. Tissues with more samples, as "
        "blood, have more eQTLs, so that scores compare traits better than tissues.",
        True,
    )


def _made(trait: pd.Series, context: pd.Series, score: pd.Series, expected: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trait": trait.astype(str).str.strip(),
            "context": context.astype(str).str.strip(),
            "role": np.where(expected.fillna(False).to_numpy(bool), EXPECTED, ""),
            "score": score.astype(float),
            "lineage": "",
            "counted": True,
        }
    )


def _numbers(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    numbers = pd.to_numeric(table[column].astype(str).str.strip(), errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        line, found = table.index[wrong][0], table[column][wrong].iloc[0]
        said = "is empty: was the file cut short?" if pd.isna(found) else f"{found!r} is no number"
        raise DataError(f"{path}, line {line}, column {column!r}: {said}")
    return numbers


def _names(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    empty = table[column].isna()
    if empty.any():
        raise DataError(f"{path}, line {table.index[empty][0]}, column {column!r}: it is empty: fill it in")
    return table[column].astype(str).str.strip()


# reference by name -> what reads it from its data pack
PACKS: dict[str, Callable[[], Published]] = {
    "disease-location": _disease_location,
    "coloc-tissues": _coloc_tissues,
}
_PUBLISHED: tuple[tuple[set[str], Callable[[pd.DataFrame, Path], Published]], ...] = (
    ({"Trait", "Trait_Nickname", "Tissue", "TCSC_h2", "TCSC_JKSE", "TCSC_FDRP"}, _tcsc),
    ({"Trait", "Tissue", "TCSC_h2ge(t')", "TCSC_JKSE", "TCSC_FDR"}, _tcsc),
    ({"Annotation", "annotation", "Coefficient", "Coefficient std error"}, _tabula_muris),
)
