"""Tracks of published models as contexts: which outputs a model has, by its published target table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from phenviz.data.packs import require_pack
from phenviz.errors import DataError, TargetError
from phenviz.genome.contexts import Context

DEFAULT_TRACKS = ("DNASE", "ATAC")
# one colour per assay: tracks of one are told apart by name
_COLOURS = {"DNASE": "#0072b2", "ATAC": "#56b4e9", "CAGE": "#d55e00", "RNA": "#e69f00", "CHIP": "#009e73"}
_OTHER_COLOUR = "#777777"
# heads of AlphaGenome that predict tracks, by what their assays are called in the other models' tables
_ASSAYS = {
    "atac": "ATAC", "dnase": "DNASE", "procap": "PROCAP", "cage": "CAGE", "rna_seq": "RNA", "chip_tf": "CHIP",
    "chip_histone": "CHIP",
}  # fmt: skip
_DESCRIBED = ("histone_mark", "transcription_factor", "gtex_tissue", "biosample_life_stage", "strand")
# of a track without a strand nothing is said
_STRANDS = {"+": "+ strand", "-": "- strand", ".": ""}
_OTHER_STRAND = {"+": "-", "-": "+"}


@dataclass(frozen=True, slots=True)
class ModelTrack:
    """One output of a published model.

    Parameters
    ----------
    index
        Its number among the head's outputs.
    identifier
        Of the experiment (``ENCFF833POA``, ``CNhs10608+``), or of the output (``DNASE_17``); unique.
    assay
        ``DNASE``, ``ATAC``, ``CAGE``, ``CHIP``, ``RNA``, ``PROCAP``.
    description
        What was measured, in words.
    head
        Which head's output it is, of a model that has several.
    curie
        Ontology term of what was measured in; "" where the model's table knows none.
    partner
        Identifier of the same measurement on the other strand; "" for a track without a strand, None for
        one whose partner the table lacks.
    """

    index: int
    identifier: str
    assay: str
    description: str
    head: str = ""
    curie: str = ""
    partner: str | None = ""

    def as_context(self) -> Context:
        """Return the track as a context of its assay's group."""
        return Context(
            self.identifier,
            self.description,
            self.curie,
            self.assay,
            _COLOURS.get(self.assay, _OTHER_COLOUR),
        )


def model_tracks(kind: str, path: str | os.PathLike[str] | None = None) -> tuple[ModelTrack, ...]:
    """Read the human target table of a model.

    Parameters
    ----------
    kind
        ``enformer``, ``borzoi``, ``flashzoi`` or ``alphagenome``.
    path
        The table itself, instead of that of the model's data pack.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    DataError
        If the table can't be read, or lacks a column.
    """
    pack, name, read = _TABLES[kind]
    table_path = Path(path) if path is not None else require_pack(pack, name)
    try:
        return read(table_path)
    except (OSError, ValueError) as error:
        raise DataError(f"track table {table_path} can't be read ({error}): fetch it again") from error


def _read_targets(path: Path) -> tuple[ModelTrack, ...]:
    """Read a table as Basenji's and Borzoi's: one row per output, with an assay before the first colon."""
    table = pd.read_csv(path, sep="\t", dtype=str)
    _require(path, table, ("identifier", "description"))
    assays = table["description"].str.partition(":")
    return tuple(
        ModelTrack(index, identifier, assay, words or assay, partner=partner)
        for index, (identifier, assay, words, partner) in enumerate(
            zip(table["identifier"], assays[0], assays[2], _partners(path, table), strict=True)
        )
    )


def _partners(path: Path, table: pd.DataFrame) -> list[str]:
    """Name the other strand of each track, whose row Borzoi's table gives as ``strand_pair``."""
    names = table["identifier"].tolist()
    if "strand_pair" not in table.columns:
        return [""] * len(names)
    rows = pd.to_numeric(table["strand_pair"], errors="coerce").fillna(-1).astype(int).tolist()
    for row, pair in enumerate(rows):
        if not 0 <= pair < len(rows) or rows[pair] != row:
            raise DataError(
                f"track table {path}: {names[row]} has the strand_pair {table['strand_pair'].iloc[row]}, "
                "which isn't the row of a track that names it in turn: fetch it again"
            )
    return ["" if pair == row else names[pair] for row, pair in enumerate(rows)]


