"""The walls of the house: what each wing may import, where each foreign library has its door, and no circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

VALUES = {
    "errors",
    "options",
    "variables",
    "real_variables",
    "genotype",
    "narrowing",
    "input_shape",
    "rule",
    "space",
    "objective",
    "robustness",
    "measurement",
    "task",
    "expected_counts",
    "weight_sharing",
}
"""Modules at the top of `evonas` that everybody may import."""

WINGS = {
    "architecture": VALUES,
    "data": VALUES | {"tasks"},
    "engine": VALUES,
    "tasks": VALUES,
    "strategies": VALUES | {"engine"},
    "archive": VALUES | {"engine"},
    "snn": VALUES | {"architecture"},
    "scores": VALUES | {"architecture", "snn"},
    "chips": VALUES | {"architecture"},
    "training": VALUES | {"architecture", "snn", "scores", "data", "engine", "archive.atomic_file"},
    "runfile": VALUES | {"engine", "strategies", "training", "scores", "chips", "data"},
    "report": VALUES
    | {"engine", "archive", "architecture", "chips", "runfile", "strategies.multi_target", "training.weights"},
    "export": VALUES | {"architecture", "snn", "engine", "archive.atomic_file", "runfile", "report", "cli"},
    "final": VALUES
    | {"engine", "archive.atomic_file", "snn", "data", "training", "runfile", "report", "cli.session_log"},
    "cli": VALUES | {"engine", "archive", "runfile", "report.escaping"},
    "doors": VALUES
    | {
        "engine",
        "strategies",
        "archive",
        "chips",
        "runfile",
        "report",
        "cli",
        "doors",
        "export.__main__",
        "final.session",
    },
    "objectives": VALUES | {"architecture", "chips", "tasks"},
    "spaces": VALUES | {"architecture", "snn", "spaces"},
}
"""What each wing may import beside itself: wings, or single modules of them."""

DOORS = {
    "ray": {"evonas/engine/ray_workers.py", "evonas/engine/ray_cluster.py", "evonas/engine/ray_actor.py",
            "evonas/final/tune.py"},
    "h5py": {"evonas/archive/hdf5_file.py", "evonas/archive/hdf5_table.py", "evonas/archive/proxy_table.py", "evonas/archive/measured_columns.py", "evonas/archive/sealed_file.py",
             "evonas/data/formats/hdf5_child.py"},
    "pymoo": {"evonas/engine/pareto.py", "evonas/strategies"},
    "moocore": {"evonas/engine/pareto.py"},
    "norse": {"evonas/snn", "evonas/export/targets.py"},
    "torch": {"evonas/snn", "evonas/scores", "evonas/training", "evonas/tasks", "evonas/export", "evonas/final", "evonas/runfile/retraining.py", "spaces"},
    "sklearn": {"evonas/data"},
    "PIL": {"evonas/data/formats/image_file.py"},
    "scipy": {"evonas/strategies/gaussian_process.py", "evonas/report/rank_correlation.py", "evonas/report/spread.py", "evonas/data/stmnist.py"},
    "pydantic": {"evonas/runfile"},
    "matplotlib": {"evonas/report/drawings.py", "evonas/report/figures.py"},
    "typer": {"evonas/cli", "evonas/run.py", "evonas/front.py", "evonas/sweep.py", "evonas/profiles.py",
              "evonas/train.py", "evonas/__main__.py", "evonas/export/__main__.py"},
    "tensorboardX": {"evonas/final/events.py"},
    "rich": {"evonas/cli", "evonas/report", "evonas/final/session.py", "evonas/run.py", "evonas/front.py", "evonas/sweep.py",
             "evonas/profiles.py"},
    "lz4": {"evonas/data/aedat4.py"},
    "tonic": {"evonas/data/tonic.py"},
    "safetensors": {"evonas/training/weights.py"},
    "nir": {"evonas/export"},
    "snntorch": {"evonas/export/targets.py"},
    "snn_mlir": {"evonas/export/targets.py"},
    "spikingjelly": {"evonas/export/targets.py"},
    "onnx": {"evonas/export/onnx_model.py"},
    "onnxruntime": {"evonas/export/onnx_model.py"},
    "torchvision": set(),
}  # fmt: skip
"""Where a foreign library may be imported: files, and folders with all that is in them."""

FILES = sorted(path for folder in ("evonas", "spaces", "objectives") for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in FILES}


@cache
def imported(path: Path) -> frozenset[str]:
    """Return every module that is imported anywhere in a file: for types alone and inside of functions as well."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in whole}
    return frozenset(names)


def wing(module: str) -> str:
    """Return the wing of a module, or a value's own name."""
    parts = module.split(".")
    if parts[0] != "evonas":
        return parts[0]
    if len(parts) == 1:
        return "doors"
    return parts[1] if parts[1] in WINGS or parts[1] in VALUES else "doors"


def ours(path: Path) -> Iterator[str]:
    return (name for name in imported(path) if name.split(".")[0] in ("evonas", "spaces", "objectives"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_wing_imports_only_what_it_may(path: Path) -> None:
    own = wing(module_name(path))
    may = WINGS.get(own, VALUES)
    for name in ours(path):
        target = wing(name)
        is_allowed = target == own or target in may or name.removeprefix("evonas.") in may
        assert is_allowed, f"{path.relative_to(ROOT)} imports {name}, and {own} may not import {target}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_foreign_library_is_imported_at_its_doors_only(path: Path) -> None:
    relative = path.relative_to(ROOT)
    for name in imported(path):
        doors = DOORS.get(name.split(".")[0])
        if doors is not None:
            allowed = any(str(relative) == door or door in map(str, relative.parents) for door in doors)
            assert allowed, f"{relative} imports {name}"


def test_no_imports_run_in_a_circle() -> None:
    finished: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"in a circle: {' -> '.join([*trail[trail.index(module) :], module])}"
        if module not in finished:
            for name in ours(MODULES[module]):
                if name in MODULES:
                    walk(name, (*trail, module))
            finished.add(module)

    for module in MODULES:
        walk(module, ())


def test_every_folder_is_a_wing() -> None:
    folders = {path.name for path in (ROOT / "evonas").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(WINGS) - {"doors", "objectives", "spaces"}


def test_only_values_and_doors_lie_at_the_top() -> None:
    doors = {"__init__", "__main__", "run", "front", "sweep", "profiles", "train"}
    assert {path.stem for path in (ROOT / "evonas").glob("*.py")} == VALUES | doors


def test_objectives_and_spaces_hold_nothing_else() -> None:
    import importlib

    for path in (ROOT / "objectives").glob("*.py"):
        assert hasattr(importlib.import_module(f"objectives.{path.stem}"), "objective"), f"{path.name} is no objective"


STARTED = ("evonas", "evonas.front", "evonas.run", "evonas.sweep", "evonas.train", "evonas.profiles",
           "evonas.export.__main__")  # fmt: skip


def test_the_engine_and_the_doors_start_without_torch_and_ray() -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {STARTED}:\n"
        "    importlib.import_module(name)\n"
        "    print(name, *(slow for slow in ('torch', 'ray', 'norse') if slow in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines() == list(STARTED)


def test_every_public_name_is_there() -> None:
    import evonas

    assert [name for name in evonas.__all__ if not hasattr(evonas, name)] == []
    assert evonas.__all__ == sorted(evonas.__all__)
