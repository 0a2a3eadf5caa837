"""Background variants: what the fine-mapped ones are compared with.

Where individuals cover the traits' loci, their common variants are the background. Where they don't (the
embedded individuals span 3 of 63 Mb), variants are made up: random positions of the same contigs, with the
mutation spectrum of common variants. They come in *elements*, up to five variants within 600 bp, because
neighbours share their regulatory element, and a null that ignores this is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome import Annotation, ReferenceGenome
from phenviz.genome.codes import N_CODE, decode

ELEMENT_REACH = 300
ELEMENT_SIZE = 5
SINGLES = 6_000
DEEP = 1_600
_NEAR_TSS = 0.35
_TSS_SD = 3_000
_INDELS = 0.12
_LONGEST_INDEL = 8
# common SNVs are transitions twice as often as transversions, and CpG transitions are frequent
_TRANSITION = {0: 2, 1: 3, 2: 0, 3: 1}
_TRANSITIONS = 0.68

Activity = Callable[[pd.DataFrame], NDArray[np.floating]]


@dataclass(frozen=True)
class BackgroundVariants:
    """Variants to compare with.

    Parameters
    ----------
    variants
        ``contig``, ``position`` (1-based), ``ref``, ``alt``, ``id``, ``element`` (number of its element) and
        ``uniform`` (True for the first of each element that was drawn evenly from the contigs), ``stage`` (1
        for the first of each element, 2 for those added); elements are
        in the order of the contigs, their rows side by side; ``allele_frequency`` where known.
    kind
        ``random`` or ``individuals``.
    """

    variants: pd.DataFrame
    kind: str


def random_background(
    reference: ReferenceGenome,
    annotation: Annotation,
    contigs: list[str],
    activity: Activity,
    *,
    seed: int,
    singles: int = SINGLES,
    deep: int = DEEP,
) -> BackgroundVariants:
    """Draw random variants, denser where the contigs are active.

    First ``singles`` positions are drawn, two thirds evenly and one third near transcription starts, one
    variant each. Of these, ``deep`` elements get up to four more variants: the most active half as they
    are, the others evenly over the rest. How dense a stratum is doesn't matter: matching compares within it.

    Parameters
    ----------
    contigs
        Where to draw, in proportion to their known bases.
    activity
        Gives the mean activity of variants, (n,).

    Raises
    ------
    DataError
        If the contigs hold no known base.
    """
    generator = np.random.default_rng([seed, 1])
    uniform = int(singles * (1 - _NEAR_TSS))
    places = pd.concat(
        [
            _even_places(reference, contigs, uniform, generator),
            _places_near_tss(reference, annotation, contigs, singles - uniform, generator),
        ],
        ignore_index=True,
    )
    places["uniform"] = np.arange(len(places)) < uniform
    places["element"] = np.arange(len(places))
    first = with_alleles(places, reference, generator)
    strength = np.asarray(activity(first), dtype=float)
    centres = first.iloc[_deep_rows(strength, deep, generator)]
    more = _neighbours(centres, reference, generator)
    variants = pd.concat([first.assign(stage=1), more.assign(stage=2)], ignore_index=True)
    return BackgroundVariants(_sorted(variants), "random")


def common_background(variants: pd.DataFrame, *, seed: int, most: int = 40_000) -> BackgroundVariants:
    """Take known common variants (of individuals) as background.

    Parameters
    ----------
    variants
        ``contig``, ``position``, ``ref``, ``alt``, ``allele_frequency``.
    most
        If there are more, whole intervals of neighbours are drawn at random.
    """
    table = variants.sort_values(["contig", "position"], kind="stable").reset_index(drop=True)
    if table.empty:
        raise DataError("the individuals have no common variant to compare with: use the random background")
    table["element"] = elements(table["contig"].to_numpy(str), table["position"].to_numpy(np.int64))
    table["uniform"] = ~table.duplicated("element")
    table["stage"] = 1
    if len(table) > most:
        generator = np.random.default_rng([seed, 2])
        drawn = generator.permutation(table["element"].nunique())
        sizes = np.bincount(table["element"])[drawn]
        table = table[table["element"].isin(drawn[np.cumsum(sizes) <= most])]
    return BackgroundVariants(_sorted(table), "individuals")


def elements(contig: NDArray[np.str_], position: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give sorted variants the number of their element: neighbours within 300 bp, at most 600 bp and five."""
    number = np.zeros(len(position), dtype=np.int64)
    first, held, current = 0, 0, -1
    for row in range(len(position)):
        joins = (
            held
            and held < ELEMENT_SIZE
            and contig[row] == contig[row - 1]
            and position[row] - position[row - 1] <= ELEMENT_REACH
            and position[row] - first <= 2 * ELEMENT_REACH
        )
        if not joins:
            current, first, held = current + 1, position[row], 0
        held += 1
        number[row] = current
    return number


