"""What all sessions of one process share: the world, the model service and the predicted activity."""

from __future__ import annotations

import atexit
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from phenviz.app.explore.activity import ActivityMap
from phenviz.app.shell.job_view import PrivateJobs
from phenviz.app.shell.own_file import OwnFile, OwnFiles
from phenviz.app.shell.uploads import remove_stale
from phenviz.genome.locus import Locus
from phenviz.results.threads import import_for_threads

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from phenviz.app.explore.own_tracks import OwnTrackFiles
    from phenviz.disease.cohort.saved import RiskModel
    from phenviz.effects.quantiles import Background
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
    folder
        Folder on this machine whose VCFs the pages offer; None for none.
    shard_places
        Where commands keep unfinished work whose progress everybody may see.
    """

    def __init__(
        self,
        world: World,
        device: str = "auto",
        folder: Path | None = None,
        shard_places: Sequence[str] = (),
    ) -> None:
        self.world = world
        self.device = device
        self.folder = folder
        self.shard_places = tuple(shard_places)
        self.own_files: OwnFiles[OwnFile] = OwnFiles()
        self.own_tracks: OwnFiles[OwnTrackFiles] = OwnFiles()
        # for reading genotypes: two, so that one user's long file doesn't keep another one waiting
        self.personal = ThreadPoolExecutor(max_workers=2, thread_name_prefix="phenviz-personal")
        self._common: Future[Background | None] | None = None
        self._common_lock = threading.Lock()
        # short work; common variants, which take a minute once, leave threads for the others
        self.background = ThreadPoolExecutor(max_workers=4, thread_name_prefix="phenviz-app")
        self.service_ready: Future[ModelService] = Future()
        self.activity = ActivityMap(world, self.service_ready)
        self._started = threading.Event()
        self._stopped = False
        self._warming: subprocess.Popen[str] | None = None
        self._peaks_lock = threading.Lock()
        self._finemapped: pd.DataFrame | None = None
        self._finemapped_lock = threading.Lock()
        self._risk: Future[RiskModel | None] | None = None
        self._risk_lock = threading.Lock()
        self._tested: dict[str, Future[xr.Dataset]] | None = None
        self._tested_lock = threading.Lock()
        # what was asked for last on the Disease page, of public traits: it opens on that
        self.last_hypotheses: dict[str, Any] = {}

    def warm(self) -> Runtime:
        """Import and read what the first page draws, and draw one, so that nobody has to wait for it."""
        from phenviz.app.explore.page import ExplorePage
        from phenviz.app.shell.panel_workarounds import draw_unseen

        world = self.world
        contig = next(iter(world.reference.contigs))
        world.reference.codes(contig)
        world.annotation.bands(contig)
        world.annotation.elements_in(Locus(contig, 0, 1))  # builds what elements are found by
        world.annotation.element_lineages  # noqa: B018  (for the whole assembly, once)
        world.own_tracks  # noqa: B018  (a file that doesn't fit is told before anybody looks)
        example = ExplorePage(self)
        draw_unseen(example.page)
        example.session.close()
        import_for_threads()
        return self

    def start(self) -> Runtime:
        """Begin to load the model; does nothing the second time."""
        if not self._started.is_set():
            self._started.set()
            if removed := remove_stale():
                LOG.info("removed %d folders of uploads that killed servers had left behind", removed)
            atexit.register(self.stop)
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
        """Observed peaks, read once for all sessions; None until a data pack of theirs is there."""
        with self._peaks_lock:
            return self.world.peaks

    def finemapped(self, *, anew: bool = False) -> pd.DataFrame | None:
        """Fine-mapped variants of the packs that are here, read once for all sessions, or ``anew``."""
        from phenviz.app.explore.finemapped import read_finemapped

        with self._finemapped_lock:
            if anew or self._finemapped is None:
                self._finemapped = read_finemapped(self)
            return self._finemapped

    def risk_model(self) -> Future[RiskModel | None]:
        """Scores of disease risk, read once for all sessions, when somebody asks first; None for none."""
        with self._risk_lock:
            if self._risk is None:
                self._risk = self.background.submit(self._read_risk)
            return self._risk

    def tested_elsewhere(self) -> dict[str, Future[xr.Dataset]]:
        """Hypotheses that the project names, by file; read once for all, when somebody asks first."""
        from phenviz.disease.files import read_hypotheses

        with self._tested_lock:
            if self._tested is None:
                self._tested = {
                    path.name: self.background.submit(read_hypotheses, path, self.world)
                    for path in self.world.project.hypotheses
                }
            return self._tested

    @cached_property
    def embedded_hypotheses(self) -> xr.Dataset | None:
        """Hypotheses to show before any were tested here; None where the package has none for this world."""
        from phenviz.disease.embedded_hypotheses import embedded_hypotheses

        return embedded_hypotheses(self.world)

    def common_effects(self) -> Future[Background | None]:
        """Effects of common variants, to rank others among; worked out once, when somebody asks first."""
        with self._common_lock:
            if self._common is None:
                self._common = self.background.submit(self._score_common)
            return self._common

    @property
    def missing_quantiles(self) -> str:
        """Why effects have no rank among those of common variants yet, in words; "" once they have."""
        common = self.common_effects()
        if not common.done():
            return "Quantiles follow: common variants are being scored, which takes a minute once"
        if common.exception() is not None:
            return "Common variants couldn't be scored, so there are no quantiles; the server's log says why"
        if common.result() is not None:
            return ""
        if self.world.has_global_backbone:
            return "No quantiles: scoring thousands of common variants with this model would take hours"
        return "No quantiles: this world has no individuals with common variants"

    def stop(self) -> None:
        """End the background threads and processes."""
        atexit.unregister(self.stop)
        self._stopped = True
        self.activity.stop()
        if self._warming is not None:
            self._warming.terminate()
        self.personal.shutdown(wait=False, cancel_futures=True)
        self.background.shutdown(wait=False, cancel_futures=True)

    def _read_risk(self) -> RiskModel | None:
        from phenviz.disease.cohort.saved import open_risk_model

        return None if self.world.project.risk is None else open_risk_model(self.world)

    def _score_common(self) -> Background | None:
        from phenviz.effects.quantiles import world_background

        self.service_ready.result()
        if self.world.has_global_backbone:
            return None
        jobs = PrivateJobs(self)

        def score(variants: pd.DataFrame) -> xr.Dataset:
            return jobs.submit("variant_effects", variants=variants, quantiles=False).result()

        try:
            return world_background(self.world, score=score)
        except Exception:
            LOG.exception("common variants could not be scored")
            raise
        finally:
            jobs.close()

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
            self._warm_disease(service)
            if not self._stopped:
                self._warm_motifs()

    def _warm_disease(self, service: ModelService) -> None:
        """Read and load what the first estimate and the page Disease need: no page shall wait for it."""
        try:
            # counting a network's operations loads PyTorch's compiler, 2.4 s; hashing genes takes another
            service.estimate("hypotheses", source="simulated")
            self.embedded_hypotheses  # noqa: B018
        except Exception:
            LOG.exception("hypotheses could not be looked at ahead")

    def _warm_motifs(self) -> None:
        """Search for motifs once, so that nobody waits for what the first search loads and compiles."""
        from phenviz.attribution.precompile_motif_search import has_searched, search_an_example

        if has_searched():
            return
        motifs = self.world.project.motifs
        command = [sys.executable, "-m", "phenviz.attribution.precompile_motif_search", str(motifs)]
        try:
            # elsewhere first: compiling would hold up all pages for most of a minute. Ctrl-C is for the
            # server, which ends this process itself
            self._warming = subprocess.Popen(
                command, stderr=subprocess.PIPE, text=True, start_new_session=True
            )
            _, said = self._warming.communicate()
            if self._warming.returncode == 0:
                search_an_example(motifs)
            elif not self._stopped:
                LOG.error("the search for motifs could not be warmed up: %s", said)
        except Exception:
            LOG.exception("the search for motifs could not be warmed up")
