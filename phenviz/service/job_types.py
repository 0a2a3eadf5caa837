"""What a kind of job is: a request with its parameters, chunks and cost."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import torch
import xarray as xr

from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.service.cuda_graphs import graphed
from phenviz.service.device import PlacedWorld
from phenviz.service.store import canonical_key

if TYPE_CHECKING:
    from phenviz.models.backbone import SequenceBackbone
    from phenviz.models.phenformer import Phenformer
    from phenviz.models.readout import GeneReadout
    from phenviz.world import World

R = TypeVar("R", bound="Request")


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
        Bases (0-based half-open) that it says something about after `trim`; needed by `StreamedRequest`.
    """

    identity: Mapping[str, Any]
    compute: Callable[[Backend, Progress], xr.Dataset]
    units: float
    trim: Callable[[xr.Dataset], xr.Dataset | None] = lambda dataset: dataset
    wider: tuple[Mapping[str, Any], ...] = ()
    extent: tuple[int, int] | None = None


class Request(ABC):
    """What a job is asked for, checked: a frozen dataclass per kind of job, with all that the kind knows.

    Requests are equal where they ask for the same; equal ones share one computation.

    Attributes
    ----------
    kind
        As in ``service.submit(kind, ...)``.
    seconds_per_unit
        Speed on two CPU cores with the embedded backbone, until that of this machine and model is learnt;
        other backbones start from it times `phenviz.models.compute_cost.relative_cost`.
    even
        Whether the fraction of a chunk that is reported grows evenly with time, and so tells what is left.
    mixed_precision
        Whether bfloat16 is good enough on CUDA.
    of_people
        Whether every such job is about people; see `private`.
    version
        Counts up whenever the same request gives other numbers than before: older entries are then ignored.
    """

    __slots__ = ()
    kind: ClassVar[str]
    seconds_per_unit: ClassVar[float]
    even: ClassVar[bool] = True
    mixed_precision: ClassVar[bool] = False
    of_people: ClassVar[bool] = False
    version: ClassVar[int] = 1

    @classmethod
    @abstractmethod
    def of(cls, world: World, *args: Any, **given: Any) -> Self:
        """Check what a user gave; equal wishes must become equal requests."""

    @abstractmethod
    def chunks(self, world: World) -> Sequence[Chunk]:
        """Split the work, in the order of the genome; at least one chunk."""

    @abstractmethod
    def peak_bytes(self, world: World) -> int:
        """Return the bytes at the peak, above the loaded model."""

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        """Put trimmed chunks together, all of them or (after a cancel) the first few."""
        return parts[0]

    def settle(self, parts: Sequence[xr.Dataset]) -> xr.Dataset | None:
        """Return what the last part made final, None if nothing; the part itself, where it is trimmed."""
        return parts[-1]

    @property
    def private(self) -> bool:
        """Whether this is about people, whoever asks: kept in memory for who asked, and never stored."""
        return self.of_people

    @property
    def flavour(self) -> str:
        """What changes the time of a unit of work (a method), for the estimates."""
        return ""

    @property
    def title(self) -> str:
        """One line to read."""
        return self.kind.replace("_", " ").capitalize()

    @property
    def address(self) -> str | None:
        """The value of a URL that asks for the same; None where no page takes it from its address.

        `phenviz.service.explained.request_at` reads it.
        """
        return None

    @classmethod
    def read(cls, world: World, given: Mapping[str, Any]) -> Self:
        """Check what a user gave, by `of`.

        Raises
        ------
        JobError
            If a parameter is missing or of another type, or this kind has none of that name.
        """
        taken = inspect.signature(cls.of)
        try:
            taken.bind(world, **given)
        except TypeError as error:
            names = ", ".join(list(taken.parameters)[1:])
            raise JobError(f"{cls.kind}: {error}; its parameters are {names}") from None
        try:
            return cls.of(world, **given)
        except (TypeError, AttributeError, ValueError, LookupError) as error:
            # whoever gives a number for a name gets no error of the first line that can't work with it
            wanted = "; ".join(str(one).replace("'", "") for one in list(taken.parameters.values())[1:])
            got = ", ".join(f"{name} is a {type(value).__name__}" for name, value in given.items())
            raise JobError(f"{cls.kind}: {got}, which can't be read ({error}); it takes {wanted}") from error

    def given(self) -> dict[str, Any]:
        """Return the parameters with which `of` makes this request again.

        Raises
        ------
        JobError
            If it keeps less than it was asked with, such as a table of variants in place of a file.
        """
        names = list(inspect.signature(self.of).parameters)[1:]
        if lost := [name for name in names if not hasattr(self, name)]:
            raise JobError(f"{self.kind} is asked for by its parameters: this request doesn't keep {lost[0]}")
        return {name: getattr(self, name) for name in names}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and canonical_key({"of": other}) == canonical_key({"of": self})

    def __hash__(self) -> int:
        return hash(canonical_key({"of": self}))


class WholeRequest(Request):
    """A request that is computed in one chunk."""

    __slots__ = ()

    @abstractmethod
    def compute(self, backend: Backend, progress: Progress) -> xr.Dataset:
        """Compute the result, with the models of the backend."""

    @abstractmethod
    def identity(self, world: World) -> Mapping[str, Any]:
        """Return what the result depends on, apart from the kind, the models and the reference."""

    @abstractmethod
    def units(self, world: World) -> float:
        """Count the work, in the kind's own unit."""

    def chunks(self, world: World) -> list[Chunk]:
        """See `Request.chunks`."""
        return [Chunk(self.identity(world), self.compute, self.units(world))]


class StreamedRequest(Request):
    """A request over a locus whose result may be too long for memory: its chunks then stay in the store."""

    __slots__ = ()
    locus: Locus

    @abstractmethod
    def interval(self, parts: Sequence[xr.Dataset], locus: Locus) -> xr.Dataset:
        """Put together what neighbouring trimmed chunks hold of the bases of a locus, which they cover.

        Equal to that part of the whole result. Along ``position``.
        """

    @abstractmethod
    def stored_bytes(self, world: World) -> int:
        """Return the bytes that all chunks take in the store at most."""

    def summary(self, attributes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return attributes of the whole that no interval knows, such as sums, from those of all chunks."""
        return {}


@dataclass
class Registry:
    """Kinds of job by name."""

    kinds: dict[str, type[Request]] = field(default_factory=dict)

    def add(self, request: type[R]) -> type[R]:
        """Add a kind (or replace the one of its name); also as a decorator of its class."""
        self.kinds[request.kind] = request
        return request

    def __getitem__(self, name: str) -> type[Request]:
        try:
            return self.kinds[name]
        except KeyError:
            raise JobError(f"there is no kind of job {name!r}: use one of {', '.join(self.kinds)}") from None
