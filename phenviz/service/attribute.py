"""The kind of job that explains a target by every base: integrated gradients and saliency.

A context's target is the activity summed over the window's bins, so the attribution of a window is the sum
of those of its chunks: each chunk is computed with a flank of the backbone's halo, which is all that its bins
see, and chunks are added where their flanks overlap. This is exact, computes no bin twice, and makes a chunk
independent of the window that it was computed for. A gene's expression isn't a sum over bins, and a global
backbone's windows depend on where they begin: these are one chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.targets import Target, is_count
from phenviz.errors import JobError, TargetError
from phenviz.genome.locus import Locus
from phenviz.models.backbone import halo
from phenviz.progress import Progress
from phenviz.results import base_starts, position_coord
from phenviz.service import grid
from phenviz.service.addresses import SHORT_METHODS, baseline_name, target_words, write_address
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    WORKING_BYTES,
    chunk_intervals,
    find_context,
    find_gene,
    find_locus,
    find_target,
    gapped,
    gene_identity,
    gene_target,
)
from phenviz.service.job_types import Backend, Chunk, StreamedRequest

if TYPE_CHECKING:
    from phenviz.world import World

METHODS = ("integrated-gradients", "saliency")
# some seconds for 32 steps on two cores, with a few per cent of flanks
ATTRIBUTE_CHUNK = 2**16
# shares of the target, which add up over chunks
_SUMS = ("target_value", "baseline_value", "convergence_delta")
_CHUNK_ATTRS = ("cell_start", "cell_end", "cell_flank")


@dataclass(frozen=True, slots=True, eq=False)
class AttributeRequest(StreamedRequest):
    """Parameters of ``attribute``: a checked locus, a target of known names, and how."""

    kind = "attribute"
    seconds_per_unit = 1 / 0.8e6
    version = 2

    locus: Locus
    target: Target
    method: str
    n_steps: int | str
    baseline: str | NDArray[np.floating]
    n_baselines: int = 1

    @classmethod
    def of(
        cls,
        world: World,
        locus: str | Locus,
        target: Target | str,
        method: str = "integrated-gradients",
        n_steps: int | str = 32,
        baseline: str | NDArray[np.floating] = "zero",
        n_baselines: int = 1,
    ) -> Self:
        target = find_target(target)
        if method not in METHODS:
            raise JobError(f"method {method!r} is unknown: use one of {', '.join(METHODS)}")
        if n_steps != "auto" and not is_count(n_steps):
            raise JobError(f"integrated gradients in {n_steps} steps isn't possible: use 32, or 'auto'")
        if not is_count(n_baselines) or (
            n_baselines > 1 and not (isinstance(baseline, str) and baseline == "dinucleotide")
        ):
            raise JobError(
                f"{n_baselines} baselines of {baseline!r} aren't possible: use 'dinucleotide' and how many "
                "shuffles"
            )
        if target.trait is not None:
            raise TargetError(
                f"trait {target.trait!r} is explained by jobs of the kind 'trait': submit that, or choose a "
                "context"
            )
        if target.context is None:
            raise TargetError("the target names no context: choose one")
        gene = find_gene(world, target.gene)
        named = Target(gene=gene, context=find_context(world, target.context, gene))
        if method == "saliency":
            # neither has a meaning for a plain gradient, so neither must make another result of it
            n_steps, baseline, n_baselines = 1, "zero", 1
        steps = n_steps if isinstance(n_steps, str) else int(n_steps)
        return cls(find_locus(world, locus), named, method, steps, baseline, int(n_baselines))

    def chunks(self, world: World) -> list[Chunk]:
        made_of = {
            "context": self.target.context,
            "method": self.method,
            "n_steps": self.n_steps,
            "baseline": self.baseline,
            "n_baselines": self.n_baselines,
            **gene_identity(world, self.target.gene, self.contexts),
        }
        # "auto" begins with 8, and the next 16 are mostly enough
        steps = (24 if isinstance(self.n_steps, str) else self.n_steps) * self.n_baselines
        if not self._is_additive(world):
            compute = partial(self._compute, self.locus, 0)
            return [Chunk({"locus": self.locus, **made_of}, compute, self.locus.length * steps, _finished)]
        flank = halo(world.backbone)
        contig_end = world.reference.contigs[self.locus.contig]
        return [
            Chunk(
                {"cell": asked, **made_of},
                partial(self._compute, asked, flank),
                asked.length * steps,
                _finished,
                extent=(max(asked.start - flank, 0), min(asked.end + flank, contig_end)),
            )
            for asked in (
                grid.overlap(interval, self.locus)
                for interval in chunk_intervals(world, self.locus, ATTRIBUTE_CHUNK)
            )
        ]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        end = self._settled_end(parts)
        if end <= self.locus.start:
            # nothing is final yet; what there is belongs to the first chunk
            end = min(int(parts[-1].attrs["cell_end"]), self.locus.end)
        joined = _add_up(parts, Locus(self.locus.contig, self.locus.start, end))
        strand = {"strand": self.locus.strand} if self.locus.strand != "." else {}
        return joined.assign_attrs(self.summary([part.attrs for part in parts]) | strand)

    def peak_bytes(self, world: World) -> int:
        letter_bytes, position_bytes = 4, 8
        per_base = COPIES * (FLOAT_BYTES * (self.n_baselines + 1) + letter_bytes + position_bytes)
        return WORKING_BYTES + self.locus.length * per_base

    def settle(self, parts: Sequence[xr.Dataset]) -> xr.Dataset | None:
        """Return the bases to which the last part was the last to add anything."""
        start = self._settled_end(parts[:-1]) if len(parts) > 1 else self.locus.start
        end = self._settled_end(parts)
        return _add_up(parts, Locus(self.locus.contig, start, end)) if start < end else None

    @property
    def flavour(self) -> str:
        # only from a baseline without bases does the stem run once for all steps
        without_bases = isinstance(self.baseline, str) and self.baseline == "zero"
        gene = " of a gene" if self.target.gene else ""
        return self.method + gene + ("" if without_bases else " from bases")

    def interval(self, parts: Sequence[xr.Dataset], locus: Locus) -> xr.Dataset:
        return _add_up(parts, locus)

    def stored_bytes(self, world: World) -> int:
        # a number, and a base of two bits at best
        return self.locus.length * (FLOAT_BYTES * self.n_baselines + 1)

    def summary(self, attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the attributes that are sums over chunks, as means over baselines."""
        first = attributes[0]
        sums = {
            name: float(np.mean(np.sum([each[name] for each in attributes], axis=0)))
            for name in _SUMS if name in first
        }  # fmt: skip
        if "convergence_delta" not in sums:
            return sums
        from phenviz.attribution.gradients import small_enough

        small = small_enough(sums["convergence_delta"], sums["target_value"], sums["baseline_value"])
        n_steps = int(max(np.max(each["n_steps"]) for each in attributes))
        return sums | {"n_steps": n_steps, "n_baselines": self.n_baselines, "converged": int(small)}

    @property
    def contexts(self) -> tuple[str, ...]:
        assert self.target.context is not None
        return (self.target.context,)

    def _is_additive(self, world: World) -> bool:
        # an array (4, bases) is a baseline of this window only
        windowed = not isinstance(self.baseline, str) and np.ndim(self.baseline) > 1
        return self.target.gene is None and world.backbone.receptive_field is not None and not windowed

    def _compute(self, interval: Locus, flank: int, backend: Backend, progress: Progress) -> xr.Dataset:
        # imported here: Captum takes a while
        from phenviz.attribution.gradients import integrated_gradients, integrated_gradients_each, saliency

        reference = gapped(backend.world)
        target: dict[str, Any] = {
            "target": self.target,
            "gene_target": gene_target(backend, self.target.gene, self.contexts),
        }
        if self.method == "saliency":
            dataset = saliency(
                interval, reference, backend.backbone, **target, flank=flank, progress=progress
            )
        else:
            how: dict[str, Any] = {"baseline": self.baseline, "n_steps": self.n_steps}
            run = integrated_gradients
            if self.n_baselines > 1:
                # where chunks overlap, the values from each baseline add up, but not their spread
                run, how["n_baselines"] = integrated_gradients_each, self.n_baselines
            dataset = run(
                interval, reference, backend.backbone, **target, **how, flank=flank, progress=progress
            )
        return dataset.assign_attrs(
            dict(zip(_CHUNK_ATTRS, (interval.start, interval.end, flank), strict=True))
        )

    def _settled_end(self, parts: Sequence[xr.Dataset]) -> int:
        ends = [int(part.attrs["cell_end"]) for part in parts]
        flanks = [int(part.attrs["cell_flank"]) for part in parts]
        if ends[-1] >= self.locus.end:
            return self.locus.end
        return max(self.locus.start, ends[-1] - flanks[-1])

    @property
    def title(self) -> str:
        return f"{SHORT_METHODS[self.method]} · {target_words(self.contexts, self.target.gene)}"

    @property
    def address(self) -> str | None:
        name = baseline_name(self.baseline, self.n_baselines)
        if name is None:
            return None
        return write_address(self.method, self.locus, self.contexts, self.target.gene, self.n_steps, name)


