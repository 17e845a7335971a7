"""Sums of currents, norms and means without neurons behind them, and dropout: what they compute, cost and refuse."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import pytest
import torch
from recorded import recorded
from torch import nn
from unrolled import check_counts, unrolled

from evonas.architecture.current_cell import add_current_cell, cell_of_code
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.chips.energy import estimate
from evonas.chips.fit import check
from evonas.chips.profile import load
from evonas.errors import ProfileError, SpaceError, UnpriceableError
from evonas.profiles import known
from evonas.snn.loop_norm import StepNorm
from evonas.snn.network import Network
from evonas.snn.operations import AveragePool, make_operation

TIME_STEPS = 4
NEURONS = Dynamics("lif_box", tau_mem_ms=4 / 3, v_th=0.5)
EVERY_OPERATION = "0134 0020 0001 0200"
"""Of a cell with each operation, and a convolution that leads back."""


def summing(code: str = EVERY_OPERATION, *, loop_norm: str = "weights", dropout: float = 0.0) -> Plan:
    """A cell of sums of currents, normalised in front of neurons, whose means drive a linear layer of neurons."""
    draft = Draft((1, 6, 5), time_steps=TIME_STEPS, loop_norm=loop_norm)
    entry = Incoming("stem/conv", (INPUT,), "conv", channels=3, kernel=3, gain=1.0)
    last = add_current_cell(draft, cell_of_code(code), entry, name="cell", dynamics=NEURONS)
    draft.add("normed", NEURONS, incoming=[Incoming("normed/norm", (last,), "norm", gain=1.0)])
    means = Incoming("means/pool", ("normed",), "pool", kernel=2, stride=2, gain=1.0)
    draft.add("means", Dynamics("relay"), incoming=[means])
    linear = Incoming("hidden/linear", ("means",), "flat_linear", channels=7, gain=8.0, dropout=dropout)
    draft.add("hidden", NEURONS, incoming=[linear])
    out = Incoming("readout/linear", ("hidden",), "flat_linear", channels=3, votes=2)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[out])
    return draft.finish()


def network_of(plan: Plan, *, dtype: torch.dtype = torch.float32) -> Network:
    """A network whose norms have seen data."""
    torch.manual_seed(2)
    network = Network(plan)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.7)
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(1, 8, *plan.input_shape))
    network = network.to(dtype).eval()
    for module in network.modules():
        if isinstance(module, AveragePool):
            module.window.fill_(1 / module.kernel**2)  # not rounded to float32
    return network


CODES = [EVERY_OPERATION, "0001 0000 0000 0000", "0303 0030 2002 0200", "0404 0041 0003 0000"]


@pytest.mark.parametrize("loop_norm", ["weights", "steps"])
@pytest.mark.parametrize("code", CODES)
def test_outputs_gradients_and_counts_equal_a_plain_loop_in_float64(code: str, loop_norm: str) -> None:
    network = network_of(summing(code, loop_norm=loop_norm), dtype=torch.float64)
    network.train_neurons()
    data = torch.rand(1, 3, 1, 6, 5, dtype=torch.float64).requires_grad_()
    logits = network(data)
    expected = unrolled(network, data)["readout"].mean(0)
    assert float((logits - expected).detach().abs().max()) < 1e-12
    assert bool((logits[0] != logits[1]).any())
    parameters = [data, *(one for one in network.parameters() if one.requires_grad)]
    weights = torch.rand(3, 3, dtype=torch.float64)
    got, wanted = (
        torch.autograd.grad((one * weights).sum(), parameters, allow_unused=True) for one in (logits, expected)
    )
    for ours, theirs in zip(got, wanted, strict=True):
        if ours is None or theirs is None:  # thresholds of neurons that nothing reads
            assert ours is theirs
        else:
            assert float((ours - theirs).abs().max()) <= 1e-9 * max(1.0, float(theirs.abs().max()))
    assert bool(got[0].any())
    with torch.no_grad():
        _, activity = recorded(network, data)
        check_counts(network, data, activity)


def test_a_sum_is_a_real_number_that_sends_nothing_and_has_no_state() -> None:
    network = network_of(summing())
    _, activity = recorded(network, torch.rand(1, 3, 1, 6, 5))
    sums = [one.name for one in network.plan.populations if one.is_sum]
    assert sums == ["cell/node0", "cell/node2", "cell/node3", "means"]
    counted = {one.name: one for one in activity.populations}
    assert all((counted[name].state, sum(counted[name].spikes)) == (0, 0) for name in sums)
    assert activity.spikes == sum(sum(counted[name].spikes) for name in counted if name not in sums) / 3
    elements = {edge.name: edge.element for edge in activity.connections}
    reals = {"stem/conv", "cell/edge01", "cell/edge03", "cell/edge23", "cell/node0/on", "cell/node3/on"}
    assert {name for name, element in elements.items() if element == "real"} == reals | {"normed/norm", "hidden/linear"}


def test_a_sum_of_what_does_not_change_is_computed_once() -> None:
    plan = summing("0101 0001 0000 0000")  # nothing leads back
    static = {one.name: one.static for one in plan.populations}
    assert {name for name, is_static in static.items() if is_static} == {"cell/node0", "cell/node1", "cell/node3"}


def test_an_identity_hands_a_current_on_as_it_is_and_a_neuron_reads_it_so() -> None:
    draft = Draft((TIME_STEPS, 2, 3, 3), time_steps=TIME_STEPS)
    draft.add("sum", Dynamics("relay"), incoming=[Incoming(name, (INPUT,), "skip", gain=1.0) for name in "ab"])
    draft.add("on", Dynamics("relay"), incoming=[Incoming("c", ("sum",), "skip")])
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[Incoming("d", ("on",), "skip", gain=1.0)])
    plan = draft.finish()
    assert [edge.gain for edge in plan.connections] == [1.0] * 4
    data = torch.rand(TIME_STEPS, 2, 2, 3, 3)
    torch.testing.assert_close(Network(plan)(data), 2 * data.mean(0))


def test_a_norm_is_a_batch_norm_of_each_channel_and_folds_into_a_factor_and_a_bias() -> None:
    network = network_of(summing())
    (edge,) = [edge for edge in network.plan.connections if edge.operation == "norm"]
    assert (edge.weights, edge.biases, edge.fan_in, edge.dense, edge.groups) == (3, 3, 1, 90, 3)
    made = make_operation(edge)
    images = torch.rand(4, 3, 6, 5)
    expected = nn.BatchNorm2d(3)(images)
    torch.testing.assert_close(made(images), expected)


@pytest.mark.parametrize("size", [(6, 4), (7, 5), (1, 1)])
def test_means_of_tiled_windows_count_what_the_border_cuts_off_as_zeros(size: tuple[int, int]) -> None:
    draft = Draft((2, *size), time_steps=2)
    pool = Incoming("pool", (INPUT,), "pool", kernel=2, stride=2, gain=1.0)
    draft.add("means", Dynamics("relay"), incoming=[pool])
    edge = draft.finish().connections[0]
    images = torch.rand(3, 2, *size, requires_grad=True)
    padded = nn.functional.pad(images, (0, size[1] % 2, 0, size[0] % 2))
    expected = nn.functional.avg_pool2d(padded, 2)
    found = make_operation(edge)(images)
    torch.testing.assert_close(found, expected)
    assert edge.out_shape == (2, *expected.shape[2:])
    ours, theirs = (torch.autograd.grad((one**2).sum(), images, retain_graph=True)[0] for one in (found, expected))
    torch.testing.assert_close(ours, theirs)


def dropping(*, delay: int) -> Network:
    """A readout that reads many relays of ones, half of them left out; within a loop if there is a delay."""
    draft = Draft((TIME_STEPS, 500, 1, 1), time_steps=TIME_STEPS)
    draft.add("ones", Dynamics("relay"), incoming=[Incoming(name, (INPUT,), "skip", gain=0.5) for name in ("a", "b")])
    if delay:
        draft.connect("ones", Incoming("back", ("ones",), "skip", gain=1.0, delay=delay, dropout=0.5))
    out = Incoming("out", ("ones",), "skip", gain=1.0, dropout=0.0 if delay else 0.5)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[out])
    return Network(draft.finish())


@pytest.mark.parametrize("delay", [0, 1])
def test_dropout_leaves_the_same_elements_of_a_sample_out_at_all_steps_of_training_alone(delay: int) -> None:
    torch.manual_seed(0)
    network, data = dropping(delay=delay), torch.ones(TIME_STEPS, 3, 500, 1, 1)
    plain = network.eval().potentials(data)
    assert torch.equal(plain, recorded_potentials(network.train(), data))  # counting leaves nothing out
    dropped = network.potentials(data)
    grown = dropped - (torch.cat([torch.zeros_like(dropped[:1]), dropped[:-1]]) if delay else 0)
    if delay:  # x[t] = 1 + mask * x[t - 1]: 1, 1 + m, 1 + m + m ** 2, …
        kept = grown[1]
        assert all(torch.equal(after, before * kept) for before, after in pairwise(grown[1:]))
    else:
        kept = grown[0]
        assert all(torch.equal(step, kept) for step in grown)
    assert set(kept.flatten().tolist()) == {0.0, 2.0}
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.1)
    assert not torch.equal(kept[0], kept[1])
    assert not torch.equal(network.potentials(data), dropped)


def recorded_potentials(network: Network, data: torch.Tensor) -> torch.Tensor:
    return network.potentials(data, network.recorder())


@pytest.mark.parametrize("wrong", [-0.1, 1.0, 2.0])
def test_a_dropout_that_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(SpaceError, match=r"dropout of the connection 'hidden/linear' must be a probability from 0 to"):
        summing(dropout=wrong)


def test_a_norm_within_a_loop_needs_the_statistics_of_steps() -> None:
    def looped(loop_norm: str) -> Plan:
        draft = Draft((1, 4, 4), time_steps=3, loop_norm=loop_norm)
        draft.add("a", NEURONS, incoming=[Incoming("in", (INPUT,), "conv", channels=2)])
        draft.connect("a", Incoming("back", ("a",), "norm", delay=1))
        draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("a",), "linear", channels=2)])
        return draft.finish()

    with pytest.raises(SpaceError, match=r"The norm 'back' lies within a loop.*loop_norm=\"steps\""):
        looped("weights")
    network = Network(looped("steps"))
    assert network(torch.rand(1, 2, 1, 4, 4)).shape == (2, 2)
    with pytest.raises(SpaceError, match="norm of loops must be weights or steps, got 'batch'"):
        looped("batch")


@pytest.mark.parametrize("momentum", [0.25, None])
def test_norms_of_steps_take_the_statistics_of_each_step_and_keep_their_mean_once_a_batch(momentum) -> None:
    torch.manual_seed(0)
    norm = StepNorm(nn.BatchNorm2d(2))
    norm.momentum = momentum
    steps = [torch.randn(16, 2, 3, 3) * scale + scale for scale in (1.0, 3.0)]
    for _ in range(2):
        norm.open()
        norm.has_input = False
        torch.testing.assert_close(norm(torch.ones(4, 2, 1, 1)), copy.deepcopy(norm).eval()(torch.ones(4, 2, 1, 1)))
        norm.has_input = True
        for step in steps:
            torch.testing.assert_close(norm(step), nn.BatchNorm2d(2)(step))
        norm.close()
    kept = 0.75**2 if momentum else 0.0
    mean = torch.stack([step.mean((0, 2, 3)) for step in steps]).mean(0)
    variance = torch.stack([step.var((0, 2, 3)) for step in steps]).mean(0)
    torch.testing.assert_close(norm.running_mean, (1 - kept) * mean)
    torch.testing.assert_close(norm.running_var, (1 - kept) * variance + kept)
    norm.eval().open()
    norm(steps[0])
    norm.close()
    assert int(norm.num_batches_tracked) == 2


def test_norms_of_steps_stand_within_loops_alone() -> None:
    network = network_of(summing(loop_norm="steps"))
    norms = {name for name, one in network.operations.items() if isinstance(getattr(one, "norm", None), StepNorm)}
    assert norms == {"cell/edge31", "cell/edge12"}
    copied = pickle.loads(pickle.dumps(network))
    data = torch.rand(1, 3, 1, 6, 5)
    assert torch.equal(copied(data), network(data))


@pytest.mark.parametrize("name", known())
def test_every_chip_prices_sums_of_currents_or_refuses_them_by_name(name: str) -> None:
    network, profile = network_of(summing()), load(name)
    _, activity = recorded(network, torch.rand(1, 3, 1, 6, 5))
    if profile.rules["counts"] == "dense" or "mac" in profile.energy:
        joules = estimate(activity, profile).dynamic.nominal
        assert joules > 0
        if name == "arith45_fp32":
            events = sum(sum(edge.events) for edge in activity.connections)
            macs = sum(edge.macs[0] if edge.static else sum(edge.macs) for edge in activity.connections)
            assert joules >= (0.9e-12 * events + 4.6e-12 * macs) / activity.samples
        return
    if profile.fit:
        assert "real numbers" in " ".join(check(network.plan, profile).violations)
    with pytest.raises((UnpriceableError, ProfileError), match="multiply-accumulates.*cell/edge03|no energy of any"):
        estimate(activity, profile)


def learns(network: Network) -> set[str]:
    """Return the connections whose weights have a gradient in training."""
    loss = nn.functional.cross_entropy(network(torch.rand(1, 32, 1, 6, 5)), torch.arange(32) % 3)
    loss.backward()
    return {
        name
        for name, operation in network.operations.items()
        if any(one.grad is not None and bool(one.grad.any()) for one in operation.parameters())
    }


@pytest.mark.parametrize("loop_norm", ["weights", "steps"])
def test_gradients_reach_every_weight(loop_norm: str) -> None:
    torch.manual_seed(0)
    network = Network(summing(loop_norm=loop_norm, dropout=0.5))
    assert learns(network) == {edge.name for edge in network.plan.connections if edge.weights}
