"""The examples are run here, on small settings where they take long."""

from __future__ import annotations

import contextlib
import json
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import evonas
from documents import ROOT, shortened, workplace

from evonas.data.images import read, read_idx


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = workplace(tmp_path / "work")
    with contextlib.chdir(place):
        yield place


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / name))


def commands_of(file: Path) -> list[list[str]]:
    """Return the commands in the comment at the top of a run file."""
    lines = [line.removeprefix("#     ") for line in file.read_text().splitlines() if line.startswith("#     ")]
    return [shlex.split(line, comments=True) for line in lines]


def test_every_example_is_tested_here() -> None:
    tested = Path(__file__).read_text()
    assert {path.name for path in (ROOT / "examples").iterdir() if path.suffix} <= {
        name
        for name in ("nearest_neighbours.py", "write_idx.py", "images.toml", "two_chips.toml", "from_run_to_chip.ipynb")
        if f'"{name}"' in tested
    }


def test_the_search_of_ones_own_problem_prints_its_front_and_goes_on_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = example("nearest_neighbours.py")["main"]
    main(str(tmp_path / "found.h5"))
    first = capsys.readouterr().out
    assert "60 classifiers are on the front" in first
    assert all("multiply-accumulates" in line for line in first.splitlines()[1:])
    main(str(tmp_path / "found.h5"))
    assert capsys.readouterr().out == first


def test_arrays_that_are_written_as_idx_files_are_read_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "train_images": rng.integers(256, size=(30, 8, 6)),
        "train_labels": rng.permutation(30) % 3,
        "test_images": rng.integers(256, size=(9, 8, 6)),
        "test_labels": np.arange(9) % 3,
    }
    np.savez(tmp_path / "images.npz", **arrays)
    example("write_idx.py")["main"](str(tmp_path / "images.npz"), str(tmp_path / "mine"))
    assert (read_idx(tmp_path / "mine" / "train-images-idx3-ubyte") == arrays["train_images"]).all()
    assert read(path=str(tmp_path / "mine")).classes == 3


def test_arrays_that_are_no_bytes_are_refused(tmp_path: Path) -> None:
    arrays = {name: np.array([[[0.5]]]) for name in ("train_images", "train_labels", "test_images", "test_labels")}
    with pytest.raises(ValueError, match="train_images has values from 0.5 to 0.5"):
        example("write_idx.py")["write"](arrays, tmp_path)


@pytest.mark.parametrize("name", ["images.toml", "two_chips.toml"])
def test_a_run_file_to_start_from_says_what_it_does_how_long_it_takes_and_its_commands_work(
    name: str, folder: Path
) -> None:
    file = folder / "examples" / name
    example("write_idx.py")["main"](str(folder / "data" / "mine"))
    assert "minute" in file.read_text().split("[search]")[0]
    for words in commands_of(file):
        if words[0] == "evonas":
            # the README runs the search with images, and no test needs it twice
            result = evonas(*shortened([*words, *(["--dry-run"] if name == "images.toml" else [])])[1:])
            assert result.exit_code == 0, result.output


@pytest.mark.parametrize("file", sorted((ROOT / "runs").iterdir()), ids=lambda file: file.name)
def test_a_file_that_ships_in_runs_begins_with_what_it_is_for(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# ")
    if file.suffix == ".toml":
        comment = text.split("[search]")[0]
        assert "minutes" in comment
        assert tomllib.loads(text)["search"]["evaluations"]


def test_the_notebook_goes_from_a_run_to_a_network_in_another_tool_and_shows_what_it_did(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    pytest.importorskip("snntorch", reason="snntorch is not installed")
    assert evonas(*shortened(["evonas", "run", "runs/digits.toml"])[1:]).exit_code == 0
    cells = json.loads((ROOT / "examples" / "from_run_to_chip.ipynb").read_text())["cells"]
    known: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), known)
            assert cell["outputs"] or cell["execution_count"], "run the notebook, so that it shows what it does"
    assert known["exported"].is_equal
    assert re.search(r"^(\d+) of \1 answers are the same$", capsys.readouterr().out, re.MULTILINE)
