"""``phenviz data``: list, fetch, verify, find and remove data packs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import PhenvizGroup, progress_bar
from phenviz.errors import DataError

if TYPE_CHECKING:
    from phenviz.data.manifests import Pack


@click.group(cls=PhenvizGroup)
def data() -> None:
    """List, fetch, verify, find and remove data packs."""


@data.command("list")
def list_packs() -> None:
    """Show every data pack: size, whether it is here, what it holds."""
    from phenviz.data import packs

    for pack in packs.list_packs():
        here = "here" if packs.has_pack(pack.name) else "-"
        about = "" if all(file.bytes for file in pack.files) else "~"
        size = f"{about}{pack.bytes / 1e6:,.1f} MB" if pack.bytes else "? MB"
        assembly = f" [{pack.assembly}]" if pack.assembly else ""
        terms = " (terms)" if pack.terms else ""
        click.echo(f"{pack.name:<24}{size:>12}  {here:<5} {pack.title}{assembly}{terms}")


@data.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--mirror", metavar="DIR|URL", help="Copy from this directory or address; PHENVIZ_MIRROR by default."
)
@click.option(
    "--offline", is_flag=True, help="Fetch nothing from the web; also where PHENVIZ_OFFLINE is set."
)
@click.option("--accept-terms", is_flag=True, help="Agree to the terms of the packs that have some.")
def fetch(names: tuple[str, ...], mirror: str | None, offline: bool, accept_terms: bool) -> None:
    """Fetch data packs into the cache; what is there is kept, and what was cut is gone on with."""
    from phenviz.data import packs

    # a wrong name is said before anything is downloaded
    chosen = [packs.find_pack(name) for name in names]
    for pack in chosen:
        _ask_terms(pack, accept_terms)
    for pack in chosen:
        with progress_bar(
            "cancelled; what was finished is kept, and the next time goes on from there"
        ) as bar:
            folder = packs.fetch_pack(pack.name, mirror=mirror, progress=bar, offline=offline or None)
        click.echo(folder)
        click.echo(f"{pack.name}: {pack.licence}. Cite {pack.citation}", err=True)
        if trusted := [file.name for file in pack.files if not file.sha256]:
            click.echo(
                f"note: no checksum is published of {', '.join(trusted)}: trusted when first fetched, and "
                f"verified from now on by {folder / 'lock.json'}",
                err=True,
            )


def _ask_terms(pack: Pack, agreed: bool) -> None:
    """Ask for agreement to a pack's terms once; where nobody can answer, say which option agrees."""
    from phenviz.data.terms import TermsNotAccepted, accept_terms, require_terms

    try:
        require_terms(pack)
    except TermsNotAccepted:
        if not agreed:
            if not sys.stdin.isatty():
                raise
            click.echo(f"{pack.name} comes under terms: {pack.terms}", err=True)
            click.confirm("Do you agree?", abort=True, err=True)
        accept_terms(pack)


@data.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
def verify(names: tuple[str, ...]) -> None:
    """Compare the embedded files and all fetched packs, or those named, with their checksums."""
    from phenviz.data import packs

    chosen = {packs.find_pack(name).name for name in names}
    embedded = [] if chosen else packs.verify_embedded()
    checks = [*embedded, *(check for check in packs.verify_packs() if not chosen or check.pack in chosen)]
    if lacking := sorted(chosen - {check.pack for check in checks}):
        raise DataError(
            f"{', '.join(lacking)}: not fetched yet: run `phenviz data fetch {' '.join(lacking)}`"
        )
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


@data.command()
@click.argument("name", metavar="NAME")
def where(name: str) -> None:
    """Print where the files of a data pack lie."""
    from phenviz.data import packs

    for file in packs.find_pack(name).files:
        click.echo(packs.require_pack(name, file.name))


@data.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Remove data packs from the cache, and forget the checksums of those that were trusted."""
    from phenviz.data import packs

    for pack in [packs.find_pack(name) for name in names]:
        freed = packs.remove_pack(pack.name)
        click.echo(
            f"{pack.name}: {freed / 1e6:,.1f} MB freed" if freed else f"{pack.name}: nothing in the cache"
        )
