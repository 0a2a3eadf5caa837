"""What a page costs the dashboard's one event loop: ``python -m benchmarks.page_cost``.

Builds each page as the server does, in this process, and prints the processor time (which other work on the
machine doesn't change much) of the first page and the median of the next ones: the page's own objects, the
models that Panel and Bokeh make of them, and the JSON that goes to the browser.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panel.io.application import Application

    from phenviz.app.shell.runtime import Runtime


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_cost", description=__doc__)
    parser.add_argument("--pages", nargs="+", default=None, help="keys of pages; default all")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--profile", help="write cProfile's statistics of one more page of each kind here")
    options = parser.parse_args()
    from phenviz.app.pages import PAGES
    from phenviz.app.shell.panel_workarounds import spare_checks
    from phenviz.app.shell.runtime import Runtime
    from phenviz.world import open_world

    spare_checks()
    runtime = Runtime(open_world()).warm().start()
    runtime.service_ready.result()
    for entry in PAGES:
        if options.pages is None or entry.key in options.pages:
            measure(entry.key, runtime, options.repeats, options.profile)
    runtime.stop()


def measure(key: str, runtime: Runtime, repeats: int, profile: str | None) -> None:
    """Print the seconds of the first page of a kind, and the median of others."""
    found = [_open(key, runtime) for _ in range(1 + repeats)]
    first, later = sum(found[0][:2]), found[1:]
    build, to_json = (statistics.median(values[part] for values in later) for part in (0, 1))
    print(
        f"{key}: first {first:.3f} s, later {build + to_json:.3f} s (pages and models {build:.3f}, JSON "
        f"{to_json:.3f}), {found[-1][2]} models, {found[-1][3] / 1e3:.0f} kB",
        flush=True,
    )
    if profile:
        import cProfile

        profiler = cProfile.Profile(time.thread_time)
        profiler.runcall(_open, key, runtime)
        profiler.dump_stats(f"{profile}-{key}.prof")


def _open(key: str, runtime: Runtime) -> tuple[float, float, int, int]:
    from panel.io.session import generate_session

    began = time.thread_time()
    session = generate_session(_application(key, runtime))
    built = time.thread_time()
    document = session.document
    text = json.dumps(document.to_json(), default=str)
    ended = time.thread_time()
    size = len(document.models)
    _close(session)
    return built - began, ended - built, size, len(text)


def _application(key: str, runtime: Runtime) -> Application:
    from functools import partial

    from panel.io.application import Application, _eval_panel
    from panel.io.handlers import FunctionHandler

    from phenviz.app.shell.serve import routes

    page = routes(runtime)[f"/{key}"]
    return Application(FunctionHandler(partial(_eval_panel, page, None, "PhenViz", True, None)))


def _close(session: object) -> None:
    document = session.document  # type: ignore[attr-defined]
    context = document.session_context
    for callback in list(document.session_destroyed_callbacks):
        callback(context)


if __name__ == "__main__":
    main()
