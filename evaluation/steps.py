"""The steps of the evaluation, one after the other; what is done for these weights isn't done again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phenviz.world import open_world

BACKBONE, READOUTS = "backbone", "readouts"
_LINE = 160


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to measure or to draw.

    Parameters
    ----------
    name
        To call it by.
    command
        What does it; relative to the root of the repository.
    of
        Which weights it depends on: `BACKBONE`, `READOUTS`.
    needs
        What it can't be done without and wasn't given; "" for nothing.
    """

    name: str
    command: tuple[str, ...]
    of: tuple[str, ...] = (BACKBONE,)
    needs: str = ""


def all_steps(eqtl: Path | None = None, training: Path | None = None) -> tuple[Step, ...]:
    """Return every step, in the order in which they build on each other.

    Parameters
    ----------
    eqtl
        Table of eQTLs; without it their signs aren't measured.
    training
        Training project; without it backbones aren't compared on held-out peaks.
    """
    both = (BACKBONE, READOUTS)

    def measured(module: str, *words: str, of: tuple[str, ...] = (BACKBONE,), needs: str = "") -> Step:
        command = (sys.executable, "-m", f"evaluation.{module}", *words)
        return Step(module.removeprefix("disease_"), command, of, needs)

    def script(name: str, file: str) -> Step:
        return Step(name, (sys.executable, f"scripts/{file}"), both)

    table, project = ("" if path is None else str(path.resolve()) for path in (eqtl, training))
    # cohorts and results of other weights stay apart
    known = _brief(weights_of(), both)
    compared = (sys.executable, "-m", "evaluation.backbone", "--world", project)
    return (
        measured("quantiles"),
        measured("accuracy"),
        measured("readout", of=both),
        measured("mpra"),
        measured("variants"),
        measured("eqtl", table, needs="" if table else "--eqtl TABLE (make: EQTL=TABLE)"),
        measured("measured", "--write", *(("--eqtl", table) if table else ()), of=both),
        Step(
            "backbones",
            (*compared, "--eqtl", table) if table else compared,
            needs="" if project else "--training PROJECT (make: TRAINING=PROJECT)",
        ),
        measured("motifs"),
        measured("additivity"),
        measured("disease_calibration"),
        measured("disease_power"),
        measured("disease_sequence"),
        measured("disease_prior"),
        measured("disease_studies"),
        measured("disease_traits"),
        measured("risk", "--write", "--folder", f"build/evaluation/risk-{known}", of=both),
        measured("cohort_hypotheses", "--write", "--folder", f"build/evaluation/cohort-{known}", of=both),
        script("hypotheses", "build_embedded_hypotheses.py"),
        script("manifest", "build_embedded_world.py"),
        script("notebooks", "build_notebooks.py"),
        script("pictures", "screenshots.py"),
    )


def weights_of() -> dict[str, str]:
    """Return the hash of the embedded backbone, and one of all its readouts."""
    project = open_world().project
    cards = [project.checkpoint] if project.checkpoint is not None else []
    found = {BACKBONE: _hashes(cards), READOUTS: _hashes(project.readouts)}
    return {name: "\n".join(hashes) for name, hashes in found.items()}


def _hashes(weights: Iterable[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in weights]


class Steps:
    """Does steps, and remembers what is done.

    Parameters
    ----------
    steps
        In their order.
    weights
        Which weights (`Step.of`) have which hash.
    folder
        Where logs and what is remembered lie: ``evaluation.log`` with one line per step, and what each step
        said in a file of its own.
    root
        Where commands run.
    """

    def __init__(self, steps: Sequence[Step], weights: Mapping[str, str], folder: Path, root: Path) -> None:
        self._steps, self._weights, self._folder, self._root = tuple(steps), weights, folder, root
        self._done = folder / "done.json"

    @property
    def names(self) -> list[str]:
        """Names of all steps, in their order."""
        return [step.name for step in self._steps]

    def tell_state(self, names: Iterable[str]) -> None:
        """Say of each step whether it is done for these weights."""
        for step in self._chosen(names):
            when = self._when(step)
            print(f"{step.name:12} {f'done on {when}' if when else self._missing(step) or 'to be done'}")

    def run(self, names: Iterable[str], *, again: bool = False) -> bool:
        """Do steps that aren't done for these weights; one that fails doesn't keep the others from it.

        Parameters
        ----------
        names
            Which ones.
        again
            Whether to do also those that are done.

        Returns
        -------
        bool
            Whether none failed.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        failed = []
        for step in self._chosen(names):
            when = self._when(step)
            if when and not again:
                self._tell(step, f"skipped: done on {when} for these weights")
            elif missing := self._missing(step):
                self._tell(step, missing)
            elif not self._do(step):
                failed.append(step.name)
        if failed:
            self._say(f"failed: {', '.join(failed)}; the same command does these again, and no other")
        return not failed

    def _do(self, step: Step) -> bool:
        began, log = time.perf_counter(), self._folder / f"{step.name}.log"
        self._tell(step, "begins")
        with log.open("w", encoding="utf-8") as said:
            try:
                code = subprocess.call(step.command, cwd=self._root, stdout=said, stderr=subprocess.STDOUT)
            except KeyboardInterrupt:
                self._tell(step, "interrupted: the same command goes on here")
                raise
        took = _readable(time.perf_counter() - began)
        if code:
            self._tell(step, f"failed after {took}: {_last_line(log)} (all of it in {log})")
            return False
        self._remember(step)
        self._tell(step, f"done in {took}")
        return True

    def _chosen(self, names: Iterable[str]) -> list[Step]:
        wanted = set(names)
        return [step for step in self._steps if step.name in wanted]

    def _missing(self, step: Step) -> str:
        return f"left out: needs {step.needs}" if step.needs else ""

    def _key(self, step: Step) -> str:
        return _brief(self._weights, step.of)

    def _when(self, step: Step) -> str:
        return str(self._remembered().get(step.name, {}).get(self._key(step), ""))

    def _remembered(self) -> dict[str, dict[str, str]]:
        try:
            return dict(json.loads(self._done.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            # nothing was done yet, or writing was interrupted: what isn't known is done again
            return {}

    def _remember(self, step: Step) -> None:
        done = self._remembered()
        done.setdefault(step.name, {})[self._key(step)] = time.strftime("%Y-%m-%d %H:%M")
        self._done.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")

    def _tell(self, step: Step, what: str) -> None:
        self._say(f"{step.name:12} {what}")

    def _say(self, what: str) -> None:
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {what}"
        print(line, flush=True)
        with (self._folder / "evaluation.log").open("a", encoding="utf-8") as log:
            log.write(line + "\n")


def _brief(weights: Mapping[str, str], of: Iterable[str]) -> str:
    """Tell apart weights by a few letters."""
    return hashlib.sha256("\n".join(weights[name] for name in of).encode()).hexdigest()[:16]


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:_LINE] if lines else "it said nothing"


def _readable(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"
