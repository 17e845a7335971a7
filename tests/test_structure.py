"""The order of imports and the doors of foreign libraries, as they are written down in the README."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = [
    {"errors", "durable"},
    {"space"},
    {"trained", "search_settings", "measurement", "job", "evaluation", "returned", "objective", "refusal"},
    {"view"},
    {"pareto"},
    {"pareto_front", "exit_codes", "ladder", "snn", "data", "strategies"},
    {
        "archive",
        "archive_file",
        "archive_table",
        "journal",
        "record",
        "header",
        "stored",
        "results",
        "evaluate",
        "bilevel",
        "relaxation",
        "bilevel_searcher",
        "workers",
        "search",
        "training_cost",
        "job_evaluator",
    },
    {"ray_workers", "lookup", "runfile", "progress", "pick"},
    {"hardware", "resolved_strategies"},
    {"resolved_run"},
    {"question", "session", "dry_run", "chip"},
    {"bill", "resolved_sweep", "likeness"},
    {"report", "page", "sweep_table"},
    {"run", "front", "sweep", "profiles"},
    {"__main__", "__init__"},
]
"""Modules import from their own line and those above."""

DOORS = {
    "ray": {"evonas/ray_workers.py"},
    "h5py": {"evonas/archive_file.py", "evonas/archive_table.py"},
    "pymoo": {"evonas/strategies/evolution.py", "evonas/strategies/mating.py", "evonas/pareto.py"},
    "moocore": {"evonas/pareto.py"},
    "norse": {"evonas/snn"},
    "torch": {"evonas/snn", "evonas/evaluate.py", "evonas/bilevel.py", "evonas/bilevel_searcher.py"},
    "sklearn": {"evonas/data"},
    "scipy": {"evonas/strategies/forecast.py", "evonas/likeness.py"},
    "pydantic": {"evonas/runfile.py", "evonas/resolved_run.py"},
    "plotly": {"evonas/page.py"},
    "torchvision": set(),
}
"""Where a foreign library may be imported."""

FILES = sorted(path for folder in ("evonas", "spaces", "objectives") for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(name: str) -> int:
    return next(index for index, modules in enumerate(LAYERS) if name in modules)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    relative = path.relative_to(ROOT)
    for name in imported(path):
        parts = name.split(".")
        if relative.parts[0] == "evonas":
            assert parts[0] not in ("spaces", "objectives"), f"{relative} imports {name}: it is loaded by name"
        if relative.parts[0] == "evonas" and parts[0] == "evonas" and len(parts) > 1 and parts[1].islower():
            if path.name == "__init__.py" and relative.parts[1] == "__init__.py":
                continue
            if not any(parts[1] in modules for modules in LAYERS):
                continue  # a name of the package itself
            own = relative.parts[1].removesuffix(".py")
            assert layer(parts[1]) <= layer(own), f"{relative} imports {name} from a later layer"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_foreign_library_is_imported_at_its_doors_only(path: Path) -> None:
    relative = path.relative_to(ROOT)
    for name in imported(path):
        doors = DOORS.get(name.split(".")[0])
        if doors is not None:
            allowed = any(str(relative) == door or door in map(str, relative.parents) for door in doors)
            allowed = allowed or (relative.parts[0] == "spaces" and name.split(".")[0] == "torch")
            assert allowed, f"{relative} imports {name}"


def test_every_module_has_its_place_in_the_layers() -> None:
    known = set().union(*LAYERS)
    modules = {
        path.relative_to(ROOT).parts[1].removesuffix(".py")
        for path in FILES
        if path.parts[-2:] and path.is_relative_to(ROOT / "evonas")
    }
    assert modules <= known, f"without a place: {sorted(modules - known)}"


@pytest.mark.parametrize("module", ["evonas", "evonas.front", "evonas.run", "evonas.sweep", "evonas.profiles"])
def test_the_engine_and_the_doors_start_without_torch_and_ray(module: str) -> None:
    code = f"import sys, {module}; print([n for n in ('torch', 'ray', 'norse') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    import evonas

    assert [name for name in evonas.__all__ if not hasattr(evonas, name)] == []
    assert evonas.__all__ == sorted(evonas.__all__)
