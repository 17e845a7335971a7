"""Models of time: how long a sample takes on machines that wait for each other, tick, count cycles or follow events.

All loads are means over the samples at one time step: a mean over the steps as well would miss that a step lasts as
long as its busiest core, and was too low by a third on a network that was checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evonas.errors import UnpriceableError
from evonas.measurement import Activity, Connection
from evonas.snn.dynamics import DT_MS
from evonas.snn.plan import INPUT
from objectives.band import End, at
from objectives.deployment import Deployment
from objectives.operations import operations
from objectives.placement import Placement
from objectives.profile import Profile
from objectives.topology import Topology, size
from objectives.traffic import Traffic, sent, traffic


@dataclass(frozen=True)
class Load:
    """What the cores of a layer do in one time step.

    Attributes:
        layer: Its name.
        cores: Cores that share it evenly.
        neurons: Neurons with state.
        updates: Active updates (U).
        spikes: Spikes (K).
        sent: Messages out.
        events: Synaptic events (S).
        received: Messages in.
    """

    layer: str
    cores: int
    neurons: float
    updates: float
    spikes: float
    sent: float
    events: float
    received: float


@dataclass(frozen=True)
class Placed:
    """A measured network on a chip: all that a model of time looks at."""

    activity: Activity
    profile: Profile
    topology: Topology[Connection]
    placement: Placement
    assumed: Deployment

    def number(self, key: str, end: End = "value") -> float:
        """Return a number of the profile's `[time]`, 0 where it has none."""
        return at(self.profile.time.get(key, 0.0), end)


_WORK = ("acc_neuron", "upd_neuron", "spike_out", "msg_out", "synop", "msg_in")


def work_ns(placed: Placed, end: End = "value") -> dict[str, float]:
    """Return the ns of each kind of work of a core, 0 where the profile has none."""
    return {key: placed.number(key, end) for key in _WORK}


def busiest(loads: Sequence[Load], ns: Mapping[str, float]) -> tuple[float, str]:
    """Return the ns that the busiest core needs for a time step, and its layer.

    The halves of a core that update neurons and deliver synaptic events work at the same time.

    Args:
        loads: What the cores do.
        ns: The ns of each kind of work, from `work_ns`.
    """
    worst, where = 0.0, ""
    acc, upd, out, send = ns["acc_neuron"], ns["upd_neuron"], ns["spike_out"], ns["msg_out"]
    for load in loads:
        soma = load.neurons * acc + load.updates * upd + load.spikes * out + load.sent * send
        synapse = load.events * ns["synop"] + load.received * ns["msg_in"]
        needed = (soma if soma > synapse else synapse) / load.cores
        if needed > worst:
            worst, where = needed, load.layer
    return worst, where


def loads_by_step(placed: Placed) -> Iterator[list[Load]]:
    """Yield the loads of all layers at each time step of the chip.

    Where a spike is seen one step later, each layer is as many steps behind as it is deep: it waits before its first
    step and after its last, in which its neurons are updated and nothing else happens.
    """
    activity, topology = placed.activity, placed.topology
    messages = traffic(activity, placed.profile, topology=topology, placement=placed.placement)
    delayed = placed.assumed.pipeline == "one-layer-per-step"
    idle, busy, behind = [], [], []
    for index, layer in enumerate(topology.layers):
        cores, neurons = placed.placement.places[layer.name].cores, layer.neurons if layer.state else 0
        idle.append(Load(layer.name, cores, neurons, 0.0, 0.0, 0.0, 0.0, 0.0))
        busy.append(_loads(placed, messages, index))
        behind.append(topology.depth[layer.name] - 1 if delayed else 0)
    for step in range(activity.time_steps + max(behind, default=0)):
        yield [
            work[step - late] if 0 <= step - late < activity.time_steps else waiting
            for work, waiting, late in zip(busy, idle, behind, strict=True)
        ]


def _loads(placed: Placed, messages: Traffic, index: int) -> list[Load]:
    """Return the loads of a layer at each of its own time steps."""
    layer, population = placed.topology.layers[index], placed.activity.populations[index]
    cores, samples = placed.placement.places[layer.name].cores, placed.activity.samples
    neurons = layer.neurons if layer.state else 0
    graded = "synop_graded" in placed.profile.energy
    nothing = (0,) * placed.activity.time_steps
    delivered = [nothing]
    for edge in layer.edges:
        delivered += [edge.events, edge.graded if graded else edge.unrolled]
    columns = (
        population.updates if layer.state else nothing,
        population.spikes,
        messages.sent_out[layer.name],
        [sum(counts) for counts in zip(*delivered, strict=True)],
        messages.received[layer.name],
    )
    return [
        Load(layer.name, cores, neurons, *[count / samples for count in counts])
        for counts in zip(*columns, strict=True)
    ]


def barrier(placed: Placed, end: End) -> list[float]:
    """Return the seconds of each time step of a machine whose cores wait for each other at its end."""
    steps = placed.profile.time.get("sync_by_tiles", [])
    sync = next((ns for tiles, ns in steps if placed.placement.tiles <= tiles), steps[-1][1] if steps else 0.0)
    if placed.placement.chips > 1:
        sync += placed.number("sync_multichip_ns", end)
    overhead = sync + placed.number("step_overhead", end)
    ns = work_ns(placed, end)
    return [(busiest(loads, ns)[0] + overhead) * 1e-9 for loads in loads_by_step(placed)]


