"""``python -m tests.fuzz``: read many damaged files and count what goes wrong."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> int:
    """Run the cases; exit status 1 if any goes wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="only kinds whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()

    from tests.fuzz.harness import case_of, prepare, run_prepared

    with tempfile.TemporaryDirectory(prefix="phenviz-fuzz-") as folder:
        os.environ["PHENVIZ_CACHE"] = str(Path(folder) / "cache")
        places = [
            place for place in range(options.inputs) if options.kind in case_of(place, options.seed).kind.name
        ]
        with ProcessPoolExecutor(
            options.jobs, mp_context=get_context("spawn"), initializer=prepare, initargs=(folder,)
        ) as pool:
            found = [wrong for wrong in pool.map(run_prepared, places, repeat(options.seed)) if wrong]
    for wrong in found:
        print(wrong)
    counts = Counter(wrong.split(":")[0].split(" (")[0] for wrong in found)
    named = {"traceback": "tracebacks", "crash": "crashes", "hang": "hangs", "silent loss": "silent losses"}
    others = sum(count for kind, count in counts.items() if kind not in named)
    told = ", ".join(f"{counts[kind]} {word}" for kind, word in named.items())
    print(f"{len(places)} inputs, {told}, {others} other faults")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
