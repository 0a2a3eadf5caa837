"""Train a local backbone on peaks, coverage and reporter assays; by default on the embedded world's peaks.

On the command line it is ``phenviz train backbone``. A run writes its state after each epoch and goes on from
it. With teachers, several networks learn the data first, and the last one learns their mean and the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.checkpoint import load_backbone, save_backbone
from phenviz.models.evaluation import write_metrics
from phenviz.models.local import LocalBackbone
from phenviz.models.training_calibration import calibrate_head
from phenviz.models.training_data import TrainingData
from phenviz.models.training_loop import RunPaths, TrainingConfig, run_epochs
from phenviz.models.training_network import TrainableBackbone
from phenviz.models.training_regions import JoinedContigs, check_regions
from phenviz.models.training_setup import TrainingSetup
from phenviz.models.training_summits import window_of
from phenviz.models.training_targets import Sources, contigs_with_peaks, read_targets
from phenviz.progress import NO_PROGRESS, Progress

__all__ = ["TrainingConfig", "train_backbone"]


def train_backbone(
    output: str | Path,
    *,
    peaks: Mapping[str, str | Path],
    contexts: Sequence[Context],
    reference: ReferenceGenome,
    motifs: str | Path,
    coverage: Mapping[str, str | Path] | None = None,
    sequences: Sequence[str | Path] = (),
    adaptors: tuple[str, str] = ("", ""),
    elements: pd.DataFrame | None = None,
    start: LocalBackbone | None = None,
    config: TrainingConfig | None = None,
    work_dir: str | Path | None = None,
    resume: bool = True,
    only: Collection[str] | None = None,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    progress: Progress = NO_PROGRESS,
) -> Path:
    """Train a local backbone on peaks, coverage and reporter assays, and write its weights and card.

    Parameters
    ----------
    output
        Weights file to write, ``NAME.safetensors``.
    peaks
        Context name -> file of peaks, with a signal or without (`phenviz.data.peaks`).
    contexts
        In the order of the outputs; those that learn sequences come last, and those that only a table of
        sequences names are added.
    reference
        Genome that peaks and coverage belong to.
    motifs
        MEME file that the stem starts from.
    coverage
        Context name -> bigWig file of coverage, for contexts that learn it instead of peaks.
    sequences, adaptors
        Tables of sequences with measured reporter activity, and the bases at their ends that are cut off
        (`phenviz.data.reporter_sequences`).
    elements
        Regulatory elements (``contig``, ``start``, ``end``, ``cell_types``), learnt beside the rest outside
        the held-out regions; None for none.
    start
        Backbone to begin from: its stages are taken, and its outputs of the contexts that stay. There are no
        teachers then.
    config
        All choices; the default is that of the embedded weights.
    work_dir
        Folder for states and the log ``metrics.jsonl``; ``NAME.training`` beside the output by default.
    resume
        Go on from states in ``work_dir``; otherwise they are overwritten.
    only
        Names of the runs to do now (``"teacher-0"``), for several processes that share ``work_dir``; the
        student and the weights file wait until all runs are asked for.
    device
        Where the networks learn. The same numbers come out of every run on the CPU; other devices may round
        otherwise each time.
    on_epoch
        Called after each epoch with its line of the log.
    progress
        Updated with each run, evaluation and step.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    ModelError
        If a context has nothing to learn from, or ``work_dir`` holds a run of another configuration or of
        other files.
    DataError
        If a file can't be read, or a held-out region leaves its contig, overlaps another one or holds too few
        summits: all of it is found before the first step.
    """
    output = Path(output).with_suffix(".safetensors")
    sources = Sources(peaks, coverage or {}, tuple(sequences), adaptors)
    work = Path(work_dir) if work_dir is not None else output.with_suffix(".training")
    # a genome has many peaks: only those are read that are needed
    alone = next(iter(reference.contigs)) if len(reference.contigs) == 1 else None
    table = sources.read_peaks(contexts, alone)
    config = _checked(config or default_config(), reference, start, table)
    joined = JoinedContigs.of(reference, config.contigs)
    targets = read_targets(sources, contexts, table, joined)
    setup = TrainingSetup.of(targets, joined, elements, motifs, start, config)
    inputs = _fingerprint(sources, targets.contexts, setup.data, joined, motifs, start)
    _open_work(work, config, inputs, resume)

    def run(
        label: str, of_run: TrainingConfig, seed: int, teachers: Sequence[TrainableBackbone] = ()
    ) -> TrainableBackbone:
        network = setup.network(of_run, seed)
        window = max(window_of(each) for each in (network, *teachers))
        return run_epochs(
            network.to(device),
            setup.summits(of_run, window),
            of_run,
            RunPaths(work / f"{label}.pt", work / "metrics.jsonl"),
            label=label,
            epochs=of_run.student_epochs if teachers else of_run.epochs,
            seed=seed,
            reporters=setup.reporters(of_run, window),
            teachers=teachers,
            validate=setup.validate,
            on_epoch=on_epoch,
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
    backbone = student.cpu().export(name=config.name, window=config.window)
    calibrate_head(
        backbone,
        joined.codes,
        setup.data.signal,
        validation=setup.held_out["validation"],
        learnt=setup.data.learnt,
        open_weight=config.calibration_weight,
    )
    training = {
        "configuration": config.as_json(),
        "assembly": reference.assembly,
        "contigs": list(joined.names),
        "peaks_sha256": {name: _sha256(path) for name, path in sources.peaks.items()},
        "targets": setup.described(),
        "held_out": {part: config.as_json()[part] for part in ("validation", "test")},
        **({} if start is None else {"started_from": {"name": start.name, "sha256": start.weights_hash}}),
    }
    save_backbone(backbone, output, card={"training": training})
    # what is reported is what the file holds: half precision, as everyone loads it
    stored = load_backbone(output)
    write_metrics(output, **{part: setup.report(stored, part, progress) for part in ("validation", "test")})
    return output


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
# What differs errs differently: the second teacher learns where summits are better than in which contexts,
# and heeds reporters more.
TEACHER_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"specificity_weight": 1.0, "balance": 0.0, "openness_weight": 0.0, "reporter_weight": 3.0},
)


def _checked(
    config: TrainingConfig, reference: ReferenceGenome, start: LocalBackbone | None, table: pd.DataFrame
) -> TrainingConfig:
    """Check the regions, and give contigs the reference's names."""
    held_out = check_regions(reference, {"validation": config.validation, "test": config.test})
    learnt = config.contigs or contigs_with_peaks(table, reference) or reference.contigs
    named = [*learnt, *(region[0] for regions in held_out.values() for region in regions)]
    wanted = {reference.resolve_contig(name) for name in named}
    changes: dict[str, Any] = {part: tuple(regions) for part, regions in held_out.items()}
    changes["contigs"] = tuple(name for name in reference.contigs if name in wanted)
    if start is not None:
        changes |= {"stages": tuple(start.config()["stages"]), "teachers": 0, "teacher_changes": ()}
    return replace(config, **changes)


