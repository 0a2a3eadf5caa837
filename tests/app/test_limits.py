"""What a server takes from its users, and what an administrator may say about it."""

from __future__ import annotations

import gc
import re
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from phenviz.app.disease.disease_tables import TableFolder
from phenviz.app.shell import limits as module
from phenviz.app.shell.job_view import PrivateJobs
from phenviz.app.shell.limits import KEEPER, Limits, read_limits
from phenviz.app.shell.own_file import OwnFile
from phenviz.cli import main
from phenviz.data.cache import MEMORY
from phenviz.errors import DataError, JobError


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    for variable in module.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(KEEPER, "_jobs", {})
    yield
    KEEPER.set(Limits())


def test_without_a_word_the_limits_are_those_of_the_manual():
    assert read_limits() == Limits(512 * 2**20, 64, 2 * 2**30)


def test_an_option_goes_before_the_environment_and_that_before_the_usual(monkeypatch):
    monkeypatch.setenv("PHENVIZ_MAX_UPLOAD", "2GB")
    monkeypatch.setenv("PHENVIZ_MAX_JOBS", "5")
    monkeypatch.setenv("PHENVIZ_MAX_MEMORY", "")
    assert read_limits() == Limits(2 * 10**9, 5, 2 * 2**30)
    assert read_limits("3 MiB", "1", "10gib") == Limits(3 * 2**20, 1, 10 * 2**30)


@pytest.mark.parametrize("name", ["upload", "memory"])
@pytest.mark.parametrize(
    ("text", "words"),
    [("lots", "'lots' is no size"), ("-5GB", "is no size"), ("", "is no size"), ("0", "less than 1 MiB"),
     ("4", "'4' is less than 1 MiB: write its unit"), ("nan", "is no size")],
)  # fmt: skip
def test_a_size_that_makes_no_sense_is_refused_by_its_name(monkeypatch, name, text, words):
    with pytest.raises(DataError, match=f"^--max-{name}: .*{words}"):
        read_limits(**{name: text})
    if text:
        monkeypatch.setenv(module.VARIABLES[name], text)
        with pytest.raises(DataError, match=f"^environment variable {module.VARIABLES[name]}: .*{words}"):
            read_limits()


@pytest.mark.parametrize("text", ["0", "-1", "many", "2.5", "1e9", "100001", ""])
def test_a_count_that_makes_no_sense_is_refused_by_its_name(monkeypatch, text):
    with pytest.raises(DataError, match=r"^--max-jobs: .* is no number of jobs: write a whole number from 1"):
        read_limits(jobs=text)
    if text:
        monkeypatch.setenv("PHENVIZ_MAX_JOBS", text)
        with pytest.raises(DataError, match=r"^environment variable PHENVIZ_MAX_JOBS: "):
            read_limits()


@pytest.mark.parametrize(
    "options", [("--max-upload", "big"), ("--max-jobs", "none"), ("--max-memory", "5")], ids=" ".join
)
def test_the_command_says_so_before_it_serves_anything(options):
    done = CliRunner().invoke(main, ["serve", "--no-browser", *options])
    assert done.exit_code == 1 and options[0] in done.output and "http" not in done.output
    assert "Traceback" not in done.output


def test_the_command_hands_what_was_asked_for_to_the_server(monkeypatch):
    asked = {}
    monkeypatch.setattr("phenviz.app.shell.serve.serve", lambda _world, **how: asked.update(how))
    options = ["--max-upload", "1GiB", "--max-jobs", "3", "--max-memory", "8GiB"]
    assert CliRunner().invoke(main, ["serve", "--no-browser", *options]).exit_code == 0
    assert asked["limits"] == Limits(2**30, 3, 2**33)


def test_a_file_is_taken_up_to_the_limit_and_no_larger():
    KEEPER.set(Limits(upload=2**20))
    own = OwnFile()
    own.folder.begin("me.vcf", 2**20)
    with pytest.raises(DataError, match=r"me\.vcf has .*, and at most .* are taken from a browser"):
        own.folder.begin("me.vcf", 2**20 + 1)
    # of tables the server takes no more than it reads in memory, whatever is allowed of others
    assert TableFolder().largest == 2**20
    KEEPER.set(Limits(upload=2**40))
    assert (OwnFile().folder.largest, TableFolder().largest) == (2**40, 64 * 2**20)
    own.folder.close()


