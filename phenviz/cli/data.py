"""``phenviz data``: list, fetch and verify data packs."""

from __future__ import annotations

import click

from phenviz.cli.common import PhenvizGroup, progress_bar
from phenviz.errors import DataError


@click.group(cls=PhenvizGroup)
def data() -> None:
    """List, fetch and verify data packs."""


@data.command("list")
def list_packs() -> None:
    """Show every data pack: size, whether it is here, what it holds."""
    from phenviz.data import packs

    for pack in packs.list_packs():
        here = "here" if packs.has_pack(pack.name) else "-"
        assembly = f" [{pack.assembly}]" if pack.assembly else ""
        click.echo(f"{pack.name:<24}{pack.bytes / 1e6:>7.1f} MB  {here:<5} {pack.title}{assembly}")


@data.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--mirror", metavar="DIR", help="Copy from this directory; PHENVIZ_MIRROR by default.")
def fetch(names: tuple[str, ...], mirror: str | None) -> None:
    """Fetch data packs into the cache; what is there is kept."""
    from phenviz.data import packs

    # a wrong name is said before anything is downloaded
    chosen = [packs.find_pack(name) for name in names]
    for pack in chosen:
        with progress_bar() as progress:
            folder = packs.fetch_pack(pack.name, mirror=mirror, progress=progress)
        click.echo(folder)
        click.echo(f"{pack.name}: {pack.licence}. Cite {pack.citation}", err=True)


@data.command()
def verify() -> None:
    """Compare the embedded files and all fetched packs with their checksums."""
    from phenviz.data import packs

    checks = [*packs.verify_embedded(), *packs.verify_packs()]
    bad = [check for check in checks if check.problem]
    for check in bad:
        click.echo(f"{check.pack}: {check.path}: {check.problem}")
    if bad:
        wrong = sorted({check.pack for check in bad})
        fixes = [
            "reinstall PhenViz" if name == "embedded" else f"run `phenviz data fetch {name}`"
            for name in wrong
        ]
        raise DataError(f"{len(bad)} of {len(checks)} files are missing or damaged: {', '.join(fixes)}")
    click.echo(f"{len(checks)} files are whole")
