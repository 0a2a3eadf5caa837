"""Integrated gradients and saliency of a target with respect to every base."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from phenviz.attribution.baselines import Baseline, BaselineSource, baseline_sources
from phenviz.attribution.integration_paths import Path, TargetTile, path_of
from phenviz.attribution.summed_tiles import Forward, SummedTiles, TileAttribution
from phenviz.attribution.targets import Target, is_count, resolve
from phenviz.errors import ModelError
from phenviz.genome.annotation import Gene
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.memory import halving
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import placement
from phenviz.progress import NO_PROGRESS, Progress

with warnings.catch_warnings():
    # captum loads tqdm's notebook bars, which warn where a notebook has no widgets; they aren't used here
    warnings.filterwarnings("ignore", message="IProgress not found")
    from captum.attr import IntegratedGradients, Saliency

Steps = int | Literal["auto"]

# Steps "auto": so many at first, then twice as many until the delta is small enough, up to so many. Rules
# whose points can be used again (trapezoids) were tried: on the embedded model they need more than four times
# the points of Gauss-Legendre for the same delta, as the gradient is extreme at a baseline without bases.
FIRST_STEPS = 8
MOST_STEPS = 256
# |delta| may be so much of the change of the target ...
DELTA_OF_CHANGE = 0.01
# ... or of the target itself, where it hardly changes and no error relative to the change means anything
DELTA_OF_TARGET = 0.001


def integrated_gradients(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    target: Target,
    contexts: Sequence[str] | None = None,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    baseline: Baseline | Sequence[Baseline] = "zero",
    n_baselines: int = 1,
    n_steps: Steps = 32,
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
    contexts
        Contexts to explain the target in, in one pass, instead of the target's own: each has a gradient of
        its own, but all share the forward pass.
    gene_target
        The gene that the target names and the readout of its expression; None for a context's activity.
    baseline
        ``"zero"`` (no bases), ``"dinucleotide"`` (mean of shuffles) or an array (4,), one base composition:
        these replace all that the target depends on, also bases outside of the locus. An array (4, bases)
        replaces the locus only: outside of it the baseline is the sequence itself and takes no share. See
        `BaselineSource`. Several of them: the mean of the attributions from each, with their spread.
    n_baselines
        With ``"dinucleotide"``: integrate from so many single shuffles, instead of once from their mean.
    n_steps
        Points on the path; ``"auto"`` doubles them for each tile until the convergence delta is below 1 % of
        the change of the target (or 0.1 % of the target itself, where that hardly changes).
    flank
        Bases on each side of the locus (up to the contig's ends) that are reported, too. With the backbone's
        `halo`, attributions to neighbouring windows add up to that of the window they make together.
    step_batch
        Points computed together; None for as many as suit the device. Halved on its own when memory runs out.
    progress
        Updated after each batch of steps; gets each finished interval as a partial result.

    Returns
    -------
    xr.Dataset
        ``attribution`` (position[, context]): the value at the observed base, that is the sum over the four
        channels of (input - baseline) times the mean gradient along the path, in units of the target; float32
        (float64 for a backbone in double precision). ``position`` counts from 1; ``reference`` holds the
        bases. With several baselines also ``attribution_std``, the standard deviation over them. Attributes:
        ``target``, ``baseline``, ``n_baselines``, ``n_steps`` (the most that a tile took), ``target_value``
        and ``baseline_value`` (the target at both ends), and ``convergence_delta``: the sum of attributions,
        flanks included, minus target_value plus baseline_value. 0 would be perfect; more steps bring it
        closer. ``converged`` is 1 where it is as small as ``"auto"`` asks for. Lists with several contexts.

    Raises
    ------
    LocusError
        If the locus leaves the contig or holds no base but N.
    TargetError
        If the target isn't predicted, or no base of the locus reaches it.
    ModelError
        If the steps or the baseline make no sense.
    MemoryLimitError
        If not even one step at a time fits into memory.

    References
    ----------
    .. [1] Sundararajan, Taly, Yan (2017), Axiomatic attribution for deep networks.
    """
    each = integrated_gradients_each(
        locus,
        reference,
        backbone,
        target=target,
        contexts=contexts,
        gene_target=gene_target,
        baseline=baseline,
        n_baselines=n_baselines,
        n_steps=n_steps,
        flank=flank,
        step_batch=step_batch,
        progress=progress,
    )
    return average_baselines(each)


