"""The commands of docs/deploy.md and of the Dockerfile have options that exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from phenviz.cli import main
from tests.app.test_server_security import _ALIVE

ROOT = Path(__file__).parents[1]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
_COMMAND = re.compile(r"(?:^\$ |^|=/opt/phenviz/bin/)phenviz (\w+)((?:\\\n|[^\n])*)", re.MULTILINE)


def _options(command: str) -> set[str]:
    return {opt for parameter in main.commands[command].params for opt in parameter.opts}


@pytest.mark.parametrize(("command", "rest"), _COMMAND.findall(DEPLOY), ids=lambda text: text[:30])
def test_every_command_of_the_page_exists_with_its_options(command, rest):
    words = shlex.split(rest.replace("\\\n", " "), comments=True)
    assert {word for word in words if word.startswith("--")} <= _options(command)


def test_the_page_shows_commands():
    assert len(_COMMAND.findall(DEPLOY)) >= 5


def test_options_named_in_the_text_exist():
    text = re.sub(r"```.*?```", "", DEPLOY, flags=re.DOTALL)
    named = set(re.findall(r"`(--[a-z-]+)", text))
    assert named and named <= _options("serve")


def test_the_container_starts_with_options_that_exist_and_not_as_root():
    command = json.loads(re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[1])
    assert {word for word in command if word.startswith("--")} <= _options(command[0])
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER phenviz" in last and last.index("USER phenviz") < last.index("ENTRYPOINT")
    assert "useradd --uid 10001" in last


def test_the_health_check_asks_for_what_a_running_server_answers():
    assert f"http://localhost:5006{_ALIVE}" in DOCKERFILE


def test_versions_of_the_page_and_the_image_are_those_of_the_project():
    requires = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    images = re.findall(r"^FROM python:3\.(\d+)-", DOCKERFILE, re.MULTILINE)
    assert len(set(images)) == 1 and int(images[0]) >= int(requires[1])
