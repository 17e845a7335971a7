"""Robustness as an objective: measured by workers where it is asked for, from the seed of the job, and kept."""

from __future__ import annotations

import statistics
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from commands import contents, evonas, write_run_file

from evonas import load
from evonas.engine.job import Job
from evonas.errors import OptionError, RunFileError, TrainingDivergedError
from evonas.measurement import Measurement
from evonas.robustness import Robustness
from evonas.runfile.resolve import ResolvedRun, resolve
from evonas.runfile.retraining import retrained
from evonas.training.batches import Batches
from evonas.training.disturbances import DeadNeurons, FewBits, LostInput, WeightNoise, disturbance_of
from evonas.training.robustness import disturbed_metrics, robust_metrics
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from objectives import robustness

NOISE = {"name": "robustness", "as": "noisy", "weight_noise": 0.3, "draws": 3}
COARSE = {"name": "robustness", "as": "coarse", "bits": 2, "metric": "loss"}


def write(folder: Path, *objectives: dict[str, object], evaluations: int = 3) -> Path:
    path = write_run_file(folder, evaluations=evaluations)
    content = tomllib.loads(path.read_text())
    content |= {"ladder": {"epochs": [1]}, "objectives": [{"name": "accuracy"}, *objectives, {"name": "spikes"}]}
    path.write_text(tomli_w.dumps(content))
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def trained(run: ResolvedRun, *asked: Robustness) -> tuple[torch.nn.Module, Measurement]:
    """Return the network of an example after an epoch, and what a worker measures of it."""
    evaluator = TrainingEvaluator(run.space, run.search_data, training=Training(), measures=asked)
    network, result = evaluator.train(Job(0, "evaluate", run.example(), "toy", epochs=1, seed=3))
    assert isinstance(result.measurement, Measurement)
    return network, result.measurement


def test_a_disturbance_has_a_name_and_is_what_it_says() -> None:
    asked = {
        Robustness("accuracy", "weight_noise", 0.125): WeightNoise(0.125),
        Robustness("accuracy", "bits", 4): FewBits(4),
        Robustness("loss", "dead_neurons", 0.05, draws=1): DeadNeurons(0.05),
        Robustness("loss", "lost_input", 0.1): LostInput(0.1),
    }
    assert [one.name for one in asked] == [
        "accuracy under weight noise 12.5%, 5 draws",
        "accuracy under int4 weights",
        "loss under dead neurons 5%, 1 draw",
        "loss under lost input 10%, 5 draws",
    ]
    for one, disturbance in asked.items():
        assert disturbance_of(one.against, one.amount) == disturbance
        assert disturbance.name in one.name
    assert Robustness("accuracy", "bits", 4, draws=7) == Robustness("accuracy", "bits", 4)


def test_what_is_asked_is_measured_and_everything_else_stays(place: Path) -> None:
    run = resolve(write(place))
    few, noise = Robustness("loss", "bits", 2), Robustness("accuracy", "weight_noise", 0.3, draws=3)
    network, plain = trained(run)
    disturbed_network, found = trained(run, few, noise)
    assert found.metrics == {**plain.metrics, few.name: found.metrics[few.name], noise.name: found.metrics[noise.name]}
    assert (found.activity, found.counts) == (plain.activity, plain.counts)
    own = disturbed_network.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in network.state_dict().items())
    samples, task = Batches(run.search_data.validation, torch.device("cpu")), run.search_data.task
    (coarse,) = disturbed_metrics(network, samples, task, FewBits(2), seeds=[0])  # type: ignore[arg-type]
    assert coarse["loss"] == found.metrics[few.name] != plain.loss
    draws = [
        robust_metrics(network, samples, task, asked=[noise], seed=seed)[noise.name]  # type: ignore[arg-type]
        for seed in range(8)
    ]
    assert statistics.pstdev(draws) > 0
    alone = trained(run, noise)[1].metrics[noise.name]
    assert alone == found.metrics[noise.name]  # whatever else is asked


