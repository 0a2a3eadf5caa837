"""Terms that data or weights come under: asked about once, and remembered for each user."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import platformdirs

from phenviz.data.cache import write_whole
from phenviz.data.manifests import Pack
from phenviz.errors import DataError

_VARIABLE = "PHENVIZ_CONFIG"


class TermsNotAccepted(DataError):
    """A data pack comes under terms that this user hasn't accepted."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        super().__init__(
            f"data pack {pack.name} comes under terms: {pack.terms}. Read them, and if you agree, run "
            f"`phenviz data fetch {pack.name} --accept-terms`"
        )


def require_terms(pack: Pack) -> None:
    """Raise `TermsNotAccepted` where a pack has terms that weren't accepted, or have changed since."""
    if pack.terms is not None and _read().get(pack.name) != _digest(pack):
        raise TermsNotAccepted(pack)


def accept_terms(pack: Pack) -> None:
    """Remember that this user accepts a pack's terms."""
    if pack.terms is None:
        return
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    accepted = {**_read(), pack.name: _digest(pack)}
    write_whole(path, json.dumps(accepted, indent=1, sort_keys=True).encode())


def _digest(pack: Pack) -> str:
    return hashlib.sha256(repr(pack.terms).encode()).hexdigest()


def _path() -> Path:
    # of the user, not of the cache, which several users may share
    chosen = os.environ.get(_VARIABLE)
    folder = (
        Path(chosen).expanduser() if chosen else platformdirs.user_config_path("phenviz", appauthor=False)
    )
    return folder / "accepted_terms.json"


def _read() -> dict[str, str]:
    try:
        return dict(json.loads(_path().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # a lost answer is asked for again
        return {}
