"""The examples of docs/extend.md, taken out of the page and run as they stand there."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import phenviz.app.pages
from phenviz.disease import methods, simulated
from phenviz.service import KINDS
from phenviz.tracks.added_tracks import ADDED_TRACKS
from tests.toys import draw_few

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
SECTIONS = {section.splitlines()[0]: section for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
MOST_FILES = 3


def blocks(section):
    return re.findall(r"^```(\w+)\n(.*?)^```", SECTIONS[section], flags=re.MULTILINE | re.DOTALL)


def named(text):
    """Return the name of the file that a block is, and None for one that is to be run."""
    first = text.splitlines()[0]
    return first.removeprefix("# ") if re.fullmatch(r"# [\w/.]+\.\w+", first) else None


@pytest.fixture
def as_before(monkeypatch):
    """Take back what the examples have registered."""
    monkeypatch.setattr(KINDS, "kinds", dict(KINDS.kinds))
    registries = (ADDED_TRACKS, methods._ADDED, methods.MATCHED)
    known = [dict(registry) for registry in registries]
    pages, modules = list(phenviz.app.pages.PAGES), list[str]()
    yield modules
    for registry, before in zip(registries, known, strict=True):
        registry.clear()
        registry.update(before)
    phenviz.app.pages.PAGES[:] = pages
    for name in modules:
        package, _, module = name.rpartition(".")
        delattr(sys.modules[package], module)
        del sys.modules[name]


def load(path, name):
    """Import a file as the module that it would be in the package."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    setattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)
    return name


def test_the_page_has_a_section_for_each_thing_that_can_be_added():
    assert list(SECTIONS) == ["A backbone", "A track", "A job", "A disease method", "A page"]


@pytest.mark.parametrize("section", SECTIONS)
def test_adding_takes_at_most_three_files_and_those_of_the_package_are_where_it_says(section):
    files = re.findall(r"^\| `([\w/.]+)` \|", SECTIONS[section], flags=re.MULTILINE)
    assert 1 <= len(files) <= MOST_FILES
    written = {named(text) for _, text in blocks(section)} - {None}
    assert written <= set(files)
    for name in set(files) - written:
        assert (ROOT / name).exists() or name.startswith("tests/"), name
        assert (ROOT / name).parent.is_dir()


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_runs_as_it_stands_there(section, tmp_path, toy_project, monkeypatch, as_before):
    draw_few(monkeypatch, 400, 60)
    monkeypatch.setattr(simulated, "_CANDIDATES", 400)
    monkeypatch.setattr(simulated, "_DEEP", 60)
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    # the toy world, which an example's own project.yaml replaces
    shutil.copytree(toy_project.parent, tmp_path, dirs_exist_ok=True)
    shutil.copy("toy.fa", "genome.fa")
    for language, text in blocks(section):
        if (name := named(text)) is not None:
            os.makedirs(Path(name).parent, exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
            if name.startswith("phenviz/"):
                as_before.append(load(tmp_path / name, name.removesuffix(".py").replace("/", ".")))
            elif language == "python":
                compile(text, name, "exec")
        elif language == "python":
            exec(compile(text, f"docs/extend.md, {section}", "exec"), {})


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_keeps_the_style_of_the_house(section, tmp_path):
    import subprocess

    for number, (language, text) in enumerate(blocks(section)):
        if language == "python":
            path = tmp_path / f"example{number}.py"
            path.write_text(text, encoding="utf-8")
            command = [Path(sys.executable).with_name("ruff"), "check", "--config", ROOT / "pyproject.toml"]
            ignored = ["--ignore", "D,I001,B018,S101", "--no-cache", path]
            done = subprocess.run([*command, *ignored], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout
