"""What a kind of job is: its parameters, its chunks, its cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch
import xarray as xr

from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.service.cuda_graphs import graphed
from phenviz.service.device import PlacedWorld

if TYPE_CHECKING:
    from phenviz.models.backbone import SequenceBackbone
    from phenviz.models.phenformer import Phenformer
    from phenviz.models.readout import GeneReadout
    from phenviz.world import World


class Backend:
    """What a job computes with: the world with its models on the device of the service."""

    def __init__(self, world: World, device: torch.device) -> None:
        self.world = cast("World", PlacedWorld(world, device))
        self.device = device

    @property
    def backbone(self) -> SequenceBackbone:
        """The sequence model."""
        return self.world.backbone

    @cached_property
    def predictor(self) -> SequenceBackbone:
        """The sequence model for predictions without gradients, in mixed precision: on CUDA with graphs."""
        return graphed(self.backbone, self.device)

    @property
    def readout(self) -> GeneReadout | None:
        """The gene readout, where the world has one."""
        return self.world.readout

    @property
    def phenformer(self) -> Phenformer | None:
        """The disease model, where the world has one."""
        return self.world.phenformer


@dataclass(frozen=True)
class Chunk:
    """A part of a job that is computed and stored on its own.

    Parameters
    ----------
    identity
        What it is made of, apart from the kind, the models and the reference (the service adds these): goes
        into its key. Jobs with a chunk of the same identity share it.
    compute
        ``compute(backend, progress)`` returns its Dataset.
    units
        Its work, in the kind's own unit (bases, mutants, ...).
    trim
        Cuts out of it what this job needs; None if nothing. Also applied to its partial results.
    wider
        Identities of larger chunks out of which `trim` could cut the same.
    extent
        Bases (0-based half-open) that it says something about after `trim`; needed for `Streaming`.
    """

    identity: Mapping[str, Any]
    compute: Callable[[Backend, Progress], xr.Dataset]
    units: float
    trim: Callable[[xr.Dataset], xr.Dataset | None] = lambda dataset: dataset
    wider: tuple[Mapping[str, Any], ...] = ()
    extent: tuple[int, int] | None = None


@dataclass(frozen=True)
class Streaming:
    """How a result that is too long for memory is read from its chunks, which then stay in the store.

    Parameters
    ----------
    interval
        ``interval(params, parts, locus)`` puts together what neighbouring trimmed chunks hold of the bases of
        a locus, which they cover; equal to that part of the whole result. Along ``position``.
    disk
        ``disk(world, params)``: bytes that all chunks take in the store at most.
    summary
        ``summary(params, attributes)`` returns the attributes of the whole that no interval knows (sums over
        it), from those of all chunks.
    """

    interval: Callable[[Any, Sequence[xr.Dataset], Locus], xr.Dataset]
    disk: Callable[[World, Any], int]
    summary: Callable[[Any, Sequence[Mapping[str, Any]]], Mapping[str, Any]] = lambda params, attributes: {}


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Parameters
    ----------
    name
        As in ``service.submit(name, ...)``.
    normalise
        ``normalise(world, **params)`` checks what a user gave and returns a frozen dataclass; equal requests
        must give equal ones.
    chunks
        ``chunks(world, params)`` splits the work, in the order of the genome; at least one chunk.
    join
        ``join(params, parts)`` puts trimmed chunks together, all of them or (after a cancel) the first few.
    seconds_per_unit
        Speed on two CPU cores with the embedded backbone, until that of this machine and model is learnt;
        other backbones start from it times `phenviz.models.compute_cost.relative_cost`.
    memory
        ``memory(world, params)``: bytes at the peak, above the loaded model.
    flavour
        ``flavour(params)`` names what changes the time of a unit of work (a method), for the estimates.
    even
        Whether the fraction of a chunk that is reported grows evenly with time, and so tells what is left.
    settle
        ``settle(params, parts)`` returns what the last part made final, None if nothing; by default the part
        itself, cut by its `Chunk.trim`.
    streaming
        How to do without the whole result in memory; None where it always fits.
    mixed_precision
        Whether bfloat16 is good enough on CUDA.
    private
        ``private(params)``: whether this is about people, whoever asks. Such a result is kept in memory for
        who asked, and never stored.
    version
        Counts up whenever the same request gives other numbers than before: older entries are then ignored.
    """

    name: str
    normalise: Callable[..., Any]
    chunks: Callable[[World, Any], Sequence[Chunk]]
    join: Callable[[Any, Sequence[xr.Dataset]], xr.Dataset]
    seconds_per_unit: float
    memory: Callable[[World, Any], int]
    flavour: Callable[[Any], str] = lambda params: ""
    even: bool = True
    settle: Callable[[Any, Sequence[xr.Dataset]], xr.Dataset | None] = lambda params, parts: parts[-1]
    streaming: Streaming | None = None
    mixed_precision: bool = False
    private: Callable[[Any], bool] = lambda params: False
    version: int = 1

    def read(self, world: World, given: Mapping[str, Any]) -> Any:
        """Check what a user gave, by `normalise`.

        Raises
        ------
        JobError
            If a parameter is missing or of another type, or this kind has none of that name.
        """
        taken = inspect.signature(self.normalise)
        try:
            taken.bind(world, **given)
        except TypeError as error:
            names = ", ".join(list(taken.parameters)[1:])
            raise JobError(f"{self.name}: {error}; its parameters are {names}") from None
        try:
            return self.normalise(world, **given)
        except (TypeError, AttributeError, ValueError, LookupError) as error:
            # whoever gives a number for a name gets no error of the first line that can't work with it
            wanted = "; ".join(str(one).replace("'", "") for one in list(taken.parameters.values())[1:])
            got = ", ".join(f"{name} is a {type(value).__name__}" for name, value in given.items())
            raise JobError(f"{self.name}: {got}, which can't be read ({error}); it takes {wanted}") from error


@dataclass
class Registry:
    """Kinds by name."""

    kinds: dict[str, Kind] = field(default_factory=dict)

    def add(self, kind: Kind) -> Kind:
        """Add a kind (or replace the one of its name)."""
        self.kinds[kind.name] = kind
        return kind

    def __getitem__(self, name: str) -> Kind:
        try:
            return self.kinds[name]
        except KeyError:
            raise JobError(f"there is no kind of job {name!r}: use one of {', '.join(self.kinds)}") from None


def whole(
    name: str,
    normalise: Callable[..., Any],
    compute: Callable[[World, Any, Progress, Backend], xr.Dataset],
    *,
    identity: Callable[[World, Any], Mapping[str, Any]],
    units: Callable[[World, Any], float],
    seconds_per_unit: float,
    memory: Callable[[World, Any], int],
) -> Kind:
    """Make a kind that is computed in one chunk.

    Parameters
    ----------
    name, normalise, seconds_per_unit, memory
        As for `Kind`.
    compute
        ``compute(world, params, progress, backend)``.
    identity, units
        ``identity(world, params)`` and ``units(world, params)`` of the one chunk.
    """

    def chunks(world: World, params: Any) -> list[Chunk]:
        def run(backend: Backend, progress: Progress) -> xr.Dataset:
            return compute(world, params, progress, backend)

        return [Chunk(identity(world, params), run, units(world, params))]

    def join(params: Any, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        return parts[0]

    return Kind(name, normalise, chunks, join, seconds_per_unit, memory)
