"""Where a world lies, so that every worker opens it anew: models don't travel, paths do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.errors import Cancelled
from phenviz.world import World, open_world

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.progress import Progress
    from phenviz.service import Job

_SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class WorldAddress:
    """Paths of a world that all workers see.

    Parameters
    ----------
    project
        The ``project.yaml``; None for the embedded world.
    reference
        FASTA that the bases are read from; None for the world's own.
    """

    project: Path | None
    reference: Path | None = None

    @classmethod
    def of(cls, world: World) -> WorldAddress:
        """Return where an open world lies."""
        path = world.project.path
        own = open_world(path).project.reference
        other = None if own == world.project.reference else world.project.reference.absolute()
        return cls(None if path is None else path.absolute(), other)

    def open(self) -> World:
        """Open it in this process."""
        opened = open_world(self.project)
        if self.reference is None:
            return opened
        return World(replace(opened.project, reference=self.reference))


def wait_for(job: Job, progress: Progress) -> xr.Dataset:
    """Wait for a job of this process, and end it when the user asks to stop.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    try:
        while not job.wait(_SECONDS_BETWEEN_LOOKS):
            progress.check()
    except Cancelled:
        job.cancel()
        raise
    return job.result()
