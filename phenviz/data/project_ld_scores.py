"""The LD scores that a project names: where LDSC's files lie."""

from __future__ import annotations

from pathlib import Path

from phenviz.data.project_entries import WANTED, Entries

_PARTS = ("baseline", "weights", "contexts")


def read_ld_scores_entry(entries: Entries, key: str) -> dict[str, Path]:
    """Read ``{baseline: PREFIX, weights: PREFIX, contexts: FILE.ldcts}``.

    Raises
    ------
    ProjectError
        If one of them is missing or another is there, or there is no such file.
    """
    value = entries.values[key]
    if not isinstance(value, dict) or set(value) != set(_PARTS):
        raise entries.error(key, f"is {value!r}: {WANTED[key]}")
    found = {part: _prefix(entries, key, value[part]) for part in ("baseline", "weights")}
    return {**found, "contexts": entries.file(key, value["contexts"])}


def ldsc_prefix(folder: Path, written: str) -> Path:
    """Return a prefix of LDSC's files as a path up to the chromosome; one that is a folder gets an ``@``."""
    written = written.strip()
    return folder / Path(f"{written}@" if written.endswith("/") else written).expanduser()


def _prefix(entries: Entries, key: str, value: object) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise entries.error(key, f"has the prefix {value!r}: {WANTED[key]}")
    path = ldsc_prefix(entries.path.absolute().parent, value)
    head = path.name.partition("@")[0]
    if not any(path.parent.glob(f"{head}*.l2.ldscore*")):
        raise entries.error(
            key, f"names {path}, but there is no file {head}<chromosome>.l2.ldscore.gz in that folder"
        )
    return path
