"""Train a Phenformer on gene tokens that are on disk; the loop is plain PyTorch, on any device."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.errors import DataError, ModelError
from phenviz.models import weights
from phenviz.models.phenformer import Phenformer, masked_loss
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens

LEARNING = ("all", "head")
LOG, CHECKPOINT = "metrics.jsonl", "checkpoint.safetensors"

_PEOPLE_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a Phenformer is trained.

    Parameters
    ----------
    epochs
        Most times that everybody is seen.
    patience
        Epochs without a better validation loss before it stops.
    batch
        People at a time.
    learning_rate, weight_decay
        Of AdamW; the rate rises over the first epoch and then falls along a cosine.
    learn
        ``all`` weights, or the ``head`` alone (for fine-tuning another cohort's model).
    seed
        Of the first weights, the order of people and dropout.
    """

    epochs: int = 60
    patience: int = 8
    batch: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    learn: str = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch"):
            if int(getattr(self, name)) < 1:
                raise ModelError(f"training option {name} is {getattr(self, name)}: give 1 or more")
        if not self.learning_rate > 0 or self.weight_decay < 0:
            raise ModelError("training options learning_rate and weight_decay are positive numbers")
        if self.learn not in LEARNING:
            raise ModelError(f"training option learn is {self.learn!r}: use {' or '.join(LEARNING)}")


@dataclass(frozen=True, eq=False)
class Examples:
    """What a model learns from.

    Parameters
    ----------
    tokens
        Of people.
    labels
        Shape (people, traits): 1, 0, NaN where unknown.
    covariates
        Shape (people, covariates); NaN where unknown.
    """

    tokens: Tokens
    labels: NDArray[np.float32]
    covariates: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)


