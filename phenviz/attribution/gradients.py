"""Integrated gradients and saliency of a target with respect to every base."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.baselines import Baseline, BaselineSource
from phenviz.attribution.mutagenesis import LETTERS
from phenviz.attribution.paths import Path, Piece, path_of, pieces
from phenviz.attribution.targets import ResolvedTarget, Target, resolve
from phenviz.genome.annotation import Gene
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.memory import halving
from phenviz.models.parallel import SharedProgress, over_tiles
from phenviz.models.predict import activity_units
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import placement
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import result_attrs

with warnings.catch_warnings():
    # captum loads tqdm's notebook bars, which warn where a notebook has no widgets; they aren't used here
    warnings.filterwarnings("ignore", message="IProgress not found")
    from captum.attr import IntegratedGradients, Saliency

Forward = Callable[..., torch.Tensor]


def integrated_gradients(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    target: Target,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    baseline: Baseline = "zero",
    n_steps: int = 32,
    flank: int = 0,
    step_batch: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a target to every base of a locus by integrated gradients [1]_.

    Captum integrates (Gauss-Legendre). A sum of activity is integrated tile by tile; each tile holds all
    bases that its bins see, and what overlaps adds up to the result of one run over the whole window with
    its flanks. A gene's expression is one path over all bases that the readout sees, its gradient computed
    tile by tile. Memory doesn't grow with the locus.

    Parameters
    ----------
    locus
        Bases to explain, 0-based half-open; for a context also the window whose bins are summed.
    reference
        Genome; beyond the contig's ends it is taken as N.
    backbone
        Sequence model; it stays on its device and in its precision.
    target
        What is explained.
    gene_target
        The gene that the target names and the readout of its expression; None for a context's activity.
    baseline
        ``"zero"``, ``"dinucleotide"`` (mean of shuffles) or an array; see `BaselineSource`.
    n_steps
        Points on the path.
    flank
        Bases on each side of the locus (up to the contig's ends) that are reported, too. With the backbone's
        `halo`, attributions to neighbouring windows add up to that of the window they make together.
    step_batch
        Points computed together; None for as many as suit the device. Halved on its own when memory runs out.
    progress
        Told after each batch of steps; gets each finished stretch as a partial result.

    Returns
    -------
    xr.Dataset
        ``attribution`` (position): the value at the observed base, that is the sum over the four channels of
        (input - baseline) times the mean gradient along the path, in units of the target; float32 (float64
        for a backbone in double precision). ``position`` is 0-based; ``reference`` holds the bases.
        Attributes: ``target``, ``baseline``, ``n_steps``, ``target_value`` and ``baseline_value`` (the target
        at both ends), and ``convergence_delta``: the sum of attributions, flanks included, minus target_value
        plus baseline_value. 0 would be perfect; more steps bring it closer.

    Raises
    ------
    LocusError
        If the locus leaves the contig or holds no base but N.
    TargetError
        If the target isn't predicted, or no base of the locus reaches it.
    MemoryLimitError
        If not even one step at a time fits into memory.

    References
    ----------
    .. [1] Sundararajan, Taly, Yan (2017), Axiomatic attribution for deep networks.
    """
    locus = reference.check(locus)
    resolved = resolve(target, backbone, gene_target)
    source = BaselineSource(baseline, reference, locus)
    batch = min(step_batch or default_step_batch(backbone), n_steps)

    def explain(piece: Piece, forward_of: Callable[[Path], Forward]) -> _Part:
        nonlocal batch
        path = path_of(piece, locus.contig, reference, backbone, source)
        forward = forward_of(path)

        def integrate(size: int) -> tuple[torch.Tensor, ...]:
            # the multiplication by (input - baseline) is the path's own: see Path.pull_back
            method = IntegratedGradients(forward, multiply_by_inputs=False)
            return method.attribute(path.end, baselines=path.begin, n_steps=n_steps, internal_batch_size=size)

        grads, batch = halving(batch, integrate)
        with torch.no_grad():
            values = [float(piece.score(path.encode(*end))[0]) for end in (path.end, path.begin)]
        return _Part(path.pull_back(*grads), *values)

    run = _Run(locus, reference, backbone, resolved, n_steps, progress, flank)
    run.attrs = {
        "definition": "integrated gradients at the observed base: sum over channels of (input - baseline) * "
        f"mean gradient of the {resolved.definition}",
        "baseline": source.name,
        "n_steps": n_steps,
    }
    return run.over_pieces(explain)


