"""What the manual says can be done, held against the real commands, names, controls and numbers."""

from __future__ import annotations

import re
import types
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import phenviz
from phenviz.cli import main
from phenviz.data import manifests
from phenviz.variation import unique_haplotypes
from tests.manual_pages import (
    DOCS,
    NOTEBOOKS,
    PAGES,
    ROOT,
    blocks,
    commands,
    names_of_phenviz,
    resolve,
    text_of,
    without_code,
)

READ = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
# about how PhenViz is extended: names from inside it
INSIDE = {"extend.md", "architecture.md"}
COMMANDS = sorted(
    {(path.name, *words) for path in READ for words in commands(path.read_text(encoding="utf-8"))}
)
# cheap ones, which are run and not only read; each stands on at least one page
RUN = (
    "--version",
    "data list",
    "cohort cost --people 150000 --genes 448 --workers 40",
    "mutagenesis chr20:42,984,160-42,984,444 --context Mono -o promoter.parquet",
    "attribute chr20:1,600,000-1,602,000 --context Mono -o why.nc",
    "ablate chr20:1,600,901-1,600,950 -o ablated.parquet",
    "personal --sample HG00096 --locus SIRPB1 -o hg00096.fa",
    "personal --sample HG00096 --gene CDC25B -o hg00096.tsv",
)


