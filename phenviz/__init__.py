"""PhenViz: see which bases matter, in which cell types, and what that means for disease.

>>> import phenviz
>>> world = phenviz.open_world()
>>> service = phenviz.ModelService(world)
>>> service.predict("HNF4A")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from phenviz.errors import PhenvizError

if TYPE_CHECKING:
    from phenviz.app.in_notebook import explore
    from phenviz.app.reports.make import report
    from phenviz.attribution import Target
    from phenviz.genome import Context, Locus
    from phenviz.models.predict_sequences import predict_sequences
    from phenviz.saving import save
    from phenviz.service import Job, ModelService
    from phenviz.tracks.notebook_view import view
    from phenviz.world import World, open_world

    __version__: str

__all__ = [
    "Context",
    "Job",
    "Locus",
    "ModelService",
    "PhenvizError",
    "Target",
    "World",
    "__version__",
    "explore",
    "open_world",
    "predict_sequences",
    "report",
    "save",
    "view",
]

# imported when first used: `phenviz --help` must not wait for torch and pandas
_ROOM_OF = {
    "Context": "phenviz.genome.contexts",
    "Job": "phenviz.service",
    "Locus": "phenviz.genome.locus",
    "ModelService": "phenviz.service",
    "Target": "phenviz.attribution",
    "World": "phenviz.world",
    "explore": "phenviz.app.in_notebook",
    "open_world": "phenviz.world",
    "predict_sequences": "phenviz.models.predict_sequences",
    "report": "phenviz.app.reports.make",
    "save": "phenviz.saving",
    "view": "phenviz.tracks.notebook_view",
}
_ROOMS = (
    "attribution",
    "data",
    "disease",
    "effects",
    "figures",
    "genome",
    "models",
    "results",
    "service",
    "tracks",
    "variation",
    "world",
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _installed_version()
    if name in _ROOMS:
        return importlib.import_module(f"phenviz.{name}")
    if name in _ROOM_OF:
        return getattr(importlib.import_module(_ROOM_OF[name]), name)
    raise AttributeError(f"module 'phenviz' has no attribute {name!r}")


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("phenviz")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF, *_ROOMS})
