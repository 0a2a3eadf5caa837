"""Any torch module of the user's as a backbone, with clear errors for what it returns wrongly."""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from phenviz.data.project_contexts import contexts_of_names
from phenviz.errors import ModelError, PhenvizError
from phenviz.genome.contexts import Context, read_contexts
from phenviz.models.adapters.trunk import fill
from phenviz.models.averaged import AveragedBackbone
from phenviz.models.find_class import find_class, find_published
from phenviz.models.memory import out_of_memory
from phenviz.models.recompute import recompute_blocks
from phenviz.models.weights import hash_of_weights

if TYPE_CHECKING:
    from phenviz.data.project_backbone import NamedBackbone

UNITS = "predicted activity"
_OTHER_WEIGHTS = "give the 'options' that the model was trained with, or weights of this class"
GLOBAL = "global"
_FACTS = {
    "window": "the bases it was trained on",
    "bin_size": "the bases in one output bin",
    "receptive_field": f"the bases that one bin sees, or '{GLOBAL}' for a model that sees its whole window",
}
_SIZES = ("window", "bin_size")


class TorchModuleBackbone(nn.Module):
    """A torch module that keeps the protocol `phenviz.models.SequenceBackbone`, or a clear error.

    Parameters
    ----------
    module
        Turns one-hot (B, 4, L) into activity (B, C, L / bin_size), not negative. With methods ``encode``
        and ``activity``, the embedding between them is used, too (by readouts and disease models); without,
        the activity is its own embedding.
    contexts
        What the channels of the activity stand for, in order.
    name, window, bin_size, receptive_field
        As in the protocol; the receptive field is None for a global model.
    units
        Of the activity.
    weights_hash
        Tells the weights from others; None for the SHA-256 of all parameters and buffers.
    made_of
        What else its numbers depend on: class, options, code. Part of its identity.
    """

    def __init__(
        self,
        module: nn.Module,
        contexts: Sequence[Context],
        *,
        name: str,
        window: int,
        bin_size: int,
        receptive_field: int | None,
        units: str = UNITS,
        weights_hash: str | None = None,
        made_of: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.module = module
        self.contexts = read_contexts(contexts)
        self.name, self.window, self.bin_size, self.units = name, window, bin_size, units
        self.receptive_field = receptive_field
        self.weights_hash = weights_hash or hash_of_weights(module)
        self._made_of = dict(made_of or {})
        self._in_two_steps = all(callable(getattr(module, step, None)) for step in ("encode", "activity"))
        self.eval()

    def config(self) -> dict[str, Any]:
        """Return what the module was made of, for `phenviz.models.identity.model_identity`."""
        return self._made_of

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Turn one-hot (B, 4, L) into an embedding (B, D, L / bin_size).

        Raises
        ------
        ModelError
            If the module can't take this input, fails, or returns another shape.
        """
        fits = one_hot.ndim == 3 and one_hot.shape[1] == 4 and one_hot.shape[2] % self.bin_size == 0
        if not fits or (self.receptive_field is None and one_hot.shape[2] != self.window):
            length = f"{self.window:,}" if self.receptive_field is None else f"a multiple of {self.bin_size}"
            raise ModelError(
                f"{self.name} got an input of shape {tuple(one_hot.shape)}; it takes (batch, 4, {length})"
            )
        with self._naming(one_hot):
            found = self.module.encode(one_hot) if self._in_two_steps else self.module(one_hot)  # type: ignore[operator]
        bins = one_hot.shape[2] // self.bin_size
        channels = None if self._in_two_steps else len(self.contexts)
        return self._checked(
            found, (len(one_hot), channels, bins), "encode" if self._in_two_steps else "forward"
        )

    def activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Turn an embedding (B, D, bins) into activity (B, C, bins), not negative.

        Raises
        ------
        ModelError
            If the module fails, or returns another shape.
        """
        if not self._in_two_steps:
            return embedding
        with self._naming(embedding):
            found = self.module.activity(embedding)  # type: ignore[operator]
        return self._checked(found, (len(embedding), len(self.contexts), embedding.shape[2]), "activity")

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Return ``activity(encode(one_hot))``, shape (B, C, L / bin_size)."""
        return self.activity(self.encode(one_hot))

    def _checked(self, found: object, wanted: tuple[int, int | None, int], step: str) -> torch.Tensor:
        if not isinstance(found, torch.Tensor):
            raise ModelError(f"{step} of {self.name} returns a {type(found).__name__}: return one tensor")
        shape, (batch, channels, bins) = tuple(found.shape), wanted
        if len(shape) == 3 and shape[0] == batch and shape[2] == bins and channels in (None, shape[1]):
            return found
        shown = f"({batch}, {'channels' if channels is None else channels}, {bins})"
        raise ModelError(
            f"{step} of {self.name} returns the shape {shape} where {shown} is needed: "
            f"{_remedy(shape, wanted)}"
        )

    @contextmanager
    def _naming(self, given: torch.Tensor) -> Iterator[None]:
        """Say in which line of whose code a model failed; what is caught elsewhere passes."""
        try:
            yield
        except PhenvizError:
            raise
        except Exception as error:
            if out_of_memory(error) or (given.is_cuda and torch.cuda.is_current_stream_capturing()):
                raise
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if "torch" not in Path(frame.filename).parts]
            frame = (own or frames)[-1]
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise ModelError(
                f"{self.name} failed on an input of shape {tuple(given.shape)} ({frame.filename}, line "
                f"{frame.lineno}): {what}"
            ) from error


def load_torch_module(
    named: NamedBackbone, folder: Path | None = None, contexts: Sequence[Context] = ()
) -> TorchModuleBackbone | AveragedBackbone:
    """Make the backbone whose class, or whose name in a package's entry points, a ``project.yaml`` gives.

    Parameters
    ----------
    named
        The entry ``backbone``.
    folder
        Of the project, where modules are looked for first.
    contexts
        Those that the project lists, for a class that has none of its own.

    Raises
    ------
    ModelError
        If the class isn't found, can't be made, or the weights don't fit; if it isn't known how much it
        takes, how wide its bins are, what a bin sees, or what it predicts for; if its tracks can't be paired
        by strand, or it has no blocks whose activations could be computed anew.
    """
    make, code = find_class(named.class_name, folder) if named.class_name else find_published(named.kind)
    shown = named.class_name or named.kind
    module = _made(make, named.options, shown)
    weights_hash = None if named.weights is None else fill(module, named.weights, fix=_OTHER_WEIGHTS)
    window, bin_size = (_count(key, _fact(key, named.facts, module, shown), shown) for key in _SIZES)
    field = _fact("receptive_field", named.facts, module, shown)
    if window % bin_size:
        raise ModelError(
            f"{shown} has a window of {window:,} bases, no multiple of its bin size, {bin_size:,}: correct "
            "one of them"
        )
    if named.checkpointing and recompute_blocks(module) < 2:
        raise ModelError(
            f"{shown} isn't made of several blocks (modules that hold layers), so that 'checkpointing' would "
            "save no memory: leave it out, or call torch.utils.checkpoint in the class"
        )
    made_of = {"class": shown, "options": _plain(named.options), "code": code}
    backbone = TorchModuleBackbone(
        module,
        _own_contexts(module, shown) or contexts or _refuse_nameless(shown),
        name=str(named.facts.get("name") or getattr(module, "name", None) or shown.rpartition(":")[2]),
        units=str(named.facts.get("units") or getattr(module, "units", None) or UNITS),
        weights_hash=weights_hash,
        made_of=made_of,
        window=window,
        bin_size=bin_size,
        receptive_field=None if field in (None, GLOBAL) else _count("receptive_field", field, shown),
    )
    pairs = _strand_pair(named.facts, module, backbone, shown)
    return backbone if named.average is None else AveragedBackbone(backbone, named.average, partners=pairs)


def _strand_pair(
    said: Mapping[str, Any], module: nn.Module, backbone: TorchModuleBackbone, shown: str
) -> list[int] | None:
    """Return for each channel that of the other strand; None where nothing is said of strands."""
    given = said["strand_pair"] if "strand_pair" in said else getattr(module, "strand_pair", None)
    if given is None:
        return None
    count = len(backbone.contexts)
    try:
        pairs = [int(pair) for pair in given]
        paired = len(pairs) == count and all(pair >= 0 and pairs[pairs[pair]] == pair for pair in pairs)
    except (TypeError, ValueError, IndexError):
        paired = False
    if not paired or sorted(pairs) != list(range(count)):
        raise ModelError(
            f"{shown} has the strand_pair {given!r}: list for each of its {count} channels the number (from "
            "0) of the same measurement on the other strand, which is its own for one without a strand"
        )
    return pairs


def _made(make: Callable[..., Any], options: Mapping[str, Any], shown: str) -> nn.Module:
    try:
        module = make(**options)
    except PhenvizError:
        raise
    # whatever somebody else's constructor raises is the cause to name
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        taken = _parameters(make)
        raise ModelError(f"{shown} can't be made with the options {dict(options)}: {what}{taken}") from error
    if not isinstance(module, nn.Module):
        raise ModelError(f"{shown} makes a {type(module).__name__}, no torch.nn.Module: name another class")
    return module


def _parameters(make: Callable[..., Any]) -> str:
    try:
        return f"; it takes {', '.join(inspect.signature(make).parameters) or 'no options'}"
    except (TypeError, ValueError):
        return ""


def _fact(key: str, said: Mapping[str, Any], module: nn.Module, shown: str) -> Any:
    if key not in said and not hasattr(module, key):
        raise ModelError(
            f"{shown} doesn't say its {key}: add '{key}: ...' to 'backbone', or give the class an attribute "
            f"{key}; it is {_FACTS[key]}"
        )
    return said[key] if key in said else getattr(module, key)


def _count(key: str, value: Any, shown: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"{shown} has the {key} {value!r}: give a whole number of bases, {_FACTS[key]}")
    return value


def _own_contexts(module: nn.Module, shown: str) -> Sequence[Context]:
    own: Iterable[Any] = getattr(module, "contexts", ()) or ()
    listed = list(own)
    if all(isinstance(context, str) for context in listed):
        return contexts_of_names(listed)
    if not all(isinstance(context, Context) for context in listed):
        raise ModelError(f"the contexts of {shown} are neither names nor phenviz.Context: give one of these")
    return listed


def _refuse_nameless(shown: str) -> Sequence[Context]:
    raise ModelError(
        f"{shown} doesn't say what it predicts for: list its 'contexts' in the project.yaml, one for each "
        "output channel"
    )


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON has them, as keys of stored results are made of JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(options, default=str, sort_keys=True))
    return plain


def _remedy(shape: tuple[int, ...], wanted: tuple[int, int | None, int]) -> str:
    batch, channels, bins = wanted
    if len(shape) != 3:
        return "keep the axes batch, channel and bin"
    if shape[0] != batch:
        return "return one row for each sequence of the batch"
    if shape[1] == bins and channels in (None, shape[2]):
        return "swap the last two axes"
    if shape[2] < bins:
        return "return all bins; it must not crop, and bin_size must be the bases of one bin"
    if shape[2] > bins:
        return "bin_size must be the bases of one bin"
    return f"list {shape[1]} contexts, one for each channel, in the project's 'contexts'"
