"""Train a local backbone; by default the embedded one, on the peaks of the data pack ``blood16-atac``.

On the command line it is ``phenviz train backbone``. A run writes its state after each epoch and goes on from
it. With teachers, several networks learn the data first, and the last one learns their mean and the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.checkpoint import load_backbone, save_backbone
from phenviz.models.evaluation import evaluate_backbone, write_metrics
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import cluster_summits, read_narrow_peaks
from phenviz.models.training_calibration import calibrate_head
from phenviz.models.training_data import TrainingData, prepare_data
from phenviz.models.training_loop import RunPaths, TrainingConfig, run_epochs
from phenviz.models.training_motifs import starting_filters
from phenviz.models.training_network import TrainableBackbone
from phenviz.models.training_summits import SummitLesson, window_of
from phenviz.progress import NO_PROGRESS, Progress

__all__ = ["TrainingConfig", "train_backbone"]


def train_backbone(
    output: str | Path,
    *,
    peaks: Mapping[str, str | Path],
    contexts: Sequence[Context],
    reference: ReferenceGenome,
    motifs: str | Path,
    elements: pd.DataFrame | None = None,
    config: TrainingConfig | None = None,
    work_dir: str | Path | None = None,
    resume: bool = True,
    only: Collection[str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> Path:
    """Train a local backbone on accessibility peaks and write its weights and card.

    Parameters
    ----------
    output
        Weights file to write, ``NAME.safetensors``.
    peaks
        Context name -> narrowPeak file.
    contexts
        In the order of the outputs; each has its peaks.
    reference
        Genome that the peaks were called on.
    motifs
        MEME file that the stem starts from.
    elements
        Regulatory elements (``start``, ``end``, ``cell_types``) of the contig, learnt beside the peaks
        outside the held-out regions; None for none.
    config
        All choices; the default is that of the embedded weights.
    work_dir
        Folder for states and the log ``metrics.jsonl``; ``NAME.training`` beside the output by default.
    resume
        Go on from states in ``work_dir``; otherwise they are overwritten.
    only
        Names of the runs to do now (``"teacher-0"``), for several processes that share ``work_dir``; the
        student and the weights file wait until all runs are asked for.
    progress
        Told of each run, evaluation and step.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    ModelError
        If a context has no peaks, or ``work_dir`` holds a run with another configuration.
    DataError
        If a peak file or the motifs can't be read.
    """
    config = config or default_config()
    output = Path(output).with_suffix(".safetensors")
    work = Path(work_dir) if work_dir is not None else output.with_suffix(".training")
    _open_work(work, config, resume)
    table = _peaks_of(peaks, contexts, config.contig)
    codes = reference.codes(config.contig)
    names = [context.name for context in contexts]
    data = prepare_data(codes, table, names, elements, config.held_out)
    clusters, summits = cluster_summits(table, names), table["summit"].to_numpy()

    def validate(network: TrainableBackbone) -> dict[str, float]:
        backbone = network.export(name=config.name, window=config.window)
        report = evaluate_backbone(backbone, codes, table, config.validation, repeats=0)
        return {name: entry["value"] for name, entry in report.items() if isinstance(entry, dict)}

    def run(
        label: str, of_run: TrainingConfig, seed: int, teachers: Sequence[TrainableBackbone] = ()
    ) -> TrainableBackbone:
        network = _new_network(data, contexts, of_run, motifs, seed)
        lesson = SummitLesson.prepare(
            data,
            clusters,
            summits,
            background=of_run.background,
            elements=of_run.elements,
            window=max(window_of(each) for each in (network, *teachers)),
        )
        return run_epochs(
            network,
            lesson,
            of_run,
            RunPaths(work / f"{label}.pt", work / "metrics.jsonl"),
            label=label,
            epochs=of_run.student_epochs if teachers else of_run.epochs,
            seed=seed,
            teachers=teachers,
            validate=validate,
            progress=progress,
        )

    teachers = [
        run(f"teacher-{index}", config.of_teacher(index), index)
        for index in range(config.teachers)
        if only is None or f"teacher-{index}" in only
    ]
    if only is not None:
        return output
    label = "student" if teachers else "backbone"
    student = run(label, config, config.teachers, teachers)
    backbone = student.export(name=config.name, window=config.window)
    calibrate_head(
        backbone,
        codes,
        data.signal,
        validation=config.validation,
        learnt=data.learnt,
        open_weight=config.calibration_weight,
    )
    return _write(output, backbone, config, peaks, codes, table, progress)


def default_config(**changes: Any) -> TrainingConfig:
    """Return the configuration of the embedded weights, with some values changed."""
    values: dict[str, Any] = {
        "stages": STAGES,
        "teachers": len(TEACHER_CHANGES),
        "teacher_changes": TEACHER_CHANGES,
        **changes,
    }
    return TrainingConfig(**values)


def _stages(activation: str) -> tuple[dict[str, Any], ...]:
    return (
        {"channels": 192, "kernel": 19, "pool": 8, "both_strands": True, "activation": activation},
        {"channels": 128, "kernel": 5, "pool": 4, "activation": activation},
        {"channels": 128, "kernel": 5, "pool": 4, "activation": "relu"},
        {"channels": 128, "kernel": 3, "residual": True, "activation": "relu"},
        {"channels": 128, "kernel": 3, "dilation": 2, "residual": True, "activation": "relu"},
    )


STAGES = _stages("softplus")
# What differs errs differently: the second teacher learns where summits are better than in which contexts.
TEACHER_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"specificity_weight": 1.0, "balance": 0.0, "openness_weight": 0.0},
)


def _new_network(
    data: TrainingData, contexts: Sequence[Context], config: TrainingConfig, motifs: str | Path, seed: int
) -> TrainableBackbone:
    torch.manual_seed(1_000 * config.seed + seed)
    network = TrainableBackbone(
        config.stages, contexts, auxiliary=len(data.element_signal) + len(contexts), dropout=config.dropout
    )
    stem = config.stages[0]
    network.start_stem(starting_filters(motifs, stem["channels"], stem["kernel"]))
    network.pass_on(config.passed_on)
    return network


def _peaks_of(peaks: Mapping[str, str | Path], contexts: Sequence[Context], contig: str) -> pd.DataFrame:
    missing = [context.name for context in contexts if context.name not in peaks]
    if missing:
        raise ModelError(f"no peak file for {', '.join(missing)}: give one narrowPeak file for each context")
    table = read_narrow_peaks({context.name: peaks[context.name] for context in contexts}, contig=contig)
    empty = [context.name for context in contexts if not (table["context"] == context.name).any()]
    if empty:
        raise ModelError(f"{', '.join(empty)} has no peak on contig {contig!r}: choose another contig")
    return table


def _open_work(work: Path, config: TrainingConfig, resume: bool) -> None:
    """Make the folder, and refuse to go on from a run that was configured otherwise."""
    work.mkdir(parents=True, exist_ok=True)
    written = work / "config.json"
    if not resume:
        for old in (*work.glob("*.pt"), work / "metrics.jsonl", written):
            old.unlink(missing_ok=True)
    if written.is_file() and json.loads(written.read_text(encoding="utf-8")) != config.as_json():
        raise ModelError(
            f"{written} is of a run with another configuration: choose another folder, "
            "or start anew (resume=False)"
        )
    written.write_text(json.dumps(config.as_json(), indent=1) + "\n", encoding="utf-8")


def _write(
    output: Path,
    backbone: LocalBackbone,
    config: TrainingConfig,
    peaks: Mapping[str, str | Path],
    codes: np.ndarray,
    table: pd.DataFrame,
    progress: Progress,
) -> Path:
    sums = {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in peaks.items()}
    training = {
        "configuration": config.as_json(),
        "assembly": "GRCh37",
        "peaks_sha256": sums,
        "held_out": {"validation": list(config.validation), "test": list(config.test)},
    }
    save_backbone(backbone, output, card={"training": training})
    # what is reported is what the file holds: half precision, as everyone loads it
    stored = load_backbone(output)
    metrics = {
        "validation": evaluate_backbone(stored, codes, table, config.validation, progress=progress),
        "test": evaluate_backbone(stored, codes, table, config.test, progress=progress),
    }
    write_metrics(output, **metrics)
    return output