def test_what_is_kept_in_memory_goes_by_the_limit():
    KEEPER.set(Limits(memory=5 * 2**20))
    assert MEMORY.limit == 5 * 2**20
    KEEPER.set(Limits())
    assert MEMORY.limit == 2 * 2**30


class Made:
    over = False


class Service:
    """Makes a job of each request, never the same twice."""

    def __init__(self):
        self.made = []

    def submit(self, kind, **_):
        if kind == "refused":
            raise JobError("no such job")
        self.made.append(Made())
        return self.made[-1]

    def forget(self, holder):
        pass


def page_of(user, service, monkeypatch):
    monkeypatch.setattr("phenviz.app.shell.job_view.current_user", lambda: user)
    return PrivateJobs(SimpleNamespace(service=service))


def test_one_user_has_so_many_jobs_at_a_time_over_all_pages_and_others_have_theirs(monkeypatch):
    KEEPER.set(Limits(jobs=3))
    service = Service()
    first, second = (page_of("ann", service, monkeypatch) for _ in range(2))
    other, nobody = page_of("bob", service, monkeypatch), page_of("", service, monkeypatch)
    for page in (first, first, second):
        page.submit("personal")
    for page in (first, second):
        with pytest.raises(
            JobError, match=r"3 jobs of yours are waiting or running.*wait until one is done, or cancel"
        ):
            page.submit("personal")
    for page in (other, other, other, *[nobody] * 9):
        page.submit("personal")
    service.made[1].over = True
    second.submit("personal")
    with pytest.raises(JobError, match="3 jobs of yours"):
        first.submit("personal")


def test_what_the_service_refuses_or_gives_twice_counts_for_nothing(monkeypatch):
    KEEPER.set(Limits(jobs=2))
    page, same = page_of("ann", Service(), monkeypatch), Made()
    again = SimpleNamespace(submit=lambda _kind: same)
    for _ in range(5):
        with pytest.raises(JobError, match="no such job"):
            page.submit("refused")
        assert KEEPER.submit("ann", again, "predict") is same
    page.submit("personal")
    with pytest.raises(JobError, match="2 jobs of yours"):
        page.submit("personal")


def test_a_job_that_the_service_has_let_go_of_is_kept_by_nobody():
    service = Service()
    gone = weakref.ref(KEEPER.submit("ann", service, "predict"))
    service.made.clear()
    gc.collect()
    assert gone() is None


def test_threads_of_one_user_that_ask_at_once_get_no_more_than_the_limit():
    KEEPER.set(Limits(jobs=4))
    everybody, service = threading.Barrier(12), Service()

    def ask(_):
        everybody.wait()
        try:
            return KEEPER.submit("ann", service, "predict")
        except JobError:
            return None

    with ThreadPoolExecutor(12) as threads:
        assert sum(job is not None for job in threads.map(ask, range(12))) == 4


def test_every_job_that_a_page_asks_for_is_asked_for_in_a_users_name():
    # the map of predicted activity is everybody's, and the command asks for reports alone
    folder = Path(module.__file__).parents[1]
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if re.search(r"service\.submit\b", path.read_text(encoding="utf-8"))
    }
    assert found == {"shell/limits.py", "explore/activity.py", "reports/make.py"}


def test_who_asks_is_the_login_else_the_tab(monkeypatch):
    state = SimpleNamespace(curdoc=None, user=None)
    monkeypatch.setattr(module.pn, "state", state)
    assert module.current_user() == ""
    state.curdoc = SimpleNamespace(session_context=SimpleNamespace(id="tab-1"))
    assert module.current_user() == "tab-1"
    state.user = "ann"
    assert module.current_user() == "ann"


def test_the_server_and_panel_serve_go_by_the_environment(monkeypatch):
    from phenviz.app.shell import serve

    monkeypatch.setenv("PHENVIZ_MAX_JOBS", "7")
    runtime = SimpleNamespace(service_ready=Future())
    runtime.warm = runtime.start = lambda: runtime
    monkeypatch.setattr(serve, "Runtime", lambda *_: runtime)
    monkeypatch.setattr(serve, "HOUSEKEEPING", SimpleNamespace(set_aside=lambda: None))
    monkeypatch.setattr(serve.pn, "serve", lambda _routes, **options: options)
    serve.serve(SimpleNamespace())
    assert KEEPER.limits.jobs == 7
    KEEPER.set(Limits())
    monkeypatch.setattr(serve.pn.state, "as_cached", lambda _key, make: make())
    serve.runtime_of_process()
    assert KEEPER.limits.jobs == 7
