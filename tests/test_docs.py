"""The manual: every page is reached, every link leads somewhere, every picture says where it comes from."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manual_pages import (
    DOCS,
    MADE_PAGES,
    NOTEBOOKS,
    PAGES,
    ROOT,
    navigation,
    text_of,
    without_blocks,
    without_code,
)

MADE = [
    *(path for path in DOCS.rglob("*") if path.suffix in (".png", ".svg")),
    *(DOCS / "evaluation").glob("*.tsv"),
]


def links(path):
    return re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(path)))


def anchors(path):
    """Return the anchors of a page's headings, as MkDocs makes them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(text_of(path)), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


def rows():
    for line in (DOCS / "pictures.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            yield re.findall(r"`([^`]+)`", cells[0]), cells[2].strip("`")


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page():
    named = navigation()
    assert len(named) == len(set(named))
    assert set(named) == {path.relative_to(DOCS).as_posix() for path in PAGES} | set(MADE_PAGES)


@pytest.mark.parametrize(
    "path",
    [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *NOTEBOOKS],
    ids=lambda path: path.name,
)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(path):
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if path.parent == DOCS and name in MADE_PAGES:
            target = MADE_PAGES[name]
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_every_picture_and_table_says_what_makes_it(path):
    name = path.relative_to(DOCS).as_posix()
    commands = [command for names, command in rows() if name in names]
    assert len(commands) == 1, "one row of docs/pictures.md names it"
    words = commands[0].split()
    source = Path(words[1]) if words[1] != "-m" else Path(*words[2].split("."))
    sources = [ROOT / source] if source.suffix else [ROOT / source.with_suffix(".py")]
    if (ROOT / source).is_dir():
        sources = list((ROOT / source).glob("*.py"))
    # the name is written out there, or made of its words
    stem = path.stem.split("_")
    texts = [found.read_text(encoding="utf-8") for found in sources]
    assert any(path.stem in text or all(word in text for word in stem) for text in texts)


def test_the_table_of_pictures_names_no_file_that_isnt_there():
    named = {name for names, _ in rows() for name in names}
    assert named == {path.relative_to(DOCS).as_posix() for path in MADE}


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_every_picture_is_shown_or_described(path):
    texts = [page.read_text(encoding="utf-8") for page in (*PAGES, ROOT / "README.md")]
    assert any(path.name in text for text in texts)


def test_the_files_on_the_way_of_a_locus_are_there_and_are_as_many_as_it_says():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## The way of a locus")[1].split("\n## ")[0]
    files = re.findall(r"^\| \d+ \| `([\w/.]+)` \|", section, flags=re.MULTILINE)
    assert len(files) == 15 and "Fifteen files" in section
    assert [name for name in re.findall(r"`(phenviz/[\w/]+\.py)`", text) if not (ROOT / name).is_file()] == []


def test_the_picture_of_the_rooms_is_what_its_script_draws_and_holds_every_room():
    from scripts.draw_architecture import PICTURE, ROWS, draw

    assert PICTURE.read_text(encoding="utf-8") == draw()
    drawn = {name for _, rooms in ROWS for name, _ in rooms}
    rooms = {path.name for path in (ROOT / "phenviz").iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= drawn and drawn - rooms == {"notebooks"}


def test_the_site_is_built_without_a_warning_and_holds_every_page(tmp_path):
    for package in ("mkdocs", "mkdocstrings", "nbconvert"):
        pytest.importorskip(package, reason="the extra phenviz[docs] isn't installed")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and not done.stderr, done.stderr
    for page in navigation():
        place = tmp_path / page.removesuffix(".md") / "index.html"
        assert (tmp_path / "index.html" if page == "index.md" else place).is_file()
