"""Modules that a run file may name: their files and what they define, found without executing any of them."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Literal

SHIPPED = Path(__file__).resolve().parents[2]
"""Where `evonas`, `objectives` and `spaces` are installed."""

LONGEST_NAME = 200

Owner = Literal["evonas", "user", "installed", "python"]


@dataclass(frozen=True)
class Module:
    """A module, found and not necessarily executed.

    Attributes:
        name: Its full name.
        file: Where it lies; None where it is built into Python.
        owner: Who wrote it: `evonas`, the user, who has it anywhere but among what is installed, or others.
    """

    name: str
    file: Path | None
    owner: Owner

    def binds(self, attribute: str) -> bool:
        """Return whether its text defines or imports `attribute`, True where the text does not tell."""
        names = None if self.file is None or self.file.suffix != ".py" else _names(self.file)
        return names is None or attribute in names.defined | names.imported

    def is_listed(self, attribute: str) -> bool:
        """Return whether it is offered as one that defines `attribute`: tests, and files that import it, are not."""
        if self.file is None or self.file.name == "conftest.py" or self.file.stem.startswith("test_"):
            return False
        names = _names(self.file)
        return names is None or attribute in names.defined

    def returns(self, function: str) -> str | None:
        """Return the return annotation of a function, from the text of the module.

        Returns:
            The annotation as it is written, empty where there is none; None where the text does not tell, because
            `function` is not defined here or more than once.
        """
        nodes = [] if self.file is None or self.file.suffix != ".py" else list(_statements(_parsed(self.file)))
        found = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == function]
        if len(found) != 1 or found[0].decorator_list:
            return None
        written = found[0].returns
        if written is None:
            return ""
        if isinstance(written, ast.Constant) and isinstance(written.value, str):
            return written.value
        return ast.unparse(written)

    def imported(self) -> ModuleType:
        """Return the module, executed unless it was before. `sys.path` is left as it is.

        Raises:
            Exception: Whatever executing it raises.
        """
        known = sys.modules.get(self.name)
        if known is not None and (self.file is None or _same(getattr(known, "__file__", None), self.file)):
            return known
        _WorkingDirectory.install(is_needed=self.owner == "user")
        spec = None if self.file is None else importlib.util.spec_from_file_location(self.name, self.file)
        if spec is None or spec.loader is None or not self.name.startswith(("objectives.", "spaces.")):
            return importlib.import_module(self.name)
        module = importlib.util.module_from_spec(spec)  # from this very file, whatever `sys.path` would find first
        sys.modules[self.name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[self.name]
            raise
        return module


def is_name(text: str) -> bool:
    """Return whether a text can name a module: identifiers with dots between them, no paths."""
    return len(text) <= LONGEST_NAME and all(part.isidentifier() for part in text.split("."))


def in_folder(name: str, *, folder: str, trusted: bool) -> Module | None:
    """Return the module `name` of an import package, None where there is none.

    Args:
        name: A name, or several with dots between them.
        folder: The package, such as `"spaces"`.
        trusted: Whether files of the user count: of the working directory first, then along `sys.path`. Without, only
            what evonas ships is found.
    """
    if not is_name(name):
        return None
    for place in _places(folder, trusted=trusted):
        file = place.joinpath(*name.split(".")).with_suffix(".py")
        if file.is_file():
            return Module(f"{folder}.{name}", file, _owner(file))
    return None


def by_full_name(name: str) -> Module | None:
    """Return the module of that full name, None if it is missing; neither it nor its packages are executed."""
    spec: ModuleSpec | None = None
    search: Sequence[str] | None = None
    parts = name.split(".")
    if parts[0] in sys.stdlib_module_names:
        return Module(name, None, "python")
    for count in range(1, len(parts) + 1):
        full = ".".join(parts[:count])
        known = sys.modules.get(full)
        if known is not None:
            spec, search = known.__spec__, getattr(known, "__path__", None)
            file = getattr(known, "__file__", None)
            if count == len(parts):
                return Module(
                    name, None if file is None else Path(file), "user" if file is None else _owner(Path(file))
                )
            continue
        spec = _spec(full, search)
        if spec is None:
            return None
        search = spec.submodule_search_locations
        if search is None and count < len(parts):
            return None
    if spec is None or spec.origin is None or not spec.has_location:
        return None  # a folder without files of Python defines nothing
    return Module(name, Path(spec.origin), _owner(Path(spec.origin)))


def names_in(folder: str, *, attribute: str, trusted: bool) -> list[str]:
    """Return the names of the modules of an import package that define `attribute`, sorted.

    Args:
        folder: The package, such as `"spaces"`.
        attribute: What a module has to define.
        trusted: As in `in_folder`.
    """
    found: dict[str, Module] = {}
    for place in _places(folder, trusted=trusted):
        for file in place.glob("*.py") if place.is_dir() else ():
            found.setdefault(file.stem, Module(f"{folder}.{file.stem}", file, _owner(file)))
    return sorted(name for name, module in found.items() if name.isidentifier() and module.is_listed(attribute))


def forget_working_directory() -> None:
    """Remove the working directory, which `python -m` adds, from `sys.path`: a reader executes nothing in it."""
    here = os.getcwd()
    sys.path[:] = [place for place in sys.path if Path(place or here).absolute() != Path(here) or place == str(SHIPPED)]


def in_the_way(folder: str) -> Path | None:
    """Return the file of the working directory that hides the import package `folder`, None where none does."""
    file = Path.cwd() / f"{folder}.py"
    return file if file.is_file() else None


def _places(folder: str, *, trusted: bool) -> Iterator[Path]:
    """Yield the folders in which modules of an import package may lie, the first ones first."""
    shipped = SHIPPED.joinpath(*folder.split("."))
    if trusted and "." not in folder:
        yield from dict.fromkeys(Path(place or os.curdir).absolute() / folder for place in (os.getcwd(), *sys.path))
    yield shipped


def _spec(full: str, search: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(full, search)
        if spec is not None:
            return spec
    return PathFinder.find_spec(full, [os.getcwd()] if search is None else search)


def _owner(file: Path) -> Owner:
    file = file.absolute()
    if any(file.is_relative_to(SHIPPED / name) for name in ("evonas", "objectives", "spaces")):
        return "evonas"
    if {"site-packages", "dist-packages"} & set(file.parts):
        return "installed"
    library = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return "python" if any(file.is_relative_to(place) for place in library if place) else "user"


def owner_of_code(file: str) -> Owner:
    """Return who wrote a piece of code, by the name of the file that it was compiled from."""
    return _owner(Path(file)) if Path(file).is_file() else "python" if file.startswith("<frozen") else "user"


def _same(file: str | None, other: Path) -> bool:
    return file is not None and Path(file).absolute() == other.absolute()


@dataclass(frozen=True)
class _Names:
    """The names that a module binds at its top level."""

    defined: frozenset[str]
    imported: frozenset[str]


def _names(file: Path) -> _Names | None:
    """Return the names that a file binds at its top level, None where its text does not tell."""
    defined: set[str] = set()
    imported: set[str] = set()
    body = _parsed(file)
    for node in _statements(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        else:
            stored = (one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
            defined |= {one.id for one in stored}
    is_open = not body or "*" in imported or "__getattr__" in defined
    return None if is_open else _Names(frozenset(defined), frozenset(imported))


def _parsed(file: Path) -> list[ast.stmt]:
    """Return the statements of a file, none where it cannot be parsed; importing it then raises the reason."""
    try:
        return ast.parse(file.read_bytes()).body
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return []


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those within `if`, `try`, `with` and loops as well."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody", "handlers"):
                inner = getattr(node, field, [])
                yield from _statements([one for one in inner if isinstance(one, ast.stmt)])
                for handler in (one for one in inner if isinstance(one, ast.ExceptHandler)):
                    yield from _statements(handler.body)


class _WorkingDirectory:
    """Finds modules of the working directory, after all other finders.

    A user's module may import another of the same folder at any time, inside of its functions too. With the folder in
    `sys.path`, a file such as `queue.py` in it would hide Python's own.
    """

    @classmethod
    def install(cls, *, is_needed: bool) -> None:
        """Append this finder to those of Python, once."""
        if is_needed and not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.append(cls())

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module of the working directory lies, None where there is none."""
        try:
            here = os.getcwd()
        except OSError:
            return None
        parents = name.split(".")[:-1]
        if not parents:
            return PathFinder.find_spec(name, [here], target)
        return PathFinder.find_spec(name, [os.path.join(here, *parents)], target) if path is not None else None
