"""What can go wrong, in words a user can act on."""

from __future__ import annotations


class PhenvizError(Exception):
    """Base of every error that PhenViz raises on purpose.

    The message says what was wrong, where (file, line, field or locus), and what to do about it.
    """


class LocusError(PhenvizError):
    """A locus, gene or rsID that the world doesn't have, or that can't be read."""


class SequenceError(PhenvizError):
    """A reference sequence that is missing, damaged or doesn't fit."""


class DataError(PhenvizError):
    """A data file that is missing, damaged or of another kind than it says."""


class ProjectError(DataError):
    """An entry of a ``project.yaml`` that is missing or wrong."""


class ModelError(PhenvizError):
    """A checkpoint or model that can't be loaded, or can't do what is asked of it."""


class TargetError(PhenvizError):
    """A target (context, gene or trait) that the model doesn't predict."""


class ResultError(PhenvizError):
    """A result that can't be saved, loaded or drawn as asked."""


class JobError(PhenvizError):
    """A job that failed, was refused or isn't there."""


class MemoryLimitError(PhenvizError):
    """A computation that doesn't fit into memory, even in the smallest batch."""


class Cancelled(PhenvizError):
    """The user asked a running computation to stop."""
