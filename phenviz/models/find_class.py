"""Find the torch class that a project names: beside its ``project.yaml``, or in an installed package."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from phenviz.data.project_backbone import BACKBONE_GROUP
from phenviz.errors import ModelError

_IMPORTING = threading.Lock()


def find_class(name: str, folder: Path | None = None) -> tuple[Callable[..., Any], str]:
    """Import the class (or the function that makes a model) that ``module:Name`` stands for.

    Parameters
    ----------
    name
        ``mymodel:MyNet``, or ``package.module:Outer.make``.
    folder
        Where a module is looked for before the installed ones; None for these only. A module of this folder
        is read anew each time, may import others that lie beside it, and doesn't get in the way of one that
        is called alike in another folder.

    Returns
    -------
    tuple
        What was found, and the SHA-256 of the code that it comes with: all Python files of its package, or
        those of the folder that were imported.

    Raises
    ------
    ModelError
        If there is no such module, it can't be imported, or it has no such class.
    """
    module_name, _, attribute = name.partition(":")
    path = None if folder is None else _file_in(folder, module_name)
    if path is not None and folder is not None:
        with _IMPORTING, _searched_first(folder) as package:
            module = _import(f"{package}.{module_name}", module_name, path)
            code = _hash(_imported_from(folder))
    else:
        with _IMPORTING:
            module = _import(module_name, module_name, None, folder)
        code = _hash(_files_of(module_name))
    return _attribute_of(module, attribute, module_name), code


def find_published(kind: str) -> tuple[Callable[..., Any], str]:
    """Import what a package publishes under a name of the entry point group ``phenviz.backbones``.

    Raises
    ------
    ModelError
        If no installed package does so, or what it names can't be imported.
    """
    for point in entry_points(group=BACKBONE_GROUP, name=kind):
        try:
            return find_class(point.value)
        except ModelError as error:
            owner = f" of {point.dist.name}" if point.dist else ""
            raise ModelError(f"backbone {kind!r}{owner}: {error}") from error
    raise ModelError(f"no installed package publishes a backbone {kind!r}: install the one that does")


def _file_in(folder: Path, module: str) -> Path | None:
    stem = folder.joinpath(*module.split("."))
    found = (path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file())
    return next(found, None)


@contextmanager
def _searched_first(folder: Path) -> Iterator[str]:
    """Make a folder's modules importable, under a package of its own that this yields the name of."""
    folder = folder.resolve()
    package = f"_project_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    for known in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[known]
    # no folder is written to for having been read, and no old byte code is taken for a new file
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    holder = ModuleType(package)
    holder.__path__ = [str(folder)]
    sys.modules[package] = holder
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield package
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = writes
        # `import layers` of one project must not be found by another one
        for name in set(sys.modules) - before:
            if not name.startswith(package) and _lies_in(sys.modules[name], folder):
                del sys.modules[name]


def _import(name: str, shown: str, path: Path | None, folder: Path | None = None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # the module itself, or a package that it lies in; not one that it imports
        if path is None and (shown == error.name or shown.startswith(f"{error.name}.")):
            beside = "" if folder is None else f"there is no {shown.replace('.', '/')}.py in {folder}, and "
            raise ModelError(
                f"module {shown!r} wasn't found: {beside}no installed package is called so; put the file "
                "beside the project.yaml, or install the package"
            ) from error
        raise ModelError(
            f"module {shown!r} needs {error.name!r}, which isn't installed{_place(error, path)}: install it"
        ) from error
    # whatever a module of somebody else's raises while it is read is the cause to name
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(f"module {shown!r} can't be imported{_place(error, path)}: {what}") from error


def _place(error: BaseException, path: Path | None) -> str:
    """Say in which line of which file an exception came up; the module's own file where it is known."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if path is not None and Path(frame.filename) == path.resolve()]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else f" ({path})" if path else ""


def _attribute_of(module: ModuleType, attribute: str, module_name: str) -> Callable[..., Any]:
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if callable(found):
        return found
    made = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    ]
    near = difflib.get_close_matches(attribute, made, n=1, cutoff=0.4)
    fix = f"did you mean {near[0]}?" if near else f"it has {', '.join(made) or 'no torch module'}"
    problem = "has no" if found is None else "has no class or function, but a value,"
    raise ModelError(f"module {module_name!r} ({module.__file__}) {problem} {attribute!r}: {fix}")


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and folder in Path(file).resolve().parents


def _imported_from(folder: Path) -> list[Path]:
    folder = folder.resolve()
    return [Path(str(module.__file__)) for module in list(sys.modules.values()) if _lies_in(module, folder)]


def _files_of(module: str) -> list[Path]:
    """Return all Python files of an installed package, or the one of a module that is in none."""
    top = sys.modules[module.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]
    own = [Path(top.__file__)] if top.__file__ else []
    return [path for folder in folders for path in folder.rglob("*.py")] or own


def _hash(files: list[Path]) -> str:
    hashes = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in set(files) if path.is_file())
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
