"""Compare in-silico mutagenesis with saturation mutagenesis by MPRA (Kircher 2019, 20 elements, 29 assays).

The element on chromosome 20 (the P2 promoter of HNF4A) is scored in its real surroundings. The others lie on
chromosomes that the embedded world doesn't have: their reference bases are rebuilt from the table of
measurements, between unknown bases (N), so that the model sees less than on the genome. None of the elements
was used for training. The nearest context is named where there is one; most cell lines have none.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, spearmanr

from evaluation.report import TABLES, markdown_table, number, write_section
from phenviz.attribution import mutagenesis
from phenviz.data.packs import require_pack
from phenviz.data.tissues import REPORTER_GROUP
from phenviz.genome import Locus, ReferenceGenome
from phenviz.models.local import LocalBackbone
from phenviz.world import open_world

PACK, FILE = "mpra-saturation", "elements.tsv.gz"
FEWEST_BARCODES = 10
_FLANK = 2_048
_NO_CONTEXT: tuple[str, ...] = ()
_ERYTHROID, _LIVER = ("Ery", "Mega"), ("HepG2",)


@dataclass(frozen=True)
class Assay:
    """Cell line of an assay, and the contexts of the model that come nearest to it."""

    cell_line: str
    nearest: tuple[str, ...] = _NO_CONTEXT


ASSAYS = {
    "BCL11A": Assay("HEL 92.1.7 (erythroleukaemia)", _ERYTHROID),
    "F9": Assay("HepG2 (liver)", _LIVER),
    "FOXE1": Assay("HeLa (cervix)"),
    "GP1BA": Assay("HEL 92.1.7 (erythroleukaemia)", _ERYTHROID),
    "HBB": Assay("HEL 92.1.7 (erythroleukaemia)", _ERYTHROID),
    "HBG1": Assay("HEL 92.1.7 (erythroleukaemia)", _ERYTHROID),
    "HNF4A": Assay("HEK293T (kidney)"),
    "IRF4": Assay("SK-MEL-28 (melanoma)"),
    "IRF6": Assay("HaCaT (keratinocyte)"),
    "LDLR": Assay("HepG2 (liver)", _LIVER),
    "LDLR.2": Assay("HepG2 (liver)", _LIVER),
    "MSMB": Assay("HEK293T (kidney)"),
    "MYCrs11986220": Assay("LNCaP (prostate)"),
    "MYCrs6983267": Assay("HEK293T (kidney)"),
    "PKLR-24h": Assay("K562 (erythroleukaemia)", _ERYTHROID),
    "PKLR-48h": Assay("K562 (erythroleukaemia)", _ERYTHROID),
    "RET": Assay("Neuro-2a (mouse nerve)"),
    "SORT1": Assay("HepG2 (liver)", _LIVER),
    "SORT1-flip": Assay("HepG2 (liver)", _LIVER),
    "SORT1.2": Assay("HepG2 (liver)", _LIVER),
    "TCF7L2": Assay("MIN6 (mouse islet)"),
    "TERT-GAa": Assay("SF7996 (glioblastoma)"),
    "TERT-GBM": Assay("SF7996 (glioblastoma)"),
    "TERT-GSc": Assay("SF7996 (glioblastoma)"),
    "TERT-HEK": Assay("HEK293T (kidney)"),
    "UC88": Assay("Neuro-2a (mouse nerve)"),
    "ZFAND3": Assay("MIN6 (mouse islet)"),
    "ZRSh-13": Assay("NIH/3T3 (mouse fibroblast)"),
    "ZRSh-13h2": Assay("NIH/3T3 (mouse fibroblast)"),
}


def read_measurements(path: Path) -> pd.DataFrame:
    """Read single-base substitutions on GRCh37: element, contig, position (0-based), alleles, effect."""
    table = pd.read_csv(path, sep="\t", dtype={"Chrom": str})
    bases = list("ACGT")
    kept = table[(table["Release"] == "GRCh37") & table["Ref"].isin(bases) & table["Alt"].isin(bases)]
    return pd.DataFrame(
        {
            "element": kept["Element"],
            "contig": kept["Chrom"],
            "position": kept["Pos"].astype(int) - 1,
            "reference": kept["Ref"],
            "alternate": kept["Alt"],
            "barcodes": kept["Barcodes"],
            "coefficient": kept["Coefficient"],
        }
    ).reset_index(drop=True)


def rebuilt_reference(measurements: pd.DataFrame, folder: Path) -> ReferenceGenome:
    """Write each element between N as a contig of its name; position p lies at p - first + flank."""
    with (folder / "elements.fa").open("w", encoding="ascii") as fasta:
        for name, rows in measurements.groupby("element"):
            first, last = rows["position"].min(), rows["position"].max()
            bases = np.full(last - first + 1, "N")
            bases[rows["position"] - first] = rows["reference"]
            fasta.write(f">{name}\n{'N' * _FLANK}{''.join(bases)}{'N' * _FLANK}\n")
    return ReferenceGenome(folder / "elements.fa", assembly="rebuilt", cache_dir=folder)


class _Scores:
    """Predicted effects; assays of the same element share one mutagenesis."""

    def __init__(self, backbone: LocalBackbone, chr20: ReferenceGenome, rebuilt: ReferenceGenome) -> None:
        self._backbone, self._chr20, self._rebuilt = backbone, chr20, rebuilt
        self._known: dict[tuple[str, int, int], np.ndarray] = {}

    def of(self, rows: pd.DataFrame, element: str, first: int, last: int) -> np.ndarray:
        """Return the predicted effect of each measured change of an element, (rows, contexts)."""
        contig = rows["contig"].iloc[0]
        key = (contig, first, last)
        if key not in self._known:
            if contig == "20":
                reference, locus = self._chr20, Locus(contig, first, last + 1)
            else:
                reference, locus = self._rebuilt, Locus(element, _FLANK, _FLANK + last + 1 - first)
            self._known[key] = mutagenesis(locus, reference, self._backbone)["effect"].values
        allele = rows["alternate"].map("ACGT".index).to_numpy()
        return self._known[key][rows["position"].to_numpy() - first, allele]


def compare(measurements: pd.DataFrame, backbone: LocalBackbone, chr20: ReferenceGenome) -> pd.DataFrame:
    """Correlate measured and predicted effects: one row per element and context (``all``: their mean)."""
    found = []
    names = [context.name for context in backbone.contexts]
    # the mean is over contexts that learnt the genome
    sites = [row for row, context in enumerate(backbone.contexts) if context.group != REPORTER_GROUP]
    with tempfile.TemporaryDirectory() as folder:
        scores = _Scores(backbone, chr20, rebuilt_reference(measurements, Path(folder)))
        for element, every in measurements.groupby("element"):
            rows = every[every["barcodes"] >= FEWEST_BARCODES]
            effects = scores.of(
                rows, str(element), int(every["position"].min()), int(every["position"].max())
            )
            columns = [*effects.T, effects[:, sites].mean(1)]
            for context, predicted in zip([*names, "all"], columns, strict=True):
                pearson = pearsonr(predicted, rows["coefficient"]).statistic
                spearman = spearmanr(predicted, rows["coefficient"]).statistic
                found.append((element, context, len(rows), pearson, spearman))
    return pd.DataFrame(found, columns=["element", "context", "changes", "pearson", "spearman"])


def section(table: pd.DataFrame, model: str) -> str:
    """Write the section of the model card."""
    contexts = list(dict.fromkeys(table["context"]))
    lines = []
    for statistic in ("pearson", "spearman"):
        wide = table.pivot(index="element", columns="context", values=statistic)[contexts]
        rows = [_row(name, wide.loc[name], table, contexts) for name in _by_strength(wide)]
        header = ["element", "cell line", "changes", *contexts]
        lines += [f"{statistic.capitalize()} correlation:", "", markdown_table(header, rows), ""]
    pearson = table[table["context"] == "all"].set_index("element")["pearson"]
    erythroid = [name for name in pearson.index if ASSAYS[name].nearest == _ERYTHROID]
    liver = [name for name in pearson.index if ASSAYS[name].nearest == _LIVER]
    by_ery = table[table["element"].isin(erythroid) & (table["context"] == "Ery")]["pearson"]
    by_liver = table[table["element"].isin(liver) & table["context"].isin(_LIVER)]["pearson"]
    others = [name for name in pearson.index if name not in erythroid]
    return f"""## MPRA

