"""``phenviz doctor``: what works here, on one screen."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING

import click

from phenviz import __version__
from phenviz.cli.common import PhenvizCommand, device_option, world_option
from phenviz.errors import PhenvizError

if TYPE_CHECKING:
    from phenviz.world import World

_SHOWN_LIBRARIES = ("torch", "captum", "numpy", "pandas", "xarray", "panel", "holoviews", "bokeh")


@click.command(cls=PhenvizCommand)
@world_option
@device_option
def doctor(world: str | None, device: str) -> None:
    """Show device, versions, world, model, cache and free memory."""
    from phenviz.world import open_world

    opened = open_world(world)
    parts: dict[str, Callable[[], str]] = {
        "phenviz": _versions,
        "libraries": _libraries,
        "device": lambda: _device(device),
        "world": lambda: _world(opened),
        "model": lambda: _model(opened),
        "readout": lambda: _readout(opened),
        "memory": _memory,
        "cache": _cache,
        "packs": _packs,
        "embedded": _embedded,
    }
    problems = 0
    for name, describe in parts.items():
        try:
            text = describe()
        except (PhenvizError, OSError) as error:
            problems += 1
            text = f"PROBLEM: {error}"
        click.echo(f"{name:<10} {text}")
    if problems:
        raise PhenvizError(f"{problems} of {len(parts)} checks failed: see above")


def _versions() -> str:
    return f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"


def _libraries() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in _SHOWN_LIBRARIES)


def _device(name: str) -> str:
    from phenviz.service import available_devices, pick_device

    chosen = pick_device(name)
    cores = f", {os.cpu_count()} cores" if chosen.type == "cpu" else ""
    return f"{chosen}{cores} (available: {', '.join(available_devices())})"


def _world(world: World) -> str:
    contigs = world.reference.contigs
    genes = len(world.annotation.genes)
    vcfs = len(world.project.individuals)
    return (
        f"{world.name}: {world.assembly}, {len(contigs)} contigs, {sum(contigs.values()):,} bp, "
        f"{genes:,} genes, {vcfs} VCF{'' if vcfs == 1 else 's'}"
    )


def _model(world: World) -> str:
    backbone = world.backbone
    reach = f"{backbone.receptive_field:,} bp" if backbone.receptive_field else "the whole window"
    return (
        f"{backbone.name} ({backbone.weights_hash[:12]}), {len(backbone.contexts)} contexts, "
        f"{backbone.bin_size} bp bins, sees {reach}"
    )


def _readout(world: World) -> str:
    readout = world.readout
    return "none (no gene expression)" if readout is None else f"{readout.name} ({readout.weights_hash[:12]})"


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB"


def _cache() -> str:
    from phenviz.data.cache import cache_dir, cache_size

    folder = cache_dir()
    free = shutil.disk_usage(folder).free
    return f"{folder}: {cache_size() / 1e6:,.1f} MB used, {free / 1e9:.1f} GB free on its disk"


def _packs() -> str:
    from phenviz.data import packs

    every = packs.list_packs()
    here = [pack.name for pack in every if packs.has_pack(pack.name)]
    return f"{len(here)} of {len(every)} here{': ' if here else ''}{', '.join(here)}"


def _embedded() -> str:
    from phenviz.data.packs import verify_embedded

    bad = [f"{check.path.name} ({check.problem})" for check in verify_embedded() if check.problem]
    if bad:
        raise PhenvizError(f"{', '.join(bad)}: reinstall PhenViz")
    return "all files are whole"
