"""The counts are those of a loop over every single synapse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from recorded import recorded
from torch import nn

from evonas.architecture.cell import Edge
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, OF_RELAYS, PlannedConnection
from evonas.architecture.trellis import Trellis, plan_trellis
from evonas.errors import EvonasError
from evonas.measurement import Activity, Connection
from evonas.snn.activity import fan_out
from evonas.snn.network import Network


def planned(**given) -> PlannedConnection:
    draft = Draft((given.pop("in_channels", 4), *given.pop("size", (8, 8))), time_steps=2)
    kind = "relay" if given["operation"] in OF_RELAYS else "lif_box"
    draft.add("target", Dynamics(kind), incoming=[Incoming("edge", (INPUT,), **given)])
    return draft.finish().connections[0]


def every_synapse(edge: PlannedConnection, weight: torch.Tensor | None):
    """All (input element, target neuron) pairs that are connected, found one by one."""
    channels, height, width = edge.in_shape
    if edge.is_linear:
        sources = itertools.product(range(channels), range(height), range(width))
        for (c, y, x), o in itertools.product(sources, range(edge.out_shape[0])):
            if weight is None or weight[o, c if edge.operation == "linear" else (c * height + y) * width + x] != 0:
                yield (c, y, x), (o, 0, 0)
        return
    if edge.repeats > 1:
        for c, oy, ox in itertools.product(*map(range, edge.out_shape)):
            yield (c, oy // edge.repeats, ox // edge.repeats), (c, oy, ox)
        return
    in_group, out_group = channels // edge.groups, edge.out_shape[0] // edge.groups
    for o, oy, ox in itertools.product(*map(range, edge.out_shape)):
        for i, ky, kx in itertools.product(range(in_group), range(edge.kernel), range(edge.kernel)):
            y, x = oy * edge.stride + ky - edge.padding, ox * edge.stride + kx - edge.padding
            inside = 0 <= y < height and 0 <= x < width
            if inside and (weight is None or weight[o, i, ky, kx] != 0):
                yield ((o // out_group) * in_group + i, y, x), (o, oy, ox)


LAYERS = {
    "conv 3x3": {"operation": "conv", "channels": 5, "kernel": 3},
    "conv 5x5 on 3x7": {"operation": "conv", "channels": 3, "kernel": 5, "size": (3, 7)},
    "conv 3x3 stride 2 on 7x5": {"operation": "conv", "channels": 4, "kernel": 3, "stride": 2, "size": (7, 5)},
    "conv 5x5 stride 4": {"operation": "conv", "channels": 2, "kernel": 5, "stride": 4},
    "conv 1x1": {"operation": "conv", "channels": 6},
    "depthwise 3x3": {"operation": "conv", "channels": 4, "kernel": 3, "depthwise": True},
    "pool": {"operation": "pool", "kernel": 3, "size": (4, 6)},
    "pool 2x2": {"operation": "pool", "kernel": 2, "stride": 2, "size": (6, 4)},
    "pool 2x2 on 7x5": {"operation": "pool", "kernel": 2, "stride": 2, "size": (7, 5)},
    "norm": {"operation": "norm", "size": (3, 5)},
    "pool on 2x2": {"operation": "pool", "kernel": 3, "size": (2, 2)},
    "max pool": {"operation": "max_pool", "kernel": 3, "size": (4, 6)},
    "max pool stride 2 on 5x4": {"operation": "max_pool", "kernel": 3, "stride": 2, "size": (5, 4)},
    "max pool 2x2 on 7x4": {"operation": "max_pool", "kernel": 2, "stride": 2, "size": (7, 4)},
    "max pool 4x4 on 1x6": {"operation": "max_pool", "kernel": 4, "stride": 4, "size": (1, 6)},
    "resize to a third of 7x4": {"operation": "resize", "stride": 3, "size": (7, 4)},
    "resize to the double of 3x2": {"operation": "resize", "repeats": 2, "size": (3, 2)},
    "skip": {"operation": "skip"},
    "dense": {"operation": "dense", "channels": 7, "size": (3, 2)},
    "linear": {"operation": "linear", "channels": 7, "size": (3, 2)},
    "flat linear": {"operation": "flat_linear", "channels": 7, "size": (3, 2)},
    "vote": {"operation": "vote", "channels": 3, "size": (1, 1), "in_channels": 12},
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("pruned", ["all weights", "half of the weights"])
def test_fan_out_dense_and_fan_in_equal_a_loop_over_every_synapse(name, pruned):
    edge = planned(**LAYERS[name])
    weight = None
    if edge.weights:
        shape = (edge.out_shape[0], edge.in_shape[0] // edge.groups, edge.kernel, edge.kernel)
        generator = torch.Generator().manual_seed(3)
        flat = (edge.out_shape[0], edge.fan_in)
        shape = {"linear": shape[:2], "flat_linear": flat, "dense": flat}.get(edge.operation, shape)
        weight = torch.rand(shape, generator=generator)
        if pruned != "all weights":
            weight = weight * (weight > 0.5)
    reached, heard = np.zeros(edge.in_shape, int), np.zeros(edge.out_shape, int)
    for source, _ in every_synapse(edge, weight):
        reached[source] += 1
    for _, target in every_synapse(edge, None):
        heard[target] += 1
    assert np.array_equal(fan_out(edge, weight=weight).numpy(), reached)
    assert edge.dense == heard.sum()
    assert edge.fan_in == heard.max()


def test_grouped_convolutions_reach_only_their_group():
    edge = PlannedConnection("e", (INPUT,), "t", "conv", "binary", (4, 5, 5), (6, 3, 3), 3, 2, 1, 2, False, 1.0)
    weight = torch.rand(6, 2, 3, 3)
    reached = np.zeros(edge.in_shape, int)
    for source, _ in every_synapse(edge, weight):
        reached[source] += 1
    assert np.array_equal(fan_out(edge, weight=weight).numpy(), reached)
    assert (edge.dense, edge.weights) == (reached.sum(), 108)


def test_the_dense_count_of_a_published_layer():
    edge = planned(in_channels=4, operation="conv", channels=8, kernel=3)
    assert edge.dense == 15488
    assert (edge.weights, edge.biases, edge.fan_in) == (288, 8, 36)


@pytest.mark.parametrize(("stride", "expected"), [(1, 72), (2, 72 / 4)])
def test_a_spike_far_from_the_border_reaches_all_of_the_kernel(stride, expected):
    edge = planned(in_channels=4, operation="conv", channels=8, kernel=3, stride=stride)
    inner = fan_out(edge)[0, 2:6, 2:6].double().mean()
    assert float(inner) == expected


@pytest.mark.parametrize("stride", [1, 2])
def test_events_equal_spikingjelly_on_binary_inputs(stride):
    op_counter = pytest.importorskip("spikingjelly.activation_based.op_counter")
    edge = planned(in_channels=4, operation="conv", channels=8, kernel=3, stride=stride)
    conv = nn.Conv2d(4, 8, 3, stride=stride, padding=1, bias=False)
    spikes = (torch.rand(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.1).float()
    counter = op_counter.SynOpCounter()
    with op_counter.DispatchCounterMode([counter]), torch.no_grad():
        conv(spikes)
    assert int((spikes.long().sum(0) * fan_out(edge, weight=conv.weight)).sum()) == counter.get_total()


def small_network(kind: str = "lif", *, time_steps: int = 3, analog_stem: bool = False) -> Network:
    cell = ((Edge("s0", "separable"), Edge("s1", "conv3")), (Edge("n0", "pool"), Edge("s1", "skip")))
    stages = (Dynamics("analog") if analog_stem else Dynamics(kind, v_th=0.4), Dynamics(kind, v_th=0.3))
    trellis = Trellis((0, 1), channels=2, stages=stages, readout_tau_mem_ms=1.7, time_steps=time_steps)
    torch.manual_seed(5)
    network = Network(plan_trellis(trellis, cell, input_shape=(1, 5, 4), classes=3))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches, so that one is enough
    with torch.no_grad():
        network(torch.rand(1, 8, 1, 5, 4))
    return network.eval()


def inputs_of(network: Network, data: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each connection really gets, by connection."""
    seen: dict[str, torch.Tensor] = {}
    for name, operation in network.operations.items():
        operation.register_forward_pre_hook(
            lambda _, args, name=name: seen.update({name: args[0].detach().unflatten(0, (-1, data.shape[1]))})
        )
    with torch.no_grad():
        network(data)
    return seen


