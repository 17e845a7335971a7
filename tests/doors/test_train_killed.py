"""The final training under Ray Tune, and killed: the numbers are those of a training that nothing has stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import evonas, write_run_file
from safetensors.torch import load_file

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.timeout(600)]

OPTIONS = ("--pick", "best:energy", "--epochs", "20", "--seeds", "2", "--average", "0.9", "--trust")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place of work with a run, trained whole in this process: what all others have to come to."""
    place = tmp_path_factory.mktemp("searched")
    with contextlib.chdir(place):
        file = write_run_file(place, evaluations=6)
        assert evonas("run", file, "--output", "results", "--set", "ladder.epochs=[1]").exit_code == 0
        shutil.copytree("results", "whole")
        done = evonas("train", "whole", *OPTIONS, "--workers", "0")
        assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def place(searched: Path, tmp_path: Path) -> Path:
    place = tmp_path / "work"
    shutil.copytree(searched, place)
    return place


def begun(place: Path, *, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "evonas.train", "results", *OPTIONS, "--workers", str(workers)]
    return subprocess.Popen(command, cwd=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def trained_again(place: Path) -> str:
    """Give the command again, in this process and without Ray; return what it says."""
    with contextlib.chdir(place):
        done = evonas("train", "results", *OPTIONS, "--workers", "0")
    assert done.exit_code == 0, done.output
    return done.output


def wait_for(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 300
    while not is_so():
        assert process.poll() is None, f"it ended before that: {process.communicate()[0]}"
        assert time.monotonic() < until
        time.sleep(0.005)


def assert_whole(place: Path) -> None:
    whole, found = place / "whole" / "trained", place / "results" / "trained"
    names = sorted(path.name for path in whole.glob("*.safetensors"))
    assert sorted(path.name for path in found.glob("*.safetensors")) == names
    for name in names:
        expected, got = load_file(whole / name), load_file(found / name)
        assert all(torch.equal(expected[part], got[part]) for part in expected)
    assert not list(found.rglob("*.tmp"))


def rows(place: Path, folder: str) -> list[str]:
    """Return the rows of the table without the number of the reading."""
    lines = (place / folder / "trained" / "trained.csv").read_text().splitlines()
    return [line.rpartition(",")[0] for line in lines]


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "within the first training": lambda folder: any((folder / "trained" / "checkpoints").glob("*-0.pt")),
    "between two trainings": lambda folder: any((folder / "trained").glob("*-0.safetensors")),
    "while it is tested": lambda folder: (folder / "test-readings.jsonl").is_file(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_command_that_is_killed_comes_to_the_same_numbers(place: Path, moment: str) -> None:
    process = begun(place, workers=0)
    wait_for(lambda: MOMENTS[moment](place / "results"), process)
    process.kill()
    process.communicate()
    output = trained_again(place)
    assert_whole(place)
    assert rows(place, "results") == rows(place, "whole")
    is_second = "read for the 2nd time" in output
    readings = [json.loads(line) for line in (place / "results" / "test-readings.jsonl").read_text().splitlines()]
    assert len(readings) == 1 + is_second
    if moment == "within the first training":
        assert "goes on after epoch" in output
        assert not is_second


def test_under_ray_tune_it_comes_to_the_same_numbers_and_tune_says_nothing(place: Path) -> None:
    process = begun(place, workers=1)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert_whole(place)
    assert rows(place, "results") == rows(place, "whole")
    assert not any(word in output.lower() for word in ("tune", "warning", "traceback")), output
    assert not (place / "results" / "trained" / "tune").exists()


def test_a_worker_that_is_killed_is_replaced_and_goes_on_from_its_checkpoint(place: Path) -> None:
    process = begun(place, workers=1)
    wait_for(lambda: any((place / "results" / "trained" / "checkpoints").glob("*.pt")), process)
    killed = [pid for pid in working_below(process.pid) if os.kill(pid, signal.SIGKILL) is None]
    output = process.communicate()[0]
    assert killed
    assert process.returncode == 0, output
    assert "goes on after epoch" in output
    assert_whole(place)
    assert rows(place, "results") == rows(place, "whole")


def test_ray_whose_command_is_killed_leaves_what_the_next_goes_on_with(place: Path) -> None:
    process = begun(place, workers=1)
    wait_for(lambda: any((place / "results" / "trained" / "checkpoints").glob("*.pt")), process)
    process.kill()
    process.communicate()
    trained_again(place)
    assert_whole(place)


def working_below(pid: int) -> list[int]:
    """Return the processes below `pid` in which a trial of Tune is at work."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_text()
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return [one for one in found if "ImplicitFunc" in names.get(one, "")]
