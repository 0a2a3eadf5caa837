"""What is on the pages of the manual: blocks of code, commands, and names of PhenViz that they use."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# pages that the hook of MkDocs makes of notebooks
MADE_PAGES = {f"tutorials/{path.stem}.md": path for path in NOTEBOOKS}
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", flags=re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    """Return a page's text; of a notebook that of its Markdown cells."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return path.read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> list[str]:
    """Return the blocks of code of a page in these languages."""
    return [block for _, language, block in _BLOCK.findall(text) if language in languages]


def without_blocks(text: str) -> str:
    """Return a page without blocks of code."""
    return _BLOCK.sub("", text)


def without_code(text: str) -> str:
    """Return a page without blocks and words of code."""
    return re.sub(r"`[^`\n]*`", "", without_blocks(text))


def commands(text: str) -> Iterator[list[str]]:
    """Give the words after ``phenviz`` of each command that a page's blocks show, without comments."""
    for block in blocks(text, "console", "bash"):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if shown := re.match(r"(?:\$ )?phenviz (.*)", line):
                yield shlex.split(shown[1], comments=True)


def navigation() -> list[str]:
    """Return the pages that the navigation names, in its order."""

    def pages(entries: list[Any]) -> Iterator[str]:
        for entry in entries:
            for place in entry.values():
                if isinstance(place, str):
                    yield place
                else:
                    yield from pages(place)

    return list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def resolve(path: str) -> Any:
    """Return what a dotted name stands for: a module, or what is in one."""
    words = path.split(".")
    for count in range(len(words), 0, -1):
        try:
            found = importlib.import_module(".".join(words[:count]))
        except ModuleNotFoundError:
            continue
        for word in words[count:]:
            found = getattr(found, word)
        return found
    raise ModuleNotFoundError(path)


def names_of_phenviz(code: str) -> set[str]:
    """Return the dotted names of PhenViz that code imports, and those that it reaches through a module."""
    tree = ast.parse(code)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.name: alias.name for alias in node.names if alias.name == "phenviz"}
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "phenviz":
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    found = set(known.values())
    for node in ast.walk(tree):
        words: list[str] = []
        while isinstance(node, ast.Attribute):
            words, node = [node.attr, *words], node.value
        if words and isinstance(node, ast.Name) and (node.id in known or node.id == "phenviz"):
            found.add(".".join([known.get(node.id, "phenviz"), *words]))
    return found
