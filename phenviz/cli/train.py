"""``phenviz train``: train the models of a world."""

from __future__ import annotations

import click

from phenviz.cli.common import PhenvizGroup


@click.group(cls=PhenvizGroup)
def train() -> None:
    """Train the models of a world."""
