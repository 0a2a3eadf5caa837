"""Tracks of published models as contexts: which outputs a model has, by its published target table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from phenviz.data.packs import require_pack
from phenviz.errors import DataError, TargetError
from phenviz.genome.contexts import Context

DEFAULT_TRACKS = ("DNASE", "ATAC")
# one colour per assay: tracks of one are told apart by name
_COLOURS = {"DNASE": "#0072b2", "ATAC": "#56b4e9", "CAGE": "#d55e00", "RNA": "#e69f00", "CHIP": "#009e73"}
_OTHER_COLOUR = "#777777"


@dataclass(frozen=True, slots=True)
class ModelTrack:
    """One output of a published model.

    Parameters
    ----------
    index
        Its number among the head's outputs.
    identifier
        Of the experiment (``ENCFF833POA``, ``CNhs10608+``); unique.
    assay
        ``DNASE``, ``ATAC``, ``CAGE``, ``CHIP``, ``RNA``.
    description
        What was measured, in words.
    """

    index: int
    identifier: str
    assay: str
    description: str

    def as_context(self) -> Context:
        """Return the track as a context; its table knows no ontology term."""
        return Context(
            self.identifier,
            self.description,
            "",
            self.assay,
            _COLOURS.get(self.assay, _OTHER_COLOUR),
        )


def model_tracks(kind: str, path: str | os.PathLike[str] | None = None) -> tuple[ModelTrack, ...]:
    """Read the human target table of a model.

    Parameters
    ----------
    kind
        ``enformer`` or ``borzoi``: names the data pack ``tracks-<kind>``.
    path
        The table itself, instead of the pack's.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    DataError
        If the table lacks a column.
    """
    table_path = Path(path) if path is not None else require_pack(f"tracks-{kind}", "targets_human.txt")
    table = pd.read_csv(table_path, sep="\t", dtype=str)
    if missing := {"identifier", "description"} - set(table.columns):
        raise DataError(f"track table {table_path} lacks the columns {', '.join(sorted(missing))}")
    assays = table["description"].str.partition(":")
    return tuple(
        ModelTrack(index, identifier, assay, words or assay)
        for index, (identifier, assay, words) in enumerate(
            zip(table["identifier"], assays[0], assays[2], strict=True)
        )
    )


def select_tracks(
    tracks: Sequence[ModelTrack], wanted: Sequence[str] | None = None
) -> tuple[ModelTrack, ...]:
    """Choose tracks, in the order of the model.

    Parameters
    ----------
    tracks
        All tracks of a model.
    wanted
        Each an assay, an identifier, or words that the description holds, whatever the case; None for
        DNASE and ATAC.

    Raises
    ------
    TargetError
        If one of them fits no track.
    """
    chosen: set[int] = set()
    for asked in DEFAULT_TRACKS if wanted is None else wanted:
        words = asked.strip().casefold()
        fitting = {
            track.index for track in tracks if words in (track.assay.casefold(), track.identifier.casefold())
        }
        fitting = fitting or {
            track.index for track in tracks if words and words in track.description.casefold()
        }
        if not fitting:
            assays = ", ".join(dict.fromkeys(track.assay for track in tracks))
            raise TargetError(
                f"no track {asked!r} among {len(tracks):,}: give an assay ({assays}), an identifier, or "
                "words of a description"
            )
        chosen |= fitting
    if not chosen:
        raise TargetError("no track was chosen: name at least one assay, identifier or description")
    return tuple(track for track in tracks if track.index in chosen)
