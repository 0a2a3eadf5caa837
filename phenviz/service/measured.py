"""The kind of job that judges predicted expression by what was measured in people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import xarray as xr

from phenviz.data.measured_expression import read_measured_pack
from phenviz.data.packs import list_packs
from phenviz.errors import DataError, LocusError, ModelError
from phenviz.progress import Progress
from phenviz.service.chosen_people import find_phasing
from phenviz.service.job_params import COPIES, FLOAT_BYTES, WORKING_BYTES, find_contexts, find_gene
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.effects.measured import MeasuredPeople
    from phenviz.genome import Gene
    from phenviz.variation import Individuals, Unphased
    from phenviz.world import World

# what the sequence of one haplotype of a gene's window takes, and its edits
_HAPLOTYPE_BYTES = 300_000


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredRequest(Request):
    """Parameters of ``measured``.

    Parameters
    ----------
    source
        Data pack of measured expression, or the path of a table.
    genes
        As in the annotation, each once, along the genome.
    individuals
        Files of genotypes; empty for the world's own, with those that a data pack adds.
    panel
        Table of their populations; None for what the world knows.
    names
        Pairs: name in the table, name among the individuals.
    content
        Size and time of the files: another file under the same name is another request.
    contexts
        Short names, of the gene readout.
    unphased, seed
        What to do about unphased heterozygotes; of random choices.
    missing
        Genes that were asked for, but not measured in enough people.
    judged
        Those of the genes that this job judges, with all others to choose a gene far away from; None for all.
    """

    kind = "measured"
    seconds_per_unit = 1 / 5
    of_people = True

    source: str
    genes: tuple[str, ...]
    individuals: tuple[str, ...]
    panel: str | None
    names: tuple[tuple[str, str], ...]
    content: tuple[tuple[str, int, int], ...]
    contexts: tuple[str, ...]
    unphased: str
    seed: int
    missing: tuple[str, ...] = ()
    judged: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        world: World,
        source: str | os.PathLike[str],
        genes: str | Iterable[str] | None = None,
        individuals: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        panel: str | os.PathLike[str] | None = None,
        names: Mapping[str, str] | None = None,
        contexts: str | Iterable[str] | None = None,
        unphased: str = "as listed",
        seed: int = 0,
        judged: Iterable[str] | None = None,
    ) -> Self:
        from phenviz.effects.measured.people import measured_genes
        from phenviz.variation.sources import content_of

        if world.readout is None:
            raise ModelError(
                f"world {world.name!r} has no gene readout, so that no expression is predicted: set "
                "'readout' in its project.yaml"
            )
        given = [individuals] if isinstance(individuals, str | os.PathLike) else list(individuals)
        paths = tuple(_absolute(path) for path in given)
        packs = {pack.name for pack in list_packs()}
        where = str(source) if str(source) in packs else _absolute(source)
        panel_path = None if panel is None else _absolute(panel)
        people = pair_measured(world, where, paths, panel_path, names)
        measured = measured_genes(people, world.annotation)
        missing: tuple[str, ...] = ()
        if genes is not None:
            asked = [genes] if isinstance(genes, str) else list(genes)
            chosen = [name for gene in asked if (name := find_gene(world, gene)) is not None]
            missing = tuple(name for name in chosen if name not in measured)
            if len(missing) == len(chosen):
                raise LocusError(
                    f"{', '.join(missing)}: not measured in {people.measured.title} in enough people, or no "
                    f"genotypes are known around it; those that can be judged are {', '.join(measured[:12])}"
                    f"{' ...' if len(measured) > 12 else ''}"
                )
            measured = [name for name in measured if name in chosen]
        if not measured:
            raise DataError(
                f"{people.measured.title} measured no gene around which these people's genotypes are known: "
                "give genotypes of the same part of the genome"
            )
        files = (*(paths or world.project.every_individual()), *([] if where in packs else [where]))
        choice, _ = find_phasing(unphased, seed)
        own = None if judged is None else tuple(name for name in measured if name in set(judged))
        return cls(
            where, tuple(measured), paths, panel_path, tuple(sorted((names or {}).items())),
            tuple(content_of(path) for path in files), _contexts(world, contexts, people, measured[0]),
            choice, int(seed), missing, own,
        )  # fmt: skip

    def chunks(self, world: World) -> list[Chunk]:
        shared = _Shared(world, self)

        def compute(name: str, backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.effects.measured.compare import Model, compare_gene
            from phenviz.effects.measured.people import elsewhere_of, far_gene

            annotation, people = backend.world.annotation, shared.people
            genes = [annotation.gene(one) for one in self.genes]
            gene = annotation.gene(name)
            assert backend.readout is not None
            readout = backend.readout.covering(self.contexts)
            model = Model(
                [readout.contexts[row] for row in readout.select(self.contexts)],
                partial(shared.predict, backend, progress),
                partial(shared.variant_effects, backend, progress),
                partial(_part_of, world),
            )
            elsewhere = elsewhere_of(people.measured, annotation, gene.locus.contig)
            found = compare_gene(
                people, gene, model, elsewhere, far=far_gene(gene, genes), seed=self.seed, progress=progress
            )
            return found.assign_attrs(_attrs(backend, readout, genes, people, self.missing))

        whose = {"params": repr(self)}
        units = float(len(shared.people.names))
        return [Chunk({"gene": name, **whose}, partial(compute, name), units) for name in self._own]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        from phenviz.effects.measured import join_genes, join_measured

        # what is said of all genes together is for whoever has all of them
        join = join_measured if self.judged is None else join_genes
        return join(parts).assign_attrs(parts[0].attrs)

    @property
    def _own(self) -> tuple[str, ...]:
        return self.genes if self.judged is None else self.judged

    def peak_bytes(self, world: World) -> int:
        # the people aren't counted here: a thousand of them are assumed
        numbers = 1_000 * len(self._own) * len(self.contexts) * 5
        return WORKING_BYTES + COPIES * numbers * FLOAT_BYTES + 1_000 * _HAPLOTYPE_BYTES


def open_cohort(
    world: World,
    individuals: Sequence[str | os.PathLike[str]] = (),
    panel: str | os.PathLike[str] | None = None,
) -> Individuals:
    """Open individuals as one cohort: of files, or the world's own with those that its data pack adds.

    Raises
    ------
    DataError
        If a file can't be read, or the world has no individuals.
    """
    from phenviz.variation import open_individuals

    project = world.project
    paths = list(individuals) or list(project.every_individual())
    if not paths:
        raise DataError(f"world {world.name!r} has no individuals: name files with --individuals")
    known = project.panel if panel is None and not individuals else panel
    return open_individuals(paths, world.reference, panel=known, superpopulation=project.superpopulation)


def pair_measured(
    world: World,
    source: str,
    individuals: Sequence[str] = (),
    panel: str | None = None,
    names: Mapping[str, str] | None = None,
) -> MeasuredPeople:
    """Read what was measured, and pair it with people's genotypes.

    Raises
    ------
    DataError
        If either can't be read, or too few people have both.
    """
    from phenviz.data.expression_table import read_expression_table
    from phenviz.effects.measured import pair_people

    cohort = open_cohort(world, individuals, panel)
    if source in {pack.name for pack in list_packs()}:
        measured = read_measured_pack(source)
    else:
        known = cohort.samples["sample"].tolist()
        measured = read_expression_table(source, known, world.annotation, names=names)
    return pair_people(cohort, measured)


def _absolute(path: str | os.PathLike[str]) -> str:
    return str(Path(path).expanduser().resolve())


def _contexts(
    world: World, contexts: str | Iterable[str] | None, people: MeasuredPeople, gene: str
) -> tuple[str, ...]:
    """Return the contexts asked for; by default that of the measured cells, or all where it isn't known."""
    own = context_of_cells(world, people) if contexts is None else None
    return find_contexts(world, contexts, gene) if own is None else (own,)


