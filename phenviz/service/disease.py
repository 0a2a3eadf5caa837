"""The kinds of job about diseases: hypotheses of all traits of a source, and what stands behind one trait."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.data.packs import has_pack
from phenviz.errors import DataError
from phenviz.progress import Progress
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.disease import TraitVariants
    from phenviz.disease.inputs import Inputs
    from phenviz.world import World

SIMULATED = "simulated"
# as `phenviz.disease.inputs.FLAT`, which is imported only where something is tested
FLAT = "flat"
_MEMORY = 1_200 * 2**20
_OF_A_VARIANT = {
    "contig": str, "position": np.int64, "ref": str, "alt": str, "id": str, "posterior": float,
    "beta": float, "se": float, "gene": str, "posterior_given": float,
}  # fmt: skip
_PACK = "pack"
_TABLE = "table"
_GIVEN = "given"


@dataclass(frozen=True, slots=True)
class TraitSource:
    """Where fine-mapped variants come from.

    Parameters
    ----------
    kind
        ``pack``, ``table``, ``given`` (read already) or ``simulated``.
    name
        Name of the pack, or path of the table.
    content
        Hash of what is in it.
    traits
        What was given.
    """

    kind: str
    name: str
    content: str
    traits: TraitVariants | None = field(default=None, compare=False, repr=False)

    @property
    def identity(self) -> list[str]:
        """What results depend on: a table may lie anywhere, but its name becomes the trait's."""
        return [self.kind, Path(self.name).name, self.content]

    def read(self, world: World, progress: Progress, *, least_loci: int = 1) -> TraitVariants:
        """Read or make up the variants, or return those that were given.

        With ``least_loci`` 0, also of a study without a significant locus.
        """
        from phenviz.disease import read_trait_pack, read_trait_variants
        from phenviz.disease.simulated import simulated_traits

        if self.traits is not None:
            return self.traits
        if self.kind == _PACK:
            return read_trait_pack(self.name, world.reference, progress=progress)
        if self.kind == _TABLE:
            return read_trait_variants(self.name, world.reference, least_loci=least_loci, progress=progress)
        return simulated_traits(world, progress=progress)