def integrated_gradients_each(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    target: Target,
    contexts: Sequence[str] | None = None,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    baseline: Baseline | Sequence[Baseline] = "zero",
    n_baselines: int = 1,
    n_steps: Steps = 32,
    flank: int = 0,
    step_batch: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a target as `integrated_gradients` does, and keep the baselines apart.

    Parameters
    ----------
    locus, reference, backbone, target, contexts, gene_target, baseline, n_baselines, n_steps, flank, \
    step_batch, progress
        As in `integrated_gradients`.

    Returns
    -------
    xr.Dataset
        ``attribution`` (baseline, position[, context]); attributes that differ between baselines are lists.

    Raises
    ------
    LocusError, TargetError, ModelError, MemoryLimitError
        As in `integrated_gradients`.
    """
    locus = reference.check(locus)
    counts = list(_step_counts(n_steps))
    resolved = resolve(target, backbone, gene_target, contexts)
    sources = baseline_sources(baseline, n_baselines, reference, locus)
    found = []
    for source in sources:
        summed = SummedTiles(locus, reference, backbone, resolved, progress, flank, only=len(sources) == 1)
        summed.attrs = {
            "definition": "integrated gradients at the observed base: sum over channels of (input - "
            f"baseline) * mean gradient of the {resolved.definition}",
            "baseline": source.name,
        }
        summed.planned_steps = sum(counts[:2]) if len(counts) > 1 else counts[0]
        found.append(summed.explain_tiles(_integration(summed, source, counts, step_batch)))
    joined = xr.concat(
        found,
        dim="baseline",
        data_vars=["attribution"],
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    )
    differ = ("n_steps", "target_value", "baseline_value", "convergence_delta")
    return joined.assign_attrs({name: [each.attrs[name] for each in found] for name in differ})


def average_baselines(each: xr.Dataset) -> xr.Dataset:
    """Take the mean over baselines, and with several of them the standard deviation.

    Parameters
    ----------
    each
        What `integrated_gradients_each` returned.

    Returns
    -------
    xr.Dataset
        As `integrated_gradients` returns it.
    """
    count = each.sizes["baseline"]
    averaged = each.isel(baseline=0) if count == 1 else each.mean("baseline", keep_attrs=True)
    if count > 1:
        # the letters were no numbers to average
        averaged = averaged.assign(
            reference=each["reference"], attribution_std=each["attribution"].std("baseline", ddof=1)
        )
        averaged.attrs["baseline"] = f"mean over {count} baselines: {each.attrs['baseline']} and others"
    values = {
        name: np.mean(each.attrs[name], axis=0)
        for name in ("target_value", "baseline_value", "convergence_delta")
    }
    small = small_enough(values["convergence_delta"], values["target_value"], values["baseline_value"])
    return averaged.assign_attrs(
        {name: value.tolist() for name, value in values.items()},
        n_steps=int(max(each.attrs["n_steps"])),
        n_baselines=count,
        converged=int(small),
    )


def small_enough(delta: Any, target_value: Any, baseline_value: Any) -> bool:
    """Tell whether a convergence delta is as small as steps "auto" ask for, in every context."""
    after, before = np.asarray(target_value), np.asarray(baseline_value)
    allowed = np.maximum(
        DELTA_OF_CHANGE * np.abs(after - before),
        DELTA_OF_TARGET * np.maximum(np.abs(after), np.abs(before)),
    )
    return bool((np.abs(delta) <= allowed).all())


def saliency(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    target: Target,
    contexts: Sequence[str] | None = None,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    flank: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Attribute a target to every base of a locus by its gradient at the observed base (first order).

    Parameters
    ----------
    locus, reference, backbone, target, contexts, gene_target, flank, progress
        As in `integrated_gradients`.

    Returns
    -------
    xr.Dataset
        ``attribution`` (position[, context]): the signed gradient with respect to the observed base's
        channel, 0 where the reference is N. Attributes ``target`` and ``target_value``.

    Raises
    ------
    LocusError, TargetError
        As in `integrated_gradients`.
    """
    locus = reference.check(locus)
    resolved = resolve(target, backbone, gene_target, contexts)
    # the path through the bases' own channels: its end is the sequence, and (input - 0) * gradient the value
    bases_only = BaselineSource(np.zeros(4, dtype=np.float32), reference, locus)

    def explain(tile: TargetTile, forward_of: Callable[[Path], Forward]) -> TileAttribution:
        path = path_of(tile, locus.contig, reference, backbone, bases_only)
        ends = tuple(end.detach().requires_grad_() for end in path.end)
        method = Saliency(forward_of(path))
        method.gradient_func = _gradient_of_each
        grads = method.attribute(ends, abs=False)
        with torch.no_grad():
            value = tile.score(path.encode(*path.end))[0].cpu().double().numpy()
        return TileAttribution(
            _pulled_back(path, [grad.detach() for grad in grads]), value, np.zeros_like(value), 1
        )

    summed = SummedTiles(locus, reference, backbone, resolved, progress, flank)
    summed.attrs = {"definition": f"gradient at the observed base of the {resolved.definition}"}
    dataset = summed.explain_tiles(explain)
    for name in ("convergence_delta", "baseline_value", "n_steps"):
        del dataset.attrs[name]
    return dataset


def default_step_batch(backbone: SequenceBackbone) -> int:
    """Points of the path computed together: on a CPU one, as a tile fills its cache already."""
    device, _ = placement(backbone)
    return 1 if device.type == "cpu" else 8


def _step_counts(n_steps: Steps) -> Iterator[int]:
    if n_steps == "auto":
        count = FIRST_STEPS
        while count <= MOST_STEPS:
            yield count
            count *= 2
        return
    if isinstance(n_steps, str) or not is_count(n_steps):
        raise ModelError(f"integrated gradients in {n_steps!r} steps aren't possible: use 'auto', or 32")
    yield int(n_steps)


def _integration(
    summed: SummedTiles, source: BaselineSource, counts: Sequence[int], step_batch: int | None
) -> Callable[[TargetTile, Callable[[Path], Forward]], TileAttribution]:
    """Return what integrates one tile, in as many steps as are needed."""
    batch = step_batch or default_step_batch(summed.backbone)

    def explain(tile: TargetTile, forward_of: Callable[[Path], Forward]) -> TileAttribution:
        path = path_of(tile, summed.locus.contig, summed.reference, summed.backbone, source)
        # the multiplication by (input - baseline) is the path's own: see Path.pull_back
        method = IntegratedGradients(forward_of(path), multiply_by_inputs=False)
        method.gradient_func = _gradient_of_each
        ends: list[np.ndarray] | None = None
        for n_steps in counts:

            def integrate(size: int, n_steps: int = n_steps) -> tuple[torch.Tensor, ...]:
                found: tuple[torch.Tensor, ...] = method.attribute(
                    path.end, baselines=path.begin, n_steps=n_steps, internal_batch_size=size
                )
                return found

            nonlocal batch
            grads, fitted = halving(min(batch, n_steps), integrate)
            batch = fitted if fitted < min(batch, n_steps) else batch
            attribution = _pulled_back(path, grads)
            if ends is None:
                ends = _ends(tile, path)
            after, before = ends
            if small_enough(attribution.sum(0, dtype=np.float64) - after + before, after, before):
                break
        return TileAttribution(attribution, after, before, n_steps)

    return explain


def _ends(tile: TargetTile, path: Path) -> list[np.ndarray]:
    """Return the tile's share of each target at the sequence and at the baseline."""
    with torch.no_grad():
        ends = [tile.score(path.encode(*end))[0] for end in (path.end, path.begin)]
    return [end.cpu().double().numpy() for end in ends]


def _gradient_of_each(
    forward_fn: Forward,
    inputs: tuple[torch.Tensor, ...],
    target_ind: object = None,
    additional_forward_args: object = None,
) -> tuple[torch.Tensor, ...]:
    """Take Captum's place in computing gradients: those of every target, (..., targets), from one pass."""
    with torch.enable_grad():
        targets = forward_fn(*inputs).sum(0).unbind(0)
    each = [
        torch.autograd.grad(target, inputs, retain_graph=number + 1 < len(targets))
        for number, target in enumerate(targets)
    ]
    return tuple(torch.stack(grads, dim=-1) for grads in zip(*each, strict=True))


def _pulled_back(path: Path, grads: Sequence[torch.Tensor]) -> np.ndarray:
    """Turn mean gradients (..., targets) into attributions of bases, (bases, targets)."""
    count = grads[0].shape[-1]
    with torch.no_grad():
        each = [path.pull_back(*(grad[..., number] for grad in grads)) for number in range(count)]
    return torch.stack(each, dim=-1).detach().cpu().numpy()
