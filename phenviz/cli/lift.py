"""``phenviz lift``: variants and intervals on another assembly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import PhenvizCommand, progress_bar, world_option
from phenviz.errors import DataError

if TYPE_CHECKING:
    from phenviz.genome import ReferenceGenome
    from phenviz.genome.chains import Chains

_VCF = (".vcf", ".vcf.gz", ".vcf.bgz")
_TABLES = (".tsv", ".tsv.gz", ".csv", ".csv.gz", ".parquet")
_EPILOG = (
    "TABLE is a table of variants or summary statistics (positions count from 1), a VCF or BCF (REF is "
    "compared with the other assembly), or a .bed file (0-based, half-open). What has no one place on the "
    "other assembly goes to the rejects, with the reason, and is counted."
)


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    return max((one for one in known if path.name.lower().endswith(one)), key=len, default="")


@click.command(cls=PhenvizCommand, epilog=_EPILOG)
@click.argument("table", metavar="TABLE", type=click.Path(path_type=Path))
@click.option(
    "--chain",
    required=True,
    metavar="FILE|PACK",
    help="Chain file from TABLE's assembly to the other one, or a data pack that has it: chain-hg38-to-hg19.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT",
    help=f"Of TABLE's kind: {' '.join(_VCF[:2])}, .bed, or {' '.join(_TABLES)}",
)  # fmt: skip
@click.option(
    "--rejects", type=click.Path(path_type=Path), metavar="FILE",
    help="Where the rejects go, with a suffix as for OUT.  [default: OUT with .rejects before its suffix]",
)  # fmt: skip
@click.option(
    "--reference", metavar="FASTA", help="Sequence of the other assembly; that of the world by default."
)
@click.option(
    "--min-mapped", type=click.FloatRange(0, 1, min_open=True), default=0.95, show_default=True,
    metavar="SHARE", help="Share of the bases of a BED interval that must correspond.",
)  # fmt: skip
@world_option
def lift(
    table: Path,
    chain: str,
    output: Path,
    rejects: Path | None,
    reference: str | None,
    min_mapped: float,
    world: str | None,
) -> None:
    """Lift variants or intervals over to another assembly."""
    from phenviz.disease.lift_table import lift_table
    from phenviz.variation.lift_files import lift_bed, lift_vcf

    known = _outputs(table)
    left = _rejects(output, known) if rejects is None else rejects
    _check_files(table, output, left, known)
    with progress_bar("cancelled; nothing was written") as progress:
        chains = _open_chain(chain)
        if known == (".bed",):
            report = lift_bed(table, output, left, chains, least=min_mapped, progress=progress)
        else:
            write = lift_vcf if known == _VCF else lift_table
            report = write(table, output, left, chains, _open_reference(reference, world), progress=progress)
    click.echo(report.describe(), err=True)
    if report.rejected["not_in_reference"]:
        click.echo("note: give the whole FASTA of the other assembly with --reference", err=True)
    click.echo(output)
    click.echo(left)


def _outputs(table: Path) -> tuple[str, ...]:
    """Return the suffixes that the outputs may have."""
    name = table.name.lower()
    if name.endswith((*_VCF, ".bcf")):
        return _VCF
    return (".bed",) if name.removesuffix(".gz").endswith((".bed", ".narrowpeak", ".broadpeak")) else _TABLES


def _rejects(output: Path, known: tuple[str, ...]) -> Path:
    suffix = output.name[len(output.name) - len(_suffix(output, known)) :] if _suffix(output, known) else ""
    return output.with_name(f"{output.name.removesuffix(suffix)}.rejects{suffix}")


def _check_files(table: Path, output: Path, rejects: Path, known: tuple[str, ...]) -> None:
    from phenviz.results.writing import check_suffix

    if not table.is_file():
        raise DataError(f"{table} is missing: check the path")
    for path in (output, rejects):
        check_suffix(path, known)
        if path.exists() and path.samefile(table):
            raise click.UsageError(f"{path} is the file to be read: choose another name")
    if output.absolute() == rejects.absolute():
        raise click.UsageError("--rejects is the same file as -o: choose another name")


def _open_chain(name: str) -> Chains:
    from phenviz.data.packs import find_pack, require_pack
    from phenviz.genome.chains import Chains

    path = Path(name).expanduser()
    if not path.exists() and not path.suffix:
        pack = find_pack(name)
        files = [file.name for file in pack.files if file.name.endswith((".chain", ".chain.gz"))]
        if not files:
            raise DataError(f"data pack {name} holds no chain file: give another, or a file")
        path = require_pack(name, files[0])
    return Chains(path)


def _open_reference(reference: str | None, world: str | None) -> ReferenceGenome:
    from phenviz.data.cache import cache_dir
    from phenviz.genome import ReferenceGenome
    from phenviz.world import open_world

    if reference is None:
        return open_world(world).reference
    path = Path(reference).expanduser()
    return ReferenceGenome(path, assembly=path.name, cache_dir=cache_dir())
