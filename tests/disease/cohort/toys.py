"""A small simulated cohort on the toy world, and its steps by the command line."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from phenviz.cli import main
from phenviz.models.readout import save_readout
from phenviz.world import open_world
from tests.attribution.oracles import toy_readout
from tests.toys import toy_project as make_project

LOCUS = "20:2001-48000"
WINDOW = 4_096


def cohort_project(folder: Path) -> Path:
    """Write the toy world with a gene readout; return its project.yaml."""
    project = make_project(folder)
    readout = toy_readout()
    readout.backbone_hash = open_world(project).backbone.weights_hash
    save_readout(readout, folder / "readout.safetensors")
    project.write_text(project.read_text() + "readout: readout.safetensors\n")
    return project


def run(*words: object) -> Result:
    """Run a command of ``phenviz cohort``, which must succeed."""
    done = ask(*words)
    assert done.exit_code == 0, done.output
    return done


def ask(*words: object) -> Result:
    """Run a command of ``phenviz cohort``."""
    return CliRunner().invoke(main, ["cohort", *map(str, words)])


def simulate(folder: Path, project: Path, scenario: str = "additive", **options: object) -> Path:
    """Simulate 240 people into a folder, and return it."""
    asked = {"people": 240, "locus": LOCUS, "seed": 5, "genes": 2, "variants": 20, **options}
    words = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", value)]
    run("simulate", "-o", folder, "--scenario", scenario, "--world", project, "--device", "cpu", *words)
    return folder
