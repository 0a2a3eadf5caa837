"""Does the chunks of a work: from the store where it has them, else with the model."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import xarray as xr

from phenviz.errors import Cancelled, JobError, MemoryLimitError, PhenvizError, ResultError
from phenviz.models.compute_cost import relative_cost
from phenviz.models.identity import model_identity
from phenviz.models.memory import free_memory, out_of_memory
from phenviz.progress import Progress
from phenviz.service.device import free_bytes, precision, precision_name
from phenviz.service.job_params import COPIES, WORKING_BYTES
from phenviz.service.job_types import Backend, Chunk, Request, StreamedRequest
from phenviz.service.result_buffer import HELD_BYTES, ChunkReader, HeldBuffer, ResultBuffer, StoredBuffer
from phenviz.service.runtime_estimates import CostBook, Estimate
from phenviz.service.session_store import SessionStore
from phenviz.service.shared_task import Store, Work
from phenviz.service.store import ResultStore, canonical_key

if TYPE_CHECKING:
    from phenviz.world import World

# counts up when what an entry of the store means changes for all kinds
STORE_SCHEMA = 2
# memory of a result that stays in the store: about that of the longest one that doesn't
_STREAMED_BYTES = WORKING_BYTES + COPIES * HELD_BYTES
_USABLE_MEMORY = 0.9

logger = logging.getLogger(__name__)


class Runner:
    """Keys, estimates and single steps of works.

    Parameters
    ----------
    world
        Gives models and reference.
    device
        Where the models run.
    costs
        Where run times are kept.
    """

    def __init__(self, world: World, device: torch.device, costs: CostBook) -> None:
        self._world = world
        self._device = device
        self._costs = costs
        self._backend = Backend(world, device)

    def key(self, kind: type[Request], parts: Mapping[str, Any]) -> str:
        """Content address of what a kind makes of these parts with this world's model and reference."""
        made_of = {
            "schema": STORE_SCHEMA,
            "kind": [kind.kind, kind.version],
            "model": self._model,
            "assembly": self._world.reference.assembly,
            "reference": self._world.reference.fingerprint,
            "precision": precision_name(self._device, kind.mixed_precision),
        }
        return canonical_key(made_of | {"parts": parts})

    @cached_property
    def _model(self) -> str:
        return model_identity(self._world.backbone)

    def estimate(self, request: Request, chunks: Sequence[Chunk], store: Store) -> Estimate:
        """Say what it costs to do the chunks that the store doesn't hold."""
        total = sum(chunk.units for chunk in chunks) or 1.0
        missing = sum(chunk.units for chunk in chunks if not self._is_stored(request, chunk, store))
        rate = request.seconds_per_unit * relative_cost(self._world.backbone)
        seconds = self._costs.seconds(self._cost_name(request), missing, rate)
        memory = request.peak_bytes(self._world)
        if self._is_streamed(request, chunks, store):
            memory = min(memory, _STREAMED_BYTES)
        return Estimate(seconds, memory, 1.0 - missing / total)

    def plan(self, key: str, request: Request, chunks: Sequence[Chunk], store: Store) -> Work:
        """Make a work of chunks, once the memory for it is known to be there.

        Raises
        ------
        MemoryLimitError
            If the device's memory can't take it.
        ResultError
            If the store's disk can't.
        """
        estimate = self.estimate(request, chunks, store)
        free = free_bytes(self._device)
        if estimate.bytes > free * _USABLE_MEMORY:
            raise MemoryLimitError(
                f"this {request.kind} needs about {estimate.bytes / 1e9:.1f} GB of memory, and "
                f"{free / 1e9:.1f} GB are free: choose a shorter locus or fewer contexts, or close other "
                "programs"
            )
        missing = sum(chunk.units for chunk in chunks) * (1 - estimate.stored)
        buffer = self._buffer(request, chunks, store, estimate)
        return Work(key, request, chunks, estimate.seconds, missing, buffer, store)

    def _buffer(
        self, request: Request, chunks: Sequence[Chunk], store: Store, estimate: Estimate
    ) -> ResultBuffer:
        """Choose where finished chunks go: into memory, or only into the store if they are too many.

        Raises
        ------
        ResultError
            If the store's disk can't take them.
        """
        if isinstance(store, SessionStore) or not self._is_streamed(request, chunks, store):
            return HeldBuffer(request)
        assert isinstance(request, StreamedRequest)
        self._check_disk(request, store, 1 - estimate.stored)
        identities = [identity for chunk in chunks for identity in (chunk.identity, *chunk.wider)]
        hold = store.hold(self._chunk_key(request, identity) for identity in identities)
        reader = ChunkReader(request, chunks, lambda chunk: self._from_store(request, chunk, store), hold)
        return StoredBuffer(reader)

    def _is_streamed(self, request: Request, chunks: Sequence[Chunk], store: Store) -> bool:
        known = isinstance(request, StreamedRequest) and all(chunk.extent is not None for chunk in chunks)
        on_disk = isinstance(store, ResultStore)
        return on_disk and known and request.peak_bytes(self._world) > _STREAMED_BYTES

    def _check_disk(self, request: StreamedRequest, store: ResultStore, missing: float) -> None:
        needed = request.stored_bytes(self._world) * missing
        folder = store.folder
        if store.limit <= 0 or not folder.is_dir():
            raise ResultError(
                f"this {request.kind} of {request.locus} is too long for memory and goes through the result "
                f"store, but {folder} keeps nothing: set PHENVIZ_STORE_LIMIT, or choose a shorter locus"
            )
        if needed > (free := shutil.disk_usage(folder).free):
            raise ResultError(
                f"this {request.kind} of {request.locus} needs about {needed / 1e9:.1f} GB of disk in "
                f"{folder}, and {free / 1e9:.1f} GB are free: free some, set PHENVIZ_CACHE to another "
                "disk, or choose a shorter locus"
            )

    def step(self, work: Work, *, compute: bool) -> bool:
        """Do one chunk of a work and, after the last one, finish it; it never raises.

        Parameters
        ----------
        work
            What to move on.
        compute
            Whether a chunk that the store doesn't hold is computed.

        Returns
        -------
        bool
            False if the chunk would have to be computed, but mustn't.
        """
        if not work.begin_chunk():
            return True
        try:
            found = self._do_chunk(work, compute)
            if not work.over and work.next_chunk == len(work.chunks):
                self._finish(work)
        except BaseException as error:
            self._fail(work, error)
            found = True
        finally:
            work.lay_down()
        if work.over and work.computed_units:
            self._costs.learn(self._cost_name(work.request), work.computed_units, work.busy_seconds)
        return found

    def _do_chunk(self, work: Work, compute: bool) -> bool:
        chunk = work.chunks[work.next_chunk]
        dataset = self._from_store(work.request, chunk, work.store)
        computed = dataset is None
        if dataset is None:
            if not compute:
                return False
            dataset = self._compute(work, chunk)
            kept = work.store.put(self._chunk_key(work.request, chunk.identity), dataset)
            if work.streamed and not kept:
                raise ResultError(
                    f"a finished chunk of this {work.request.kind} can't be kept in the result store, which "
                    "it is too long to do without: free some disk, then ask again to go on from here"
                )
        part = chunk.trim(dataset)
        if part is None:
            raise JobError(f"{work.request.kind} made a chunk with nothing in it of what was asked for")
        work.end_chunk(part, computed)
        return True

    def _compute(self, work: Work, chunk: Chunk) -> xr.Dataset:
        def change(stage: str, fraction: float) -> None:
            work.report(stage, fraction)

        def partial(tile: xr.Dataset) -> None:
            if (trimmed := chunk.trim(tile)) is not None:
                work.add_tile(trimmed)

        progress = Progress(change, partial, work.cancel_event)
        progress.check()
        with precision(self._device, work.request.mixed_precision):
            return chunk.compute(self._backend, progress)

    def _finish(self, work: Work) -> None:
        with work.changed:
            buffer = work.buffer.copy()
        work.end("done", result=buffer.join())

    def _fail(self, work: Work, error: BaseException) -> None:
        if isinstance(error, Cancelled):
            work.end("cancelled")
            return
        if isinstance(error, PhenvizError):
            # a message may name a person
            logger.info("%s failed: %s", work.request.kind, type(error).__name__ if work.private else error)
            told = error
        elif out_of_memory(error):
            logger.warning("%s ran out of memory", work.request.kind, exc_info=error)
            told = MemoryLimitError(
                f"memory ran out during {work.request.kind} ({work.stage}): choose a shorter locus or "
                "fewer contexts, or close other programs"
            )
        else:
            logger.error("%s failed unexpectedly", work.request.kind, exc_info=error)
            what = str(error).strip().splitlines()
            told = JobError(
                f"{work.request.kind} failed during '{work.stage}': {type(error).__name__}"
                f"{': ' + what[0][:200] if what else ''} (details are in the log)"
            )
        # its frames hold the tensors of what failed
        told.__cause__ = told.__context__ = None
        work.end("failed", error=told.with_traceback(None))
        free_memory()

    def _from_store(self, request: Request, chunk: Chunk, store: Store) -> xr.Dataset | None:
        for identity in (chunk.identity, *chunk.wider):
            dataset = store.get(self._chunk_key(request, identity))
            if dataset is not None:
                return dataset
        return None

    def _is_stored(self, request: Request, chunk: Chunk, store: Store) -> bool:
        return any(self._chunk_key(request, identity) in store for identity in (chunk.identity, *chunk.wider))

    def _chunk_key(self, request: Request, identity: Mapping[str, Any]) -> str:
        # the word is part of the key, as "cell" is in identities: another would lose all that is stored
        return self.key(type(request), {"piece": identity})

    def seconds(self, kind: type[Request], units: float, flavour: str) -> float:
        """Say how long so many units of a kind take."""
        return self._costs.seconds(self._rate_name(kind, flavour), units, kind.seconds_per_unit)

    def _cost_name(self, request: Request) -> str:
        return self._rate_name(type(request), request.flavour)

    def _rate_name(self, kind: type[Request], flavour: str) -> str:
        model = self._world.backbone.weights_hash[:12]
        return f"{kind.kind}|{kind.version}|{flavour}|{self._device}|{model}"
