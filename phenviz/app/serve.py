"""Start the dashboard's server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import panel as pn

from phenviz.app.pages.explore import explore_page
from phenviz.app.runtime import Runtime

if TYPE_CHECKING:
    from panel.io.server import Server

    from phenviz.world import World

LOG = logging.getLogger("phenviz.app")


def serve(
    world: World | None = None,
    device: str = "auto",
    port: int = 5006,
    show: bool = True,
    *,
    address: str = "localhost",
    threaded: bool = False,
) -> Server:
    """Serve the dashboard until it is interrupted.

    Parameters
    ----------
    world
        What to look at; the embedded world by default.
    device
        Where the model runs: ``auto``, ``cpu``, ``cuda:0``, ``mps``.
    port
        TCP port; 0 takes a free one.
    show
        Whether to open a browser.
    address
        Interface to listen on; others than ``localhost`` make the dashboard reachable from elsewhere.
    threaded
        Whether to serve from a thread and return at once.
    """
    if world is None:
        from phenviz.world import open_world

        world = open_world()
    runtime = Runtime(world, device).warm().start()
    return pn.serve(
        {"/": lambda: explore_page(runtime)},
        title="PhenViz",
        port=port,
        show=show,
        address=address,
        websocket_origin="*" if address in ("0.0.0.0", "::") else None,
        threaded=threaded,
    )
