"""Terms that come with a world's models: of the data pack that weights are from, or stated in their card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.data.cache import cache_root
from phenviz.data.locks import locked
from phenviz.data.manifests import Terms, list_packs, sha256_of
from phenviz.errors import DataError

if TYPE_CHECKING:
    from phenviz.data.project import Project


def terms_of_models(project: Project) -> list[tuple[Path, Terms]]:
    """Return the files of a project's models that come under terms, with these.

    Weights of a published model whose data pack has terms come under these, whoever they are from: what is
    converted or trained further is still under them.

    Raises
    ------
    DataError
        If a card states terms that can't be read: what isn't understood isn't taken for free.
    """
    named = project.backbone
    of_kind = {pack.name: pack.terms for pack in list_packs()}.get(named.kind) if named is not None else None
    found = []
    for path in _files(project):
        ours = of_kind if named is not None and path == named.weights else None
        if (terms := ours or terms_of_file(path)) is not None:
            found.append((path, terms))
    return found


def terms_of_file(path: Path) -> Terms | None:
    """Return the terms of weights: by their checksum those of a data pack, else what their card says.

    A card is the JSON file beside the weights; its entry ``terms`` has ``summary``, ``url``, and, where
    that is so, ``commercial: false`` and ``training: false``.

    Raises
    ------
    DataError
        If the card's terms can't be read.
    """
    for pack in list_packs():
        if pack.terms is None:
            continue
        files = locked(pack, cache_root() / "packs" / pack.name).files
        known = {file.sha256 for file in files if file.sha256 and file.bytes == path.stat().st_size}
        # reading gigabytes for nothing is spared
        if known and _sum_of(path, path.stat().st_mtime_ns) in known:
            return pack.terms
    return _stated(path.with_suffix(".json"))


@lru_cache(maxsize=64)
def _sum_of(path: Path, changed: int) -> str:
    # each page that is opened asks for its model's terms
    return sha256_of(path)


def require_training(project: Project) -> None:
    """Raise where the terms of one of a project's models forbid to train other models on its results.

    Raises
    ------
    DataError
        Names the file, and the terms.
    """
    for path, terms in terms_of_models(project):
        refuse_training(path, terms)


def refuse_training(path: Path, terms: Terms | None) -> None:
    """Raise where terms forbid to train other models on a model's weights or results."""
    if terms is not None and not terms.training:
        raise DataError(
            f"{path} comes under terms that forbid to train other models on it or on its results: {terms}. "
            "Train on another model"
        )


def _files(project: Project) -> Iterator[Path]:
    named = project.backbone.weights if project.backbone is not None else None
    for path in (named, project.checkpoint, *project.readouts, project.phenformer):
        if path is not None and Path(path).is_file():
            yield Path(path)


def _stated(card: Path) -> Terms | None:
    try:
        entries = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    stated = entries.get("terms") if isinstance(entries, dict) else None
    if stated is None:
        return None
    try:
        return Terms(**stated)
    except TypeError as error:
        raise DataError(
            f"{card}: its 'terms' can't be read ({error}): give summary, url, commercial and training"
        ) from error
