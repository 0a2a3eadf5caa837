"""Open a file of variants, whatever its format."""

from __future__ import annotations

import os
from pathlib import Path

from phenviz.errors import DataError
from phenviz.variation.records import Source

_PGEN_MAGIC = b"\x6c\x1b"
_PLINK = (".pvar", ".psam", ".pvar.zst")
_PLINK_1 = (".bed", ".bim", ".fam")


def open_source(path: str | os.PathLike[str]) -> Source:
    """Open a VCF or BCF file, a PLINK 2 fileset or a VCF Zarr store.

    Parameters
    ----------
    path
        What it holds decides, not its name. A PLINK 2 fileset is named by its ``.pgen`` (its ``.pvar``
        or ``.psam`` will do).

    Raises
    ------
    DataError
        If it is missing, damaged or of another kind.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        from phenviz.variation.vcf_zarr import ZarrSource

        return ZarrSource(path)
    for suffix in _PLINK:
        if path.name.endswith(suffix):
            path = path.with_name(path.name.removesuffix(suffix) + ".pgen")
    if path.suffix == ".pgen" or _begins_with(path, _PGEN_MAGIC):
        if path.suffix in _PLINK_1:
            raise DataError(
                f"{path} is of PLINK 1, which keeps no phase: `plink2 --bfile {path.stem} --make-pgen` "
                "makes a .pgen of it, or give the VCF"
            )
        from phenviz.variation.pgen import PgenSource

        return PgenSource(path)
    from phenviz.variation.vcf import VcfSource

    return VcfSource(path)


def content_of(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    """Tell one state of a file of variants from another: its path, bytes, and last change (ns).

    A PLINK 2 fileset and a VCF Zarr store change with any of their files.
    """
    path = Path(path).expanduser().resolve()
    stats = [file.stat() for file in files_of(path)]
    return str(path), sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)


def files_of(path: Path) -> list[Path]:
    """Return the files that a file, a PLINK 2 fileset or a Zarr store consists of."""
    if path.is_dir():
        return [path, *path.rglob("*")]
    suffixes = (".pgen", *_PLINK)
    own = next((suffix for suffix in suffixes if path.name.endswith(suffix)), None)
    if own is None:
        return [path]
    stem = path.name.removesuffix(own)
    return [file for suffix in suffixes if (file := path.with_name(stem + suffix)).is_file()]


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as raw:
            return raw.read(len(magic)) == magic
    except OSError:
        # whoever opens it says what is wrong
        return False
