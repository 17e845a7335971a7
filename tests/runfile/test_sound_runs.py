"""Run files for sound: recordings of different lengths in recurrent networks, and the ones that ship can be run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import event_files
import pytest
import tomli_w
from commands import evonas
from documents import ROOT
from real_files import spoken_digits
from resolved_runs import assert_right, searched
from sounds import tones

from evonas.runfile.resolve import resolve

PATTERN = "{label}_{speaker}_{index}.wav"


def run_file(folder: Path, **data: Any) -> Path:
    content = {
        "search": {"space": "recurrent", "evaluations": 4, "parallel": 2},
        "space": {"only": {"time_steps": [10, 16]}},
        "data": {"name": "sound", "path": str(tones(folder / "tones")), "pattern": PATTERN, **data},
        "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies"}],
        "strategies": [{"name": "random"}],
        "ladder": {"epochs": [1]},
    }
    path = folder / "run.toml"
    path.write_text(tomli_w.dumps(content))
    return path


@pytest.mark.parametrize("options", [{}, {"coding": "rate"}, {"elements": "graded", "milliseconds": 300}])
def test_recurrent_networks_of_different_time_steps_hear_the_same_recordings(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    run = resolve(run_file(tmp_path, **options))
    rows = searched(run, tmp_path / "archive.h5").rows
    assert [row.evaluation.message for row in rows if row.evaluation.measurement is None] == []
    assert len({row.job.genotype["time_steps"] for row in rows}) > 1
    for row in rows:
        activity = row.evaluation.measurement.activity
        first = activity.connections[0]
        assert first.element == options.get("elements", "binary")
        assert sum(first.macs) == 0 < sum(first.events) + sum(first.graded)
        assert activity.time_steps == row.job.genotype["time_steps"]
        assert row.costs is not None
        assert row.costs[1] > 0  # joules
    again = searched(resolve(run_file(tmp_path, **options)), tmp_path / "again.h5").rows
    assert [row.evaluation.measurement for row in rows] == [row.evaluation.measurement for row in again]


def test_a_dry_run_says_how_long_a_time_step_is(tmp_path: Path) -> None:
    done = evonas("run", run_file(tmp_path, milliseconds=400), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "A sample lasts 400 ms on average, each of the " in " ".join(done.output.split())


def written_shd(folder: Path) -> Path:
    folder.mkdir()
    for part in ("train", "test"):
        event_files.shd(folder / f"shd_{part}.h5")
    return folder


@pytest.mark.parametrize(("name", "write"), [("fsdd", tones), ("shd", written_shd)])
def test_the_run_files_that_ship_are_right(name: str, write: Any, tmp_path: Path) -> None:
    assert_right(name, data=write(tmp_path / "data"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_spoken_digits_are_learnt_by_recurrent_networks(tmp_path: Path) -> None:
    if "EVONAS_DATA" not in os.environ:
        pytest.skip("EVONAS_DATA is not set: the folder with fsdd.h5")
    folder = tmp_path / "fsdd"
    folder.mkdir()
    spoken_digits(Path(os.environ["EVONAS_DATA"]) / "fsdd.h5", folder)
    overrides = [f"data.path={folder}", "data.limit=1000", "search.evaluations=8", "ladder.epochs=[2, 6]"]
    run = resolve(ROOT / "runs/fsdd.toml", overrides=overrides)
    archive = searched(run, tmp_path / "archive.h5")
    measured = [row.evaluation.measurement for row in archive.rows if row.evaluation.measurement is not None]
    assert max(one.accuracy for one in measured) > 0.7
    assert len({one.time_steps for one in measured}) > 2
