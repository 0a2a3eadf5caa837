"""Rules of the house that no single room can hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from phenviz.data import manifests
from phenviz.data.embedded import EMBEDDED_DIR

ROOT = Path(__file__).resolve().parent.parent
_CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
_HEAVY = {
    "bokeh", "captum", "h5py", "holoviews", "matplotlib", "numpy", "panel", "pandas", "pgenlib",
    "pyarrow", "pyfaidx", "pyranges", "pysam", "requests", "scipy", "sklearn", "torch", "tqdm",
    "xarray", "yaml", "zarr",
}  # fmt: skip
_LARGEST_FILE = 5_000_000
# the sequence itself
_MAY_BE_LARGER = {"phenviz/data/embedded/GRCh37.chr20.fa.gz"}


def _pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _split(requirement):
    name = re.match(r"[A-Za-z0-9._-]+", requirement).group()
    return name.lower(), requirement.removeprefix(name).replace(" ", "")


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"], ["data", "fetch", "--help"]])
def test_help_loads_no_heavy_library(arguments):
    code = (
        "import sys\n"
        "from phenviz.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(shown[shown.index("LOADED") :].split())
    assert "click" in loaded
    assert loaded & _HEAVY == set()


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, phenviz; print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(shown.split()) & _HEAVY == set()


@pytest.mark.parametrize(
    "name", ["results.save", "attribution.ablate", "effects.score_variants", "genome.Locus"]
)
def test_rooms_are_there_as_soon_as_the_package_is_imported(name):
    code = f"import phenviz; print({name.partition('.')[0]!r} in dir(phenviz), callable(phenviz.{name}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["True", "True"]


def test_rooms_import_downwards_only():
    command = Path(sys.executable).with_name("lint-imports")
    linted = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout


def test_conda_environment_is_in_step_with_pyproject():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    listed = dict(_split(entry) for entry in (*entries, *from_pip) if isinstance(entry, str))
    project = _pyproject()["project"]
    wanted = {_CONDA_NAMES.get(name, name): spec for name, spec in map(_split, project["dependencies"])}
    assert listed.pop("python") == project["requires-python"]
    assert listed.pop("pip") == ""
    assert [entry for entry in from_pip if entry.startswith("-e")] == ["-e ."]
    listed = {name: spec for name, spec in listed.items() if not name.startswith("-e")}
    assert listed == wanted


def test_constraints_pin_every_direct_dependency_that_tests_need():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines), "plain pins only"
    pinned = {_normal(line.partition("==")[0]) for line in lines}
    project = _pyproject()["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["docs"], *extras["bench"]]
    names = {_normal(_split(requirement.split("[")[0])[0]) for requirement in wanted}
    assert names - pinned == set()


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_file_is_larger_than_it_may_be():
    large = {name for name in _tracked() if (ROOT / name).stat().st_size > _LARGEST_FILE}
    assert large <= _MAY_BE_LARGER


def test_the_embedded_world_and_its_weights_stay_small():
    files = [path for path in EMBEDDED_DIR.rglob("*") if path.is_file()]
    weights = [path for path in files if path.parent.name == "weights"]
    assert sum(path.stat().st_size for path in files) <= 30_000_000
    assert sum(path.stat().st_size for path in weights) <= 5_000_000


def test_every_embedded_file_stands_in_the_manifest_with_source_and_licence():
    manifest = manifests.embedded_manifest()
    here = {path.relative_to(EMBEDDED_DIR).as_posix() for path in EMBEDDED_DIR.rglob("*") if path.is_file()}
    assert {file.name for file in manifest.files} == here
    assert all(file.source and file.licence and file.description for file in manifest.files)
    notice = (ROOT / "NOTICE").read_text()
    for name in here:
        root = name.split("/")[0]
        assert root in notice or root.removesuffix(".fai").removesuffix(".gzi").removesuffix(".csi") in notice


def test_the_folder_of_manifests_is_the_one_in_the_package():
    assert (ROOT / "data_manifests").resolve() == manifests.MANIFEST_DIR


def test_version_is_that_of_the_installed_package_and_made_of_git_tags():
    from importlib.metadata import version

    import phenviz

    assert phenviz.__version__ == version("phenviz")
    assert "version" not in _pyproject()["project"] and _pyproject()["project"]["dynamic"] == ["version"]
    assert _pyproject()["tool"]["setuptools_scm"]["fallback_version"]


def test_a_source_tree_that_was_never_installed_says_so(monkeypatch):
    from importlib import metadata

    import phenviz

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert phenviz.__version__ == "unknown"


def test_no_class_name_means_two_things():
    where = {}
    for path in sorted(path for path in (ROOT / "phenviz").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(path.relative_to(ROOT / "phenviz").parts[0])
    # a logo on paper and one on screen are the same thing
    twice = {
        name: rooms for name, rooms in where.items() if len(rooms) > 1 and rooms != ["figures", "tracks"]
    }
    assert {name for name in twice if not name.startswith("_")} == set()


def test_tests_with_a_browser_or_a_notebook_lie_where_make_runs_them():
    tests = [name for name in _tracked() if name.startswith("tests/") and name.endswith(".py")]
    marked = [name for name in tests if re.search(r"mark\.(ui|notebook)\b", (ROOT / name).read_text())]
    assert marked and all(name.startswith(("tests/ui/", "tests/notebooks/")) for name in marked)
    assert "tests/ui tests/notebooks" in (ROOT / "Makefile").read_text()


def test_no_path_of_a_machine_is_in_a_tracked_file():
    text = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w")
    found = []
    for name in _tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content and not name.endswith((".meme", ".gz")) and text.search(content.decode()):
            found.append(name)
    assert [name for name in found if name not in ("tests/test_house.py", ".gitignore")] == []