def ticks(placed: Placed, end: End) -> list[float]:
    """Return the seconds of each tick, those that fill the pipeline at the end.

    Raises:
        UnpriceableError: If some core has more work in a tick than fits in it.
    """
    tick = placed.number("tick_us", end) * 1e-6
    work = work_ns(placed)
    for index, loads in enumerate(loads_by_step(placed) if any(work.values()) else ()):
        ns, where = busiest(loads, work)
        if ns * 1e-9 > placed.number("tick_us") * 1e-6:
            raise UnpriceableError(
                f"{placed.profile.id} cannot keep its tick of {placed.number('tick_us'):g} us: a core of {where} has "
                f"{ns * 1e-3:,.1f} us of work in step {index + 1}. Spread the layer or make it spike less."
            )
    if placed.profile.time["model"] == "tick+cycles":
        _check_clock(placed)
    filling = placed.topology.longest * placed.number("pipeline_ticks_per_layer")
    return [tick] * placed.activity.time_steps + [tick * filling] * bool(filling)


@dataclass(frozen=True)
class PoolCounts:
    """Inputs, hidden neurons and readouts of a core that has one pool of neurons."""

    inputs: int
    hidden: int
    readouts: int


def pool_cycles(profile: Profile, counts: PoolCounts, *, spikes_in: float, spikes: float, events: float) -> float:
    """Return the clock cycles of a time step of a core that has one pool of neurons.

    Source: the cycle model that the vendor of Xylo publishes in rockpool (`power_cycles_model.py`), with exact events
    between hidden neurons in place of a mean fan-out times a rate.

    Args:
        profile: The chip.
        counts: How large the network is.
        spikes_in: Inputs that are not zero.
        spikes: Hidden neurons that spike.
        events: Synaptic events between hidden neurons.
    """
    cycle = profile.time["cyc"]
    return float(
        cycle["in_spk"] * spikes_in * counts.hidden
        + cycle["in_fix"] * counts.inputs
        + cycle["hid_syn"] * events
        + cycle["hid_fix"] * counts.hidden
        + spikes * (cycle["out_spk_fix"] + cycle["out_syn"] * counts.readouts)
        + cycle["neu_fix"] * counts.hidden
        + cycle["neu_spk"] * spikes
        + cycle["out_fix"] * counts.readouts
    )


def _cycles_at(placed: Placed, step: int) -> float:
    activity, samples, layers = placed.activity, placed.activity.samples, placed.topology.layers
    hidden = [layer for layer in layers if layer.kind != "readout"]
    counts = PoolCounts(
        placed.topology.sizes.get(INPUT, 0),
        sum(layer.neurons for layer in hidden),
        sum(layer.neurons for layer in layers if layer.kind == "readout"),
    )
    arriving = sent(activity, placed.profile).get(INPUT, (0,) * activity.time_steps)[step]
    spikes = sum(population.spikes[step] for population in activity.populations if population.kind != "readout")
    among = sum(edge.events[step] for layer in hidden for edge in layer.edges if INPUT not in edge.sources)
    return pool_cycles(
        placed.profile, counts, spikes_in=arriving / samples, spikes=spikes / samples, events=among / samples
    )


def _check_clock(placed: Placed) -> None:
    cycles = max(_cycles_at(placed, step) for step in range(placed.activity.time_steps))
    needed = (placed.number("clock_margin") or 1.0) * cycles / placed.number("tick_us")  # cycles a us are MHz
    limit = placed.assumed.clock_mhz or placed.number("clock_mhz_max")
    if needed > limit:
        raise UnpriceableError(
            f"{placed.profile.id} would need a clock of {needed:,.0f} MHz for {cycles:,.0f} cycles in a time step of "
            f"{placed.number('tick_us'):g} us, and {limit:g} MHz is the most. Make the network smaller or spike less."
        )


def cycles(placed: Placed, end: End) -> list[float]:
    """Return the seconds of a sample on a core that does one thing after the other."""
    counts = operations(placed.activity, placed.profile, assumed=placed.assumed)
    events = sum(count.get("synop", 0.0) for count in counts.values())
    spikes = sum(sum(part) for part in sent(placed.activity, placed.profile).values()) / placed.activity.samples
    needed = placed.number("cycles_per_synop", end) * events + placed.number("cycles_per_spike", end) * spikes
    needed += placed.number("cycles_per_tick_leak", end) * placed.activity.time_steps
    clock = placed.assumed.clock_mhz or placed.number("clock_mhz")
    return [needed / (clock * 1e6)]


def event(placed: Placed, end: End) -> list[float]:
    """Return the seconds from the last event of a sample to the answer.

    Raises:
        UnpriceableError: If events come faster than a core can take them.
    """
    per_layer = placed.number("event_layer_us", end) * 1e-6
    messages = traffic(placed.activity, placed.profile, topology=placed.topology, placement=placed.placement)
    lasts = placed.activity.time_steps * DT_MS * 1e-3
    for layer, counts in messages.received.items():
        share = sum(counts) / placed.activity.samples / lasts * placed.number("event_layer_us") * 1e-6
        if share >= 1:
            raise UnpriceableError(
                f"{placed.profile.id} cannot keep up with the events into {layer}: they would take {share:.1f} times "
                "the time in which they come. Make the layers before it spike less."
            )
    return [placed.topology.longest * per_layer]


def roofline(placed: Placed, end: End) -> list[float]:
    """Return the seconds of each layer: its operations or its bytes, whichever takes longer, and a launch."""
    seconds = []
    steps = 1 if placed.profile.rules["counts"] == "dense" else placed.activity.time_steps
    for layer in placed.topology.layers:
        edges = layer.all_edges
        moved = sum(edge.weights + size(edge.in_shape) for edge in edges) + layer.neurons
        arithmetic = sum(edge.dense for edge in edges) / placed.number("peak_ops_per_s")
        transfer = moved * placed.assumed.weight_bits / 8 / placed.number("bytes_per_s")
        seconds.append(steps * (max(arithmetic, transfer) + placed.number("launch_us", end) * 1e-6))
    return seconds
