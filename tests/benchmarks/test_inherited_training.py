"""Inherited training: what children take over, that nothing is trained twice, and what is told of rungs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from claims import partial_tau, tau_of
from inherited_training import chosen, figures, left_out, pairs, precision
from kept_trainings import CONSTANTS, KeptTrainings, Start, shared

from evonas.data import digits
from evonas.data.dataset import SearchData
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.tasks.classification import Classification
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from spaces.spatial_temporal import space

EPOCHS = 2


@pytest.fixture(scope="module")
def data() -> SearchData:
    whole = digits.read().for_search(seed=0)
    return SearchData(whole.train.take(np.arange(64)), whole.validation.take(np.arange(40)), Classification(10))


@pytest.fixture(scope="module")
def parent() -> Genotype:
    """Return a small network with a constant of its neurons and a convolution."""
    rng = np.random.default_rng(0)
    drawn = (space.sample(rng) for _ in range(10_000))
    return next(g for g in drawn if g["channels"] == 4 and g["time_steps"] == 3 and g["node0.a.op"] == "conv3")


@pytest.fixture(scope="module")
def child(parent: Genotype) -> Genotype:
    """Return the parent with another threshold and operation."""
    values = {**space.fill(parent, np.random.default_rng(0)), "stage0.v_th": 1.3, "node0.a.op": "conv5"}
    return space.canonical(values)


def trainings(data: SearchData, folder: Path) -> KeptTrainings:
    return KeptTrainings(space, data, epochs=EPOCHS, folder=folder)


def whole(genotype: Genotype) -> Job:
    return Job(0, "evaluate", genotype, "toy", epochs=EPOCHS, seed=0)


def test_a_whole_training_is_that_of_the_search(data: SearchData, parent: Genotype, tmp_path: Path) -> None:
    kept = trainings(data, tmp_path)
    expected = TrainingEvaluator(space, data, training=Training(epochs=EPOCHS))(whole(parent))
    assert kept(whole(parent)) == expected
    assert kept.accuracies(parent, epochs=EPOCHS, start=Start())[-1] == expected.measurement.accuracy  # type: ignore[union-attr]


def test_a_child_has_what_agrees_with_its_parent_and_its_own_constants(
    data: SearchData, parent: Genotype, child: Genotype, tmp_path: Path
) -> None:
    kept = trainings(data, tmp_path)
    kept(whole(parent))
    torch.manual_seed(0)
    network, fresh = (space.build(child, data.input_shape, 10) for _ in range(2))  # type: ignore[misc]
    fresh.load_state_dict(network.state_dict())
    kept.inherit(network, parent)
    of_parent = TrainingEvaluator(space, data, training=Training(epochs=EPOCHS)).train(whole(parent))[0].state_dict()
    taken = {name for name in shared(network, fresh) if "running" not in name and "tracked" not in name}
    for name, tensor in network.state_dict().items():
        is_inherited = name in of_parent and of_parent[name].shape == tensor.shape and name in taken
        if is_inherited:
            assert torch.equal(tensor, of_parent[name]), name
        elif name in taken or name.startswith(CONSTANTS):
            assert torch.equal(tensor, fresh.state_dict()[name]), name
    assert network.state_dict()["neurons.stem.v_th"] == pytest.approx(1.3)
    assert 0 < kept.part(child, parent) < 1
    assert kept.part(parent, parent) == 1


def test_no_training_is_done_twice(
    data: SearchData, parent: Genotype, child: Genotype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = trainings(data, tmp_path)
    kept(whole(parent))
    start = Start(1, parent)
    found = kept.accuracies(child, epochs=1, start=start)
    assert len(found) == 2
    again = trainings(data, tmp_path)
    monkeypatch.setattr(KeptTrainings, "_trained", None)
    assert again.accuracies(child, epochs=1, start=start) == found
    assert len(again.accuracies(parent, epochs=EPOCHS, start=Start())) == EPOCHS + 1
    with pytest.raises(TypeError):  # another seed is another training
        again.accuracies(child, epochs=1, start=Start(0, parent))


def row(slot: int, error: float, *parents: int) -> Row:
    objective = Objective("error", lambda found: found["error"], direction="min")
    job = Job(slot, "evaluate", Genotype({"x": slot}), "toy", parents=parents)
    return Row.of(Evaluation(job, Outcome.MEASURED, measurement={"error": error}), [objective])


def test_children_of_the_better_half_count_each_with_the_parent_nearest_to_it() -> None:
    def part(genotype: Genotype, parent: Genotype) -> float:
        return 1 - 0.1 * int(parent["x"])

    objective = Objective("error", lambda found: found["error"], direction="min")
    rows = [row(0, 0.9), row(1, 0.2), row(2, 0.3), row(3, 0.8), row(4, 0.1, 0, 3), row(5, 0.4, 2, 1), row(6, 0.5, 0, 2)]
    found = [(pair.child["x"], pair.parent["x"], pair.part) for pair in pairs(rows, [objective], part=part)]
    assert found == [(5, 1, 0.9), (6, 2, 0.8)]  # the better half before 6 are 4, 1 and 2


def test_a_model_tells_each_child_without_having_seen_it() -> None:
    rng = np.random.default_rng(0)
    values, worth = [rng.random(9), rng.random(9)], rng.random(9)
    told = left_out(values, worth)
    for child in range(9):
        others = np.arange(9) != child
        x = np.column_stack([np.ones(9), *values])
        fitted = np.linalg.lstsq(x[others], worth[others], rcond=None)[0]
        assert told[child] == pytest.approx(x[child] @ fitted)


def test_what_says_no_more_than_the_parent_has_a_low_partial_tau() -> None:
    rng = np.random.default_rng(0)
    parent, noise, own = rng.random(400), *rng.normal(scale=0.3, size=(2, 400))
    worth = parent + own
    assert abs(partial_tau(parent + noise, worth, parent)) < 0.15 < tau_of(parent + noise, worth)
    assert partial_tau(parent + own + noise, worth, parent) > 0.3


def test_rungs_are_judged_by_those_that_they_choose() -> None:
    worth = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert precision(worth, worth) == 1
    assert precision(-worth, worth) == 0
    assert chosen(worth, worth, epochs=1) == pytest.approx(0.75)
    assert chosen(-worth, worth, epochs=0) == pytest.approx(0.15)
    assert 0.6 < chosen(worth, worth, epochs=2) < 0.75  # the best of four of them


def test_a_rung_that_sees_more_of_the_worth_has_the_higher_tau_beyond_doubt() -> None:
    rng = np.random.default_rng(0)
    worths = np.tile(rng.random(60), (2, 1))
    rungs = {name: worths + rng.normal(scale=1.0, size=worths.shape) for name in ("scratch_2", "parent")}
    rungs["inherited_1"] = worths + rng.normal(scale=0.01, size=worths.shape)
    found = {one.measure: one.value for one in figures(rungs, worths, rng.random((2, 60)), np.ones(60))}
    assert found["tau_inherited_1"] > 0.9  # type: ignore[operator]
    assert found["over_scratch_2_inherited_1_low"] > 0  # type: ignore[operator]
    assert found["over_scratch_2_scratch_2"] == 0
    assert found["tau_near_inherited_1"] == pytest.approx(found["tau_inherited_1"])
    assert "tau_inherited_1_and_parent" in found
    assert "tau_parent_and_parent" not in found