Saturation mutagenesis by MPRA (Kircher 2019, doi:10.1038/s41467-019-11526-w, data pack `{PACK}`) against the
model's in-silico mutagenesis ({model}): measured log2 effect of each single-base substitution with at least
{FEWEST_BARCODES} barcodes against the predicted log2 fold change over the 501 bp centre mask. The HNF4A P2
promoter lies on chromosome 20 and is scored in its real surroundings; the other elements lie elsewhere, are
rebuilt from the table of measurements and scored between unknown bases (N). `all` is the mean of the
effects in all contexts but reporters. **Bold**: the contexts nearest to the cell line (erythroleukaemia, and
the reporter in HepG2); none matches the others, so their rows show what the model knows about regulatory
grammar that all cells share. An assay's own reproducibility bounds these numbers. Nothing here was used for
training; which of the networks was embedded was decided with the mean over all assays, among other things.

Mean Pearson correlation of `all`: {number(pearson.mean())} over the {len(pearson)} assays
({number(pearson[erythroid].mean())} in erythroleukaemia lines, {number(pearson[others].mean())} in others);
of context Ery in erythroleukaemia lines: {number(by_ery.mean())}; of the reporter HepG2 in HepG2:
{number(by_liver.mean())} over {len(by_liver)} assays.
HNF4A P2 (HEK293T), `all`: {number(pearson["HNF4A"])}.

{chr(10).join(lines).strip()}
"""


def _by_strength(wide: pd.DataFrame) -> list[str]:
    erythroid = [name for name in wide.index if ASSAYS[name].nearest]
    others = [name for name in wide.index if not ASSAYS[name].nearest]
    return [
        *sorted(erythroid, key=lambda n: -wide.loc[n, "all"]),
        *sorted(others, key=lambda n: -wide.loc[n, "all"]),
    ]


def _row(name: str, values: pd.Series, table: pd.DataFrame, contexts: list[str]) -> list[str]:
    changes = int(table.loc[table["element"] == name, "changes"].iloc[0])
    cells = [
        f"**{number(values[context])}**" if context in ASSAYS[name].nearest else number(values[context])
        for context in contexts
    ]
    return [name, ASSAYS[name].cell_line, f"{changes:,}", *cells]


def main() -> None:
    """Compare, and write the table and the model card's section."""
    world = open_world()
    measurements = read_measurements(require_pack(PACK, FILE))
    table = compare(measurements, world.backbone, world.reference)
    TABLES.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(TABLES / "mpra.tsv", sep="\t", index=False)
    write_section("MPRA", section(table, f"{world.backbone.name}@{world.backbone.weights_hash[:8]}"))


if __name__ == "__main__":
    main()