def saliency(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    target: Target,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    flank: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a target to every base of a locus by its gradient at the observed base (first order).

    Parameters
    ----------
    locus, reference, backbone, target, gene_target, flank, progress
        As in `integrated_gradients`.

    Returns
    -------
    xr.Dataset
        ``attribution`` (position): the signed gradient with respect to the observed base's channel, 0 where
        the reference is N. Attributes ``target`` and ``target_value``.

    Raises
    ------
    LocusError, TargetError
        As in `integrated_gradients`.
    """
    locus = reference.check(locus)
    resolved = resolve(target, backbone, gene_target)
    # the path through the bases' own channels: its end is the sequence, and (input - 0) * gradient the value
    bases_only = BaselineSource(np.zeros(4, dtype=np.float32), reference, locus)

    def explain(piece: Piece, forward_of: Callable[[Path], Forward]) -> _Part:
        path = path_of(piece, locus.contig, reference, backbone, bases_only)
        ends = tuple(end.detach().requires_grad_() for end in path.end)
        grads = Saliency(forward_of(path)).attribute(ends, abs=False)
        with torch.no_grad():
            value = float(piece.score(path.encode(*path.end))[0])
        return _Part(path.pull_back(*(grad.detach() for grad in grads)), value, 0.0)

    run = _Run(locus, reference, backbone, resolved, 1, progress, flank)
    run.attrs = {"definition": f"gradient at the observed base of the {resolved.definition}"}
    dataset = run.over_pieces(explain)
    for name in ("convergence_delta", "baseline_value"):
        del dataset.attrs[name]
    return dataset


def default_step_batch(backbone: SequenceBackbone) -> int:
    """Points of the path computed together: on a CPU one, as a tile fills its cache already."""
    device, _ = placement(backbone)
    return 1 if device.type == "cpu" else 8


@dataclass(frozen=True, slots=True)
class _Part:
    """What one piece adds: attribution (bases,), and the piece's share of the target at both ends."""

    attribution: torch.Tensor
    value: float
    baseline_value: float


@dataclass
class _Run:
    """Adds pieces up, and hands finished stretches out."""

    locus: Locus
    reference: ReferenceGenome
    backbone: SequenceBackbone
    target: ResolvedTarget
    n_steps: int
    progress: Progress
    flank: int
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def reported(self) -> Locus:
        """The locus with its flanks, cut at the contig's ends."""
        wide = self.locus.widened(self.flank)
        return replace(wide, end=min(wide.end, self.reference.contigs[wide.contig]))

    def over_pieces(self, explain: Callable[[Piece, Callable[[Path], Forward]], _Part]) -> xr.Dataset:
        locus = self.reported
        parts = list(pieces(self.locus, self.reference, self.backbone, self.target))
        _, dtype = placement(self.backbone)
        total = np.zeros(locus.length, dtype=np.float64 if dtype == torch.float64 else np.float32)
        self.progress.stage("attributing", sum(part.end - part.start for part in parts) * self.n_steps)
        summed = value = baseline_value = 0.0
        done = locus.start
        shared = SharedProgress(self.progress)

        def run(piece: Piece) -> _Part:
            return explain(piece, self._forward_of(piece, shared))

        # long pieces, as a gene's or a global model's, have all threads for themselves
        local = self.target.gene is None and self.backbone.receptive_field is not None
        explained = over_tiles(parts, run, placement(self.backbone)[0]) if local else map(run, parts)
        for number, (piece, part) in enumerate(zip(parts, explained, strict=True)):
            attribution = part.attribution.detach().cpu().numpy()
            self._add(total, attribution, piece.start)
            summed += float(attribution.sum(dtype=np.float64))
            value, baseline_value = value + part.value, baseline_value + part.baseline_value
            # the next piece's bases may still change; those before it are finished
            ready = min(parts[number + 1].start, locus.end) if number + 1 < len(parts) else locus.end
            if ready > done:
                stretch = Locus(locus.contig, done, ready, locus.strand)
                self.progress.partial(
                    self._as_dataset(total[done - locus.start : ready - locus.start].copy(), stretch)
                )
                done = ready
        return self._as_dataset(
            total,
            locus,
            target_value=value,
            baseline_value=baseline_value,
            convergence_delta=summed - value + baseline_value,
        )

    def _forward_of(self, piece: Piece, progress: Progress) -> Callable[[Path], Forward]:
        def forward_of(path: Path) -> Forward:
            def forward(*points: torch.Tensor) -> torch.Tensor:
                progress.advance(len(points[0]) * (piece.end - piece.start))
                return piece.score(path.encode(*points))

            return forward

        return forward_of

    def _add(self, total: NDArray[Any], attribution: NDArray[Any], start: int) -> None:
        start_shown, end_shown = self.reported.start, self.reported.end
        first, last = max(start, start_shown), min(start + len(attribution), end_shown)
        if first < last:
            total[first - start_shown : last - start_shown] += attribution[first - start : last - start]

    def _as_dataset(self, attribution: NDArray[Any], locus: Locus, **values: Any) -> xr.Dataset:
        codes = self.reference.fetch_codes(locus.contig, locus.start, locus.end)
        attrs = result_attrs(
            locus,
            self.backbone,
            self.reference,
            units=self.target.readout.units if self.target.readout else activity_units(self.backbone),
            target=str(self.target),
            target_context=self.target.context,
            target_gene=self.target.gene.name if self.target.gene else None,
            **self.attrs,
            **values,
        )
        return xr.Dataset(
            {"attribution": ("position", attribution), "reference": ("position", LETTERS[codes])},
            coords={"position": np.arange(locus.start, locus.end)},
            attrs=attrs,
        )
