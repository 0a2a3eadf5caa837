"""What the runs of one training share: data and networks, and how they are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.errors import DataError, ModelError
from phenviz.genome.codes import one_hot
from phenviz.models.evaluation import evaluate_backbone
from phenviz.models.evaluation_sequences import evaluate_sequences
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import SummitClusters, cluster_summits
from phenviz.models.training_data import TrainingData, prepare_data
from phenviz.models.training_loop import TrainingConfig
from phenviz.models.training_motifs import starting_filters
from phenviz.models.training_network import TrainableBackbone
from phenviz.models.training_regions import JoinedContigs
from phenviz.models.training_reporters import ReporterLesson, lies_within
from phenviz.models.training_summits import SummitLesson, window_of
from phenviz.models.training_targets import PRESENCE, REPORTER, Targets
from phenviz.progress import NO_PROGRESS, Progress

# fewest summit clusters in a held-out part that say anything of a model
FEWEST_SUMMITS = 5
# windows whose statistics a normalisation begins with
_STATISTICS = 256


class TrainingSetup:
    """Everything that the runs of one training share."""

    def __init__(
        self,
        targets: Targets,
        joined: JoinedContigs,
        data: TrainingData,
        clusters: SummitClusters,
        motifs: str | Path,
        start: LocalBackbone | None,
        config: TrainingConfig,
    ) -> None:
        self.targets, self.joined, self.data, self.clusters = targets, joined, data, clusters
        self.motifs, self.start, self.config = motifs, start, config
        self.left_out: dict[str, int] = {}
        self.held_out = {
            part: [joined.interval(region) for region in regions]
            for part, regions in (("validation", config.validation), ("test", config.test))
        }

    @classmethod
    def of(
        cls,
        targets: Targets,
        joined: JoinedContigs,
        elements: pd.DataFrame | None,
        motifs: str | Path,
        start: LocalBackbone | None,
        config: TrainingConfig,
    ) -> TrainingSetup:
        """Lay out the data, and check that there is enough of it."""
        names = [context.name for context in targets.sites]
        held_out = tuple(joined.interval(region) for region in (*config.validation, *config.test))
        placed = None if elements is None else joined.place(elements, ("start", "end"))
        data = prepare_data(joined.codes, targets.peaks, names, placed, held_out, targets.coverage)
        unsigned = tuple(row for row, name in enumerate(names) if targets.kinds[name] == PRESENCE)
        data = replace(data, presence=unsigned, level=targets.level)
        clusters = cluster_summits(targets.peaks, names)
        targets, left_out = without_held_out(targets, joined.codes, held_out)
        setup = cls(targets, joined, data, clusters, motifs, start, config)
        setup.left_out = left_out
        setup._check()
        return setup

    def _check(self) -> None:
        config = self.config
        for part, regions in self.held_out.items():
            found = sum(len(self.clusters.within(*region).position) for region in regions)
            if found < FEWEST_SUMMITS:
                raise DataError(
                    f"the {part} regions hold {found} summits, too few to measure a model by: at least "
                    f"{FEWEST_SUMMITS} are needed; choose larger ones, or ones where the peaks are"
                )
        window = window_of(
            TrainableBackbone(config.stages, self.targets.contexts, auxiliary=1, dropout=config.dropout)
        )
        learnt = self.summits(config, window)
        empty = (learnt.enrichment > 0).sum(0) == 0
        if empty.any():
            names = [c.name for c, none in zip(self.targets.sites, empty, strict=True) if none]
            raise ModelError(
                f"{', '.join(names)} has no peak on contig {', '.join(config.contigs)} outside the held-out "
                "regions: choose other contigs or regions"
            )
        if sum(learnt.size()) < config.batch_size:
            raise DataError(
                f"{sum(learnt.size())} places are left to learn from, and a step takes "
                f"{config.batch_size}: hold out less, or choose more contigs"
            )
        self.reporters(config, window)

    def network(self, config: TrainingConfig, seed: int) -> TrainableBackbone:
        """Build an untrained network."""
        torch.manual_seed(1_000 * config.seed + seed)
        sites, contexts = len(self.targets.sites), self.targets.contexts
        network = TrainableBackbone(
            config.stages,
            contexts,
            auxiliary=len(self.data.element_signal) + sites,
            dropout=config.dropout,
            sites=sites,
        )
        stem = config.stages[0]
        if self.start is None:
            network.start_stem(starting_filters(self.motifs, stem["channels"], stem["kernel"]))
            network.pass_on(config.passed_on)
        else:
            windows = _windows(self.data, self.clusters, window_of(network), config.seed)
            network.start_from(self.start, windows)
        return network

    def summits(self, config: TrainingConfig, window: int) -> SummitLesson:
        """Return the places to learn from."""
        return SummitLesson.prepare(
            self.data,
            self.clusters,
            self.targets.peaks["summit"].to_numpy(),
            background=config.background,
            elements=config.elements,
            window=window,
            peaks=self.targets.peaks,
        )

    def reporters(self, config: TrainingConfig, window: int) -> ReporterLesson | None:
        """Return the sequences to learn from; None where there are none."""
        table = self.targets.sequences
        if table is None:
            return None
        return ReporterLesson.prepare(table, self.targets.reporters, share=config.reporters, window=window)

    def validate(self, network: TrainableBackbone) -> dict[str, Any]:
        """Measure a network on the validation parts, without intervals, for the log."""
        # on a copy: a network that learns stays on its device
        backbone = network.export(name=self.config.name, window=self.config.window)
        report = self.report(backbone, "validation", NO_PROGRESS, repeats=0)
        numbers = {name: entry["value"] for name, entry in report.items() if _is_metric(entry)}
        each = {
            context: {name: entry["value"] for name, entry in entries.items() if _is_metric(entry)}
            for context, entries in {**report["contexts"], **report.get("sequences", {})}.items()
        }
        return {**numbers, "contexts": each}

    def report(
        self, backbone: LocalBackbone, part: str, progress: Progress, repeats: int = 500
    ) -> dict[str, Any]:
        """Measure a backbone on one held-out part."""
        regions = {"validation": self.config.validation, "test": self.config.test}[part]
        found: dict[str, Any] = {"region": [list(region) for region in regions]}
        found |= evaluate_backbone(
            backbone,
            self.joined.codes,
            self.targets.peaks,
            self.held_out[part],
            repeats=repeats,
            progress=progress,
        )
        table = self.targets.sequences
        if table is not None and (own := table[table["split"] == part]).size:
            found["sequences"] = evaluate_sequences(backbone, own, repeats=repeats)
        return found

    def described(self) -> dict[str, Any]:
        """Say for each context what it learnt, for the card."""
        peaks = self.targets.peaks["context"].value_counts()
        table = self.targets.sequences
        found: dict[str, Any] = {}
        for context in self.targets.contexts:
            kind = self.targets.kinds[context.name]
            found[context.name] = {"kind": kind, "unit": context.units}
            if kind == REPORTER and table is not None:
                own = table[(table["context"] == context.name) & (table["split"] == "training")]
                found[context.name]["sequences"] = len(own)
                found[context.name]["left_out_as_held_out"] = self.left_out.get(context.name, 0)
                continue
            found[context.name]["peaks"] = int(peaks.get(context.name, 0))
            if kind == PRESENCE:
                found[context.name]["counts_as"] = round(self.targets.level, 3)
        return found


def without_held_out(
    targets: Targets, codes: NDArray[np.uint8], held_out: Sequence[tuple[int, int]]
) -> tuple[Targets, dict[str, int]]:
    """Leave out the training sequences that lie in held-out regions, and count them by context."""
    table = targets.sequences
    if table is None:
        return targets, {}
    learnt = (table["split"] == "training").to_numpy()
    inside = np.zeros(len(table), bool)
    inside[learnt] = lies_within(table["sequence"][learnt].tolist(), codes, held_out)
    counts = table.loc[inside, "context"].value_counts().to_dict()
    kept = table[~inside].reset_index(drop=True)
    return replace(targets, sequences=kept), {str(name): int(count) for name, count in counts.items()}


def _is_metric(entry: Any) -> bool:
    return isinstance(entry, dict) and "value" in entry


def _windows(data: TrainingData, clusters: SummitClusters, window: int, seed: int) -> torch.Tensor:
    """Cut some windows around summits that may be learnt from."""
    free = [clusters.within(*region).position for region in data.learnt]
    position = np.concatenate(free)
    position = position[(position > window) & (position < len(data.codes) - window)]
    if not len(position):
        raise DataError("no summit is left to learn from: hold out less, or choose more contigs")
    chosen = np.random.default_rng(seed).choice(position, min(_STATISTICS, len(position)), replace=False)
    return torch.from_numpy(one_hot(data.codes[chosen[:, None] - window // 2 + np.arange(window)]))
