"""Tables of fine-mapped variants that users hand over: checked, kept on this machine, and found again."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from phenviz.app.shell.uploads import PrivateFolder, check_plain_name
from phenviz.data.cache import cache_dir
from phenviz.errors import DataError
from phenviz.genome.reference import ReferenceGenome

TABLE_SUFFIXES = (
    ".tsv", ".txt", ".csv", ".bed", ".snp", ".cred", ".post", ".tbl", ".regenie", ".assoc", ".logistic",
    ".linear", ".hybrid", ".firth", ".gz", ".bgz", ".parquet", ".xls", ".xlsx",
)  # fmt: skip
LARGEST_TABLE = 64 * 2**20
_KEY = re.compile(r"[0-9a-f]{16}")
_BINARY_HEADS = (b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class TableFolder(PrivateFolder):
    """Folder of one session that tables come into."""

    def __init__(self) -> None:
        super().__init__(LARGEST_TABLE)

    def check_name(self, name: str) -> None:
        """Raise a `DataError` unless a file name is plain and that of a table."""
        check_plain_name(name)
        if not name.lower().endswith(TABLE_SUFFIXES):
            raise DataError(f"{name} isn't a table by its name: {', '.join(TABLE_SUFFIXES)} are taken")

    def check_head(self, name: str, content: bytes) -> None:
        """Raise a `DataError` unless the first bytes are those of text, Parquet or Excel."""
        if not content.startswith(_BINARY_HEADS) and b"\x00" in content[:4096]:
            raise DataError(f"{name} doesn't begin like a table: give TSV, CSV, Parquet or Excel")


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table on this machine.

    Parameters
    ----------
    key
        What the address calls it: 16 hexadecimal digits that depend on name and content.
    path
        Where it lies.
    report
        What the reader said of it.
    reading
        HTML of how it was read: what it was recognised as, each column, the first rows.
    """

    key: str
    path: Path
    report: str
    reading: str = ""


class KeptTables:
    """Tables that were handed over, as they came.

    Parameters
    ----------
    folder
        Where they are kept; in PhenViz' cache by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where they are kept."""
        return self._folder or cache_dir("trait-tables")

    def keep(self, path: Path, reference: ReferenceGenome) -> KeptTable:
        """Check a table, and keep it.

        Parameters
        ----------
        path
            The file; it stays where it is.
        reference
            Genome that its alleles are compared with.

        Raises
        ------
        DataError
            If it can't be read, or holds no variant of this genome; it isn't kept then.
        """
        from phenviz.app.disease.disease_parts import reading_words
        from phenviz.disease import read_trait_variants
        from phenviz.disease.hypotheses import check_testable

        try:
            found = read_trait_variants(path, reference)
        except DataError as error:
            # whoever handed the table over knows its name, not the folder that it came into
            raise DataError(str(error).replace(f"{path.parent}{os.sep}", "")) from error
        check_testable(found, reference)
        report, reading = found.report.describe(), reading_words(found.report)
        digest = hashlib.sha256(path.name.encode() + b"\x00" + path.read_bytes()).hexdigest()[:16]
        folder = self.folder / digest
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(path, folder / path.name)
        (folder / ".report").write_text(report, encoding="utf-8")
        (folder / ".reading").write_text(reading, encoding="utf-8")
        return KeptTable(digest, folder / path.name, report, reading)

    def find(self, key: str) -> KeptTable | None:
        """Return a table by its key; None if it isn't here."""
        folder = self.folder / key
        if not _KEY.fullmatch(key) or not folder.is_dir():
            return None
        files = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if not files:
            return None
        said = [folder / name for name in (".report", ".reading")]
        report, reading = (path.read_text(encoding="utf-8") if path.is_file() else "" for path in said)
        return KeptTable(key, files[0], report, reading)

    def forget(self, key: str) -> None:
        """Delete a table."""
        if _KEY.fullmatch(key):
            shutil.rmtree(self.folder / key, ignore_errors=True)
