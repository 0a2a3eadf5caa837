"""``phenviz serve``: the dashboard."""

from __future__ import annotations

from pathlib import Path

import click

from phenviz.cli.common import PhenvizCommand, device_option, with_options, world_option
from phenviz.errors import PhenvizError

_server_options = with_options(
    click.option(
        "--address",
        default="localhost",
        show_default=True,
        metavar="ADDRESS",
        help="Interface to listen on; 0.0.0.0 for all: others can then reach the dashboard.",
    ),
    click.option(
        "--allow-origin",
        "origins",
        multiple=True,
        metavar="HOST[:PORT]",
        help="Name by which browsers reach it, as in their address bar; may be repeated.  [default: this "
        "machine's own]",
    ),
    click.option("--prefix", default="", metavar="PATH", help="Path that it stands under behind a proxy."),
    click.option("--behind-proxy", is_flag=True, help="Take who asks from the headers that a proxy sets."),
    click.option(
        "--basic-auth",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="JSON",
        help="Ask for a login: file with a password for each user.",
    ),
    click.option(
        "--oauth",
        metavar="PROVIDER",
        help="Ask for a login at github, google, azure ... (Panel's providers); PANEL_OAUTH_KEY, "
        "PANEL_OAUTH_SECRET and PANEL_OAUTH_ENCRYPTION are read from the environment.",
    ),
    click.option(
        "--max-upload",
        metavar="SIZE",
        help="Largest file that is taken from a browser.  [default: PHENVIZ_MAX_UPLOAD, else 512MiB]",
    ),
    click.option(
        "--max-jobs",
        metavar="COUNT",
        help="Jobs that one user may have waiting or running.  [default: PHENVIZ_MAX_JOBS, else 64]",
    ),
    click.option(
        "--max-memory",
        metavar="SIZE",
        help="Memory for what is kept of results, of all users.  [default: PHENVIZ_MAX_MEMORY, else 2GiB]",
    ),
)


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
@click.option(
    "--shards",
    "shard_places",
    multiple=True,
    metavar="DIR",
    help="Show everybody how far a run of shards is: its OUT.shards, or what --shards-at named; may be "
    "repeated.",
)
@_server_options
def serve(
    world: str | None,
    device: str,
    port: int,
    no_browser: bool,
    files: Path | None,
    shard_places: tuple[str, ...],
    address: str,
    origins: tuple[str, ...],
    prefix: str,
    behind_proxy: bool,
    basic_auth: Path | None,
    oauth: str | None,
    max_upload: str | None,
    max_jobs: str | None,
    max_memory: str | None,
) -> None:
    """Open the dashboard; Ctrl-C ends it."""
    from phenviz import open_world
    from phenviz.app.shell.limits import read_limits
    from phenviz.app.shell.serve import serve as serve_app

    if basic_auth is not None and oauth is not None:
        raise click.UsageError("--basic-auth and --oauth are two ways to log in: give one of them")
    limits = read_limits(max_upload, max_jobs, max_memory)
    opened = open_world(world)
    place = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    click.echo(f"PhenViz: http://{address}:{port}/{place}  (Ctrl-C ends it)", err=True)
    wanted = {
        "address": address if address != "localhost" else "", "origins": origins, "prefix": prefix,
        "behind_proxy": behind_proxy, "basic_auth": basic_auth, "oauth": oauth, "shard_places": shard_places,
        # the server reads those of the environment itself
        "limits": limits if max_upload or max_jobs or max_memory else None,
    }  # fmt: skip
    given = {name: value for name, value in wanted.items() if value}
    try:
        serve_app(opened, device=device, port=port, show=not no_browser, files=files, **given)  # type: ignore[arg-type]
    except OSError as error:
        raise PhenvizError(
            f"port {port} can't be served on ({error}): is PhenViz running already? Give another with --port"
        ) from error
