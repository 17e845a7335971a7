"""Delayed connections: what is read some time steps ago, loops among populations, and their exact counts."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from recorded import recorded
from torch import nn
from unrolled import check_counts, unrolled

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.loops import order_of_computation, strongly_connected
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import SpaceError
from evonas.snn.kernels.backend import use_backend
from evonas.snn.loop_norm import LoopNorm, with_loop_norms
from evonas.snn.network import Network
from evonas.snn.operations import make_operation

TIME_STEPS = 5
SPIKING = ("lif", "lif_box", "integrate_and_fire", "alif")


def feedback_plan(kind: str = "lif_box", *, back: int = 1, time_steps: int = TIME_STEPS, static: bool = False) -> Plan:
    """A stem, a loop of two layers of which one reads itself and the data from two steps ago as well, and a readout."""
    dynamics = Dynamics(kind, v_th=0.4)
    draft = Draft((1, 5, 4) if static else (time_steps, 1, 5, 4), time_steps=time_steps)
    draft.add("stem", dynamics, incoming=[Incoming("stem/conv", (INPUT,), "conv", channels=2, kernel=3)])
    late = Incoming("a/late", (INPUT,), "conv", channels=2, kernel=3, delay=2)
    draft.add("a", dynamics, incoming=[Incoming("a/conv", ("stem",), "conv", channels=2, kernel=3), late])
    both = Incoming("b/conv", ("a", "stem"), "conv", channels=2, kernel=3)
    draft.add("b", dynamics, incoming=[both])
    draft.connect("a", Incoming("a/back", ("b", "stem"), "conv", channels=2, kernel=3, delay=back))
    draft.connect("b", Incoming("b/self", ("b",), "skip", delay=1))
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.7), incoming=[Incoming("out", ("b",), "linear", channels=3)])
    return draft.finish()


def network_of(plan: Plan, *, seed: int = 5, dtype: torch.dtype = torch.float32) -> Network:
    """A network whose norms have seen data."""
    torch.manual_seed(seed)
    network = Network(plan)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.5)
    with torch.no_grad():
        for _ in range(3):
            network(events(plan, samples=8))
    return network.to(dtype)


def events(plan: Plan, *, samples: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    data = torch.rand(plan.time_steps, samples, *plan.input_shape, generator=generator, dtype=torch.float64)
    return ((data > 0.6) * (data * 10).round()).to(dtype)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("back", [1, 3])
@pytest.mark.parametrize("kind", [*SPIKING, "analog"])
def test_outputs_and_gradients_equal_a_plain_unrolled_loop_in_float64(kind, back, static):
    network = network_of(feedback_plan(kind, back=back, static=static), dtype=torch.float64).eval()
    network.train_neurons()
    data = events(network.plan, samples=3, dtype=torch.float64)[: 1 if static else None].requires_grad_()
    parameters = [data, *(p for p in network.parameters() if p.requires_grad)]
    weights = torch.rand(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits = network(data)
    expected = unrolled(network, data)["readout"].mean(0)
    assert float((logits - expected).detach().abs().max()) < 1e-12
    got, wanted = (torch.autograd.grad((one * weights).sum(), parameters) for one in (logits, expected))
    for ours, theirs in zip(got, wanted, strict=True):
        assert float((ours - theirs).abs().max()) <= 1e-9 * max(1.0, float(theirs.abs().max()))
    assert all(bool(one.any()) for one in got[:1])


@pytest.mark.parametrize("way", ["torch", "looped"])
def test_every_backend_gives_the_same_spikes(way):
    network = network_of(feedback_plan("lif")).eval()
    data = events(network.plan, samples=4)
    with torch.no_grad():
        _, expected = recorded(network, data)
        with use_backend(way):
            _, activity = recorded(network, data)
    assert activity == expected


@pytest.mark.parametrize("delay", [1, 2, 4])
def test_a_feedback_edge_delays_by_its_steps_and_starts_anew_with_each_sample(delay):
    draft = Draft((TIME_STEPS, 1, 1, 1), time_steps=TIME_STEPS)
    neuron = Dynamics("integrate_and_fire")
    draft.add("a", neuron, incoming=[Incoming("in", (INPUT,), "skip")])
    draft.connect("a", Incoming("back", ("a",), "skip", delay=delay))
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("a",), "linear", channels=2)])
    network = Network(draft.finish()).eval()
    data = torch.zeros(TIME_STEPS, 2, 1, 1, 1)
    data[0, 0] = 1.0
    for _ in range(2):  # nothing is left over from the last batch
        with torch.no_grad():
            _, activity = recorded(network, data)
        expected = tuple(int(t % delay == 0) for t in range(TIME_STEPS))
        assert activity.populations[0].spikes == expected
        (back,) = (edge for edge in activity.connections if edge.name == "back")
        assert back.events == (0,) * delay + expected[: TIME_STEPS - delay]
        assert back.delay == delay


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("kind", [*SPIKING, "analog"])
def test_counts_equal_brute_force_over_every_synapse_at_the_step_of_arrival(kind, static):
    network = network_of(feedback_plan(kind, back=2, static=static)).eval()
    data = events(network.plan, samples=2)[: 1 if static else None]
    with torch.no_grad():
        _, activity = recorded(network, data)
        check_counts(network, data, activity)
    assert {edge.name: edge.static for edge in activity.connections}["a/late"] is False


def test_updates_of_a_loop_are_those_of_each_step():
    network = network_of(feedback_plan("integrate_and_fire", static=True)).eval()
    data = torch.zeros(1, 1, 1, 5, 4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.bias)
            module.running_mean.zero_()
    with torch.no_grad():
        _, activity = recorded(network, data)
    assert all(sum(one.updates) == sum(one.spikes) == 0 for one in activity.populations)
    data[..., 2, 2] = 100.0
    with torch.no_grad():
        _, activity = recorded(network, data)
    assert all(sum(one.updates) > 0 for one in activity.populations)


def test_delays_outside_of_loops_are_folded_over_time():
    draft = Draft((TIME_STEPS, 2, 3, 3), time_steps=TIME_STEPS)
    draft.add("a", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "conv", channels=4, kernel=3)])
    late = Incoming("late", ("a",), "conv", channels=4, kernel=3, delay=2)
    draft.add("b", Dynamics("lif"), incoming=[Incoming("now", ("a",), "skip"), late])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("b",), "linear", channels=2)])
    plan = draft.finish()
    assert plan.stepped == frozenset()
    assert [len(part) for part in plan.parts] == [1, 1, 1]
    network = Network(plan)
    calls = []
    network.operations["late"].register_forward_pre_hook(lambda _, args: calls.append(args[0]))
    with torch.no_grad():
        network(events(plan, samples=4))
    (given,) = calls
    assert given.shape == (TIME_STEPS * 4, 4, 3, 3)
    assert not given[:8].any()
    assert type(network.operations["late"].norm) is nn.BatchNorm2d


def test_only_populations_of_loops_are_stepped():
    network = network_of(feedback_plan())
    assert network.plan.stepped == {"a/back", "b/conv", "b/self"}
    assert [[one.name for one in part] for part in network.plan.parts] == [["stem"], ["a", "b"], ["readout"]]
    seen = dict.fromkeys(network.operations, 0)
    for name, operation in network.operations.items():
        operation.register_forward_pre_hook(lambda *_, name=name: seen.update({name: seen[name] + 1}))
    with torch.no_grad():
        network(events(network.plan, samples=2))
    assert {name for name, calls in seen.items() if calls == TIME_STEPS} == network.plan.stepped
    assert set(seen.values()) == {1, TIME_STEPS}


def test_norms_of_a_loop_do_the_same_in_training_and_in_evaluation():
    network = network_of(feedback_plan("lif"))
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.eval()  # those outside of the loop have statistics of the batch
    data = events(network.plan, samples=4, seed=9)
    before = copy.deepcopy(network)
    with torch.no_grad():
        trained, evaluated = network(data), before.eval()(data)
    assert torch.equal(trained, evaluated)


def test_norms_of_a_loop_do_not_depend_on_how_large_the_weights_are_and_keep_zeros():
    network = network_of(feedback_plan("lif")).eval()
    data = events(network.plan, samples=4)
    with torch.no_grad():
        expected = network(data)
        network.operations["a/back"].conv.weight *= 7.0
        torch.testing.assert_close(network(data), expected)
        network.operations["a/back"].conv.weight[:, :, 0] = 0.0
        _, activity = recorded(network, data)
        assert torch.isfinite(network(data)).all()
    (back,) = (edge for edge in activity.connections if edge.name == "a/back")
    assert 0 < sum(back.events) < 0.7 * sum(back.inputs) * back.out_shape[0] * back.kernel**2


def test_norms_of_a_loop_begin_with_the_deviation_of_a_batch_norm():
    torch.manual_seed(0)
    planned = feedback_plan().connections
    edge = replace(next(one for one in planned if one.name == "b/conv"), in_shape=(40, 9, 9), out_shape=(50, 9, 9))
    operation = with_loop_norms(make_operation(edge), "weights")
    spikes = (torch.rand(30, 40, 9, 9) < 0.15).float()
    currents = operation(spikes)[:, :, 1:-1, 1:-1].detach()
    deviations = currents.std((0, 2, 3))
    torch.testing.assert_close(deviations, torch.full((50,), edge.gain), atol=0, rtol=0.15)
    assert type(operation.norm) is LoopNorm


def test_a_network_with_feedback_learns_through_it():
    """The class is which of two pixels was bright at the first step; the readout sees the last steps alone."""
    torch.manual_seed(0)
    draft = Draft((6, 2, 1, 1), time_steps=6)
    neuron = Dynamics("lif_box", tau_mem_ms=1.0, v_th=0.5)
    draft.add("a", neuron, incoming=[Incoming("in", (INPUT,), "conv", channels=8)])
    draft.connect("a", Incoming("back", ("a",), "conv", channels=8, delay=1))
    readout = Dynamics("readout", tau_mem_ms=1.0)
    draft.add("readout", readout, incoming=[Incoming("out", ("a",), "linear", channels=2, delay=5)])
    network = Network(draft.finish())
    labels = torch.arange(64) % 2
    data = torch.zeros(6, 64, 2, 1, 1)
    data[0, torch.arange(64), labels] = 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(30):
        loss = nn.functional.cross_entropy(network(data), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_networks_with_loops_are_copied_traced_and_exported(copied):
    network = copied(network_of(feedback_plan("lif")).eval())
    data = events(network.plan, samples=2)
    with torch.no_grad():
        expected = network(data)
        traced = torch.jit.trace(network, events(network.plan, samples=3), check_trace=False)
        exported = torch.export.export(network, (data,)).module()
        torch.testing.assert_close(traced(data), expected)
        torch.testing.assert_close(exported(data), expected)


def test_a_loop_within_one_time_step_is_refused_by_name():
    draft = Draft((1, 2, 2), time_steps=3)
    draft.add("a", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "skip")])
    draft.add("b", Dynamics("lif"), incoming=[Incoming("ab", ("a",), "skip")])
    draft.connect("a", Incoming("ba", ("b",), "skip"))
    with pytest.raises(SpaceError, match="a -> b -> a is a loop within one time step.*needs a delay"):
        draft.finish()


@pytest.mark.parametrize("delay", [-1, 3, 7])
def test_a_delay_after_which_nothing_arrives_is_refused(delay):
    draft = Draft((1, 2, 2), time_steps=3)
    with pytest.raises(SpaceError, match=f"less than the 3 time steps, after which nothing arrives, got {delay}"):
        draft.add("a", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "skip", delay=delay)])


def test_feedback_to_nowhere_and_of_another_shape_is_refused():
    draft = Draft((1, 4, 4), time_steps=3)
    draft.add("a", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "skip")])
    draft.add("b", Dynamics("lif"), incoming=[Incoming("ab", ("a",), "conv", channels=2, kernel=3, stride=2)])
    with pytest.raises(SpaceError, match="leads to 'c', which was not added before"):
        draft.connect("c", Incoming("ca", ("b",), "skip", delay=1))
    with pytest.raises(SpaceError, match=r"of 'ba' has the shape \(2, 2, 2\), and a \(1, 4, 4\)"):
        draft.connect("a", Incoming("ba", ("b",), "skip", delay=1))


def test_names_of_populations_and_connections_are_taken_once():
    draft = Draft((1, 4, 4), time_steps=3)
    draft.add("a", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "skip")])
    with pytest.raises(SpaceError, match=r"The name 'a' is taken"):
        draft.add("a", Dynamics("lif"), incoming=[Incoming("again", (INPUT,), "skip")])
    with pytest.raises(SpaceError, match=r"'input' is the data"):
        draft.add(INPUT, Dynamics("lif"), incoming=[Incoming("again", (INPUT,), "skip")])
    with pytest.raises(SpaceError, match=r"The name of the connection 'in' into 'b' is taken"):
        draft.add("b", Dynamics("lif"), incoming=[Incoming("in", ("a",), "conv", channels=1, kernel=3)])
    with pytest.raises(SpaceError, match=r"The name of the connection 'in' into 'a' is taken"):
        draft.connect("a", Incoming("in", ("a",), "skip", delay=1))
    with pytest.raises(SpaceError, match="one time step or more, got 0"):
        Draft((1, 4, 4), time_steps=0)


def test_populations_come_after_what_they_read_within_a_step_wherever_they_were_added():
    draft = Draft((1, 2, 2), time_steps=3)
    draft.add("a", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "skip")])
    draft.add("b", Dynamics("lif"), incoming=[Incoming("b/in", (INPUT,), "skip")])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("a",), "linear", channels=2)])
    draft.connect("a", Incoming("ba", ("b",), "skip"))
    assert [one.name for one in draft.finish().populations] == ["b", "a", "readout"]


def test_parts_come_after_what_they_read():
    graph = {"a": ["c"], "b": ["a", "x"], "c": ["b"], "d": ["c", "d"], "e": ["f"], "f": []}
    assert strongly_connected(graph) == [("a", "b", "c"), ("d",), ("f",), ("e",)]
    assert order_of_computation({"a": [], "b": ["a"], "c": ["b"]}, {"a": ["c"], "b": [], "c": []}) == ["a", "b", "c"]
