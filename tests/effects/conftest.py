"""What tests of commands share."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from phenviz.cli import main


@pytest.fixture
def run(project, tmp_path, monkeypatch):
    """Run a command on the project of a test's file."""
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))

    def call(*arguments: object, status: int = 0):
        given = [*map(str, arguments), "--world", str(project), "--device", "cpu"]
        found = CliRunner().invoke(main, given)
        assert found.exit_code == status, found.output
        return found

    return call
