"""The fit: left after any epoch and taken up in a new process, it leads to the same weights."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.data import digits
from evonas.data.dataset import Samples
from evonas.errors import EvonasError
from evonas.snn.network import Network
from evonas.tasks.classification import Classification
from evonas.training.batches import Batches
from evonas.training.fit import Fit
from evonas.training.process import seeded
from evonas.training.surrogate_search import Range, SurrogateSearch
from evonas.training.training_settings import Training
from evonas.training.weight_average import WeightAverage
from spaces.spatial_temporal import space

CPU = torch.device("cpu")


class Dropping(nn.Module):
    """An operation whose images lose elements at random while it is trained."""

    def __init__(self, operation: nn.Module) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, images: Tensor) -> Tensor:
        return self.operation(nn.functional.dropout(images, 0.2, training=self.training))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def samples() -> Batches:
    train = digits.read(crop=1, cutout=2).for_search().train
    return Batches(Samples(train.inputs.take(np.arange(48)), train.labels[:48]), CPU)


def drawn(seed: int) -> Network:
    rng = np.random.default_rng(0)
    genotype = next(
        g for g in (space.sample(rng) for _ in range(10_000)) if g["channels"] == 4 and g["time_steps"] == 3
    )
    torch.manual_seed(seed)
    assert space.build is not None
    network: Network = space.build(genotype, (1, 8, 8), 10)
    network.train_neurons()
    name = next(iter(network.operations))
    network.operations[name] = Dropping(network.operations[name])
    return network


def fit_of(network: Network, samples: Batches, **training: Any) -> Fit:
    return Fit(
        network,
        samples,
        Classification(10),
        training=Training(epochs=4, batch_size=16, **training),
        seed=5,
        search=SurrogateSearch(network, widths=Range(0.1, 10.0), every=2),
        average=WeightAverage(network, decay=0.9),
    )


def stored(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as it comes from a file that holds nothing but numbers and texts."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


@pytest.mark.parametrize("training", [{}, {"warm_up": 0.3}])
@pytest.mark.parametrize("left_after", [1, 3])
def test_a_fit_that_is_taken_up_leads_to_the_weights_of_one_that_never_stopped(
    samples: Batches, training: dict[str, Any], left_after: int
) -> None:
    with seeded(9, device=CPU):
        fit = fit_of(drawn(0), samples, **training)
        losses = [fit.run_epoch() for _ in range(4)]
    with seeded(9, device=CPU):
        first = fit_of(drawn(0), samples, **training)
        for _ in range(left_after):
            first.run_epoch()
        state = stored(first.state())
    with seeded(77, device=CPU):
        again = fit_of(drawn(1), samples, **training)
        again.take_up(state)
        assert again.epochs == left_after
        assert [again.run_epoch() for _ in range(4 - left_after)] == losses[left_after:]
    assert same(again.state(), fit.state())
    assert again.sample_steps == fit.sample_steps


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("part", ["generators", "average", "search", "optimizer", "schedule", "network"])
def test_each_part_of_the_state_counts(samples: Batches, part: str) -> None:
    """What is left out of a state leads elsewhere, so that the test above sees whether it is taken up."""

    def ended(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> dict[str, Any]:
        with seeded(9, device=CPU):
            begun = fit_of(drawn(0), samples)
            fresh = stored(begun.state())
            begun.run_epoch()
            state = stored(begun.state())
        change(state, fresh)
        with seeded(77, device=CPU):
            again = fit_of(drawn(0), samples)
            again.take_up(state)
            again.run_epoch()
        return again.state()

    right = ended(lambda state, fresh: None)
    wrong = ended(lambda state, fresh: state.update({part: fresh[part]}))
    assert not same(right, wrong)


def test_the_state_of_another_network_is_refused(samples: Batches) -> None:
    fit = fit_of(drawn(0), samples)
    state = stored(fit.state())
    del state["network"][next(iter(state["network"]))]
    with pytest.raises(EvonasError, match="the state is of another training"):
        fit.take_up(state)


def test_an_average_forgets_the_first_weights_and_is_applied_for_a_while() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0)
        average = WeightAverage(layer, decay=0.5)
        expected = 0.0
        for step in range(1, 9):
            layer.weight.fill_(step)
            average.add(step)
            kept = min(0.5, (1 + step) / (10 + step))
            expected = kept * expected + (1 - kept) * step
    with average.applied():
        assert layer.weight.item() == pytest.approx(expected, rel=1e-6)
    assert layer.weight.item() == 8
