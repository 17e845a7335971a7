"""Run files for events: the number of time steps stays searched, and the ones that ship can be run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import event_files
import numpy as np
import pytest
import tomli_w
from commands import evonas
from documents import ROOT
from real_files import nmnist_files
from resolved_runs import assert_right, searched

from evonas.errors import RunFileError
from evonas.runfile.resolve import resolve


def moving(folder: Path, *, samples: int = 40) -> Path:
    """Write a file of dots that move to the left or to the right, in times of different lengths."""
    rng = np.random.default_rng(0)
    recordings, labels = [], []
    for index in range(samples):
        label, length = ("left", "right")[index % 2], int(rng.integers(8_000, 12_000))
        t = np.sort(rng.integers(0, length, 60))
        x = (t * 6 // length) if label == "right" else 5 - t * 6 // length
        recordings.append((t, x, rng.integers(0, 4, 60), rng.integers(0, 2, 60)))
        labels.append(label)
    event_files.own(folder / "moving.h5", recordings, labels, width=6, height=4)
    return folder / "moving.h5"


def run_file(folder: Path, *, evaluations: int = 4, **data: Any) -> Path:
    content = {
        "search": {"space": "spatial_temporal", "evaluations": evaluations, "parallel": 2},
        "data": {"name": "events", "path": str(moving(folder)), **data},
        "objectives": [{"name": "accuracy"}, {"name": "synaptic_operations"}],
        "strategies": [{"name": "random"}],
        "ladder": {"epochs": [1]},
    }
    path = folder / "run.toml"
    path.write_text(tomli_w.dumps(content))
    return path


@pytest.mark.parametrize("options", [{}, {"elements": "binary", "bin_by": "count"}, {"jitter_ms": 0.3, "flip": True}])
def test_networks_of_different_time_steps_see_the_same_recordings(tmp_path: Path, options: dict[str, Any]) -> None:
    run = resolve(run_file(tmp_path, **options))
    assert run.search_data.input_shape == (None, 2, 4, 6)
    assert run.search_data.seconds == pytest.approx(0.01, rel=0.2)
    rows = searched(run, tmp_path / "archive.h5").rows
    assert [row.evaluation.message for row in rows if row.evaluation.measurement is None] == []
    steps = {row.job.genotype["time_steps"] for row in rows}
    assert len(steps) > 1
    for row in rows:
        activity = row.evaluation.measurement.activity
        first = activity.connections[0]
        assert (first.element, first.static, sum(first.macs)) == (options.get("elements", "graded"), False, 0)
        assert activity.time_steps == row.job.genotype["time_steps"] == len(first.inputs)


def test_a_search_with_augmentation_gives_the_same_rows_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = (
        searched(resolve(run_file(tmp_path / name, jitter_ms=0.5, shift=1)), tmp_path / f"{name}.h5").rows
        for name in ("one", "two")
    )
    assert [row.evaluation.measurement for row in first] == [row.evaluation.measurement for row in second]
    plain = searched(resolve(run_file(tmp_path)), tmp_path / "plain.h5").rows
    assert [row.evaluation.measurement for row in plain] != [row.evaluation.measurement for row in first]


def test_validation_and_test_samples_are_not_varied(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path, flip=True, shift=1, jitter_ms=0.5))
    index = np.arange(4)
    for samples, is_varied in ((run.search_data.validation, False), (run.search_data.train, True)):
        first, second = (samples.inputs.batch(index, time_steps=4, rng=np.random.default_rng(seed)) for seed in (0, 1))
        assert np.array_equal(first, second) is not is_varied


def test_fixed_frames_reject_other_time_steps_and_say_so_before_anything_runs(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path, frames=3))
    assert run.search_data.input_shape == (3, 2, 4, 6)
    assert any("have 3 frames, one for each time step" in note for note in run.notes)
    with pytest.raises(RunFileError, match="no network of the space has as many time steps"):
        resolve(run_file(tmp_path, frames=99))


def test_wrong_options_are_told_with_their_keys(tmp_path: Path) -> None:
    wrong = {"frame": 3, "bin_by": "size", "downscale": 1.5, "elements": 2}
    with pytest.raises(RunFileError) as error:
        resolve(run_file(tmp_path, **wrong))
    told = "\n".join(error.value.faults)
    assert "data.frame: unknown option; did you mean 'frames'?" in told
    for key in ("bin_by", "downscale", "elements"):
        assert f"data.{key}: got" in told


def test_a_dry_run_says_how_long_a_time_step_is(tmp_path: Path) -> None:
    done = evonas("run", run_file(tmp_path, milliseconds=8, evaluations=4), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "A sample lasts 8 ms on average, each of the " in " ".join(done.output.split())


def written_nmnist(folder: Path) -> Path:
    names = [str(digit) for digit in range(10)]
    for part in ("Train", "Test"):
        event_files.class_folders(folder / part, event_files.nmnist, ending=".bin", names=names, each=5)
    return folder


def written_gestures(folder: Path) -> Path:
    event_files.gestures(folder)
    return folder


@pytest.mark.parametrize(("name", "write"), [("nmnist", written_nmnist), ("dvs_gesture", written_gestures)])
def test_the_run_files_that_ship_are_right(name: str, write: Any, tmp_path: Path) -> None:
    assert_right(name, data=write(tmp_path / "data"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_n_mnist_is_learnt_with_different_numbers_of_time_steps(tmp_path: Path) -> None:
    if "EVONAS_DATA" not in os.environ:
        pytest.skip("EVONAS_DATA, the folder of real data, is not set")
    nmnist_files(Path(os.environ["EVONAS_DATA"]) / "nmnist-small.h5", tmp_path / "data")
    overrides = [f"data.path={tmp_path / 'data'}", "search.evaluations=12", "data.limit=500"]
    run = resolve(ROOT / "runs/nmnist.toml", overrides=overrides)
    archive = searched(run, tmp_path / "archive.h5")
    measured = [row.evaluation.measurement for row in archive.rows if row.evaluation.measurement is not None]
    assert max(one.accuracy for one in measured) > 0.5
    assert len({one.time_steps for one in measured}) > 2
