from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.fuzz.damage import TEXT, renamed
from tests.fuzz.harness import Case, Harness, Ran, judge, run_apart, told_left_out
from tests.fuzz.inputs import KINDS
from tests.variation.oracles import needs_bcftools

pytestmark = needs_bcftools


def test_a_sample_of_damaged_files_is_read_or_refused_with_a_reason(tmp_path):
    # a process of its own: the harness forks, which a process with threads had better not
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "82", "--seed", "7", "--jobs", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    said = "82 inputs, 0 tracebacks, 0 crashes, 0 hangs, 0 silent losses, 0 other faults"
    assert ran.stdout.strip() == said, ran.stdout + ran.stderr


def test_every_valid_file_is_read_whole(tmp_path):
    script = "import sys; from tests.fuzz.test_fuzz import read_all; read_all(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert ran.stdout == "" and ran.returncode == 0, ran.stdout + ran.stderr


def read_all(folder) -> None:
    """Print what is wrong with the outcome of each kind when nothing is damaged."""
    from pathlib import Path

    harness = Harness(Path(folder))
    for kind in KINDS:
        found = harness.outcome(Case(kind, _unchanged, 0))
        missing = None if found.entries is None else found.entries - (found.kept or 0)
        # of summary statistics what lies outside significant loci is left out, and told
        if found.ran.status != 0 or missing not in (None, told_left_out(found.ran.said)):
            print(kind.name, found)


def _unchanged(data: bytes, rng: np.random.Generator) -> bytes:
    return data


def test_the_same_seed_damages_a_file_in_the_same_way():
    data = b"##x\n" + b"\n".join(b"20\t%d\tA\tC" % number for number in range(50))
    changing = [damage for damage in TEXT if damage is not renamed]
    for damage in changing:
        made = [damage(data, np.random.default_rng(3)) for _ in range(2)]
        assert made[0] == made[1], damage
    changed = [damage(data, np.random.default_rng(seed)) != data for damage in changing for seed in range(5)]
    assert np.mean(changed) > 0.8


@pytest.mark.parametrize(
    ("work", "wrong"),
    [
        (lambda: print("done"), ""),
        (lambda: _fail("phenviz: a.vcf, line 3: POS is 'x': give a number"), ""),
        (lambda: sys.exit(1), "exit 1 without a word"),
        (lambda: sys.exit(2), "exit status 2"),
        (lambda: 1 / 0, "traceback"),
        (lambda: _fail("phenviz: unexpected KeyError: 'x'"), "traceback"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "crash"),
        (lambda: time.sleep(60), "hang"),
    ],
    ids=["right", "one error", "no word", "usage", "traceback", "unexpected", "crash", "hang"],
)
def test_an_outcome_is_judged(tmp_path, work, wrong):
    assert judge(run_apart(work, tmp_path, seconds=1), None, None) == wrong


def _fail(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(1)


def test_fewer_entries_without_a_word_are_a_silent_loss():
    assert judge(Ran(0, "x.tsv"), 40, 39) == "silent loss"
    assert judge(Ran(0, "1 skipped: breakends"), 40, 39) == ""
    assert judge(Ran(0, "x.tsv"), 40, 40) == ""


def test_told_losses_are_added_up():
    said = "a: 40 records read, 36 kept\n1,002 skipped: breakends (5:7)\n  left out: 3 other contig\n"
    assert told_left_out(said) == 1_005