def _even_places(
    reference: ReferenceGenome, contigs: list[str], count: int, generator: np.random.Generator
) -> pd.DataFrame:
    lengths = np.array([reference.contigs[contig] for contig in contigs], dtype=float)
    parts, kept = [], 0
    for _ in range(50):
        chosen = generator.choice(len(contigs), size=2 * count + 10, p=lengths / lengths.sum())
        place = (generator.random(len(chosen)) * lengths[chosen]).astype(np.int64) + 1
        table = pd.DataFrame({"contig": np.array(contigs, dtype=object)[chosen], "position": place})
        parts.append(on_known_bases(table, reference))
        kept += len(parts[-1])
        if kept >= count:
            return pd.concat(parts, ignore_index=True).head(count)
    raise DataError(f"contigs {', '.join(contigs)} hold hardly a known base: no background can be drawn")


def _places_near_tss(
    reference: ReferenceGenome,
    annotation: Annotation,
    contigs: list[str],
    count: int,
    generator: np.random.Generator,
) -> pd.DataFrame:
    genes = annotation.genes
    names = genes["contig"].map(lambda name: _resolved(reference, str(name)))
    own = genes[names.isin(contigs)].assign(contig=names)
    if own.empty or not count:
        return (
            _even_places(reference, contigs, count, generator)
            if count
            else own[["contig"]].assign(position=0)
        )
    chosen = own.iloc[generator.integers(len(own), size=4 * count)]
    place = chosen["tss"].to_numpy(np.int64) + 1 + generator.normal(0, _TSS_SD, len(chosen)).astype(np.int64)
    table = pd.DataFrame({"contig": chosen["contig"].to_numpy(object), "position": place})
    return on_known_bases(table, reference).head(count)


def _resolved(reference: ReferenceGenome, name: str) -> str:
    from phenviz.errors import LocusError

    try:
        return reference.resolve_contig(name)
    except LocusError:
        return ""


def on_known_bases(table: pd.DataFrame, reference: ReferenceGenome) -> pd.DataFrame:
    """Keep the positions whose base, and the bases that an indel may take, are known."""
    keep = np.zeros(len(table), dtype=bool)
    for contig, rows in table.groupby("contig", sort=False).indices.items():
        codes = reference.codes(str(contig))
        place = table["position"].to_numpy(np.int64)[rows] - 1
        inside = (place >= 0) & (place + _LONGEST_INDEL < len(codes))
        columns = np.clip(place[:, None] + np.arange(_LONGEST_INDEL + 1), 0, len(codes) - 1)
        keep[rows] = inside & (codes[columns] != N_CODE).all(1)
    return table[keep].reset_index(drop=True)


def with_alleles(
    places: pd.DataFrame, reference: ReferenceGenome, generator: np.random.Generator
) -> pd.DataFrame:
    """Give each position an SNV or, for some, a short deletion or duplication."""
    refs, alts = [], []
    indel = generator.random(len(places)) < _INDELS
    size = np.minimum(generator.geometric(0.45, len(places)), _LONGEST_INDEL)
    deletion = generator.random(len(places)) < 0.6
    transition = generator.random(len(places)) < _TRANSITIONS
    turn = generator.integers(1, 3, len(places))
    for row, (contig, position) in enumerate(zip(places["contig"], places["position"], strict=True)):
        bases = reference.fetch_codes(contig, position - 1, position + int(size[row]))
        base = int(bases[0])
        if indel[row]:
            long, short = decode(bases), decode(bases[:1])
            refs.append(long if deletion[row] else short)
            alts.append(short if deletion[row] else long)
        else:
            others = [code for code in range(4) if code not in (base, _TRANSITION[base])]
            alternate = _TRANSITION[base] if transition[row] else others[turn[row] - 1]
            refs.append("ACGT"[base])
            alts.append("ACGT"[alternate])
    return places.assign(ref=refs, alt=alts, id="")


def _deep_rows(strength: NDArray[np.float64], deep: int, generator: np.random.Generator) -> NDArray[np.intp]:
    order = np.argsort(-strength, kind="stable")
    top, rest = order[: deep // 2], order[deep // 2 :]
    return np.sort(np.r_[top, generator.permutation(rest)[: deep - len(top)]])


def _neighbours(
    centres: pd.DataFrame, reference: ReferenceGenome, generator: np.random.Generator
) -> pd.DataFrame:
    count = ELEMENT_SIZE - 1
    table = centres.loc[centres.index.repeat(count), ["contig", "position", "element"]].reset_index(drop=True)
    table["position"] += generator.integers(-ELEMENT_REACH, ELEMENT_REACH + 1, len(table))
    table["uniform"] = False
    table = on_known_bases(table, reference).drop_duplicates(["contig", "position"])
    again = table.merge(
        centres[["contig", "position"]], on=["contig", "position"], how="left", indicator=True
    )
    table = table[(again["_merge"] == "left_only").to_numpy()].reset_index(drop=True)
    return with_alleles(table, reference, generator)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by place, the rows of each element side by side, and number the elements in this order."""
    table = table.sort_values(["contig", "position"], kind="stable")
    table = table.assign(element=pd.factorize(table["element"])[0])
    return table.sort_values("element", kind="stable").reset_index(drop=True)
