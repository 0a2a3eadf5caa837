"""``phenviz serve``: the dashboard."""

from __future__ import annotations

from pathlib import Path

import click

from phenviz.cli.common import PhenvizCommand, device_option, world_option
from phenviz.errors import PhenvizError


@click.command(cls=PhenvizCommand)
@world_option
@device_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5006, show_default=True, help="0 takes a free one."
)
@click.option("--no-browser", is_flag=True, help="Don't open a browser.")
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of VCFs that the pages Individual and Variants offer.",
)
def serve(world: str | None, device: str, port: int, no_browser: bool, files: Path | None) -> None:
    """Open the dashboard; Ctrl-C ends it."""
    from phenviz import open_world
    from phenviz.app.shell.serve import serve as serve_app

    opened = open_world(world)
    click.echo(f"PhenViz: http://localhost:{port}/  (Ctrl-C ends it)", err=True)
    try:
        serve_app(opened, device=device, port=port, show=not no_browser, files=files)
    except OSError as error:
        raise PhenvizError(
            f"port {port} can't be served on ({error}): is PhenViz running already? Give another with --port"
        ) from error
