from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT
from evonas.data.dataset import Samples, SearchData
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.errors import EvonasError, TrainingDivergedError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.snn.network import Network
from evonas.space import Space
from evonas.training.fit import learning_rate_schedule, loss_of
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from evonas.variables import Choice
from spaces.spatial_temporal import space


def job(genotype: Genotype, *, epochs: int = 2, seed: int = 0, slot: int = 0) -> Job:
    return Job(slot, "evaluate", genotype, "toy", epochs=epochs, seed=seed)


def evaluator(data: SearchData, **training: object) -> TrainingEvaluator:
    return TrainingEvaluator(space, data, training=Training(**{"epochs": 2, "batch_size": 8, **training}))  # type: ignore[arg-type]


def measured(returned: Result) -> Measurement:
    assert isinstance(returned.measurement, Measurement)
    return returned.measurement


def test_a_measurement_depends_on_the_seed_and_the_genotype_and_on_nothing_else(
    data: SearchData, genotype: Genotype
) -> None:
    measure = evaluator(data)
    first = measure(job(genotype))
    torch.rand(7)  # whatever the worker did before
    measure(job(space.sample(np.random.default_rng(5)), epochs=1))
    assert measure(job(genotype, slot=99)) == first == evaluator(data)(job(genotype))
    assert measure(job(genotype, seed=1)) != first


def test_a_higher_rung_repeats_the_lower_and_goes_on(data: SearchData, genotype: Genotype) -> None:
    # with the schedule of the top rung, the epochs of the lower rung are the same steps: trained to 1 epoch the
    # network is what it is after the first of 2, as a schedule that ends there would not be
    long, short = evaluator(data, epochs=2), evaluator(data, epochs=1)
    assert long(job(genotype, epochs=1)) == evaluator(data, epochs=2)(job(genotype, epochs=1))
    assert long(job(genotype, epochs=1)) != short(job(genotype, epochs=1))


def test_a_measurement_holds_what_was_measured(data: SearchData, genotype: Genotype) -> None:
    measurement = measured(evaluator(data)(job(genotype)))
    assert 0 <= measurement.accuracy <= 1
    assert measurement.accuracy * 40 == pytest.approx(round(measurement.accuracy * 40))
    assert measurement.samples == measurement.activity.samples == 40
    assert measurement.time_steps == genotype["time_steps"]
    network = space.build(genotype, (1, 8, 8), 10)  # type: ignore[misc]
    assert measurement.parameters == sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert measurement.class_samples == tuple(np.bincount(data.validation.labels, minlength=10))
    assert sum(measurement.class_hits) == round(measurement.accuracy * 40)
    assert all(hits <= samples for hits, samples in zip(measurement.class_hits, measurement.class_samples, strict=True))
    assert Measurement.from_json(json.loads(json.dumps(measurement.to_json()))) == measurement


def test_training_learns(data: SearchData, genotype: Genotype) -> None:
    measure = evaluator(data, epochs=12)
    assert measured(measure(job(genotype, epochs=12))).loss < measured(measure(job(genotype, epochs=1))).loss


def test_a_loss_that_is_no_number_is_a_divergence(data: SearchData, genotype: Genotype) -> None:
    inputs = data.train.inputs.values.copy()
    inputs[5] = np.nan
    broken = replace(data, train=Samples(inputs, data.train.labels))
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 2"):
        evaluator(broken)(job(genotype))


def test_a_validation_loss_that_is_no_number_is_a_divergence(data: SearchData) -> None:
    rng = np.random.default_rng(0)
    analog = next(g for g in (space.sample(rng) for _ in range(10_000)) if g["channels"] == 4 and "surrogate" not in g)
    broken = replace(
        data, validation=Samples(np.full_like(data.validation.inputs.values, np.nan), data.validation.labels)
    )
    with pytest.raises(TrainingDivergedError, match="validation loss"):
        evaluator(broken)(job(analog))


def test_a_network_that_never_spikes_is_flagged_as_silent(data: SearchData, genotype: Genotype) -> None:
    dark = replace(
        data,
        train=Samples(np.zeros_like(data.train.inputs.values), data.train.labels),
        validation=Samples(np.zeros_like(data.validation.inputs.values), data.validation.labels),
    )
    measurement = measured(evaluator(dark, learning_rate=1e-9)(job(genotype)))
    assert measurement.silent
    assert measurement.activity.spikes == 0
    assert not measured(evaluator(data)(job(genotype))).silent


def test_trained_neurons_are_parameters_and_change_the_result(data: SearchData, genotype: Genotype) -> None:
    plain = measured(evaluator(data)(job(genotype)))
    trained = measured(evaluator(data, train_neurons=True)(job(genotype)))
    assert trained.parameters > plain.parameters
    assert trained.loss != plain.loss


def test_a_space_without_build_is_refused(data: SearchData) -> None:
    with pytest.raises(EvonasError, match="no `build`"):
        TrainingEvaluator(Space({"a": Choice([1])}), data, training=Training())


def trained(data: SearchData, genotype: Genotype, *, epochs: int = 2, space: Space = space):
    measure = TrainingEvaluator(
        space, data, training=Training(epochs=2, batch_size=8, learning_rate=2e-2, search_surrogates_every=3)
    )
    returned = measure(job(genotype, epochs=epochs))
    assert returned.trained is not None
    return returned.measurement, returned.trained.surrogate_widths


def test_searched_surrogates_are_the_same_for_the_same_seed_and_move_within_the_range(
    data: SearchData, genotype: Genotype
) -> None:
    measurement, trace = trained(data, genotype)
    assert trained(data, genotype) == (measurement, trace)
    assert len(trace) == 1 + 24 // 3
    widths = [width for entry in trace for width in entry.values()]
    assert all(0.25 <= width <= 4.0 for width in widths)
    assert set(trace[0].values()) == {genotype["surrogate_width"]}
    assert len(set(widths)) > 1
    assert measurement != evaluator(data, learning_rate=2e-2)(job(genotype)).measurement


def test_searched_surrogates_of_a_higher_rung_repeat_those_of_the_lower(data: SearchData, genotype: Genotype) -> None:
    short, long = trained(data, genotype, epochs=1)[1], trained(data, genotype, epochs=2)[1]
    assert long[: len(short)] == short
    assert len(long) > len(short)


def test_a_search_of_surrogates_that_cannot_move_leaves_the_training_bitwise(
    data: SearchData, genotype: Genotype
) -> None:
    fixed = copy(space)
    fixed.surrogate_widths = (float(genotype["surrogate_width"]),) * 2
    plain = evaluator(data, learning_rate=2e-2)(job(genotype))
    assert trained(data, genotype, space=fixed)[0] == plain.measurement
    assert plain.trained is not None
    assert plain.trained.surrogate_widths == ()


def test_surrogates_of_a_space_that_does_not_say_their_range_are_not_searched(data: SearchData) -> None:
    silent = Space({"a": Choice([1])}, build=lambda genotype, input_shape, classes: None)
    with pytest.raises(EvonasError, match="no `surrogate_width`"):
        TrainingEvaluator(silent, data, training=Training(search_surrogates_every=5))


