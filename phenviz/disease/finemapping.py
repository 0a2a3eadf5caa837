"""FINEMAP's credible sets, which stand side by side in a file of their own."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from phenviz.disease import columns as tables
from phenviz.disease.formats import Format
from phenviz.errors import DataError


def read_finemap_cred(path: Path) -> tuple[pd.DataFrame, Format]:
    """Read FINEMAP's credible sets: columns ``cred1 prob1 cred2 prob2 ...``, one pair per causal signal.

    Positions, alleles and effects come from the ``.snp`` file of the same run beside it, else from the
    variants' names.

    Returns
    -------
    tuple
        ``id``, ``posterior``, ``credible_set`` (number of the signal) and what the ``.snp`` file has, as
        `read_columns` gives it; and what was recognised.

    Raises
    ------
    DataError
        If the file holds no credible set, or a variant isn't in the ``.snp`` file.
    """
    if not path.is_file():
        raise DataError(f"{path} doesn't exist: check the path")
    long = _long(path)
    snp = path.with_name(re.sub(r"\.cred\d*$", ".snp", path.name))
    columns = {"id": "cred1, ...", "posterior": "prob1, ...", "credible_set": "cred1, ..."}
    if not snp.is_file():
        return long, Format("FINEMAP .cred", columns)
    parts = list(tables.read_columns(snp))
    known = pd.concat([part for part, _ in parts]).drop(
        columns=["posterior", "region", "credible_set"], errors="ignore"
    )
    if "id" not in known:
        raise DataError(f"{snp} has no column rsid, by which {path.name} names its variants")
    joined = long.reset_index().merge(known.drop_duplicates("id"), on="id", how="left", indicator=True)
    lost = joined.loc[joined["_merge"] == "left_only", "id"]
    if len(lost):
        raise DataError(
            f"{path}: variant {lost.iloc[0]!r} isn't in {snp.name} beside it: give both of one run"
        )
    form = parts[0][1]
    theirs = {role: f"{column} of {snp.name}" for role, column in form.columns.items() if role in known}
    return joined.set_index("index").drop(columns="_merge"), Format("FINEMAP .cred", theirs | columns)


def _long(path: Path) -> pd.DataFrame:
    """Return one row per signal and variant, the line as index."""
    text = path.read_text(encoding="utf-8", errors="backslashreplace")
    lines = {
        number: line
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    }
    try:
        table = pd.read_csv(io.StringIO("\n".join(lines.values())), sep=r"\s+", dtype=str)
        table.index = pd.Index(list(lines)[1:])
    except ValueError as error:
        raise DataError(
            f"{path} can't be read as FINEMAP's credible sets: give the file as written"
        ) from error
    signals = [name.removeprefix("cred") for name in table.columns if re.fullmatch(r"cred\d+", name)]
    if not signals or any(f"prob{n}" not in table for n in signals):
        raise DataError(f"{path} holds no credible set: columns cred1, prob1, ... are needed")
    pairs = [
        pd.DataFrame({"id": table[f"cred{n}"], "posterior": table[f"prob{n}"], "credible_set": f"signal{n}"})
        for n in signals
    ]
    return pd.concat(pairs).dropna(subset=["id"])
