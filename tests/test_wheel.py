"""What is built of a clone: an sdist, and of that a wheel with everything, in the version of the tag."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
_BUILD = "from setuptools import build_meta; print(build_meta.build_{}({!r}))"


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Make a fresh repository of what is tracked here, without tags."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone")
    folder = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    run([*_GIT, "init", "-q"], folder)
    run([*_GIT, "add", "-A"], folder)
    run([*_GIT, "commit", "-q", "-m", "all"], folder)
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory):
    """Build the sdist of a tagged clone, and the wheel of that sdist, where there is no git."""
    run([*_GIT, "tag", "v9.8.7"], clone)
    made = tmp_path_factory.mktemp("made")
    sdist = run([sys.executable, "-c", _BUILD.format("sdist", str(made))], clone)
    run([*_GIT, "tag", "-d", "v9.8.7"], clone)
    with tarfile.open(made / sdist) as packed:
        packed.extractall(made, filter="data")
    name = run(
        [sys.executable, "-c", _BUILD.format("wheel", str(made))], made / sdist.removesuffix(".tar.gz")
    )
    with zipfile.ZipFile(made / name) as opened:
        yield opened


def test_a_clone_without_tags_has_a_version(clone):
    assert run([sys.executable, "-m", "setuptools_scm"], clone).startswith("0.1")


def test_a_folder_without_git_has_a_version(clone, tmp_path):
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(clone / name, tmp_path)
    assert run([sys.executable, "-m", "setuptools_scm"], tmp_path) == "0.1.0"


def test_the_wheel_of_an_sdist_has_the_version_of_the_tag(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    assert HeaderParser().parsestr(wheel.read(name).decode())["Version"] == "9.8.7"


def test_the_wheel_carries_the_model_card_and_the_notices(wheel):
    assert wheel.read("phenviz/data/model_card.md") == (ROOT / "docs" / "model_card.md").read_bytes()
    assert any(name.endswith("licenses/NOTICE") for name in wheel.namelist())


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel):
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "phenviz").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == here
