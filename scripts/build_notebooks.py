"""Run the tutorial notebooks and write them with outputs: ``notebooks/src/*.py`` to ``notebooks/*.ipynb``.

Sources are scripts in jupytext's percent format, so that changes can be read in a diff. Outputs must hold no
path of this machine and no warning, and a notebook stays below 1.5 MB.

Usage: ``python scripts/build_notebooks.py [NAME ...]``
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
SOURCES = NOTEBOOKS / "src"
LARGEST = 1_500_000
_SECONDS = 600


def read_source(path: Path) -> nbformat.NotebookNode:
    """Turn a source script into a notebook without outputs; cells are numbered, so that ids never change."""
    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
    notebook.metadata = {
        "kernelspec": dict(notebook.metadata["kernelspec"]),
        "language_info": {"name": "python"},
    }
    return notebook


def run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Execute a notebook in a folder of its own; raise if a cell fails."""
    # bars of jobs are for those who wait
    os.environ["TQDM_DISABLE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=_SECONDS, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        # when a cell ran is another time every time
        cell.metadata.pop("execution", None)
    return notebook


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Say what must not be in the outputs: warnings, paths of this machine, too many bytes."""
    found = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                found.append(f"cell {number} writes to stderr: {output['text'][:300]}")
            text = nbformat.from_dict(output)
            shown = str(
                {key: value for key, value in dict(text.get("data", text)).items() if key != "image/png"}
            )
            for private in (str(ROOT), str(Path.home()), tempfile.gettempdir() + os.sep):
                if private in shown:
                    found.append(f"cell {number} shows the path {private}")
    size = len(nbformat.writes(notebook).encode())
    if size > LARGEST:
        found.append(f"{size:,} bytes are more than {LARGEST:,}")
    return found


def main(names: list[str]) -> int:
    """Build the notebooks of these names, all by default; return the number of problems."""
    count = 0
    for source in sorted(SOURCES.glob("*.py")):
        if names and source.stem not in names:
            continue
        notebook = run(read_source(source))
        for problem in problems(notebook):
            count += 1
            print(f"{source.stem}: {problem}", file=sys.stderr)
        nbformat.write(notebook, NOTEBOOKS / f"{source.stem}.ipynb")
        print(f"{source.stem}: {len(nbformat.writes(notebook)):,} bytes")
    return count


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
