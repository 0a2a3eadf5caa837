"""What fine-mapping programs write: FINEMAP credible sets, CAVIAR and SuSiE tables, variants by name only."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from phenviz.disease import columns as tables
from phenviz.errors import DataError


def with_positions(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Take contig, position and alleles from the variants' names where the table has no such columns.

    SuSiE's and CAVIAR's tables name variants only. The names must hold the position
    (``20:1600925_G_A``); an rsID alone isn't looked up.

    BED-like tables have ``start`` (from 0) and ``end`` instead of the position.

    Raises
    ------
    DataError
        If there are neither columns nor such names.
    """
    if {"contig", "start", "end"} <= set(table) and "position" not in table:
        # BED counts from 0; where start and end are the same, both count from 1
        table = table.assign(position=table["start"] + (table["end"] > table["start"]))
    if {"contig", "position"} <= set(table):
        return _without_negative_sets(table)
    column = next((name for name in ("variant", "id") if name in table), None)
    if column is None:
        tables.require(table, ("contig", "position"), path)
    parsed = tables.parse_variants(table[column])
    if parsed.isna().any(axis=None):
        row = parsed.index[parsed.isna().any(axis=1)][0]
        raise DataError(
            f"{path}: its variants go by name only, and {table.loc[row, column]!r} doesn't tell the "
            f"position: "
            "name them like 20:1600925_G_A, or add columns contig, position, ref and alt"
        )
    kept = table.drop(columns=[name for name in ("contig", "position", "ref", "alt") if name in table])
    return _without_negative_sets(pd.concat([kept, parsed], axis=1))


def _without_negative_sets(table: pd.DataFrame) -> pd.DataFrame:
    """SuSiE writes -1 for variants outside all credible sets: their locus is found by distance."""
    if "region" not in table:
        return table
    region = table["region"].astype(str).where(table["region"].notna(), "")
    return table.assign(region=region.where(~region.isin(["-1", "-1.0", "0", "nan"]), ""))


def read_finemap_cred(path: Path) -> pd.DataFrame:
    """Read FINEMAP's credible sets: columns ``cred1 prob1 cred2 prob2 ...``, one pair a causal signal.

    Positions and alleles come from the variants' names, or from the ``.snp`` file of the same run beside it.

    Returns
    -------
    pd.DataFrame
        ``region`` (number of the signal), contig, position, ref, alt, id, posterior; beta, se and z where the
        ``.snp`` file has them.

    Raises
    ------
    DataError
        If the file holds no credible set, or variants can't be placed.
    """
    if not path.is_file():
        raise DataError(f"{path} doesn't exist: check the path")
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    table = tables.from_text("\n".join(lines)) if lines else pd.DataFrame()
    signals = [name.removeprefix("cred") for name in table.columns if re.fullmatch(r"cred\d+", name)]
    if not signals:
        raise DataError(f"{path} holds no credible set: columns cred1, prob1, ... are needed")
    pairs = [
        pd.DataFrame({"id": table[f"cred{n}"], "posterior": table[f"prob{n}"], "region": f"signal{n}"})
        for n in signals
    ]
    long = pd.concat(pairs, ignore_index=True).replace("NA", pd.NA).dropna(subset=["id"])
    long = tables.numbers(long.reset_index(drop=True), path, len(lines) and 2)
    tables.check_posterior(long, path, 2)
    snp = path.with_name(re.sub(r"\.cred\d*$", ".snp", path.name))
    if not snp.is_file():
        return with_positions(long, path)
    known = pd.concat([tables.numbers(part, snp, line) for part, line in tables.read_columns(snp)])
    keep = [name for name in known if name not in ("posterior", "region")]
    joined = long.merge(known[keep], on="id", how="left")
    if joined["position"].isna().any():
        lost = joined.loc[joined["position"].isna(), "id"].iloc[0]
        raise DataError(f"{path}: variant {lost!r} isn't in {snp.name} beside it: give both of one run")
    return joined.assign(position=joined["position"].astype("int64"))