def _read_metadata(path: Path) -> tuple[ModelTrack, ...]:
    """Read AlphaGenome's table: one row per output of each head, among them some that stand for nothing."""
    table = pd.read_parquet(path)
    columns = ("output_type", "track_index", "biosample_name", "assay_title", "ontology_curie")
    _require(path, table, columns)
    described = [column for column in _DESCRIBED if column in table.columns]
    # a missing word may be None, NaN or "", by who wrote the table
    words = table[["biosample_name", "assay_title", *described, "ontology_curie"]].fillna("").astype(str)
    strands = words["strand"] if "strand" in words else pd.Series("", index=words.index)
    measured = words.drop(columns="strand", errors="ignore").to_numpy()
    # names of the tracks of one measurement, by strand
    same: dict[tuple[str, ...], dict[str, list[str]]] = {}
    found: list[tuple[ModelTrack, dict[str, list[str]], str]] = []
    columns_used = (table["output_type"], table["track_index"], words.to_numpy(), measured, strands)
    for head, index, row, what, strand in zip(*columns_used, strict=True):
        *said, curie = row
        # padding stands for nothing
        if head in _ASSAYS and said[0].strip():
            text = ", ".join(filter(None, (_STRANDS.get(word, word) for word in said)))
            name = f"{head.upper()}_{int(index)}"
            names = same.setdefault((head, *what), {})
            names.setdefault(strand, []).append(name)
            found.append((ModelTrack(int(index), name, _ASSAYS[head], text, head, curie), names, strand))
    return tuple(replace(track, partner=_partner(names, strand)) for track, names, strand in found)


def _partner(names: Mapping[str, Sequence[str]], strand: str) -> str | None:
    """Return the one track of a measurement on the other strand; see `ModelTrack.partner`."""
    if strand not in _OTHER_STRAND:
        return ""
    others = names.get(_OTHER_STRAND[strand], ())
    return others[0] if len(others) == len(names[strand]) == 1 else None


def _require(path: Path, table: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise DataError(f"track table {path} lacks the columns {', '.join(missing)}")


# the data pack that has a model's table, the file in it, and what reads it
_TABLES: dict[str, tuple[str, str, Callable[[Path], tuple[ModelTrack, ...]]]] = {
    "enformer": ("tracks-enformer", "targets_human.txt", _read_targets),
    "borzoi": ("tracks-borzoi", "targets_human.txt", _read_targets),
    "flashzoi": ("tracks-borzoi", "targets_human.txt", _read_targets),
    "alphagenome": ("tracks-alphagenome", "track_metadata_human.parquet", _read_metadata),
}


def select_tracks(
    tracks: Sequence[ModelTrack], wanted: Sequence[str] | None = None
) -> tuple[ModelTrack, ...]:
    """Choose tracks, in the order of the model.

    Parameters
    ----------
    tracks
        All tracks of a model.
    wanted
        Each an assay, an identifier, an ontology term, or words that the description holds, whatever the
        case: all of them as they stand, or else each of them anywhere in assay and description (``liver
        CAGE``). None for DNASE and ATAC.

    Raises
    ------
    TargetError
        If one of them fits no track.
    """
    chosen: set[int] = set()
    for asked in DEFAULT_TRACKS if wanted is None else wanted:
        fitting = _fitting(tracks, asked.casefold().split())
        if not fitting:
            assays = ", ".join(dict.fromkeys(track.assay for track in tracks))
            raise TargetError(
                f"no track {asked!r} among {len(tracks):,}: give an assay ({assays}), an identifier, or "
                "words of a description"
            )
        chosen.update(fitting)
    if not chosen:
        raise TargetError("no track was chosen: name at least one assay, identifier or description")
    return tuple(tracks[place] for place in sorted(chosen))


def with_partners(tracks: Sequence[ModelTrack], chosen: Sequence[ModelTrack]) -> tuple[ModelTrack, ...]:
    """Return chosen tracks and those of their other strands, in the order of the model.

    Raises
    ------
    TargetError
        If the model's table lacks the other strand of one.
    """
    names = {track.identifier for track in chosen}
    for track in chosen:
        if track.partner is None:
            raise TargetError(
                f"track {track.identifier} ({track.description}) is of one strand, and the model's table has "
                "no single track of the other one, so that both strands can't be averaged: choose other "
                "tracks, or leave 'strands' out of 'average'"
            )
        names.add(track.partner or track.identifier)
    return tuple(track for track in tracks if track.identifier in names)


def _fitting(tracks: Sequence[ModelTrack], words: Sequence[str]) -> list[int]:
    """Return the places of the tracks that some words mean, by the first way in which any fit."""
    phrase = " ".join(words)
    for fits in (
        lambda track: phrase in (track.assay.casefold(), track.identifier.casefold(), track.curie.casefold()),
        lambda track: phrase in track.description.casefold(),
        lambda track: all(word in f"{track.assay} {track.description}".casefold() for word in words),
    ):
        if words and (found := [place for place, track in enumerate(tracks) if fits(track)]):
            return found
    return []
