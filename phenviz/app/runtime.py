"""What all sessions of one process share: the world, the model service and the predicted activity."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from phenviz.app.activity import ActivityMap

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.service import ModelService
    from phenviz.world import World

LOG = logging.getLogger("phenviz.app")


class Runtime:
    """Process-wide half of the dashboard.

    The page is up before the model is: torch and the weights are loaded in the background, and whoever
    needs the service before that waits for `service_ready`.

    Parameters
    ----------
    world
        What everybody looks at.
    device
        Where the model runs: ``auto``, ``cpu``, ``cuda:0``, ``mps``.
    """

    def __init__(self, world: World, device: str = "auto") -> None:
        self.world = world
        self.device = device
        self.background = ThreadPoolExecutor(max_workers=2, thread_name_prefix="phenviz-app")
        self.service_ready: Future[ModelService] = Future()
        self.activity = ActivityMap(world, self.service_ready)
        self._started = threading.Event()
        self._peaks: pd.DataFrame | None = None
        self._peaks_lock = threading.Lock()

    def warm(self) -> Runtime:
        """Read what the first page draws, so that it hasn't to wait for it."""
        world = self.world
        contig = next(iter(world.reference.contigs))
        world.reference.codes(contig)
        world.annotation.bands(contig)
        return self

    def start(self) -> Runtime:
        """Begin to load the model; does nothing the second time."""
        if not self._started.is_set():
            self._started.set()
            threading.Thread(target=self._load, name="phenviz-load", daemon=True).start()
            self.activity.start()
        return self

    @property
    def service(self) -> ModelService | None:
        """The model service, or None while the model is loading or if it failed to."""
        if self.service_ready.done() and self.service_ready.exception() is None:
            return self.service_ready.result()
        return None

    @property
    def failure(self) -> BaseException | None:
        """Why the model could not be loaded; None while it loads and once it has."""
        return self.service_ready.exception() if self.service_ready.done() else None

    def peaks(self) -> pd.DataFrame | None:
        """Observed peaks, read once for all sessions; None until their data pack is there."""
        with self._peaks_lock:
            if self._peaks is None:
                self._peaks = self.world.peaks
            return self._peaks

    def stop(self) -> None:
        """End the background threads."""
        self.activity.stop()
        self.background.shutdown(wait=False, cancel_futures=True)

    def _load(self) -> None:
        try:
            import phenviz.attribution  # noqa: F401  (takes seconds: here nobody waits for it)
            from phenviz.service import get_service

            service = get_service(self.world, self.device)
            self.world.backbone  # noqa: B018  (reads the weights now instead of at the first click)
        except Exception as error:
            LOG.exception("the model could not be loaded")
            self.service_ready.set_exception(error)
        else:
            self.service_ready.set_result(service)