def brute_force(edge: Connection, given: torch.Tensor, time_steps: int) -> tuple[int, ...]:
    """Add up the non-zero inputs of every synapse, step by step."""
    plan_like = PlannedConnection(
        **{name: getattr(edge, name) for name in PlannedConnection.__dataclass_fields__ if hasattr(edge, name)},
        gain=1.0,
    )
    given = given.expand(time_steps, *given.shape[1:])
    counts = {
        (c, y, x): [sum(float(value) != 0 for value in given[t, :, c, y, x]) for t in range(time_steps)]
        for c, y, x in itertools.product(*map(range, edge.in_shape))
    }
    totals = [0] * time_steps
    for source, _ in every_synapse(plan_like, None):
        for t in range(time_steps):
            totals[t] += counts[source][t]
    return tuple(totals)


@pytest.mark.parametrize("kind", ["lif", "lif_box", "integrate_and_fire", "analog"])
@pytest.mark.parametrize("analog_stem", [False, True])
def test_the_counts_of_a_whole_network_equal_brute_force(kind, analog_stem):
    network = small_network(kind, analog_stem=analog_stem)
    data = torch.rand(1, 2, 1, 5, 4, generator=torch.Generator().manual_seed(2)).relu()
    data[..., 0] = 0
    with torch.no_grad():
        _, activity = recorded(network, data)
    seen = inputs_of(network, data)
    for edge in activity.connections:
        expected = brute_force(edge, seen[edge.name], 3)
        assert (edge.macs if edge.element == "real" else edge.events) == expected, edge.name
        assert sum(edge.events if edge.element == "real" else edge.macs) == sum(edge.graded) == 0
        assert edge.element == "real" or bool(((seen[edge.name] == 0) | (seen[edge.name] == 1)).all())
        assert edge.static == (seen[edge.name].shape[0] == 1)
    assert activity.spikes > 0