@pytest.fixture
def any_path(tmp_path, monkeypatch):
    """Take whatever file a command names for one that is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(click.Path, "convert", lambda self, value, parameter, context: Path(value))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:60])
def test_every_command_of_the_manual_is_understood(command, any_path):
    words = [re.sub(r"\$\w+", "7", word) for word in command[1:]]
    current = main
    try:
        context = main.make_context("phenviz", list(words))
        while isinstance(current, click.Group):
            rest = [*context._protected_args, *context.args]
            if not rest:
                break
            name, current, rest = current.resolve_command(context, rest)
            context = current.make_context(name, rest, parent=context)
    except click.exceptions.Exit:
        assert "--version" in words or "--help" in words
    except click.ClickException as error:
        pytest.fail(error.format_message())


@pytest.mark.parametrize("command", RUN)
def test_cheap_commands_of_the_manual_do_what_they_say(command, tmp_path, monkeypatch):
    shown = {" ".join(words[1:]) for words in COMMANDS}
    assert command in shown
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, command.split())
    assert done.exit_code == 0, done.output
    if " -o " in command:
        assert (tmp_path / command.rpartition(" ")[2]).is_file()


def test_every_option_that_the_text_names_is_one_of_some_command():
    def options(command):
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        for below in getattr(command, "commands", {}).values():
            yield from options(below)

    known = {*options(main), "--help"}
    # those of other programs, and of our own scripts
    theirs = {
        *("--find-links", "--glm", "--no-index", "--nthreads"),
        *(
            "--choose",
            "--eqtl",
            "--only",
            "--folder",
            "--quick",
            "--repeats",
            "--seeds",
            "--without-model",
            "--write",
        ),
    }
    for path in READ:
        named = set(
            re.findall(
                r"(?<![\w/])--[a-z][a-z-]+", "\n".join(re.findall(r"`[^`\n]+`", path.read_text("utf-8")))
            )
        )
        assert named - known - theirs == set(), path.name


@pytest.mark.parametrize("path", READ, ids=lambda path: path.name)
def test_python_of_the_manual_imports_what_there_is(path):
    for code in blocks(path.read_text(encoding="utf-8"), "python"):
        for name in names_of_phenviz(code):
            # extend.md makes the modules that it imports later
            if path.name not in INSIDE:
                resolve(name)


def test_code_that_stands_by_itself_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code in blocks((DOCS / "coordinates.md").read_text(encoding="utf-8"), "python"):
        exec(code, {})


def test_the_pages_on_python_hold_every_name_that_manual_and_tutorials_use():
    shown = {
        name for path in PAGES for name in re.findall(r"^::: ([\w.]+)", path.read_text("utf-8"), re.MULTILINE)
    }
    described = {id(resolve(name)) for name in shown}
    code = [(path.name, path.read_text("utf-8")) for path in (ROOT / "notebooks" / "src").glob("*.py")]
    for path in READ:
        if path.name not in INSIDE:
            code += [(path.name, block) for block in blocks(path.read_text("utf-8"), "python")]
    used = {f"phenviz.{name}" for name in phenviz.__all__ if name != "__version__"}
    for _, block in code:
        used |= names_of_phenviz(block)
    missing = set()
    for name in used:
        words = name.split(".")
        # what is described is a class or function; its methods are with it
        for count in range(1, len(words) + 1):
            found = resolve(".".join(words[:count]))
            if not isinstance(found, types.ModuleType):
                break
        if not isinstance(found, types.ModuleType) and id(found) not in described:
            missing.add(".".join(words[:count]))
    assert missing - {"phenviz.__version__"} == set()


def test_names_of_controls_are_those_on_the_screen():
    screen = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("app", "tracks")
        for path in (ROOT / "phenviz" / folder).rglob("*")
        if path.suffix in (".py", ".js")
    )
    named = re.findall(r"\*\*([^*]+)\*\*", (DOCS / "dashboard.md").read_text(encoding="utf-8"))
    headings = {"bold", "one variant", "On the right", "Above the tracks.", "Below the tracks."}
    headings |= {"Left.", "Right.", "Tracks.", "Below.", "Plots."}
    assert [name for name in named if name not in headings and name not in screen] == []


ADDRESSES = re.compile(r"https?://[^\s)>\]\"'`]+")


@pytest.mark.parametrize("path", [*READ, *NOTEBOOKS], ids=lambda path: path.name)
def test_addresses_look_like_addresses(path):
    for address in ADDRESSES.findall(without_code(text_of(path))):
        assert re.fullmatch(
            r"https?://(localhost|[\w-]+(\.[\w-]+)+)(:\d+)?(/[\w./#?=&%+~-]*)?", address.rstrip(".,:")
        ), address


@pytest.mark.parametrize("path", [*READ, *NOTEBOOKS], ids=lambda path: path.name)
def test_every_picture_has_words_for_those_who_dont_see_it(path):
    for words in re.findall(r"!\[([^\]]*)\]\(", without_code(text_of(path))):
        assert len(words) > 10


def test_numbers_of_the_embedded_world_are_right():
    world = phenviz.open_world()
    readme, data = (ROOT / "README.md").read_text("utf-8"), (DOCS / "data.md").read_text("utf-8")
    assert f"a\nmodel of {len(world.contexts)} contexts" in readme
    assert f"{len(world.annotation.genes)} protein-coding genes" in data
    assert f"{len(world.annotation.elements):,} regulatory elements" in data
    assert f"{len(world.individuals)} phased individuals" in data
    assert f"sees {world.backbone.receptive_field:,} bases" in (DOCS / "limits.md").read_text("utf-8")
    # benchmarks say in each section which model they are of
    for path in set(PAGES) - {DOCS / "benchmarks.md"}:
        # the model before this one had sixteen; where it was measured, it is named
        for line in path.read_text("utf-8").splitlines():
            if re.search(r"\b16 contexts", line):
                assert re.search("blood16|in 16 contexts|expression|its own sites", line), (
                    f"{path.name}: {line}"
                )


def test_as_many_haplotypes_differ_as_the_page_says():
    world = phenviz.open_world()
    for length, count in ((6_000, 42), (49_000, 239)):
        locus = phenviz.Locus("20", 2_000_000, 2_000_000 + length)
        assert len(unique_haplotypes(world.individuals, locus).haplotypes) == count
        assert f"{count} " in (DOCS / "variants.md").read_text("utf-8")


def test_sizes_of_data_packs_are_those_of_their_manifests():
    told = {}
    for line in (DOCS / "data.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            names, sizes = re.findall(r"`([^`]+)`", cells[0]), cells[2].split(", ")
            told |= dict(zip(names, sizes if len(sizes) == len(names) else sizes * len(names), strict=True))
    for pack in manifests.list_packs():
        size = sum(file.size or file.about for file in pack.files) / 1e6
        stated = float(told.pop(pack.name).replace(",", ""))
        assert abs(stated - size) <= max(0.06, 0.01 * size), (pack.name, stated, size)
    assert not told


def test_the_whole_genome_page_has_the_sizes_of_the_manifests():
    text = (DOCS / "whole_genome.md").read_text(encoding="utf-8")
    sizes = {
        pack.name: sum(file.size or file.about for file in pack.files) / 1e6
        for pack in manifests.list_packs()
    }
    for names, column in re.findall(r"^\| (.*?`.*?) \| ([\d.,; ]+) \|", text, flags=re.MULTILINE):
        named = [name for name in re.findall(r"`([\w-]+)`", names) if name in sizes]
        stated = [float(number.replace(",", "")) for number in column.split("; ")]
        assert named and stated == pytest.approx([sizes[name] for name in named], rel=0.02, abs=0.06)


def test_how_fast_it_is_says_what_the_benchmarks_measured():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    results = (ROOT / "benchmarks" / "results.md").read_text(encoding="utf-8")
    numbers = {float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e[+-]\d+)?", results)} - {0.0}
    # a share of 0.104 is "9.6x"
    measured = numbers | {1 / number for number in numbers if number < 1}
    section = readme.split("## How fast it is")[1].split("\n## ")[0]
    for ratio in re.findall(r"([\d.,]+)x\b", section):
        number = float(ratio.replace(",", ""))
        assert any(abs(found - number) <= 0.006 * number for found in measured), ratio
