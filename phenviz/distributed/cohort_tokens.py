"""Gene tokens of a cohort in shards: some people, and some neighbouring genes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from phenviz.disease.cohort.folder import TOKENS, Cohort, open_cohort
from phenviz.distributed.identity import identity_of
from phenviz.distributed.shards import Shard
from phenviz.distributed.world_address import WorldAddress
from phenviz.models.token_layout import WINDOW, readout_named, token_layout
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.service import ModelService
from phenviz.service.cohort import in_order
from phenviz.service.cohort_embedding import Embedded, open_store, sites_of, tokens_of_genes, windows_of

if TYPE_CHECKING:
    from phenviz.distributed.shard_folder import ShardFolder
    from phenviz.models.phenformer import GeneSite, Phenformer
    from phenviz.world import World

# whose tokens a worker holds at a time, in single precision and a few copies
PEOPLE_TOGETHER = 10_000
_SHARD_BYTES = 2**28
# half of what a shard may at most take, as estimates are within a factor of two
SHARD_SECONDS = 60.0
_MOST_GROUPS = 64


@dataclass(frozen=True)
class TokenTask:
    """Which tokens are made, of whom; see `phenviz.service.cohort_embedding.embed_cohort`.

    Parameters
    ----------
    world
        Where the world lies.
    cohort
        Folder of the cohort.
    device
        Where each worker's models run.
    genes, window, exact, haplotypes, unphased, readout
        As for `embed_cohort`.
    """

    world: WorldAddress
    cohort: Path
    device: str = "auto"
    genes: tuple[str, ...] | None = None
    window: int = WINDOW
    exact: bool = False
    haplotypes: str = "sum"
    unphased: str = "refuse"
    readout: str | None = None

    def open(self, world: World | None = None, cohort: Cohort | None = None) -> OpenTokens:
        """Open world and cohort, or take those that are open."""
        world = self.world.open() if world is None else world
        return OpenTokens(
            self, world, open_cohort(self.cohort, world.reference) if cohort is None else cohort
        )


class OpenTokens:
    """A `TokenTask` in one process.

    Parameters
    ----------
    task
        What is to be made.
    world, cohort
        As they are open here.
    """

    def __init__(self, task: TokenTask, world: World, cohort: Cohort) -> None:
        self.task, self.world, self.cohort = task, world, cohort
        self.service = ModelService(world, task.device)
        self.samples = tuple(cohort.people.samples)
        how = {
            name: value for name, value in asdict(task).items() if name not in ("world", "cohort", "device")
        }
        # people without a line in the table have no tokens
        self.identity = identity_of(world, cohort.individuals.paths, **how, samples=self.samples)

    @cached_property
    def groups(self) -> list[tuple[GeneSite, ...]]:
        """Genes whose windows overlap, in the order of the store."""
        return in_order(sites_of(self.world, self.cohort.individuals, self.task.genes, self.task.window))

    @property
    def layout(self) -> Phenformer:
        """What tokens are made of."""
        world, genes = self.world, [gene for group in self.groups for gene in group]
        readout = readout_named(world.readout, self.task.readout)
        return token_layout(genes, world.assembly, world.backbone, readout, window=self.task.window)

    def shards(self, folder: ShardFolder) -> list[Shard]:
        """Cut the work: all genes of the first people, then of the next.

        In this order the effects of a gene's variants, which all people share, are there when the next people
        come to them.
        """
        step = folder.settled("groups", self._groups_together())
        people = len(self.samples)
        found = []
        for start in range(0, people, PEOPLE_TOGETHER):
            stop = min(start + PEOPLE_TOGETHER, people)
            for first in range(0, len(self.groups), step):
                last = min(first + step, len(self.groups))
                genes = sum(len(group) for group in self.groups[first:last])
                name = f"people-{start + 1}-{stop}-genes-{first + 1}-{last}"
                found.append(Shard(name, (start, stop, first, last), (stop - start) * genes))
        return found

    def compute(self, shard: Shard, progress: Progress) -> xr.Dataset:
        """Make the tokens of a shard."""
        start, stop, first, last = shard.content
        some = self.cohort.people
        people = replace(self.cohort, people=replace(some, table=some.table.iloc[start:stop]))
        done, task = Embedded(), self.task
        differences, plain = [], []
        for group in self.groups[first:last]:
            progress.check()
            found = tokens_of_genes(
                self.service, people, group, done, window=task.window, exact=task.exact,
                haplotypes=task.haplotypes, unphased=task.unphased, readout=task.readout,
            )  # fmt: skip
            # what is about people stays no longer than its shard
            self.service.forget(None)
            differences.append(found[0])
            plain.append(found[1])
        dims = ("person", "haplotype", "gene", "feature")
        difference = np.concatenate(differences, axis=-2)
        return xr.Dataset(
            {
                "difference": (dims if difference.ndim == 4 else (dims[0], *dims[2:]), difference),
                "reference_token": (dims[2:], np.concatenate(plain)),
            },
            attrs={
                "missing": done.counts.missing,
                "unphased": done.counts.unphased,
                "variants": done.counts.variants,
                "left_out": "\n".join(done.counts.left_out),
                "skipped": done.skipped,
            },
        )

    def join(
        self,
        shards: Sequence[Shard],
        folder: ShardFolder,
        output: Path | None,
        progress: Progress = NO_PROGRESS,
    ) -> Embedded:
        """Put finished shards together into one store; the scale of each number is that of all people."""
        task, genes = self.task, [gene for group in self.groups for gene in group]
        path = self.cohort.folder / TOKENS if output is None else output
        store = open_store(path, self.cohort, self.layout, genes, task.exact, task.haplotypes, task.unphased)
        done = Embedded(len(self.samples), len(genes), len(store.features))
        by_genes: dict[tuple[int, int], list[Shard]] = {}
        for shard in shards:
            by_genes.setdefault(shard.content[2:], []).append(shard)
        parts_in_order = folder.load_all([shard for own in by_genes.values() for shard in own], progress)
        for (first, last), own in by_genes.items():
            parts = list(islice(parts_in_order, len(own)))
            begins = sum(len(group) for group in self.groups[:first])
            places = range(begins, begins + sum(len(group) for group in self.groups[first:last]))
            store.write(
                places,
                np.concatenate([part["difference"].values for part in parts]),
                parts[0]["reference_token"].values,
            )
            _count(done, [part.attrs for part in parts])
        return done

    def close(self) -> None:
        """End what runs."""
        self.service.close()

    def _groups_together(self) -> int:
        """Return how many groups of genes make a shard of the wanted time, and fit into memory."""
        people, group = self.samples[:PEOPLE_TOGETHER], self.groups[0]
        layout, task = self.layout, self.task
        features = layout.channels + len(layout.expression)
        copies = 2 if task.haplotypes == "pair" else 1
        fits = _SHARD_BYTES // (len(people) * copies * len(group) * features * 4)
        if task.exact:
            estimate = self.service.estimate(
                "haplotype_tokens", genes=group, samples=people, individuals=self.cohort.genotype_path,
                window=task.window, readout=task.readout, unphased=task.unphased,
            )  # fmt: skip
        else:
            contig = tuple(gene for gene in group if gene.contig == group[0].contig)
            tables = [
                self.cohort.individuals.variants(locus)
                for locus in windows_of(self.world, contig, task.window)
            ]
            estimate = self.service.estimate(
                "token_effects", variants=tables[0], genes=contig, window=task.window, readout=task.readout
            )
        self.service.forget(None)
        return int(np.clip(SHARD_SECONDS / max(estimate.seconds, 1e-3), 1, max(min(fits, _MOST_GROUPS), 1)))


def _count(done: Embedded, attrs: Sequence[dict[str, Any]]) -> None:
    counts = done.counts
    # variants are those of the file, whoever carries them
    counts.variants += int(attrs[0]["variants"])
    done.skipped += int(attrs[0]["skipped"])
    counts.missing += sum(int(one["missing"]) for one in attrs)
    counts.unphased += sum(int(one["unphased"]) for one in attrs)
    lines = [line for one in attrs for line in str(one["left_out"]).splitlines()]
    counts.left_out += [line for line in dict.fromkeys(lines) if line not in counts.left_out]
