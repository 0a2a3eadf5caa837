"""What was measured in people that this page can ask for, and the table of a user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.app.individual.genotype_sources import MORE, WORLD, People
from phenviz.app.shell.uploads import PrivateFolder, check_plain_name
from phenviz.data.expression_table import offer_names
from phenviz.data.measured_expression import MEASURED_PACKS
from phenviz.data.packs import find_pack, has_pack
from phenviz.errors import DataError
from phenviz.service.measured import open_cohort

if TYPE_CHECKING:
    from phenviz.data.manifests import Pack
    from phenviz.world import World

OWN = "own"
SUFFIXES = (".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz", ".parquet")


class ExpressionFolder(PrivateFolder):
    """Where a table of measured expression comes in: private to the page, and gone with it."""

    def check_name(self, name: str) -> None:
        """Raise a `DataError` unless it is the name of a table."""
        check_plain_name(name)
        if not name.lower().endswith(SUFFIXES):
            raise DataError(f"{name} is no table by its name: {', '.join(SUFFIXES)} are taken")

    def check_head(self, name: str, content: bytes) -> None:
        """Take any content: what it holds is told when it is read."""


@dataclass
class OwnTable:
    """A table that was handed over, with the names that were taken for it.

    Parameters
    ----------
    path
        The file.
    offered
        Name in the table -> the person that it most likely means; not used before that is agreed to.
    names
        As agreed.
    """

    path: Path
    offered: dict[str, str]
    names: dict[str, str] | None = None


def measured_sources() -> dict[str, str]:
    """Return title -> key of what can be compared with: data packs, and a table of one's own."""
    packs = {find_pack(name).title: name for name in MEASURED_PACKS}
    return {**packs, "A table of your own": OWN}


def missing_pack(source: str) -> Pack | None:
    """Return the pack of a source that isn't on this machine yet."""
    return find_pack(source) if source in MEASURED_PACKS and not has_pack(source) else None


def genotypes_of(people: People, source: str) -> list[str]:
    """Return the files of a source of genotypes; none for the world's, which its data pack joins."""
    if source in (WORLD, MORE):
        return []
    opened = people.open(source)
    if opened is None:
        raise DataError("no VCF has been given yet: drop one into the box on the left")
    return [str(path) for path in opened.paths]


def look_at_table(world: World, people: People, source: str, path: Path) -> OwnTable:
    """Find out which names of a table aren't those of people with genotypes, and whom they may mean."""
    known: Sequence[str] = open_cohort(world, genotypes_of(people, source)).samples["sample"].tolist()
    return OwnTable(path, offer_names(path, known))
