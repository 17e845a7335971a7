"""Constants of each channel: the same as channels that are populations of their own, in Norse's steps, and counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from unrolled import check_counts, unrolled

from evonas.architecture.constant import each, spread
from evonas.architecture.draft import POOL_GAIN, SKIP_GAIN, Draft, Incoming
from evonas.architecture.neuron import PARAMETERS, SPIKING, Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError
from evonas.snn.kernels.backend import use_backend
from evonas.snn.network import Network
from evonas.snn.neurons import Neuron

OF_CHANNELS = {
    "tau_mem_ms": (1.0, 1.7, 4.0),
    "tau_syn_ms": (3.0, 1.0, 2.0),
    "v_th": (0.3, 0.6, 0.45),
    "tau_adapt_ms": (1.5, 4.0, 2.5),
    "beta": (0.1, 0.2, 0.4),
}
RESETS = [*((kind, "value") for kind in SPIKING), ("lif_box", "subtract")]


def dynamics_of(kind: str, reset: str = "value") -> Dynamics:
    return Dynamics(kind, reset=reset, **{name: OF_CHANNELS[name] for name in PARAMETERS[kind]})


def of_channel(dynamics: Dynamics, channel: int) -> Dynamics:
    """The dynamics of one channel, as of a population whose neurons all share them."""
    return replace(dynamics, **{name: getattr(dynamics, name)[channel] for name in PARAMETERS[dynamics.kind]})


def plan_of(kind: str, reset: str = "value", *, is_looped: bool = False) -> Plan:
    draft = Draft((2, 5, 5), time_steps=4)
    dynamics = dynamics_of(kind, reset)
    draft.add("first", dynamics, incoming=[Incoming("first/conv", (INPUT,), "conv", channels=3, kernel=3)])
    both = [Incoming("second/pool", ("first",), "pool", kernel=3), Incoming("second/skip", ("first",), "skip")]
    draft.add("second", dynamics, incoming=both)
    if is_looped:
        draft.connect("first", Incoming("first/back", ("second",), "conv", channels=3, delay=1))
    draft.add("flat", dynamics, incoming=[Incoming("flat/linear", ("second",), "flat_linear", channels=3)])
    draft.add("dense", dynamics, incoming=[Incoming("dense/dense", ("second",), "dense", channels=3)])
    answer = [Incoming(f"readout/{name}", (name,), "linear", channels=3) for name in ("flat", "dense")]
    draft.add("readout", Dynamics("readout"), incoming=answer)
    return draft.finish()


def network_of(plan: Plan) -> Network:
    torch.manual_seed(0)
    network = Network(plan)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith("norm.bias"):
                values.normal_(0.3, 0.3)
        network.operations["flat/linear"].linear.weight.abs_().mul_(0.4)
    return network.eval()


def frames(batch: int = 3) -> torch.Tensor:
    return torch.poisson(torch.full((4, batch, 2, 5, 5), 0.7), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("is_looped", [False, True])
@pytest.mark.parametrize(("kind", "reset"), RESETS)
def test_outputs_and_counts_are_those_of_norses_steps_one_by_one(kind: str, reset: str, is_looped: bool) -> None:
    network, data = network_of(plan_of(kind, reset, is_looped=is_looped)), frames()
    recorder = network.recorder()
    with torch.no_grad():
        expected = unrolled(network, data)
        torch.testing.assert_close(network.potentials(data), expected["readout"].flatten(2))
        network(data, recorder)
    rates = [float(expected[name].mean()) for name in ("first", "second", "dense")]
    assert all(0.01 < rate < 0.99 for rate in rates), rates
    assert expected["flat"].any()
    check_counts(network, data, recorder.activity())


@pytest.mark.parametrize(("kind", "reset"), RESETS)
def test_a_channel_does_what_a_population_of_its_own_would_do(kind: str, reset: str) -> None:
    dynamics = dynamics_of(kind, reset)
    current = torch.randn(6, 2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    together, counted = Neuron(dynamics, time_steps=6).double(), torch.zeros(6, dtype=torch.int64)
    outputs, alone = together(current, updates=counted), torch.zeros(6, dtype=torch.int64)
    for channel in range(3):
        apart = Neuron(of_channel(dynamics, channel), time_steps=6).double()
        for name, value in apart.named_parameters():  # numbers with the same rounding
            value.data.copy_(together.get_parameter(name)[channel, 0, 0])
        assert torch.equal(outputs[:, :, channel], apart(current[:, :, channel], updates=alone))
    assert torch.equal(counted, alone)


@pytest.mark.parametrize(("kind", "reset"), RESETS)
def test_gradients_of_the_constants_of_each_channel_are_those_of_norses_steps(kind: str, reset: str) -> None:
    found = {}
    for backend in ("fastest", "looped"):
        neurons = Neuron(dynamics_of(kind, reset), time_steps=6).double()
        neurons.make_trainable(*PARAMETERS[kind])
        current = torch.randn(6, 2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        weights = torch.randn(current.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        with use_backend(backend):
            (neurons(current) * weights).sum().backward()
        found[backend] = {name: value.grad for name, value in neurons.named_parameters()}
    for name, gradient in found["looped"].items():
        assert gradient.shape == (3, 1, 1)
        assert gradient.count_nonzero() == 3, name
        torch.testing.assert_close(found["fastest"][name], gradient)


def test_gains_are_those_that_each_channel_would_have_alone() -> None:
    plan, dynamics = plan_of("lif"), dynamics_of("lif")
    edges = {edge.name: edge for edge in plan.connections}
    alone = [of_channel(dynamics, channel) for channel in range(3)]
    assert edges["first/conv"].gain == tuple(1 / one.deviation(4) for one in alone)
    assert edges["second/pool"].gain == tuple(POOL_GAIN * one.threshold_current for one in alone)
    assert edges["second/skip"].gain == tuple(SKIP_GAIN * one.threshold_current for one in alone)
    network = Network(plan)
    assert network.operations["first/conv"].norm.weight.tolist() == pytest.approx(edges["first/conv"].gain)
    images = torch.rand(2, 3, 5, 5)
    expected = images * torch.tensor(edges["second/skip"].gain)[:, None, None]
    torch.testing.assert_close(network.operations["second/skip"](images), expected)
    assert network.double().operations["second/skip"].gain.dtype == torch.float64  # it moves with its network


def test_channels_whose_constants_are_alike_are_trained_apart() -> None:
    alike, shared = Dynamics("lif_box", tau_mem_ms=(2.0, 2.0, 2.0)), Dynamics("lif_box")
    current = torch.randn(4, 2, 3, 2, 2, generator=torch.Generator().manual_seed(5))
    assert torch.equal(Neuron(alike, time_steps=4)(current), Neuron(shared, time_steps=4)(current))
    assert [Neuron(one, time_steps=4).tau_mem_ms.numel() for one in (alike, shared)] == [3, 1]
    network = network_of(plan_of("lif_box"))
    before = sum(one.numel() for one in network.parameters() if one.requires_grad)
    network.train_neurons()
    trained = sum(one.numel() for one in network.parameters() if one.requires_grad)
    assert trained - before == 4 * 2 * 3 + 1  # four populations of three channels, and the readout


def test_a_spread_has_equal_ratios_and_the_middle_that_was_asked_for() -> None:
    assert spread(2.0, 3.0, 3) == pytest.approx((2 / 3, 2.0, 6.0))
    assert each(lambda one, other: one - other, (3.0, 4.0), 1.0) == (2.0, 3.0)
    assert each(lambda one, other: one - other, 3.0, 1.0) == 2.0


def add(*, dynamics: Dynamics, **edge: object) -> None:
    Draft((3, 4, 4), time_steps=2).add("first", dynamics, incoming=[Incoming("edge", (INPUT,), **edge)])


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (lambda: Dynamics("lif", tau_mem_ms=(2.0, 3.0), v_th=(1.0,)), "as many as there are channels, got .*: 2.*: 1"),
        (lambda: Dynamics("lif", v_th=()), "as many as there are channels"),
        (lambda: Dynamics("lif", tau_mem_ms=(2.0, 0.5)), "tau_mem_ms must be at least the time step"),
        (lambda: Dynamics("lif", v_th=(2.0, -0.5)), "v_th must be a positive number"),
        (lambda: Dynamics("readout", tau_mem_ms=(2.0, 3.0)), "all have one time constant"),
        (
            lambda: add(dynamics=Dynamics("lif", v_th=(1.0, 2.0)), operation="conv", channels=3),
            "'first' have 3 channels, and constants for 2. Give one",
        ),
        (
            lambda: add(dynamics=Dynamics("lif"), operation="skip", gain=(1.0, 2.0)),
            "'edge' has 3 channels, got 2 gains",
        ),
        (
            lambda: add(dynamics=Dynamics("lif"), operation="linear", channels=2, gain=(1.0, 2.0)),
            "All channels of the linear 'edge' have one gain, got 2",
        ),
    ],
)
def test_impossible_constants_of_channels_are_refused(refused, told: str) -> None:
    with pytest.raises(SpaceError, match=told):
        refused()
