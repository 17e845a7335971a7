"""The differentiable search: its promises on a few samples, and what it finds on problems whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from evonas.data import digits
from evonas.data.dataset import Samples, SearchData
from evonas.errors import EvonasError, ProfileError, TrainingDivergedError
from evonas.expected_counts import ExpectedCounts, PriceFunction
from evonas.snn.relaxed.network import RelaxedNetwork
from evonas.space import Space
from evonas.tasks.classification import Classification
from evonas.training.bilevel_search import differentiable_search
from evonas.training.bilevel_step import BilevelSteps
from evonas.training.training_settings import Relaxation, Training
from evonas.variables import Choice
from objectives import energy, spikes, synaptic_operations
from spaces.spatial_temporal import LEVELS, space

torch.set_num_threads(1)
SMALL = {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"}


@pytest.fixture(scope="module")
def data() -> SearchData:
    """Few samples, and none for validation: the search cannot read what is not there."""
    train = digits.read().for_search(seed=0).train.take(np.arange(96))
    return SearchData(train, Samples(np.empty((0, 1, 1, 8, 8), np.float32), np.empty(0, np.int64)), Classification(10))


def found(
    data: SearchData,
    *,
    seed: int = 0,
    price: float = 0.5,
    objective: PriceFunction | None = None,
    training: Training = Training(),
    **relaxation,
):
    return differentiable_search(
        space,
        data,
        context=SMALL,
        price=price,
        objective_price=objective,
        relaxation=Relaxation(**{"warm_up": 1, "epochs": 2, "batch_size": 16, **relaxation}),
        training=training,
        seed=seed,
        device=torch.device("cpu"),
    )


def test_the_same_seed_finds_the_same_and_another_seed_something_else(data):
    first = found(data, proposals=2)
    torch.rand(7)  # whatever the worker did before
    assert found(data, proposals=2) == first
    assert found(data, seed=1, proposals=2).trained.epochs != first.trained.epochs


def test_a_search_leaves_the_random_numbers_of_its_process_as_they_were(data):
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    found(data)
    assert torch.equal(torch.rand(4), expected)


def test_surrogates_are_searched_while_the_weights_are_trained(data):
    training = Training(search_surrogates_every=2)
    first, again, plain = found(data, training=training), found(data, training=training), found(data)
    assert again == first
    assert again.trained.surrogate_widths == first.trained.surrogate_widths
    assert len(first.trained.surrogate_widths) == 1 + 9 // 2  # 3 steps an epoch, 3 epochs
    assert all(0.25 <= width <= 4.0 for entry in first.trained.surrogate_widths for width in entry.values())
    assert len({width for entry in first.trained.surrogate_widths for width in entry.values()}) > 1
    assert first.trained.epochs != plain.trained.epochs
    assert plain.trained.surrogate_widths == ()


@pytest.mark.parametrize("paths", ["drawn", "all"])
def test_what_is_found_are_distinct_genotypes_of_the_space(data, paths):
    result = found(data, paths=paths, proposals=3)
    assert len(set(result.proposals)) == len(result.proposals) == 3
    for genotype in result.proposals:
        assert space.genotype(dict(genotype)) == genotype


def test_the_trace_tells_each_epoch(data):
    trace = found(data, epochs=3).trained.epochs
    assert [epoch["logits_loss"] is None for epoch in trace] == [True, False, False, False]
    assert [epoch["objective"] is None for epoch in trace] == [True, False, False, False]
    assert [round(epoch["temperature"], 3) for epoch in trace] == [1.0, 1.0, 0.447, 0.2]
    assert trace[0]["entropy"] == pytest.approx(1, abs=1e-3)
    assert trace[-1]["entropy"] < trace[1]["entropy"] < trace[0]["entropy"]
    assert all(epoch["weights_loss"] > 0 for epoch in trace)


def test_weights_and_logits_learn_from_different_samples(data, monkeypatch):
    seen: dict[str, set[int]] = {"weights": set(), "logits": set()}
    for kind in seen:
        step = getattr(BilevelSteps, f"step_of_{kind}")

        def listening(self, index, *, step=step, kind=kind, **options):
            seen[kind] |= set(index.tolist())
            return step(self, index, **options)

        monkeypatch.setattr(BilevelSteps, f"step_of_{kind}", listening)
    found(data, weights_part=0.25, epochs=8)
    assert len(seen["weights"]) == 24
    assert not seen["weights"] & seen["logits"]


def test_the_price_is_that_of_the_function_handed_in(data):
    asked: list[ExpectedCounts] = []

    def constant(counts: ExpectedCounts) -> torch.Tensor:
        asked.append(counts)
        return 7.0 + 0 * counts.spikes

    assert found(data, objective=constant).trained.epochs[-1]["objective"] == 7.0
    assert asked


def test_the_price_weighs_in_the_steps_of_the_choices(data):
    def choices(price: float, scale: float) -> object:
        def objective(counts: ExpectedCounts) -> torch.Tensor:
            return scale * (1.0 + counts.spikes)

        return found(data, price=price, objective=objective).trained.epochs[-1]["entropy"]

    assert choices(0.0, 1.0) != choices(5.0, 1.0)
    assert choices(5.0, 1.0) == pytest.approx(choices(5.0, 1024.0)), "its unit does not matter"


def test_a_chip_without_multiply_accumulates_gets_no_analog_neurons(data):
    for seed in range(3):
        result = found(data, seed=seed, objective=energy.expected(profile="loihi1_davies"), proposals=4)
        for genotype in result.proposals:
            assert "analog" not in [genotype.get(f"stage{stage}.kind") for stage in range(LEVELS)]


@pytest.mark.parametrize(
    "price", [spikes.expected(), synaptic_operations.expected(), energy.expected(profile="arith45_fp32")]
)
def test_objectives_have_a_price_for_expected_counts(data, price):
    trace = found(data, objective=price, epochs=1).trained.epochs
    assert trace[-1]["objective"] is not None
    assert trace[-1]["objective"] > 0


@pytest.mark.parametrize("profile", ["gpu_degnan", "spinnaker1", "loihi2"])
def test_a_chip_whose_energy_is_no_sum_over_events_is_refused(profile):
    with pytest.raises(ProfileError, match="cannot price a differentiable search"):
        energy.expected(profile=profile)


def test_a_loss_that_is_no_number_is_a_divergence(data):
    broken = replace(data, train=Samples(np.full_like(data.train.inputs.values, np.nan), data.train.labels))
    with pytest.raises(TrainingDivergedError, match="step of the"):
        found(broken)


def test_what_cannot_be_searched_is_refused(data):
    settings = {"price": 0.0, "objective_price": None, "relaxation": Relaxation(), "training": Training(), "seed": 0}
    with pytest.raises(EvonasError, match="no `relax`"):
        differentiable_search(Space({"a": Choice([1])}), data, context={}, device=torch.device("cpu"), **settings)
    with pytest.raises(EvonasError, match="price of a differentiable search must be 0 or more, got -1"):
        found(data, price=-1)
    with pytest.raises(EvonasError, match="1 training samples are too few"):
        found(replace(data, train=data.train.take(np.arange(1))))


def test_all_faults_of_the_settings_are_told_at_once():
    with pytest.raises(EvonasError) as caught:
        Relaxation(epochs=0, warm_up=-1, weights_part=1.0, paths="some", logit_rate=0.0)
    for fault in (
        "epochs: got 0",
        "warm_up: got -1",
        "weights_part: got 1.0",
        "paths: got 'some'",
        "logit_rate: got 0.0",
    ):
        assert fault in str(caught.value)


@pytest.mark.parametrize("every", [None, 2])
def test_sample_steps_are_counted(data, monkeypatch, every):
    seen = []
    forward = RelaxedNetwork.forward

    def counting(network, inputs, mixture, *, counter=None):
        steps = inputs.shape[1] * network.time_steps(mixture)
        is_choosing = counter is not None and torch.is_grad_enabled()
        seen.append(steps * (3 if is_choosing else 1 if torch.is_grad_enabled() else 1 / 3))
        return forward(network, inputs, mixture, counter=counter)

    monkeypatch.setattr(RelaxedNetwork, "forward", counting)
    trained = found(data, training=Training(search_surrogates_every=every)).trained
    assert trained.sample_steps == pytest.approx(sum(seen))
    # 48 samples an epoch and kind of step, of 2 to 8 time steps: three epochs for the weights, two for the choices
    least = 48 * 2 * (3 + 2 * 3)
    assert least < trained.sample_steps < 8 * least