def _fingerprint(
    sources: Sources,
    contexts: Sequence[Context],
    data: TrainingData,
    joined: JoinedContigs,
    motifs: str | Path,
    start: LocalBackbone | None,
) -> dict[str, Any]:
    """Say what a run learns from, so that it doesn't go on with something else."""
    return {
        "contexts": [context.name for context in contexts],
        "files": [_sha256(path) for path in sources.files],
        "adaptors": list(sources.adaptors),
        "motifs": _sha256(motifs),
        "bases": hashlib.sha256(joined.codes.data).hexdigest(),
        "elements": hashlib.sha256(data.element_signal.data).hexdigest(),
        "start": None if start is None else start.weights_hash,
    }


def _sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _open_work(work: Path, config: TrainingConfig, inputs: Mapping[str, Any], resume: bool) -> None:
    """Make the folder, and refuse to go on from a run that was configured otherwise, or learnt other data."""
    work.mkdir(parents=True, exist_ok=True)
    written = work / "config.json"
    if not resume:
        for old in (*work.glob("*.pt"), work / "metrics.jsonl", written):
            old.unlink(missing_ok=True)
    now = {"configuration": config.as_json(), "inputs": json.loads(json.dumps(inputs))}
    if written.is_file():
        try:
            before = json.loads(written.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(
                f"{written} is no JSON ({error}): start anew (--restart, resume=False)"
            ) from error
        for part, what in (("configuration", "another configuration"), ("inputs", "other data")):
            if before.get(part) != now[part]:
                changed = _changed(before.get(part), now[part])
                raise ModelError(
                    f"{written} is of a run with {what} ({changed}): choose another output, or start anew "
                    "(--restart, resume=False)"
                )
    written.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


def _changed(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    names = [name for name in now if (before or {}).get(name) != now[name]]
    return ", ".join(names) or "what it holds"
