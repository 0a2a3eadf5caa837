"""Weights of polygenic scores from elsewhere (PGS Catalog, PRS-CS, VIPRS, LDpred2), matched one by one."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from phenviz.disease.cohort.dosages import Dosages
from phenviz.disease.cohort.polygenic import Candidate
from phenviz.errors import DataError

MIN_OVERLAP = 0.75
# what each column is called, the first found counts; hm_ columns of the Catalog are lifted over and checked
_COLUMNS = {
    "contig": ("hm_chr", "chr_name", "chr", "chrom", "chromosome", "#chr", "#chrom"),
    "position": ("hm_pos", "chr_position", "pos", "bp", "position", "base_pair_location"),
    "effect": ("effect_allele", "a1", "ea", "alt"),
    "other": ("other_allele", "hm_inferotherallele", "reference_allele", "a2", "a0", "nea", "ref"),
    "weight": ("effect_weight", "beta", "weight", "beta_auto", "post_mean_beta", "effect"),
    "id": ("hm_rsid", "rsid", "snp", "id", "variant_id", "rs_id"),
}
# of LDpred2 (bigsnpr) a0 is the other allele, so that a2 never means both
_PRSCS = ["chr", "snp", "bp", "a1", "a2", "beta"]
_NOT_ADDITIVE = ("is_interaction", "is_dominant", "is_recessive", "is_haplotype", "is_diplotype")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
MATCHED = "matched"
FLIPPED = "matched on the other strand"


@dataclass(frozen=True, eq=False)
class ScoringFile:
    """Weights as a file has them.

    Parameters
    ----------
    name
        The Catalog's id, or the file's name.
    build
        Genome build of the positions; "" where the file doesn't say.
    table
        line, id, contig, position (0 where unknown), effect and other allele ("" where unknown), weight,
        ``additive``.
    header
        What a Catalog file says about itself.
    """

    name: str
    build: str
    table: pd.DataFrame
    header: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> ScoringFile:
        """Read a file of weights, plain or gzip.

        Raises
        ------
        DataError
            If it is missing, no table, lacks a column or holds a weight that is no number; names the line.
        """
        path = Path(path)
        lines = _lines(path)
        header = dict(
            line.lstrip("#").split("=", 1) for line in lines if line.startswith("#") and "=" in line
        )
        first = next((n for n, line in enumerate(lines) if _is_body(line)), None)
        if first is None:
            raise DataError(f"{path} holds no weights: give a scoring file of the PGS Catalog or of a method")
        body = "\n".join(lines[first:])
        separator = "\t" if "\t" in lines[first] else ("," if "," in lines[first] else r"\s+")
        try:
            raw = pd.read_csv(io.StringIO(body), sep=separator, dtype=str, keep_default_na=False, header=None)
        except ValueError as error:
            raise DataError(
                f"{path} can't be read as a table ({' '.join(str(error).split())[:120]})"
            ) from error
        names, skip = _names(raw.iloc[0].tolist(), path)
        raw = raw.iloc[skip:].set_axis(names, axis=1)
        raw.index = pd.RangeIndex(first + skip + 1, first + skip + 1 + len(raw))
        build = header.get("HmPOS_build") if "hm_pos" in names else None
        build = build or header.get("genome_build", "")
        name = header.get("pgs_id") or path.name.split(".")[0]
        return cls(name, build_name(build), _table(raw, path), header)


def match_scores(
    scores: ScoringFile, dosages: Dosages, min_overlap: float = MIN_OVERLAP, assembly: str = ""
) -> tuple[Candidate, pd.DataFrame]:
    """Give a cohort's variants the weights of a file.

    Returns
    -------
    tuple
        The weights, and the table of `match`.

    Raises
    ------
    DataError
        If too few of its variants are found; counts why.
    """
    table = match(scores, dosages.variants, assembly)
    found = table[table["row"] >= 0]
    overlap = len(found) / max(len(table), 1)
    if overlap < min_overlap:
        reasons = table.loc[table["row"] < 0, "status"].value_counts()
        told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        raise DataError(
            f"{scores.name}: only {len(found):,} of {len(table):,} variants ({overlap:.1%}) are found among "
            f"the cohort's common variants, {min_overlap:.0%} are needed ({told}): impute the genotypes, or "
            "lower min_overlap in the configuration"
        )
    weights = np.zeros(len(dosages))
    np.add.at(weights, found["row"].to_numpy(), found["weight_of_alt"].to_numpy())
    settings = {"variants": len(table), "matched": len(found), "overlap": round(overlap, 4)}
    return Candidate(scores.name, settings, weights), table


def match(scores: ScoringFile, variants: pd.DataFrame, assembly: str = "") -> pd.DataFrame:
    """Say of each variant of a file what became of it.

    Parameters
    ----------
    scores
        The file.
    variants
        Of the cohort: contig, position (1-based), ref, alt.
    assembly
        Of the cohort; "" to trust the file.

    Returns
    -------
    pd.DataFrame
        Columns of the file's table, ``status``, ``row`` of the cohort's variant (-1 for none) and
        ``weight_of_alt``. Where the effect allele is REF the sign is turned: that moves everybody's score by
        the same amount.

    Raises
    ------
    DataError
        If the file is of another assembly.
    """
    if assembly and scores.build and build_name(assembly) != scores.build:
        raise DataError(
            f"{scores.name} has positions of {scores.build}, and the cohort is of {assembly}: fetch the file "
            f"that is harmonised to {assembly}"
        )
    table = scores.table.reset_index(drop=True)
    places: dict[tuple[str, int], list[int]] = {}
    contigs = variants["contig"].astype(str).str.removeprefix("chr").tolist()
    for row, key in enumerate(zip(contigs, variants["position"].tolist(), strict=True)):
        places.setdefault(key, []).append(row)
    refs, alts = (variants[name].astype(str).tolist() for name in ("ref", "alt"))
    status, rows, weights = [], [], []
    taken: set[tuple[int, str]] = set()
    for one in table.itertuples(index=False):
        found, row, sign = _match_one(one, places, refs, alts)
        if row >= 0 and (row, one.effect) in taken:
            found, row = "the same variant again", -1
        elif row >= 0:
            taken.add((row, one.effect))
        status.append(found)
        rows.append(row)
        weights.append(sign * one.weight if row >= 0 else 0.0)
    return table.assign(status=status, row=rows, weight_of_alt=weights)


def _match_one(
    one: Any, places: dict[tuple[str, int], list[int]], refs: list[str], alts: list[str]
) -> tuple[str, int, float]:
    if not one.additive:
        return "not additive", -1, 0
    if not one.position or not one.contig:
        return "no position", -1, 0
    if not one.effect or one.effect.strip("ACGT"):
        return "no effect allele of A, C, G, T", -1, 0
    here = places.get((one.contig, one.position))
    if here is None:
        return "not in the genotypes", -1, 0
    pairs = {"AT", "TA", "CG", "GC"}
    for turned in (False, True):
        effect, other = (text.translate(_COMPLEMENT) if turned else text for text in (one.effect, one.other))
        for row in here:
            ref, alt = refs[row], alts[row]
            if effect not in (ref, alt) or (other and {effect, other} != {ref, alt}):
                continue
            if not other and len(here) > 1:
                return "other allele unknown at a place with several", -1, 0
            if ref + alt in pairs:
                return "strand can't be told (A/T or C/G)", -1, 0
            return FLIPPED if turned else MATCHED, row, 1.0 if effect == alt else -1.0
    return "other alleles in the genotypes", -1, 0


def _lines(path: Path) -> list[str]:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeError) as error:
        raise DataError(f"{path} can't be read ({error}): check the path, or copy it again") from error


def _is_body(line: str) -> bool:
    known = line.lstrip("#").lower().split()
    # PLINK's kind of header begins with a hash, too
    named = line.startswith("#") and "=" not in line and {"chr", "chrom"} & set(known[:1])
    return bool(line.strip()) and (not line.startswith("#") or bool(named))


def _names(first: list[Any], path: Path) -> tuple[list[str], int]:
    """Return the names of columns, and how many lines hold them."""
    names = [str(name).strip().lower() for name in first]
    known = {name for group in _COLUMNS.values() for name in group}
    if len(known & set(names)) >= 3:
        return names, 1
    if len(names) == len(_PRSCS):
        return list(_PRSCS), 0
    raise DataError(
        f"{path}: the columns {', '.join(names[:8])} are none of a scoring file: it needs effect_allele, "
        "effect_weight, chr_name and chr_position, or the six columns of PRS-CS"
    )


def _table(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    found = {role: [name for name in names if name in raw.columns] for role, names in _COLUMNS.items()}
    for role in ("effect", "weight", "contig", "position"):
        if not found[role]:
            raise DataError(f"{path} has no column of the {role}: call it {_COLUMNS[role][0]}")
    columns: dict[str, Any] = {"line": raw.index}
    for role, names in found.items():
        column = pd.Series("", index=raw.index, dtype=object)
        for name in names:
            # what isn't harmonised keeps what the author wrote
            column = column.where(
                column != "", raw[name].astype(str).str.strip().replace({"NA": "", ".": ""})
            )
        columns[role] = column.to_numpy()
    table = pd.DataFrame(columns)
    weight = pd.to_numeric(table["weight"], errors="coerce")
    if weight.isna().any() or not np.isfinite(weight).all():
        line = int(table.loc[~np.isfinite(weight), "line"].iloc[0])
        raise DataError(f"{path}, line {line:,}: the weight is no number")
    position = pd.to_numeric(table["position"], errors="coerce").fillna(0)
    additive = pd.Series(True, index=raw.index)
    for name in _NOT_ADDITIVE:
        if name in raw.columns:
            additive &= ~raw[name].astype(str).str.strip().str.lower().isin(["true", "1", "yes"])
    return table.assign(
        contig=table["contig"].astype(str).str.removeprefix("chr"),
        position=position.astype(np.int64),
        effect=table["effect"].astype(str).str.upper(),
        other=table["other"].astype(str).str.upper().str.split("/").str[0],
        weight=weight.astype(float),
        additive=additive.to_numpy(),
    )


def build_name(text: str) -> str:
    """Return an assembly by its usual name, under whichever it goes (hg19 is GRCh37); "" for none."""
    known = {"hg19": "GRCh37", "grch37": "GRCh37", "b37": "GRCh37", "hg38": "GRCh38", "grch38": "GRCh38"}
    return known.get(text.strip().lower(), "" if text.strip().upper() in ("", "NR") else text.strip())