def test_sample_steps_are_counted(data: SearchData, genotype: Genotype, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    forward = Network.forward

    def counting(network: Network, inputs: torch.Tensor, *more: Any) -> torch.Tensor:
        if network.training:
            seen.append(inputs.shape[1] * network.plan.time_steps * (1.0 if torch.is_grad_enabled() else 1 / 3))
        return forward(network, inputs, *more)

    monkeypatch.setattr(Network, "forward", counting)
    steps = 2 * len(data.train.labels) * int(genotype["time_steps"])
    plain = evaluator(data)(job(genotype)).trained
    assert plain is not None
    assert plain.sample_steps == steps == sum(seen)
    seen.clear()
    searched = evaluator(data, search_surrogates_every=3)(job(genotype)).trained
    assert searched is not None
    assert searched.sample_steps == pytest.approx(sum(seen))
    assert searched.sample_steps > 1.5 * steps


def test_an_evaluation_leaves_the_random_numbers_of_its_process_as_they_were(
    data: SearchData, genotype: Genotype
) -> None:
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    evaluator(data, epochs=1)(job(genotype, epochs=1))
    assert torch.equal(torch.rand(4), expected)


def without_norm(change: Callable[[Network], object] = lambda network: None) -> Space:
    """Return a space of one network: pixels skip to neurons, and their mean over space goes to the classes."""

    def build(genotype: object, input_shape: Sequence[int], classes: int) -> Network:
        draft = Draft(input_shape, time_steps=2)
        draft.add("neurons", Dynamics("lif_box", v_th=0.5), incoming=[Incoming("skip", (INPUT,), "skip")])
        readout = Incoming("readout/linear", ("neurons",), "linear", channels=classes)
        draft.add("readout", Dynamics("readout"), incoming=[readout])
        network = Network(draft.finish())
        change(network)
        return network

    return Space({"a": Choice([1])}, build=build)


@pytest.mark.parametrize("train_neurons", [False, True])
def test_a_network_without_norms_and_biases_is_trained(data: SearchData, train_neurons: bool) -> None:
    space = without_norm()
    training = Training(epochs=4, learning_rate=0.1, train_neurons=train_neurons)
    measure = TrainingEvaluator(space, data, training=training)
    one = job(space.canonical({"a": 1}), epochs=4)
    assert measured(measure(one)).parameters == 10 + 3 * train_neurons
    assert measured(measure(one)).loss < measured(measure(replace(one, epochs=1))).loss


def test_a_network_of_which_only_the_neurons_are_trained_is_trained(data: SearchData) -> None:
    def keep_weights(network: Network) -> None:
        network.operations.requires_grad_(False)

    space = without_norm(keep_weights)
    measure = TrainingEvaluator(space, data, training=Training(epochs=2, train_neurons=True))
    assert measured(measure(job(space.canonical({"a": 1})))).parameters == 3


def test_a_network_in_which_nothing_can_be_trained_says_so(data: SearchData) -> None:
    def keep_all(network: Network) -> None:
        network.requires_grad_(False)

    space = without_norm(keep_all)
    measure = TrainingEvaluator(space, data, training=Training(epochs=2))
    with pytest.raises(EvonasError, match="no parameters that can be trained"):
        measure(job(space.canonical({"a": 1})))


def test_an_evaluator_gives_the_threads_of_torch_back(data: SearchData, genotype: Genotype) -> None:
    former = torch.get_num_threads()
    during: list[int] = []
    real = space.build
    assert real is not None

    def build(*arguments: Any) -> Any:
        during.append(torch.get_num_threads())
        return real(*arguments)

    other = copy(space)
    other.build = build
    measure = TrainingEvaluator(other, data, training=Training(epochs=1), threads=former + 1)
    assert torch.get_num_threads() == former
    measure(job(genotype, epochs=1))
    assert (during, torch.get_num_threads()) == ([former + 1], former)


@pytest.mark.parametrize(("warm_up", "rising"), [(0.0, 0), (0.2, 2), (1.0, 9)])
def test_the_learning_rate_rises_in_a_line_and_falls_as_a_cosine(warm_up: float, rising: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = learning_rate_schedule(optimizer, steps=10, warm_up=warm_up)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    falling = 0.25 * (1 + np.cos(np.pi * np.arange(10 - rising) / (10 - rising)))
    assert rates[rising:] == pytest.approx(falling)
    assert rates[:rising] == pytest.approx(0.5 * np.arange(1, rising + 1) / (rising + 1))


def test_the_loss_is_of_the_mean_over_time_or_of_each_time_step(data: SearchData, genotype: Genotype) -> None:
    torch.manual_seed(0)
    network = space.build(genotype, data.input_shape, data.task.outputs)
    inputs, labels = torch.rand(1, 8, 1, 8, 8), torch.arange(8)
    potentials = network.potentials(inputs)
    assert potentials.shape == (3, 8, 10)
    assert torch.equal(potentials.mean(0), network(inputs))
    entropy = torch.nn.functional.cross_entropy
    expected = {
        "of_mean": entropy(potentials.mean(0), labels, label_smoothing=0.1),
        "of_each_step": torch.stack([entropy(step, labels, label_smoothing=0.1) for step in potentials]).mean(),
        "squared_error": (potentials.mean(0) - 0.9 * torch.eye(10)[labels] - 0.01).square().mean(),
    }
    for loss, value in expected.items():
        training = Training(loss=loss, label_smoothing=0.1)  # type: ignore[arg-type]
        found = loss_of(network, inputs, labels, task=data.task, training=training)
        torch.testing.assert_close(found, value)
    assert len({value.item() for value in expected.values()}) == 3


@pytest.mark.parametrize(
    "recipe", [{"warm_up": 0.5}, {"loss": "of_each_step"}, {"loss": "squared_error"}, {"label_smoothing": 0.1}]
)
def test_each_part_of_the_recipe_changes_the_training(
    data: SearchData, genotype: Genotype, recipe: dict[str, object]
) -> None:
    assert evaluator(data, **recipe)(job(genotype)) != evaluator(data)(job(genotype))


def test_a_network_without_potentials_has_no_loss_of_each_step(data: SearchData) -> None:
    class Flat(torch.nn.Sequential):
        pass

    network = Flat(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    inputs, labels = torch.rand(1, 4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(EvonasError, match='The network, a Flat, has no `potentials`.*set training.loss to "of_mean"'):
        loss_of(network, inputs, labels, task=data.task, training=Training(loss="of_each_step"))
