"""Sequence models: the protocol, the embedded local backbone, its checkpoints, training and evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phenviz.models.backbone import SequenceBackbone, halo
    from phenviz.models.checkpoint import load_backbone, read_card, save_backbone
    from phenviz.models.evaluation import evaluate_backbone
    from phenviz.models.local import LocalBackbone
    from phenviz.models.training import TrainingConfig, train_backbone

__all__ = [
    "LocalBackbone",
    "SequenceBackbone",
    "TrainingConfig",
    "evaluate_backbone",
    "halo",
    "load_backbone",
    "read_card",
    "save_backbone",
    "train_backbone",
]

# imported when first used: the command line reads submodules that need no torch
_ROOM_OF = {
    "LocalBackbone": "local",
    "SequenceBackbone": "backbone",
    "TrainingConfig": "training",
    "evaluate_backbone": "evaluation",
    "halo": "backbone",
    "load_backbone": "checkpoint",
    "read_card": "checkpoint",
    "save_backbone": "checkpoint",
    "train_backbone": "training",
}


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOM_OF])