def _finished(dataset: xr.Dataset) -> xr.Dataset | None:
    # a tile within a chunk still misses what its neighbours add
    return dataset if "cell_end" in dataset.attrs else None


def _add_up(parts: Sequence[xr.Dataset], locus: Locus) -> xr.Dataset:
    """Add up what parts attribute to the bases of a locus, which they cover together."""
    first = parts[0]["attribution"]
    total = np.zeros((*first.shape[:-1], locus.length), dtype=first.dtype)
    letters = np.full(locus.length, "N", dtype="U1")
    for part in parts:
        begin = int(base_starts(part)[0])
        start, end = max(begin, locus.start), min(begin + part.sizes["position"], locus.end)
        if start < end:
            here, there = slice(start - locus.start, end - locus.start), slice(start - begin, end - begin)
            total[..., here] += part["attribution"].values[..., there]
            letters[here] = part["reference"].values[there]
    attrs = {name: value for name, value in parts[0].attrs.items() if name not in (*_SUMS, *_CHUNK_ATTRS)}
    if "baseline" in first.dims:
        count = len(total)
        attrs["baseline"] = f"mean over {count} baselines: {attrs['baseline']} and others"
        spread = {"attribution_std": ("position", total.std(0, ddof=1))}
        total = total.mean(0)
    else:
        spread = {}
    return xr.Dataset(
        {"attribution": ("position", total), "reference": ("position", letters), **spread},
        coords={"position": position_coord(np.arange(locus.start, locus.end))},
        attrs=attrs | {"start": locus.start, "end": locus.end},
    )
