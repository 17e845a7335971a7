"""The run files for images that ship: they say what they do and how long it takes, and can be run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import evonas
from documents import ROOT
from image_files import cifar_set, idx_set

from evonas.archive.archive import Archive


@pytest.mark.parametrize(
    ("name", "make", "options"),
    [
        ("fashion_mnist", idx_set, ()),
        ("cifar10", cifar_set, ("--set", "data.limit=60")),
        ("autosnn", idx_set, ("--set", "data.limit=60")),
    ],
)
def test_a_run_file_says_what_it_does_and_can_be_run(
    tmp_path: Path, name: str, make: Callable[[Path], Path], options: tuple[str, ...]
) -> None:
    file = ROOT / "runs" / f"{name}.toml"
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "minutes" in text.split("[search]")[0]
    assert 'path = "data/' in text
    done = evonas("run", file, "--dry-run", "--set", f"data.path={make(tmp_path / 'data')}", *options)
    assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_a_small_search_of_fashion_mnist_learns(tmp_path: Path) -> None:
    folder = Path(os.environ.get("EVONAS_DATA", "")) / "fashion-mnist"
    if "EVONAS_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("EVONAS_DATA names no folder with fashion-mnist")
    less = {"data.path": folder, "data.limit": 2000, "search.evaluations": 8, "search.seconds": 600,
            "strategies.0.pop_size": 4, "workers.count": 0}  # fmt: skip
    words = [word for key, value in less.items() for word in ("--set", f"{key}={value}")]
    done = evonas("run", ROOT / "runs/fashion_mnist.toml", "--output", tmp_path / "found", *words)
    assert done.exit_code == 0, done.output
    rows = Archive.read(tmp_path / "found" / "archive.h5").rows
    accuracies = [row.evaluation.measurement.accuracy for row in rows if row.evaluation.measurement is not None]
    assert len(accuracies) >= 6
    assert max(accuracies) > 0.5
