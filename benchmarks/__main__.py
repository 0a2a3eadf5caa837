"""Run benchmarks and put their tables into ``results.md``: ``python -m benchmarks [--only NAME ...]``.

All of them take about an hour and 7 GB of memory on two idle cores; ``--quick`` a few minutes. A run of some
leaves the tables of the others as they are: each says when, where and by which command it was made.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import (
    cohort,
    gradients,
    large_world,
    mutagenesis,
    phenformer,
    prediction,
    scaling,
    settings,
    shards,
    variants,
)
from benchmarks.report import Section
from benchmarks.world import describe
from evaluation.report import write_section

NAMES = (
    "prediction", "mutagenesis", "gradients", "gradients-short", "phenformer", "one-graph", "variants",
    "cohort", "shards", "large-world", "scaling", "settings",
)  # fmt: skip
TITLE = """# Benchmarks

PhenViz beside its peers and beside the plain way, on the same model and the same input. Contestants take
turns, so that a busy minute hits all alike; ratios are taken turn by turn.
"""


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short loci and one repeat: does it run at all?")
    parser.add_argument("--repeats", type=int, help="turns that all contestants take (default 5; quick 1)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="benchmarks to run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of results.md")
    options = parser.parse_args()
    repeats = options.repeats or (1 if options.quick else 5)
    runs: dict[str, Callable[[], Section]] = {
        "prediction": lambda: prediction.run(repeats, options.quick),
        "mutagenesis": lambda: mutagenesis.run(repeats, options.quick),
        "gradients": lambda: gradients.run(repeats, *((65_536, 8) if options.quick else (1_000_000, 32))),
        "gradients-short": lambda: gradients.run(repeats, 131_072, 8),
        "phenformer": lambda: phenformer.run(repeats, options.quick),
        "one-graph": lambda: phenformer.run_one_graph(repeats),
        "variants": lambda: variants.run(repeats, options.quick),
        "cohort": lambda: cohort.run(repeats, options.quick),
        "shards": lambda: shards.run(repeats, options.quick),
        "large-world": lambda: large_world.run(repeats, options.quick),
        "scaling": lambda: scaling.run(options.quick, options.out),
        "settings": lambda: settings.run(repeats, options.quick),
    }
    results = options.out / "results.md"
    options.out.mkdir(parents=True, exist_ok=True)
    if not results.is_file():
        results.write_text(TITLE)
        for name in NAMES:
            write_section(name, "", results)
    for name in options.only:
        print(name, file=sys.stderr, flush=True)
        began = time.monotonic()
        section = runs[name]().markdown()
        print(section, flush=True)
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        write_section(name, f"{section}\n{_made_by(name, repeats, options.quick)}", results)


def _made_by(name: str, repeats: int, quick: bool) -> str:
    command = f"python -m benchmarks --only {name}{' --quick' if quick else ''} --repeats {repeats}"
    return f"Made on {date.today().isoformat()} by `{command}`. {' '.join(describe())}"


if __name__ == "__main__":
    main()
