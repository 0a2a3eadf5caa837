from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import pytest

from phenviz.data.packs import has_pack

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "notebooks" / "src").glob("*.py"))

# what a notebook can't be run without
NEEDED = {"06_predicted_and_measured": "geuvadis-junctions"}

# on a slow machine with an empty cache a tutorial takes longer than any other test may
pytestmark = [pytest.mark.notebook, pytest.mark.timeout(1_800)]


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("build_notebooks", ROOT / "scripts" / "build_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_is_that_of_its_source_and_has_clean_outputs(builder, name):
    written = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    source = builder.read_source(ROOT / "notebooks" / "src" / f"{name}.py")
    assert [cell.source for cell in written.cells] == [cell.source for cell in source.cells]
    assert builder.problems(written) == []
    assert any(cell.get("outputs") for cell in written.cells)


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_runs_without_a_warning(builder, name):
    if name in NEEDED and not has_pack(NEEDED[name]):
        pytest.skip(f"the data pack {NEEDED[name]} isn't here")
    notebook = builder.run(builder.read_source(ROOT / "notebooks" / "src" / f"{name}.py"))
    assert builder.problems(notebook) == []