@dataclass(frozen=True, slots=True, eq=False)
class HypothesesRequest(Request):
    """Parameters of ``hypotheses``: a source, methods, draws of the null, seed, contexts or None, prior."""

    kind = "hypotheses"
    seconds_per_unit = 30.0
    even = False  # `_Halving` knows neither how many stages there are nor their lengths
    version = 3

    source: TraitSource
    methods: tuple[str, ...]
    permutations: int
    seed: int
    contexts: tuple[str, ...] | None
    prior: str = FLAT

    @classmethod
    def of(
        cls,
        world: World,
        source: str | os.PathLike[str] | TraitVariants,
        method: str | Iterable[str] = ("variant",),
        permutations: int = 10_000,
        seed: int = 0,
        contexts: str | Iterable[str] | None = None,
        prior: str = FLAT,
    ) -> Self:
        from phenviz.disease import method_names
        from phenviz.disease.functional_prior import checked_prior
        from phenviz.disease.hypotheses import checked_methods

        asked = checked_methods([method] if isinstance(method, str) else list(method))
        if permutations < 100:
            raise DataError(f"{permutations} permutations are too few for a p-value: take at least 100")
        # in the order in which methods are shown, so that the same choice is the same request
        names = tuple(name for name in method_names() if name in asked)
        kept = None if contexts is None else (contexts,) if isinstance(contexts, str) else tuple(contexts)
        chosen = checked_prior(prior, names)
        return cls(find_source(source), names, int(permutations), int(seed), kept, chosen)

    def chunks(self, world: World) -> list[Chunk]:
        shared = _Shared(self)

        def compute(names: Sequence[str], backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.disease.hypotheses import run_methods

            try:
                result = run_methods(shared.inputs(backend.world, progress), names, self.contexts)
            except BaseException:
                shared.release()
                raise
            if names[-1] == self.methods[-1]:
                shared.release()
            return result

        common = {
            "source": self.source.identity,
            "permutations": self.permutations,
            "seed": self.seed,
            **_prior_identity(self.prior),
            **_world_identity(world),
        }
        if self.reads_whole_studies:
            # then traits without a locus are among the traits, in all methods alike
            common["whole_study"] = True
        if self.contexts is not None:
            # some of them may be tested by some of the methods only, which the others needn't know
            identity = {"methods": self.methods, "contexts": self.contexts, **common}
            return [Chunk(identity, partial(compute, self.methods), float(len(self.methods)))]
        return [Chunk({"method": name, **common}, partial(compute, [name]), 1.0) for name in self.methods]

    @property
    def reads_whole_studies(self) -> bool:
        """Whether a method takes all statistics of a study, and so those without a locus, too."""
        from phenviz.disease.methods import methods

        return any(methods()[name].whole_study for name in self.methods)

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        return join_methods(parts)

    def peak_bytes(self, world: World) -> int:
        return _MEMORY

    @property
    def flavour(self) -> str:
        return f"{self.source.kind} {self.permutations}"


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceRequest(Request):
    """Parameters of ``trait_evidence``: a source, one of its traits, a method that goes by loci..."""

    kind = "trait_evidence"
    seconds_per_unit = 15.0
    even = False
    version = 3

    source: TraitSource
    trait: str
    method: str
    permutations: int
    seed: int
    prior: str = FLAT

    @classmethod
    def of(
        cls,
        world: World,
        source: str | os.PathLike[str],
        trait: str,
        method: str = "variant",
        permutations: int = 10_000,
        seed: int = 0,
        prior: str = FLAT,
    ) -> Self:
        from phenviz.disease.functional_prior import checked_prior
        from phenviz.disease.methods import MATCHED

        if method not in MATCHED:
            raise DataError(f"method {method!r} doesn't go by loci: choose from {', '.join(MATCHED)}")
        chosen = checked_prior(prior, [method])
        return cls(find_source(source), trait, method, int(permutations), int(seed), chosen)

    def chunks(self, world: World) -> list[Chunk]:
        def compute(backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.disease import locus_evidence, variant_evidence

            progress = _Halving(progress)
            traits = self.source.read(backend.world, progress)
            loci = locus_evidence(
                traits, self.trait, backend.world, method=self.method,
                permutations=self.permutations, seed=self.seed, prior=self.prior, progress=progress,
            )  # fmt: skip
            variants = variant_evidence(
                traits, self.trait, backend.world, prior=self.prior, progress=progress
            )
            return _with_variants(loci, variants)

        identity = {
            "source": self.source.identity, "trait": self.trait, "method": self.method,
            "permutations": self.permutations, "seed": self.seed, **_prior_identity(self.prior),
            **_world_identity(world),
        }  # fmt: skip
        return [Chunk(identity, compute, 1.0)]

    def peak_bytes(self, world: World) -> int:
        return _MEMORY

    @property
    def flavour(self) -> str:
        return self.source.kind


def find_source(source: str | os.PathLike[str] | TraitVariants) -> TraitSource:
    """Return a source from ``simulated``, the name of a data pack, the path of a table, or what was read.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    DataError
        If there is neither such a pack nor such a file.
    """
    from phenviz.data.packs import PackMissing, find_pack, has_pack, list_packs

    if not isinstance(source, str | os.PathLike):
        report = json.dumps(asdict(source.report), sort_keys=True, default=str)
        whole = "" if source.statistics is None else _digest(source.statistics)
        content = hashlib.sha256(f"{_digest(source.table)}{report}{whole}".encode()).hexdigest()
        return TraitSource(_GIVEN, source.report.source, content, source)
    text = os.fspath(source)
    if text == SIMULATED:
        return TraitSource(SIMULATED, SIMULATED, "")
    if text in {pack.name for pack in list_packs()}:
        pack = find_pack(text)
        if not has_pack(text):
            raise PackMissing(pack)
        sums = "".join(file.sha256 for file in pack.files)
        return TraitSource(_PACK, text, hashlib.sha256(sums.encode()).hexdigest())
    path = Path(text)
    if not path.is_file():
        raise DataError(f"{text!r} is no table of variants and no data pack: give a file, or a pack's name")
    return TraitSource(_TABLE, str(path.resolve()), hashlib.sha256(path.read_bytes()).hexdigest())


def _prior_identity(prior: str) -> dict[str, str]:
    """Name a prior and its formula in the key of a result; nothing where posteriors are as given."""
    from phenviz.disease.functional_prior import DEFINITION

    return {} if prior == FLAT else {"prior": f"{prior}: {DEFINITION}"}


def _world_identity(world: World) -> dict[str, Any]:
    """Name what results depend on besides model and reference: genes, elements, observed peaks, people."""
    from phenviz.variation.sources import content_of

    return {
        "genes": _digest(world.annotation.genes[["contig", "tss", "start", "end", "gene_name"]]),
        "elements": _digest(world.annotation.elements),
        "peaks": _peaks_identity(world.project.peaks),
        "individuals": [content_of(path) for path in world.project.individuals],
        "ld_scores": [str(path) for path in world.project.ld_scores.values()],
    }


def _digest(table: pd.DataFrame) -> str:
    rows = pd.util.hash_pandas_object(table.astype(str), index=False).to_numpy()
    return hashlib.sha256(rows.tobytes()).hexdigest()


def _peaks_identity(peaks: tuple[str, ...] | Mapping[str, Path]) -> Any:
    if not isinstance(peaks, Mapping):
        # without packs, backgrounds are matched on predicted instead of observed activity
        return [[name, has_pack(name)] for name in peaks]
    return {name: [str(path), path.stat().st_size, path.stat().st_mtime_ns] for name, path in peaks.items()}


class _Halving(Progress):
    """Progress over stages whose number isn't known: each takes half of what is left."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress, self._left, self._total = progress, 1.0, 1.0

    def stage(self, name: str, total: float = 1.0) -> None:
        """Begin the next stage; the one before counts as finished."""
        self._left -= self._left / 2
        self._total = max(total, 1e-9)
        self._progress.stage(name)
        self._progress.advance(1 - 2 * self._left)

    def advance(self, amount: float = 1.0) -> None:
        """Add finished work of this stage."""
        self._progress.advance(min(amount / self._total, 1.0) * self._left)

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        self._progress.check()


class _Shared:
    """Inputs that the chunks of one job share; let go of when the last method is done."""

    def __init__(self, request: HypothesesRequest) -> None:
        self._request = request
        self._inputs: Inputs | None = None

    def inputs(self, world: World, progress: Progress) -> Inputs:
        from phenviz.disease.hypotheses import check_testable
        from phenviz.disease.inputs import Inputs, Settings

        progress = _Halving(progress)
        if self._inputs is None:
            least = 0 if self._request.reads_whole_studies else 1
            traits = self._request.source.read(world, progress, least_loci=least)
            check_testable(traits, world.reference, self._request.methods, world=world)
            settings = Settings(self._request.permutations, self._request.seed, prior=self._request.prior)
            self._inputs = Inputs(traits, world, settings, progress=progress)
        self._inputs.progress = progress
        return self._inputs

    def release(self) -> None:
        self._inputs = None


def join_methods(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put results of several methods on the same traits side by side; contexts are the union of theirs."""
    if len(parts) == 1:
        return parts[0]
    facts: dict[str, tuple[str, ...]] = {}
    extra = [name for name in parts[0].coords if parts[0][name].dims == ("context",) and name != "context"]
    for part in parts:
        for row, name in enumerate(part["context"].values.tolist()):
            facts.setdefault(name, tuple(str(part[coord].values[row]) for coord in extra))
    names = list(facts)
    aligned = [part.drop_vars(extra).reindex(context=names) for part in parts]
    joined = xr.concat(
        aligned, "method", data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="override",
    )  # fmt: skip
    for column, coord in enumerate(extra):
        joined = joined.assign_coords({coord: ("context", [facts[name][column] for name in names])})
    models = [part.attrs["model"] for part in parts if part.attrs["model"] != "none"]
    grounds = dict.fromkeys(part.attrs["background"] for part in parts if part.attrs["background"] != "none")
    return joined.assign_attrs(model=models[0] if models else "none", background="; ".join(grounds) or "none")


def _with_variants(loci: xr.Dataset, variants: pd.DataFrame) -> xr.Dataset:
    """Add a trait's variants to its loci, with their effect in every context."""
    columns = {
        f"variant_{name}": ("variant", variants[name].to_numpy(kind if kind is not str else object))
        for name, kind in _OF_A_VARIANT.items()
        if name in variants
    }
    place = {name: row for row, name in enumerate(loci["locus"].values.tolist())}
    rows = np.array([place.get(name, -1) for name in variants["locus"]], dtype=np.int64)
    effects = variants[[str(name) for name in loci["context"].values]].to_numpy(float)
    return loci.assign(
        columns | {"variant_locus": ("variant", rows), "variant_effect": (("variant", "context"), effects)}
    )


def variants_of_evidence(evidence: xr.Dataset) -> pd.DataFrame:
    """Return the variants of ``trait_evidence`` as a table, largest posterior first.

    Returns
    -------
    pd.DataFrame
        ``contig``, ``position`` (1-based), ``ref``, ``alt``, ``id``, ``posterior``, ``beta``, ``se``,
        ``gene`` and ``locus`` (row among the evidence's loci); ``posterior_given`` where a prior changed it.
    """
    names = [name for name in (*_OF_A_VARIANT, "locus") if f"variant_{name}" in evidence]
    return pd.DataFrame({name: evidence[f"variant_{name}"].values for name in names})
