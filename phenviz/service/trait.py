"""The kind of job that explains a trait's logit by every base of all gene windows of the disease model.

It has two kinds of chunks, each stored on its own, so that a job that was interrupted goes on where it
stopped: first the sums that gene tokens are made of (shared by all traits), tile by tile; then, with all of
them at hand, the attribution of each tile. A tile is an interval of a contig's grid for a local backbone, and
a gene window for a global one. A locus restricts the second kind only: the logit depends on all windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.targets import Target, is_count
from phenviz.errors import JobError, ModelError, TargetError
from phenviz.genome.codes import LETTERS
from phenviz.genome.intervals import merged
from phenviz.genome.locus import Locus
from phenviz.models.identity import model_identity
from phenviz.progress import Progress
from phenviz.results import position_coord
from phenviz.service.addresses import SHORT_METHODS, baseline_name, write_address
from phenviz.service.attribute import METHODS
from phenviz.service.job_params import WORKING_BYTES, find_locus, find_target
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.attribution.trait_engine import TokenWeights, TraitEngine
    from phenviz.world import World

# some seconds for 32 steps on two cores, and a few hundred files for a chromosome
TRAIT_CHUNK = 2**18
# a forward pass, in units of one with its gradient
_FORWARD_UNITS = 0.4
# what a base takes while chunks are joined: its value and letter twice, its position
_BASE_BYTES = 2 * (4 + 4) + 8


@dataclass(frozen=True, slots=True, eq=False)
class TraitRequest(Request):
    """Parameters of ``trait``: a known trait, a checked locus or None for all windows, and how."""

    kind = "trait"
    seconds_per_unit = 1 / 0.8e6

    trait: str
    locus: Locus | None
    method: str
    n_steps: int
    baseline: str | NDArray[np.floating]

    @classmethod
    def of(
        cls,
        world: World,
        target: Target | str,
        locus: str | Locus | None = None,
        method: str = "integrated-gradients",
        n_steps: int | str = 32,
        baseline: str | NDArray[np.floating] = "zero",
        n_baselines: int = 1,
    ) -> Self:
        target = find_target(target)
        if method not in METHODS:
            raise JobError(f"method {method!r} is unknown: use one of {', '.join(METHODS)}")
        n_steps = steps_of_trait(n_steps, n_baselines)
        if not target.trait:
            raise TargetError("the target names no trait: choose one")
        if target.gene or target.context:
            raise TargetError(
                f"the logit of {target.trait} depends on all genes and contexts: leave gene and context out"
            )
        phenformer = world.phenformer
        if phenformer is None:
            raise ModelError(
                f"trait {target.trait!r} needs a disease model, and world {world.name!r} has none: set "
                "'phenformer' or 'risk' in its project.yaml"
            )
        trait = phenformer.traits[phenformer.trait_index(target.trait)].name
        if method == "saliency":
            # neither has a meaning for a plain gradient, so neither must make another result of it
            n_steps, baseline = 1, "zero"
        where = None if locus is None else find_locus(world, locus)
        return cls(trait, where, method, n_steps, baseline)

    def chunks(self, world: World) -> list[Chunk]:
        plan = _Plan(world, self)
        size, reader = world.backbone.bin_size, plan.engine.reader
        read_from = {
            "phenformer": model_identity(reader.phenformer),
            "readout": None if reader.readout is None else model_identity(reader.readout),
            "method": self.method,
            "n_steps": self.n_steps,
            "baseline": self.baseline,
        }
        explained = {**read_from, "trait": self.trait}
        points, steps = len(plan.engine.points), self.n_steps
        chunks = []
        for number, tile in enumerate(plan.tiles):
            length = (tile.last_bin - tile.first_bin) * size
            where = [tile.contig, tile.first_bin, tile.last_bin]
            chunks.append(
                Chunk(
                    {"tokens": where, **read_from},
                    partial(plan.read, number),
                    length * points * _FORWARD_UNITS,
                    partial(plan.collect, number),
                )
            )
        for number in plan.asked:
            tile = plan.tiles[number]
            where = [tile.contig, tile.first_bin, tile.last_bin]
            length = (tile.last_bin - tile.first_bin) * size
            identity = {"attribution": where, **explained}
            chunks.append(
                Chunk(identity, partial(plan.attribute, number), length * steps, partial(plan.mark, number))
            )
        return chunks

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        attrs, explained = parts[0].attrs, [part for part in parts if "attribution" in part]
        end = explained[-1].attrs["settled_end"] if explained else attrs["start"]
        joined = _add_up(attrs, explained, int(attrs["start"]), int(end))
        if not explained:
            return joined
        from phenviz.attribution.trait import convergence

        last = explained[-1].attrs
        values = {name: last[name] for name in ("target_value", "baseline_value") if name in last}
        complete = self.locus is None and end == attrs["end"]
        if complete and "baseline_value" in values:
            summed = sum(part.attrs["attribution_sum"] for part in explained)
            values |= convergence(summed, values)
        return joined.assign_attrs(values)

    def peak_bytes(self, world: World) -> int:
        phenformer = world.phenformer
        assert phenformer is not None
        bases = len(phenformer.genes) * phenformer.window
        if self.locus is not None:
            bases = min(bases, self.locus.length)
        return WORKING_BYTES + bases * _BASE_BYTES

    def settle(self, parts: Sequence[xr.Dataset]) -> xr.Dataset | None:
        """Return the bases to which the last part was the last to add anything."""
        if "attribution" not in parts[-1]:
            return None
        attrs = parts[0].attrs
        before = [part for part in parts[:-1] if "attribution" in part]
        start = int(before[-1].attrs["settled_end"] if before else attrs["start"])
        end = int(parts[-1].attrs["settled_end"])
        settled = _add_up(attrs, [*before, parts[-1]], start, end)
        return settled if settled.sizes["position"] else None

    @property
    def contexts(self) -> tuple[str, ...]:
        """None: a logit depends on all of them."""
        return ()

    @property
    def flavour(self) -> str:
        return self.method

    @property
    def title(self) -> str:
        return f"{SHORT_METHODS[self.method]} · {self.trait}"

    @property
    def address(self) -> str | None:
        begins = baseline_name(self.baseline, 1)
        if self.locus is None or begins is None:
            return None
        return write_address(self.method, self.locus, self.contexts, None, self.n_steps, begins, self.trait)

    def given(self) -> dict[str, Any]:
        how = {"method": self.method, "n_steps": self.n_steps, "baseline": self.baseline}
        return {"target": Target(trait=self.trait), "locus": self.locus, **how}


def steps_of_trait(n_steps: int | str, n_baselines: int) -> int:
    """Check the path of integrated gradients to a trait, and return its steps.

    Raises
    ------
    JobError
        If all gene windows can't take it together.
    """
    if isinstance(n_steps, str):
        raise JobError(
            f"{n_steps!r} steps aren't possible for a trait, as all windows take their steps together: give "
            "a number, such as 32, and look at the convergence delta of the result"
        )
    if n_baselines != 1:
        raise JobError(f"{n_baselines} baselines aren't possible for a trait: leave their number out")
    if not is_count(n_steps):
        raise JobError(f"integrated gradients in {n_steps} steps isn't possible: use 32")
    return int(n_steps)


class _Plan:
    """What the chunks of one job share: its plan, and the sums of all windows once they are read."""

    def __init__(self, world: World, request: TraitRequest) -> None:
        from phenviz.attribution.trait import explained, tiles_at
        from phenviz.models.phenformer_tokens import plan_tiles

        self._world, self._request = world, request
        self.engine = _engine(world, world, request)
        self.where = explained(self.engine.reader, request.locus)
        bins = max(TRAIT_CHUNK // world.backbone.bin_size, 1)
        self.tiles = plan_tiles(self.engine.reader, tile_bins=bins)
        seen = self.tiles if request.locus is None else tiles_at(self.engine, self.tiles, self.where)
        # numbers of the tiles that are explained, from left to right
        self.asked = [number for number, tile in enumerate(self.tiles) if tile in set(seen)]
        self._sums: dict[int, NDArray[np.float64]] = {}
        self._placed: tuple[Backend, TraitEngine] | None = None
        self._weights: TokenWeights | None = None

    def read(self, number: int, backend: Backend, progress: Progress) -> xr.Dataset:
        """Compute what a tile adds to the sums of its windows."""
        from phenviz.models.phenformer_tokens import split_tile

        engine, tile = self._engine_on(backend), self.tiles[number]
        sums = engine.sums(split_tile(engine.reader, tile), progress)[:, 0, tile.indices]
        return xr.Dataset({"sums": (("point", "window", "term"), sums)})

    def collect(self, number: int, dataset: xr.Dataset) -> xr.Dataset:
        """Note a tile's sums, whether they were computed now or come from the store."""
        self._sums[number] = dataset["sums"].values
        return xr.Dataset(attrs=self._attrs)

    def attribute(self, number: int, backend: Backend, progress: Progress) -> xr.Dataset:
        """Attribute the logit to the bases that a tile sees."""
        from phenviz.attribution.trait import ends
        from phenviz.attribution.trait_canvas import Canvas, bases_of, clipped
        from phenviz.models.phenformer_tokens import reached, split_tile

        engine, tile, weights = self._engine_on(backend), self.tiles[number], self._weights_on(backend)
        whole = engine.target_tile(tile)
        canvas = Canvas(
            clipped(reached(engine.reader, tile.contig), whole.start, whole.end), dtype=engine.dtype
        )
        summed = 0.0
        for start, values in engine.attribute(split_tile(engine.reader, tile), weights, progress):
            canvas.add(start, values)
            summed += float(values.sum(dtype=float))
        return xr.Dataset(
            {
                "attribution": ("base", canvas.values[0]),
                "reference": ("base", bases_of(engine.sequences, tile.contig, canvas)[0]),
            },
            attrs={
                "starts": [start for start, _ in canvas.intervals],
                "ends": [end for _, end in canvas.intervals],
                "attribution_sum": summed,
                **ends(weights, None),
            },
        )

    def mark(self, number: int, dataset: xr.Dataset) -> xr.Dataset:
        """Say up to where an attribution is final once this tile is there: where the next one begins."""
        later = self.asked[self.asked.index(number) + 1 :]
        settled = self.engine.target_tile(self.tiles[later[0]]).start if later else self.where.end
        return dataset.assign_attrs(settled_end=min(max(settled, self.where.start), self.where.end))

    @cached_property
    def _attrs(self) -> dict[str, Any]:
        from phenviz.attribution.trait import attributes

        return attributes(self.engine, self.where, self.tiles)

    def _engine_on(self, backend: Backend) -> TraitEngine:
        if self._placed is None or self._placed[0] is not backend:
            self._placed = (backend, _engine(self._world, backend, self._request))
        return self._placed[1]

    def _weights_on(self, backend: Backend) -> TokenWeights:
        if self._weights is None:
            engine = self._engine_on(backend)
            total = np.zeros((len(engine.points), 1, len(engine.reader.windows), engine.reader.terms))
            for number, sums in self._sums.items():
                total[:, 0, self.tiles[number].indices] += sums
            self._weights = engine.weights(total)
        return self._weights