def test_populations_count_spikes_and_active_updates_of_each_step():
    network = small_network("lif_box")
    data = torch.zeros(1, 2, 1, 5, 4)
    data[0, 0, 0, 2, 2] = 3.0
    stem = network.plan.populations[0]
    with torch.no_grad():
        network.operations["stem/conv"].norm.running_mean.zero_()  # zero data make zero current
        _, activity = recorded(network, data)
        current = network.operations["stem/conv"](data[0]).unflatten(0, (1, 2))
        spikes = network.neurons["stem"](current)
    population = activity.populations[0]
    assert population.shape == stem.shape
    assert population.spikes == tuple(int(spikes[t].sum()) for t in range(3))
    # both channels hear the one pixel through 3x3 weights, and the other sample hears nothing
    assert population.updates == (18, 18, 18)
    assert activity.neuron_steps == 3 * sum(p.neurons for p in activity.populations)


def test_state_alone_keeps_a_neuron_active():
    network = small_network("lif_box")
    recorder = network.recorder()
    current = torch.zeros(3, 1, 2)
    current[0, 0, 0] = 0.1
    current[1, 0, 1] = 0.1
    network.neurons["stem"](current, updates=recorder.updates("stem"))
    assert recorder.updates("stem").tolist() == [1, 2, 2]


def test_the_readout_never_spikes_and_has_one_state_variable():
    _, activity = recorded(small_network(), torch.rand(1, 2, 1, 5, 4))
    readout = activity.populations[-1]
    assert (readout.kind, readout.state, readout.shape) == ("readout", 1, (3, 1, 1))
    assert readout.spikes == (0, 0, 0)
    linear = activity.connections[-1]
    assert (linear.operation, linear.kernel, linear.fan_in) == ("linear", 1, 4 * 2 * 3 * 2)


def test_static_layers_are_listed_at_each_step_and_counted_once():
    network = small_network(analog_stem=True)
    data = torch.rand(1, 2, 1, 5, 4)
    with torch.no_grad():
        _, activity = recorded(network, data)
    stem = activity.populations[0]
    assert stem.static
    assert len(set(stem.spikes)) == 1
    assert len(stem.spikes) == 3
    first = activity.connections[0]
    assert first.static
    assert first.macs == (first.macs[0],) * 3
    assert network.plan.operations == sum(edge.dense * (1 if edge.static else 3) for edge in activity.connections)


def test_a_concatenation_is_free_and_delivers_the_events_of_its_parts():
    network = small_network()
    data = torch.rand(1, 2, 1, 5, 4)
    with torch.no_grad():
        _, activity = recorded(network, data)
    by_name = {population.name: population for population in activity.populations}
    for edge in activity.connections:
        if edge.kernel == 1 and edge.groups == 1 and edge.sources != (INPUT,):
            spikes = np.sum([by_name[name].spikes for name in edge.sources], axis=0)
            assert edge.events == tuple(int(count) for count in spikes * edge.out_shape[0])
    assert any(len(edge.sources) == 2 for edge in activity.connections)


def test_counts_add_up_over_batches():
    network = small_network()
    data = torch.rand(1, 6, 1, 5, 4)
    with torch.no_grad():
        _, whole = recorded(network, data)
        recorder = network.recorder()
        for part in data.split(4, dim=1):
            network(part, recorder)
    assert recorder.activity() == whole
    assert whole.samples == 6


def test_recording_does_not_change_the_logits():
    network = small_network()
    data = torch.rand(1, 6, 1, 5, 4)
    with torch.no_grad():
        logits, activity = recorded(network, data)
        assert torch.equal(logits, network(data))
    assert isinstance(activity, Activity)


def test_event_frames_make_graded_events():
    cell = ((Edge("s1", "conv3"),),)
    trellis = Trellis((0, 0), channels=2, stages=(Dynamics("lif"),), readout_tau_mem_ms=2.0, time_steps=3)
    network = Network(plan_trellis(trellis, cell, input_shape=(3, 2, 5, 4), classes=3))
    frames = torch.randint(0, 3, (3, 2, 2, 5, 4)).float()
    _, activity = recorded(network, frames)
    first = activity.connections[0]
    assert (first.element, first.static) == ("graded", False)
    assert sum(first.graded) > 0 == sum(first.macs) + sum(first.events)
    reach = fan_out(network.plan.connections[0])
    assert first.inputs == tuple(torch.count_nonzero(frames, dim=(1, 2, 3, 4)).tolist())
    assert first.units == tuple(frames.sum((1, 2, 3, 4)).int().tolist())
    assert first.unrolled == tuple((frames * reach).sum((1, 2, 3, 4)).int().tolist())
    second = activity.connections[1]
    assert second.inputs == activity.populations[0].spikes
    assert sum(second.units) == sum(second.unrolled) == 0


def test_a_recorder_that_has_seen_nothing_says_so():
    with pytest.raises(EvonasError, match="has seen no sample"):
        small_network().recorder().activity()
