"""Genotypes of every space that ships, and what their networks cost, need no torch: doors start within a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SPACES = Path(__file__).parents[2] / "spaces"

PROGRAM = """
import importlib, sys
import numpy
for name in sys.argv[1:]:
    space = importlib.import_module(f"spaces.{name}").space
    shape = (None, 8, 1, 1) if name == "recurrent" else (1, 8, 8)
    space.operations(space.sample(numpy.random.default_rng(0)), shape, 10)
    print(name, *({"torch"} & sys.modules.keys()))
"""


def test_genotypes_and_costs_of_all_spaces_need_no_torch() -> None:
    names = sorted(path.stem for path in SPACES.glob("*.py") if "\nspace = Space(" in path.read_text(encoding="utf-8"))
    assert {"recurrent", "snasnet", "spatial_temporal"} <= set(names)
    done = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == names, done.stderr
