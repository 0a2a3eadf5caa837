"""Measure anew all that depends on the model: ``python -m evaluation [STEP ...]``, or ``make evaluation``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evaluation.steps import Steps, all_steps, weights_of

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Read the command line and do the steps; returns 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", help="only these; all by default")
    parser.add_argument("--again", action="store_true", help="also what is done for these weights")
    parser.add_argument("--list", action="store_true", help="say what is done and what is to be done")
    parser.add_argument("--eqtl", type=Path, metavar="TABLE", help="GTEx v8 lead variants, for the step eqtl")
    parser.add_argument("--training", type=Path, metavar="PROJECT", help="project, for the step backbones")
    given = parser.parse_args()
    steps = Steps(all_steps(given.eqtl, given.training), weights_of(), ROOT / "build" / "evaluation", ROOT)
    if unknown := set(given.steps) - set(steps.names):
        parser.error(f"no step {', '.join(sorted(unknown))}: choose among {', '.join(steps.names)}")
    chosen = given.steps or steps.names
    if given.list:
        steps.tell_state(chosen)
        return 0
    return 0 if steps.run(chosen, again=given.again) else 1


if __name__ == "__main__":
    sys.exit(main())
