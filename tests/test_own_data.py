"""The worked example of docs/own_data.md, made and run as it stands there: from peaks to a model."""

from __future__ import annotations

import json
import re

from click.testing import CliRunner

from phenviz.cli import main
from tests.manual_pages import DOCS

PAGE = (DOCS / "own_data.md").read_text(encoding="utf-8")


def steps():
    """Give the blocks of the page in their order: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_worked_example_goes_from_peaks_to_effects_of_variants(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    ran = []
    for language, text in steps():
        if language == "python":
            exec(text, {})
        elif language == "yaml":
            with (tmp_path / "project.yaml").open("a") as project:
                project.write(text)
        else:
            for line in re.sub(r"\\\n\s*", " ", text).splitlines():
                program, *words = line.removeprefix("$ ").split()
                if program != "phenviz" or words[0] == "serve":
                    continue
                done = CliRunner().invoke(main, words)
                assert done.exit_code == 0, f"{line}\n{done.output}"
                ran.append(words[0])
    assert ran == ["init", "train", "train", "doctor", "predict", "mutagenesis", "variants"]
    card = json.loads((tmp_path / "lab.json").read_text())
    for context in ("Ery", "Mono"):
        assert card["metrics"]["test"]["contexts"][context]["within_sites"]["value"] > 0.8
    made = {path.name for path in tmp_path.iterdir()}
    assert {"tracks.Ery.bw", "tracks.Mono.bw", "peak.parquet", "effects.tsv", "readout.json"} <= made
    assert "lab@" in (tmp_path / "effects.tsv").read_text()
