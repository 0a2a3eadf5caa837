"""What was begun goes on: after Ctrl-C on the command line, and after a process that ended in any way."""

import importlib
import os
import signal

import numpy as np
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.results import load
from phenviz.service import standard
from phenviz.service.jobs import Job
from tests.service.fakes import numbers
from tests.service.test_jobs import wait_until

CHUNK = 512


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """Cells that were begun, in a private cache, with a result that is too long for memory."""
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(standard, "MUTAGENESIS_CHUNK", CHUNK)
    monkeypatch.setattr("phenviz.service.runner._STREAMED_BYTES", 0)
    module = importlib.import_module("phenviz.attribution.mutagenesis")
    plain, cells = module.mutagenesis, []

    def counted(cell, *args, **how):
        cells.append(cell)
        return plain(cell, *args, **how)

    monkeypatch.setattr(module, "mutagenesis", counted)
    return cells


def command(toy_project, out):
    arguments = ["mutagenesis", "chr20:5,121-7,168", "--world", str(toy_project), "-o", str(out)]
    return CliRunner().invoke(main, arguments)


def test_command_that_was_interrupted_goes_on_where_it_stopped(toy_project, tmp_path, computed, monkeypatch):
    out = tmp_path / "out.zarr"
    wait = Job.wait

    def interrupted(self, timeout=None):
        over = wait(self, 0.01)
        # Ctrl-C once, in the third of four cells
        if len(computed) == 3 and not self.cancelled:
            raise KeyboardInterrupt
        return over

    monkeypatch.setattr(Job, "wait", interrupted)
    first = command(toy_project, out)
    assert first.exit_code == 1
    assert "the same command goes on from there" in first.stderr and first.stderr.count("\n") == 1
    assert not out.exists()
    monkeypatch.setattr(Job, "wait", wait)
    second = command(toy_project, out)
    assert second.exit_code == 0, second.output
    assert [cell.start for cell in computed] == [5_120, 5_632, 6_144, 6_144, 6_656]
    result = load(out)
    np.testing.assert_array_equal(result["position"], np.arange(5_121, 7_169))
    assert np.isfinite(result["effect"]).all()


def test_interrupted_writing_computes_nothing_again(toy_project, tmp_path, computed, monkeypatch):
    out = tmp_path / "out.parquet"

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("phenviz.results.files.write_parquet", interrupt)
        first = command(toy_project, out)
    assert first.exit_code == 1 and "what was finished is kept" in first.stderr
    assert not out.exists()
    assert command(toy_project, out).exit_code == 0
    assert len(computed) == 4 and out.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are copied on Unix only")
def test_killed_process_leaves_its_finished_chunks_to_the_next(make_service, counting):
    child = os.fork()
    if child == 0:
        try:
            job = make_service().submit("count", stop=500)
            wait_until(lambda: len(job.partials) >= 3)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    service = make_service()
    kept = round(500 * service.estimate("count", stop=500).stored)
    assert 3 <= kept < 500
    assert numbers(service.submit("count", stop=kept + 2).result(60)) == list(range(kept + 2))
    # this process has computed no more than what was missing
    assert counting.computed == [kept, kept + 1]
