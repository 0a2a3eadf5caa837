"""The backbone that a project names, where it isn't PhenViz' own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from phenviz.data.project_entries import WANTED, Entries

# entry points by which packages publish backbones
BACKBONE_GROUP = "phenviz.backbones"
# backbones that PhenViz itself knows how to take, and what is said about one
ADAPTED = ("enformer", "borzoi", "flashzoi", "alphagenome")
_HOW = ("average", "checkpointing")
_ADAPTED_FIELDS = ("kind", "weights", "tracks", *_HOW)
# of any other torch module: what it is made with, and what it may not say by itself
_FACTS = ("name", "window", "bin_size", "receptive_field", "units", "strand_pair")
_MODULE_FIELDS = ("class", "kind", "weights", "options", *_FACTS, *_HOW)
_AVERAGES = "write 'average: {strands: true, shifts: [-1, 0, 1]}', or one of the two"


@dataclass(frozen=True, slots=True)
class Averaging:
    """What a backbone's activity is the mean of (`phenviz.models.averaged.AveragedBackbone`).

    Parameters
    ----------
    strands
        Whether of both strands.
    shifts
        By how many bases the sequence is moved to the right, each once, in ascending order.
    """

    strands: bool = False
    shifts: tuple[int, ...] = (0,)

    @property
    def passes(self) -> int:
        """How many times the network computes for one sequence."""
        return (1 + self.strands) * len(self.shifts)

    def __str__(self) -> str:
        """Return it in short, for the name of a model."""
        count = len(self.shifts)
        shifted = [f"{count} shifts" if count > 1 else "shifted"] * (self.shifts != (0,))
        return ", ".join(["both strands"] * self.strands + shifted)

    def describe(self) -> str:
        """Return it in full, for a card."""
        shifts = ", ".join(f"{shift:+d}" if shift else "0" for shift in self.shifts)
        shifted = [f"shifts by {shifts} bp"] * (self.shifts != (0,))
        what = " and ".join(["both strands"] * self.strands + shifted)
        return f"mean over {what}; the network computes {self.passes} times for each sequence"


@dataclass(frozen=True, slots=True)
class NamedBackbone:
    """A backbone that isn't PhenViz' own: one of `ADAPTED`, a package's, or a torch class of the user's.

    Parameters
    ----------
    kind
        One of `ADAPTED`, or the name that a package publishes it under; "" with a class.
    class_name
        ``module:Name`` of a torch class (or of a function that makes a module); "" with a kind.
    weights
        State dict as ``.safetensors``; None for what the class makes by itself.
    tracks
        Of one of `ADAPTED`: tracks that become contexts, by assay, identifier, ontology term, or words of
        descriptions; None for DNASE and ATAC.
    options
        What the class is made with.
    facts
        ``name``, ``window``, ``bin_size``, ``receptive_field``, ``units`` and ``strand_pair``, where the
        class doesn't say them or says others.
    average
        What its activity is the mean of; None for that of the sequence as it is, alone.
    checkpointing
        Whether gradients compute activations anew instead of keeping them; None for what is usual with its
        kind: yes for one of `ADAPTED`, no for another.
    """

    kind: str = ""
    class_name: str = ""
    weights: Path | None = None
    tracks: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    average: Averaging | None = None
    checkpointing: bool | None = None


def read_backbone(entries: Entries, key: str) -> NamedBackbone:
    """Read ``{kind: enformer, weights: FILE, ...}`` or ``{class: module:Name, ...}``.

    Raises
    ------
    ProjectError
        If it is neither, or a field is unknown or wrong.
    """
    value = entries.values[key]
    if not isinstance(value, dict) or not ("class" in value or {"kind", "weights"} <= set(value)):
        # a package may publish a backbone that brings its own weights
        if not (isinstance(value, dict) and "kind" in value and value["kind"] not in ADAPTED):
            raise entries.error(key, f"is no backbone: {WANTED[key]}")
    if "class" in value and "kind" in value:
        raise entries.error(key, "has both a 'class' and a 'kind': keep one")
    adapted = value.get("kind") in ADAPTED
    known = _ADAPTED_FIELDS if adapted else _MODULE_FIELDS
    if unknown := sorted(set(map(str, value)) - set(known)):
        raise entries.error(key, f"has an unknown field {unknown[0]!r}: known are {', '.join(known)}")
    weights = entries.file(key, value["weights"]) if "weights" in value else None
    average = _average(entries, key, value["average"]) if "average" in value else None
    checkpointing = value.get("checkpointing")
    if "checkpointing" in value and not isinstance(checkpointing, bool):
        raise entries.error(key, f"has checkpointing: {checkpointing!r}: write true or false")
    if adapted:
        return NamedBackbone(
            value["kind"],
            weights=weights,
            tracks=_tracks(entries, key, value.get("tracks")),
            average=average,
            checkpointing=checkpointing,
        )
    options = value.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(name, str) for name in options):
        raise entries.error(key, f"has the options {options!r}: write them as '{{channels: 64, depth: 3}}'")
    facts = {name: value[name] for name in _FACTS if name in value}
    kind, class_name = (
        _kind(entries, key, value.get("kind", "")),
        _class_name(entries, key, value.get("class", "")),
    )
    return NamedBackbone(
        kind, class_name, weights, options=options, facts=facts, average=average, checkpointing=checkpointing
    )


def _kind(entries: Entries, key: str, kind: Any) -> str:
    published = sorted({point.name for point in entry_points(group=BACKBONE_GROUP)})
    if kind and kind not in published:
        raise entries.error(
            key,
            f"is of the kind {kind!r}: use one of {', '.join([*ADAPTED, *published])}, install the package "
            "that publishes it, or name a torch class as 'class: module:Name'",
        )
    return str(kind)


def _class_name(entries: Entries, key: str, name: Any) -> str:
    parts = str(name).split(":")
    identifiers = [part for text in parts for part in text.split(".")]
    if name != "" and (len(parts) != 2 or not all(part.isidentifier() for part in identifiers)):
        raise entries.error(
            key,
            f"names the class {name!r}: write 'class: mymodel:MyNet' for the class MyNet of mymodel.py, "
            f"beside {entries.path.name} or installed",
        )
    return str(name)


def _tracks(entries: Entries, key: str, tracks: Any) -> tuple[str, ...] | None:
    listed = [tracks] if isinstance(tracks, str) else tracks
    if listed is not None and not (listed and all(isinstance(track, str) for track in listed)):
        raise entries.error(key, f"has the tracks {tracks!r}: {WANTED[key]}")
    return None if listed is None else tuple(listed)


def _average(entries: Entries, key: str, value: Any) -> Averaging:
    if not isinstance(value, dict) or not value or set(value) - {"strands", "shifts"}:
        raise entries.error(key, f"has average: {value!r}: {_AVERAGES}")
    strands, shifts = value.get("strands", False), value.get("shifts", [0])
    if not isinstance(strands, bool):
        raise entries.error(key, f"has strands: {strands!r} in 'average': write true or false")
    if not isinstance(shifts, list) or not shifts or not all(type(shift) is int for shift in shifts):
        raise entries.error(
            key, f"has shifts: {shifts!r} in 'average': list whole numbers of bases, as [-1, 0, 1]"
        )
    if twice := sorted({shift for shift in shifts if shifts.count(shift) > 1}):
        raise entries.error(key, f"has the shift {twice[0]} twice in 'average': list each once")
    found = Averaging(strands, tuple(sorted(shifts)))
    if found == Averaging():
        raise entries.error(key, f"has an 'average' of one prediction, which is that itself: {_AVERAGES}")
    return found
