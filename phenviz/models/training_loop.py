"""One training run; each epoch has its own seed, so that a run goes on exactly where it stopped."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from phenviz.errors import ModelError
from phenviz.models.training_network import TrainableBackbone
from phenviz.models.training_regions import Region
from phenviz.models.training_reporters import ReporterLesson, reporter_activity, reporter_loss
from phenviz.models.training_summits import SummitBatch, SummitLesson, central_bins, summit_losses
from phenviz.progress import Progress


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the weights, beside the data.

    Parameters
    ----------
    name
        Of the model.
    contigs, validation, test
        Where it learns (all contigs with peaks where none is named), and the regions (contig, start, end;
        0-based half-open) that it never learns from.
    stages
        Architecture, as `LocalBackbone` takes it.
    window
        Bases in a window, as it is told to users of the model; learning needs less.
    epochs, student_epochs, batch_size
        Length of a teacher's and of the student's run, and windows in a step.
    teachers
        Networks from different seeds, whose mean the final one learns; 0 for learning from data alone.
    teacher_changes
        Other values of this class for teacher 0, 1, ...; what differs errs differently, and averages out.
    passed_on
        Motifs, from the first on, whose scores the layers after the stem hand on when learning begins.
    learning_rate, stem_rate, weight_decay, dropout
        Of AdamW; the stem learns at ``learning_rate * stem_rate`` and doesn't decay.
    elements, background
        Share of the regulatory elements, and background windows per summit, in an epoch.
    specificity_weight, element_weight, data_weight
        Of the loss on what differs between contexts, on element membership, and (for the student) on the
        data beside the teachers.
    balance
        How much more the open summits of a rarely open context count in what differs between contexts: its
        share of the summits, relative to the largest share, to the power of minus this; 0 for not at all.
    openness_weight
        Of the loss on being open or not in each context, which further auxiliary outputs learn; 0 for none.
    presence_weight
        Of the loss on the presence of peaks without a signal.
    mutation_rate
        Share of bases changed at random in half of the student's windows, which are also joined from two; the
        teachers label them. 0 leaves all windows as they are.
    averaging
        Decay a step of the running mean of the weights, which is what is kept.
    calibration_weight
        Weight of bins with signal when the output is brought to scale on the validation region.
    reporters, reporter_weight
        Share of the sequences with measured reporter activity in an epoch, and weight of their loss.
    seed
        Of everything random.
    """

    name: str = "backbone"
    contigs: tuple[str, ...] = ()
    validation: tuple[Region, ...] = (("20", 8_000_000, 12_000_000),)
    test: tuple[Region, ...] = (("20", 36_000_000, 48_000_000),)
    stages: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    window: int = 1536
    epochs: int = 8
    student_epochs: int = 8
    batch_size: int = 32
    teachers: int = 0
    teacher_changes: tuple[dict[str, Any], ...] = ()
    passed_on: int = 64
    learning_rate: float = 2e-3
    stem_rate: float = 0.2
    weight_decay: float = 0.02
    dropout: float = 0.1
    elements: float = 0.3
    background: float = 1.5
    specificity_weight: float = 2.0
    element_weight: float = 1.0
    balance: float = 0.5
    openness_weight: float = 2.0
    presence_weight: float = 1.0
    data_weight: float = 0.3
    mutation_rate: float = 0.05
    averaging: float = 0.998
    calibration_weight: float = 5.0
    reporters: float = 1.0
    reporter_weight: float = 1.0
    seed: int = 0

    def of_teacher(self, index: int) -> TrainingConfig:
        """Return the configuration of one teacher."""
        changes = self.teacher_changes[index] if index < len(self.teacher_changes) else {}
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """Return all values, as JSON can hold them."""
        return json.loads(json.dumps(asdict(self)))


@dataclass
class RunPaths:
    """Where a run keeps its state and its log."""

    state: Path
    log: Path


