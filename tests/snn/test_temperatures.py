"""Connections with a temperature of Dspike of their own: the spikes of one sum, and a gradient for each temperature."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from recorded import recorded

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError
from evonas.snn.kernels.backend import use_backend
from evonas.snn.kernels.surrogates import derivative, spike
from evonas.snn.network import Network

NEURONS = Dynamics("lif_box", tau_mem_ms=1.25, v_th=0.5, surrogate=Surrogate("dspike", temperature=3.0))


def two_branches(left: float | None, right: float | None, neurons: Dynamics = NEURONS) -> Plan:
    """Two convolutions into the same neurons, read by others."""
    draft = Draft((2, 4, 4), time_steps=5)
    draft.add("stem", neurons, incoming=[Incoming("in", (INPUT,), "conv", channels=3, kernel=3, gain=1.25)])
    branches = [
        Incoming(name, ("stem",), "conv", channels=4, kernel=3, gain=1.25, temperature=temperature)
        for name, temperature in (("left", left), ("right", right))
    ]
    draft.add("node", neurons, incoming=branches)
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("node",), "linear", channels=3)])
    return draft.finish()


def network_of(plan: Plan) -> Network:
    torch.manual_seed(0)
    return Network(plan)


DATA = torch.randn(1, 6, 2, 4, 4, generator=torch.Generator().manual_seed(2))


def gradients(network: Network) -> dict[str, torch.Tensor]:
    logits = network(DATA)
    names = [name for name, one in network.named_parameters() if one.requires_grad and one.ndim > 1]
    found = torch.autograd.grad(logits.square().sum(), [network.get_parameter(name) for name in names])
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("b", [1.0, 3.0, 5.0])
def test_dspike_of_a_temperature_is_the_published_bump(b):
    x = torch.linspace(-0.7, 0.7, 4001, dtype=torch.float64, requires_grad=True)
    surrogate = Surrogate("dspike", temperature=b)
    spike(x, surrogate).sum().backward()
    above = x.detach()
    expected = b * (1 - torch.tanh(b * above) ** 2) / (2 * math.tanh(b / 2)) * (above.abs() < 0.5)
    torch.testing.assert_close(x.grad, expected)
    torch.testing.assert_close(derivative(above, surrogate), expected)
    assert math.isclose(float(torch.trapezoid(x.grad, above)), 1.0, rel_tol=1e-3)
    assert math.isclose(float(x.grad.max()), b / (2 * math.tanh(b / 2)), rel_tol=1e-6)


def test_temperatures_change_no_spike():
    one, mixed = network_of(two_branches(None, None)), network_of(two_branches(None, 5.0))
    assert torch.equal(one(DATA), mixed(DATA))
    with torch.no_grad():
        assert torch.equal(one(DATA), mixed(DATA))
        (ours, counts), (theirs, expected) = recorded(mixed.eval(), DATA), recorded(one.eval(), DATA)
    assert torch.equal(ours, theirs)
    assert counts == expected


@pytest.mark.parametrize("backend", ["fastest", "torch", "looped"])
def test_each_branch_has_the_gradient_that_neurons_of_its_temperature_would_hand_to_it(backend):
    def of(left: float | None, right: float | None) -> dict[str, torch.Tensor]:
        with use_backend(backend):
            return gradients(network_of(two_branches(left, right)))

    mixed, own, other = of(None, 5.0), of(None, None), of(5.0, 5.0)
    weight = "operations.{}.conv.weight"
    torch.testing.assert_close(mixed[weight.format("left")], own[weight.format("left")])
    torch.testing.assert_close(mixed[weight.format("right")], other[weight.format("right")])
    torch.testing.assert_close(of(3.0, None)[weight.format("left")], own[weight.format("left")])
    assert not torch.allclose(own[weight.format("right")], other[weight.format("right")])
    stem = weight.format("in")
    assert not torch.allclose(mixed[stem], own[stem])
    assert not torch.allclose(mixed[stem], other[stem])


def test_a_temperature_of_all_branches_is_that_of_the_neurons():
    warm = replace(NEURONS, surrogate=Surrogate("dspike", temperature=5.0))
    plan = two_branches(None, None, warm)
    stem = replace(plan.populations[0], dynamics=NEURONS)
    plan = replace(plan, populations=(stem, *plan.populations[1:]))
    torch.testing.assert_close(gradients(network_of(two_branches(5.0, 5.0))), gradients(network_of(plan)))


def test_the_width_of_a_stage_scales_the_temperatures_of_its_connections_too():
    wider = replace(NEURONS, surrogate=Surrogate("dspike", 2.0, 3.0))
    network, wide = network_of(two_branches(None, 5.0)), network_of(two_branches(None, 5.0, wider))
    before = gradients(network)
    network.set_surrogate_width("4x4", 2.0)
    after = gradients(network)
    torch.testing.assert_close(after, gradients(wide))
    assert not torch.allclose(after["operations.right.conv.weight"], before["operations.right.conv.weight"])


def test_trained_constants_have_the_gradient_of_the_first_temperature_once():
    found = {}
    for right in (None, 5.0):
        network = network_of(two_branches(None, right))
        network.neurons["node"].make_trainable("v_th", "tau_mem_ms")
        network(DATA).square().sum().backward()
        found[right] = [constant.grad for constant in network.neurons["node"].parameters()]
    torch.testing.assert_close(found[5.0], found[None])
    assert all(gradient != 0 for gradient in found[None])


@pytest.mark.parametrize(
    ("neurons", "told"),
    [
        (
            Dynamics("lif_box"),
            "has the temperature 5.0 of Dspike and leads to neurons of kind 'lif_box' with the surrog",
        ),
        (Dynamics("analog"), "leads to neurons of kind 'analog'. Give these the surrogate 'dspike'"),
    ],
)
def test_a_temperature_into_neurons_without_dspike_is_refused(neurons, told):
    with pytest.raises(SpaceError, match=told):
        two_branches(None, 5.0, neurons)


def test_a_temperature_that_is_no_positive_number_is_refused():
    for wrong in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(SpaceError, match="temperature of a surrogate must be a positive number, got"):
            two_branches(None, wrong)


def test_a_temperature_into_a_loop_is_refused():
    draft = Draft((2, 4, 4), time_steps=3)
    draft.add("a", NEURONS, incoming=[Incoming("in", (INPUT,), "conv", channels=2, temperature=5.0)])
    draft.connect("a", Incoming("back", ("a",), "skip", delay=1))
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("a",), "linear", channels=3)])
    with pytest.raises(SpaceError, match="'in' has a temperature of its own and leads into a loop"):
        draft.finish()
