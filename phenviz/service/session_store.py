"""What the private jobs of one session have finished: in memory, and gone with the session."""

from __future__ import annotations

import xarray as xr

from phenviz.data.cache import MEMORY, RecentlyUsed

# finished tiles of the views that a session looked at last
SESSION_BYTES = 2**28


class SessionStore(RecentlyUsed[str, xr.Dataset]):
    """Results about people, found like those of a `ResultStore`, but never written anywhere.

    Parameters
    ----------
    limit
        Size in bytes; those of all sessions together keep `MEMORY`'s.
    """

    def __init__(self, limit: int = SESSION_BYTES) -> None:
        super().__init__(limit, lambda dataset: dataset.nbytes, MEMORY)
