"""What a rung leaves for the next one: the same bits with it and without it, and room for no more than is allowed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.genotype import Genotype
from evonas.snn.network import Network
from evonas.training import unfinished as module
from evonas.training.fit import Fit
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from evonas.training.unfinished import Unfinished
from spaces.spatial_temporal import space

WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "neurons": {"train_neurons": True},
    "widths": {"search_surrogates_every": 5},
    "warm_up": {"warm_up": 0.3},
}
JOB = Job(0, "evaluate", Genotype({"a": 1}), "toy")


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the epochs that were run, each by its number, counted from 0."""
    ran: list[int] = []
    run: Callable[[Fit], float] = Fit.run_epoch

    def counted(fit: Fit) -> float:
        ran.append(fit.epochs)
        return run(fit)

    monkeypatch.setattr(Fit, "run_epoch", counted)
    return ran


def evaluator(data: SearchData, folder: Path | None, **training: Any) -> TrainingEvaluator:
    return TrainingEvaluator(space, data, training=Training(epochs=4, batch_size=8, **training), unfinished=folder)


def rung(genotype: Genotype, number: int, *, epochs: int, seed: int = 0) -> Job:
    return Job(number, "evaluate", genotype, "toy", rung=number, epochs=epochs, seed=seed)


def weights(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("way", WAYS)
def test_a_rung_that_goes_on_has_the_bits_of_one_that_begins_anew(
    data: SearchData, genotype: Genotype, tmp_path: Path, epochs: list[int], way: str
) -> None:
    jobs = [rung(genotype, number, epochs=each) for number, each in enumerate((1, 2, 4))]
    apart = [evaluator(data, None, **WAYS[way]).train(job) for job in jobs]
    assert epochs == [0, 0, 1, 0, 1, 2, 3]
    epochs.clear()
    kept = evaluator(data, tmp_path, **WAYS[way])
    for job, (network, result) in zip(jobs, apart, strict=True):
        torch.rand(7)  # whatever the worker did before
        kept.train(rung(space.sample(np.random.default_rng(job.slot)), 0, epochs=1))
        other, found = kept.train(job)
        assert found == result
        one = weights(network)
        assert all(torch.equal(one[name], tensor) for name, tensor in other.state_dict().items())
    assert epochs == [0, 0, 0, 1, 0, 2, 3]
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 3  # of the others: the top rung leaves nothing


def test_what_another_seed_left_is_not_gone_on_from(
    data: SearchData, genotype: Genotype, tmp_path: Path, epochs: list[int]
) -> None:
    kept = evaluator(data, tmp_path)
    kept(rung(genotype, 0, epochs=1))
    kept(rung(genotype, 1, epochs=4, seed=1))
    kept(rung(genotype, 0, epochs=1))  # a lower rung never goes on: it may be tried again
    assert epochs == [0, 0, 1, 2, 3, 0]


def test_without_the_folder_nothing_is_kept(data: SearchData, genotype: Genotype, tmp_path: Path) -> None:
    folder = tmp_path / "not here"
    evaluator(data, folder)(rung(genotype, 0, epochs=1))
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["cut short", "flipped", "empty", "a folder"])
def test_what_is_damaged_is_trained_again(tmp_path: Path, damage: str) -> None:
    kept = Unfinished(tmp_path, kind="cpu")
    kept.keep(JOB, {"epochs": 2, "weights": torch.arange(100.0)})
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    state = kept.state(JOB)
    assert state is not None
    assert torch.equal(state["weights"], torch.arange(100.0))
    if damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        middle = len(content) // 2
        flipped = bytes([content[middle] ^ 1])
        changed = {
            "cut short": content[:-1],
            "flipped": content[:middle] + flipped + content[middle + 1 :],
            "empty": b"",
        }
        path.write_bytes(changed[damage])
    assert kept.state(JOB) is None
    assert Unfinished(tmp_path, kind="another device").state(JOB) is None
    kept.drop(JOB)


def test_the_oldest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"weights": torch.zeros(1000)}
    kept = Unfinished(tmp_path, kind="cpu")
    kept.keep(JOB, state)
    size = next(tmp_path.iterdir()).stat().st_size
    monkeypatch.setattr(module, "MOST_BYTES", 3 * size)
    jobs = [replace(JOB, seed=seed) for seed in range(5)]
    for job in jobs:
        kept.keep(job, state)
        for age, path in enumerate(sorted(tmp_path.iterdir(), key=lambda path: -path.stat().st_mtime_ns)):
            os.utime(path, (1e9 - age, 1e9 - age))
    assert [kept.state(job) is not None for job in jobs] == [False, False, True, True, True]
    (tmp_path / "thesis.state").write_text("not ours, and the oldest")
    os.utime(tmp_path / "thesis.state", (1, 1))
    kept.keep(replace(JOB, seed=7), state)
    assert (tmp_path / "thesis.state").exists()
    monkeypatch.setattr(module, "MOST_BYTES", size - 1)
    kept.keep(replace(JOB, seed=9), state)
    assert kept.state(replace(JOB, seed=9)) is None
    assert kept.state(jobs[-1]) is not None  # what does not fit at all drives nothing out


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_bytes", full)
    kept = Unfinished(tmp_path, kind="cpu")
    with pytest.warns(RuntimeWarning, match=r"No space left on device.*takes longer"):
        kept.keep(JOB, {"epochs": 1})
    kept.keep(JOB, {"epochs": 1})  # a second warning would be an error
    assert kept.state(JOB) is None
