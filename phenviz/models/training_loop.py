"""One training run; each epoch has its own seed, so that a run goes on exactly where it stopped."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from phenviz.models.training_network import TrainableBackbone
from phenviz.models.training_summits import SummitBatch, SummitLesson, central_bins, summit_losses
from phenviz.progress import Progress

Regions = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the weights, beside the data.

    Parameters
    ----------
    name
        Of the model.
    contig, validation, test
        Where it learns, and the regions of that contig that it never learns from.
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
    mutation_rate
        Share of bases changed at random in half of the student's windows, which are also joined from two; the
        teachers label them. 0 leaves all windows as they are.
    averaging
        Decay a step of the running mean of the weights, which is what is kept.
    calibration_weight
        Weight of bins with signal when the output is brought to scale on the validation region.
    seed
        Of everything random.
    """

    name: str = "blood16"
    contig: str = "20"
    validation: tuple[int, int] = (8_000_000, 12_000_000)
    test: tuple[int, int] = (36_000_000, 48_000_000)
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
    data_weight: float = 0.3
    mutation_rate: float = 0.05
    averaging: float = 0.998
    calibration_weight: float = 5.0
    seed: int = 0

    @property
    def held_out(self) -> Regions:
        """Regions that nothing is learnt from."""
        return (self.validation, self.test)

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
    teachers: Sequence[TrainableBackbone] = (),
    validate: Callable[[TrainableBackbone], dict[str, float]] | None = None,
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
    teachers
        Networks whose mean the network learns beside the data; none for a teacher.
    validate
        Gives numbers for the log after each epoch; never used for fitting.
    progress
        Advances by one a step.
    """
    mean = copy.deepcopy(network).eval()
    optimizer = _optimizer(network, config)
    first = _restore(paths.state, network, mean, optimizer)
    steps = sum(lesson.size()) // config.batch_size
    progress.stage(label, epochs * steps)
    progress.advance(first * steps)
    for epoch in range(first, epochs):
        started = time.monotonic()
        rng = np.random.default_rng([config.seed, seed, epoch])
        torch.manual_seed(int(rng.integers(2**31)))
        losses: dict[str, float] = {}
        network.train()
        for step, batch in enumerate(lesson.batches(rng, config.batch_size)):
            _set_rate(optimizer, config, epoch * steps + step, epochs * steps)
            parts = _losses(network, batch, lesson, config, teachers, rng)
            optimizer.zero_grad()
            torch.stack(list(parts.values())).sum().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimizer.step()
            _follow(mean, network, epoch * steps + step, config.averaging)
            for name, part in parts.items():
                losses[name] = losses.get(name, 0.0) + float(part.detach()) / steps
            progress.advance()
        record = {"run": label, "epoch": epoch, **{name: round(loss, 5) for name, loss in losses.items()}}
        if validate is not None:
            record["validation"] = validate(mean)
        record["seconds"] = round(time.monotonic() - started, 1)
        _save_state(paths.state, network, mean, optimizer, epoch + 1)
        with paths.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
    return mean.eval()


def _losses(
    network: TrainableBackbone,
    batch: SummitBatch,
    lesson: SummitLesson,
    config: TrainingConfig,
    teachers: Sequence[TrainableBackbone],
    rng: np.random.Generator,
) -> dict[str, torch.Tensor]:
    weights: dict[str, Any] = {
        "specificity_weight": config.specificity_weight,
        "element_weight": config.element_weight,
        "openness_weight": config.openness_weight,
        "open_weight": lesson.open_weight(config.balance),
    }
    if not teachers:
        return summit_losses(central_bins(network, batch.one_hot), batch, **weights)
    one_hot, altered = _alter(batch.one_hot, config.mutation_rate, rng)
    outputs = central_bins(network, one_hot)
    parts = summit_losses(outputs, batch, known=~altered, **weights)
    parts = {name: config.data_weight * part for name, part in parts.items()}
    # log1p(exp(z)) = softplus(z): predictions are compared as log1p of fold enrichment
    taught = _fit(F.softplus(outputs[0]), _teach(teachers, one_hot), config.specificity_weight)
    return {**parts, **{f"taught_{name}": part for name, part in taught.items()}}


def _fit(predicted: torch.Tensor, wanted: torch.Tensor, specificity_weight: float) -> dict[str, torch.Tensor]:
    """Squared error of the signal, and of its differences between contexts where any context has signal."""
    open_ = (wanted.amax(1, keepdim=True) > 0.3).float()
    away = (predicted - predicted.mean(1, keepdim=True)) - (wanted - wanted.mean(1, keepdim=True))
    specific = (away.pow(2) * open_).sum() / (predicted.shape[1] * (open_.sum() + 1))
    return {"signal": (predicted - wanted).pow(2).mean(), "specificity": specificity_weight * specific}


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
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    mean.load_state_dict(state["mean"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])
