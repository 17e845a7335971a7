"""Objectives that read one number of a measurement."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.deployment import Deployment
from evonas.chips.operation_counts import operations
from evonas.chips.profile import load
from evonas.measurement import Activity, Connection, Measurement, Population
from evonas.objective import Objective, score
from objectives import accuracy, balanced_accuracy, parameters, spikes, synaptic_operations


def measurement() -> Measurement:
    """Return 10 samples of an analog layer behind an image, and a readout that gets spikes and graded events."""
    analog = Population("analog", "analog", (2, 2, 2), 0, True, (30, 30), (0, 0))
    readout = Population("readout", "readout", (3, 1, 1), 1, False, (5, 6), (30, 30))
    shapes = ((1, 4, 4), (2, 2, 2), 2, 2, 0, 1, 8, 2, 4, 32)
    rest = ((9, 9), (0, 0), (0, 0))
    image = Connection("image", ("input",), "analog", "conv", "real", *shapes, True, (0, 0), (0, 0), (70, 70), *rest)
    event = Connection(
        "event", ("analog",), "readout", "conv", "graded", *shapes, False, (40, 20), (9, 1), (0, 0), *rest
    )
    return Measurement(
        {"accuracy": 0.9, "loss": 0.2}, 10, 123, 2, False, Activity(10, 2, (analog, readout), (image, event))
    )


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        (accuracy.objective(), 0.9),
        (spikes.objective(), 4.1),
        (synaptic_operations.objective(), 7.0),
        (parameters.objective(), 123),
    ],
)
def test_an_objective_reads_its_number_per_sample(objective: Objective, value: float) -> None:
    assert math.isclose(objective.score(measurement()), value)
    assert objective.unit


def test_balanced_accuracy_is_that_of_scikit_learn_and_a_constant_answer_is_worth_one_class() -> None:
    from sklearn.metrics import balanced_accuracy_score

    rng = np.random.default_rng(0)
    labels = rng.choice(5, 300, p=[0.8, 0.1, 0.05, 0.05, 0.0])  # the last class has no sample
    objective = balanced_accuracy.objective()
    for answers in (np.where(rng.random(300) < 0.7, labels, rng.integers(0, 4, 300)), np.zeros(300, int)):
        counted = replace(
            measurement(),
            counts={
                "class_samples": tuple(np.bincount(labels, minlength=5).tolist()),
                "class_hits": tuple(np.bincount(labels[answers == labels], minlength=5).tolist()),
            },
        )
        value = objective.score(counted)
        assert value == pytest.approx(balanced_accuracy_score(labels, answers))
        assert objective.band is not None
        low, high = objective.band(counted)
        assert 0 <= low <= value <= high <= 1
    assert value == 0.25
    assert objective.direction == "max"


def test_the_band_of_balanced_accuracy_is_one_standard_error() -> None:
    rng = np.random.default_rng(1)
    samples, chances = np.array([40, 200]), np.array([0.5, 0.9])
    drawn = rng.binomial(samples, chances, (20_000, 2)) / samples
    counted = replace(measurement(), counts={"class_samples": (40, 200), "class_hits": (20, 180)})
    objective = balanced_accuracy.objective()
    assert objective.band is not None
    low, high = objective.band(counted)
    assert (high - low) / 2 == pytest.approx(drawn.mean(axis=1).std(), rel=0.03)


def test_balanced_accuracy_of_a_measurement_without_classes_has_no_value() -> None:
    scored = score(measurement(), [balanced_accuracy.objective()])
    assert scored.values == (None,)
    assert "does not count correct answers by class" in scored.reason


@pytest.mark.parametrize("static", [True, False])
def test_a_static_layer_counts_once_wherever_its_outputs_are_counted(static: bool) -> None:
    activity = measurement().activity
    analog = replace(activity.populations[0], static=static)
    activity = replace(activity, populations=(analog, activity.populations[1]))
    by_hand = 0
    for population in activity.populations:
        for step, count in enumerate(population.spikes):
            if step == 0 or not population.static:  # what is the same at all steps is computed and sent in the first
                by_hand += count
    assert activity.spikes == by_hand / 10 == (4.1 if static else 7.1)
    assert spikes.objective().score(replace(measurement(), activity=activity)) == by_hand / 10
    chip = load("arith45_fp32")
    deployed = DeployedNetwork(activity, chip)
    priced = operations(deployed)
    assert sum(counts["spike_out"] for counts in priced.values()) == by_hand / 10
    assert sum(deployed.spikes[population.name] for population in activity.populations) == by_hand


def test_a_static_layer_is_sent_at_every_step_where_it_is_computed_at_every_step() -> None:
    activity, chip, assumed = measurement().activity, load("arith45_fp32"), Deployment(static_first="every-step")
    deployed = DeployedNetwork(activity, chip, assumed)
    priced = operations(deployed)
    assert priced["analog"]["spike_out"] == 6.0
    assert deployed.sent["analog"] == (30, 30)


def test_accuracy_is_maximised_and_cannot_be_better_than_one() -> None:
    objective = accuracy.objective()
    assert (objective.direction, objective.best, objective.log) == ("max", 1.0, False)


def test_counts_are_minimised_in_decades() -> None:
    for module in (spikes, synaptic_operations, parameters):
        assert (module.objective().direction, module.objective().log) == ("min", True)


def test_synaptic_operations_say_that_macs_are_not_among_them() -> None:
    assert "multiply-accumulates" in synaptic_operations.objective().uncounted[0]


def test_every_objective_is_called_like_its_file() -> None:
    for module in (accuracy, spikes, synaptic_operations, parameters):
        assert module.objective().name == module.__name__.removeprefix("objectives.")


def test_objectives_are_scored_together() -> None:
    together = score(measurement(), [accuracy.objective(), parameters.objective()])
    assert together.values == (0.9, 123.0)
    assert together.is_feasible
