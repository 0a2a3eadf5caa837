"""Tutorials in the manual: a page for each notebook, with what its cells have shown."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
_NOTE = """
!!! note "This page is a notebook"
    [Download it]({name}.ipynb){{: download}} and open it in Jupyter, or in a clone: `make notebooks`. Its
    cells made every figure and number below when `python scripts/build_notebooks.py` ran them.
"""
# a stylesheet that pandas writes before each of its tables
_STYLE = re.compile(r"<style scoped>.*?</style>\n?", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, its pictures, and the notebook itself."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, content in tutorial(path).items():
            files.append(File.generated(config, f"tutorials/{name}", content=content))
    return files


def tutorial(path: Path) -> dict[str, str | bytes]:
    """Return the files of a notebook's page: its text in Markdown, its pictures, and the notebook.

    Parameters
    ----------
    path
        A notebook with outputs.

    Returns
    -------
    dict
        Content by the file's name.
    """
    options = Config()
    options.ExtractOutputPreprocessor.output_filename_template = (
        path.stem + "_{cell_index}_{index}{extension}"
    )
    notebook = nbformat.read(path, as_version=4)
    text, resources = MarkdownExporter(config=options).from_notebook_node(notebook)
    title, _, rest = _STYLE.sub("", text).lstrip().partition("\n")
    page = title + "\n" + _NOTE.format(name=path.stem) + rest
    return {f"{path.stem}.md": page, f"{path.stem}.ipynb": path.read_bytes(), **resources["outputs"]}
