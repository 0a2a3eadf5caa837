"""Windows of a reference as a backbone takes them, and the contexts asked for as channel numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.genome.codes import one_hot
from phenviz.genome.contexts import FOLD_ENRICHMENT, Context, choose_contexts
from phenviz.models.backbone import SequenceBackbone

if TYPE_CHECKING:
    from phenviz.models.readout import GeneReadout


class BaseSource(Protocol):
    """Where bases come from: a `ReferenceGenome`, a haplotype in its coordinates, a sequence by itself."""

    def fetch_codes(self, contig: str, start: int, end: int) -> NDArray[np.uint8]:
        """Return codes from start to end (0-based half-open); what overhangs the contig is N."""


def placement(backbone: SequenceBackbone) -> tuple[torch.device, torch.dtype]:
    """Tell on which device and in which precision a backbone computes: those of its first weights."""
    weights = (getattr(backbone, name, None) for name in ("parameters", "buffers"))
    for tensor in chain.from_iterable(listed() for listed in weights if listed is not None):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


def one_hot_window(
    reference: BaseSource, contig: str, start: int, end: int, backbone: SequenceBackbone
) -> torch.Tensor:
    """Return the bases from start to end (0-based half-open) on the backbone's device, (1, 4, bases).

    What overhangs the contig is N, and so all zero: every result is that of the contig with unknown
    sequence on both sides, wherever a tile ends.
    """
    device, dtype = placement(backbone)
    return one_hot_tensor(reference.fetch_codes(contig, start, end), device, dtype)[None]


def one_hot_tensor(codes: NDArray[np.uint8], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Turn codes (..., L) into one-hot (..., 4, L) on a device, in a precision."""
    return torch.from_numpy(one_hot(codes)).to(device=device, dtype=dtype)


def select_contexts(
    backbone: SequenceBackbone, contexts: Sequence[Context | str] | Context | str | None
) -> tuple[tuple[Context, ...], list[int]]:
    """Find contexts among a backbone's own.

    Parameters
    ----------
    backbone
        Model whose contexts are meant.
    contexts
        Contexts, or their names, labels, CURIEs or groups (case-insensitive); None for all.

    Returns
    -------
    tuple
        The contexts in the order asked for, each once, and their channels in `SequenceBackbone.activity`.

    Raises
    ------
    TargetError
        If the backbone doesn't predict one of them, or none was asked for.
    """
    if contexts is None:
        return backbone.contexts, list(range(len(backbone.contexts)))
    asked = [contexts] if isinstance(contexts, (Context, str)) else list(contexts)

    def unknown(name: str) -> str:
        known = ", ".join(own.name for own in backbone.contexts[:20])
        return f"{backbone.name} doesn't predict {name!r}: choose among {known}"

    channels = choose_contexts(backbone.contexts, asked, unknown)
    return tuple(backbone.contexts[channel] for channel in channels), channels


def units_in(model: SequenceBackbone | GeneReadout, contexts: Iterable[Context]) -> str:
    """Return the unit of what a model predicts in some of its contexts: one where they share it, else all."""
    own = {context.units for context in contexts}
    if len(own) == 1 and any(context.unit for context in model.contexts):
        return own.pop()
    return str(getattr(model, "units", FOLD_ENRICHMENT))
