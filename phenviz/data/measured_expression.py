"""Expression that was measured in people, and the data packs that hold some."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.cache import cache_dir
from phenviz.data.packs import require_pack
from phenviz.errors import DataError

DEPTH, INCLUSION, EXPRESSION = "depth", "inclusion", "expression"
# unit of values that nobody told
AS_GIVEN = "as given"
_POPULATIONS = ("CEU", "FIN", "GBR")
# of an exon with fewer reads in a person, the share that includes it says nothing
_FEWEST_READS = 5
# an exon that (nearly) everybody includes, or nobody, has nothing to explain
_LEAST_SPREAD = 0.02
_JUNCTIONS = (
    "Junction counts in lymphoblastoid lines: depth (reads at the junctions of a gene's cassette exons) "
    "stands for its expression only roughly, and inclusion is the share of them that include an exon, not "
    "corrected for its length; neither sees genes without a cassette exon, whole transcripts, or other "
    "tissues."
)
_COUNTS = (
    "Counts of reads per gene in lymphoblastoid lines of 60 people at low depth: they say little about "
    "genes with few reads, and nothing about other tissues."
)
# lymphoblastoid lines are B cells that a virus keeps dividing
_B_CELL = "CL:0000236"


@dataclass(frozen=True, eq=False)
class MeasuredExpression:
    """Numbers that were measured in people: P people, F features of genes.

    Parameters
    ----------
    title
        Name of the pack or file.
    about
        What the numbers measure and what not, in one sentence.
    people, populations
        Names, and where each comes from ("" where unknown).
    genes, features
        For each feature its gene, as the source writes it, and what was measured of it (``depth``,
        ``inclusion ...`` of an exon, ``expression``).
    gene_ids
        Stable ids; "" where the source has none.
    values
        Shape (P, F), float64, on a scale to compare people on; NaN where not measured.
    library
        Logarithm of each person's reads, shape (P,); None where the source holds no counts.
    units
        Of the values.
    curie
        Ontology term of the cells; "" where unknown.
    notes
        What was done or left out on reading, in words.
    """

    title: str
    about: str
    people: tuple[str, ...]
    populations: tuple[str, ...]
    genes: tuple[str, ...]
    gene_ids: tuple[str, ...]
    features: tuple[str, ...]
    values: NDArray[np.float64]
    library: NDArray[np.float64] | None
    units: str
    curie: str = ""
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=2)
def read_measured_pack(name: str) -> MeasuredExpression:
    """Read a data pack of expression that was measured in people.

    Parameters
    ----------
    name
        One of `MEASURED_PACKS`.

    Raises
    ------
    DataError
        If there is no such pack, or it can't be read.
    PackMissing
        If it isn't here.
    """
    if name not in MEASURED_PACKS:
        raise DataError(
            f"data pack {name!r} holds no expression measured in people: give one of "
            f"{', '.join(MEASURED_PACKS)}, or a table of your own"
        )
    return MEASURED_PACKS[name]()


def _read_junctions() -> MeasuredExpression:
    depths, included, exons, populations = [], [], [], list[str]()
    for population in _POPULATIONS:
        depth, inclusion = (_junction_table(population, kind) for kind in ("DP", "IC"))
        depths.append(depth)
        included.append(inclusion.reindex(index=depth.index, columns=depth.columns))
        exons.append(_exon_table(population))
        populations += [population] * len(depth)
    depth, inclusion = pd.concat(depths), pd.concat(included)
    known = pd.concat(exons).drop_duplicates("ExonID").set_index("ExonID")
    # an exon that one population lacks is part of no sum over a gene's exons, or people couldn't be compared
    shared = depth.columns[depth.notna().all()]
    library = depth[shared].sum(axis=1)
    by_gene = depth[shared].T.groupby(known.loc[shared, "GeneID"].to_numpy()).sum().T
    per_million = np.log2(1 + by_gene.div(library, axis=0) * 1e6)
    share = (inclusion / depth).where(depth >= _FEWEST_READS)
    share = share.loc[:, share.std() >= _LEAST_SPREAD]
    symbols = known.drop_duplicates("GeneID").set_index("GeneID")["geneSymbol"]
    ids = [*by_gene.columns, *known.loc[share.columns, "GeneID"]]
    return MeasuredExpression(
        "geuvadis-junctions",
        _JUNCTIONS,
        tuple(map(str, depth.index)),
        tuple(populations),
        tuple(str(symbols[one]) for one in ids),
        tuple(map(str, ids)),
        (*[DEPTH] * by_gene.shape[1], *(f"{INCLUSION} {exon}" for exon in share.columns)),
        np.hstack([per_million.to_numpy(float), share.to_numpy(float)]),
        np.log10(library.to_numpy(float)),
        "log2(1 + reads per million of all junctions) of depth, a share of reads of inclusion",
        _B_CELL,
    )


def _junction_table(population: str, kind: str) -> pd.DataFrame:
    path = require_pack("geuvadis-junctions", f"{population}.JC_Geuvadis_{kind}_SE.txt")
    try:
        return pd.read_csv(path, sep="\t", index_col=0).drop(columns="IID").astype(float)
    except (ValueError, KeyError, OSError) as error:
        raise DataError(f"{path} can't be read ({error}): fetch the pack again") from error


def _exon_table(population: str) -> pd.DataFrame:
    path = require_pack("geuvadis-junctions", f"{population}.Geuvadis_exon_info_SE.txt")
    # a gene may be called NA
    return pd.read_csv(path, sep="\t", keep_default_na=False, usecols=["ExonID", "GeneID", "geneSymbol"])


def _read_counts() -> MeasuredExpression:
    table = _counts_of_lines()
    counts = table.to_numpy(float)
    library = counts.sum(axis=1)
    ids = tuple(map(str, table.columns))
    return MeasuredExpression(
        "lcl-rnaseq-counts",
        _COUNTS,
        tuple(map(str, table.index)),
        ("CEU",) * len(table),
        ids,
        ids,
        (EXPRESSION,) * len(ids),
        np.log2(1 + counts / library[:, None] * 1e6),
        np.log10(library),
        "log2(1 + counts per million)",
        _B_CELL,
    )


def _counts_of_lines() -> pd.DataFrame:
    """Read the counts, people x genes, without genes that hardly anybody has reads of."""
    path = require_pack("lcl-rnaseq-counts", "montgomery.rda")
    # R data take half a minute to read
    kept = cache_dir("measured") / f"{path.stem}-{path.stat().st_size}.parquet"
    if kept.is_file():
        return pd.read_parquet(kept)
    import rdata

    with warnings.catch_warnings():
        # it says so of each text of the file
        warnings.filterwarnings("ignore", message="Unknown encoding")
        warnings.filterwarnings("ignore", message="Missing constructor")
        exprs = rdata.read_rda(path)["montgomery.eset"].assayData["exprs"]
    table = pd.DataFrame(exprs.values.T, index=exprs["dim_1"].values, columns=exprs["dim_0"].values)
    table = table.loc[:, (table > 0).mean() >= 0.5]
    table.to_parquet(kept)
    return table


MEASURED_PACKS: dict[str, Callable[[], MeasuredExpression]] = {
    "geuvadis-junctions": _read_junctions,
    "lcl-rnaseq-counts": _read_counts,
}


def on_a_common_scale(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, str]:
    """Put a table of any unit on a scale on which people can be compared.

    Parameters
    ----------
    values
        Shape (people, features).

    Returns
    -------
    tuple
        The values, log10 of each person's reads (None where they aren't counts of a whole transcriptome),
        and the unit in words.
    """
    known = values[np.isfinite(values)]
    if not len(known) or known.min() < 0 or known.max() <= _LARGEST_LOGARITHM:
        return values, None, AS_GIVEN
    if (known % 1 == 0).all() and values.shape[1] >= _TRANSCRIPTOME:
        reads = np.nansum(values, axis=1)
        if (reads > 0).all():
            return np.log2(1 + values / reads[:, None] * 1e6), np.log10(reads), "log2(1 + counts per million)"
    return np.log2(1 + values), None, "log2(1 + value given)"


# 2 to this is more than any count
_LARGEST_LOGARITHM = 30.0
# the sum over fewer genes is no measure of how deeply a person was sequenced
_TRANSCRIPTOME = 1_000


def people_of(measured: MeasuredExpression, known: Sequence[str]) -> list[str]:
    """Return who was measured and has genotypes, in the order of the table."""
    have = set(known)
    return [name for name in measured.people if name in have]