def test_the_mean_is_that_of_the_draws(place: Path) -> None:
    run = resolve(write(place))
    network, _ = trained(run)
    samples, task = Batches(run.search_data.validation, torch.device("cpu")), run.search_data.task
    values = [
        robust_metrics(network, samples, task, asked=[Robustness("loss", "dead_neurons", 0.2, draws=n)], seed=5)
        for n in (1, 2, 3)
    ]  # type: ignore[misc]
    means = [next(iter(one.values())) for one in values]
    second, third = 2 * means[1] - means[0], 3 * means[2] - 2 * means[1]
    assert means[2] == pytest.approx(np.mean([means[0], second, third]))
    assert len({means[0], second, third}) == 3


def test_a_search_trades_it_and_resumes_and_its_results_need_no_data(place: Path) -> None:
    path = write(place, NOISE, COARSE)
    assert evonas("run", path, "--output", "whole").exit_code == 0
    assert evonas("run", path, "--output", "again", "--set", "search.evaluations=1").exit_code == 0
    assert evonas("run", path, "--output", "again").exit_code == 0
    assert contents(place / "again") == contents(place / "whole")
    run = load(place / "whole", trust=True)
    for network in run.front():
        metrics = network.measurement.metrics
        assert network.objectives["noisy"] == metrics["accuracy under weight noise 30%, 3 draws"]
        assert network.objectives["coarse"] == metrics["loss under int2 weights"]
    row = run.rows[0]
    file = resolve(path).file
    assert retrained(file, row.job, fingerprint=None)[1] == row.evaluation.measurement
    (place / "few_digits.py").unlink()
    shown = evonas("front", place / "whole", "--format", "json")
    assert shown.exit_code == 0
    assert '"direction": "min"' in shown.stdout


def test_without_the_objective_nothing_is_disturbed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise AssertionError("a network was disturbed")

    monkeypatch.setattr("evonas.training.robustness.disturbed_metrics", fail)
    assert evonas("run", write(place, evaluations=1), "--output", "plain").exit_code == 0
    with pytest.raises(AssertionError, match="was disturbed"):
        trained(resolve(write(place)), Robustness("accuracy", "bits", 4))


def test_the_test_samples_are_asked_as_the_search_was(place: Path) -> None:
    assert evonas("run", write(place, NOISE), "--output", "results").exit_code == 0
    done = evonas("train", "results", "--epochs", 1, "--seeds", 1, "--workers", 0, "--trust")
    assert done.exit_code == 0, done.output
    header, row = (place / "results" / "trained" / "trained.csv").read_text().splitlines()
    assert '"test accuracy under weight noise 30%, 3 draws"' in header
    assert "noisy" in done.output
    assert row


def test_a_metric_that_is_no_number_is_a_training_that_diverged(place: Path) -> None:
    run = resolve(write(place))
    network, _ = trained(run)
    samples, task = Batches(run.search_data.validation, torch.device("cpu")), run.search_data.task
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(TrainingDivergedError, match="The validation loss under int4 weights is nan"):
        robust_metrics(network, samples, task, asked=[Robustness("loss", "bits", 4)], seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, "objectives.1.weight_noise: got none, expected one of weight_noise, bits, dead_neurons, lost_input"),
        ({"bits": 4, "lost_input": 0.1}, "objectives.1.weight_noise: got bits and lost_input, expected one of"),
        ({"bits": 1}, "objectives.1.bits: got 1, expected a whole number from 2 to 16"),
        ({"dead_neurons": 1.5}, "objectives.1.dead_neurons: got 1.5, expected a number above 0 and"),
        ({"bits": 4, "draws": 0}, "objectives.1.draws: got 0, expected a whole number from 1 to 1,000"),
        ({"bits": 4, "metric": "f1"}, "objectives.1.metric: got 'f1', expected a metric of 10 classes: accuracy, loss"),
    ],
)
def test_what_is_wrong_is_one_sentence(place: Path, section: dict[str, object], expected: str) -> None:
    with pytest.raises(RunFileError) as caught:
        resolve(write(place, {"name": "robustness", **section}))
    (told,) = caught.value.faults
    assert told.startswith(expected)


def test_values_out_of_their_range_are_refused() -> None:
    with pytest.raises(OptionError, match="amount: got 0"):
        Robustness("accuracy", "lost_input", 0)
    with pytest.raises(OptionError, match="direction: missing"):
        robustness.objective(bits=4, metric="accuracy")
