"""Data that go with what is sent to workers, and are let go of in the process that sent them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from evonas.data.dataset import DataSet, Samples
from evonas.errors import DataError, RunFileError
from evonas.runfile.resolve import ResolvedRun, resolve


def from_file(*, path: str) -> DataSet:
    with np.load(path) as file:
        return DataSet(Samples(file["images"], file["labels"]))


def write(file: Path, *, brightest: int = 255) -> None:
    images = np.random.default_rng(0).integers(0, brightest, (60, 1, 1, 6, 6)).astype(np.uint8)
    np.savez(file, images=images, labels=np.arange(60) % 3)


@pytest.fixture
def run(tmp_path: Path) -> ResolvedRun:
    write(tmp_path / "data.npz")
    content = {
        "search": {"space": "spatial_temporal", "evaluations": 4},
        "data": {"name": f"{__name__}:from_file", "path": str(tmp_path / "data.npz")},
        "objectives": [{"name": "accuracy"}, {"name": "spikes"}],
        "strategies": [{"name": "random"}],
        "ladder": {"epochs": [1]},
        "workers": {"count": 0},
    }
    (tmp_path / "run.toml").write_text(tomli_w.dumps(content))
    return resolve(tmp_path / "run.toml")


def test_what_is_sent_to_a_worker_needs_no_file(run: ResolvedRun, tmp_path: Path) -> None:
    sent = pickle.dumps(run.make_evaluate())
    (tmp_path / "data.npz").unlink()
    assert callable(pickle.loads(sent)())


def test_data_that_were_let_go_of_are_read_again_if_they_are_the_same(run: ResolvedRun, tmp_path: Path) -> None:
    held, before = run.data, run.search_data
    held.let_go()
    assert run.search_data is not before
    assert run.search_data.fingerprint == before.fingerprint
    held.let_go()
    write(tmp_path / "data.npz", brightest=9)
    with pytest.raises(DataError, match="others than those that the run was made with"):
        held.get()
    (tmp_path / "data.npz").unlink()
    with pytest.raises(RunFileError):
        held.get()


def test_what_is_sent_after_the_data_were_let_go_of_has_them_all_the_same(run: ResolvedRun) -> None:
    run.data.let_go()
    assert callable(pickle.loads(pickle.dumps(run.make_evaluate()))())


def test_batches_come_from_arrays_that_may_only_be_read(run: ResolvedRun) -> None:
    from evonas.engine.job import Job

    data = run.search_data
    for part in (data.train, data.validation):
        part.inputs.values.setflags(write=False)  # type: ignore[attr-defined]
        part.labels.setflags(write=False)
    job = Job(0, "evaluate", run.example(), "toy", epochs=1)
    assert run.make_evaluate()()(job).measurement.samples == len(data.validation)