def train_phenformer(
    phenformer: Phenformer,
    train: Examples,
    validation: Examples,
    options: TrainingOptions,
    folder: str | Path,
    *,
    device: torch.device | str = "cpu",
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Train until the validation loss no longer falls; the best weights stay in the model.

    Every epoch is a checkpoint: the same call in the same folder goes on from there, to the same numbers as
    without an interruption. ``metrics.jsonl`` gets one line for each epoch, the first for where it begins.

    Parameters
    ----------
    phenformer
        Trained in place, from where it is; `set_scales` comes before, for one that was never trained.
    train, validation
        People to learn from, and people to choose the best epoch by.
    options
        See there.
    folder
        Gets the log and the checkpoint.
    device
        Where to train.
    progress
        Updated after each batch.

    Returns
    -------
    dict
        ``epochs`` that ran, ``best_epoch`` (0: it learnt nothing beyond where it began) and
        ``validation_loss``.

    Raises
    ------
    DataError
        If nobody has a label, or the checkpoint in the folder is of another run.
    """
    for name, examples in (("training", train), ("validation", validation)):
        if not (~np.isnan(examples.labels)).any():
            raise DataError(f"no {name} person has a label of any trait: give labels, or other splits")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(phenformer, train, validation, options, folder, torch.device(device))
    state = run.resume()
    if not state["epoch"]:
        run.judge(state, None, time.monotonic())
    progress.stage("training", options.epochs)
    progress.advance(state["epoch"])
    while state["epoch"] < options.epochs and state["epoch"] - state["best_epoch"] < options.patience:
        run.epoch(state, progress)
        progress.advance(0)
    run.finish()
    return {
        "epochs": state["epoch"],
        "best_epoch": state["best_epoch"],
        "validation_loss": state["best_loss"],
    }


def set_scales(phenformer: Phenformer, train: Examples) -> None:
    """Set what tokens and covariates are centred and divided by, from the training people."""
    tokens, count = train.tokens, len(train)
    mean, square = np.zeros(tokens.reference.shape), np.zeros(tokens.reference.shape)
    for start in range(0, count, 256):
        values = tokens.apart(slice(start, start + 256)).astype(np.float64)
        if not tokens.pair:
            # halves of a sum vary less than haplotypes by themselves do
            mean += values.sum(axis=(0, 1))
            square += 2 * (values**2).sum(axis=(0, 1))
        else:
            mean += values.sum(axis=(0, 1))
            square += (values**2).sum(axis=(0, 1))
    mean /= 2 * count
    factor = 1 if tokens.pair else 2
    deviation = np.sqrt(np.maximum(square / (2 * count) - factor * mean**2, 0))
    # below rounding, what looks like variation is noise
    steady = deviation <= 1e-6 * (1 + np.abs(tokens.reference))
    phenformer.token_mean.copy_(torch.from_numpy(tokens.reference + mean))
    phenformer.token_scale.copy_(torch.from_numpy(np.where(steady, 1.0, deviation)))
    if phenformer.covariates:
        known = np.nan_to_num(train.covariates, nan=0.0), ~np.isnan(train.covariates)
        number = np.maximum(known[1].sum(axis=0), 1)
        centre = known[0].sum(axis=0) / number
        spread = np.sqrt((((known[0] - centre) * known[1]) ** 2).sum(axis=0) / number)
        phenformer.covariate_mean.copy_(torch.from_numpy(centre))
        phenformer.covariate_scale.copy_(torch.from_numpy(np.where(spread > 0, spread, 1.0)))


def scaled(phenformer: Phenformer, tokens: Tokens, rows: slice | NDArray[np.intp]) -> torch.Tensor:
    """Return tokens as `Phenformer.from_scaled` takes them, without the rounding of large sums."""
    device = phenformer.token_scale.device
    centre = phenformer.token_mean.cpu().numpy().astype(np.float64) - tokens.reference
    scale = phenformer.token_scale.cpu().numpy()
    if phenformer.haplotypes == "pair":
        values = (tokens.apart(rows) - centre.astype(np.float32)) / scale
    else:
        values = (tokens.sums(rows) - 2 * centre.astype(np.float32)) / scale
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)


def logits_of(
    phenformer: Phenformer,
    tokens: Tokens,
    covariates: NDArray[np.float32] | None = None,
    *,
    progress: Progress = NO_PROGRESS,
) -> NDArray[np.float32]:
    """Predict people: (people, traits)."""
    found = [np.empty((0, len(phenformer.traits)), np.float32)]
    device = phenformer.token_scale.device
    progress.stage("logits", len(tokens))
    with torch.inference_mode():
        for start in range(0, len(tokens), _PEOPLE_AT_ONCE):
            rows = slice(start, min(start + _PEOPLE_AT_ONCE, len(tokens)))
            known = None if covariates is None else torch.from_numpy(covariates[rows]).to(device)
            found.append(phenformer.from_scaled(scaled(phenformer, tokens, rows), known).cpu().numpy())
            progress.advance(rows.stop - rows.start)
    return np.concatenate(found)


class _Run:
    """One training: what it learns from, the optimiser, the best weights so far."""

    def __init__(
        self,
        phenformer: Phenformer,
        train: Examples,
        validation: Examples,
        options: TrainingOptions,
        folder: Path,
        device: torch.device,
    ) -> None:
        self.model, self.train, self.validation = phenformer.to(device), train, validation
        self.options, self.folder, self.device = options, folder, device
        parts = self.model.head if options.learn == "head" else self.model
        self.learnt = [parameter for parameter in parts.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.learnt, lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    @property
    def identity(self) -> dict[str, Any]:
        """What makes this run this one."""
        return {
            "config": self.model.config(),
            "options": asdict(self.options),
            "people": len(self.train),
            # of another backbone, tokens of the same shape are other numbers
            "tokens": [self.model.backbone_hash, self.model.readout_hash],
        }

    def epoch(self, state: dict[str, Any], progress: Progress) -> None:
        began, number = time.monotonic(), state["epoch"]
        # of its own for each epoch, so that a run that goes on has the numbers of one that was never stopped
        rng = np.random.default_rng([self.options.seed, number])
        order = rng.permutation(len(self.train))
        devices = [self.device] if self.device.type == "cuda" else []
        steps = range(0, len(order), self.options.batch)
        total, known = 0.0, 0
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(rng.integers(2**31)))
            self.model.train()
            for step, start in enumerate(steps):
                rows = np.sort(order[start : start + self.options.batch])
                self._set_rate(number + step / len(steps))
                labels = torch.from_numpy(self.train.labels[rows]).to(self.device)
                loss = masked_loss(self._logits(self.train, rows), labels)
                self.optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.learnt, 1.0)
                self.optimiser.step()
                here = int((~labels.isnan()).sum())
                total, known = total + float(loss.detach()) * here, known + here
                progress.advance(1 / len(steps))
        state["epoch"] = number + 1
        self.judge(state, round(total / max(known, 1), 6), began)
        self._save(state)

    def judge(self, state: dict[str, Any], train_loss: float | None, began: float) -> None:
        """Hold the model against the validation people, after an epoch or (loss None) before the first."""
        self.model.eval()
        loss, areas = self._validate()
        if loss < state["best_loss"]:
            state["best_loss"], state["best_epoch"] = loss, state["epoch"]
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self._log(
            {
                "epoch": state["epoch"],
                "train_loss": train_loss,
                "validation_loss": round(loss, 6),
                "validation_auroc": areas,
                "learning_rate": self.optimiser.param_groups[0]["lr"],
                "seconds": round(time.monotonic() - began, 2),
            }
        )

    def finish(self) -> None:
        """Put the best weights into the model."""
        self.model.load_state_dict(self.best)
        self.model.eval()

    def resume(self) -> dict[str, Any]:
        """Return where to go on: the state of the checkpoint, or of a new run."""
        path = self.folder / CHECKPOINT
        state: dict[str, Any] = {"epoch": 0, "best_epoch": 0, "best_loss": float("inf")}
        if not path.is_file():
            (self.folder / LOG).unlink(missing_ok=True)
            return state
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if card["identity"] != json.loads(json.dumps(self.identity)):
            raise DataError(
                f"{path} is of a training with other options, genes, people or tokens: give another folder, "
                "or remove it"
            )
        held = weights.read_weights(path, card["sha256"])
        self.model.load_state_dict(_part(held, "model", self.device))
        self.best = _part(held, "best", self.device)
        slots = _part(held, "optimiser", self.device)
        for number, parameter in enumerate(self.learnt):
            own = {name.split(".")[1]: slots[name] for name in slots if name.split(".")[0] == str(number)}
            if own:
                own["step"] = own["step"].cpu()
                self.optimiser.state[parameter] = own
        lines = (self.folder / LOG).read_text(encoding="utf-8").splitlines()[: card["state"]["epoch"] + 1]
        (self.folder / LOG).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        found: dict[str, Any] = card["state"]
        return found

    def _logits(self, examples: Examples, rows: NDArray[np.intp] | slice) -> torch.Tensor:
        known = None
        if self.model.covariates:
            known = torch.from_numpy(examples.covariates[rows]).to(self.device)
        logits: torch.Tensor = self.model.from_scaled(scaled(self.model, examples.tokens, rows), known)
        return logits

    def _set_rate(self, epochs: float) -> None:
        rise = min(epochs + 0.02, 1.0)
        fall = 0.5 * (1 + np.cos(np.pi * min(epochs / self.options.epochs, 1)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * rise * max(fall, 0.01)

    def _validate(self) -> tuple[float, dict[str, float]]:
        from sklearn.metrics import roc_auc_score

        with torch.inference_mode():
            parts = [
                self._logits(self.validation, slice(start, start + 256))
                for start in range(0, len(self.validation), 256)
            ]
            logits = torch.cat(parts)
            labels = torch.from_numpy(self.validation.labels).to(self.device)
            loss = float(masked_loss(logits, labels))
        areas = {}
        for number, trait in enumerate(self.model.traits):
            own = self.validation.labels[:, number]
            known = ~np.isnan(own)
            if len(np.unique(own[known])) == 2:
                area = roc_auc_score(own[known], logits[:, number].cpu().numpy()[known])
                areas[trait.name] = round(float(area), 4)
        return loss, areas

    def _log(self, record: Mapping[str, Any]) -> None:
        with (self.folder / LOG).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(record) + "\n")

    def _save(self, state: Mapping[str, Any]) -> None:
        held = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        held |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        for number, parameter in enumerate(self.learnt):
            for name, value in self.optimiser.state.get(parameter, {}).items():
                held[f"optimiser.{number}.{name}"] = torch.as_tensor(value)
        path = self.folder / CHECKPOINT
        sha256 = weights.write_weights(path, held)
        weights.write_card(path, {"identity": self.identity, "state": dict(state), "sha256": sha256})


def _part(held: Mapping[str, torch.Tensor], prefix: str, device: torch.device) -> dict[str, torch.Tensor]:
    start = f"{prefix}."
    return {name[len(start) :]: held[name].to(device) for name in held if name.startswith(start)}
