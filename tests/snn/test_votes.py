"""Votes: the answer of a class is the mean of several outputs, of neurons or of weights."""

from __future__ import annotations

import pytest
import torch
from recorded import recorded

from evonas.architecture.draft import READOUT_GAIN, Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError
from evonas.snn.network import Network
from evonas.snn.operations import make_operation

CLASSES, VOTES = 3, 4


def plan_of(head: str, *, gain: float | None = None) -> Plan:
    draft = Draft((2, 5, 4), time_steps=3)
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.4)
    draft.add("first", neurons, incoming=[Incoming("first/conv", (INPUT,), "conv", channels=4, kernel=3)])
    if head == "neurons":
        dense = Incoming("voters/dense", ("first",), "dense", channels=CLASSES * VOTES)
        draft.add("voters", neurons, incoming=[dense])
        answer = Incoming("readout/vote", ("voters",), "vote", channels=CLASSES, gain=gain)
    else:
        answer = Incoming("readout/out", ("first",), head, channels=CLASSES, votes=VOTES, gain=gain)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[answer])
    return draft.finish()


def network_of(head: str, *, gain: float | None = None) -> Network:
    torch.manual_seed(0)
    network = Network(plan_of(head, gain=gain))
    for _ in range(10):
        network(torch.rand(1, 8, 2, 5, 4))
    return network


def test_neurons_vote_with_the_mean_rate_of_their_class() -> None:
    network = network_of("neurons", gain=1.0).eval()
    data = torch.rand(1, 6, 2, 5, 4)
    spikes: list[torch.Tensor] = []
    network.neurons["voters"].register_forward_hook(lambda _, __, out: spikes.append(out))
    with torch.no_grad():
        logits, activity = recorded(network, data)
    rates = spikes[0].mean(0)[..., 0, 0]
    expected = torch.stack([rates[:, VOTES * c : VOTES * (c + 1)].mean(1) for c in range(CLASSES)], dim=1)
    torch.testing.assert_close(logits, expected)
    assert 0 < float(rates.mean()) < 1
    vote = activity.connections[-1]
    assert vote.element == "binary"
    assert vote.events == activity.populations[1].spikes == tuple(spikes[0].sum((1, 2, 3, 4)).int().tolist())
    assert (vote.weights, vote.biases, vote.fan_in, vote.dense, vote.groups) == (0, 0, VOTES, CLASSES * VOTES, CLASSES)


@pytest.mark.parametrize("head", ["linear", "flat_linear"])
def test_a_vote_without_neurons_is_the_mean_of_as_many_linear_layers_and_costs_one(head: str) -> None:
    network, plain = network_of(head, gain=2.0), plan_of(head).connections[-1]
    edge, operation = network.plan.connections[-1], network.operations["readout/out"]
    images = torch.rand(2, 4, 5, 4, requires_grad=True)
    inputs = images.mean((2, 3)) if head == "linear" else images.flatten(1)
    each = inputs @ operation.linear.weight.T
    torch.testing.assert_close(operation(images), 2.0 * each.unflatten(1, (CLASSES, VOTES)).mean(2))
    ours = torch.autograd.grad(operation(images).square().sum(), [images, operation.linear.weight])
    theirs = torch.autograd.grad((2.0 * each.unflatten(1, (CLASSES, VOTES)).mean(2)).square().sum(),
                                 [images, operation.linear.weight])  # fmt: skip
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    assert operation.linear.weight.shape[0] == CLASSES * VOTES
    assert operation.weight.shape[0] == CLASSES
    assert (edge.weights, edge.dense, edge.fan_in) == (operation.weight.numel(), plain.dense, plain.fan_in)
    with torch.no_grad():
        _, activity = recorded(network.eval(), torch.rand(1, 6, 2, 5, 4))
    assert activity.connections[-1].events == tuple(CLASSES * spikes for spikes in activity.populations[0].spikes)


def test_every_voter_learns() -> None:
    network = network_of("neurons")
    network(torch.rand(1, 8, 2, 5, 4)).square().sum().backward()
    gradient = network.operations["voters/dense"].linear.weight.grad
    assert gradient is not None
    assert bool((gradient.abs().sum(1) > 0).all())


def test_the_gain_of_an_answer_is_that_of_readouts_unless_another_one_is_given() -> None:
    assert plan_of("neurons").connections[-1].gain == READOUT_GAIN
    assert plan_of("linear").connections[-1].gain == READOUT_GAIN
    assert [plan_of(head, gain=1.0).connections[-1].gain for head in ("neurons", "linear", "flat_linear")] == [1.0] * 3
    draft = Draft((2, 4, 4), time_steps=2)
    with pytest.raises(SpaceError, match=r"hands on elements as they are, got gain 2.0. Leave it out"):
        draft.add("a", Dynamics("relay"), incoming=[Incoming("a", (INPUT,), "max_pool", kernel=3, gain=2.0)])
    skip = draft.add("b", Dynamics("lif"), incoming=[Incoming("b", (INPUT,), "skip", gain=0.5)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", (skip,), "linear", channels=2)])
    plan = draft.finish()
    images = torch.rand(2, 2, 4, 4)
    assert torch.equal(make_operation(plan.connections[0])(images), 0.5 * images)


@pytest.mark.parametrize(
    ("given", "shape", "message"),
    [
        ({"operation": "vote", "channels": 5}, (12, 1, 1), "got 1 of 12 x 1 x 1 for 5 classes"),
        ({"operation": "vote", "channels": 3}, (12, 2, 1), "got 1 of 12 x 2 x 1 for 3 classes"),
        ({"operation": "vote"}, (12, 1, 1), "for 0 classes"),
        ({"operation": "linear", "channels": 3, "votes": 0}, (12, 1, 1), "must be 1 or more"),
        ({"operation": "conv", "channels": 3, "votes": 2}, (12, 1, 1), "got 2 of 'conv'. The vote of neurons is"),
    ],
)
def test_votes_that_cannot_be_are_refused(given: dict, shape: tuple[int, int, int], message: str) -> None:
    draft = Draft(shape, time_steps=2)
    with pytest.raises(SpaceError, match=message):
        draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", (INPUT,), **given)])


def test_linear_layers_may_drive_neurons_and_are_counted_exactly() -> None:
    draft = Draft((2, 3, 2), time_steps=3)
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.05)
    draft.add("first", neurons, incoming=[Incoming("first/linear", (INPUT,), "flat_linear", channels=5)])
    draft.add("second", neurons, incoming=[Incoming("second/linear", ("first",), "linear", channels=6)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("vote", ("second",), "vote", channels=3)])
    torch.manual_seed(0)
    network = Network(draft.finish()).eval()
    with torch.no_grad():
        logits, activity = recorded(network, torch.rand(1, 4, 2, 3, 2))
    assert logits.shape == (4, 3)
    first, second = activity.populations[:2]
    assert 0 < sum(first.spikes) < 4 * 5 * 3
    assert activity.connections[1].events == tuple(6 * spikes for spikes in first.spikes)
    assert activity.connections[2].events == second.spikes
