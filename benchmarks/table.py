"""How every benchmark ends: a table for people, and the same figures as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("evonas", "numpy", "torch", "norse", "pymoo", "moocore", "ray", "h5py", "spikingjelly", "optuna")


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        measure: Its name, which other programs look for.
        value: None where there is none: not measured, or never reached.
        unit: Of the value.
        goal: `">= 1.6"` or `"<= 500"`, None where there is none.
    """

    measure: str
    value: float | None
    unit: str
    goal: str | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, False where the value is missing."""
        if self.goal is None:
            return None
        relation, bound = self.goal.split()
        if relation not in (">=", "<="):
            raise ValueError(f"The goal of {self.measure} is {self.goal!r}, expected '>= NUMBER' or '<= NUMBER'.")
        if self.value is None:
            return False
        return self.value >= float(bound) if relation == ">=" else self.value <= float(bound)


def publish(figures: Sequence[Figure], *, title: str, file: Path | None = None) -> None:
    """Print the figures as a table, and write them to `file` as a JSON list if one is given."""
    rows = [
        (
            figure.measure,
            "none" if figure.value is None else f"{figure.value:.4g}",
            figure.unit,
            figure.goal or "",
            {True: "met", False: "MISSED", None: ""}[figure.met],
        )
        for figure in figures
    ]
    print(f"\n{title}\n{_machine()}\n")
    print(columns([("measure", "value", "unit", "goal", ""), *rows]))
    if file is not None:
        surroundings = {"machine": _machine(), "versions": _versions()}
        content = [_described(figure) | surroundings for figure in figures]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return the cells of `rows` in aligned columns, the first row as their heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _described(figure: Figure) -> dict[str, Any]:
    return {
        "measure": figure.measure,
        "value": figure.value,
        "unit": figure.unit,
        "goal": figure.goal,
        "met": figure.met,
    }


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
