"""A cell type or tissue that a model predicts for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from phenviz.errors import ModelError, TargetError

# of more contexts than this, a message names those that are alike (at most so many) and the groups
_LISTED, _ALIKE = 30, 5
FOLD_ENRICHMENT = "fold enrichment"
REPORTER_UNIT = "RNA/DNA"


@dataclass(frozen=True, slots=True)
class Context:
    """One cell type or tissue.

    Parameters
    ----------
    name
        Short name, as in the data (``Ery``).
    label
        Name to read (``erythroid``).
    curie
        Ontology term (``CL:0000764``, ``UBERON:...``).
    group
        Lineage or organ system that the context belongs to.
    colour
        ``#rrggbb``; contexts of a group share their hue.
    unit
        Of the predicted activity; "" for the fold enrichment of accessibility peaks.
    description
        How the prediction is to be read, where that differs from a fold enrichment that was measured.
    """

    name: str
    label: str
    curie: str
    group: str
    colour: str
    unit: str = ""
    description: str = ""

    @property
    def units(self) -> str:
        """Unit of the predicted activity, in words."""
        return self.unit or FOLD_ENRICHMENT


def units_of(contexts: Iterable[Context]) -> str:
    """Return the unit of the activity in contexts; where they differ, each unit with its contexts."""
    names: dict[str, list[str]] = {}
    for context in contexts:
        names.setdefault(context.units, []).append(context.name)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(
        unit if unit == FOLD_ENRICHMENT else f"{unit} ({', '.join(own)})" for unit, own in names.items()
    )


def without_reporters(contexts: Iterable[Context]) -> tuple[Context, ...]:
    """Return the cell types and tissues among contexts: what a disease may act in, and no reporter assay."""
    return tuple(context for context in contexts if context.unit != REPORTER_UNIT)


def read_contexts(entries: Iterable[Context | Mapping[str, str]]) -> tuple[Context, ...]:
    """Read the contexts of a model's card.

    Raises
    ------
    ModelError
        If two have the same name, which results, files and commands know them by.
    """
    contexts = tuple(one if isinstance(one, Context) else Context(**one) for one in entries)
    names = [context.name for context in contexts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ModelError(f"two contexts of a model are named {twice[0]!r}: give each a name of its own")
    return contexts


def choose_contexts(
    contexts: Sequence[Context], asked: Iterable[Context | str], unknown: Callable[[str], str]
) -> list[int]:
    """Find contexts by name, label, CURIE or group, whatever the case.

    Parameters
    ----------
    contexts
        To choose from.
    asked
        A CURIE may stand for several contexts, such as the stages of one cell type; so does a group, which
        is what a word means that is no name, label or CURIE.
    unknown
        Says in words that nothing fits.

    Returns
    -------
    list[int]
        Places among the contexts, in the order asked for, each once.

    Raises
    ------
    TargetError
        If a word fits no context, or nothing is asked for.
    """
    places: dict[int, None] = {}
    for one in asked:
        word = one.name if isinstance(one, Context) else one
        found = _fitting(contexts, word.strip().casefold())
        if not found:
            raise TargetError(unknown(word))
        places.update(dict.fromkeys(found))
    if not places:
        raise TargetError("no context was chosen: choose at least one, or leave them out for all")
    return list(places)


def offer_contexts(contexts: Sequence[Context], asked: str) -> str:
    """Write what a message offers instead of a context that doesn't exist.

    All names where they fit into a line or two; else those like what was asked for, and the groups.
    """
    names = [context.name for context in contexts]
    if len(names) <= _LISTED:
        return ", ".join(names)
    words = {word.casefold(): c.name for c in contexts for word in (c.label, c.name)}
    close = get_close_matches(asked.strip().casefold(), words, n=3, cutoff=0.6)
    within = [name for word, name in words.items() if len(asked.strip()) > 2 and asked.casefold() in word]
    like = list(dict.fromkeys([*(words[word] for word in close), *within]))[:_ALIKE]
    groups = "the groups " + ", ".join(dict.fromkeys(context.group for context in contexts))
    return f"{', '.join(like)}, or {groups}" if like else groups


def refuse_several(names: Sequence[str], asked: str) -> None:
    """Raise `TargetError` where what was asked for fits several contexts, and only one is possible."""
    if len(names) > 1:
        raise TargetError(
            f"{asked!r} fits several contexts, and one is explained at a time: choose one of "
            f"{', '.join(names)}"
        )


def _fitting(contexts: Sequence[Context], word: str) -> list[int]:
    own = [{c.name.casefold(), c.label.casefold(), c.curie.casefold()} for c in contexts]
    found = [place for place, words in enumerate(own) if word in words]
    return found or [place for place, context in enumerate(contexts) if word == context.group.casefold()]
