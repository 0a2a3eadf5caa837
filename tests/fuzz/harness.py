"""Run ``phenviz`` on damaged files, each in a process of its own, and judge what came out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.fuzz.damage import Damage, renamed
from tests.fuzz.inputs import KINDS, Files, Kind

SECONDS = 60
_NUMBER = r"(\d[\d,]*)"
# counts of what a reader left out, as messages give them
_LEFT_OUT = re.compile(
    rf"{_NUMBER}[^\n;]*?(?:skipped|left out|not scored|dropped|ignored|listed (?:twice|again)|lost)"
    rf"|(?:left out|skipped|not read): {_NUMBER}"
)
_SHOWN = {
    "annotation": rf"annotation +{_NUMBER} gene",
    "elements": rf"annotation .* {_NUMBER} regulatory",
    "motifs": rf"motifs +{_NUMBER}",
    "peaks": rf"peaks +{_NUMBER} in",
    "reference": rf"reference +{_NUMBER} contig",
}


@dataclass(frozen=True)
class Ran:
    """What a command did.

    Parameters
    ----------
    status
        Exit status; negative for the signal that ended the process; None where it had to be stopped.
    said
        What it printed to both streams.
    """

    status: int | None
    said: str


@dataclass(frozen=True)
class Outcome:
    """What became of one damaged file.

    Parameters
    ----------
    ran
        What the command did.
    entries
        How many entries the file holds, counted in the plainest way; None where nobody knows.
    kept
        How many of them reached the result; None where the command doesn't show it.
    """

    ran: Ran
    entries: int | None
    kept: int | None


@dataclass(frozen=True)
class Case:
    """One damaged file: its kind, what happened to it, and the seed that makes it again."""

    kind: Kind
    damage: Damage
    seed: int

    def __str__(self) -> str:
        return f"{self.kind.name}, {self.damage.__name__}, seed {self.seed}"


def case_of(place: int, seed: int) -> Case:
    """Make one case of a sequence: every kind in turn, each with a damage drawn at random."""
    kind = KINDS[place % len(KINDS)]
    chosen = int(np.random.default_rng([seed, place]).integers(len(kind.damages)))
    return Case(kind, kind.damages[chosen], seed * 100_000 + place)


def run_apart(work: Callable[[], int | None], folder: Path, seconds: float = SECONDS) -> Ran:
    """Do some work in a forked process, which may crash or hang; its prints are kept."""
    said = folder / "said"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            stream = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.dup2(stream, 1)
            os.dup2(stream, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            try:
                status = work() or 0
            except SystemExit as done:
                status = int(done.code or 0)
            except BaseException:
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
    ended = _wait(child, seconds)
    text = said.read_text(errors="replace") if said.exists() else ""
    return Ran(None if ended is None else os.waitstatus_to_exitcode(ended), text)


def _wait(child: int, seconds: float) -> int | None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def judge(ran: Ran, entries: int | None, kept: int | None) -> str:
    """Say what is wrong with an outcome (hang, crash, traceback, silent loss); empty if nothing is."""
    if ran.status is None:
        return "hang"
    if ran.status < 0 or ran.status >= 128:
        return "crash"
    if "Traceback" in ran.said or "unexpected " in ran.said or ran.status == 70:
        return "traceback"
    if ran.status == 1:
        return "" if ran.said.strip() else "exit 1 without a word"
    if ran.status != 0:
        return f"exit status {ran.status}"
    if entries is not None and kept is not None and kept + told_left_out(ran.said) < entries:
        return "silent loss"
    return ""


def told_left_out(said: str) -> int:
    """Add up the entries that a message says were left out."""
    return sum(int((found[1] or found[2]).replace(",", "")) for found in _LEFT_OUT.finditer(said))


class Harness:
    """Runs cases on one set of valid files."""

    def __init__(self, folder: Path) -> None:
        self.files = Files(folder)

    def run(self, case: Case) -> str:
        """Damage a file, read it, and say what is wrong with the outcome; empty if nothing."""
        found = self.outcome(case)
        wrong = judge(found.ran, found.entries, found.kept)
        if not wrong:
            return ""
        detail = f" ({found.kept} of {found.entries} entries)" if wrong == "silent loss" else ""
        return f"{wrong}{detail}: {case}\n    {found.ran.said.strip()[-400:]}"

    def outcome(self, case: Case) -> Outcome:
        """Damage a file and read it."""
        folder = Path(tempfile.mkdtemp(dir=self.files.folder, prefix="case"))
        try:
            path = self.damaged(case, folder)
            ran = self._phenviz(case, path, folder)
            entries = _naively(case.kind, path, self.files.folder / case.kind.name)
            return Outcome(ran, entries, _kept(case.kind, ran, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def damaged(self, case: Case, folder: Path) -> Path:
        """Write the damaged file of a case into a folder, with what belongs beside it."""
        rng = np.random.default_rng(case.seed)
        name = case.kind.name
        if case.damage is renamed:
            others = sorted({f"renamed.{kind.name.partition('.')[2]}" for kind in KINDS} - {name})
            name = others[int(rng.integers(len(others)))]
        valid, path = self.files.folder / case.kind.name, folder / name
        if valid.is_dir():
            shutil.copytree(valid, path)
            inner = sorted(found for found in path.rglob("*") if found.is_file())
            target = inner[int(rng.integers(len(inner)))]
        else:
            for beside in self.files.folder.glob(f"{case.kind.name.split('.')[0]}.p*"):
                if case.kind.name.startswith("plink"):
                    shutil.copy(beside, folder)
            shutil.copy(valid, path)
            target = path
        target.write_bytes(case.damage(target.read_bytes(), rng))
        return path

    def _phenviz(self, case: Case, path: Path, folder: Path) -> Ran:
        from phenviz.cli import main

        world = self.files.world_with(case.kind.key, path, folder)
        if case.kind.key == "project":
            # its relative paths lead to the valid files
            for name in ("toy.fa", "toy.fa.fai", "genes.tsv", "toy.safetensors", "toy.json"):
                if (self.files.folder / name).exists():
                    shutil.copy(self.files.folder / name, folder)
        words = {"file": path, "world": world, "out": folder, "folder": folder, "valid": self.files.folder}
        arguments = [word.format(**words) for word in case.kind.command.split()]
        return run_apart(lambda: main(arguments, prog_name="phenviz"), folder)


_prepared: list[Harness] = []


def prepare(folder: str) -> None:
    """Make the valid files of one process of a pool, and import what is heavy before it forks."""
    import phenviz.service
    import phenviz.variation
    import phenviz.world  # noqa: F401

    _prepared.append(Harness(Path(tempfile.mkdtemp(dir=folder))))


def run_prepared(place: int, seed: int) -> str:
    """Run a case in a process that was prepared."""
    return _prepared[0].run(case_of(place, seed))


def _naively(kind: Kind, path: Path, valid: Path) -> int | None:
    """Count the entries of the damaged file; those of the valid one where it can't even be unpacked."""
    if kind.entries is None:
        return None
    try:
        return kind.entries(path.read_bytes() if path.is_file() else b"")
    except (OSError, EOFError, zlib.error):
        return kind.entries(valid.read_bytes())


def _kept(kind: Kind, ran: Ran, folder: Path) -> int | None:
    """How many entries the result holds."""
    scores = folder / "scores.tsv"
    if scores.exists():
        with scores.open("rb") as lines:
            head = sum(1 for _ in takewhile(lambda line: line.startswith(b"#"), lines))
        return len(pd.read_csv(scores, sep="\t", skiprows=head))
    if "--check" in kind.command:
        found = re.search(rf"{_NUMBER} of {_NUMBER} rows kept", ran.said)
    elif kind.key in _SHOWN:
        found = re.search(_SHOWN[kind.key], ran.said)
    else:
        return None
    return int(found[1].replace(",", "")) if found else None