def run_epochs(
    network: TrainableBackbone,
    lesson: SummitLesson,
    config: TrainingConfig,
    paths: RunPaths,
    *,
    label: str,
    epochs: int,
    seed: int,
    reporters: ReporterLesson | None = None,
    teachers: Sequence[TrainableBackbone] = (),
    validate: Callable[[TrainableBackbone], dict[str, Any]] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    progress: Progress,
) -> TrainableBackbone:
    """Train a network and return the running mean of its weights.

    Parameters
    ----------
    network
        Changed in place.
    lesson, config
        What and how it learns.
    paths
        After each epoch the state is written, and a line added to the log; a state that is there is gone on
        from, to the same bit as if it had never stopped.
    label
        Names the run in the log and in the progress.
    epochs, seed
        Length and randomness of this run.
    reporters
        Sequences that are learnt beside; some in each step, so that all statistics are of both.
    teachers
        Networks whose mean the network learns beside the data; none for a teacher.
    validate
        Gives numbers for the log after each epoch; never used for fitting.
    on_epoch
        Called with each line of the log.
    progress
        Advances by one per step.
    """
    mean = copy.deepcopy(network).eval()
    optimizer = _optimizer(network, config)
    first = _restore(paths.state, network, mean, optimizer)
    steps = sum(lesson.size()) // config.batch_size
    beside = -(-reporters.size() // max(steps, 1)) if reporters is not None else 0
    progress.stage(label, epochs * steps)
    progress.advance(first * steps)
    for epoch in range(first, epochs):
        started = time.monotonic()
        rng, drawn = (np.random.default_rng([config.seed, seed, epoch, *more]) for more in ((), (1,)))
        torch.manual_seed(int(rng.integers(2**31)))
        losses: dict[str, float] = {}
        network.train()
        for step, batch in enumerate(lesson.batches(rng, config.batch_size)):
            _set_rate(optimizer, config, epoch * steps + step, epochs * steps)
            extra = None if reporters is None else reporters.batch(drawn, beside, lesson)
            parts = _losses(network, batch, lesson, config, teachers, rng, extra)
            optimizer.zero_grad()
            torch.stack(list(parts.values())).sum().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimizer.step()
            _follow(mean, network, epoch * steps + step, config.averaging)
            for name, part in parts.items():
                losses[name] = losses.get(name, 0.0) + float(part.detach()) / steps
            progress.advance()
        record: dict[str, Any] = {"run": label, "epoch": epoch, "epochs": epochs}
        record |= {name: round(loss, 5) for name, loss in losses.items()}
        if validate is not None:
            record["validation"] = validate(mean)
        record["seconds"] = round(time.monotonic() - started, 1)
        _save_state(paths.state, network, mean, optimizer, epoch + 1)
        with paths.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        if on_epoch is not None:
            on_epoch(record)
    return mean.eval()


def _losses(
    network: TrainableBackbone,
    batch: SummitBatch,
    lesson: SummitLesson,
    config: TrainingConfig,
    teachers: Sequence[TrainableBackbone],
    rng: np.random.Generator,
    extra: tuple[torch.Tensor, torch.Tensor] | None,
) -> dict[str, torch.Tensor]:
    device = network.head.weight.device
    weights: dict[str, Any] = {
        "specificity_weight": config.specificity_weight,
        "element_weight": config.element_weight,
        "openness_weight": config.openness_weight,
        "presence_weight": config.presence_weight,
        "presence": lesson.data.presence,
        "level": lesson.data.level,
        "open_weight": lesson.open_weight(config.balance).to(device),
    }
    one_hot, altered = batch.one_hot, None
    if teachers:
        one_hot, altered = _alter(one_hot, config.mutation_rate, rng)
    n, windows = len(one_hot), one_hot if extra is None else torch.cat([one_hot, extra[0]])
    windows = windows.to(device)
    outputs = central_bins(network, windows)
    log_activity, membership, openness = outputs
    sites = log_activity[:n], membership[:n], openness[:n]
    known = None if altered is None else ~altered.to(device)
    parts = summit_losses(sites, batch.to(device), known=known, **weights)
    if extra is not None:
        value = extra[1].to(device)
        measured = reporter_loss(reporter_activity(log_activity[n:], value.shape[1]), value)
        parts["reporters"] = config.reporter_weight * measured
    if not teachers:
        return parts
    parts = {name: config.data_weight * part for name, part in parts.items()}
    # log1p(exp(z)) = softplus(z): predictions are compared as log1p of fold enrichment
    taught = _fit(
        F.softplus(log_activity), _teach(teachers, windows), config.specificity_weight, network.sites, n
    )
    return {**parts, **{f"taught_{name}": part for name, part in taught.items()}}


def _fit(
    predicted: torch.Tensor, wanted: torch.Tensor, specificity_weight: float, sites: int, n: int
) -> dict[str, torch.Tensor]:
    """Squared error of the signal, and of its differences between contexts where any context has signal.

    The differences are of the contexts that learn sites, in the first ``n`` windows.
    """
    error = (predicted - wanted).pow(2).mean()
    predicted, wanted = predicted[:n, :sites], wanted[:n, :sites]
    open_ = (wanted.amax(1, keepdim=True) > 0.3).float()
    away = (predicted - predicted.mean(1, keepdim=True)) - (wanted - wanted.mean(1, keepdim=True))
    specific = (away.pow(2) * open_).sum() / (predicted.shape[1] * (open_.sum() + 1))
    return {"signal": error, "specificity": specificity_weight * specific}


@torch.no_grad()
def _teach(teachers: Sequence[TrainableBackbone], one_hot: torch.Tensor) -> torch.Tensor:
    each = [F.softplus(central_bins(teacher, one_hot)[0]) for teacher in teachers]
    return torch.stack(each).mean(0)


def _alter(one_hot: torch.Tensor, rate: float, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Make new sequence from every second window (on average), for the teachers to label.

    Its right part comes from another window, from a cut in its middle half on, and some bases are changed.

    Returns
    -------
    tuple
        The windows, and which of them were altered.
    """
    n, _, length = one_hot.shape
    altered = torch.from_numpy(rng.random(n) < 0.5) if rate else torch.zeros(n, dtype=torch.bool)
    if not rate:
        return one_hot, altered
    cut = torch.from_numpy(rng.integers(length // 4, 3 * length // 4, (n, 1, 1)))
    other = one_hot[torch.from_numpy(rng.permutation(n))]
    joined = torch.where(torch.arange(length) < cut, one_hot, other)
    changed = torch.from_numpy(rng.random((n, 1, length)) < rate)
    bases = torch.from_numpy(rng.integers(0, 4, (n, length)))
    joined = torch.where(changed, F.one_hot(bases, 4).transpose(1, 2).float(), joined)
    return torch.where(altered[:, None, None], joined, one_hot), altered


def _optimizer(network: TrainableBackbone, config: TrainingConfig) -> torch.optim.AdamW:
    stem = network.weights[0]
    others = [parameter for parameter in network.parameters() if parameter is not stem]
    groups = [
        {"params": [stem], "share": config.stem_rate, "weight_decay": 0.0},
        {"params": others, "share": 1.0, "weight_decay": config.weight_decay},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))


def _set_rate(optimizer: torch.optim.Optimizer, config: TrainingConfig, step: int, total: int) -> None:
    warm = min(1.0, (step + 1) / 200)
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / total))
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * group["share"] * warm * cosine


@torch.no_grad()
def _follow(mean: TrainableBackbone, network: TrainableBackbone, step: int, decay: float) -> None:
    decay = min(decay, (step + 1) / (step + 20))
    for kept, current in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(current, 1 - decay)


def _save_state(path: Path, *parts: Any) -> None:
    network, mean, optimizer, epoch = parts
    part = path.with_name(path.name + ".part")
    state = {"network": network.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**state, "epoch": epoch}, part)
    part.replace(path)


def _restore(path: Path, network: nn.Module, mean: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        network.load_state_dict(state["network"])
        mean.load_state_dict(state["mean"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["epoch"])
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path} can't be read ({' '.join(str(error).split())[:200]}): it is damaged or of other data; "
            "delete it, and this run begins anew"
        ) from error
