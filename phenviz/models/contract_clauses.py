"""The clauses of the contract of backbones: what each asks for, and how to mend what breaks it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.windows import one_hot_tensor, placement

# relative to the largest value: what the order of additions in single precision may change
TOLERANCE = 1e-4
# of the tile that a local model is tried on, beside its margins
_INNER_BINS = 6


class BrokenClause(ModelError):
    """A backbone doesn't keep a clause of the contract; says which, how, and what to do."""


@dataclass
class Trial:
    """A backbone, and the random sequences that it is tried on.

    Parameters
    ----------
    backbone
        Stays on its device; it is copied where a clause moves it.
    seed
        Of the sequences.
    """

    backbone: SequenceBackbone
    seed: int = 0

    @property
    def bins(self) -> int:
        """Bins of the sequences: a window of a global model; of a local one its margins and a few more."""
        if self.backbone.receptive_field is None:
            return self.backbone.window // self.backbone.bin_size
        return 2 * self.margin + _INNER_BINS

    @property
    def margin(self) -> int:
        """Bins at each end that don't see all they would see in a longer sequence."""
        return halo(self.backbone) // self.backbone.bin_size

    @cached_property
    def codes(self) -> np.ndarray:
        """Three random sequences, (3, bases)."""
        generator = np.random.default_rng(self.seed)
        return generator.integers(0, 4, (3, self.bins * self.backbone.bin_size)).astype(np.uint8)

    @cached_property
    def bases(self) -> torch.Tensor:
        """The same one-hot, (3, 4, bases), where the backbone computes."""
        return self.one_hot(self.codes)

    @cached_property
    def embedding(self) -> torch.Tensor:
        """What the backbone makes of the first two, (2, D, bins)."""
        return self.encode(self.bases[:2])

    @cached_property
    def activity(self) -> torch.Tensor:
        """Activity of the first two, (2, C, bins)."""
        with torch.inference_mode():
            return self.backbone.activity(self.embedding)

    def one_hot(self, codes: np.ndarray) -> torch.Tensor:
        """Turn codes (B, bases) into what the backbone takes."""
        return one_hot_tensor(codes, *placement(self.backbone))

    def encode(self, bases: torch.Tensor, backbone: SequenceBackbone | None = None) -> torch.Tensor:
        """Encode as predictions do, without gradients."""
        with torch.inference_mode():
            return (backbone or self.backbone).encode(bases)


def attributes(trial: Trial) -> None:
    """Say name, weights hash, window, bin size and receptive field."""
    backbone: Any = trial.backbone
    for name in ("name", "weights_hash"):
        value = getattr(backbone, name, None)
        _hold(isinstance(value, str) and value, f"{name} is {value!r}: set it to a text")
    _hold(
        backbone.weights_hash != "unsaved",
        "weights_hash is 'unsaved': set it to a hash of the weights, which stored results are known by",
    )
    for name in ("bin_size", "window"):
        value = getattr(backbone, name, None)
        _hold(_is_count(value), f"{name} is {value!r}: set it to a whole number of bases")
    _hold(
        backbone.window % backbone.bin_size == 0,
        f"window {backbone.window:,} is no multiple of bin_size {backbone.bin_size:,}: bins must fill it",
    )
    field = getattr(backbone, "receptive_field", 0)
    _hold(
        field is None or _is_count(field),
        f"receptive_field is {field!r}: set it to the bases that one bin sees, or None for a global model",
    )