def context_of_cells(world: World, people: MeasuredPeople) -> str | None:
    """Return the short name of the readout's context for the cells that were measured; None where unknown."""
    curie = people.measured.curie
    return next((one.name for one in world.expression_contexts if curie and one.curie == curie), None)


class _Shared:
    """What the genes of one job have in common, worked out when first needed."""

    def __init__(self, world: World, request: MeasuredRequest) -> None:
        self.world, self.request = world, request
        self._predicted: dict[str, np.ndarray] = {}

    @cached_property
    def people(self) -> MeasuredPeople:
        request = self.request
        return pair_measured(
            self.world, request.source, request.individuals, request.panel, dict(request.names)
        )

    def predict(self, backend: Backend, progress: Progress, gene: Gene) -> np.ndarray:
        """Predict the expression of a gene from both haplotypes of each person, added up; each gene once."""
        from phenviz.effects import predict_expression

        key = backend.world.annotation.key_of(gene)
        if key not in self._predicted:
            assert backend.readout is not None
            request = self.request
            found = predict_expression(
                self.people.individuals, key, backend.world.annotation, backend.world.reference,
                backend.backbone, backend.readout.covering(request.contexts), samples=self.people.names,
                contexts=request.contexts, unphased=cast("Unphased", request.unphased), seed=request.seed,
                progress=progress,
            )  # fmt: skip
            both = found["expression"].sel(haplotype=["1", "2"]).sum("haplotype")
            self._predicted[key] = (
                both.sel(gene=gene.name).transpose("individual", "context").values.astype(float)
            )
        return self._predicted[key]

    def variant_effects(
        self, backend: Backend, progress: Progress, gene: Gene, variants: pd.DataFrame
    ) -> np.ndarray:
        """Score variants on a gene; those out of its readout's reach change nothing."""
        from phenviz.effects.expression import score_gene
        from phenviz.models.backbone import halo

        assert backend.readout is not None
        readout = backend.readout.covering(self.request.contexts)
        effects = np.zeros((len(variants), len(self.request.contexts)))
        reach = readout.reach + halo(backend.backbone) + 2 * backend.backbone.bin_size
        near = np.flatnonzero((variants["position"] - 1 - gene.tss).abs().to_numpy() <= reach)
        if len(near):
            scored = score_gene(
                variants.iloc[near].reset_index(drop=True), gene, readout, backend.world.reference,
                backend.backbone, contexts=self.request.contexts, progress=progress,
            )  # fmt: skip
            effects[near] = np.nan_to_num(scored["effect"].values)
        return effects


def _attrs(
    backend: Backend, readout: Any, genes: Sequence[Gene], people: MeasuredPeople, missing: Sequence[str]
) -> dict[str, Any]:
    from phenviz.effects.measured import DEFINITION
    from phenviz.models.expression import locus_of_genes
    from phenviz.results import result_attrs

    left_out = [f"not measured in enough people: {', '.join(missing)}"] if missing else []
    return result_attrs(
        locus_of_genes(genes), backend.backbone, backend.world.reference, definition=DEFINITION,
        units="correlation", readout=readout.title, measured=people.measured.title,
        about=people.measured.about,
        measured_units=people.measured.units, notes="; ".join([*people.notes, *left_out]),
    )  # fmt: skip


def _part_of(world: World, gene: Gene) -> str:
    from phenviz.models.readout import part_of_gene

    return part_of_gene(world.project.readouts, gene)
