"""What is measured of a backbone each time a world opens it, in a moment."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

import torch
from torch import nn

from phenviz.data.cache import cache_root, write_whole
from phenviz.errors import ModelError
from phenviz.models.averaged import AveragedBackbone
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.contract_clauses import BrokenClause, Trial, determinism, receptive_field
from phenviz.models.identity import model_identity

logger = logging.getLogger(__name__)

# a longer trial isn't a matter of a moment; `phenviz doctor` has the time
_MOST_BASES = 2**20
_REMEMBERED = 64
# what another device or version of a library may change
_TOLERANCE = 1e-2


def check_opened(backbone: SequenceBackbone) -> None:
    """Refuse a backbone whose results would be wrong without anybody noticing.

    Tried on random sequences: whether it gives the same numbers twice, whether a bin sees no more than its
    receptive field, and whether it is the network that was opened under the same name, options and hash
    before, since stored results are known by these. The first two are measured once for each network.

    Raises
    ------
    ModelError
        If it is in training mode, or one of these doesn't hold. What else is wrong with it is said where it
        is used, and by `phenviz.models.contract.check_backbone`.
    """
    if isinstance(backbone, nn.Module):
        for name, module in backbone.named_modules():
            if module.training:
                raise ModelError(f"{name or backbone.name} is in training mode: call .eval() on the model")
    # a mean is as good as its network, which takes but a moment
    trial = Trial(backbone.backbone if isinstance(backbone, AveragedBackbone) else backbone)
    try:
        if 3 * trial.bins * backbone.bin_size <= _MOST_BASES:
            _measure(trial, cache_root() / "opened" / f"{model_identity(trial.backbone)}.json")
    except BrokenClause as error:
        raise ModelError(f"{trial.backbone.name}: {error}") from error
    except _OtherNetwork:
        raise
    except ModelError as error:
        # whoever uses it is told
        logger.info("%s can't be tried: %s", backbone.name, error)


class _OtherNetwork(ModelError):
    """Two networks have one name and hash."""


def _measure(trial: Trial, path: Path) -> None:
    known = _read(path)
    if known is None:
        determinism(trial)
        receptive_field(trial)
    every = trial.activity[0].flatten().double().cpu()
    found = every[:: max(len(every) // _REMEMBERED, 1)]
    if known is None:
        # a cache that can't be written to is no reason not to work
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(found.tolist()).encode())
        return
    same = len(known) == len(found) and bool((known - found).abs().max() <= _TOLERANCE * known.abs().max())
    if not same:
        raise _OtherNetwork(
            f"{trial.backbone.name} gives other numbers than the network that had the same name, options and "
            f"hash ({trial.backbone.weights_hash[:12]}) before, and stored results can't tell them apart: "
            f"give it a weights_hash of its own; if it is the one that is right, delete {path} and the "
            "results that are stored"
        )


def _read(path: Path) -> torch.Tensor | None:
    try:
        return torch.tensor(json.loads(path.read_text(encoding="utf-8")), dtype=torch.float64)
    except (OSError, ValueError, TypeError):
        return None
