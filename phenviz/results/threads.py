"""What has to be imported before there are several threads."""

from __future__ import annotations

from importlib.util import find_spec


def import_for_threads() -> None:
    """Import what xarray imports only with the first dataset.

    Where two threads make their first one at the same time, Python resolves the deadlock of dask's circular
    imports by handing one of them half a module, and its dataset fails with an ImportError.
    """
    if find_spec("dask") is not None:
        import dask.base  # noqa: F401
