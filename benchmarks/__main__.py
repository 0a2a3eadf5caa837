"""Run all benchmarks and write ``results.md``: ``python -m benchmarks [--quick] [--only NAME ...]``.

All of them take about 20 minutes and 7 GB of memory on two idle cores; ``--quick`` two minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from benchmarks import gradients, mutagenesis, phenformer, prediction, scaling, settings, variants
from benchmarks.world import describe

NAMES = ("prediction", "mutagenesis", "gradients", "phenformer", "variants", "scaling", "settings")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short loci and one repeat: does it run at all?")
    parser.add_argument("--repeats", type=int, help="turns that all contestants take (default 5; quick 1)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="benchmarks to run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of results.md")
    options = parser.parse_args()
    repeats = options.repeats or (1 if options.quick else 5)
    options.out.mkdir(parents=True, exist_ok=True)
    runs = {
        "prediction": lambda: prediction.run(repeats, options.quick),
        "mutagenesis": lambda: mutagenesis.run(repeats, options.quick),
        "gradients": lambda: gradients.run(repeats, options.quick),
        "phenformer": lambda: phenformer.run(min(repeats, 3), options.quick),
        "variants": lambda: variants.run(repeats, options.quick),
        "scaling": lambda: scaling.run(options.quick, options.out),
        "settings": lambda: settings.run(repeats, options.quick),
    }
    head = [f"# Benchmarks, {date.today().isoformat()}", "", *describe()]
    command = "make bench" if len(sys.argv) == 1 else f"python -m benchmarks {' '.join(sys.argv[1:])}"
    head += [f"Made by `{command}`: {repeats} turn(s) each, all in one run on the same input."]
    parts = ["\n\n".join(line for line in head if line) + "\n"]
    for name in options.only:
        print(name, file=sys.stderr, flush=True)
        began = time.monotonic()
        section = runs[name]().markdown()
        print(section, flush=True)
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        parts.append(section)
        # written after each, so that a long run that is broken off leaves what it had
        (options.out / "results.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
