"""A network of weighted connections: weights of currents, the counts of what is present, and what it cannot have."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from recorded import recorded
from torch import Tensor

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError
from evonas.snn.network import Network
from evonas.snn.relaxed.weighted_network import WeightedNetwork, WeightedPlan

KINDS = {
    "spikes": Dynamics("lif_box", v_th=0.5, surrogate=Surrogate("dspike")),
    "adaptive": Dynamics("alif", v_th=0.5, surrogate=Surrogate("dspike")),
    "numbers": Dynamics("analog"),
    "sums": Dynamics("relay"),
}


@dataclass(frozen=True)
class Mixture:
    values: dict[str, Tensor]

    def detached(self) -> Mixture:
        return Mixture({name: value.detach() for name, value in self.values.items()})

    def factors(self) -> dict[str, Tensor]:
        return self.values


def mixture(left: float, right: float, *, requires_grad: bool = False) -> Mixture:
    values = {"left": left, "right": right}
    return Mixture(
        {name: torch.tensor(value, dtype=torch.float64, requires_grad=requires_grad) for name, value in values.items()}
    )


def plan_of(dynamics: Dynamics, *sides: str, left: float | None = None, **given: float) -> Plan:
    """Neurons, read by some or both of two convolutions into others."""
    draft = Draft((2, 4, 4), time_steps=3)
    draft.add("first", dynamics, incoming=[Incoming("in", (INPUT,), "conv", channels=3, kernel=3)])
    spiking = KINDS["spikes"]
    warm = {"left": left, "right": 5.0}
    edges = [
        Incoming(side, ("first",), "conv", channels=2, kernel=3, temperature=warm[side], **given) for side in sides
    ]
    draft.add("last", spiking, incoming=edges)
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("last",), "linear", channels=3)])
    return draft.finish()


def weighted(plan: Plan) -> WeightedPlan:
    weight = {edge.name: (edge.name,) if edge.name in ("left", "right") else () for edge in plan.connections}
    return WeightedPlan(plan, weight, {**weight, **{one.name: () for one in plan.populations}})


def both(kind: str) -> WeightedNetwork:
    torch.manual_seed(0)
    return WeightedNetwork(weighted(plan_of(KINDS[kind], "left", "right")))


DATA = torch.rand(1, 5, 2, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sides", [("left",), ("right",), ("left", "right")])
def test_weights_of_0_and_1_are_a_network_with_its_counts(kind, sides):
    network = both(kind).eval()
    single = Network(plan_of(KINDS[kind], *sides)).eval()
    single.load_state_dict(
        {name: value for name, value in network.all.state_dict().items() if name in single.state_dict()}
    )
    counter, chosen = network.counter(), mixture(*(float(side in sides) for side in ("left", "right")))
    with torch.no_grad():
        logits, activity = recorded(single, DATA)
        assert torch.equal(network(DATA, chosen, counter=counter), logits)
    counts = counter.counts()
    assert counts.spikes.item() == pytest.approx(activity.spikes, rel=1e-5)
    assert counts.events.item() == pytest.approx(activity.synaptic_operations, rel=1e-5)
    assert (counts.macs + counts.input_macs).item() == pytest.approx(activity.macs, rel=1e-5)
    assert counts.neuron_steps.item() == activity.neuron_steps
    adaptive = [one for one in activity.populations if one.kind == "alif"]
    assert counts.adaptive_steps.item() == sum(3 * one.neurons for one in adaptive)


def test_currents_are_weighted_at_the_membrane_and_spikes_stay_spikes():
    network = both("spikes")
    seen = {}
    network.all.neurons["last"].register_forward_hook(lambda _, given, sent: seen.update(given=given[0], sent=sent))
    with torch.no_grad():
        network(DATA, mixture(0.75, 1.25))
        first = network.all.neurons["first"](network.all.operations["in"](DATA[0])[None])
        branch = {
            side: network.all.operations[side](first.flatten(0, 1)).unflatten(0, (3, 5)) for side in ("left", "right")
        }
    torch.testing.assert_close(seen["given"], 0.75 * branch["left"] + 1.25 * branch["right"])
    assert set(seen["sent"].unique().tolist()) == {0.0, 1.0}


def test_the_gradient_of_a_weight_is_that_of_the_temperature_of_its_connection():
    def gradients(left: float | None) -> list[Tensor]:
        torch.manual_seed(0)
        network = WeightedNetwork(weighted(plan_of(KINDS["spikes"], "left", "right", left=left)))
        values = mixture(0.75, 1.25, requires_grad=True)
        loss = network(DATA, values).square().sum()
        return list(torch.autograd.grad(loss, list(values.values.values())))

    mixed, warm = gradients(None), gradients(5.0)
    torch.testing.assert_close(mixed[1], warm[1])
    assert not torch.allclose(mixed[0], warm[0], rtol=1e-3)


@pytest.mark.parametrize("given", [{"delay": 1}, {"dropout": 0.5}])
def test_delays_and_dropout_are_refused(given):
    with pytest.raises(SpaceError, match="'left' has a delay or dropout, which a relaxed network has not"):
        WeightedNetwork(weighted(plan_of(KINDS["spikes"], "left", **given)))