def _engine(world: World, models: World | Backend, request: TraitRequest) -> TraitEngine:
    """Set up the engine with the world's own models, or with those on the service's device."""
    # imported here: Captum takes a while
    from phenviz.attribution.trait_engine import TraitEngine
    from phenviz.models.phenformer_tokens import TokenReader

    phenformer = models.phenformer
    assert phenformer is not None
    reader = TokenReader(phenformer, world.reference, models.backbone, models.readout)
    n_steps = None if request.method == "saliency" else request.n_steps
    trait = phenformer.trait_index(request.trait)
    return TraitEngine(reader, trait, (world.reference,), (0, 0), n_steps, cast(Any, request.baseline))


def _add_up(attrs: dict[str, Any], parts: Sequence[xr.Dataset], start: int, end: int) -> xr.Dataset:
    """Add up what parts attribute to the bases between two positions, as a result."""
    from phenviz.attribution.trait_canvas import Canvas, clipped

    intervals = merged(interval for part in parts for interval in _intervals(part))
    canvas = Canvas(
        clipped(intervals, start, end), dtype=parts[0]["attribution"].dtype if parts else np.float32
    )
    letters = np.zeros(canvas.values.shape[1], dtype=np.uint8)
    for part in parts:
        offset = 0
        values, codes = part["attribution"].values, part["reference"].values
        for first, last in _intervals(part):
            own = slice(offset, offset + last - first)
            canvas.add(first, values[None, own])
            for here, there in canvas.slices(first, last):
                letters[here] = codes[own][there]
            offset += last - first
    positions = canvas.positions
    borders = {"start": int(positions[0]), "end": int(positions[-1]) + 1} if len(positions) else {}
    return xr.Dataset(
        {"attribution": ("position", canvas.values[0]), "reference": ("position", LETTERS[letters])},
        coords={"position": position_coord(positions)},
        attrs=attrs | borders,
    )


def _intervals(part: xr.Dataset) -> list[tuple[int, int]]:
    starts, ends = np.atleast_1d(part.attrs["starts"]), np.atleast_1d(part.attrs["ends"])
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