def contexts(trial: Trial) -> None:
    """Name one `phenviz.Context` for each channel, each by a name of its own."""
    listed = getattr(trial.backbone, "contexts", ())
    _hold(
        isinstance(listed, tuple) and listed and all(isinstance(context, Context) for context in listed),
        f"contexts is {listed!r}: set it to a tuple of phenviz.Context",
    )
    names = [context.name for context in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    _hold(not twice, f"two contexts are named {twice[:1]}: give each a name of its own")
    channels = trial.activity.shape[1]
    _hold(channels == len(listed), f"{len(listed)} contexts for {channels} channels: list one for each")


def shapes(trial: Trial) -> None:
    """Turn (B, 4, L) into an embedding (B, D, L / bin_size) and an activity (B, C, L / bin_size)."""
    for what, found in (("encode", trial.embedding), ("activity", trial.activity)):
        _hold(
            found.ndim == 3 and found.shape[0] == 2 and found.shape[2] == trial.bins,
            f"{what} returns the shape {tuple(found.shape)} for 2 sequences of {trial.bins} bins: return "
            f"(2, channels, {trial.bins}), without cropping",
        )
    with torch.inference_mode():
        called = trial.backbone(trial.bases[:2])
    _same(called, trial.activity, "calling it isn't activity(encode(x)): make __call__ just that")


def lengths(trial: Trial) -> None:
    """Take any multiple of the bin size (local), or the window (global)."""
    backbone = trial.backbone
    for bins in (1, 3, 2 * trial.margin + 1) if backbone.receptive_field is not None else (trial.bins,):
        found = trial.encode(trial.bases[:1, :, : bins * backbone.bin_size])
        _hold(
            found.shape[2] == bins,
            f"{bins} bins of sequence become {found.shape[2]}: pad each layer by half its width, and pool "
            "without remainder",
        )


def values(trial: Trial) -> None:
    """Return activity that is finite and not negative, on the device of the weights."""
    found, (device, _) = trial.activity, placement(trial.backbone)
    _hold(found.is_floating_point(), f"activity is {found.dtype}: return floating point numbers")
    _hold(found.device == device, f"activity lies on {found.device}, the weights on {device}: leave it there")
    _hold(bool(torch.isfinite(found).all()), "activity holds NaN or infinity: mend the layer that makes it")
    lowest = float(found.min())
    _hold(lowest >= 0, f"activity is as low as {lowest:.3g}: end with softplus, ReLU or exp (a linear scale)")


def reads_sequence(trial: Trial) -> None:
    """Give other sequences other activities."""
    first, second = trial.activity[:2]
    _hold(
        float((first - second).abs().max()) > TOLERANCE * float(first.abs().max()),
        "two random sequences have the same activity: are the weights loaded, and does the input reach the "
        "output?",
    )


def unknown_bases(trial: Trial) -> None:
    """Take N, all zero, anywhere, and stay finite."""
    holed = trial.bases[:1].clone()
    middle = holed.shape[2] // 2
    holed[:, :, middle - trial.backbone.bin_size : middle + trial.backbone.bin_size] = 0
    for bases, where in ((holed, "in the middle"), (torch.zeros_like(holed), "everywhere")):
        with torch.inference_mode():
            found = trial.backbone(bases)
        _hold(
            bool(torch.isfinite(found).all()),
            f"N {where} gives NaN or infinity: a division by the sum or norm of the input?",
        )


def input_is_kept(trial: Trial) -> None:
    """Leave the input as it is."""
    bases = trial.bases[:1].clone()
    trial.encode(bases)
    _hold(
        torch.equal(bases, trial.bases[:1]), "encode changes its input: use x + y, not x += y, at the start"
    )
    embedding = trial.embedding.clone()
    with torch.inference_mode():
        trial.backbone.activity(embedding)
    _hold(torch.equal(embedding, trial.embedding), "activity changes its input: use x + y, not x += y")


def determinism(trial: Trial) -> None:
    """Give a sequence the same numbers each time."""
    training = getattr(trial.backbone, "training", False)
    _hold(not training, "it is in training mode: call .eval() on it")
    _same(
        trial.encode(trial.bases[:2]),
        trial.embedding,
        "a second call gives other numbers: is there dropout, noise or a running state in forward?",
    )


def batch_invariance(trial: Trial) -> None:
    """Give a sequence the same numbers in any batch."""
    three = trial.encode(trial.bases)
    _same(three[:2], trial.embedding, "a third sequence in the batch changes the other two", _BATCH)
    _same(
        trial.encode(trial.bases[1:2]), trial.embedding[1:], "alone, a sequence gives other numbers", _BATCH
    )


def receptive_field(trial: Trial) -> None:
    """See the receptive field, with the bin in its centre, and no more (local)."""
    backbone = trial.backbone
    if backbone.receptive_field is None:
        return
    size, margin = backbone.bin_size, trial.margin
    embedding = trial.encode(trial.bases)
    # several bins of several sequences: a maximum over a bin rarely shows what its outermost base sees
    for number in range(_INNER_BINS):
        middle = margin + number
        first, end = (middle - margin) * size, (middle + 1 + margin) * size
        changed = (trial.codes + np.uint8(number % 3 + 1)) % 4
        changed[:, first:end] = trial.codes[:, first:end]
        _same(
            trial.encode(trial.one_hot(changed))[:, :, middle],
            embedding[:, :, middle],
            f"a bin changes with bases that are further away than receptive_field = "
            f"{backbone.receptive_field:,} says",
            "count it again: 1 + sum of (kernel - 1) * dilation * stride over all layers, pooling included; "
            "or None (global) where a layer sees everything, as attention and normalisation over bases do",
        )


def tiles(trial: Trial) -> None:
    """Give a tile with its margins what a long sequence gives (local)."""
    backbone = trial.backbone
    if backbone.receptive_field is None:
        return
    margin = trial.margin
    for start, bins in ((0, 1), (1, 2), (3, _INNER_BINS - 3)):
        left, right = start * backbone.bin_size, (start + bins + 2 * margin) * backbone.bin_size
        tile = trial.encode(trial.bases[:2, :, left:right])[:, :, margin : margin + bins]
        _same(
            tile,
            trial.embedding[:, :, start + margin : start + margin + bins],
            "a bin has another value in a short tile than in a long sequence",
            "use no position within the window and no normalisation over it; bins begin at multiples of "
            "bin_size of the input",
        )


def gradients(trial: Trial) -> None:
    """Let gradients reach the bases, also after predictions without them."""
    trial.encode(trial.bases[:1])
    bases = trial.bases[:1].clone().requires_grad_()
    trial.backbone.activity(trial.backbone.encode(bases)).sum().backward()
    found = bases.grad
    _hold(found is not None, "no gradient reaches the input: is there detach(), no_grad() or argmax in it?")
    assert found is not None
    _hold(bool(torch.isfinite(found).all()), "gradients are NaN or infinite: mend the layer that makes them")
    _hold(bool(found.any()), "all gradients are 0: attributions would be, too")


def threads(trial: Trial) -> None:
    """Serve several threads at a time."""
    rows = [trial.bases[row : row + 1] for row in (0, 1, 0, 1)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(trial.encode, rows))
    for row, embedding in zip((0, 1, 0, 1), found, strict=True):
        _same(
            embedding,
            trial.embedding[row : row + 1],
            "two threads at a time get other numbers: keep nothing of a call in the module",
            _BATCH,
        )


def copies(trial: Trial) -> None:
    """Stay the same as a copy."""
    twin = copy.deepcopy(trial.backbone)
    _same(trial.encode(trial.bases[:2], twin), trial.embedding, "a deep copy gives other numbers")


def moves(trial: Trial) -> None:
    """Move to other devices as a whole."""
    backbone = trial.backbone
    if not isinstance(backbone, torch.nn.Module):
        return
    for name, module in backbone.named_modules():
        loose = [key for key, value in vars(module).items() if isinstance(value, torch.Tensor)]
        _hold(
            not loose,
            f"the tensor {'.'.join(filter(None, [name, *loose[:1]]))} is a plain attribute, which stays "
            "behind when the model moves: use register_buffer",
        )
    # a device without memory: what is made on the CPU in the middle of a call is refused there
    try:
        twin = copy.deepcopy(backbone).to("meta")
        twin.activity(twin.encode(trial.bases[:1].to("meta")))
    except (RuntimeError, ModelError) as error:
        # what can't be computed without numbers at all tells nothing of devices
        message = str(error)
        _hold(
            "expected device" not in message and "same device" not in message,
            f"it computes with a tensor that stays on the CPU ({message[:200]}): make it with "
            "device=x.device",
        )
    for device in _accelerators():
        moved = copy.deepcopy(backbone).to(device).eval()
        found = trial.encode(trial.bases[:2].to(device), moved).to(trial.embedding)
        _same(found, trial.embedding, f"on {device} it gives other numbers", tolerance=1e-2)


def double_precision(trial: Trial) -> None:
    """Compute the same in double precision."""
    backbone = trial.backbone
    if not isinstance(backbone, torch.nn.Module) or placement(backbone)[0].type == "mps":
        return
    twin = copy.deepcopy(backbone).double()
    found = trial.encode(trial.bases[:2].double(), twin)
    _hold(found.dtype == torch.float64, f"it returns {found.dtype}: convert nothing to float32 within")
    _same(
        found.to(trial.embedding),
        trial.embedding,
        "in double precision it gives other numbers",
        tolerance=1e-2,
    )


_BATCH = "use no statistics of the batch: layers in evaluation mode, nothing kept between calls"
CLAUSES: tuple[Callable[[Trial], None], ...] = (
    attributes,
    contexts,
    shapes,
    lengths,
    values,
    reads_sequence,
    unknown_bases,
    input_is_kept,
    determinism,
    batch_invariance,
    receptive_field,
    tiles,
    gradients,
    threads,
    copies,
    moves,
    double_precision,
)


def _hold(kept: object, problem: str) -> None:
    if not kept:
        raise BrokenClause(problem)


def _same(
    found: torch.Tensor, wanted: torch.Tensor, problem: str, fix: str = "", *, tolerance: float = TOLERANCE
) -> None:
    apart = float((found - wanted).abs().max()) if found.shape == wanted.shape else math.inf
    scale = max(float(wanted.abs().max()), 1e-12)
    if not apart <= tolerance * scale:
        _hold(False, f"{problem} (by {apart / scale:.1e} of the largest){f': {fix}' if fix else ''}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _accelerators() -> list[str]:
    cuda = ["cuda"] if torch.cuda.is_available() else []
    return cuda + (["mps"] if torch.backends.mps.is_available() else [])
